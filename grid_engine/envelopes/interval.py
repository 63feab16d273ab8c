"""One interval of a study: what stands already, then box by box the search, the contingencies, and the proof."""

from dataclasses import dataclass, field, replace

import numpy as np

from grid_engine.envelopes import corners, level
from grid_engine.envelopes.box import Box, boxes
from grid_engine.envelopes.budget import Budget
from grid_engine.envelopes.fairness import climb
from grid_engine.envelopes.proof import VIOLATION, Evidence, random_use
from grid_engine.envelopes.rules import Rule
from grid_engine.envelopes.search import Found, Search, Settings
from grid_engine.envelopes.words import Direction, EnvelopeStudy
from grid_engine.model import FloatArray, IntArray
from grid_engine.results import Preexisting, Status, Violation
from grid_engine.studies import screen
from grid_engine.studies.limits import Monitor
from grid_engine.studies.problem import Problem, Solved
from grid_engine.studies.rows import Rows, Spent

_ATTEMPTS = 8
"""At envelopes that neither a contingency nor random use breaks."""
_SHRINK = 0.97
"""Of every share, where cuts did not help."""
_LATE_RUNS = 64
"""At random use when time is over."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """What one box has come to."""

    box: Box
    found: Found
    evidence: Evidence
    corner_excess: FloatArray
    """Shape (n_row, n_pattern): where it was confirmed."""
    level_gain_w: float
    """Watts gained in all per tolerance of room in the row that stops the common share."""


@dataclass(frozen=True, slots=True, eq=False)
class Interval:
    """What one interval has come to; without sides where it has no envelopes."""

    status: Status
    rows: Rows
    detail: str = ""
    base: FloatArray | None = None
    """Shape (n_row,): values before anybody moves."""
    preexisting: tuple[Violation, ...] = ()
    sides: tuple[Side, ...] = ()


@dataclass(slots=True)
class Work:
    """One study under way."""

    question: EnvelopeStudy
    problem: Problem
    rng: np.random.Generator
    budget: Budget
    spent: Spent = field(default_factory=Spent)
    likely: dict[Direction, IntArray] = field(default_factory=dict)
    """Rows that mattered in the last interval, by direction of the box."""


def solve_interval(work: Work, interval: int) -> Interval:
    """Envelopes of one interval, each box proven by itself."""
    problem, question = work.problem, work.question
    scenes = tuple(range(len(problem.scenes)))
    rows = Rows(problem, problem.monitor, interval, work.spent, scenes)
    sides = boxes(problem, interval, question.direction, question.utilisation, mixed=question.mixed)
    solved = problem.solve(sides[0].base_w[:, None], [interval])
    work.spent.power_flows += len(scenes)
    if not solved.converged.all():
        return Interval(Status.NOT_CONVERGED, rows, _where(problem, interval, solved))
    base = problem.monitor.values(solved.voltages)[:, 0]
    standing = tuple(
        replace(violation, interval=interval) for violation in screen.violations(problem.monitor, base[:, None])
    )
    if standing and question.study.preexisting is Preexisting.HARD:
        names = ", ".join(sorted({violation.asset_id for violation in standing}))
        detail = f"interval {interval}: beyond limits before anybody moves: {names}"
        return Interval(Status.INFEASIBLE, rows, detail, base, standing)
    rows = replace(rows, monitor=_lenient(problem.monitor, base, question.study.preexisting))
    found = tuple(_side(work, rows, box) for box in sides if box.size)
    return Interval(Status.SOLVED, rows, base=base, preexisting=standing, sides=found)


def _lenient(monitor: Monitor, base: FloatArray, policy: Preexisting) -> Monitor:
    """The monitor that lets stand what stands before anybody moves."""
    if policy is Preexisting.IGNORE:
        return monitor.without(monitor.excess(base[:, None])[:, 0] > 0)
    return monitor.relaxed(base)


def _side(work: Work, rows: Rows, box: Box) -> Side:
    question, study = work.question, work.question.study
    participants = [study.participants[j] for j in box.who.tolist()]
    rule = Rule(
        question.sharing,
        np.abs(box.span_w),
        climb(question.sharing, participants, box.span_w, question.interval_s),
    )
    patterns = corners.by_phase(work.problem, box)
    likely = work.likely.get(box.direction, np.zeros(0, dtype=np.int64))
    settings = Settings(study.limit_step_w, question.gap, question.rounds)
    search = Search(rows.only(0), box, rule, settings, work.budget, patterns, likely)
    found, evidence = _proven(work, rows, search, search.run())
    work.likely[box.direction] = search.likely
    uses = patterns if found.uses is None else found.uses
    corner_excess = rows.excess(box.power_w((uses * found.share).T))
    gain_w = 0.0
    if found.level.row >= 0:
        gain_w = float(rule.size_w.sum()) / max(level.rise(rows, box, found.level, patterns), 1e-12)
    return Side(box, found, evidence, corner_excess, gain_w)


def _proven(work: Work, rows: Rows, search: Search, found: Found) -> tuple[Found, Evidence]:
    """Shares that neither contingencies at their corners nor random use break, and the evidence for it."""
    for _ in range(_ATTEMPTS):
        broken = _contingencies(rows, search, found)
        if broken:
            found = search.widened(found, broken)
            continue
        evidence = _tried(work, rows, search, found)
        if not evidence.violations:
            return found, evidence
        use = search.box.use(evidence.power_w, found.share)
        excess = rows.excess(search.box.power_w((use * found.share)[:, None]))[:, 0]
        seen = np.flatnonzero(excess > 0)
        new = {*rows.monitor.case[seen].tolist()} - {*search.rows.scenes}
        found = search.widened(found, tuple(sorted(new))) if new else search.cut(found, seen, use)
    evidence = _tried(work, rows, search, found)
    while evidence.violations and found.share.any():
        found.share = search.rounded(_SHRINK * found.share)
        evidence = _tried(work, rows, search, found)
    return found, evidence


def _contingencies(rows: Rows, search: Search, found: Found) -> tuple[int, ...]:
    """Scenes that the search does not look at yet and that break a limit at the corners of `found`."""
    uses = search.patterns if found.uses is None else found.uses
    power_w = search.box.power_w((uses * found.share).T)
    others = [scene for scene in rows.scenes if scene not in search.rows.scenes]
    return tuple(scene for scene in others if float(rows.only(scene).worst(power_w)[0].max()) > VIOLATION)


def _tried(work: Work, rows: Rows, search: Search, found: Found) -> Evidence:
    runs = work.question.proof_runs
    return random_use(rows, search.box, found.share, min(runs, _LATE_RUNS) if work.budget.over else runs, work.rng)


def _where(problem: Problem, interval: int, solved: Solved) -> str:
    """Which case and bus did not converge."""
    for scene, flow in zip(problem.scenes, solved.flows, strict=True):
        if not flow.converged[0]:
            bus = problem.network.buses.ids[problem.network.nodes.bus[flow.worst_node[0]]]
            return f"interval {interval}, case {scene.case}: no power flow solution, worst at bus {bus}"
    return ""
