"""The engine's questions and answers as plain values: no numpy, so that anyone may import the words.

Powers are active power in watts at the point of interconnection, positive for injection. A tuple
over intervals has one entry per interval of the study, the first being the interval about to begin.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

NORMAL = "N-0"
"""The case without any contingency."""


class Reason(StrEnum):
    """Why a limit exists (market vocabulary of a LIMIT message)."""

    THERMAL = "THERMAL"
    """Current of a conductor, the neutral among them, or apparent power of a transformer."""
    VOLT_HI = "VOLT_HI"
    VOLT_LO = "VOLT_LO"
    REVERSE_POWER = "REVERSE_POWER"
    FORWARD_POWER = "FORWARD_POWER"
    """Of a branch that may draw only so much, such as the interface to another utility."""
    UNBALANCE = "UNBALANCE"
    """Negative-sequence voltage over positive-sequence voltage."""
    FAULT_LEVEL = "FAULT_LEVEL"
    """A short circuit would be more than an asset withstands."""
    N1 = "N1"
    HOST = "HOST"
    OUTAGE = "OUTAGE"
    EMERG = "EMERG"
    PREEXISTING = "PREEXISTING"


class Quality(StrEnum):
    """How far a value may be trusted; the same words as those of the field."""

    GOOD = "good"
    STALE = "stale"
    """Older than it may be; never used silently."""
    ESTIMATED = "estimated"
    """Not measured, but computed from what was."""
    SUBSTITUTED = "substituted"
    """Measured, found wrong, and replaced."""
    BAD = "bad"


class Policy(StrEnum):
    """Who gives way when several resources share a constraint."""

    INCREMENTAL = "incremental"
    """Those whose new instruction raises the loading, pro rata between them; then those whose own course does."""
    PRO_RATA = "pro_rata"
    """An equal share of what each requested."""
    MAX_MIN = "max_min"
    """An equal cap."""
    LIFO = "lifo"
    """The latest connection first."""
    MERIT = "merit"
    """The highest-priced first."""
    ROTATIONAL = "rotational"
    """Who has given way least so far first."""


class Purpose(StrEnum):
    """What a study is asked for."""

    IMPACT = "impact"
    """Would the requested powers break a limit, and if so, what may each resource do instead?"""
    ENVELOPE = "envelope"
    """How far may each adjustable resource go, the others held where they are (residual mode)?"""
    JOINT = "joint"
    """How far may all adjustable resources go at once, whoever of them does? Answered by `grid_engine.joint`."""


class Preexisting(StrEnum):
    """What to do with a violation that the resources cannot cure."""

    HARD = "hard"
    DO_NOT_WORSEN = "do_not_worsen"
    IGNORE = "ignore"


class Season(StrEnum):
    """When a rating holds."""

    SUMMER = "summer"
    WINTER = "winter"
    SHOULDER = "shoulder"


class Connection(StrEnum):
    """Between which conductors a resource is connected."""

    WYE = "wye"
    """Each of its phases and the neutral of its bus, the earth where that has none."""
    DELTA = "delta"
    """Its phases, two or three of them."""
    SPLIT = "split"
    """The two legs of a split-phase service."""


@dataclass(frozen=True, slots=True)
class Participant:
    """One resource as the study sees it."""

    resource: str
    bus: str
    """Id of the bus that it is connected to."""
    held_w: tuple[float, ...]
    """Where it stands per interval: measured, scheduled or forecast."""
    requested_w: tuple[float, ...]
    """Where it wants to go per interval; equal to `held_w` where nothing new was asked."""
    floor_w: float
    """Lowest power it is capable of (nameplate and connection); at most 0 for a pure load."""
    ceiling_w: float
    """Highest power it is capable of."""
    phases: str = "abc"
    """Conductors that it is connected to, sharing its power equally: some of `abc`, or `s1`, `s2` or `s1s2`."""
    instructed: bool = True
    """False where nobody asks for what it requests: the weather, or its owner's plan; for `Policy.INCREMENTAL`."""
    adjustable: bool = True
    """False where it cannot be limited: it is then a given, never a variable."""
    connected_on: str = ""
    """ISO date of its connection, for `Policy.LIFO`."""
    price_per_mwh: float = 0.0
    """Offered price, for `Policy.MERIT`."""
    curtailed_wh: float = 0.0
    """Energy that it has had to give up over the last 30 days, for `Policy.ROTATIONAL`."""
    connection: Connection = Connection.WYE
    unit: str = ""
    """The unit of the network model that this is, connected as the model says and no longer counted there."""
    fault_current_pu: float = 0.0
    """Contribution to a short circuit while it is connected, of the current at its larger capability."""


@dataclass(frozen=True, slots=True)
class NetworkState:
    """What differs from the network as loaded; every mapping is by element id, absent means as loaded."""

    source_voltage_pu: float | None = None
    taps: Mapping[str, int] = field(default_factory=dict)
    """Transformer tap positions; the same convention as the network source."""
    switches_closed: Mapping[str, bool] = field(default_factory=dict)
    in_service: Mapping[str, bool] = field(default_factory=dict)
    """Lines, transformers and capacitors switched in or out; a regulator or controller out of service stays put."""


@dataclass(frozen=True, slots=True)
class Contingency:
    """A state of the network that it must be able to come to without breaking a limit."""

    id: str
    changes: NetworkState
    """On top of the study's own state."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one line, transformer or bus may carry; `None` means as in the network source.

    Ratings given here replace those of the source; of two de-ratings the larger one counts.
    """

    ampacity_a: float | None = None
    """Normal rating per conductor."""
    emergency_a: float | None = None
    """Rating after a contingency."""
    apparent_power_va: float | None = None
    """Transformer rating, three-phase."""
    emergency_va: float | None = None
    """The same after a contingency."""
    reverse_power_w: float | None = None
    """Largest power allowed back towards the source."""
    forward_power_w: float | None = None
    """Largest power allowed away from the source."""
    derate_pct: float = 0.0
    """Taken off every rating above."""
    condition_score: float = 100.0
    """0 to 100; de-rates by min(1, 0.8 + 0.2 * score / 50)."""
    short_circuit_a: float | None = None
    """Fault level that the asset withstands."""
    neutral_a: float | None = None
    """Rating of the neutral conductor."""
    voltage_min_pu: float | None = None
    """Lowest voltage of a bus, in place of the study's."""
    voltage_max_pu: float | None = None


@dataclass(frozen=True, slots=True)
class Study:
    """One question to the engine, complete in itself: it can be sent to a worker process."""

    study_id: str
    purpose: Purpose
    intervals: int
    participants: tuple[Participant, ...]
    load_scale: tuple[float, ...] = ()
    """Factor on every load of the network per interval; empty means 1."""
    load_w: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Consumption per load id and interval where known, watts, positive; power factor as in the source."""
    unit_w: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Injection per id of a unit of the network and interval where known, watts; reactive power as in the source."""
    unit_var: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Reactive injection per id of a unit and interval where known, vars."""
    state: NetworkState = field(default_factory=NetworkState)
    states: tuple[NetworkState, ...] = ()
    """Per interval, in place of `state`, where planned work changes the network; empty where nothing changes."""
    ratings: Mapping[str, Rating] = field(default_factory=dict)
    policy: Policy = Policy.INCREMENTAL
    preexisting: Preexisting = Preexisting.DO_NOT_WORSEN
    voltage_min_pu: float = 0.95
    voltage_max_pu: float = 1.05
    margin_pct: float = 2.0
    """Taken off every rating, and off the width of the voltage band at both ends."""
    limit_step_w: float = 10_000.0
    """Ceilings are rounded down to it, floors up."""
    contingencies: tuple[str | Contingency, ...] = ()
    """What may happen, one at a time, without breaking a limit either; emergency ratings then hold.

    An id stands for the loss of that line, transformer or capacitor, for that regulator or controller staying
    where it is, or for that switch changing over.
    """
    emergency_min_pu: float | None = None
    """Voltage band after a contingency; `None` means the same as before."""
    emergency_max_pu: float | None = None
    unbalance_alarm_pct: float = 2.0
    """Voltage unbalance V2/V1 above which a bus is told among the alarms."""
    unbalance_max_pct: float | None = None
    """Voltage unbalance that is a limit; `None` means none."""
    controllers: bool = False
    """Let regulators, switched capacitors and the curves of units act first, in the network as it is and after every
    contingency, at the requested powers (for envelopes, the held ones). What they come to is then held; otherwise
    everything stays as the state says.
    """
    sharing: str = "pro_rata"
    """How joint envelopes divide what there is: one of `grid_engine.envelopes.words.Sharing`."""
    utilisation: float = 0.0
    """Part of its joint envelope that everybody is sure to use; at 0 it holds whoever uses it and whoever does not."""
    proof_runs: int = 200
    """Power flows at random use that joint envelopes have to stand, per interval."""
    season: Season = Season.SUMMER
    estimated_margin_pct: float = 10.0
    """Added to `margin_pct` for what rests on estimates."""
    estimated: tuple[str, ...] = ()
    """Buses whose loads or measurements are estimates: margins of what they influence are wider."""
    forecast_id: str = ""
    """Which issue of forecasts the powers above come from; empty where none was used."""
    forecast_model: str = ""
    """Kind and version of the model that made it."""
    estimate_id: str = ""
    """Which state estimate they come from; empty where none was used."""


class Status(StrEnum):
    """How a study ended; anything but `SOLVED` carries no limit that may be used."""

    SOLVED = "solved"
    NOT_CONVERGED = "not_converged"
    INFEASIBLE = "infeasible"
    """No admissible powers cure the violations."""
    BAD_INPUT = "bad_input"


@dataclass(frozen=True, slots=True)
class Violation:
    """A limit of the network broken at the requested powers."""

    asset_id: str
    reason: Reason
    interval: int
    value: float
    limit: float
    """After de-rating, before the margin."""
    unit: str
    """`A`, `VA`, `W`, `pu` or `%`."""
    phase: str = ""
    case: str = NORMAL
    """`N-0` or the id of the contingency."""

    @property
    def loading_pct(self) -> float:
        """Value in percent of the limit; 0 where nothing is allowed, as of nothing no value is a part."""
        return 100.0 * self.value / self.limit if self.limit else 0.0


@dataclass(frozen=True, slots=True)
class Binding:
    """The constraint that sets an envelope."""

    asset_id: str
    reason: Reason
    phase: str = ""
    case: str = NORMAL
    value_before: float = 0.0
    """At the requested powers."""
    value_after: float = 0.0
    """With the envelope obeyed."""
    limit: float = 0.0
    unit: str = ""
    shadow_price: float = 0.0
    """Watts of total admissible power gained per unit that the limit is raised."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one resource may do in one interval; AC-verified."""

    resource: str
    interval: int
    floor_w: float
    ceiling_w: float
    binding: Binding | None = None
    """On the side that loses more; `None` where only the resource's own capability bounds it."""
    floor_binding: Binding | None = None
    """On its own side, where both sides were asked for."""
    ceiling_binding: Binding | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """State of one asset or bus at the powers that the envelopes allow, worst phase."""

    asset_id: str
    interval: int
    value: float
    unit: str
    loading_pct: float
    """Of the de-rated limit; for a voltage, its position in the band: 0 at the minimum, 100 at the maximum."""


@dataclass(frozen=True, slots=True)
class Island:
    """What a contingency leaves without supply."""

    case: str
    ids: tuple[str, ...]
    """Buses, then loads and resources there, as far as they have supply now."""


@dataclass(frozen=True, slots=True)
class Equivalent:
    """What one resource alone would have to do."""

    resource: str
    increase_w: float
    """Smallest increase of its power that suffices, rounded up to the study's step; AC-verified."""
    capable: bool
    """Whether its capability allows as much."""


@dataclass(frozen=True, slots=True)
class Need:
    """A violation, and what would cure it."""

    violation: Violation
    equivalents: tuple[Equivalent, ...]
    """Of every resource whose increase cures it, the smallest first."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine says to one `Study`."""

    study_id: str
    status: Status
    model_version: str
    violations: tuple[Violation, ...] = ()
    """At the requested powers, the margin counted; several of one asset are told as the worst phase."""
    envelopes: tuple[Envelope, ...] = ()
    """For `IMPACT`: only resources that must be limited. For `ENVELOPE`: every adjustable one."""
    flows: tuple[Flow, ...] = ()
    """At the powers within the envelopes."""
    alarms: tuple[Violation, ...] = ()
    """Beyond a threshold at the requested powers, or not to be cured by power; nobody is limited for them."""
    unsupplied: tuple[str, ...] = ()
    """Buses without a path to the source in this state, then loads and resources there, which were left out."""
    islands: tuple[Island, ...] = ()
    """Of the contingencies that cut something off."""
    unanswered: tuple[str, ...] = ()
    """Resources that this answer says nothing about although it is `SOLVED`: the study of their feeder failed."""
    spare: tuple[Envelope, ...] = ()
    """Where a study failed: AC-verified equal shares, found by a simpler method, for when the last limits run out."""
    proof_runs: int = 0
    """Power flows within joint envelopes that were tried…"""
    proof_violations: int = 0
    """…and how many of them broke a limit."""
    detail: str = ""
    """For people: which bus did not converge, which input was wrong."""
    power_flows: int = 0
    """AC solves spent."""
    duration_s: float = 0.0
    """Filled by the caller, who owns the clock."""
    forecast_id: str = ""
    """As in the study."""
    forecast_model: str = ""
    """As in the study."""
    estimate_id: str = ""
    """As in the study."""
