"""What a planner asks of a network: a day of power flows, what each place can host, what a loss would break.

Each answer is computed in parts; `done` is told how many of them are finished, so that long work can show
its progress.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.cycle import answer
from grid_engine.dispatch.losses import Row, tallied_w
from grid_engine.model import FloatArray, IntArray, Network, Terminal
from grid_engine.results import Binding, Connection, Contingency, Envelope, Participant, Purpose, Study, Violation
from grid_engine.studies import contingency
from grid_engine.studies.envelope import extents
from grid_engine.studies.limits import NORMAL
from grid_engine.studies.meters import Quantity
from grid_engine.studies.problem import Problem, pose
from grid_engine.studies.screen import violations
from grid_engine.studies.settling import at_intervals

Done = Callable[[int], None]

_INTERVALS_AT_ONCE = 32
_PLACES_AT_ONCE = 64
_WORSE = 0.01
"""Of the limit: less is no change."""


def _silent(_: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True, eq=False)
class TimeSeries:
    """A study's intervals at the requested powers, nobody limited."""

    solved: tuple[bool, ...]
    """Per interval; figures of others are not numbers."""
    voltage_pu: FloatArray
    """Shape (3, n_interval): lowest, median and highest of all limited voltages."""
    assets: tuple[str, ...]
    """Lines and transformers with a rating."""
    loading_pct: FloatArray
    """Shape (n_asset, n_interval): of the de-rated rating, the worst conductor or coil."""
    source_w: FloatArray
    """Shape (n_interval,): from the system above into the network."""
    losses_w: FloatArray
    """Shape (n_interval,): what of it, and of what is injected, arrives nowhere."""
    violations: tuple[Violation, ...]
    failures: tuple[str, ...]
    """Intervals without a solution, for people, with the bus to look at."""


@dataclass(frozen=True, slots=True)
class Hosting:
    """What one place could take alone on top of everything that stands."""

    bus: str
    phases: str
    export_w: float
    import_w: float
    """As a magnitude."""
    export_binding: Binding | None
    """`None` where only the largest power that was tried bounds it."""
    import_binding: Binding | None


@dataclass(frozen=True, slots=True)
class Loss:
    """What the loss of one element does at the first interval's requested powers."""

    contingency: str
    solved: bool
    detail: str
    violations: tuple[Violation, ...]
    """That it makes, or makes worse."""
    cut_off: tuple[str, ...]
    """Buses, loads and resources that lose supply."""


def time_series(network: Network, study: Study, done: Done = _silent) -> TimeSeries:
    """Every interval of a faultless study; contingencies are left out."""
    problem = pose(network, replace(study, contingencies=()))
    n_interval = study.intervals
    solved = np.zeros(n_interval, dtype=np.bool_)
    worst = _Worst.of(problem)
    voltage_pu = np.full((3, n_interval), np.nan)
    loading_pct = np.full((len(worst.assets), n_interval), np.nan)
    source_w, losses_w = np.full(n_interval, np.nan), np.full(n_interval, np.nan)
    broken: list[Violation] = []
    failures: list[str] = []
    for at in range(0, n_interval, _INTERVALS_AT_ONCE):
        part = slice(at, min(at + _INTERVALS_AT_ONCE, n_interval))
        case = problem.solve(problem.requested_w[:, part], part)
        values = problem.monitor.values(case.voltages)
        good = case.converged
        solved[part] = good
        voltage_pu[:, part] = worst.voltages(values)
        loading_pct[:, part] = worst.loadings(values)
        tallied = tallied_w(problem.scenes[0].system, case.voltages[0])
        source_w[part], losses_w[part] = tallied[Row.DRAW], tallied[Row.LOSSES]
        found = violations(problem.monitor, np.where(good, values, problem.monitor.bound[:, None]))
        broken += [replace(v, interval=v.interval + at) for v in found]
        for n in np.flatnonzero(~good).tolist():
            node = int(case.flows[0].worst_node[n])
            bus = network.buses.ids[int(network.nodes.bus[node])]
            failures.append(f"interval {at + n}: no power flow solution, worst at bus {bus}")
        done(part.stop)
    return TimeSeries(
        solved=tuple(solved.tolist()),
        voltage_pu=voltage_pu,
        assets=worst.assets,
        loading_pct=loading_pct,
        source_w=source_w,
        losses_w=losses_w,
        violations=tuple(broken),
        failures=tuple(failures),
    )


def at_interval(study: Study, interval: int) -> Study:
    """The study of one of its intervals."""
    return at_intervals(study, [interval])


def _relieved(network: Network, study: Study) -> Study:
    """The study with nobody beyond a limit, as far as that can be had."""
    found = {e.resource: e for e in answer(network, replace(study, purpose=Purpose.IMPACT)).envelopes}
    allowed = [_within(p, found[p.resource]) if p.resource in found else p for p in study.participants]
    return replace(study, participants=tuple(allowed))


def _within(participant: Participant, envelope: Envelope) -> Participant:
    power_w = min(max(participant.requested_w[0], envelope.floor_w), envelope.ceiling_w)
    return replace(participant, held_w=(power_w,), requested_w=(power_w,))


def places(network: Network, largest_w: float) -> tuple[Participant, ...]:
    """One imagined resource at every bus but the sources': on all its phases, or across the legs of a service.

    Args:
        largest_w: for three phases; a third of it for one, a hundredth for a split-phase service.
    """
    by_bus: dict[int, set[int]] = {}
    for bus, terminal in zip(network.nodes.bus.tolist(), network.nodes.terminal.tolist(), strict=True):
        by_bus.setdefault(bus, set()).add(terminal)
    fed = set(network.nodes.bus[network.sources.node[network.sources.node >= 0]].tolist())
    found = []
    for bus, terminals in sorted(by_bus.items()):
        split = {Terminal.S1, Terminal.S2} <= terminals
        phases = "s1s2" if split else "".join("abc"[t] for t in sorted(terminals & {0, 1, 2}))
        if bus in fed or not phases:
            continue
        most_w = largest_w / 100 if split else largest_w * len(phases) / 3
        name = network.buses.ids[bus]
        found.append(
            Participant(
                resource=f"at {name}",
                bus=name,
                held_w=(0.0,),
                requested_w=(0.0,),
                floor_w=-most_w,
                ceiling_w=most_w,
                phases=phases,
                connection=Connection.SPLIT if split else Connection.WYE,
            )
        )
    return tuple(found)


def hosting(
    network: Network, study: Study, candidates: Sequence[Participant], interval: int, done: Done = _silent
) -> Iterator[Hosting]:
    """What each of `candidates` could do alone in one interval of `study`.

    The study's own participants do as requested as far as that breaks no limit.
    """
    base = _relieved(network, at_interval(study, interval))
    given = tuple(replace(p, held_w=p.requested_w, adjustable=False) for p in base.participants)
    one = replace(base, purpose=Purpose.ENVELOPE, contingencies=())
    for at in range(0, len(candidates), _PLACES_AT_ONCE):
        part = tuple(candidates[at : at + _PLACES_AT_ONCE])
        problem = pose(network, replace(one, participants=(*given, *part)))
        reach = extents(problem, [problem.monitor], problem.held_w)
        for n, candidate in enumerate(part, start=len(given)):
            yield Hosting(
                bus=candidate.bus,
                phases=candidate.phases,
                export_w=max(0.0, float(reach.ceiling_w[n, 0])),
                import_w=max(0.0, -float(reach.floor_w[n, 0])),
                export_binding=reach.stops.get((n, 0, 1)),
                import_binding=reach.stops.get((n, 0, -1)),
            )
        done(at + len(part))


def losses_of_elements(
    network: Network, study: Study, cases: Sequence[Contingency], done: Done = _silent
) -> Iterator[Loss]:
    """Each contingency by itself at the first interval, emergency ratings in force, nobody limited."""
    for n, case in enumerate(cases):
        problem = pose(network, replace(study, contingencies=(case,)))
        solved = problem.solve(problem.requested_w[:, :1], [0])
        ok = bool(solved.converged.all())
        found = violations(problem.monitor, problem.monitor.values(solved.voltages)) if ok else ()
        stood = {(v.asset_id, v.unit): _beyond(v) for v in found if v.case == NORMAL}
        made = tuple(v for v in found if v.case != NORMAL and _beyond(v) > stood.get((v.asset_id, v.unit), 0) + _WORSE)
        detail = ""
        if not ok:
            bus = network.buses.ids[int(network.nodes.bus[int(solved.flows[-1].worst_node[0])])]
            detail = f"no power flow solution, worst at bus {bus}"
        cut = tuple(name for island in problem.islands for name in island.ids)
        yield Loss(case.id, ok, detail, made, cut)
        done(n + 1)


def _beyond(violation: Violation) -> float:
    """Part of the limit that it is exceeded by."""
    return abs(violation.value - violation.limit) / (abs(violation.limit) or 1.0)


def every_branch(network: Network, study: Study) -> tuple[Contingency, ...]:
    """The loss of each line and transformer that is in service in the study's state."""
    asked = replace(study, contingencies=network.branch_ids)
    off = {name for name, live in study.state.in_service.items() if not live}
    return tuple(one for one in contingency.named(network, asked) if one.id not in off)


@dataclass(frozen=True, slots=True, eq=False)
class _Worst:
    """Which rows make up each figure."""

    limit: FloatArray
    voltage: IntArray
    thermal: IntArray
    owner: IntArray
    """Shape (n_thermal,): position of its asset among `assets`."""
    assets: tuple[str, ...]

    @classmethod
    def of(cls, problem: Problem) -> "_Worst":
        monitor = problem.monitor
        meter = monitor.meters[0]
        quantity, asset = meter.quantity[monitor.reading], meter.asset[monitor.reading]
        upper = monitor.sign > 0
        thermal = np.flatnonzero(upper & np.isin(quantity, (Quantity.CURRENT, Quantity.NEUTRAL, Quantity.LOADING)))
        named, owner = np.unique(asset[thermal], return_inverse=True)
        ids = problem.network.branch_ids
        voltage = np.flatnonzero(upper & (quantity == Quantity.VOLTAGE))
        return cls(monitor.limit, voltage, thermal, owner.astype(np.int64), tuple(ids[n] for n in named.tolist()))

    def voltages(self, values: FloatArray) -> FloatArray:
        if not len(self.voltage):
            return np.full((3, values.shape[1]), np.nan)
        volts = values[self.voltage]
        return np.stack([volts.min(axis=0), np.median(volts, axis=0), volts.max(axis=0)])

    def loadings(self, values: FloatArray) -> FloatArray:
        result = np.zeros((len(self.assets), values.shape[1]))
        with np.errstate(divide="ignore", invalid="ignore"):
            np.maximum.at(result, self.owner, 100 * values[self.thermal] / self.limit[self.thermal, None])
        return result
