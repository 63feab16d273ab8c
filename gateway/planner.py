"""Answers a planner's questions about a network one after the other, telling how far it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from math import isfinite

import numpy as np

from gateway.reports.findings import FaultLevel, Findings
from grid_engine import planning
from grid_engine.envelopes.study import answer as envelope_answer
from grid_engine.envelopes.words import EnvelopeAnswer, EnvelopeStudy, Sharing
from grid_engine.flow.nodal import build
from grid_engine.model import FloatArray, Network
from grid_engine.results import Envelope, Study
from grid_engine.studies.fault_level import FaultKind, by_kind, currents
from grid_engine.studies.ratings import capability

Watch = Callable[[str, int], Callable[[int], None]]
"""Given what begins and in how many parts, how to tell that so many are finished."""

PROOF_RUNS = 200
"""Power flows at random use per interval of envelopes."""


class Question(StrEnum):
    """What can be asked."""

    SERIES = "series"
    ENVELOPES = "envelopes"
    HOSTING = "hosting"
    N_1 = "n-1"
    SHORT_CIRCUIT = "short-circuit"
    YEAR = "year"
    """Of nodal loads, where they are given."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The questions and their details."""

    questions: tuple[Question, ...]
    interval: int
    """Which of the day's intervals hosting and N-1 are asked of."""
    hosting_w: float
    """Largest three-phase power tried."""
    sharing: Sharing = Sharing.MAXIMUM
    year: Study | None = None
    """Of every hour, where nodal loads are known."""
    year_label: Callable[[int], str] = str
    utilisation: float = 0.0
    """Part of its envelope that everybody is sure to use; 0 holds whoever uses it."""


def findings(name: str, network: Network, study: Study, asked: Asked, watch: Watch) -> Findings:
    """The answers about one network; the study must have no faults."""
    found = Findings(name, study, len(network.buses.ids), len(network.nodes.bus), places=_places(network))
    for question in asked.questions:
        found = _ANSWERS[question](found, network, asked, partial(_named, name, watch))
    return found


def _places(network: Network) -> dict[str, tuple[float, float]]:
    places = zip(network.buses.ids, network.buses.position.tolist(), strict=True)
    return {bus: (x, y) for bus, (x, y) in places if isfinite(x) and isfinite(y)}


def _named(name: str, watch: Watch, what: str, parts: int) -> Callable[[int], None]:
    return watch(f"{name}: {what}" if name else what, parts)


def _series(found: Findings, network: Network, _: Asked, watch: Watch) -> Findings:
    done = watch("power flows of the day", found.study.intervals)
    return replace(found, series=planning.time_series(network, found.study, done))


def _envelopes(found: Findings, network: Network, asked: Asked, watch: Watch) -> Findings:
    done = watch("envelopes of the day", found.study.intervals)
    rng = np.random.default_rng(1)
    envelopes: list[Envelope] = []
    notes: list[str] = []
    for i in range(found.study.intervals):
        question = EnvelopeStudy(
            planning.at_interval(found.study, i), asked.sharing, utilisation=asked.utilisation, proof_runs=PROOF_RUNS
        )
        answer = envelope_answer(network, question, rng)
        envelopes += [replace(envelope, interval=i) for envelope in answer.envelopes]
        notes += _remarks(answer, i)
        done(i + 1)
    return replace(found, envelopes=tuple(envelopes), notes=(*found.notes, *notes))


def _remarks(answer: EnvelopeAnswer, interval: int) -> Sequence[str]:
    """What a reader must know of an interval's envelopes beside their figures."""
    if answer.detail:
        return (f"Envelopes of interval {interval}: {answer.status.value}, {answer.detail}.",)
    broken = [proof for proof in answer.proofs if not proof.holds]
    return [
        f"Envelopes of interval {interval}: {proof.violations} of {proof.runs} random uses break {proof.asset_id}."
        for proof in broken
    ]


def _hosting(found: Findings, network: Network, asked: Asked, watch: Watch) -> Findings:
    places = planning.places(network, asked.hosting_w)
    done = watch("hosting capacity of every bus", len(places))
    hosting = tuple(planning.hosting(network, found.study, places, asked.interval, done))
    return replace(found, hosting=hosting)


def _n_1(found: Findings, network: Network, asked: Asked, watch: Watch) -> Findings:
    study = planning.at_interval(found.study, asked.interval)
    cases = planning.every_branch(network, study)
    done = watch("losses of single elements", len(cases))
    return replace(found, losses=tuple(planning.losses_of_elements(network, study, cases, done)))


def _short_circuit(found: Findings, network: Network, _: Asked, watch: Watch) -> Findings:
    done = watch("short circuits", 1)
    worst = by_kind(currents(build(network, found.study.state)))
    weakest = _withstood_a(network, found.study)
    levels = tuple(
        FaultLevel(
            bus,
            float(worst[n, FaultKind.THREE_PHASES]),
            float(worst[n, FaultKind.ONE_PHASE]),
            float(weakest[n]),
        )
        for n, bus in enumerate(network.buses.ids)
        if worst[n].any()
    )
    done(1)
    return replace(found, fault_levels=levels)


def _withstood_a(network: Network, study: Study) -> FloatArray:
    """Shape (n_bus,): by the bus itself and by the weakest asset that ends there; infinite where none says so."""
    able = capability(network, study, emergency=False)
    result = able.bus_withstand_a.copy()
    terminals = build(network, study.state).terminals
    np.minimum.at(result, network.nodes.bus[terminals.node], able.withstand_a[terminals.branch])
    return result


def _year(found: Findings, network: Network, asked: Asked, watch: Watch) -> Findings:
    if asked.year is None:
        return found
    done = watch("power flows of the year", asked.year.intervals)
    return replace(found, year=planning.time_series(network, asked.year, done), year_label=asked.year_label)


_ANSWERS: dict[Question, Callable[[Findings, Network, Asked, Watch], Findings]] = {
    Question.SERIES: _series,
    Question.ENVELOPES: _envelopes,
    Question.HOSTING: _hosting,
    Question.N_1: _n_1,
    Question.SHORT_CIRCUIT: _short_circuit,
    Question.YEAR: _year,
}
