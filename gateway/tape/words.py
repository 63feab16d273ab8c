"""The file of a recorded session: one JSON object a line, the first of which says what was recorded.

Every line has the seconds since the start (`t`, which never goes back) and its kind. Nothing is written that opens
a door: what the zone file keeps to itself is left out, and passwords and keys never pass where sessions are recorded.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final, TextIO

import orjson

from protocols.port import Now

VERSION: Final = 1
"""Of the format; a reader refuses another."""
LARGEST_BYTES: Final = 256 * 1024 * 1024
"""Longest file that is written where nobody asks for less, and that is read at all."""


class TapeError(Exception):
    """A file that cannot be written, or is no recording; says where and why."""


class Kind(StrEnum):
    """What a line tells."""

    READ = "read"
    """The gateway asked; with what was answered, and how long that took."""
    WRITE = "write"
    """The gateway wrote; the same."""
    EVENT = "event"
    """Something came from the field by itself."""
    SENT = "sent"
    """Something left for the field that has no answer of its own."""
    FAULT = "fault"
    """The link was made or lost."""
    APPLY = "apply"
    """The gateway was given an instruction."""
    ACK = "ack"
    """What became of it."""
    SIGNAL = "signal"
    """What the adapter made of all this."""
    END = "end"
    """Why there is no more."""


@dataclass(frozen=True, slots=True)
class Header:
    """The first line."""

    tape: int
    """Version of the format."""
    software: str
    """Version of the gateway that recorded it."""
    zone: str
    protocol: str
    start_s: float
    """Unix seconds UTC."""
    devices: Mapping[str, Mapping[str, object]]
    """Entries of the zone file, by id."""
    stations: Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line behind the header."""

    at_s: float
    """Since the start."""
    kind: Kind
    what: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recording:
    """A file as it was read."""

    header: Header
    lines: tuple[Line, ...]

    @property
    def ends_s(self) -> float:
        """When the last line was written, since the start."""
        return self.lines[-1].at_s if self.lines else 0.0

    def of(self, *kinds: Kind) -> tuple[Line, ...]:
        """The lines of some kinds, in order."""
        return tuple(line for line in self.lines if line.kind in kinds)


class Tape:
    """A recording that is being made. What exceeds its size is not written, and the last line says so."""

    def __init__(self, file: TextIO, header: Header, now: Now, most_bytes: int) -> None:
        self._file = file
        self._left = most_bytes
        self._began_s = asyncio.get_running_loop().time()
        header = replace(header, start_s=now())
        self.counts: Counter[Kind] = Counter()
        """Lines so far, by kind."""
        self._write({name: getattr(header, name) for name in Header.__slots__})

    @classmethod
    def create(cls, path: Path, header: Header, now: Now, most_bytes: int = LARGEST_BYTES) -> "Tape":
        """Begin a new file, line by line on its way to the disk; the header's start is now.

        Raises:
            TapeError: it exists, or cannot be written.
        """
        try:
            file = path.open("x", encoding="utf-8", buffering=1)
        except FileExistsError as error:
            raise TapeError(f"{path} exists; name another file") from error
        except OSError as error:
            raise TapeError(f"{path} cannot be written: {error.strerror}") from error
        return cls(file, header, now, most_bytes)

    def note(self, kind: Kind, **what: object) -> None:
        """Add a line."""
        if self._file.closed:
            return
        if self._write({"t": self._passed_s(), "kind": kind.value, **what}):
            self.counts[kind] += 1
        else:
            self.close("the recording has reached its greatest size")

    def close(self, why: str = "the session ended") -> None:
        """End the file; a second time does nothing."""
        if not self._file.closed:
            self._file.write(orjson.dumps({"t": self._passed_s(), "kind": Kind.END.value, "why": why}).decode() + "\n")
            self._file.close()

    def _passed_s(self) -> float:
        return round(asyncio.get_running_loop().time() - self._began_s, 6)

    def _write(self, line: Mapping[str, object]) -> bool:
        data = orjson.dumps(line).decode() + "\n"
        self._left -= len(data)
        if self._left >= 0:
            self._file.write(data)
        return self._left >= 0


def read(path: Path) -> Recording:
    """What a file holds; a last line that was cut off is left out.

    Raises:
        TapeError: it is no recording, or not of this version.
    """
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise TapeError(f"{path} is larger than {LARGEST_BYTES} bytes")
        rows = path.read_bytes().splitlines()
    except OSError as error:
        raise TapeError(f"{path} cannot be read: {error.strerror}") from error
    if not rows:
        raise TapeError(f"{path} is empty")
    header = _header(path, _object(rows[0], path, 1))
    lines: list[Line] = []
    for number, row in enumerate(rows[1:], start=2):
        try:
            lines.append(_line(_object(row, path, number), path, number, lines[-1].at_s if lines else 0.0))
        except TapeError:
            if number < len(rows):
                raise
    return Recording(header, tuple(lines))


def _object(row: bytes, path: Path, number: int) -> dict[str, object]:
    try:
        read_row = orjson.loads(row)
    except orjson.JSONDecodeError as error:
        raise TapeError(f"{path}:{number}: no JSON: {error}") from error
    if not isinstance(read_row, dict):
        raise TapeError(f"{path}:{number}: no JSON object")
    return read_row


def _header(path: Path, row: Mapping[str, object]) -> Header:
    match row:
        case {
            "tape": int(version),
            "software": str(software),
            "zone": str(zone),
            "protocol": str(protocol),
            "start_s": float() | int() as start_s,
            "devices": dict(devices),
            "stations": dict(stations),
        } if version == VERSION:
            return Header(version, software, zone, protocol, float(start_s), devices, stations)
        case {"tape": version}:
            raise TapeError(f"{path}:1: recordings of version {version} cannot be read, only of {VERSION}")
    raise TapeError(f"{path}:1: no header of a recording")


def _line(row: Mapping[str, object], path: Path, number: int, after_s: float) -> Line:
    match row:
        case {"t": float() | int() as at_s, "kind": str(kind)} if kind in set(Kind):
            what = {key: value for key, value in row.items() if key not in ("t", "kind")}
            return Line(max(float(at_s), after_s), Kind(kind), what)
    raise TapeError(f"{path}:{number}: neither time nor known kind")
