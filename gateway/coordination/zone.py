"""The facts of a zone that decisions stand on, in SI units; they change only with the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.coordination.daily import Daily
from gateway.coordination.market import Approval, ControlRoom, MarketRules, Neighbourhood, SettlementRules
from grid_engine.results import Connection, Policy, Preexisting, Rating
from protocols.signals import Bounds


class DsoModel(StrEnum):
    """Who computes, who re-dispatches and who tells the system operator."""

    DUAL_PARTICIPATION = "DP"
    TOTAL_DSO = "T"
    MARKET_FACILITATOR = "MF"


class Controllable(StrEnum):
    """What the DSO may do with a resource."""

    NONE = "none"
    LIMIT = "limit"
    SETPOINT = "setpoint"


class Role(StrEnum):
    """What a party is to the DSO."""

    SYSTEM_OPERATOR = "system_operator"
    DERA = "dera"
    HOST = "host"
    PLATFORM = "platform"
    DSO = "dso"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected values per interval; the last one holds on."""

    start_s: float
    """Begin of the first interval, Unix seconds UTC."""
    step_s: float
    values: tuple[float, ...]
    """At least one; W for a resource, a factor for the loads."""

    def at(self, time_s: float) -> float:
        """Expected value in the interval that contains `time_s`; the first value before the series starts."""
        index = int((time_s - self.start_s) // self.step_s)
        return self.values[max(0, min(index, len(self.values) - 1))]


@dataclass(frozen=True, slots=True)
class Storage:
    """What is behind a resource that can store energy."""

    energy_wh: float
    least_pu: float = 0.0
    """Lowest state of charge."""
    efficiency_in: float = 1.0
    efficiency_out: float = 1.0


@dataclass(frozen=True, slots=True)
class Resource:
    """One DER as decisions see it."""

    id: str
    bus: str
    phases: str
    floor_w: float
    """Lowest power it is capable of and allowed to: nameplate within its connection."""
    ceiling_w: float
    controllable: Controllable
    owner: str
    connected_on: str
    lease_s: float
    static: Bounds = field(default_factory=Bounds)
    """Envelope of last resort, and what the device falls back to when its lease runs out."""
    ramp_w_per_s: float | None = None
    nameplate_w: float | None = None
    """Greatest injection that it is made for, whatever its connection allows."""
    verify_band_w: float = 50_000.0
    poll_s: float = 1.0
    forecast: Forecast | None = None
    connection: Connection = Connection.WYE
    storage: Storage | None = None
    availability: float = 1.0
    """Share of its orders that it delivers; what is not said is sure."""
    firm: bool = False
    """A connection whose curtailment is compensated."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What was agreed with the owner of a connection."""

    connection: str
    """The point of interconnection."""
    export_w: float
    import_w: float
    """As a magnitude."""
    kind: str
    protocol: str
    credentials: frozenset[str] = frozenset()
    """LFDI or fingerprints in upper-case hex that it may be known by; none is asked for where empty."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Deadlines in seconds; those of an interval count from its start."""

    interval_s: float = 300.0
    tick_s: float = 10.0
    look_ahead_intervals: int = 12
    impact_check_s: float = 30.0
    commit_s: float = 60.0
    notice_s: float = 60.0
    limit_expiry_s: float = 900.0

    def interval_start(self, time_s: float) -> float:
        """Start of the market interval that contains `time_s`; intervals are multiples of the epoch."""
        return time_s - time_s % self.interval_s


@dataclass(frozen=True, slots=True)
class LimitRules:
    """How limits are computed, rounded and released."""

    policy: Policy = Policy.INCREMENTAL
    look_ahead: bool = False
    joint: bool = True
    """Envelopes ahead hold whatever everybody does within theirs; else the others are held at their forecast."""
    sharing: str = "pro_rata"
    utilisation: float = 0.0
    margin_pct: float = 2.0
    estimated_margin_pct: float = 10.0
    """Added where an input on the way is an estimate."""
    unbalance_alarm_pct: float = 2.0
    unbalance_max_pct: float | None = None
    """Voltage unbalance that is a limit; `None` for none."""
    step_w: float = 10_000.0
    voltage_min_pu: float = 0.95
    voltage_max_pu: float = 1.05
    release_w: float = 50_000.0
    release_s: float = 60.0
    preexisting: Preexisting = Preexisting.DO_NOT_WORSEN
    failure_shrink_pct: float = 10.0

    @property
    def in_turn(self) -> bool:
        """Whether who gave up most lately gives way last."""
        return Policy.ROTATIONAL in (self.policy, self.sharing)


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """One market zone."""

    id: str
    model: DsoModel
    model_version: str
    """Version of the network model."""
    resources: Mapping[str, Resource]
    parties: Mapping[str, Role]
    agreements: Mapping[str, Agreement] = field(default_factory=dict)
    """By resource."""
    load_scale: Forecast = Forecast(0.0, 300.0, (1.0,))
    """Expected factor on the loads of the network model."""
    forecast_id: str = ""
    """Which issue of expected powers `load_scale`, `daily` and the resources' forecasts are."""
    forecast_oldest_s: float = 21_600.0
    """An issue of somebody else that is older says nothing."""
    forecast_model: str = ""
    """Where they come from."""
    daily: Daily | None = None
    """Expected powers of loads and units of the network model, which beat that factor."""
    capacitors: frozenset[str] = frozenset()
    """Capacitors of the network model: that of their switch which is measured says whether they are in service."""
    observed: frozenset[str] = frozenset()
    """Buses whose voltage some station measures; where it does not come, what is assumed of them is an estimate."""
    contingencies: tuple[str, ...] = ()
    """Branches whose loss the limits have to survive."""
    ratings: Mapping[str, Rating] = field(default_factory=dict)
    clocks: Clocks = field(default_factory=Clocks)
    limits: LimitRules = field(default_factory=LimitRules)
    market: MarketRules = field(default_factory=MarketRules)
    settlement: SettlementRules = field(default_factory=SettlementRules)
    room: ControlRoom | None = None
    """What of the network may be operated from here; nothing in dual participation."""
    around: Neighbourhood = field(default_factory=Neighbourhood)
    approval: Approval = field(default_factory=Approval)
    dso: str = "DSO"
    """Our own party id."""

    @property
    def system_operator(self) -> str:
        """Party id; empty where the zone has none."""
        return next((party for party, role in self.parties.items() if role is Role.SYSTEM_OPERATOR), "")

    def owned_by(self, party: str) -> tuple[Resource, ...]:
        """The resources that a party speaks for."""
        return tuple(resource for resource in self.resources.values() if resource.owner == party)
