"""The rules of a zone's market, its control room and its neighbours; they change only with the configuration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from gateway.settlement.words import Terms
from grid_engine.dispatch.operation_words import Controls, Weights
from protocols.points import Point
from protocols.signals import Bounds


class Service(StrEnum):
    """What a program buys."""

    CAPACITY_REDUCTION = "capacity_reduction"
    CONSTRAINT_BEFORE = "constraint_mgmt_pre"
    CONSTRAINT_AFTER = "constraint_mgmt_post"
    RESTORE = "restore"
    VOLTAGE = "voltage"
    RESERVE = "reserve"


@dataclass(frozen=True, slots=True)
class Program:
    """A distribution service that the DSO buys."""

    id: str
    service: Service = Service.CONSTRAINT_BEFORE
    notice_s: float = 900.0
    """An order may be withdrawn without pay until so long before its start."""
    minimum_w: float = 0.0
    stackable: bool = False
    """May be paid beside a wholesale schedule for the same energy."""
    uniform_price: bool = False
    """Everybody is paid the clearing price; else what each bid."""
    terms: Terms = field(default_factory=lambda: Terms(0.0, 0.0))
    """What is paid and taken; the order's own price goes before that for what is delivered."""
    baseline: str = "zero"
    """Method by which the power without the order is found."""
    control_group: tuple[str, ...] = ()
    """Like resources without an order, for the baseline of that name."""


@dataclass(frozen=True, slots=True)
class MarketRules:
    """How the zone's own market works; deadlines in seconds."""

    nodes: tuple[str, ...] = ()
    """Interfaces to the transmission grid, as the system operator calls them; the first is the zone's own."""
    programs: Mapping[str, Program] = field(default_factory=dict)
    program: str = "DSO"
    """The one that needs are bought under where nothing else is said."""
    wholesale_gate_s: float = 7_200.0
    """Wholesale offers must be in so long before they begin."""
    local_gate_s: float = 3_600.0
    standby_s: float = 30.0
    """How long a need of now waits for offers."""
    standby_ahead_s: float = 900.0
    """The same where an hour of the node's schedule falls short ahead of it (total DSO)."""
    shortfall_s: float = 120.0
    """The system operator must know of a shortfall so long after the start of the interval."""
    minimum_w: float = 100_000.0
    """Smallest offer of an aggregation or plant; smaller ones are rejected."""
    registration: bool = False
    """Only those may offer who have registered; else everybody in the configuration."""
    procure: bool = False
    """Buy services for needs that no limit can meet."""
    certainty: float = 0.95
    """With which a need is to be met, whatever part of the sellers does not deliver."""
    network_selection: bool = False
    """Choose among offers by an optimal power flow, not by their effect on the need alone."""
    least_effect: float = 0.05
    """A watt of whoever relieves a need by less, against the most effective, is no help."""
    shortfall_per_mwh: float = 5_000.0
    """What it counts in the choice of offers not to deliver."""


@dataclass(frozen=True, slots=True)
class SettlementRules:
    """When is measured and stated, and what wholesale energy is worth where we calculate it for others."""

    verify_after_s: float = 30.0
    """So long after the end of what was asked its telemetry is taken as complete."""
    period_s: float = 86_400.0
    statement_after_s: float = 86_400.0
    """So long after the end of a period its statements are made."""
    dispute_window_s: float = 28 * 86_400.0
    tolerance_pct: float = 2.0
    """Two meters of one connection that disagree by more raise an alarm."""
    wholesale_per_mwh: float = 0.0
    imbalance_per_mwh: float = 0.0
    utc_offset_s: float = 0.0
    """How far the market's clock is ahead of UTC: periods of whole days begin at its midnight."""
    holidays: frozenset[date] = frozenset()
    temperatures_c: Mapping[date, float] = field(default_factory=dict)

    def period_of(self, time_s: float) -> tuple[float, float]:
        """Start and end of the period that contains a moment."""
        start_s = (time_s + self.utc_offset_s) // self.period_s * self.period_s - self.utc_offset_s
        return start_s, start_s + self.period_s


class Mode(StrEnum):
    """Who lets an action out."""

    AUTO = "auto"
    SEMI = "semi"
    """Whatever moves less than a threshold goes by itself; an operator approves the rest."""
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Approval:
    """What waits for an operator."""

    mode: Mode = Mode.AUTO
    threshold_w: float = 0.0
    """In `semi`: what changes less than this does not wait."""
    patience_s: float = 300.0
    """How long an action waits before it lapses."""
    operation_patience_s: float = 60.0
    """The same for an operation of the network, which others wait for."""


@dataclass(frozen=True, slots=True)
class ControlRoom:
    """What of the network may be operated from here, through the ADMS."""

    controls: Controls
    positions: Mapping[str, tuple[Point, ...]]
    """By device: where the field says how it stands."""
    confirm_s: float = 10.0
    """How long a command waits for the field to show it."""
    guard_s: float = 30.0
    """So long before a ramp reaches what the network bears, a limit takes over from a pending operation."""
    weights: Weights = field(default_factory=Weights)


class Side(StrEnum):
    """Which of two utilities we are."""

    EMBEDDED = "embedded"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Interface:
    """Where two distribution utilities meet."""

    id: str
    party: str
    """The other utility."""
    branch: str
    """Line or transformer that all power between the two goes through."""
    members: frozenset[str]
    """Resources behind it, on the embedded side."""
    side: Side = Side.EMBEDDED
    contract: Bounds = field(default_factory=Bounds)
    """What holds without a newer limit; positive into the host's network."""
    notify_w: float = 100_000.0
    """A planned change beyond this waits until the host does not object."""
    patience_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Everybody else than system operator and DER/As."""

    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    platform: str = ""
    """Party that carries market messages where it is reachable; empty for none."""
