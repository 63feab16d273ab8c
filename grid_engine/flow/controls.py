"""What controllers of tap changers and of switched capacitors want at solved voltages, case by case.

The rules are those of OpenDSS in its static control mode. A regulator out of its band looks for the whole
taps that bring it back and moves seven tenths of them, at least one.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array, vstack

from grid_engine.elements.windings import winding_primitives
from grid_engine.flow.nodal import System, in_state
from grid_engine.flow.variants import taken
from grid_engine.model import BoolArray, CapacitorControlKind, ComplexArray, FloatArray, IntArray

_SHARE = 0.7
_MOST_TAPS = 16
_DEAD = 1e-3
"""Of the set point: with less voltage there is nothing to regulate."""


@dataclass(frozen=True, slots=True, eq=False)
class TapControls:
    """Regulators in service; all arrays have one entry per regulator along their first axis."""

    ids: tuple[str, ...]
    transformers: tuple[str, ...]
    volts: csr_array
    """Shape (n, n_node): voltage at the controller from node voltages in per unit."""
    drops: csr_array
    """Shape (n_row, n_node): what the line-drop compensators add, one row per regulator and tap."""
    first_drop: IntArray
    """Row of the regulator's lowest tap, -1 without a compensator."""
    set_v: FloatArray
    band_v: FloatArray
    boost: FloatArray
    """Per unit of the tapped winding per volt that the controller misses."""
    step: FloatArray
    """Per unit of the tapped winding."""
    lowest: IntArray
    highest: IntArray
    delay_s: FloatArray

    def wanted(self, voltage: ComplexArray, tap: IntArray) -> IntArray:
        """Shape (n, n_case): taps to move by, at node voltages (n_node, n_case) and positions (n, n_case)."""
        seen_v = _product(self.volts, voltage)
        live = np.abs(seen_v) > _DEAD * self.set_v[:, None]
        with_drop = np.flatnonzero(self.first_drop >= 0)
        if len(with_drop):
            lowest, highest = self.lowest[with_drop, None], self.highest[with_drop, None]
            row = self.first_drop[with_drop, None] + np.clip(tap[with_drop], lowest, highest) - lowest
            seen_v[with_drop] += _product(self.drops, voltage)[row, np.arange(voltage.shape[1])]
        short_v = self.set_v[:, None] - np.abs(seen_v)
        step = self.step[:, None]
        taps = np.rint(short_v * self.boost[:, None] / step)
        out = live & (np.abs(short_v) > self.band_v[:, None] / 2) & (taps != 0)
        size = np.clip(np.trunc(_SHARE * np.abs(taps * step) / step), 1, _MOST_TAPS)
        moved = tap + (np.sign(taps) * size).astype(np.int64)
        return np.where(out, np.clip(moved, self.lowest[:, None], self.highest[:, None]) - tap, 0)


@dataclass(frozen=True, slots=True, eq=False)
class CapacitorSwitching:
    """Controllers of capacitors in service; all arrays have one entry per controller along their first axis."""

    ids: tuple[str, ...]
    shunts: tuple[str, ...]
    kind: IntArray
    volts: csr_array
    """Shape (n, n_node): voltage at the controller."""
    amperes: csr_array
    """Shape (n, n_node): current at the controller, of the first conductor of the line it looks at."""
    line_volts: csr_array
    """Shape (n_row, n_node): at every conductor of the lines that are looked at."""
    line_amperes: csr_array
    """Shape (n_row, n_node): into them."""
    of_row: csr_array
    """Shape (n, n_row): which of them belong to a controller."""
    on_at: FloatArray
    off_at: FloatArray
    voltage_min_v: FloatArray
    voltage_max_v: FloatArray
    delay_s: FloatArray
    delay_off_s: FloatArray
    dead_time_s: FloatArray

    def waiting_s(self, wanted: IntArray, opened: BoolArray) -> FloatArray:
        """Shape (n, n_case): until each does what it wants; `opened` (n, n_case) are those that were switched off."""
        closing = self.delay_s[:, None] + np.where(opened, self.dead_time_s[:, None], 0.0)
        return np.where(wanted > 0, closing, self.delay_off_s[:, None])

    def wanted(self, voltage: ComplexArray, on: IntArray) -> IntArray:
        """Shape (n, n_case): 1 to switch on, -1 to switch off, at node voltages and states (n, n_case), 0 or 1."""
        volts = np.abs(_product(self.volts, voltage))
        power = _product(self.line_volts, voltage) * _product(self.line_amperes, voltage).conj()
        seen = np.choose(
            self.kind[:, None], [volts, np.abs(_product(self.amperes, voltage)), _product(self.of_row, power).imag]
        )
        by_voltage = (self.kind == CapacitorControlKind.VOLTAGE)[:, None]
        on_at, off_at = self.on_at[:, None], self.off_at[:, None]
        start = np.where(by_voltage, seen < on_at, seen > on_at)
        stop = np.where(by_voltage, seen > off_at, seen < off_at)
        low = ~by_voltage & (volts < self.voltage_min_v[:, None])
        high = ~by_voltage & (volts > self.voltage_max_v[:, None])
        live = volts > 0
        opening = live & (stop | high)
        return np.asarray(np.where(on == 0, live & (start | low), -opening.astype(np.int64)))


def tap_controls(system: System) -> TapControls:
    """The regulators of a system, but for those whose tap changer is out of service."""
    network, state = system.network, system.state
    regulators, transformers = network.regulators, network.transformers
    live = in_state(regulators.in_service, regulators.ids, state.in_service)
    live &= in_state(transformers.in_service, transformers.ids, state.in_service)[regulators.transformer]
    chosen = np.flatnonzero(live & (transformers.tap_winding[regulators.transformer] >= 0))
    table, of = taken(regulators, chosen), regulators.transformer[chosen]
    step = transformers.tap_step_pct[of] / 100
    same = transformers.tap_winding[of] == table.winding
    first_drop, drops = _drops(system, chosen)
    return TapControls(
        ids=table.ids,
        transformers=tuple(transformers.ids[n] for n in of),
        volts=_voltages(system, table.node, table.pt_ratio),
        drops=drops,
        first_drop=first_drop,
        set_v=table.set_v,
        band_v=table.band_v,
        boost=np.where(same, 1, -1) * table.pt_ratio / transformers.rated_v[of, table.winding],
        step=step,
        lowest=transformers.tap_min[of],
        highest=transformers.tap_max[of],
        delay_s=table.delay_s,
    )


def capacitor_switching(system: System) -> CapacitorSwitching:
    """The controllers of a system's capacitors."""
    network, controls = system.network, system.network.capacitor_controls
    chosen = np.flatnonzero(in_state(controls.in_service, controls.ids, system.state.in_service))
    table = taken(controls, chosen)
    terminals = system.terminals
    at_line = [np.flatnonzero((terminals.branch == line) & (terminals.end == 0)) for line in table.line]
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *at_line])
    owner = np.repeat(np.arange(len(chosen)), [len(at) for at in at_line])
    node = terminals.node[rows]
    return CapacitorSwitching(
        ids=table.ids,
        shunts=tuple(network.shunts.ids[n] for n in table.shunt),
        kind=table.kind,
        volts=_voltages(system, table.node, table.pt_ratio),
        amperes=_first_amperes(system, at_line, table.ct_ratio),
        line_volts=_sparse(system.base_v[node], np.arange(len(rows)), node, (len(rows), len(system.base_v))),
        line_amperes=csr_array(terminals.current[rows]),
        of_row=_sparse(np.ones(len(rows)), owner, np.arange(len(rows)), (len(chosen), len(rows))),
        on_at=table.on_at,
        off_at=table.off_at,
        voltage_min_v=table.voltage_min_v,
        voltage_max_v=table.voltage_max_v,
        delay_s=table.delay_s,
        delay_off_s=table.delay_off_s,
        dead_time_s=table.dead_time_s,
    )


def _voltages(system: System, node: IntArray, ratio: FloatArray) -> csr_array:
    """Shape (n, n_node): volts between the two nodes (n, 2) of each row, over `ratio`."""
    row = np.repeat(np.arange(len(node)), 2)
    at, sign = node.ravel(), np.tile([1.0, -1.0], len(node))
    there = at >= 0
    value = sign[there] * system.base_v[at[there]] / ratio[row[there]]
    return _sparse(value, row[there], at[there], (len(node), len(system.base_v)))


def _drops(system: System, chosen: IntArray) -> tuple[IntArray, csr_array]:
    """First rows of the regulators `chosen`, and all rows: drop of the current into the measuring winding's coil."""
    regulators, transformers = system.network.regulators, system.network.transformers
    first, parts, count = np.full(len(chosen), -1), [], 0
    for n, regulator in enumerate(chosen):
        if regulators.drop_v[regulator] == 0:
            continue
        of, winding = regulators.transformer[regulator], regulators.winding[regulator]
        tap = np.arange(transformers.tap_min[of], transformers.tap_max[of] + 1)
        made = winding_primitives(taken(transformers, np.full(len(tap), of)), tap)
        into_s = made.admittance_s[:, 6 * winding] * regulators.drop_v[regulator] / regulators.ct_primary_a[regulator]
        there = made.node >= 0
        row = np.broadcast_to(np.arange(len(tap))[:, None], made.node.shape)[there]
        node = made.node[there]
        parts.append(_sparse(into_s[there] * system.base_v[node], row, node, (len(tap), len(system.base_v))))
        first[n], count = count, count + len(tap)
    if not parts:
        return first, csr_array((0, len(system.base_v)), dtype=np.complex128)
    return first, csr_array(vstack(parts, format="csr"))


def _first_amperes(system: System, at_line: list[IntArray], ratio: FloatArray) -> csr_array:
    """Shape (n, n_node): current in the first conductor of each list of terminals, over `ratio`."""
    there = [n for n, at in enumerate(at_line) if len(at)]
    rows = np.array([at_line[n][0] for n in there], dtype=np.int64)
    place = _sparse(1 / ratio[there], np.array(there), np.arange(len(there)), (len(at_line), len(there)))
    return csr_array(place @ system.terminals.current[rows])


def _sparse(value: FloatArray | ComplexArray, row: IntArray, column: IntArray, shape: tuple[int, int]) -> csr_array:
    return csr_array(coo_array((value, (row, column)), shape=shape))


def _product(matrix: csr_array, values: ComplexArray) -> ComplexArray:
    return np.asarray(matrix @ values, dtype=np.complex128)
