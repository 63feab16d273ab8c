"""What a master is told and what it tells: settings, events, and how a task ended."""

from dataclasses import dataclass
from enum import Enum, StrEnum

from protocols.dnp3.commands import CommandStatus
from protocols.dnp3.fragment import Iin
from protocols.dnp3.readings import Attribute, Readings, Strings
from protocols.dnp3.station import FRAGMENT_MAX


class TimeSync(Enum):
    """How the outstation is given the time when it asks."""

    NONE = "none"
    LAN = "lan"
    """Record current time, then write (functions 24 and 2, g50v3)."""
    NON_LAN = "non_lan"
    """Measure the delay, then write (functions 23 and 2, g50v1)."""


@dataclass(frozen=True, slots=True)
class MasterSettings:
    """How a master treats its one outstation."""

    local: int = 1
    """Our link address."""
    outstation: int = 10
    """Its link address."""
    response_timeout_s: float = 2.0
    """Patience for each fragment."""
    exchange_timeout_s: float = 30.0
    """Patience for one request with all its fragments."""
    queue_timeout_s: float = 10.0
    """A task that could not even be sent for this long is given up."""
    integrity_s: float | None = 3600.0
    """Between integrity polls; None polls only at the start and on need."""
    event_poll_s: float | None = 1.0
    """Between polls of classes 1 to 3; None leaves events to unsolicited responses."""
    unsolicited: bool = True
    """Enable unsolicited responses after the start."""
    time_sync: TimeSync = TimeSync.LAN
    retry_first_s: float = 1.0
    """Pause before a failed start is tried again; doubles up to `retry_last_s`."""
    retry_last_s: float = 60.0
    need_backoff_s: float = 30.0
    """An outstation that keeps asking for time, a restart's clearing or an integrity poll is heard this often."""
    keep_alive_s: float | None = 60.0
    """Silence after which the link is probed; None never probes."""
    fragment_max: int = FRAGMENT_MAX
    fragments_max: int = 256
    """Fragments of one response."""
    header_max: int = 1000
    """Object headers of one fragment."""
    queue_max: int = 32
    """Tasks that wait."""


class TaskOutcome(StrEnum):
    """How a task ended."""

    DONE = "done"
    REFUSED = "refused"
    """The outstation said no; nothing was carried out, or not all."""
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    """Sent, and no usable answer came; a control may or may not have been carried out."""


@dataclass(frozen=True, slots=True)
class TaskDone:
    """A task ended; its readings, if any, came before."""

    task: int
    outcome: TaskOutcome
    iin: Iin
    detail: str
    statuses: tuple[CommandStatus, ...] = ()
    """Of each control, where the outstation answered."""


@dataclass(frozen=True, slots=True)
class Started:
    """The start sequence is complete: all values are known."""


@dataclass(frozen=True, slots=True)
class RestartSeen:
    """The outstation says that it has restarted."""


@dataclass(frozen=True, slots=True)
class PollDone:
    """A poll of ours was answered in full."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """A request went unanswered."""

    in_a_row: int
    detail: str


@dataclass(frozen=True, slots=True)
class LinkDead:
    """Not even the link layer answers: close the connection."""


@dataclass(frozen=True, slots=True)
class MasterAlarm:
    """Something a technician should know."""

    detail: str


MasterEvent = (
    Readings | Strings | Attribute | TaskDone | Started | RestartSeen | PollDone | NoAnswer | LinkDead | MasterAlarm
)


@dataclass(slots=True)
class Counters:
    """What a master has met since it was made."""

    undecoded: int = 0
    """Fragments that could not be decoded to the end; those were never confirmed."""
    strays: int = 0
    """Responses that nobody waited for."""
    timeouts: int = 0
