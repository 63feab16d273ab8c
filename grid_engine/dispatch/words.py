"""What is offered, wanted and needed, and what dispatching it comes to: plain values without numpy.

As in `grid_engine.results`: watts at the point of interconnection, positive for injection; a tuple over
intervals has one entry per interval of the study. Powers are levels held through an interval; an
instruction is to be met at its end, so ramps lie between the ends of intervals. Money per megawatt-hour
or per hour, in the market's currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf

from grid_engine.results import Envelope, Reason, Study, Violation


@dataclass(frozen=True, slots=True)
class Block:
    """So much power at one price."""

    power_w: float
    """Size of the block, positive."""
    price_per_mwh: float


@dataclass(frozen=True, slots=True)
class Store:
    """What is behind a resource that can take in energy and give it back."""

    capacity_wh: float
    charge_wh: float
    """In it when the study begins."""
    charge_min_wh: float = 0.0
    charge_max_wh: float = inf
    """At most the capacity, whatever is said here."""
    efficiency_in: float = 1.0
    """Part of what is consumed that arrives in the store."""
    efficiency_out: float = 1.0
    """Part of what leaves the store that is injected."""
    final_wh: float = 0.0
    """At least so much must be in it at the end."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What one participant of the study would do for money."""

    resource: str
    blocks: tuple[Block, ...] = ()
    """Of injection (or of less consumption) from 0 on; prices must not fall."""
    intake: tuple[Block, ...] = ()
    """Of consumption from 0 on, at what it pays; prices must not rise, nor begin above the first of `blocks`."""
    initial_w: float | None = None
    """Power when the study begins, from where it ramps; `None` means it may begin anywhere."""
    ramp_up_w_per_min: float = inf
    ramp_down_w_per_min: float = inf
    available_w: tuple[float, ...] = ()
    """Highest power per interval; empty means that its blocks and its participant's capability say it all."""
    divisible: bool = True
    """False where each block is taken whole or not at all."""
    min_block_w: float = 0.0
    """The least injection that is worth starting for."""
    min_run: int = 1
    """Intervals that it must stay on once it is started; above 1 it is off when the study begins."""
    energy_wh: float = inf
    """Most that it injects in the whole study."""
    store: Store | None = None


@dataclass(frozen=True, slots=True)
class LocalNeed:
    """Power that the utility itself needs at a place of its network."""

    need_id: str
    required_w: tuple[float, ...]
    """At the reference location."""
    effect: Mapping[str, float]
    """By resource: watts at the reference location that one watt of it is worth; absent means none."""
    penalty_per_mwh: float = 10_000.0
    """What it costs to leave the need uncovered."""


@dataclass(frozen=True, slots=True)
class Market:
    """One question: who delivers what the system operator and the utility want, at least cost?

    Participants of the study that offer nothing stay at `held_w`. Prices are told at every participant, so
    one that stays at 0 W asks for the price at its bus.
    """

    study: Study
    """Network, limits and everyone on it; its purpose and policy do not matter here."""
    offers: tuple[Offer, ...]
    delivery_w: tuple[float, ...] = ()
    """What all offers together shall inject; empty means that nothing is asked."""
    interval_s: float = 300.0
    needs: tuple[LocalNeed, ...] = ()
    limits: tuple[Envelope, ...] = ()
    """Envelopes already in force for offers; their price is told as that of the constraint behind them."""
    shortfall_per_mwh: float = 5_000.0
    """What it costs not to deliver, or to deliver more than was asked."""
    at_node: bool = False
    """True where delivery is counted at the sources above, network losses included, not where it is injected."""


class Outcome(StrEnum):
    """How a dispatch ended."""

    DELIVERED = "delivered"
    SHORTFALL = "shortfall"
    """All limits hold, but not all that was wanted is there."""
    INFEASIBLE = "infeasible"
    """No powers within offers, ramps and energy hold all limits; `violations` and `detail` say which."""
    NOT_CONVERGED = "not_converged"
    BAD_INPUT = "bad_input"


@dataclass(frozen=True, slots=True)
class Instruction:
    """What one resource shall do in one interval."""

    resource: str
    interval: int
    power_w: float
    charge_wh: float | None = None
    """In its store at the end of the interval."""


@dataclass(frozen=True, slots=True)
class LocationalPrice:
    """What one more megawatt-hour consumed where a participant is connected would cost."""

    resource: str
    interval: int
    energy_per_mwh: float
    """At the reference: where what is delivered is counted."""
    congestion_per_mwh: float = 0.0
    """What the network's limits add."""
    loss_per_mwh: float = 0.0
    need_per_mwh: float = 0.0
    """What local needs add: what the resource is paid for them beside the rest."""

    @property
    def price_per_mwh(self) -> float:
        """Of energy there."""
        return self.energy_per_mwh + self.congestion_per_mwh + self.loss_per_mwh


@dataclass(frozen=True, slots=True)
class Congestion:
    """A limit that makes the dispatch dearer."""

    asset_id: str
    reason: Reason
    phase: str
    case: str
    interval: int
    value: float
    limit: float
    unit: str
    price_per_h: float
    """Saved per hour if the limit were one unit higher."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """What the engine says to one `Market`; AC-verified."""

    study_id: str
    outcome: Outcome
    model_version: str
    instructions: tuple[Instruction, ...] = ()
    """By interval, in the order of the offers."""
    delivered_w: tuple[float, ...] = ()
    shortfall_w: tuple[float, ...] = ()
    """Not delivered of what was asked; negative where more than that is forced in."""
    uncovered_w: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """By need, where something of it is not covered."""
    cost_per_h: tuple[float, ...] = ()
    """Of what is injected at offered prices, less what consumers pay."""
    total_cost: float = 0.0
    """Over all intervals, what is missing priced as the market says."""
    prices: tuple[LocationalPrice, ...] = ()
    congestions: tuple[Congestion, ...] = ()
    violations: tuple[Violation, ...] = ()
    """That remain at these powers."""
    detail: str = ""
    power_flows: int = 0

    def power_w(self, resource: str) -> tuple[float, ...]:
        """Instructed power of one resource over the intervals; empty where there is none."""
        return tuple(i.power_w for i in self.instructions if i.resource == resource)


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Up to `power_w` in all, what is beyond the point before at one price."""

    power_w: float
    price_per_mwh: float


@dataclass(frozen=True, slots=True)
class OfferCurve:
    """What all offers of a market can deliver together, held through every interval of its study."""

    study_id: str
    outcome: Outcome
    model_version: str
    points: tuple[CurvePoint, ...] = ()
    """Power and price strictly rise."""
    least_w: float = 0.0
    """Delivered at any rate, for local needs or limits; what the first point adds begins here."""
    ramp_up_w_per_min: float = inf
    """As fast as limits, ramps and energy let all offers together rise in the first interval."""
    ramp_down_w_per_min: float = inf
    breakpoints: int = 0
    """Of the curve before neighbouring points were put together."""
    detail: str = ""
    power_flows: int = 0
