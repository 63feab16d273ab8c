"""What may be done to the network, what for, and what comes of it: plain values without numpy.

Powers as in `grid_engine.results`; money in the market's currency.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from grid_engine.dispatch.words import Outcome, Schedule
from grid_engine.results import Envelope, NetworkState, Violation


class Objective(StrEnum):
    """What a zone's operation is good for; ties are decided by the cost of `Prices`.

    Whatever the objective, the limits hold in what is published: what a state of the network leaves violated is
    cured by curtailment.
    """

    CONSTRAINT_MIN = "constraint_min"
    """Leave the requested powers the least violations, counted in tolerances over all assets."""
    CURTAILMENT_MIN = "curtailment_min"
    """Least cost of curtailment, operations and losses together."""
    LOSS_MIN = "loss_min"
    """Least losses in lines and transformers."""
    VOLTAGE_CONSERVATION = "voltage_conservation"
    """Least energy drawn from the systems above: where loads follow voltage, by keeping it low."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What everything costs."""

    curtailment_per_mwh: float = 1000.0
    """Of what was requested beyond where a resource stands."""
    standing_per_mwh: float = 10_000.0
    """Of the part of the request where it stands already."""
    loss_per_mwh: float = 30.0
    per_resource: dict[str, float] = field(default_factory=dict)
    """Curtailment by resource, in place of both prices above."""


@dataclass(frozen=True, slots=True)
class Duty:
    """How much a device may still be operated, and what each operation costs."""

    cost: float
    """Per operation; of a tap changer per step."""
    max_ops_per_hour: float = inf
    ops_last_hour: int = 0
    min_dwell_s: float = 0.0
    """That it must rest between commands."""
    since_last_op_s: float = inf
    locked: bool = False
    """In local control, or being worked on."""

    @property
    def ops_left(self) -> float:
        """Operations that it may make now."""
        if self.locked or self.since_last_op_s < self.min_dwell_s:
            return 0.0
        return max(self.max_ops_per_hour - self.ops_last_hour, 0.0)


@dataclass(frozen=True, slots=True)
class TapChanger:
    """Transformers whose taps move together, as those in parallel must."""

    control_id: str
    transformers: tuple[str, ...]
    duty: Duty = Duty(1.0)
    reach: int = 2
    """Steps from where it stands that are looked at."""


@dataclass(frozen=True, slots=True)
class CapacitorSwitch:
    """A capacitor or reactor that can be switched in or out."""

    shunt: str
    duty: Duty = Duty(3.0)


@dataclass(frozen=True, slots=True)
class RemoteSwitch:
    """A switch of the network that can be closed or opened from afar."""

    switch: str
    duty: Duty = Duty(10.0)
    sync_checked: bool = False
    """It may also close between networks that are not connected otherwise."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What may be operated; at most one switch is closed and one opened for it."""

    tap_changers: tuple[TapChanger, ...] = ()
    capacitors: tuple[CapacitorSwitch, ...] = ()
    switches: tuple[RemoteSwitch, ...] = ()


class Act(StrEnum):
    """What is done to a device."""

    TAP = "tap"
    SWITCH_IN = "switch_in"
    """A capacitor."""
    SWITCH_OUT = "switch_out"
    CLOSE = "close"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Operation:
    """One command to one device, in the order in which they must be given."""

    act: Act
    device: str
    """Id of the tap changer's control, of the capacitor or of the switch."""
    position: int | None = None
    """New tap position, of each transformer alike where they stood alike; else the first one's."""
    steps: int = 1
    """Operations of the device that this is."""


class Verdict(StrEnum):
    """How a verification ended."""

    HOLDS = "holds"
    """Nothing needs to be curtailed."""
    CURTAILED = "curtailed"
    """All limits hold with something given up."""
    STANDING = "standing"
    """Limits are broken that nobody's power cures, no worse than they were; where anything else was, it is cured."""
    INFEASIBLE = "infeasible"
    """Not even without what was requested do the limits hold that must."""
    NOT_CONVERGED = "not_converged"
    BAD_INPUT = "bad_input"

    @property
    def held(self) -> bool:
        """Whether there are powers that break nothing but what stands."""
        return self in {Verdict.HOLDS, Verdict.CURTAILED, Verdict.STANDING}


@dataclass(frozen=True, slots=True)
class Curtailment:
    """What one resource may not do of what was requested."""

    resource: str
    interval: int
    requested_w: float
    allowed_w: float


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether the requested powers can be, and what is the cheapest to give up where not; AC-verified."""

    study_id: str
    verdict: Verdict
    model_version: str
    violations: tuple[Violation, ...] = ()
    """At the requested powers."""
    standing: tuple[Violation, ...] = ()
    """At the allowed powers."""
    curtailments: tuple[Curtailment, ...] = ()
    limits: tuple[Envelope, ...] = ()
    """Of the resources that are curtailed, with the constraint behind each."""
    curtailed_wh: float = 0.0
    curtailment_cost: float = 0.0
    losses_w: tuple[float, ...] = ()
    """In lines and transformers at the allowed powers, per interval."""
    draw_w: tuple[float, ...] = ()
    """From the systems above."""
    severity: float = 0.0
    """Of the violations at the requested powers: tolerances beyond, added up over assets and intervals."""
    detail: str = ""
    power_flows: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """One state of the network that was looked at."""

    operations: tuple[Operation, ...]
    state: NetworkState
    verification: Verification
    operation_cost: float
    cost: float
    """Of curtailment, operations and losses."""

    @property
    def held(self) -> bool:
        """Whether it may be done at all."""
        return self.verification.verdict.held


@dataclass(frozen=True, slots=True)
class MarketOption:
    """One state of the network that a market was cleared in."""

    operations: tuple[Operation, ...]
    state: NetworkState
    schedule: Schedule
    operation_cost: float
    cost: float
    """Of operations and of the schedule, what is missing priced."""

    @property
    def held(self) -> bool:
        """Whether all limits hold."""
        return self.schedule.outcome in {Outcome.DELIVERED, Outcome.SHORTFALL}


@dataclass(frozen=True, slots=True)
class MarketPlan:
    """What to do to the network and who then delivers."""

    study_id: str
    outcome: Outcome
    """Of the best option."""
    model_version: str
    options: tuple[MarketOption, ...] = ()
    """The best three, best first."""
    untouched: MarketOption | None = None
    candidates: int = 0
    looked_at: int = 0
    complete: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to the network; every option in it is AC-verified, contingencies of the study included."""

    study_id: str
    objective: Objective
    verdict: Verdict
    """Of the best option."""
    model_version: str
    options: tuple[Option, ...] = ()
    """The best three, best first; doing nothing is an option too."""
    untouched: Option | None = None
    """Doing nothing."""
    candidates: int = 0
    """States within the controls."""
    looked_at: int = 0
    """States solved in AC; what is left out would cost more in operations alone than the best does in all."""
    complete: bool = True
    """False where there were more candidates than there was leave to look at."""
    detail: str = ""
    power_flows: int = 0

    @property
    def operations(self) -> tuple[Operation, ...]:
        """Of the best option."""
        return self.options[0].operations if self.options else ()
