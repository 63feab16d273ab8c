"""The network as immutable arrays, phase by phase: buses, lines, transformers, shunts, loads, switches and one source.

Every table holds one entry per element along its first axis. Phases are a, b, c = 0, 1, 2. SI units;
impedances of transformers are per unit of their own rating, as on the nameplate. Nothing here checks
anything: `grid_engine.checks` does.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

PHASES = "abc"


class NetworkError(Exception):
    """The network source cannot be used; `faults` says everything that is wrong with it."""

    def __init__(self, source: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.faults = faults


class SwitchKind(IntEnum):
    """What a switch connects its bus to."""

    LINE = 0
    TRANSFORMER = 1
    BUS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Buses:
    """Points of connection."""

    ids: tuple[str, ...]
    nominal_v: FloatArray
    """Line to line."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Lines and cables as pi-equivalents."""

    ids: tuple[str, ...]
    from_bus: IntArray
    to_bus: IntArray
    phases: BoolArray
    """Shape (n, 3): which conductors there are."""
    impedance_ohm: ComplexArray
    """Shape (n, 3, 3), whole length, earth return folded in."""
    shunt_s: ComplexArray
    """Shape (n, 3, 3), whole length; half of it sits at each end."""
    ampacity_a: FloatArray
    """Per conductor; infinite where unlimited."""
    in_service: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Transformers:
    """Two-winding transformers, three-phase, with one tap changer."""

    ids: tuple[str, ...]
    hv_bus: IntArray
    lv_bus: IntArray
    rated_va: FloatArray
    rated_hv_v: FloatArray
    rated_lv_v: FloatArray
    delta_hv: BoolArray
    """True for Dyn, false for YNyn; the low-voltage star point is earthed in both."""
    shift_deg: FloatArray
    """Positive-sequence angle by which the low-voltage side lags."""
    impedance_pu: ComplexArray
    magnetising_pu: ComplexArray
    """Admittance of the shunt branch in the middle of the T; its imaginary part is at most 0."""
    impedance_zero_pu: ComplexArray
    magnetising_zero_pu: ComplexArray
    """Impedance of the zero-sequence shunt branch."""
    zero_hv_share: FloatArray
    """Part of the zero-sequence leakage on the high-voltage side of that branch, between 0 and 1."""
    tap_on_hv: BoolArray
    tap_neutral: IntArray
    tap_min: IntArray
    tap_max: IntArray
    tap: IntArray
    tap_step_pct: FloatArray
    in_service: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Shunts:
    """Capacitors and reactors: constant admittance to earth, three equal phases."""

    ids: tuple[str, ...]
    bus: IntArray
    admittance_s: ComplexArray
    """Per phase."""
    in_service: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Loads:
    """Constant-power loads between phase and earth."""

    ids: tuple[str, ...]
    bus: IntArray
    power_va: ComplexArray
    """Shape (n, 3): consumption per phase, positive when consuming."""


@dataclass(frozen=True, slots=True, eq=False)
class Switches:
    """Between a bus and one end of a line or transformer, or between two buses."""

    ids: tuple[str, ...]
    kind: IntArray
    """`SwitchKind`."""
    bus: IntArray
    element: IntArray
    """Index of the line, of the transformer, or of the other bus."""
    closed: BoolArray


@dataclass(frozen=True, slots=True)
class Source:
    """The system above: positive-sequence voltage given, an impedance to the other two sequences."""

    id: str
    bus: int
    voltage_pu: float
    angle_deg: float = 0.0
    negative_s: complex | None = None
    """Negative-sequence admittance to earth; `None` holds the voltage balanced whatever flows."""
    zero_s: complex | None = None
    """Zero-sequence admittance to earth; `None` as above."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One zone's network. Compared by identity: a changed network is another network."""

    version: str
    buses: Buses
    lines: Lines
    transformers: Transformers
    shunts: Shunts
    loads: Loads
    switches: Switches
    source: Source
