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
    """Current of a line or apparent power of a transformer."""
    VOLT_HI = "VOLT_HI"
    VOLT_LO = "VOLT_LO"
    REVERSE_POWER = "REVERSE_POWER"
    N1 = "N1"
    HOST = "HOST"
    OUTAGE = "OUTAGE"
    EMERG = "EMERG"
    PREEXISTING = "PREEXISTING"


class Policy(StrEnum):
    """Who gives way when several resources share a constraint."""

    INCREMENTAL = "incremental"
    """Those whose new instruction raises the loading, pro rata between them."""
    PRO_RATA = "pro_rata"
    """An equal share of what each requested."""
    MAX_MIN = "max_min"
    """An equal cap."""
    LIFO = "lifo"
    """The latest connection first."""
    MERIT = "merit"
    """The highest-priced first."""


class Purpose(StrEnum):
    """What a study is asked for."""

    IMPACT = "impact"
    """Would the requested powers break a limit, and if so, what may each resource do instead?"""
    ENVELOPE = "envelope"
    """How far may each adjustable resource go, the others held where they are (residual mode)?"""


class Preexisting(StrEnum):
    """What to do with a violation that the resources cannot cure."""

    HARD = "hard"
    DO_NOT_WORSEN = "do_not_worsen"
    IGNORE = "ignore"


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
    """Conductors that it is connected to, sharing its power equally."""
    adjustable: bool = True
    """False where it cannot be limited: it is then a given, never a variable."""
    connected_on: str = ""
    """ISO date of its connection, for `Policy.LIFO`."""
    price_per_mwh: float = 0.0
    """Offered price, for `Policy.MERIT`."""


@dataclass(frozen=True, slots=True)
class NetworkState:
    """What differs from the network as loaded; every mapping is by element id, absent means as loaded."""

    source_voltage_pu: float | None = None
    taps: Mapping[str, int] = field(default_factory=dict)
    """Transformer tap positions; the same convention as the network source."""
    switches_closed: Mapping[str, bool] = field(default_factory=dict)
    in_service: Mapping[str, bool] = field(default_factory=dict)
    """Lines, transformers and capacitors switched in or out."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one asset may carry; `None` means not limited (or, for ampacity, as in the network source)."""

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
    derate_pct: float = 0.0
    """Taken off every rating above."""
    condition_score: float = 100.0
    """0 to 100; de-rates by min(1, 0.8 + 0.2 * score / 50)."""
    short_circuit_a: float | None = None
    """Fault level that the asset withstands."""


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
    state: NetworkState = field(default_factory=NetworkState)
    ratings: Mapping[str, Rating] = field(default_factory=dict)
    policy: Policy = Policy.INCREMENTAL
    preexisting: Preexisting = Preexisting.DO_NOT_WORSEN
    voltage_min_pu: float = 0.95
    voltage_max_pu: float = 1.05
    margin_pct: float = 2.0
    """Taken off every thermal rating, and off the width of the voltage band at both ends."""
    limit_step_w: float = 10_000.0
    """Ceilings are rounded down to it, floors up."""
    contingencies: tuple[str, ...] = ()
    """Lines and transformers whose loss, one at a time, must break no limit either; emergency ratings then hold."""


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
    """`A`, `VA`, `W` or `pu`."""
    phase: str = ""
    case: str = NORMAL
    """`N-0` or the id of the contingency."""

    @property
    def loading_pct(self) -> float:
        """Value in percent of the limit."""
        return 100.0 * self.value / self.limit


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
    """`None` where only the resource's own capability bounds it."""


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
    unsupplied: tuple[str, ...] = ()
    """Buses without a path to the source in this state, then loads and resources there, which were left out."""
    unanswered: tuple[str, ...] = ()
    """Resources that this answer says nothing about although it is `SOLVED`: the study of their feeder failed."""
    spare: tuple[Envelope, ...] = ()
    """Where a study failed: AC-verified equal shares, found by a simpler method, for when the last limits run out."""
    detail: str = ""
    """For people: which bus did not converge, which input was wrong."""
    power_flows: int = 0
    """AC solves spent."""
    duration_s: float = 0.0
    """Filled by the caller, who owns the clock."""
