"""Flows that the field measures and the model does not explain: what they take from a rating until they are explained.

A study knows of a load or a source only what is expected of it. Where SCADA shows a line or a transformer beyond
its rating, the network is asked what it would carry with every resource at what it measures; what is measured
beyond that stays for some time and is then taken off the rating, so that limits are found for the flow that there is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from gateway.coordination.events import Alarmed
from gateway.coordination.situation import Situation
from gateway.coordination.study import as_if, impact
from grid_engine.results import Answer, Flow, NetworkState, Rating, Status, Study
from protocols.points import Quantity

CODE: Final = "UNEXPLAINED_FLOW"
BROKEN: Final = 1.001
"""Part of a rating from which on it counts as broken, as for every violation."""
LEAST: Final = 0.005
"""Part of a rating below which a difference is that of meters."""
SURE_S: Final = 20.0
"""So long a flow goes unexplained before it counts: powers and flows are not read at the same moment."""
LEFT: Final = 0.05
"""Part of a rating that is always left: where next to nothing explains a flow, the network is another one."""
QUIET_S: Final = 60.0
"""So long less is unexplained before less counts."""
_METERED: Final = {"A": Quantity.CURRENT_A, "VA": Quantity.APPARENT_POWER_VA}


@dataclass(slots=True)
class _Watched:
    """One asset under suspicion, with what was found of it since."""

    unit: str
    rated: float
    """Its rating after de-rating, in that unit."""
    since_s: float
    found: list[tuple[float, float]] = field(default_factory=list)
    """Moments, and the part of the rating that was unexplained then; of the last `QUIET_S`."""
    counts: float = 0.0
    """The part of the rating that is taken off now."""


@dataclass(slots=True)
class Unexplained:
    """What is unexplained in one zone; after a restart it is found anew."""

    _watched: dict[str, _Watched] = field(default_factory=dict)
    _switched: tuple[object, ...] = ()
    """How the network stood when it was looked at last."""

    @property
    def asks(self) -> bool:
        """Whether the network is to be asked what the measured powers explain."""
        return bool(self._watched)

    def suspect(self, at: Situation, question: Study, answer: Answer) -> None:
        """Watch what is measured beyond its rating, whatever was expected of it."""
        self._stands(question.state)
        if answer.status is not Status.SOLVED:
            return
        for flow in answer.flows:
            if flow.interval or flow.asset_id in self._watched or flow.loading_pct <= 0:
                continue
            rated, measured = 100.0 * flow.value / flow.loading_pct, _measured(at, flow)
            if measured is not None and measured > BROKEN * rated:
                self._watched[flow.asset_id] = _Watched(flow.unit, rated, at.now_s)

    def compare(self, at: Situation, question: Study, answer: Answer) -> tuple[Alarmed, ...]:
        """Hold what is measured against what the measured powers explain; alarms of what counts from now on.

        A network that is switched otherwise is another one: what was found of the one before says nothing of it.
        """
        self._stands(question.state)
        if answer.status is not Status.SOLVED:
            return ()
        alarms = []
        for flow in answer.flows:
            watched, measured = self._watched.get(flow.asset_id), _measured(at, flow)
            if watched is None or measured is None or flow.interval or flow.unit != watched.unit:
                continue
            began = not watched.counts
            _weigh(watched, at.now_s, (measured - flow.value) / watched.rated)
            if began and watched.counts:
                alarms.append(_alarm(at, flow, measured, watched))
            elif not watched.counts and measured <= BROKEN * watched.rated:
                del self._watched[flow.asset_id]
        return tuple(alarms)

    def _stands(self, state: NetworkState) -> None:
        switched = (state.switches_closed, state.in_service)
        if switched != self._switched:
            self._switched = switched
            self._watched.clear()

    def ratings(self, given: Mapping[str, Rating]) -> dict[str, Rating]:
        """Ratings of the assets that carry more than is explained, less what is not."""
        return dict(self._lowered(given))

    def _lowered(self, given: Mapping[str, Rating]) -> Iterator[tuple[str, Rating]]:
        for name, watched in self._watched.items():
            left, held = max(1.0 - watched.counts, LEFT), given.get(name, Rating())
            if watched.counts and watched.unit == "A":
                own = watched.rated if held.ampacity_a is None else held.ampacity_a
                yield name, replace(held, ampacity_a=left * own)
            elif watched.counts:
                own = watched.rated if held.apparent_power_va is None else held.apparent_power_va
                yield name, replace(held, apparent_power_va=left * own)


def as_measured(at: Situation) -> Study:
    """The network now with every resource at what it measures, or where it stands as far as that is not known."""
    measured = {r: w for r in at.zone.resources if (w := at.snapshot.power_w(r)) is not None}
    return as_if(impact(at), measured, f"{at.cycle_id}-measured")


def _measured(at: Situation, flow: Flow) -> float | None:
    quantity = _METERED.get(flow.unit)
    found = None if quantity is None else at.snapshot.reading(flow.asset_id, quantity)
    return None if found is None else found.value


def _weigh(watched: _Watched, now_s: float, part: float) -> None:
    """Count more once it has stayed, less once it has not come back."""
    watched.found = [(s, p) for s, p in watched.found if s >= now_s - QUIET_S] + [(now_s, part)]
    if now_s - watched.since_s >= SURE_S:
        stayed = min(p for s, p in watched.found if s >= now_s - SURE_S)
        most = max(p for _, p in watched.found)
        counts = max(min(watched.counts, most), stayed)
        watched.counts = counts if counts > LEAST else 0.0


def _alarm(at: Situation, flow: Flow, measured: float, watched: _Watched) -> Alarmed:
    carried, known, rated = (f"{value:.4g} {watched.unit}" for value in (measured, flow.value, watched.rated))
    detail = (
        f"it carries {carried} of {rated} where the measured powers explain {known}; limits leave room for the rest "
        "until loads, forecasts or meters are put right"
    )
    return Alarmed(CODE, flow.asset_id, at.now_s, detail)
