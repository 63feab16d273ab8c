"""Every object that has a fixed form, as a table: group and variation to the columns it travels in."""

import struct
from dataclasses import dataclass
from enum import Enum, StrEnum


class Kind(StrEnum):
    """What an object is about."""

    BINARY_INPUT = "binary_input"
    DOUBLE_BIT_INPUT = "double_bit_input"
    BINARY_OUTPUT = "binary_output"
    BINARY_COMMAND = "binary_command"
    COUNTER = "counter"
    FROZEN_COUNTER = "frozen_counter"
    ANALOG_INPUT = "analog_input"
    FROZEN_ANALOG_INPUT = "frozen_analog_input"
    ANALOG_OUTPUT = "analog_output"
    ANALOG_COMMAND = "analog_command"
    ANALOG_DEADBAND = "analog_deadband"
    OCTET_STRING = "octet_string"
    VIRTUAL_TERMINAL = "virtual_terminal"
    TIME = "time"
    COMMON_TIME = "common_time"
    TIME_DELAY = "time_delay"
    INDICATIONS = "indications"


class Role(Enum):
    """What an object group carries."""

    STATIC = "static"
    EVENT = "event"
    COMMAND = "command"
    OTHER = "other"


_WIRE = {
    "flags": "B",
    "state": "B",  # flags with the state in bit 7
    "state2": "B",  # flags with the state in bits 6 and 7
    "status": "B",
    "u8": "B",
    "u16": "H",
    "u32": "I",
    "i16": "h",
    "i32": "i",
    "f32": "f",
    "f64": "d",
    "delta": "H",  # milliseconds after the common time of occurrence
    "time": "IH",  # 48 bits, milliseconds since 1970-01-01 UTC
}
_PACKED = {"bits": 1, "bits2": 2}
INTEGERS = {
    "u16": (0, 0xFFFF),
    "u32": (0, 0xFFFFFFFF),
    "i16": (-0x8000, 0x7FFF),
    "i32": (-0x80000000, 0x7FFFFFFF),
}
"""Ranges of the integer columns."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How one variation of one group travels."""

    group: int
    variation: int
    kind: Kind
    role: Role
    columns: tuple[str, ...]
    bits: int
    """Bits per object where objects are packed, else 0."""
    size: int
    """Octets per object where they are not packed, else 0."""
    codecs: dict[int, struct.Struct]
    """By octets of index prefix: 0, 1, 2 or 4."""
    number: str | None
    """The column that holds a numeric value, for example `i32`."""

    def octets(self, count: int, prefix: int) -> int:
        """Octets that `count` objects take, with their index prefixes."""
        if self.bits:
            return (count * self.bits + 7) // 8
        return count * (prefix + self.size)


_PREFIXES = {0: "", 1: "B", 2: "H", 4: "I"}


def _layout(group: int, variation: int, kind: Kind, role: Role, text: str) -> Layout:
    columns = tuple(text.split())
    bits = _PACKED.get(columns[0], 0)
    wire = "" if bits else "".join(_WIRE[column] for column in columns)
    codecs = {prefix: struct.Struct(f"<{lead}{wire}") for prefix, lead in _PREFIXES.items()}
    number = next((column for column in columns if column in INTEGERS or column in {"f32", "f64"}), None)
    return Layout(group, variation, kind, role, columns, bits, codecs[0].size, codecs, number)


_COUNTER_EVENT = (
    "flags u32", "flags u16", "flags u32", "flags u16",
    "flags u32 time", "flags u16 time", "flags u32 time", "flags u16 time",
)  # fmt: skip
_ANALOG_EVENT = (
    "flags i32", "flags i16", "flags i32 time", "flags i16 time",
    "flags f32", "flags f64", "flags f32 time", "flags f64 time",
)  # fmt: skip
_CROB = "u8 u8 u32 u32 status"
_ROWS: tuple[tuple[int, Kind, Role, tuple[str, ...]], ...] = (
    # group, kind, role, columns of variations 1, 2, 3 ...
    (1, Kind.BINARY_INPUT, Role.STATIC, ("bits", "state")),
    (2, Kind.BINARY_INPUT, Role.EVENT, ("state", "state time", "state delta")),
    (3, Kind.DOUBLE_BIT_INPUT, Role.STATIC, ("bits2", "state2")),
    (4, Kind.DOUBLE_BIT_INPUT, Role.EVENT, ("state2", "state2 time", "state2 delta")),
    (10, Kind.BINARY_OUTPUT, Role.STATIC, ("bits", "state")),
    (11, Kind.BINARY_OUTPUT, Role.EVENT, ("state", "state time")),
    (12, Kind.BINARY_COMMAND, Role.COMMAND, (_CROB, _CROB, "bits")),
    (13, Kind.BINARY_COMMAND, Role.EVENT, ("state", "state time")),
    (20, Kind.COUNTER, Role.STATIC, ("flags u32", "flags u16", "flags u32", "flags u16", "u32", "u16", "u32", "u16")),
    (21, Kind.FROZEN_COUNTER, Role.STATIC, (*_COUNTER_EVENT, "u32", "u16", "u32", "u16")),
    (22, Kind.COUNTER, Role.EVENT, _COUNTER_EVENT),
    (23, Kind.FROZEN_COUNTER, Role.EVENT, _COUNTER_EVENT),
    (30, Kind.ANALOG_INPUT, Role.STATIC, ("flags i32", "flags i16", "i32", "i16", "flags f32", "flags f64")),
    (31, Kind.FROZEN_ANALOG_INPUT, Role.STATIC,
     ("flags i32", "flags i16", "flags i32 time", "flags i16 time", "i32", "i16", "flags f32", "flags f64")),
    (32, Kind.ANALOG_INPUT, Role.EVENT, _ANALOG_EVENT),
    (33, Kind.FROZEN_ANALOG_INPUT, Role.EVENT, _ANALOG_EVENT),
    (34, Kind.ANALOG_DEADBAND, Role.STATIC, ("u16", "u32", "f32")),
    (40, Kind.ANALOG_OUTPUT, Role.STATIC, ("flags i32", "flags i16", "flags f32", "flags f64")),
    (41, Kind.ANALOG_COMMAND, Role.COMMAND, ("i32 status", "i16 status", "f32 status", "f64 status")),
    (42, Kind.ANALOG_OUTPUT, Role.EVENT, _ANALOG_EVENT),
    (43, Kind.ANALOG_COMMAND, Role.EVENT, _ANALOG_EVENT),
    (50, Kind.TIME, Role.OTHER, ("time", "time u32", "time", "time u32 u8")),
    (51, Kind.COMMON_TIME, Role.OTHER, ("time", "time")),
    (52, Kind.TIME_DELAY, Role.OTHER, ("u16", "u16")),
    (80, Kind.INDICATIONS, Role.OTHER, ("bits",)),
)  # fmt: skip

LAYOUTS: dict[tuple[int, int], Layout] = {
    (group, variation): _layout(group, variation, kind, role, columns)
    for group, kind, role, variations in _ROWS
    for variation, columns in enumerate(variations, start=1)
}

STRING_GROUPS = {
    110: (Kind.OCTET_STRING, Role.STATIC),
    111: (Kind.OCTET_STRING, Role.EVENT),
    112: (Kind.VIRTUAL_TERMINAL, Role.STATIC),
    113: (Kind.VIRTUAL_TERMINAL, Role.EVENT),
}
"""Groups whose variation is the length of the string in octets."""

ATTRIBUTES = 0
CLASSES = 60
FILES = 70
AUTHENTICATION = 120

STATIC_GROUPS: dict[Kind, int] = {kind: group for group, kind, role, _ in _ROWS if role is Role.STATIC} | {
    Kind.OCTET_STRING: 110
}
EVENT_GROUPS: dict[Kind, int] = {kind: group for group, kind, role, _ in _ROWS if role is Role.EVENT} | {
    Kind.OCTET_STRING: 111
}
KNOWN_GROUPS = {group for group, *_ in _ROWS} | set(STRING_GROUPS) | {ATTRIBUTES, CLASSES, FILES, AUTHENTICATION}
