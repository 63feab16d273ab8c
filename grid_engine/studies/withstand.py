"""Whether every asset withstands a short circuit beside it, and who may not connect where one does not.

What resources add does not depend on their power but on their being connected: so who has no power and
wants some is kept from connecting, the least protected first, until the others' fault current fits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid_engine.flow.nodal import System
from grid_engine.model import BoolArray, FloatArray, IntArray, Network, Terminal
from grid_engine.results import Binding, Preexisting, Purpose, Reason, Violation
from grid_engine.studies import connections
from grid_engine.studies.fault_level import Contributions, added, currents
from grid_engine.studies.limits import NORMAL, RATING_TOLERANCE
from grid_engine.studies.members import rank
from grid_engine.studies.problem import Problem
from grid_engine.studies.ratings import Capability, capability

_CONTRIBUTES = 1e-3
"""Of an asset's withstand: whose part in a short circuit is less is not kept from connecting for it."""
_SETTLED_W = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Barred:
    """What follows from the fault level."""

    violations: tuple[Violation, ...]
    """With everybody connected who has power or wants some."""
    bindings: dict[tuple[int, int], Binding]
    """By participant and interval: who may not connect, and why."""

    def without(self, power_w: FloatArray) -> FloatArray:
        """Powers (n_participant, n_interval) with those at nothing who may not connect."""
        result = power_w.copy()
        for place in self.bindings:
            result[place] = 0.0
        return result


@dataclass(frozen=True, slots=True, eq=False)
class _Stress:
    """Prospective currents beside the rated assets, in one case."""

    case: str
    asset: list[str]
    limit_a: FloatArray
    """Shape (n_asset,)."""
    alone_a: FloatArray
    """Shape (n_asset, n_fault): from sources and from the units of the network."""
    each_a: FloatArray
    """Shape (n_participant, n_asset, n_fault)."""

    def current_a(self, connected: BoolArray) -> FloatArray:
        """Shape (n_asset,): with these participants (n_participant,)."""
        return np.asarray((self.alone_a + self.each_a[connected].sum(axis=0)).max(axis=1))


def barred(problem: Problem) -> Barred:
    """Short circuits in every scene and interval of `problem`; nothing where no asset has a withstand current."""
    able = capability(problem.network, problem.study, emergency=False)
    if not (np.isfinite(able.withstand_a).any() or np.isfinite(able.bus_withstand_a).any()):
        return Barred((), {})
    stresses = [_stress(problem, scene.case, scene.system, able) for scene in problem.scenes]
    stands = np.abs(problem.held_w) > _SETTLED_W
    wants = stands | (np.abs(problem.requested_w) > _SETTLED_W)
    violations, bindings = list[Violation](), dict[tuple[int, int], Binding]()
    for i in range(problem.study.intervals):
        violations += [v for stress in stresses for v in _violations(stress, wants[:, i], i)]
        for j, why in _barred(problem, stresses, stands[:, i], wants[:, i]):
            bindings[j, i] = why
    return Barred(tuple(violations), bindings)


def _violations(stress: _Stress, connected: BoolArray, interval: int) -> list[Violation]:
    current_a = stress.current_a(connected)
    reason = Reason.FAULT_LEVEL if stress.case == NORMAL else Reason.N1
    return [
        Violation(
            stress.asset[n], reason, interval, float(current_a[n]), float(stress.limit_a[n]), "A", case=stress.case
        )
        for n in np.flatnonzero(current_a > stress.limit_a * (1 + RATING_TOLERANCE)).tolist()
    ]


def _barred(
    problem: Problem, stresses: Sequence[_Stress], stands: BoolArray, wants: BoolArray
) -> list[tuple[int, Binding]]:
    """Who may not connect, in one interval: asked for all together, or for an envelope each alone."""
    if problem.study.preexisting is Preexisting.IGNORE:
        return []
    if problem.study.purpose is Purpose.ENVELOPE:
        found = []
        for j in np.flatnonzero(problem.adjustable & ~stands).tolist():
            alone = stands.copy()
            alone[j] = True
            found += _kept_out(problem, stresses, stands, alone)
        return found
    return _kept_out(problem, stresses, stands, wants)


def _kept_out(
    problem: Problem, stresses: Sequence[_Stress], stands: BoolArray, wants: BoolArray
) -> list[tuple[int, Binding]]:
    connected, found = wants.copy(), list[tuple[int, Binding]]()
    for stress in stresses:
        newcomers = np.flatnonzero(connected & ~stands & problem.adjustable).tolist()
        ranks = {j: rank(problem.study.policy, problem.study.participants[j]) for j in newcomers}
        for j in sorted(newcomers, key=lambda j: (ranks[j], j), reverse=True):
            before = stress.current_a(connected)
            beyond = before / stress.limit_a
            worst = int(beyond.argmax()) if len(beyond) else 0
            if not len(beyond) or beyond[worst] <= 1 + RATING_TOLERANCE:
                break
            if stress.each_a[j, worst].max() < _CONTRIBUTES * stress.limit_a[worst]:
                continue
            connected[j] = False
            reason = Reason.FAULT_LEVEL if stress.case == NORMAL else Reason.N1
            after, limit = float(stress.current_a(connected)[worst]), float(stress.limit_a[worst])
            why = Binding(stress.asset[worst], reason, "", stress.case, float(before[worst]), after, limit, "A")
            found.append((j, why))
    return found


def _stress(problem: Problem, case: str, system: System, able: Capability) -> _Stress:
    network = problem.network
    branches, buses = np.flatnonzero(np.isfinite(able.withstand_a)), np.flatnonzero(np.isfinite(able.bus_withstand_a))
    at_terminal = network.nodes.bus[system.terminals.node]
    beside = [np.unique(at_terminal[system.terminals.branch == n]) for n in branches.tolist()]
    beside += [np.array([n]) for n in buses.tolist()]
    given, own = _contributions(problem, system)
    alone = currents(system) + added(system, given).sum(axis=0)
    each = np.zeros((len(problem.study.participants), *alone.shape))
    each[: own.owners] = added(system, own)
    return _Stress(
        case=case,
        asset=[network.branch_ids[n] for n in branches] + [network.buses.ids[n] for n in buses],
        limit_a=np.concatenate([able.withstand_a[branches], able.bus_withstand_a[buses]]),
        alone_a=np.stack([alone[here].max(axis=0) for here in beside]),
        each_a=np.stack([each[:, here].max(axis=1) for here in beside], axis=1),
    )


def _contributions(problem: Problem, system: System) -> tuple[Contributions, Contributions]:
    """Of the network's own units that nobody takes part for, and of the participants."""
    network, participants = problem.network, problem.study.participants
    units = network.units
    taken = np.isin(units.ids, [p.unit for p in participants if p.unit])
    number = {name: n for n, name in enumerate(units.ids)}
    node, owner = connections.branches_of(units.node)
    given_va = np.where(units.in_service & ~taken, units.rated_va * units.fault_current_pu, 0.0)
    ends, of = connections.ends(network, participants)
    own_va = np.zeros(len(participants))
    for j, p in enumerate(participants):
        share_pu = p.fault_current_pu
        if not share_pu and p.unit:
            share_pu = float(units.fault_current_pu[number[p.unit]])
        own_va[j] = share_pu * max(abs(p.floor_w), abs(p.ceiling_w))
    return _sources(system, node, owner, given_va), _sources(system, ends, of, own_va)


def _sources(system: System, node: IntArray, owner: IntArray, power_va: FloatArray) -> Contributions:
    """Currents at nominal voltage; who contributes nothing has none."""
    count = np.maximum(np.bincount(owner, minlength=len(power_va)), 1)
    real = np.flatnonzero(power_va[owner] > 0)
    first, second, who = node[real, 0], node[real, 1], owner[real]
    return Contributions(first, second, power_va[who] / count[who] / _nominal_v(system, first, second), who)


def _nominal_v(system: System, first: IntArray, second: IntArray) -> FloatArray:
    """Between two nodes: phases are a third of a turn apart, legs half a turn."""
    network: Network = system.network
    terminal = np.append(network.nodes.terminal, [Terminal.N, Terminal.N])
    base_v = np.append(system.base_v, [0.0, 0.0])
    neutral = (terminal[first] == Terminal.N) | (terminal[second] == Terminal.N)
    legs = terminal[first] >= Terminal.S1
    apart = np.where(neutral, 1.0, np.where(legs, 2.0, np.sqrt(3)))
    return np.asarray(np.maximum(base_v[first], base_v[second]) * apart)
