"""A master's requests while they wait and while they are out, and what their answers hold."""

from dataclasses import dataclass
from enum import Enum, auto

from protocols.dnp3.commands import CommandStatus, parse_commands, with_statuses
from protocols.dnp3.errors import ObjectsError
from protocols.dnp3.fragment import Iin
from protocols.dnp3.headers import count_header, parse_headers
from protocols.dnp3.polls import Breadth
from protocols.dnp3.readings import decode_one


class Purpose(Enum):
    """Why a request is made; decides what its answer means."""

    SETUP = auto()
    INTEGRITY = auto()
    EVENTS = auto()
    CLEAR_RESTART = auto()
    TIME_PROBE = auto()
    TIME_WRITE = auto()
    USER = auto()
    SELECT = auto()
    CONTROL = auto()


@dataclass(frozen=True, slots=True)
class Task:
    """A request that waits to be sent."""

    purpose: Purpose
    function: int
    objects: bytes = b""
    number: int = 0
    """Of a user's task; 0 for our own."""
    expires_s: float = 0.0
    breadth: Breadth = Breadth.ALL
    is_start: bool = False


@dataclass(slots=True)
class Awaiting:
    """The request that is out, and what has come back so far."""

    task: Task
    sequence: int
    sent_s: float
    until_s: float
    last_s: float
    fragments: int = 0
    iin: Iin = Iin.NONE
    objects: bytes = b""


def time_object(group: int, variation: int, at_s: float) -> bytes:
    """Octets of one time, Unix seconds UTC in."""
    return count_header(group, variation, 1) + round(at_s * 1000).to_bytes(6, "little")


def held_s(objects: bytes) -> float | None:
    """Seconds that an outstation held a request before answering (g52)."""
    try:
        for header in parse_headers(objects, with_data=True, header_max=1):
            if header.group == 52 and header.count == 1:
                ((delay,),) = decode_one(header)
                return delay if header.variation == 1 else delay / 1000
    except ObjectsError:
        return None
    return None


def echoed_statuses(sent: bytes, echo: bytes) -> tuple[CommandStatus, ...]:
    """Status of each control, or nothing where the echo is not of what was sent."""
    try:
        commands, places = parse_commands(sent, header_max=len(sent))
    except ObjectsError:
        return ()
    if len(echo) != len(sent) or with_statuses(echo, places, [CommandStatus.SUCCESS] * len(commands)) != sent:
        return ()
    return tuple(CommandStatus.of(echo[place]) for place in places)


def names(statuses: tuple[CommandStatus, ...]) -> str:
    """Statuses for people."""
    return ", ".join(status.name for status in statuses)
