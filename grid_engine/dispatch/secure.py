"""A market cleared so that its powers hold all limits in AC and stand on the study's grid of limits."""

from dataclasses import dataclass, replace

import numpy as np

from grid_engine.dispatch.bids import WATTS_PER_MW, Book
from grid_engine.dispatch.clearing import Bounds, Cleared, clear
from grid_engine.dispatch.look import Grid, Look
from grid_engine.dispatch.relinearise import Asked, Clear, Found, settle
from grid_engine.model import BoolArray, FloatArray
from grid_engine.results import Preexisting, Status

_GAVE_WAY = 1.0
"""Tolerances beyond which a limit is violated."""
_EASINGS = 6
_NO_WORSE = 0.8
"""Tolerances that a standing violation may grow by: less is none."""
_PRESSED = 1e-6
_FILLED_MW = 1e-6
_MISSING_MW = 1e-5
_NEAR = 1e-3
"""Of a rounding step, so that a power a hair below a round number stays there."""


@dataclass(frozen=True, slots=True, eq=False)
class Secured:
    """What a market comes to."""

    status: Status
    """`INFEASIBLE` also where powers were found that break the limits least."""
    exact: Found | None = None
    """Before rounding: prices are told here."""
    rounded: Found | None = None
    """What is instructed."""
    detail: str = ""


def secure(book: Book, net: Grid, start: Look) -> Secured:
    """The cheapest powers for `book`; `start` is a look at where everyone stands."""
    run = _clear(book, Bounds(book.floor_mw, book.ceiling_mw))
    standing = _standing(net, start)
    settled = settle(net, run, start)
    if _gave_way(settled.found).any() and net.trim:
        net.trim = False
        settled = settle(net, run, start)
    for turn in range(_EASINGS):
        if settled.found is None or not _gave_way(settled.found).any():
            break
        if not _ease(net, start, settled.found.look, costs=standing & (turn > 0)):
            break
        start = replace(start, excess=net.excess(start.values))
        settled = settle(net, run, start)
    found = settled.found
    if found is None:
        return Secured(settled.status, detail=settled.detail)
    if _gave_way(found).any():
        return Secured(Status.INFEASIBLE, found, found, "no powers hold all limits")
    return Secured(Status.SOLVED, found, _rounded(book, net, found))


def _clear(book: Book, bounds: Bounds) -> Clear:
    def within(asked: Asked) -> Cleared | None:
        if asked.reach is None:
            return clear(book, asked.cuts, asked.counting, bounds, prefer=asked.prefer)
        ends = (asked.reach.centre_mw + sign * asked.reach.step_mw for sign in (-1, 1))
        near = Bounds(*(np.clip(end, bounds.floor_mw, bounds.ceiling_mw) for end in ends))
        return clear(book, asked.cuts, asked.counting, near, prefer=asked.prefer)

    return within


def _gave_way(found: Found | None) -> BoolArray:
    """Shape (n_row, n_interval): rows that no powers hold."""
    return np.zeros((0, 0), dtype=np.bool_) if found is None else np.asarray(found.breach > _GAVE_WAY)


def _standing(net: Grid, start: Look) -> BoolArray:
    """Shape (n_row, n_interval): rows of assets that are beyond a bound of that kind, on whichever phase."""
    group = net.problem.monitor.group
    beyond = np.zeros((int(group.max(initial=-1)) + 1, start.excess.shape[1]), dtype=np.bool_)
    np.logical_or.at(beyond, group, start.excess > 0)
    return beyond[group]


def _ease(net: Grid, start: Look, found: Look, costs: BoolArray) -> bool:
    """Moves the bounds of rows that stay violated out as the study says; False where nothing moves.

    A row that must not get worse is held where it stands; of those in `costs` (n_row, n_interval), where they come to
    at the best, for the cure of another row may cost that much.
    """
    policy, stuck = net.problem.study.preexisting, found.excess > _GAVE_WAY
    if policy is Preexisting.HARD:
        return False
    moved, group = False, net.problem.monitor.group
    for i in np.flatnonzero(stuck.any(axis=0)).tolist():
        rows = np.isin(group, group[stuck[:, i]])
        before = net.monitors[i]
        if policy is Preexisting.IGNORE:
            net.monitors[i] = before.without(rows)
        else:
            stands = start.values[:, i]
            worse = before.sign * np.maximum(before.sign * stands, before.sign * found.values[:, i])
            stands = np.where(costs[:, i], worse, stands)
            eased = before.relaxed(np.where(rows, stands, before.bound))
            net.monitors[i] = eased.tightened(np.where(eased.bound != before.bound, -_NO_WORSE, 0.0))
        moved |= bool((net.monitors[i].bound != before.bound).any())
    return moved


def _rounded(book: Book, net: Grid, exact: Found) -> Found:
    """The same with whoever a network limit stops on the grid; `exact` where something would then begin to miss."""
    cleared, step = exact.cleared, net.problem.study.limit_step_w / WATTS_PER_MW
    pressure, power = np.zeros(book.shape), cleared.power_mw
    for cut, cost in zip(exact.cuts, cleared.cut_price.tolist(), strict=True):
        pressure[:, cut.interval] += cost * cut.slope[book.who]
    stopped = _stopped(book, cleared)
    pressed = stopped & (np.abs(pressure) > _PRESSED)
    if not pressed.any():
        return exact
    bound = np.abs(pressure) > _PRESSED
    if book.market.delivery_w or book.market.needs:
        bound &= ~_makes_up(np.where(pressed, np.abs(pressure), np.inf), np.asarray((stopped & ~pressed).any(axis=0)))
    down, up = np.floor(power / step + _NEAR) * step, np.ceil(power / step - _NEAR) * step
    highest, lowest = np.where(stopped, np.minimum(down, power), power), np.where(stopped, np.maximum(up, power), power)
    inside = (np.clip(end, book.floor_mw, book.ceiling_mw) for end in (lowest, highest))
    bounds = Bounds(
        floor_mw=np.where(bound & (pressure < 0), next(inside), book.floor_mw),
        ceiling_mw=np.where(bound & (pressure > 0), next(inside), book.ceiling_mw),
    )
    found = settle(net, _clear(book, bounds), exact.look, exact.cuts).found
    if found is None or _gave_way(found).any() or _misses(found.cleared, cleared):
        return exact
    return found


def _makes_up(pressure: FloatArray, others: BoolArray) -> BoolArray:
    """Shape (n_offer, n_interval): who of those pressed is the least so and fills up what rounding takes from the rest.

    Nobody has to in intervals where `others` do, whom no limit presses.
    """
    least = np.zeros(pressure.shape, dtype=np.bool_)
    several = np.flatnonzero((np.isfinite(pressure).sum(axis=0) > 1) & ~others)
    least[np.argmin(pressure[:, several], axis=0), several] = True
    return least


def _stopped(book: Book, cleared: Cleared) -> BoolArray:
    """Shape (n_offer, n_interval): offers with a block that is taken in part."""
    partly = (cleared.take_mw > _FILLED_MW) & (cleared.take_mw < book.size_mw - _FILLED_MW)
    result = np.zeros(book.shape, dtype=np.bool_)
    np.logical_or.at(result, book.owner, partly)
    return result


def _misses(now: Cleared, before: Cleared) -> bool:
    """Whether something is missing that was not before."""

    def missing(part: Cleared) -> BoolArray:
        return np.concatenate([np.abs(part.short_mw), part.lack_mw.ravel()]) > _MISSING_MW

    return bool((missing(now) & ~missing(before)).any())
