"""Batches of power flows beside OpenDSS, which runs through its own load shapes, and beside power-grid-model.

Every solver gets the same cases at the same tolerance and hands over the voltages of all nodes; the runs are
interleaved, and what they find is compared before anything is measured.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from power_grid_model import (
    CalculationMethod,
    ComponentType,
    DatasetType,
    LoadGenType,
    PowerGridModel,
    WindingType,
    initialize_array,
)

from grid_engine.elements.primitive import FORTESCUE
from grid_engine.exporters.opendss import translate
from grid_engine.feeders import public
from grid_engine.flow.kernel import native
from grid_engine.flow.nodal import build
from grid_engine.flow.pairs import joined, load_pairs, load_power, unit_pairs, unit_power
from grid_engine.flow.powerflow import Solver, prepare
from grid_engine.model import ComplexArray, FloatArray, Network
from grid_engine.results import NetworkState
from tests.bench.rows import Benchmark, Row, duration, percentile
from tests.grid_engine.opendss import compiled

TOLERANCE = 1e-8
SHAPES = 12
"""Loads move in so many groups."""
ROUNDS = 5
CASES = {"ieee123": 480, "european_lv": 480, "ieee8500_unbalanced": 96}
THEIR_CASES = {"ieee123": 96, "european_lv": 96, "ieee8500_unbalanced": 12}
"""OpenDSS solves only the first ones in each round."""
AGREEMENT_PU = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """The cases of one feeder."""

    network: Network
    factor: FloatArray
    """Shape (SHAPES, n_case): of the loads' own powers."""
    group: np.ndarray
    """Shape (n_load,): which row a load follows."""

    @property
    def power_va(self) -> ComplexArray:
        """Shape (n_pair, n_case)."""
        owner = load_pairs(self.network)[1]
        loads = load_power(self.network)[:, None] * self.factor[self.group[owner]]
        units = np.repeat(unit_power(self.network)[:, None], self.factor.shape[1], axis=1)
        return np.concatenate([loads, units])

    def solver(self, kernel: str) -> Solver:
        pairs = joined(load_pairs(self.network)[0], unit_pairs(self.network)[0])
        base_va = np.concatenate([0.7 * load_power(self.network), unit_power(self.network)])
        return prepare(build(self.network, NetworkState()), pairs, base_va, kernel=kernel)


def batch(network: Network, n_case: int) -> Batch:
    factor = 0.4 + 0.6 * np.random.default_rng(20).random((SHAPES, n_case))
    return Batch(network, factor, np.arange(len(network.loads.ids)) % SHAPES)


class OpenDss:
    """Steps through the cases, one after the other, each from where the last one ended."""

    def __init__(self, cases: Batch) -> None:
        translation = translate(cases.network)
        shapes = [
            f"New Loadshape.shape{n} npts={len(row)} interval=1 mult=[{' '.join(f'{x:.15g}' for x in row)}]"
            for n, row in enumerate(cases.factor)
        ]
        follow = [
            f"Edit {element} daily=shape{cases.group[n]}"
            for n, name in enumerate(cases.network.loads.ids)
            for element in translation.elements["loads", name]
        ]
        settings = ("set controlmode=off", f"set tolerance={TOLERANCE}", "set maxiterations=300")
        self._circuit = compiled(translation, *shapes, *follow, *settings, "solve")
        self._rewind = ("set mode=daily stepsize=1h number=1", "set hour=0 sec=0")

    def solve(self, n_case: int) -> ComplexArray:
        """Volts at all nodes (n_node, n_case) in OpenDSS's own order."""
        active = self._circuit.engine.ActiveCircuit
        for command in self._rewind:
            self._circuit.engine.Text.Command = command
        volts = []
        for _ in range(n_case):
            active.Solution.Solve()
            volts.append(active.YNodeVarray)
        return np.asarray(volts).view(np.complex128).T

    def ordered(self, volts: ComplexArray) -> ComplexArray:
        """The same in the network's order."""
        return volts[self._circuit.order]


def _ms(work: Callable[[], object], n_case: int) -> float:
    began = time.perf_counter()
    work()
    return 1e3 * (time.perf_counter() - began) / n_case


def _interleaved(works: dict[str, tuple[Callable[[], object], int]]) -> dict[str, float]:
    """Median milliseconds per case."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, (work, n_case) in works.items():
            taken[name].append(_ms(work, n_case))
    return {name: percentile(values, 50) for name, values in taken.items()}


def _solvers(cases: Batch) -> dict[str, Solver]:
    kernels = ["numba"] if native.library() is None else ["c", "numba"]
    return {kernel: cases.solver(kernel) for kernel in kernels}


def _agree(found: ComplexArray, expected: ComplexArray) -> None:
    worst = float(np.abs(found - expected).max())
    assert worst < AGREEMENT_PU, f"solvers differ by {worst:.1e} pu"


def _beside_opendss(feeder: str) -> Sequence[Row]:
    cases = batch(public.load(feeder), CASES[feeder])
    solvers, opendss = _solvers(cases), OpenDss(cases)
    power_va, theirs = cases.power_va, THEIR_CASES[feeder]
    base_v = cases.network.buses.phase_v[cases.network.nodes.bus]
    expected = opendss.ordered(opendss.solve(theirs)) / base_v[:, None]
    works: dict[str, tuple[Callable[[], object], int]] = {"OpenDSS": (partial(opendss.solve, theirs), theirs)}
    for kernel, solver in solvers.items():
        _agree(solver.solve(power_va, tolerance_pu=TOLERANCE).voltage[:, :theirs], expected)
        works[kernel] = (partial(solver.solve, power_va, tolerance_pu=TOLERANCE), power_va.shape[1])
    taken = _interleaved(works)
    return [
        duration(f"powerflow.{feeder}.{kernel}", taken[kernel], "ms", "OpenDSS in-engine", taken["OpenDSS"])
        for kernel in solvers
    ]


def _beside_power_grid_model() -> Sequence[Row]:
    """European LV with loads of constant power at any voltage, which is all that power-grid-model has."""
    network = public.load("european_lv")
    loads = network.loads
    endless = replace(loads, band_pu=np.tile([0.0, np.inf], (len(loads.ids), 1)), low_pu=np.zeros(len(loads.ids)))
    cases = batch(replace(network, loads=endless), CASES["european_lv"])
    solvers, peer = _solvers(cases), PowerGridModelPeer(cases)
    power_va = cases.power_va
    works: dict[str, tuple[Callable[[], object], int]] = {"peer": (peer.solve, power_va.shape[1])}
    expected = peer.solve()
    for kernel, solver in solvers.items():
        found = np.abs(solver.solve(power_va, tolerance_pu=TOLERANCE).voltage)
        three = found.reshape(-1, 3, power_va.shape[1])
        _agree(three, expected.transpose(1, 2, 0))
        works[kernel] = (partial(solver.solve, power_va, tolerance_pu=TOLERANCE), power_va.shape[1])
    taken = _interleaved(works)
    return [
        duration(f"powerflow.european_lv.{kernel}.pgm", taken[kernel], "ms", "power-grid-model", taken["peer"])
        for kernel in solvers
    ]


class PowerGridModelPeer:
    """European LV in power-grid-model; buses are nodes, numbered as in the network."""

    def __init__(self, cases: Batch) -> None:
        network = cases.network
        n_bus = len(network.buses.ids)
        assert np.array_equal(network.nodes.terminal, np.tile([0, 1, 2], n_bus))
        parts = {
            ComponentType.node: _pgm_nodes(network),
            ComponentType.asym_line: _pgm_lines(network, n_bus),
            ComponentType.transformer: _pgm_transformer(network, n_bus + len(network.lines.ids)),
            ComponentType.source: _pgm_source(network, 2 * n_bus),
            ComponentType.asym_load: _pgm_loads(network, 3 * n_bus),
        }
        self._model = PowerGridModel(parts, system_frequency=network.frequency_hz)
        loads = parts[ComponentType.asym_load]
        update = initialize_array(DatasetType.update, ComponentType.asym_load, (cases.factor.shape[1], len(loads)))
        update["id"] = loads["id"]
        factor = cases.factor[cases.group].T[:, :, None]
        update["p_specified"], update["q_specified"] = loads["p_specified"] * factor, loads["q_specified"] * factor
        self._update = {ComponentType.asym_load: update}

    def solve(self) -> FloatArray:
        """Voltage magnitudes (n_case, n_bus, 3), per unit; angles are computed as well."""
        result = self._model.calculate_power_flow(
            symmetric=False,
            update_data=self._update,
            calculation_method=CalculationMethod.iterative_current,
            error_tolerance=TOLERANCE,
            max_iterations=100,
            threading=-1,
            output_component_types=[ComponentType.node],
        )
        return np.asarray(result[ComponentType.node]["u_pu"])


def _pgm_nodes(network: Network) -> Any:
    nodes = initialize_array(DatasetType.input, ComponentType.node, len(network.buses.ids))
    nodes["id"], nodes["u_rated"] = np.arange(len(nodes)), np.sqrt(3) * network.buses.phase_v
    return nodes


def _pgm_lines(network: Network, first: int) -> Any:
    table = network.lines
    lines = initialize_array(DatasetType.input, ComponentType.asym_line, len(table.ids))
    lines["id"] = first + np.arange(len(lines))
    lines["from_node"], lines["to_node"] = (
        network.nodes.bus[table.from_node[:, 0]],
        network.nodes.bus[table.to_node[:, 0]],
    )
    lines["from_status"] = lines["to_status"] = 1
    farads = table.shunt_s.imag / (2 * np.pi * network.frequency_hz)
    for name, row, column in (("aa", 0, 0), ("ba", 1, 0), ("bb", 1, 1), ("ca", 2, 0), ("cb", 2, 1), ("cc", 2, 2)):
        lines[f"r_{name}"] = table.impedance_ohm[:, row, column].real
        lines[f"x_{name}"] = table.impedance_ohm[:, row, column].imag
        lines[f"c_{name}"] = farads[:, row, column]
    return lines


def _pgm_transformer(network: Network, first: int) -> Any:
    """Delta to earthed wye, the low-voltage side lagging by 30 degrees."""
    table = network.transformers
    windings = initialize_array(DatasetType.input, ComponentType.transformer, len(table.ids))
    windings["id"] = first + np.arange(len(windings))
    windings["from_node"] = network.nodes.bus[table.node[:, 0, 0, 0]]
    windings["to_node"] = network.nodes.bus[table.node[:, 1, 0, 0]]
    windings["from_status"] = windings["to_status"] = 1
    windings["u1"], windings["u2"] = table.rated_v[:, 0], np.sqrt(3) * table.rated_v[:, 1]
    windings["sn"] = table.rated_va
    impedance = table.resistance_pu[:, :2].sum(axis=1) + 1j * table.reactance_pu[:, 0, 1]
    windings["uk"], windings["pk"] = np.abs(impedance), impedance.real * table.rated_va
    windings["i0"], windings["p0"] = np.abs(table.magnetising_pu), table.magnetising_pu.real * table.rated_va
    windings["winding_from"], windings["winding_to"] = WindingType.delta, WindingType.wye_n
    windings["clock"], windings["tap_side"], windings["tap_pos"] = 1, 0, 0
    windings["tap_min"] = windings["tap_max"] = windings["tap_nom"] = 0
    windings["tap_size"] = 0.0
    return windings


def _pgm_source(network: Network, number: int) -> Any:
    table = network.sources
    by_sequence = 1 / np.diag(FORTESCUE.conj().T @ table.admittance_s[0] @ FORTESCUE)
    bus = network.nodes.bus[table.node[0, 0]]
    source = initialize_array(DatasetType.input, ComponentType.source, 1)
    source["id"], source["node"], source["status"] = number, bus, 1
    source["u_ref"], source["u_ref_angle"] = table.voltage_pu[0], np.deg2rad(table.angle_deg[0, 0])
    source["sk"] = 3 * network.buses.phase_v[bus] ** 2 / abs(by_sequence[1])
    source["rx_ratio"] = by_sequence[1].real / by_sequence[1].imag
    source["z01_ratio"] = abs(by_sequence[0] / by_sequence[1])
    return source


def _pgm_loads(network: Network, first: int) -> Any:
    table = network.loads
    node = table.node[:, 0, 0]
    loads = initialize_array(DatasetType.input, ComponentType.asym_load, len(table.ids))
    loads["id"], loads["node"], loads["status"] = first + np.arange(len(loads)), network.nodes.bus[node], 1
    loads["type"] = LoadGenType.const_power
    phase = np.eye(3)[network.nodes.terminal[node]]
    loads["p_specified"] = table.power_va[:, :1].real * phase
    loads["q_specified"] = table.power_va[:, :1].imag * phase
    return loads


BENCHMARKS = (
    *(Benchmark(f"powerflow.{feeder}", partial(_beside_opendss, feeder)) for feeder in CASES),
    Benchmark("powerflow.european_lv", _beside_power_grid_model),
)
