"""What the zone is built of: conductors, pole tops and transformers with their impedances and ratings.

Conductors: W. H. Kersting, "Distribution System Modeling and Analysis", appendix A (50 °C, 60 Hz). Triplex and
the impedances of centre-tapped transformers (interlaced windings: half of R and 0.8 of X on the primary, R and
0.4 of X on either secondary): ibid., chapter on centre-tapped transformers. Pole tops, per cent values of
transformers and ratings beyond the conductors' ampacity are assumed, and typical of the kind.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grid_engine.elements.geometry import Conductor, Constants, Wire, line_constants

_MILE_M, _FOOT_M, _INCH_M = 1609.344, 0.3048, 0.0254
FREQUENCY_HZ = 60.0
EARTH_OHM_M = 100.0

SUPPLY_V = 44_000.0
"""Line to line, three wires: the subtransmission that feeds the station."""
FEEDER_V = 27_600.0
"""Line to line, four wires, neutral earthed at every pole."""
SERVICE_PRIMARY_V = 16_000.0
"""Across the primary of a split-phase service transformer, as these are rated."""
SHOP_V = 600.0
"""Line to line, three-phase services."""
LEG_V = 120.0
"""Each leg of a split-phase service to earth."""
SUPPLY_FAULT_VA = (450e6, 350e6)
"""Short-circuit power of the supply, three-phase and single-phase."""

SEASONAL = (1.0, 1.25, 1.12)
"""Of ampacity: summer, winter, shoulder."""
TRANSFORMER_SEASONAL = (1.0, 1.2, 1.1)
LINE_EMERGENCY = 1.15
TRANSFORMER_EMERGENCY = 1.3


def _conductor(ohm_per_mile: float, gmr_ft: float, diameter_in: float) -> Conductor:
    return Conductor(ohm_per_mile / _MILE_M, gmr_ft * _FOOT_M, diameter_in / 2 * _INCH_M)


ACSR_336 = _conductor(0.306, 0.0244, 0.721)
ACSR_4_0 = _conductor(0.592, 0.00814, 0.563)
ACSR_3_0 = _conductor(0.723, 0.00600, 0.502)
ACSR_1_0 = _conductor(1.12, 0.00446, 0.398)
ACSR_2 = _conductor(1.69, 0.00418, 0.316)
AA_1_0 = _conductor(0.973, 0.0111, 0.368)
AA_4_0 = _conductor(0.484, 0.0158, 0.522)


@dataclass(frozen=True, slots=True)
class Construction:
    """A way of building a line."""

    phases: int
    wires: tuple[Wire, ...]
    """Phases first, then the neutral."""
    ampacity_a: float
    neutral_a: float
    withstand_a: float

    def constants(self) -> Constants:
        """Per metre."""
        return line_constants(self.wires, self.phases, FREQUENCY_HZ, EARTH_OHM_M)


def _crossarm(phase: Conductor, neutral: Conductor) -> tuple[Wire, ...]:
    return (Wire(phase, -1.12, 10.4), Wire(phase, 0.35, 10.4), Wire(phase, 1.12, 10.4), Wire(neutral, 0.0, 8.7))


def _triplex(leg: Conductor, neutral: Conductor, insulation_m: float = 0.08 * _INCH_M) -> tuple[Wire, ...]:
    """Two insulated legs twisted around a bare messenger: all three touch."""
    apart_m = 2 * (leg.radius_m + insulation_m)
    to_neutral_m = leg.radius_m + insulation_m + neutral.radius_m
    below_m = (to_neutral_m**2 - (apart_m / 2) ** 2) ** 0.5
    return (Wire(leg, -apart_m / 2, 6.0), Wire(leg, apart_m / 2, 6.0), Wire(neutral, 0.0, 6.0 - below_m))


CONSTRUCTIONS: Mapping[str, Construction] = {
    "main": Construction(3, _crossarm(ACSR_336, ACSR_4_0), 530.0, 340.0, 12_000.0),
    "rural": Construction(3, _crossarm(ACSR_3_0, ACSR_1_0), 300.0, 230.0, 8_000.0),
    "lateral": Construction(1, (Wire(ACSR_2, 0.0, 11.0), Wire(ACSR_2, 0.1, 9.4)), 180.0, 180.0, 4_000.0),
    "drop": Construction(2, _triplex(AA_1_0, ACSR_1_0), 205.0, 205.0, 25_000.0),
    "heavy_drop": Construction(2, _triplex(AA_4_0, ACSR_4_0), 315.0, 315.0, 25_000.0),
}


@dataclass(frozen=True, slots=True)
class Windings:
    """Per cent values of a kind of transformer, on its rating."""

    resistance_pct: tuple[float, ...]
    """Of each winding."""
    reactance_pct: tuple[float, ...]
    """Between windings 0 and 1, 0 and 2, 1 and 2."""
    iron_pct: float
    magnetising_pct: float


def centre_tapped(resistance_pct: float, reactance_pct: float) -> Windings:
    """Interlaced secondary halves, from the values that the nameplate gives for the whole winding."""
    r, x = resistance_pct, reactance_pct
    return Windings((0.5 * r, r, r), (1.2 * x, 1.2 * x, 0.8 * x), 0.3, 0.6)


STATION = Windings((0.25, 0.25), (8.0,), 0.06, 0.3)
SHOP = Windings((0.55, 0.55), (4.0,), 0.2, 0.6)
SERVICE = centre_tapped(1.2, 1.8)
REGULATOR = Windings((0.05, 0.05), (0.2,), 0.01, 0.05)

SERVICE_SIZES_VA: Sequence[float] = (10e3, 15e3, 25e3, 37.5e3, 50e3, 75e3, 100e3)
SHOP_SIZES_VA: Sequence[float] = (75e3, 150e3, 300e3, 500e3, 750e3)


def size_for(wanted_va: float, sizes_va: Sequence[float]) -> float:
    """The smallest of the sizes that carries it, or the largest there is."""
    return next((size for size in sizes_va if size >= wanted_va), sizes_va[-1])
