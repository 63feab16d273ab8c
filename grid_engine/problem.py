"""A study on a network as arrays, and what is wrong with it where that is impossible."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from math import isfinite

import numpy as np
from scipy.sparse import coo_array, csr_array

from grid_engine.elements import BASE_VA
from grid_engine.limits import NORMAL, Monitor, monitor, reverse_limited
from grid_engine.meters import Meter, meter
from grid_engine.model import PHASES, BoolArray, ComplexArray, FloatArray, Network
from grid_engine.nodal import System, build
from grid_engine.powerflow import Case, Flow, solve
from grid_engine.results import NetworkState, Participant, Study
from grid_engine.sens import sensitivities


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One state of the network that the study looks at: as it is, or after one contingency."""

    case: str
    system: System
    meter: Meter
    loads: ComplexArray
    """Shape (n_node, n_interval): injection of the loads, per unit."""
    shares: csr_array
    """Shape (n_node, n_participant): injection per watt, per unit; zero where a participant has no supply."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Power flows of every scene for several cases."""

    injections: tuple[ComplexArray, ...]
    """Per scene (n_node, n_case)."""
    flows: tuple[Flow, ...]

    @property
    def voltages(self) -> list[ComplexArray]:
        """Per scene (n_node, n_case)."""
        return [flow.voltage for flow in self.flows]

    @property
    def converged(self) -> BoolArray:
        """Shape (n_case,): in every scene."""
        return np.asarray(np.all([flow.converged for flow in self.flows], axis=0))


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
    """Buses, loads and participants that are left out."""

    def solve(self, power_w: FloatArray, intervals: slice | list[int]) -> Solved:
        """AC in every scene with participants at `power_w` (n_participant, n_case)."""
        injections = tuple(scene.loads[:, intervals] + np.asarray(scene.shares @ power_w) for scene in self.scenes)
        flows = tuple(solve(scene.system, part) for scene, part in zip(self.scenes, injections, strict=True))
        return Solved(injections, flows)

    def sensitivities(self, rows: Sequence[int], solved: Solved) -> FloatArray:
        """Shape (n_asked, n_participant): units of each of the monitor's `rows` per watt, at the first case."""
        asked, start = np.asarray(rows, dtype=np.int64), 0
        result = np.zeros((len(asked), len(self.held_w)))
        for scene, injection, flow in zip(self.scenes, solved.injections, solved.flows, strict=True):
            mine = np.flatnonzero((asked >= start) & (asked < start + scene.meter.size))
            at = Case(injection[:, 0], flow.voltage[:, 0])
            local = (asked[mine] - start).tolist()
            result[mine] = sensitivities(scene.system, scene.meter, local, at, scene.shares)
            start += scene.meter.size
        return result


def faults(network: Network, study: Study) -> tuple[str, ...]:
    """Every fault of the study, for people."""
    return tuple(chain(_shape_faults(study), _name_faults(network, study), _number_faults(study)))


def pose(network: Network, study: Study) -> Problem:
    """The study as arrays; it must have no faults."""
    now, dropped, cut_off = _scene(network, study, NORMAL)
    losses = tuple(_scene(network, study, branch)[0] for branch in study.contingencies)
    participants = study.participants
    dead = np.flatnonzero(~now.system.supplied_buses())
    shape = (len(participants), study.intervals)
    scenes = (now, *losses)
    return Problem(
        network=network,
        study=study,
        scenes=scenes,
        monitor=monitor(network, study, [(scene.case, scene.meter) for scene in scenes]),
        held_w=np.array([p.held_w for p in participants], dtype=np.float64).reshape(shape),
        requested_w=np.array([p.requested_w for p in participants], dtype=np.float64).reshape(shape),
        floor_w=np.array([p.floor_w for p in participants], dtype=np.float64),
        ceiling_w=np.array([p.ceiling_w for p in participants], dtype=np.float64),
        adjustable=np.array([p.adjustable for p in participants], dtype=np.bool_) & ~cut_off,
        unsupplied=(
            *(network.buses.ids[n] for n in dead),
            *dropped,
            *(p.resource for p, cut in zip(participants, cut_off, strict=True) if cut),
        ),
    )


def _scene(network: Network, study: Study, case: str) -> tuple[Scene, tuple[str, ...], BoolArray]:
    """One scene, the loads that it leaves without supply, and which participants (n_participant,) are."""
    state = study.state
    if case != NORMAL:
        state = replace(state, in_service={**state.in_service, case: False})
    system = build(network, state)
    bus_index = {name: n for n, name in enumerate(network.buses.ids)}
    wires = [(n, p, phase) for n, p in enumerate(study.participants) for phase in p.phases]
    nodes = np.array([system.nodes(bus_index[p.bus])[PHASES.index(phase)] for _, p, phase in wires], dtype=np.int64)
    owner = np.array([n for n, _, _ in wires], dtype=np.int64)
    per_watt = np.array([1 / (len(p.phases) * BASE_VA) for _, p, _ in wires])
    cut_off = np.isin(np.arange(len(study.participants)), owner[~system.supplied[nodes]])
    shape = (len(system.supplied), len(study.participants))
    shares = coo_array((per_watt * ~cut_off[owner], (nodes, owner)), shape=shape).tocsr()
    loads, dropped = _loads(network, study, system)
    own = meter(system, reverse_limited(network, study))
    return Scene(case, system, own, loads, shares), dropped, cut_off


def _loads(network: Network, study: Study, system: System) -> tuple[ComplexArray, tuple[str, ...]]:
    """Injection of the loads, and the ids of those on nodes without supply."""
    loads, n_interval = network.loads, study.intervals
    factor = np.tile(np.asarray(study.load_scale or (1.0,) * n_interval, dtype=np.float64), (len(loads.ids), 1))
    for n, name in enumerate(loads.ids):
        known = study.load_w.get(name)
        nominal = float(loads.power_va[n].real.sum())
        if known is not None and nominal:
            factor[n] = np.array(known) / nominal
    result = np.zeros((len(system.supplied), n_interval), dtype=np.complex128)
    dropped = []
    for n, name in enumerate(loads.ids):
        nodes = system.nodes(int(loads.bus[n]))
        live = system.supplied[nodes]
        result[nodes[live]] -= loads.power_va[n, live, None] * factor[n] / BASE_VA
        if (~live & (loads.power_va[n] != 0)).any():
            dropped.append(name)
    return result, tuple(dropped)


def _shape_faults(study: Study) -> Iterator[str]:
    n = study.intervals
    if n < 1:
        yield f"{n} intervals"
    if study.load_scale and len(study.load_scale) != n:
        yield f"load_scale has {len(study.load_scale)} entries for {n} intervals"
    for name, series in study.load_w.items():
        if len(series) != n:
            yield f"load {name}: {len(series)} values for {n} intervals"
    seen: set[str] = set()
    for p in study.participants:
        if p.resource in seen:
            yield f"{p.resource}: named twice"
        seen.add(p.resource)
        if len(p.held_w) != n or len(p.requested_w) != n:
            yield f"{p.resource}: {len(p.held_w)} held and {len(p.requested_w)} requested powers for {n} intervals"
        if not p.phases or set(p.phases) - set(PHASES) or len(set(p.phases)) != len(p.phases):
            yield f"{p.resource}: phases {p.phases!r}"
        if p.floor_w > p.ceiling_w:
            yield f"{p.resource}: floor {p.floor_w} W above ceiling {p.ceiling_w} W"


def _name_faults(network: Network, study: Study) -> Iterator[str]:
    transformers = network.transformers
    branches = {*network.lines.ids, *transformers.ids}
    state: NetworkState = study.state
    known: tuple[tuple[str, set[str], set[str]], ...] = (
        ("bus", set(network.buses.ids), {p.bus for p in study.participants}),
        ("load", set(network.loads.ids), set(study.load_w)),
        ("rating of", branches, set(study.ratings)),
        ("tap of", set(transformers.ids), set(state.taps)),
        ("switch", set(network.switches.ids), set(state.switches_closed)),
        ("service of", {*branches, *network.shunts.ids}, set(state.in_service)),
        ("contingency", branches, set(study.contingencies)),
    )
    for what, names, used in known:
        yield from (f"{what} {name}: not in the network" for name in sorted(used - names))
    for n, name in enumerate(transformers.ids):
        tap = state.taps.get(name, int(transformers.tap[n]))
        if not transformers.tap_min[n] <= tap <= transformers.tap_max[n]:
            yield f"tap of {name}: {tap} is outside {transformers.tap_min[n]} to {transformers.tap_max[n]}"


def _number_faults(study: Study) -> Iterator[str]:
    source = study.state.source_voltage_pu
    checked: list[tuple[str, tuple[float, ...]]] = [
        ("load_scale", study.load_scale),
        ("source voltage", () if source is None else (source,)),
        ("voltage band", (study.voltage_min_pu, study.voltage_max_pu)),
        ("margin and step", (study.margin_pct, study.limit_step_w)),
        *((f"load {name}", series) for name, series in study.load_w.items()),
        *((p.resource, _numbers(p)) for p in study.participants),
    ]
    for name, rating in study.ratings.items():
        limits = (
            *(rating.ampacity_a, rating.emergency_a, rating.apparent_power_va, rating.emergency_va),
            rating.reverse_power_w,
        )
        given = tuple(x for x in limits if x is not None)
        checked.append((f"rating of {name}", (*given, rating.derate_pct, rating.condition_score)))
        if any(x < 0 for x in given) or not 0 <= rating.derate_pct < 100:
            yield f"rating of {name}: negative, or nothing left of it"
    yield from (f"{what}: not a number" for what, values in checked if not all(isfinite(x) for x in values))
    if not study.voltage_min_pu < study.voltage_max_pu:
        yield f"voltage band from {study.voltage_min_pu} to {study.voltage_max_pu} pu"
    if not 0 <= study.margin_pct < 50 or not study.limit_step_w > 0:
        yield f"margin {study.margin_pct} %, step {study.limit_step_w} W"


def _numbers(participant: Participant) -> tuple[float, ...]:
    p = participant
    return (*p.held_w, *p.requested_w, p.floor_w, p.ceiling_w, p.price_per_mwh)
