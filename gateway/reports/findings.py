"""What a planner's study found of one network: the figures that a report shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from grid_engine.planning import Hosting, Loss, TimeSeries
from grid_engine.results import Binding, Envelope, Study


@dataclass(frozen=True, slots=True)
class FaultLevel:
    """Short-circuit current at one bus."""

    bus: str
    three_phase_a: float
    single_phase_a: float
    withstand_a: float
    """Infinite where the assets there say nothing."""


@dataclass(frozen=True, slots=True)
class Findings:
    """Of one feeder; what was not asked for is empty."""

    name: str
    """Empty where the zone has one network."""
    study: Study
    buses: int
    nodes: int
    series: TimeSeries | None = None
    hosting: tuple[Hosting, ...] = ()
    envelopes: tuple[Envelope, ...] = ()
    losses: tuple[Loss, ...] = ()
    fault_levels: tuple[FaultLevel, ...] = ()
    notes: tuple[str, ...] = ()
    year: TimeSeries | None = None
    year_label: Callable[[int], str] = str
    """Names an hour of it."""
    places: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Where buses are, as far as the network says so."""


def why(binding: Binding | None, otherwise: str = "") -> str:
    """A constraint in words."""
    if binding is None:
        return otherwise
    phase = f" phase {binding.phase}" if binding.phase else ""
    case = "" if binding.case == "N-0" else f" without {binding.case}"
    return f"{binding.reason.value} at {binding.asset_id}{phase}{case}"
