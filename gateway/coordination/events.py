"""What happened, as the journal keeps it: folding these in order rebuilds the book."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.coordination.messages import Message
from gateway.coordination.operator import OperatorInstruction
from grid_engine.results import Answer, Study
from protocols.signals import Ack, Baseline, Instruction


@dataclass(frozen=True, slots=True)
class Received:
    """A party's message arrived and was accepted."""

    message: Message
    at_s: float


@dataclass(frozen=True, slots=True)
class Sent:
    """A message to a party is about to leave."""

    message: Message
    at_s: float
    cycle_id: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """A cycle came to its conclusion."""

    cycle_id: str
    at_s: float
    study: Study
    answer: Answer
    measured_w: Mapping[str, float] = field(default_factory=dict)
    """Measured power per resource that the study used."""
    settled_w: Mapping[str, float] = field(default_factory=dict)
    """Where each resource stood in a cycle without violation, or when it was first seen."""
    headroom: tuple[str, ...] = ()
    """Resources whose limit could be loosened by at least the release step."""


@dataclass(frozen=True, slots=True)
class Issued:
    """An instruction is about to leave for a device."""

    instruction: Instruction
    at_s: float
    cycle_id: str = ""
    limit_id: str = ""
    """The limit that it enforces; empty for a release."""
    power_w: float | None = None
    """Measured just before, W."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A device, or the verification of what it does, said what became of an instruction."""

    ack: Ack


@dataclass(frozen=True, slots=True)
class Kept:
    """The device's registers before we ever wrote them."""

    baseline: Baseline


@dataclass(frozen=True, slots=True)
class Instructed:
    """An operator's instruction was accepted."""

    instruction: OperatorInstruction


@dataclass(frozen=True, slots=True)
class Alarmed:
    """Something that an operator should look at."""

    code: str
    """For example `NON_RESPONSE` or `CAP_NOTICE_MISSING`."""
    subject: str
    """Resource, limit or party that it is about."""
    at_s: float
    detail: str


Event = Received | Sent | Decided | Issued | Answered | Kept | Instructed | Alarmed
