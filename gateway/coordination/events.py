"""What happened, as the journal keeps it: folding these in order rebuilds the book."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.coordination.forecasts import ForecastIssued
from gateway.coordination.long_term import NeedsImported
from gateway.coordination.messages import Message
from gateway.coordination.model_records import ModelProposed, ModelRuled
from gateway.coordination.operator import OperatorInstruction
from gateway.coordination.topology import Cancelled, Scheduled
from gateway.settlement.assessment import Assessment
from gateway.settlement.curtailment import Curtailment
from gateway.settlement.disputes import Dispute
from gateway.settlement.words import SettlementLine, Statement
from grid_engine.dispatch.operation_words import Operation
from grid_engine.dispatch.words import LocationalPrice
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


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A dispatch of a node was shared out, or who meets a need was chosen."""

    cycle_id: str
    at_s: float
    key: str
    """Of everything that the question stood on: while it stays, nobody asks again."""
    ref: str
    """The dispatch, or the need."""
    outcome: str
    delivered_w: float
    shortfall_w: float
    cost_per_h: float
    prices: tuple[LocationalPrice, ...] = ()
    detail: str = ""
    certainty: float | None = None
    """Probability that what was chosen delivers as much; `None` where everybody is sure to."""
    since_s: float | None = None
    """Since when more than the committed offers is needed for a dispatch of a node; `None` where it is not."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The engine looked for operations of the network; none where they would not help."""

    plan_id: str
    at_s: float
    cycle_id: str
    key: str
    """As of `Dispatched`."""
    operations: tuple[Operation, ...]
    before: tuple[tuple[float, ...], ...] = ()
    """How each device stood, one value per point, for the way back."""
    undoes: str = ""
    """The plan that it takes back."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Operated:
    """A step of a plan is about to leave for the control room."""

    plan_id: str
    step: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Shown:
    """The field shows a step of a plan, or did not in time."""

    plan_id: str
    step: int
    at_s: float
    confirmed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Proposed:
    """Something waits for an operator."""

    action_id: str
    at_s: float
    messages: tuple[Message, ...]
    plan: Planned | None
    expires_s: float
    reason: str


@dataclass(frozen=True, slots=True)
class Ruled:
    """An operator, or the clock, has decided about it."""

    action_id: str
    at_s: float
    approved: bool
    by: str


@dataclass(frozen=True, slots=True)
class Assessed:
    """What was asked is over, and what came of it was measured."""

    found: tuple[Assessment, ...]
    at_s: float
    charges: tuple[SettlementLine, ...] = ()
    """Of the system operator, as they are passed on."""


@dataclass(frozen=True, slots=True)
class Stated:
    """Statements, or new versions of them, hold from now on."""

    statements: tuple[Statement, ...]
    at_s: float
    covers: tuple[str, ...] = ()
    """Keys of the assessments and charges in them."""
    period_end_s: float | None = None
    """All periods up to here have their statements; nothing where an old one was corrected."""
    closes: tuple[str, ...] = ()
    """References that nobody may contest any more."""


@dataclass(frozen=True, slots=True)
class Contested:
    """A dispute was opened, or went on."""

    dispute: Dispute
    at_s: float
    remeasured: tuple[Assessment, ...] = ()
    """By the meter that it was resolved for."""
    ended: bool = False


@dataclass(frozen=True, slots=True)
class IntervalClosed:
    """A market interval is over; the records of a zone have no gap between them."""

    start_s: float
    end_s: float
    cycles: int
    """Run in it; none while the gateway did not."""
    solved: int
    """Those of them in which the engine had an answer."""
    mean_w: Mapping[str, float] = field(default_factory=dict)
    """Mean of what its cycles measured, per resource."""
    curtailed: tuple[Curtailment, ...] = ()
    """What limits took in it, as far as its cycles know."""


Event = (
    Received
    | Sent
    | Decided
    | Issued
    | Answered
    | Kept
    | Instructed
    | Alarmed
    | Dispatched
    | Planned
    | Operated
    | Shown
    | Proposed
    | Ruled
    | Scheduled
    | Cancelled
    | ModelProposed
    | ModelRuled
    | ForecastIssued
    | NeedsImported
    | Assessed
    | Stated
    | Contested
    | IntervalClosed
)
