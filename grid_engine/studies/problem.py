"""A study on a network as arrays: every state that it looks at, prepared for power flows, and its limits."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from grid_engine.flow.nodal import System, build
from grid_engine.flow.pairs import Pairs, constant_power, joined, load_pairs, load_power, unit_pairs, unit_power
from grid_engine.flow.powerflow import Flow, Linear, Solver, prepare
from grid_engine.model import BoolArray, ComplexArray, FloatArray, IntArray, Network
from grid_engine.results import Island, NetworkState, Study
from grid_engine.studies import connections, contingency
from grid_engine.studies.ladder import solve_or_climb
from grid_engine.studies.limits import NORMAL, Monitor, monitor
from grid_engine.studies.sens import slopes


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One state of the network that the study looks at: as it is, or after one contingency."""

    case: str
    system: System
    solver: Solver
    given_va: ComplexArray
    """Shape (n_pair, n_interval): injection of loads and units, 0 for participants."""
    shares: csr_array
    """Shape (n_pair, n_participant): injection per watt; zero where a participant has no supply."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Power flows of every scene for several cases."""

    power_va: tuple[ComplexArray, ...]
    """Per scene (n_pair, n_case)."""
    flows: tuple[Flow, ...]

    @property
    def voltages(self) -> list[ComplexArray]:
        """Per scene (n_node, n_case)."""
        return [flow.voltage for flow in self.flows]

    @property
    def converged(self) -> BoolArray:
        """Shape (n_case,): in every scene."""
        return np.asarray(np.all([flow.converged for flow in self.flows], axis=0))

    def only(self, case: int) -> "Solved":
        """One of the cases."""
        flows = tuple(
            Flow(flow.voltage[:, [case]], flow.converged[[case]], flow.worst_node[[case]], flow.iterations[[case]])
            for flow in self.flows
        )
        return Solved(tuple(power[:, [case]] for power in self.power_va), flows)


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Everything that the calculations of one study share."""

    network: Network
    study: Study
    scenes: tuple[Scene, ...]
    """The network as it is first."""
    monitor: Monitor
    """Over the meters of all scenes."""
    held_w: FloatArray
    """Shape (n_participant, n_interval)."""
    requested_w: FloatArray
    """Shape (n_participant, n_interval)."""
    floor_w: FloatArray
    ceiling_w: FloatArray
    adjustable: BoolArray
    """Shape (n_participant,): may be limited, and has supply."""
    unsupplied: tuple[str, ...]
    """Buses, loads, units and participants that are left out."""
    islands: tuple[Island, ...]
    """What contingencies leave out on top."""
    unit_of: IntArray
    """Shape (n_pair,): the network's unit that each pair is of, -1 for those of loads and participants."""

    def solve(self, power_w: FloatArray, intervals: slice | list[int], *, patient: bool = True) -> Solved:
        """AC in every scene with participants at `power_w` (n_participant, n_case).

        Where a case does not converge, more is tried if `patient`; for a search, that is just too far.
        """
        power = tuple(scene.given_va[:, intervals] + scene.shares @ power_w for scene in self.scenes)
        solve = solve_or_climb if patient else Solver.solve
        flows = tuple(solve(scene.solver, part) for scene, part in zip(self.scenes, power, strict=True))
        return Solved(power, flows)

    def tangent(self, solved: Solved) -> "Tangent":
        """Straight lines at the first case of `solved`."""
        return Tangent(self, solved)

    def sensitivities(self, rows: Sequence[int], solved: Solved) -> FloatArray:
        """Shape (n_asked, n_participant): units of each of the monitor's `rows` per watt, at the first case."""
        return self.tangent(solved).slopes(rows)


class Tangent:
    """How voltages and rows answer to small changes of the participants' powers at one solution."""

    def __init__(self, problem: Problem, solved: Solved) -> None:
        self.solved = solved
        self._problem = problem
        self._linear: dict[int, Linear] = {}

    def _of(self, scene: int) -> Linear:
        """The linearised power flow, made when first asked for."""
        if scene not in self._linear:
            flow, power_va = self.solved.flows[scene], self.solved.power_va[scene]
            self._linear[scene] = self._problem.scenes[scene].solver.linearise(power_va[:, 0], flow.voltage[:, 0])
        return self._linear[scene]

    def slopes(self, rows: Sequence[int]) -> FloatArray:
        """Shape (n_asked, n_participant): units of each of the monitor's `rows` per watt."""
        problem, asked = self._problem, np.asarray(rows, dtype=np.int64)
        monitor, result = problem.monitor, np.zeros((len(asked), len(problem.held_w)))
        for n, (scene, meter) in enumerate(zip(problem.scenes, monitor.meters, strict=True)):
            mine = np.flatnonzero(monitor.case[asked] == n)
            if len(mine):
                gradients = meter.gradients(monitor.reading[asked[mine]], self.solved.flows[n].voltage[:, 0])
                result[mine] = slopes(self._of(n), gradients, scene.shares)
        return result

    def moved(self, change_w: FloatArray) -> list[ComplexArray]:
        """Per scene node voltages (n_node, 1) after a change (n_participant,), as straight lines have it."""
        scenes = enumerate(self._problem.scenes)
        risen = [self._of(n).forward((scene.shares @ change_w)[:, None].astype(np.complex128)) for n, scene in scenes]
        return [flow.voltage[:, :1] + rise for flow, rise in zip(self.solved.flows, risen, strict=True)]


def pose(network: Network, study: Study) -> Problem:
    """The study as arrays; it must have no faults."""
    field = _Field(network, study)
    now = field.scene(NORMAL, study.state)
    scenes = (now, *(field.scene(case, state) for case, state in contingency.cases(network, study)))
    participants = study.participants
    shape = (len(participants), study.intervals)
    adjustable = np.array([p.adjustable for p in participants], dtype=np.bool_)
    missing = field.missing(now)
    islands = [Island(scene.case, field.named(field.missing(scene) & ~missing)) for scene in scenes[1:]]
    return Problem(
        network=network,
        study=study,
        scenes=scenes,
        monitor=monitor(study, [(scene.case, scene.system) for scene in scenes]),
        held_w=np.array([p.held_w for p in participants], dtype=np.float64).reshape(shape),
        requested_w=np.array([p.requested_w for p in participants], dtype=np.float64).reshape(shape),
        floor_w=np.array([p.floor_w for p in participants], dtype=np.float64),
        ceiling_w=np.array([p.ceiling_w for p in participants], dtype=np.float64),
        adjustable=adjustable & ~missing[len(missing) - len(participants) :],
        unsupplied=field.named(missing),
        islands=tuple(island for island in islands if island.ids),
        unit_of=field.unit_of,
    )


class _Field:
    """All loads, units and participants of a study as pairs of nodes, the same in every scene."""

    def __init__(self, network: Network, study: Study) -> None:
        loads, of_load = load_pairs(network)
        units, of_unit = unit_pairs(network)
        self._network, self._study = network, study
        nodes, of_participant = connections.ends(network, study.participants)
        n_load, n_unit = len(network.loads.ids), len(network.units.ids)
        self._pairs: Pairs = joined(loads, units, constant_power(nodes[:, 0], nodes[:, 1]))
        self._owner: IntArray = np.concatenate([of_load, n_load + of_unit, n_load + n_unit + of_participant])
        taken = np.isin(network.units.ids, [p.unit for p in study.participants if p.unit])[of_unit]
        of_units = np.where(taken[:, None], 0, _unit_power(network, study, of_unit))
        given = load_power(network)[:, None] * _load_factors(network, study)[of_load]
        nothing = np.zeros((len(of_participant), study.intervals))
        self._given_va: ComplexArray = np.concatenate([given, of_units, nothing])
        self._of_participant = of_participant
        self.unit_of: IntArray = np.concatenate(
            [np.full(len(of_load), -1), np.where(taken, -1, of_unit), np.full(len(of_participant), -1)]
        )

    def scene(self, case: str, state: NetworkState) -> Scene:
        """One state, prepared."""
        system = build(self._network, state)
        participants = self._study.participants
        held_w = np.array([p.held_w[0] for p in participants], dtype=np.float64)
        shares = self._shares(system)
        base_va = self._given_va[:, 0] + shares @ held_w
        return Scene(case, system, prepare(system, self._pairs, base_va), self._given_va, shares)

    def _shares(self, system: System) -> csr_array:
        """Shape (n_pair, n_participant); a participant without full supply injects nothing."""
        owner, n_participant = self._of_participant, len(self._study.participants)
        first = self._pairs.size - len(owner)
        dead = np.isin(np.arange(n_participant), owner[~self._live(system)[first:]])
        per_watt = ~dead[owner] / np.maximum(np.bincount(owner, minlength=n_participant), 1)[owner]
        place = (np.arange(first, self._pairs.size), owner)
        return coo_array((per_watt, place), shape=(self._pairs.size, n_participant)).tocsr()

    def _live(self, system: System) -> BoolArray:
        """Shape (n_pair,): neither end is without supply."""
        supplied = np.append(system.supplied, [True, True])  # the last two for ABSENT and EARTH
        return np.asarray(supplied[self._pairs.first] & supplied[self._pairs.second])

    def missing(self, scene: Scene) -> BoolArray:
        """Which buses, then loads, units and participants, are not supplied, or not on all phases."""
        network = self._network
        idle = (self._given_va == 0).all(axis=1)
        idle[self._pairs.size - len(self._of_participant) :] = False
        n_owner = len(network.loads.ids) + len(network.units.ids) + len(self._study.participants)
        dead = np.isin(np.arange(n_owner), self._owner[~self._live(scene.system) & ~idle])
        return np.concatenate([~scene.system.supplied_buses, dead])

    def named(self, which: BoolArray) -> tuple[str, ...]:
        """Ids of what `missing` counts."""
        network = self._network
        resources = (p.resource for p in self._study.participants)
        ids = (*network.buses.ids, *network.loads.ids, *network.units.ids, *resources)
        return tuple(name for name, hit in zip(ids, which.tolist(), strict=True) if hit)


def _unit_power(network: Network, study: Study, of_unit: IntArray) -> ComplexArray:
    """Shape (n_pair, n_interval): injection of units, each shared equally by its branches."""
    power = unit_power(network)[:, None].repeat(study.intervals, axis=1)
    index = {name: n for n, name in enumerate(network.units.ids)} if study.unit_w or study.unit_var else {}
    branches = np.bincount(of_unit, minlength=len(network.units.ids))
    for name, known in study.unit_w.items():
        mine = of_unit == index[name]
        power[mine] = np.asarray(known) / branches[index[name]] + 1j * power[mine].imag
    for name, known in study.unit_var.items():
        mine = of_unit == index[name]
        power[mine] = power[mine].real + 1j * np.asarray(known) / branches[index[name]]
    return power


def _load_factors(network: Network, study: Study) -> FloatArray:
    """Shape (n_load, n_interval): of the power in the network, active and reactive alike."""
    loads = network.loads
    scale = np.asarray(study.load_scale or (1.0,) * study.intervals, dtype=np.float64)
    factor = np.tile(scale, (len(loads.ids), 1))
    nominal_w = loads.power_va.real.sum(axis=1)
    index = {name: n for n, name in enumerate(loads.ids)} if study.load_w else {}
    for name, known in study.load_w.items():
        n = index[name]
        if nominal_w[n]:
            factor[n] = np.asarray(known) / nominal_w[n]
    return factor
