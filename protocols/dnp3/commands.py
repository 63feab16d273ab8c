"""Controls: relay output blocks and analog set points, their octets, and what an outstation answers to each."""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import groupby

from protocols.dnp3.errors import ObjectsError, UnsendableError
from protocols.dnp3.fragment import Iin
from protocols.dnp3.headers import Header, indexed_header, parse_headers
from protocols.dnp3.layouts import INTEGERS, LAYOUTS, Layout


class CommandStatus(IntEnum):
    """Status octet of a control, as an outstation answers it."""

    SUCCESS = 0
    TIMEOUT = 1
    """The selection had run out."""
    NO_SELECT = 2
    FORMAT_ERROR = 3
    NOT_SUPPORTED = 4
    ALREADY_ACTIVE = 5
    HARDWARE_ERROR = 6
    LOCAL = 7
    TOO_MANY_OBJS = 8
    NOT_AUTHORIZED = 9
    AUTOMATION_INHIBIT = 10
    PROCESSING_LIMITED = 11
    OUT_OF_RANGE = 12
    DOWNSTREAM_LOCAL = 13
    ALREADY_COMPLETE = 14
    BLOCKED = 15
    CANCELED = 16
    BLOCKED_OTHER_MASTER = 17
    DOWNSTREAM_FAIL = 18
    NON_PARTICIPATING = 126
    UNDEFINED = 127

    @classmethod
    def of(cls, octet: int) -> "CommandStatus":
        """The status of an octet; what the standard leaves open is `UNDEFINED`."""
        return cls(octet) if octet in _STATUSES else cls.UNDEFINED


_STATUSES = frozenset(CommandStatus)


class Operation(IntEnum):
    """Low four bits of a control code."""

    NUL = 0
    PULSE_ON = 1
    PULSE_OFF = 2
    LATCH_ON = 3
    LATCH_OFF = 4


class Trip(IntEnum):
    """High two bits of a control code: which relay of a pair is meant."""

    NUL = 0
    CLOSE = 1
    TRIP = 2


_CLEAR, _QUEUE = 0x20, 0x10


@dataclass(frozen=True, slots=True)
class BinaryCommand:
    """A control relay output block (g12v1)."""

    index: int
    operation: Operation
    trip: Trip = Trip.NUL
    count: int = 1
    on_ms: int = 100
    off_ms: int = 100


class AnalogForm(IntEnum):
    """Width of an analog set point; the value is the variation of group 41."""

    INT32 = 1
    INT16 = 2
    FLOAT = 3
    DOUBLE = 4


@dataclass(frozen=True, slots=True)
class AnalogCommand:
    """An analog set point (g41)."""

    index: int
    value: float
    form: AnalogForm = AnalogForm.FLOAT


Command = BinaryCommand | AnalogCommand


@dataclass(frozen=True, slots=True)
class Refused:
    """A control object that no application ever sees."""

    index: int
    status: CommandStatus


def check_analog(value: float, form: AnalogForm) -> None:
    """Raise `UnsendableError` where a value does not travel in this form unharmed.

    Integers must be whole and in range; a float32 must be in range and may lose digits, never magnitude.
    """
    if not math.isfinite(value):
        raise UnsendableError(f"set point {value} is not a finite number")
    column = _number(LAYOUTS[41, form])
    if column in INTEGERS:
        low, high = INTEGERS[column]
        if value != int(value) or not low <= value <= high:
            raise UnsendableError(f"set point {value} is no {column}; choose a wider form")
    elif column == "f32":
        try:
            struct.pack("<f", value)
        except OverflowError as error:
            raise UnsendableError(f"set point {value} is beyond float32") from error


def encode_commands(commands: Sequence[Command]) -> bytes:
    """Object octets of controls, in order; neighbours of one form share a header.

    Raises:
        UnsendableError: A value does not fit its form, an index its 16 bits, or there is nothing to send.
    """
    if not commands:
        raise UnsendableError("no control to send")
    out = []
    for key, group in groupby(commands, key=_key):
        same = list(group)
        wide = max(command.index for command in same) > 0xFF
        layout = LAYOUTS[key]
        out.append(indexed_header(*key, len(same), wide=wide))
        out += [_pack(layout, 2 if wide else 1, command) for command in same]
    return b"".join(out)


def parse_commands(objects: bytes, header_max: int) -> tuple[list[Command | Refused], list[int]]:
    """Controls of a request with the place of each one's status octet among the objects.

    Raises:
        ObjectsError: The objects are malformed, or are no controls that we know; nothing may be carried out.
    """
    commands: list[Command | Refused] = []
    places: list[int] = []
    for header in parse_headers(objects, with_data=True, header_max=header_max):
        layout = header.layout
        if layout is None or (header.group, header.variation) not in _CONTROLS:
            raise ObjectsError(f"g{header.group}v{header.variation} is no control", Iin.OBJECT_UNKNOWN)
        if header.selection is None:
            raise ObjectsError("controls without indices")
        rows = layout.codecs[header.prefix].iter_unpack(header.data)
        step = header.prefix + layout.size
        for position, (index, row) in enumerate(zip(header.selection, rows, strict=True), start=1):
            values = row[1:] if header.prefix else row
            commands.append(_binary(index, values) if header.group == 12 else _analog(header, index, values))
            places.append(header.at + position * step - 1)
    return commands, places


def with_statuses(objects: bytes, places: Sequence[int], statuses: Iterable[CommandStatus]) -> bytes:
    """The same objects with each status octet set: the echo that answers a control."""
    echo = bytearray(objects)
    for place, status in zip(places, statuses, strict=True):
        echo[place] = status
    return bytes(echo)


_CONTROLS = frozenset({(12, 1), (41, 1), (41, 2), (41, 3), (41, 4)})


def _key(command: Command) -> tuple[int, int]:
    return (12, 1) if isinstance(command, BinaryCommand) else (41, int(command.form))


def _number(layout: Layout) -> str:
    column = layout.number
    if column is None:
        raise UnsendableError(f"g{layout.group}v{layout.variation} carries no number")
    return column


def _pack(layout: Layout, prefix: int, command: Command) -> bytes:
    if not 0 <= command.index <= 0xFFFF:
        raise UnsendableError(f"index {command.index} is not within 16 bits")
    codec = layout.codecs[prefix]
    if isinstance(command, BinaryCommand):
        code = command.operation | command.trip << 6
        try:
            return codec.pack(command.index, code, command.count, command.on_ms, command.off_ms, 0)
        except struct.error as error:
            raise UnsendableError(f"{command} does not fit a relay output block: {error}") from error
    check_analog(command.value, command.form)
    value = int(command.value) if _number(layout) in INTEGERS else command.value
    return codec.pack(command.index, value, 0)


def _binary(index: int, row: tuple[int, ...]) -> BinaryCommand | Refused:
    code, count, on_ms, off_ms, _ = row
    if code & (_CLEAR | _QUEUE) or code & 0x0F > Operation.LATCH_OFF or code >> 6 > Trip.TRIP:
        return Refused(index, CommandStatus.NOT_SUPPORTED)
    return BinaryCommand(index, Operation(code & 0x0F), Trip(code >> 6), count, on_ms, off_ms)


def _analog(header: Header, index: int, row: tuple[float, ...]) -> AnalogCommand | Refused:
    if not math.isfinite(row[0]):
        return Refused(index, CommandStatus.OUT_OF_RANGE)
    return AnalogCommand(index, row[0], AnalogForm(header.variation))
