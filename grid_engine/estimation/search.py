"""From a question to the most likely state: what is contradicted by all the rest is left out, one after the other.

The largest normalised residual is blamed, as A. Monticelli, "State Estimation in Electric Power Systems" (1999),
does it. Meters of customers stand in place of what was expected of them, so that no forecast speaks against a
meter; expectations are blamed like readings, but only where that is clearly the better explanation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from grid_engine.estimation.meters import Rows, rows
from grid_engine.estimation.prior import Customers, customers, read, spread, told
from grid_engine.estimation.regions import regions
from grid_engine.estimation.solve import Fit, Point, Posed, Stuck, fit, resumed, start
from grid_engine.estimation.sources import Heads, heads
from grid_engine.estimation.update import evidence, normalised
from grid_engine.estimation.words import Doubt, Expected, Ignored, Measured, Measurement, Question
from grid_engine.flow.nodal import System, build
from grid_engine.flow.pairs import joined
from grid_engine.flow.powerflow import Solver, prepare
from grid_engine.model import BoolArray, FloatArray, IntArray, Network
from grid_engine.results import Participant, Quality

BAD_SIGMAS = 4.0
"""Normalised residual beyond which a reading is bad."""
_MOST_BLAMED = 50
_MOST_PARDONED = 10
_WIDER = 10.0
"""How much less is thought of an expectation that the readings contradict."""
_CLEARLY = 1.02
"""An expectation is blamed in place of a meter only if it is contradicted by that much more."""
_PART = {Measured.ACTIVE_POWER_W: 0, Measured.REACTIVE_POWER_VAR: 1}


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One question on arrays."""

    system: System
    solver: Solver
    known: Customers
    """As expected, before any meter."""
    heads: Heads
    rows: Rows
    region: IntArray
    own: tuple[Measurement, ...]
    """Readings of customers' own meters."""
    place: IntArray
    """Shape (2, n_own): active (0) or reactive (1), and of which customer."""
    doubt: Doubt
    ignored: tuple[Ignored, ...]


@dataclass(frozen=True, slots=True)
class Blame:
    """Something that was left out."""

    what: str
    """`rows`, `own` or `customers`, as in `Blamed`."""
    number: int
    sigmas: float
    """Normalised residual."""


@dataclass(frozen=True, slots=True, eq=False)
class Blamed:
    """What has been left out."""

    rows: BoolArray
    own: BoolArray
    customers: BoolArray
    """Whose expectation is not believed."""
    order: tuple[Blame, ...] = ()
    """The first first."""

    def also(self, blame: Blame) -> "Blamed":
        """The same and one more."""
        mask = getattr(self, blame.what).copy()
        mask[blame.number] = True
        return replace(self, **{blame.what: mask}, order=(*self.order, blame))

    def without(self, blame: Blame) -> "Blamed":
        """The same and one less."""
        mask = getattr(self, blame.what).copy()
        mask[blame.number] = False
        return replace(self, **{blame.what: mask}, order=tuple(one for one in self.order if one is not blame))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The end of a search."""

    posed: Posed
    point: Point
    fit: Fit | Stuck
    """Where it got stuck, `point` is the state as expected."""
    blamed: Blamed


def pose(network: Network, question: Question) -> Case:
    """The question on arrays."""
    system = build(network, question.state)
    bare = tuple(replace(p, held_w=(), requested_w=()) for p in question.participants)
    everybody, sources, solver = _prepared(system, bare, question.doubt)
    place = {name: n for n, name in enumerate(everybody.ids)}
    words, unheard = _words(network, question, place)
    own, others, refused = _sorted(question.readings, place)
    made, unusable = rows(system, others)
    part = np.array([_PART[reading.quantity] for reading in own], dtype=np.int64)
    customer = np.array([place[reading.element] for reading in own], dtype=np.int64)
    return Case(
        system=system,
        solver=solver,
        known=told(everybody, words),
        heads=sources,
        rows=made,
        region=regions(system, made.readings, everybody),
        own=tuple(own),
        place=np.stack([part, customer]),
        doubt=question.doubt,
        ignored=(*unheard, *refused, *unusable),
    )


@lru_cache(maxsize=16)
def _prepared(system: System, bare: tuple[Participant, ...], doubt: Doubt) -> tuple[Customers, Heads, Solver]:
    """What does not depend on the time of the question; `bare` are participants without powers."""
    everybody, sources = customers(system.network, bare, doubt), heads(system, doubt)
    watts, vars_ = everybody.share * everybody.power[:, everybody.owner]
    base_va = np.concatenate([watts + 1j * vars_, np.zeros(sources.pairs.size)])
    return everybody, sources, prepare(system, joined(everybody.pairs, sources.pairs), base_va)


def search(case: Case) -> Found | Stuck:
    """The most likely state without what is bad; stuck where not even the state as expected has a power flow."""
    sizes = (len(case.rows.readings), len(case.own), len(case.known.ids))
    nobody = [np.zeros(n, dtype=np.bool_) for n in sizes]
    blamed = Blamed(nobody[0], nobody[1], nobody[2])
    while isinstance(first := start(_posed(case, blamed)), Stuck):
        if blamed.own.all():
            return first
        blamed = _wildest(case, blamed)
    found = _fitted(case, first, blamed)
    if isinstance(found.fit, Stuck) and first.errors.any():
        return found.fit  # it began with less than what is expected, which has no power flow
    while len(found.blamed.order) < _MOST_BLAMED and (blame := _worst(case, found)):
        found = _fitted(case, first, found.blamed.also(blame), found)
    return _pardoned(case, first, found)


def _fitted(case: Case, first: Point, blamed: Blamed, before: Found | None = None) -> Found:
    """The fit without what is blamed, from where another fit ended."""
    posed = _posed(case, blamed)
    begun = start(posed) if before is None else resumed(posed, before.point)
    if isinstance(begun, Stuck):
        begun = start(posed)
    ended = begun if isinstance(begun, Stuck) else fit(posed, begun)
    return Found(posed, first if isinstance(ended, Stuck) else ended.point, ended, blamed)


def _pardoned(case: Case, first: Point, found: Found) -> Found:
    """With the first ones that were blamed back, where nothing contradicts them now that the later ones are gone."""
    for blame in found.blamed.order[: min(_MOST_PARDONED, len(found.blamed.order) - 1)]:
        again = _fitted(case, first, found.blamed.without(blame), found)
        if isinstance(again.fit, Fit) and _worst(case, again) is None:
            found = again
    return found


def _words(network: Network, question: Question, place: Mapping[str, int]) -> tuple[dict[str, Expected], list[Ignored]]:
    """What is expected of whom, participants held where nothing else is told; and what of it is of no use."""
    share = question.doubt.load
    every = {p.resource: Expected(p.held_w[0], share * abs(p.held_w[0])) for p in question.participants if p.held_w}
    every |= question.expected
    off = {name for name, on in zip(network.loads.ids, network.loads.in_service, strict=True) if not on}
    off |= {name for name, on in zip(network.units.ids, network.units.in_service, strict=True) if not on}
    good, ignored = {}, []
    for name, word in every.items():
        numbers = (word.power_w, word.sigma_w, word.power_var or 0.0, word.sigma_var or 0.0)
        if name not in place:
            ignored.append(Ignored(name, "nobody is called so"))
        elif name in off:
            ignored.append(Ignored(name, "it is out of service"))
        elif not np.isfinite(numbers).all():
            ignored.append(Ignored(name, f"expected power {word.power_w}, sigma {word.sigma_w}"))
        else:
            good[name] = word
    return good, ignored


def _sorted(
    readings: Sequence[Measurement], place: dict[str, int]
) -> tuple[list[Measurement], list[Measurement], list[Ignored]]:
    """Usable readings of customers' own meters, the most exact of each; all other readings; and what is of no use."""
    own: dict[tuple[str, Measured], Measurement] = {}
    others: list[Measurement] = []
    ignored: list[Ignored] = []
    for reading in readings:
        key = (reading.element, reading.quantity)
        if reading.quality is not Quality.GOOD:
            ignored.append(Ignored(reading.meter, f"its quality is {reading.quality}"))
        elif not (np.isfinite(reading.value) and 0 < reading.sigma < np.inf):
            ignored.append(Ignored(reading.meter, f"value {reading.value}, sigma {reading.sigma}"))
        elif reading.quantity not in _PART or reading.element not in place:
            others.append(reading)
        elif reading.phases:
            ignored.append(
                Ignored(reading.meter, f"power of {reading.element} is read in all, not of {reading.phases}")
            )
        elif key in own and own[key].sigma <= reading.sigma:
            ignored.append(Ignored(reading.meter, f"{own[key].meter} reads the same more exactly"))
        else:
            if key in own:
                ignored.append(Ignored(own[key].meter, f"{reading.meter} reads the same more exactly"))
            own[key] = reading
    return list(own.values()), others, ignored


def _posed(case: Case, blamed: Blamed) -> Posed:
    """With everything that is still believed."""
    expected = replace(case.known, sigma=case.known.sigma * np.where(blamed.customers, _WIDER, 1.0))
    value, sigma = np.full(expected.sigma.shape, np.nan), expected.sigma.copy()
    left = np.flatnonzero(~blamed.own)
    part, customer = case.place[:, left]
    value[part, customer] = _injected(case, left)
    sigma[part, customer] = [case.own[n].sigma for n in left]
    known = read(expected, value, sigma)
    return Posed(
        system=case.system,
        solver=case.solver,
        known=known,
        heads=case.heads,
        spread=spread(known, case.doubt, case.region),
        regions=int(case.region.max(initial=-1)) + 1,
        common=case.doubt.common,
        rows=case.rows.only(~blamed.rows),
    )


def _injected(case: Case, own: IntArray) -> FloatArray:
    """What some of the customers' meters read, in the sense of injection."""
    return np.asarray(
        case.known.sign[case.place[1, own]] * np.array([case.own[n].value for n in own], dtype=np.float64)
    )


def _wildest(case: Case, blamed: Blamed) -> Blamed:
    """Blames the customer's meter that is farthest from what is expected of it."""
    left = np.flatnonzero(~blamed.own)
    part, customer = case.place[:, left]
    away = np.abs(_injected(case, left) - case.known.power[part, customer]) / case.known.sigma[part, customer]
    return blamed.also(Blame("own", int(left[np.argmax(away)]), float(away.max())))


def _worst(case: Case, end: Found) -> Blame | None:
    """Whose error explains most, of those that are contradicted by more than `BAD_SIGMAS`."""
    if isinstance(end.fit, Stuck):
        return None
    n, found, blamed = len(case.known.ids), end.fit.update, end.blamed
    errors, explained = (part[: 2 * n].reshape(2, n) for part in (found.errors, found.explained()))
    left, at = np.flatnonzero(~blamed.own), tuple(case.place[:, ~blamed.own])
    untold = np.flatnonzero(~end.posed.known.metered[0] & ~blamed.customers)
    candidates = (
        ("rows", np.flatnonzero(~blamed.rows), found.disagreement, found.checked(), 1.0),
        ("own", left, errors[at], explained[at], 1.0),
        ("customers", untold, errors[0, untold], explained[0, untold], _CLEARLY),
    )
    best: tuple[float, Blame] | None = None
    for what, numbers, residual, checked, handicap in candidates:
        sigmas = normalised(residual, checked) / handicap
        weight = np.where(sigmas > BAD_SIGMAS, evidence(residual / handicap, checked), -np.inf)
        if np.isfinite(weight).any() and (best is None or weight.max() > best[0]):
            most = int(np.argmax(weight))
            best = float(weight[most]), Blame(what, int(numbers[most]), float(sigmas[most]))
    return None if best is None else best[1]
