"""Application header: control octet, function code, internal indications."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag


class Function(IntEnum):
    """Application function codes."""

    CONFIRM = 0
    READ = 1
    WRITE = 2
    SELECT = 3
    OPERATE = 4
    DIRECT_OPERATE = 5
    DIRECT_OPERATE_NR = 6
    IMMED_FREEZE = 7
    IMMED_FREEZE_NR = 8
    FREEZE_CLEAR = 9
    FREEZE_CLEAR_NR = 10
    COLD_RESTART = 13
    WARM_RESTART = 14
    ENABLE_UNSOLICITED = 20
    DISABLE_UNSOLICITED = 21
    ASSIGN_CLASS = 22
    DELAY_MEASURE = 23
    RECORD_CURRENT_TIME = 24
    RESPONSE = 129
    UNSOLICITED_RESPONSE = 130


class Iin(IntFlag):
    """Internal indications; IIN1 is the low octet and travels first."""

    NONE = 0
    BROADCAST = 1 << 0
    CLASS_1_EVENTS = 1 << 1
    CLASS_2_EVENTS = 1 << 2
    CLASS_3_EVENTS = 1 << 3
    NEED_TIME = 1 << 4
    LOCAL_CONTROL = 1 << 5
    DEVICE_TROUBLE = 1 << 6
    DEVICE_RESTART = 1 << 7
    NO_FUNC_CODE_SUPPORT = 1 << 8
    OBJECT_UNKNOWN = 1 << 9
    PARAM_ERROR = 1 << 10
    EVENT_BUFFER_OVERFLOW = 1 << 11
    ALREADY_EXECUTING = 1 << 12
    CONFIG_CORRUPT = 1 << 13


REFUSED = Iin.NO_FUNC_CODE_SUPPORT | Iin.OBJECT_UNKNOWN | Iin.PARAM_ERROR
"""Indications that say the request as such was not carried out."""
_DEFINED = (1 << 14) - 1
_FIR, _FIN, _CON, _UNS, _SEQUENCE = 0x80, 0x40, 0x20, 0x10, 0x0F
SEQUENCE_MODULUS = 16


@dataclass(frozen=True, slots=True)
class Fragment:
    """One application fragment, either way."""

    function: int
    sequence: int
    objects: bytes = b""
    iin: Iin | None = None
    """Present in responses, and only there."""
    first: bool = True
    final: bool = True
    confirm: bool = False
    """The receiver is asked to confirm."""
    unsolicited: bool = False

    @property
    def is_whole(self) -> bool:
        """True where the message is this one fragment."""
        return self.first and self.final


def encode_fragment(fragment: Fragment) -> bytes:
    """Octets of a fragment."""
    control = (
        (_FIR if fragment.first else 0)
        | (_FIN if fragment.final else 0)
        | (_CON if fragment.confirm else 0)
        | (_UNS if fragment.unsolicited else 0)
        | fragment.sequence
    )
    head = bytes((control, fragment.function))
    if fragment.iin is not None:
        head += int(fragment.iin).to_bytes(2, "little")
    return head + fragment.objects


def decode_fragment(octets: bytes, *, is_response: bool) -> Fragment | None:
    """The fragment, or None where it is too short for its header."""
    header = 4 if is_response else 2
    if len(octets) < header:
        return None
    control = octets[0]
    return Fragment(
        function=octets[1],
        sequence=control & _SEQUENCE,
        objects=octets[header:],
        iin=Iin(int.from_bytes(octets[2:4], "little") & _DEFINED) if is_response else None,
        first=bool(control & _FIR),
        final=bool(control & _FIN),
        confirm=bool(control & _CON),
        unsolicited=bool(control & _UNS),
    )


def next_sequence(sequence: int) -> int:
    """The application sequence number after this one."""
    return (sequence + 1) % SEQUENCE_MODULUS
