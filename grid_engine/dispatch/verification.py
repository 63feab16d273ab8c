"""Whether requested powers can be in one state of the network, and the cheapest to give up where they cannot."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.dispatch.bids import WATTS_PER_MW, Book
from grid_engine.dispatch.clearing import Counting
from grid_engine.dispatch.look import Grid, Look, grid
from grid_engine.dispatch.losses import Row, tallied_w
from grid_engine.dispatch.operation_words import Curtailment, Verdict, Verification, Weights
from grid_engine.dispatch.relinearise import Found
from grid_engine.dispatch.secure import secure
from grid_engine.dispatch.words import Market, Offer
from grid_engine.model import FloatArray, Network
from grid_engine.results import Envelope, Policy, Status, Study
from grid_engine.studies import screen
from grid_engine.studies.members import nothing_w
from grid_engine.studies.problem import Problem, pose
from grid_engine.studies.study_faults import faults

_GIVEN_UP_W = 1.0


def verify(network: Network, study: Study, weights: Weights, interval_s: float = 300.0) -> Verification:
    """The powers that `study` requests, verified; faults of the study are told in the verdict.

    Under `Policy.INCREMENTAL` what a resource requests beyond where it stands is given up at a lower price
    than where it stands; other policies do not matter here, only prices do. Nobody is made to inject or consume.
    """
    found = faults(network, study)
    if found:
        return Verification(study.study_id, Verdict.BAD_INPUT, network.version, detail="; ".join(found))
    return verified(pose(network, study), weights, interval_s)


def verified(problem: Problem, weights: Weights, interval_s: float) -> Verification:
    """The same for a posed study."""
    book = _book(problem, weights, interval_s)
    plain = Counting(np.ones(problem.held_w.shape), np.zeros(problem.study.intervals))
    net = grid(problem, book.who, problem.requested_w, lambda _: plain)
    study = problem.study
    blank = Verification(study.study_id, Verdict.NOT_CONVERGED, problem.network.version)
    asked = net.look(problem.requested_w)
    told = replace(blank, violations=screen.violations(problem.monitor, asked.values), severity=_severity(net, asked))
    if (asked.excess <= 1).all():
        return _holding(problem, asked, replace(told, verdict=Verdict.HOLDS, power_flows=net.power_flows))
    start = net.look(net.power_w(problem.held_w[book.who] / WATTS_PER_MW))
    if not start.solved.converged.all():
        start = net.look(net.power_w(book.base_mw))
    if not start.solved.converged.all():
        return replace(told, detail=net.where(start), power_flows=net.power_flows)
    secured = secure(book, net, start)
    if secured.status is not Status.SOLVED or secured.exact is None or secured.rounded is None:
        verdict = Verdict.INFEASIBLE if secured.status is Status.INFEASIBLE else Verdict.NOT_CONVERGED
        return replace(told, verdict=verdict, detail=secured.detail, power_flows=net.power_flows)
    standing = screen.violations(problem.monitor, secured.rounded.look.values)
    told = replace(told, verdict=Verdict.STANDING if standing else Verdict.CURTAILED, standing=standing)
    told = _holding(problem, secured.rounded.look, told)
    told = _curtailed(_Case(book, net, asked, secured.exact, secured.rounded), told)
    return replace(told, power_flows=net.power_flows)


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """Requested powers that cannot be, and what can."""

    book: Book
    net: Grid
    asked: Look
    exact: Found
    final: Found


def _book(problem: Problem, weights: Weights, interval_s: float) -> Book:
    """Everyone offers to do as requested, in stretches that are worth what giving them up costs."""
    study, who = problem.study, np.flatnonzero(problem.adjustable)
    requested, held = problem.requested_w[who], problem.held_w[who]
    least = np.broadcast_to(nothing_w(problem)[who][:, None], requested.shape)
    low, high = np.minimum(least, requested), np.maximum(least, requested)
    stands = np.clip(held, low, high) if study.policy is Policy.INCREMENTAL else least
    names = [study.participants[j].resource for j in who.tolist()]
    blocks = [
        (n, sign, price, np.maximum(sign * stretch[n], 0.0))
        for n, name in enumerate(names)
        for stretch, price in _stretches(weights, name, stands - least, requested - stands)
        for sign in (1.0, -1.0)
        if (sign * stretch[n] > 0).any()
    ]
    sign = np.array([block[1] for block in blocks], dtype=np.float64)
    return Book(
        market=Market(study, tuple(Offer(name) for name in names), interval_s=interval_s),
        problem=problem,
        who=who,
        owner=np.array([block[0] for block in blocks], dtype=np.int64),
        sign=sign,
        size_mw=np.array([block[3] for block in blocks]).reshape(-1, study.intervals) / WATTS_PER_MW,
        price=-sign * np.array([block[2] for block in blocks], dtype=np.float64),
        base_mw=least / WATTS_PER_MW,
        floor_mw=low / WATTS_PER_MW,
        ceiling_mw=high / WATTS_PER_MW,
    )


def _stretches(
    weights: Weights, name: str, standing: FloatArray, beyond: FloatArray
) -> Iterator[tuple[FloatArray, float]]:
    own = weights.per_resource.get(name)
    yield standing, weights.standing_per_mwh if own is None else own
    yield beyond, weights.curtailment_per_mwh if own is None else own


def _severity(net: Grid, look: Look) -> float:
    """Tolerances beyond the bounds, the worst row of each group, over all intervals."""
    worst = np.zeros((int(net.problem.monitor.group.max(initial=-1)) + 1, look.excess.shape[1]))
    np.maximum.at(worst, net.problem.monitor.group, look.excess)
    return float(np.where(worst > 1, worst, 0.0).sum())


def _holding(problem: Problem, look: Look, told: Verification) -> Verification:
    tallied = tallied_w(problem.scenes[0].system, look.solved.voltages[0])
    return replace(told, losses_w=tuple(tallied[Row.LOSSES].tolist()), draw_w=tuple(tallied[Row.DRAW].tolist()))


def _curtailed(case: _Case, told: Verification) -> Verification:
    """What is given up, and why."""
    book, problem = case.book, case.net.problem
    requested, allowed = problem.requested_w, case.final.look.power_w
    given_up = [
        (j, i)
        for i in range(book.shape[1])
        for j in book.who.tolist()
        if abs(requested[j, i] - allowed[j, i]) > _GIVEN_UP_W
    ]
    names = [p.resource for p in problem.study.participants]
    left_mw = book.size_mw - case.final.cleared.take_mw
    return replace(
        told,
        curtailments=tuple(Curtailment(names[j], i, float(requested[j, i]), float(allowed[j, i])) for j, i in given_up),
        limits=tuple(_limit(case, j, i) for j, i in given_up),
        curtailed_wh=float(sum(abs(requested[j, i] - allowed[j, i]) for j, i in given_up)) * book.hours,
        curtailment_cost=float(np.abs(book.price) @ left_mw.sum(axis=1)) * book.hours,
    )


def _limit(case: _Case, j: int, i: int) -> Envelope:
    """The envelope of participant `j` in interval `i`, with the constraint that presses on it most."""
    net, who = case.net, case.net.problem.study.participants[j]
    allowed_w = float(case.final.look.power_w[j, i])
    floor_w, ceiling_w = who.floor_w, who.ceiling_w
    if net.problem.requested_w[j, i] > allowed_w:
        ceiling_w = allowed_w
    else:
        floor_w = allowed_w
    prices = case.exact.cleared.cut_price.tolist()
    cuts = [(p * abs(float(c.slope[j])), c) for p, c in zip(prices, case.exact.cuts, strict=True) if c.interval == i]
    worth, cut = max(cuts, key=lambda one: one[0], default=(0.0, None))
    if cut is None or not worth:
        return Envelope(who.resource, i, floor_w, ceiling_w)
    per_unit_w = WATTS_PER_MW / abs(float(cut.slope[j])) / float(net.problem.monitor.tolerance[cut.row])
    before, after = (look.values[:, i] for look in (case.asked, case.final.look))
    why = screen.binding(net.monitors[i], cut.row, before, after, per_unit_w)
    return Envelope(who.resource, i, floor_w, ceiling_w, why)
