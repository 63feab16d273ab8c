"""What a state estimate is made of and what it says, as plain values: no numpy, so that anyone may import the words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from grid_engine.forecasting.words import ForecastSeries, digest
from grid_engine.results import NetworkState, Participant, Quality

_WIDTH_OF_BAND = 2.5631
"""P10 to P90 of a normal law, in standard deviations."""


class Measured(StrEnum):
    """What a meter reads, in SI units."""

    VOLTAGE_V = "voltage_v"
    """Of one conductor of a bus to earth, or between two."""
    CURRENT_A = "current_a"
    """Magnitude, of one conductor at one end of a line or transformer."""
    ACTIVE_POWER_W = "active_power_w"
    """Consumption of a load, injection of others; into a branch at its end; into all branches of a bus or source."""
    REACTIVE_POWER_VAR = "reactive_power_var"
    """Likewise."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One reading."""

    meter: str
    """Name of the meter, for people."""
    quantity: Measured
    element: str
    """Id of the load, unit or participant, else of the line, transformer, source or bus."""
    value: float
    sigma: float
    """Standard deviation of its error, in the unit of the value; above 0."""
    phases: str = ""
    """Conductors, `a`, `b`, `c`, `n`, `s1`, `s2` in a row; for a power, empty means all of them."""
    end: int = 0
    """Of a line or transformer: 0 is its from end or first winding."""
    quality: Quality = Quality.GOOD
    """Only `GOOD` readings are used."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of one load, unit or participant before anything is read: a pseudo-measurement."""

    power_w: float
    """Consumption of a load, injection of anybody else."""
    sigma_w: float
    power_var: float | None = None
    """Nothing means the power factor of the network model."""
    sigma_var: float | None = None
    """Nothing means 10 % of the apparent power beside what the error of the active power explains."""


def expected(series: ForecastSeries, interval: int) -> Expected:
    """What a forecast says of one of its intervals."""
    width = series.p90_w[interval] - series.p10_w[interval]
    return Expected(series.p50_w[interval], width / _WIDTH_OF_BAND)


@dataclass(frozen=True, slots=True)
class Doubt:
    """How much is uncertain where nothing more particular is said: standard deviations, relative but for the angle."""

    load: float = 0.5
    """Of the power of a load that nothing is expected of but what the network says."""
    common: float = 0.2
    """Of the error that all expectations without meters share that are fed through the same metered branches."""
    split: float = 0.2
    """Of the part that one branch of a load of several branches has in it."""
    source: float = 0.03
    """Of the voltage behind a source, all phases together."""
    source_phase: float = 0.005
    """Of what one of its phases differs by from that, in magnitude and, in radians, in angle."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an estimate is asked of, complete in itself: it can be sent to a worker process."""

    at_s: int
    """UTC epoch second of the readings."""
    readings: tuple[Measurement, ...]
    participants: tuple[Participant, ...] = ()
    """DERs beside the loads and units of the network; `held_w[0]` is expected of them unless told otherwise."""
    expected: Mapping[str, Expected] = field(default_factory=dict)
    """By load, unit or participant; of the others, what the network says."""
    state: NetworkState = field(default_factory=NetworkState)
    doubt: Doubt = field(default_factory=Doubt)
    forecast_id: str = ""
    """Of the forecasts that the expectations come from."""
    samples: int = 64
    """Draws that standard deviations are told from; 0 leaves them out."""
    seed: int = 0
    """Of those draws."""


class Outcome(StrEnum):
    """How an estimate ended."""

    ESTIMATED = "estimated"
    EXPECTED_ONLY = "expected_only"
    """The readings could not be reconciled with the network: the state is that of the expected powers alone."""
    NOT_CONVERGED = "not_converged"
    """There is no state, not even of the expected powers; `detail` names the bus."""


class Origin(StrEnum):
    """Where a number of an estimate comes from."""

    MEASURED = "measured"
    """Its own meter, which agreed with the others."""
    ESTIMATED = "estimated"
    """Other meters explain most of what was unknown of it."""
    PSEUDO = "pseudo"
    """Mostly what was expected anyway."""
    SUBSTITUTED = "substituted"
    """It has a meter, which was found wrong."""


@dataclass(frozen=True, slots=True)
class NodeState:
    """Voltage of one conductor of one bus."""

    bus: str
    conductor: str
    voltage_pu: float
    """To earth, of nominal."""
    angle_deg: float
    sigma_pu: float
    """Standard deviation of the magnitude."""
    origin: Origin


@dataclass(frozen=True, slots=True)
class PowerState:
    """Power of one load, unit or participant, in the sense of `Expected`."""

    element: str
    bus: str
    power_w: float
    power_var: float
    sigma_w: float
    origin: Origin
    is_load: bool = False


@dataclass(frozen=True, slots=True)
class Suspect:
    """A reading, or an expectation, that the rest contradicts; it was left out."""

    name: str
    """Of the meter; of the element where its expected power was found wrong."""
    element: str
    quantity: Measured
    value: float
    estimate: float
    """What the rest says in its place."""
    sigmas: float
    """Normalised residual when it was left out."""
    is_meter: bool = True


@dataclass(frozen=True, slots=True)
class Ignored:
    """A reading that could not be used, and why."""

    meter: str
    reason: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """The most likely state of a network, given what was read and what was expected."""

    outcome: Outcome
    at_s: int
    """UTC epoch second of the readings."""
    model_version: str
    forecast_id: str = ""
    """Of the forecasts that the expected powers come from."""
    nodes: tuple[NodeState, ...] = ()
    """Supplied ones."""
    powers: tuple[PowerState, ...] = ()
    """Of those with supply."""
    source_pu: tuple[float, ...] = ()
    """Voltage behind each source's impedance, phase by phase, of what the model says."""
    suspects: tuple[Suspect, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    coverage_pct: float = 0.0
    """Part of all power of loads, units and participants that has a meter of its own which is believed."""
    observed_pct: float = 0.0
    """Part of it that has one, or that other meters explain most of."""
    closing_pct: float | None = None
    """What the readings of power at feeder heads and this state disagree by; nothing where there is none."""
    iterations: int = 0
    detail: str = ""

    @property
    def load_w(self) -> dict[str, tuple[float, ...]]:
        """Consumption by load, as a study of one interval takes it."""
        return {power.element: (power.power_w,) for power in self.powers if power.is_load}

    @property
    def estimated_buses(self) -> tuple[str, ...]:
        """Buses where somebody's power is not measured, as a study widens its margins for."""
        return tuple(dict.fromkeys(power.bus for power in self.powers if power.origin is not Origin.MEASURED))

    @property
    def estimate_id(self) -> str:
        """The same for the same content, and for nothing else."""
        return digest(self)
