"""Whether every asset withstands a short circuit beside it, and who may not connect where one does not.

What resources add does not depend on their power but on their being connected: so who has no power and
wants some is kept from connecting, the least protected first, until the others' fault current fits.
"""

from collections.abc import Iterator, Sequence
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
    beside: IntArray
    """Buses at the ends of the assets, one asset after the other."""
    first: IntArray
    """Shape (n_asset,): where in `beside` the buses of each begin."""
    system: System
    own: Contributions
    """Of the participants."""
    alone_a: FloatArray
    """Shape (n_bus, n_fault): from sources and from the units of the network."""

    def current_a(self, fault_a: FloatArray) -> FloatArray:
        """Shape (n_asset,): the largest one beside each asset, of fault currents (n_bus, n_fault)."""
        return np.asarray(np.maximum.reduceat(fault_a.max(axis=1)[self.beside], self.first))

    def each_a(self, participants: Sequence[int]) -> Iterator[FloatArray]:
        """Shape (n_bus, n_fault): what each of them adds."""
        return added(self.system, self.own, participants)

    def total_a(self, connected: BoolArray) -> FloatArray:
        """Shape (n_bus, n_fault): with these participants (n_participant,) connected."""
        return self.alone_a + sum(self.each_a(np.flatnonzero(connected).tolist()))

    def reason(self) -> Reason:
        """Of violations in this case."""
        return Reason.FAULT_LEVEL if self.case == NORMAL else Reason.N1

    def binding(self, asset: int, before_a: FloatArray, after_a: FloatArray) -> Binding:
        """Why somebody may not connect, by the currents (n_asset,) with and without."""
        before, after, limit = (float(part[asset]) for part in (before_a, after_a, self.limit_a))
        return Binding(self.asset[asset], self.reason(), "", self.case, before, after, limit, "A")


def barred(problem: Problem) -> Barred:
    """Short circuits in every scene and interval of `problem`; nothing where no asset has a withstand current."""
    able = capability(problem.network, problem.study, emergency=False)
    if not (np.isfinite(able.withstand_a).any() or np.isfinite(able.bus_withstand_a).any()):
        return Barred((), {})
    stands = np.abs(problem.held_w) > _SETTLED_W
    wants = stands | (np.abs(problem.requested_w) > _SETTLED_W)
    violations, bindings = list[Violation](), dict[tuple[int, int], Binding]()
    for scene in problem.scenes:
        stress = _stress(problem, scene.case, scene.system, able)
        for intervals in _alike(stands, wants):
            before, after = stands[:, intervals[0]], wants[:, intervals[0]]
            total_a = stress.total_a(after)
            told = _kept_out(problem, stress, before, after, total_a)
            for i in intervals:
                violations += _violations(stress, total_a, i)
                bindings |= {(j, i): why for j, why in told if (j, i) not in bindings}
    return Barred(tuple(violations), bindings)


def _alike(stands: BoolArray, wants: BoolArray) -> list[list[int]]:
    """Intervals in which the same ones stand and want."""
    groups: dict[bytes, list[int]] = {}
    for i in range(stands.shape[1]):
        groups.setdefault(stands[:, i].tobytes() + wants[:, i].tobytes(), []).append(i)
    return list(groups.values())


def _violations(stress: _Stress, total_a: FloatArray, interval: int) -> list[Violation]:
    current_a = stress.current_a(total_a)
    return [
        Violation(
            asset_id=stress.asset[n],
            reason=stress.reason(),
            interval=interval,
            value=float(current_a[n]),
            limit=float(stress.limit_a[n]),
            unit="A",
            case=stress.case,
        )
        for n in np.flatnonzero(current_a > stress.limit_a * (1 + RATING_TOLERANCE)).tolist()
    ]


def _kept_out(
    problem: Problem, stress: _Stress, stands: BoolArray, wants: BoolArray, total_a: FloatArray
) -> list[tuple[int, Binding]]:
    """Who may not connect: those who ask for it, all together, or for an envelope everybody alone."""
    if problem.study.preexisting is Preexisting.IGNORE:
        return []
    if problem.study.purpose is Purpose.ENVELOPE:
        idle = np.flatnonzero(problem.adjustable & ~stands & np.isin(np.arange(len(stands)), stress.own.owner)).tolist()
        pairs = zip(idle, stress.each_a(idle), strict=True)
        return [told for j, own_a in pairs for told in _one_out(stress, j, own_a, total_a + own_a)]
    newcomers = np.flatnonzero(wants & ~stands & problem.adjustable).tolist()
    ranks = {j: rank(problem.study.policy, problem.study.participants[j]) for j in newcomers}
    found: list[tuple[int, Binding]] = []
    for j in sorted(newcomers, key=lambda j: (ranks[j], j), reverse=True):
        if (stress.current_a(total_a) <= stress.limit_a * (1 + RATING_TOLERANCE)).all():
            break
        (own_a,) = stress.each_a([j])
        told = _one_out(stress, j, own_a, total_a)
        found += told
        total_a = total_a - own_a if told else total_a
    return found


def _one_out(stress: _Stress, j: int, own_a: FloatArray, total_a: FloatArray) -> list[tuple[int, Binding]]:
    """Participant `j`, where too much flows with it and it matters there."""
    before_a, after_a = stress.current_a(total_a), stress.current_a(total_a - own_a)
    beyond = before_a / stress.limit_a
    matters = (beyond > 1 + RATING_TOLERANCE) & (before_a - after_a >= _CONTRIBUTES * stress.limit_a)
    if not matters.any():
        return []
    worst = int(np.where(matters, beyond, 0.0).argmax())
    return [(j, stress.binding(worst, before_a, after_a))]


def _stress(problem: Problem, case: str, system: System, able: Capability) -> _Stress:
    network = problem.network
    branches, buses = np.flatnonzero(np.isfinite(able.withstand_a)), np.flatnonzero(np.isfinite(able.bus_withstand_a))
    rated = np.isin(system.terminals.branch, branches)
    ends = np.stack([system.terminals.branch[rated], network.nodes.bus[system.terminals.node[rated]]])
    branch, bus = np.unique(ends, axis=1)
    given, own = _contributions(problem, system)
    alone_a = currents(system)
    for part_a in added(system, given, np.unique(given.owner).tolist()):
        alone_a = alone_a + part_a
    beside = np.concatenate([bus, buses])
    owner = np.concatenate([np.searchsorted(branches, branch), len(branches) + np.arange(len(buses))])
    return _Stress(
        case=case,
        asset=[network.branch_ids[n] for n in branches] + [network.buses.ids[n] for n in buses],
        limit_a=np.concatenate([able.withstand_a[branches], able.bus_withstand_a[buses]]),
        beside=beside,
        first=np.flatnonzero(np.diff(owner, prepend=-1)),
        system=system,
        own=own,
        alone_a=alone_a,
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
