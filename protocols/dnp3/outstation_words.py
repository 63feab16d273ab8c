"""What an outstation is told and what it tells: settings, the application behind it, events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from protocols.dnp3.commands import Command, CommandStatus
from protocols.dnp3.station import FRAGMENT_MAX


@dataclass(frozen=True, slots=True)
class OutstationSettings:
    """How an outstation behaves."""

    local: int = 10
    """Our link address."""
    master: int = 1
    """Link address of the one master that is served."""
    unsolicited: bool = False
    """Allow the master to enable unsolicited responses, and announce a restart by an empty one."""
    fragment_max: int = FRAGMENT_MAX
    confirm_timeout_s: float = 5.0
    select_timeout_s: float = 10.0
    retry_first_s: float = 2.0
    """Pause after the first unsolicited response that nobody confirmed; doubles up to `retry_last_s`."""
    retry_last_s: float = 60.0
    header_max: int = 64
    """Object headers of one request."""
    control_max: int = 32
    """Controls of one request; further ones are answered TOO_MANY_OBJS."""
    need_time_s: float | None = None
    """Ask for the time at the start and this long after each setting; None never asks."""
    attributes: Mapping[int, str] = field(default_factory=dict)
    """Device attributes by variation of group 0, for example 252 maker, 250 product, 242 software version."""


class Application(Protocol):
    """What stands behind the outstation's outputs."""

    def select(self, command: Command) -> CommandStatus:
        """Say whether this could be operated now; nothing moves."""
        ...

    def operate(self, command: Command) -> CommandStatus:
        """Carry it out, and set the output's status in the database."""
        ...

    def restart(self, *, is_cold: bool) -> int | None:
        """Prepare to restart and give the milliseconds until back; None where that is not supported."""
        ...


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something a technician should know."""

    detail: str


@dataclass(frozen=True, slots=True)
class Operated:
    """A control was handed to the application."""

    command: Command
    status: CommandStatus


@dataclass(frozen=True, slots=True)
class TimeSet:
    """The master set our clock."""

    time_ms: int


@dataclass(frozen=True, slots=True)
class RestartAsked:
    """The master asked for a restart, and was told when we are back."""

    is_cold: bool
    delay_ms: int


OutstationEvent = Alarm | Operated | TimeSet | RestartAsked
