"""A zone of several feeders, each with a network of its own: one study apart, and the answers together again.

In such a zone every id of the network is `feeder:element`. Feeders share nothing but the system above,
which the sources of each model; so their studies are independent and may run anywhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from grid_engine.results import NORMAL, Answer, Contingency, Envelope, Island, NetworkState, Status, Study, Violation

SEPARATOR = ":"

_Value = TypeVar("_Value")


def strangers(study: Study, feeders: Iterable[str]) -> tuple[str, ...]:
    """Ids in `study` that name none of `feeders`, for people."""
    known = set(feeders)
    return tuple(sorted(name for name in _ids(study) if SEPARATOR not in name or _feeder(name) not in known))


def split(study: Study, feeders: Iterable[str]) -> dict[str, Study]:
    """The part of `study` that concerns each feeder, in that feeder's own ids; feeders without participants too."""
    return {feeder: _part(study, feeder) for feeder in feeders}


def merge(study: Study, answers: Mapping[str, Answer], version: str) -> Answer:
    """The answers of all feeders as one answer to `study`.

    It has the first status that is not `SOLVED` only where no feeder was solved. Otherwise it is solved,
    and `unanswered` names the resources of the feeders that were not, with the reasons in `detail`.
    """
    solved = {feeder: answer for feeder, answer in answers.items() if answer.status is Status.SOLVED}
    failed = {feeder: answer for feeder, answer in answers.items() if feeder not in solved}
    status = Status.SOLVED if solved or not failed else next(iter(failed.values())).status
    lost = tuple(p.resource for p in study.participants if _feeder(p.bus) in failed)
    return Answer(
        study_id=study.study_id,
        status=status,
        model_version=version,
        violations=tuple(_told(f, v) for f, answer in solved.items() for v in answer.violations),
        envelopes=tuple(_bound(f, e) for f, answer in solved.items() for e in answer.envelopes),
        flows=tuple(replace(x, asset_id=_full(f, x.asset_id)) for f, a in solved.items() for x in a.flows),
        alarms=tuple(_told(f, v) for f, answer in solved.items() for v in answer.alarms),
        islands=tuple(
            Island(_case(f, one.case), tuple(_unsupplied(study, f, name) for name in one.ids))
            for f, answer in solved.items()
            for one in answer.islands
        ),
        unsupplied=tuple(_unsupplied(study, f, name) for f, a in solved.items() for name in a.unsupplied),
        unanswered=lost if solved else (),
        spare=tuple(_bound(f, e) for f, answer in failed.items() for e in answer.spare),
        detail="; ".join(f"{feeder}: {answer.detail}" for feeder, answer in answers.items() if answer.detail),
        proof_runs=sum(answer.proof_runs for answer in solved.values()),
        proof_violations=sum(answer.proof_violations for answer in solved.values()),
        power_flows=sum(answer.power_flows for answer in answers.values()),
        duration_s=max((answer.duration_s for answer in answers.values()), default=0.0),
    )


def _full(feeder: str, name: str) -> str:
    return f"{feeder}{SEPARATOR}{name}"


def _case(feeder: str, case: str) -> str:
    return case if case == NORMAL else _full(feeder, case)


def _told(feeder: str, violation: Violation) -> Violation:
    return replace(violation, asset_id=_full(feeder, violation.asset_id), case=_case(feeder, violation.case))


def _bound(feeder: str, envelope: Envelope) -> Envelope:
    why = envelope.binding
    if why is None:
        return envelope
    full = replace(why, asset_id=_full(feeder, why.asset_id), case=_case(feeder, why.case))
    return replace(envelope, binding=full)


def _unsupplied(study: Study, feeder: str, name: str) -> str:
    """Resources are named zone-wide already; everything else belongs to its feeder."""
    return name if any(p.resource == name for p in study.participants) else _full(feeder, name)


def _feeder(name: str) -> str:
    return name.partition(SEPARATOR)[0]


def _ids(study: Study) -> set[str]:
    tables: tuple[Iterable[str], ...] = (
        *(study.load_w, study.unit_w, study.ratings),
        *(_named(state) for state in (study.state, *study.states)),
        (participant.bus for participant in study.participants),
        (case for case in study.contingencies if isinstance(case, str)),
        (name for case in study.contingencies if isinstance(case, Contingency) for name in _changed(case)),
    )
    return {name for table in tables for name in table}


def _changed(case: Contingency) -> set[str]:
    """Ids of everything that a contingency changes."""
    return _named(case.changes)


def _named(state: NetworkState) -> set[str]:
    return {*state.taps, *state.switches_closed, *state.in_service}


def _part(study: Study, feeder: str) -> Study:
    return replace(
        study,
        participants=tuple(
            replace(p, bus=p.bus.partition(SEPARATOR)[2]) for p in study.participants if _feeder(p.bus) == feeder
        ),
        load_w=_own(study.load_w, feeder),
        unit_w=_own(study.unit_w, feeder),
        ratings=_own(study.ratings, feeder),
        contingencies=tuple(_case_of(study, feeder)),
        state=_state_of(study.state, feeder),
        states=tuple(_state_of(state, feeder) for state in study.states),
    )


def _own(table: Mapping[str, _Value], feeder: str) -> dict[str, _Value]:
    return {name.partition(SEPARATOR)[2]: value for name, value in table.items() if _feeder(name) == feeder}


def _state_of(state: NetworkState, feeder: str) -> NetworkState:
    return NetworkState(
        source_voltage_pu=state.source_voltage_pu,
        taps=_own(state.taps, feeder),
        switches_closed=_own(state.switches_closed, feeder),
        in_service=_own(state.in_service, feeder),
    )


def _case_of(study: Study, feeder: str) -> Iterator[str | Contingency]:
    """Contingencies that touch the feeder."""
    for case in study.contingencies:
        if isinstance(case, str):
            if _feeder(case) == feeder:
                yield case.partition(SEPARATOR)[2]
        elif feeder in map(_feeder, _changed(case)) or case.changes.source_voltage_pu is not None:
            yield Contingency(case.id.removeprefix(f"{feeder}{SEPARATOR}"), _state_of(case.changes, feeder))
