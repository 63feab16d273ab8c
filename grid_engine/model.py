"""The network as immutable arrays, conductor by conductor: every element says at which nodes each of its ends stands.

A *node* is one terminal (a, b, c, neutral, or a leg of a split-phase service) of one bus. Elements name
nodes by index; `EARTH` is the reference, `ABSENT` pads rows that have fewer conductors than the table is
wide. So every connection (wye, delta, open delta, centre-tapped, single-phase lateral, explicit neutral)
is said by nodes alone, and no element has a kind of its own for it. Every table holds one entry per
element along its first axis. SI units; what is in per unit says of what. Nothing here checks anything:
`grid_engine.modelling.checks` does.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from grid_engine import results

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

EARTH = -1
"""In place of a node: the reference, at 0 V."""
ABSENT = -2
"""In place of a node: there is no such conductor, coil or phase."""


class Terminal(IntEnum):
    """Which conductor of a bus a node is."""

    A = 0
    B = 1
    C = 2
    N = 3
    """A neutral that is modelled by itself; one that is earthed everywhere is `EARTH`."""
    S1 = 4
    """First leg of a split-phase service, nominally at the phase's own angle."""
    S2 = 5
    """Second leg, opposite to the first."""


Season = results.Season
"""When a rating holds."""

TERMINAL_NAMES = ("a", "b", "c", "n", "s1", "s2")
"""By `Terminal`, as people and studies write them."""


class NetworkError(Exception):
    """The network source cannot be used; `faults` says everything that is wrong with it."""

    def __init__(self, source: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.source = source
        self.faults = faults

    def __reduce__(self) -> tuple[type["NetworkError"], tuple[str, tuple[str, ...]]]:
        return NetworkError, (self.source, self.faults)


class SwitchKind(IntEnum):
    """What a switch connects its bus to."""

    LINE = 0
    TRANSFORMER = 1
    BUS = 2
    SEQUENCE_TRANSFORMER = 3


class CapacitorControlKind(IntEnum):
    """What a capacitor's controller looks at."""

    VOLTAGE = 0
    """Volts on the controller's side of its voltage transformer; on below `on_at`, off above `off_at`."""
    CURRENT = 1
    """Amperes on the controller's side of its current transformer; on above `on_at`, off below `off_at`."""
    REACTIVE_POWER = 2
    """Vars towards the load through the monitored branch; on above `on_at`, off below `off_at`."""


@dataclass(frozen=True, slots=True, eq=False)
class Buses:
    """Points of connection."""

    ids: tuple[str, ...]
    phase_v: FloatArray
    """Nominal, between a phase (or leg) and earth."""
    voltage_min_pu: FloatArray
    """Operating limits of this bus's own; not a number where the study's hold."""
    voltage_max_pu: FloatArray
    position: FloatArray
    """Shape (n, 2): coordinates for drawings, not a number where unknown."""


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """Terminals of buses, those of one bus one after the other in the order of `Terminal`."""

    bus: IntArray
    terminal: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Ratings:
    """What the assets of one table can take; amperes per conductor for lines, volt-amperes in all for transformers.

    Each factor below multiplies `normal` and `emergency` alike.
    """

    normal: FloatArray
    """Infinite where unlimited."""
    emergency: FloatArray
    """After a contingency; infinite where unlimited."""
    seasonal: FloatArray
    """Shape (n, 3): factor per `Season`, in the order of its members."""
    derate_pct: FloatArray
    """Taken off for the time being."""
    condition_score: FloatArray
    """0 to 100; de-rates by min(1, 0.8 + 0.2 * score / 50)."""
    neutral_a: FloatArray
    """Ampacity of the neutral conductor; as the others' where not a number."""
    reverse_power_w: FloatArray
    """Largest power allowed back towards the source; infinite where unlimited."""
    withstand_a: FloatArray
    """Short-circuit current that the asset withstands; infinite where unlimited."""


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Lines, cables, series reactors and impedances as pi-equivalents of k conductors, k as the widest of them."""

    ids: tuple[str, ...]
    from_node: IntArray
    """Shape (n, k): a conductor is there where both ends are not `ABSENT`; conductors stand left."""
    to_node: IntArray
    """Shape (n, k)."""
    impedance_ohm: ComplexArray
    """Shape (n, k, k), whole length, earth return folded in; zero where absent."""
    shunt_s: ComplexArray
    """Shape (n, k, k), whole length; half of it sits at each end."""
    in_service: BoolArray
    ratings: Ratings


@dataclass(frozen=True, slots=True, eq=False)
class Transformers:
    """Transformers and regulators of up to three phases and w windings, coil by coil; w as the most of them.

    All phases are alike and magnetically apart: phase p of winding i is one coil between `node[:, i, p, 0]`
    and `node[:, i, p, 1]`. Wye, delta, open delta and centre tap are only matters of those nodes.
    """

    ids: tuple[str, ...]
    node: IntArray
    """Shape (n, w, 3, 2): both ends of every coil; `ABSENT` where there is no such winding or phase."""
    rated_v: FloatArray
    """Shape (n, w): across a coil at `neutral` tap."""
    rated_va: FloatArray
    """Shape (n,): of winding 0, all phases together; the base of every per unit below."""
    resistance_pu: FloatArray
    """Shape (n, w): of each winding."""
    reactance_pu: FloatArray
    """Shape (n, w, w): leakage between two windings, symmetric, diagonal zero."""
    magnetising_pu: ComplexArray
    """Shape (n,): admittance g - jb of the core, g, b >= 0; it sits across the coils of winding 1."""
    float_va: FloatArray
    """Shape (n, w, 2): reactive power that the small shunt at either end of each coil draws at rated voltage.

    They pin coils that nobody earths.
    """
    fixed_tap_pu: FloatArray
    """Shape (n, w): turns of each winding over those of its `rated_v`, a tap changer being at neutral."""
    tap_winding: IntArray
    """Shape (n,): the winding that the tap changer is on, -1 where there is none."""
    tap: IntArray
    tap_neutral: IntArray
    tap_min: IntArray
    tap_max: IntArray
    tap_step_pct: FloatArray
    """Of `rated_v`, per step: the tapped winding has rated_v * (fixed_tap_pu + (tap - neutral) * step / 100)."""
    in_service: BoolArray
    ratings: Ratings


@dataclass(frozen=True, slots=True, eq=False)
class SequenceTransformers:
    """Two-winding three-phase transformers given by their sequence data, as pandapower and CIM give them."""

    ids: tuple[str, ...]
    hv_node: IntArray
    """Shape (n, 3): phases a, b, c."""
    lv_node: IntArray
    rated_va: FloatArray
    rated_hv_v: FloatArray
    """Line to line."""
    rated_lv_v: FloatArray
    """Line to line."""
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
    ratings: Ratings


@dataclass(frozen=True, slots=True, eq=False)
class Shunts:
    """Capacitors and reactors: constant admittance between their nodes and earth."""

    ids: tuple[str, ...]
    node: IntArray
    """Shape (n, k)."""
    admittance_s: ComplexArray
    """Shape (n, k, k): of the whole bank as a matrix over its nodes, so that a delta is one too."""
    in_service: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Loads:
    """Loads as up to three branches, each between two nodes (or a node and earth), with a law of voltage.

    With v the voltage across the branch over `nominal_v`, inside `band_pu` a branch consumes
    real(power_va) * (zip_p[0]*v² + zip_p[1]*v + zip_p[2]), or real(power_va) * v**exponent[0] where
    `exponent` is a number; reactive power likewise. Outside the band it is a constant impedance: the one
    that consumes at that end of the band what the law gives there, or `edge_pu` of its power.
    Below `low_pu` the impedance is that of the power at nominal voltage; between `low_pu` and the lower end
    of the band the current is interpolated on a straight line, as OpenDSS does; 0 leaves that out.
    """

    ids: tuple[str, ...]
    node: IntArray
    """Shape (n, 3, 2): both ends of every branch; `ABSENT` where there is no such branch."""
    power_va: ComplexArray
    """Shape (n, 3): consumption at nominal voltage, positive when consuming."""
    nominal_v: FloatArray
    """Shape (n,): across one branch."""
    zip_p: FloatArray
    """Shape (n, 3): parts of constant impedance, current and power; they add up to 1."""
    zip_q: FloatArray
    exponent: FloatArray
    """Shape (n, 2): of active and reactive power; not a number where the parts above hold."""
    band_pu: FloatArray
    """Shape (n, 2): lowest and highest voltage at which that law holds."""
    edge_pu: FloatArray
    """Shape (n, 2, 2): active, then reactive power at the lowest, then the highest of them, over nominal.

    Not a number where the law itself goes on, so that there is no jump. OpenDSS takes 1 for its models 3 and 4.
    """
    low_pu: FloatArray
    in_service: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Generation and storage behind inverters or machines that belongs to the network model."""

    ids: tuple[str, ...]
    node: IntArray
    """Shape (n, 3, 2): as for loads."""
    power_va: ComplexArray
    """Shape (n,): injection in all, constant power, shared equally by the branches; positive when injecting."""
    rated_va: FloatArray
    energy_wh: FloatArray
    """What a store holds when full; 0 for what stores nothing."""
    fault_current_pu: FloatArray
    """Contribution to a short circuit, of rated current."""
    volt_var: IntArray
    """Position in `Network.curves`: var over `rated_va` by voltage in pu; -1 for none."""
    volt_watt: IntArray
    """Likewise: the most that power may be, over `rated_va`; -1 for none."""
    in_service: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A straight line between points, level beyond the ends."""

    x: FloatArray
    y: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Regulators:
    """Controllers of tap changers; those of one transformer per phase are transformers of one phase each."""

    ids: tuple[str, ...]
    transformer: IntArray
    node: IntArray
    """Shape (n, 2): across which nodes voltage is measured; at a remote bus where that is meant."""
    winding: IntArray
    """Whose current feeds the line-drop compensator, in coil 0."""
    set_v: FloatArray
    """On the controller's side of its voltage transformer."""
    band_v: FloatArray
    """Whole width."""
    pt_ratio: FloatArray
    ct_primary_a: FloatArray
    drop_v: ComplexArray
    """R + jX of the line-drop compensator, volts at rated current."""
    delay_s: FloatArray
    in_service: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class CapacitorControls:
    """Controllers of switched capacitors."""

    ids: tuple[str, ...]
    shunt: IntArray
    kind: IntArray
    """`CapacitorControlKind`."""
    node: IntArray
    """Shape (n, 2): across which nodes voltage is measured."""
    line: IntArray
    """The line whose current or power is measured at its from end, -1 for none."""
    on_at: FloatArray
    off_at: FloatArray
    pt_ratio: FloatArray
    ct_ratio: FloatArray
    voltage_min_v: FloatArray
    """Voltage override on the controller's side: on below; -infinity for none."""
    voltage_max_v: FloatArray
    """Off above; infinity for none."""
    delay_s: FloatArray
    """Before it switches on."""
    delay_off_s: FloatArray
    dead_time_s: FloatArray
    """For so long after it has switched off it does not switch on."""
    in_service: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Switches:
    """Between a bus and one end of a line or transformer, or between two buses, all phases together."""

    ids: tuple[str, ...]
    kind: IntArray
    """`SwitchKind`."""
    bus: IntArray
    element: IntArray
    """Index of the line, of the transformer, or of the other bus."""
    closed: BoolArray


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """Systems above: a voltage behind an admittance (Thévenin, as its Norton equivalent)."""

    ids: tuple[str, ...]
    node: IntArray
    """Shape (n, 3): `ABSENT` where a source has fewer phases."""
    voltage_pu: FloatArray
    """Shape (n,): of its bus's nominal voltage, behind the admittance."""
    angle_deg: FloatArray
    """Shape (n, 3): of each phase."""
    admittance_s: ComplexArray
    """Shape (n, 3, 3). A source without impedance to one sequence has a very large one."""


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """One zone's network. Compared by identity: a changed network is another network."""

    version: str
    frequency_hz: float
    buses: Buses
    nodes: Nodes
    lines: Lines
    transformers: Transformers
    sequence_transformers: SequenceTransformers
    shunts: Shunts
    loads: Loads
    units: Units
    curves: tuple[Curve, ...]
    regulators: Regulators
    capacitor_controls: CapacitorControls
    switches: Switches
    sources: Sources

    @property
    def branch_ids(self) -> tuple[str, ...]:
        """Lines, then transformers, then sequence transformers: the order of every array over branches."""
        return (*self.lines.ids, *self.transformers.ids, *self.sequence_transformers.ids)
