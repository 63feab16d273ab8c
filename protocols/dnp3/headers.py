"""Object headers: group, variation, qualifier and range, checked against the octets that remain before anything else.

A header's range or count is believed only where the octets for it are there; nothing is allocated by count.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count as count_from

from protocols.dnp3.errors import ObjectsError
from protocols.dnp3.fragment import Iin
from protocols.dnp3.layouts import ATTRIBUTES, CLASSES, KNOWN_GROUPS, LAYOUTS, STRING_GROUPS, Layout

ALL = 0x06
START_STOP = {0x00: struct.Struct("<BB"), 0x01: struct.Struct("<HH"), 0x02: struct.Struct("<II")}
COUNT = {0x07: struct.Struct("<B"), 0x08: struct.Struct("<H"), 0x09: struct.Struct("<I")}
INDEXED = {
    0x17: (struct.Struct("<B"), 1),
    0x28: (struct.Struct("<H"), 2),
    0x39: (struct.Struct("<I"), 4),
}
"""Qualifier to its count field and the octets of each index prefix."""
FREE_FORMAT = 0x5B
INDEX_MAX = 0xFFFF
"""Points are numbered with 16 bits; a larger index is refused."""


@dataclass(frozen=True, slots=True)
class Header:
    """One object header with its objects' octets."""

    group: int
    variation: int
    qualifier: int
    selection: range | tuple[int, ...] | None
    """Indices named by the header; None where it names all, or only a count."""
    count: int | None
    """Number of objects, or in a request without indices the most that are wanted; None for all."""
    data: bytes
    """The objects, with their index prefixes; empty in requests that only name objects."""
    prefix: int = 0
    """Octets of index before each object in `data`."""
    at: int = 0
    """Where `data` begins among the fragment's objects."""

    @property
    def layout(self) -> Layout | None:
        """The table's row, or None for the groups that have none."""
        return LAYOUTS.get((self.group, self.variation))


def parse_headers(objects: bytes, *, with_data: bool, header_max: int) -> Iterator[Header]:
    """Headers in order, each valid on its own when it is yielded.

    Args:
        objects: The fragment after its application header.
        with_data: True where objects follow their headers (responses, writes, controls); False where headers only
            name objects (reads, freezes, class assignments).
        header_max: More headers than this are refused.

    Raises:
        ObjectsError: At the first fault; what was yielded before stands.
    """
    reader = _Reader(objects)
    for parsed in count_from(1):
        if not reader.remaining:
            return
        if parsed > header_max:
            raise ObjectsError(f"more than {header_max} object headers")
        yield reader.header(with_data=with_data)


class _Reader:
    """A place in a fragment's objects."""

    def __init__(self, objects: bytes) -> None:
        self._objects = objects
        self._at = 0
        self._name = "object header"

    @property
    def remaining(self) -> int:
        return len(self._objects) - self._at

    def header(self, *, with_data: bool) -> Header:
        self._name = "object header"
        group, variation, qualifier = self._cut(3)
        self._name = f"g{group}v{variation}"
        if group not in KNOWN_GROUPS:
            raise ObjectsError(f"group {group} is unknown", Iin.OBJECT_UNKNOWN)
        if qualifier == ALL:
            if with_data and group != CLASSES:
                raise ObjectsError(f"{self._name} carries objects, but qualifier 06 names none")
            return Header(group, variation, qualifier, None, None, b"")
        if qualifier in START_STOP:
            return self._start_stop(group, variation, qualifier, with_data=with_data)
        if qualifier in COUNT:
            (count,) = self._field(COUNT[qualifier])
            data = self._take(group, variation, count, 0) if with_data else b""
            return Header(group, variation, qualifier, None, count, data, 0, self._at - len(data))
        if qualifier in INDEXED:
            return self._indexed(group, variation, qualifier, with_data=with_data)
        if qualifier == FREE_FORMAT:
            return self._free(group, variation)
        raise ObjectsError(f"qualifier {qualifier:02X} of {self._name} is reserved")

    def _start_stop(self, group: int, variation: int, qualifier: int, *, with_data: bool) -> Header:
        start, stop = self._field(START_STOP[qualifier])
        if start > stop or stop > INDEX_MAX:
            raise ObjectsError(f"{self._name} has range {start} to {stop}")
        selection = range(start, stop + 1)
        data = self._take(group, variation, len(selection), 0) if with_data else b""
        return Header(group, variation, qualifier, selection, len(selection), data, 0, self._at - len(data))

    def _indexed(self, group: int, variation: int, qualifier: int, *, with_data: bool) -> Header:
        codec, prefix = INDEXED[qualifier]
        (count,) = self._field(codec)
        data = self._take(group, variation, count, prefix) if with_data else self._cut(count * prefix)
        step = len(data) // count if count else 1
        selection = tuple(int.from_bytes(data[i : i + prefix], "little") for i in range(0, len(data), step))
        if selection and max(selection) > INDEX_MAX:
            raise ObjectsError(f"{self._name} has index {max(selection)}")
        at = self._at - len(data)
        return Header(group, variation, qualifier, selection, count, data if with_data else b"", prefix, at)

    def _free(self, group: int, variation: int) -> Header:
        """Objects that each say their size, as files and authentication travel."""
        (count,) = self._field(COUNT[0x07])
        start = self._at
        for _ in range(count):
            (size,) = self._field(COUNT[0x08])
            self._cut(size)
        return Header(group, variation, FREE_FORMAT, None, count, self._objects[start : self._at])

    def _take(self, group: int, variation: int, count: int, prefix: int) -> bytes:
        """The octets of `count` objects; a size of zero is refused, or a count alone could ask for any memory."""
        layout = LAYOUTS.get((group, variation))
        if layout is not None:
            if layout.bits and prefix:
                raise ObjectsError(f"{self._name} is packed and cannot be indexed")
            return self._cut(layout.octets(count, prefix))
        if group in STRING_GROUPS and variation > 0:
            return self._cut(count * (prefix + variation))
        if group == ATTRIBUTES and not prefix:
            return self._attributes(count)
        raise ObjectsError(f"{self._name} has no size", Iin.OBJECT_UNKNOWN)

    def _attributes(self, count: int) -> bytes:
        """Device attributes say their own type and length, in one octet each."""
        start = self._at
        for _ in range(count):
            _, size = self._cut(2)
            self._cut(size)
        return self._objects[start : self._at]

    def _field(self, codec: struct.Struct) -> tuple[int, ...]:
        return codec.unpack(self._cut(codec.size))

    def _cut(self, size: int) -> bytes:
        if size > self.remaining:
            raise ObjectsError(f"{self._name} needs {size} octets and {self.remaining} remain")
        start = self._at
        self._at += size
        return self._objects[start : self._at]


def class_header(number: int) -> bytes:
    """Octets that name all objects of class 0 (static) or 1 to 3 (events)."""
    return bytes((CLASSES, number + 1, ALL))


def all_header(group: int, variation: int = 0) -> bytes:
    """Octets that name all objects of a group; variation 0 leaves the form to the outstation."""
    return bytes((group, variation, ALL))


def range_header(group: int, variation: int, start: int, stop: int) -> bytes:
    """Octets of the shortest start-stop header."""
    qualifier = 0x00 if stop <= 0xFF else 0x01
    return bytes((group, variation, qualifier)) + START_STOP[qualifier].pack(start, stop)


def count_header(group: int, variation: int, count: int) -> bytes:
    """Octets of a header with a count of up to 255 and no indices."""
    return bytes((group, variation, 0x07, count))


def indexed_header(group: int, variation: int, count: int, *, wide: bool) -> bytes:
    """Octets of a header with a count, for objects that each follow a two-octet (`wide`) or one-octet index."""
    qualifier = 0x28 if wide else 0x17
    return bytes((group, variation, qualifier)) + INDEXED[qualifier][0].pack(count)


def runs(indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Consecutive stretches, first and last index, of ascending indices."""
    start = previous = None
    for index in indices:
        if start is None or previous is None:
            start = index
        elif index != previous + 1:
            yield start, previous
            start = index
        previous = index
    if start is not None and previous is not None:
        yield start, previous
