"""Disputes of statements: opened by a party, answered and resolved by us, carried on upward by a total DSO."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.coordination.events import Contested, Event, Stated
from gateway.coordination.messages import Message
from gateway.coordination.settlement_messages import (
    DisputeOpen,
    DisputeResolve,
    DisputeRespond,
    MeterReport,
    SettlementReport,
)
from gateway.coordination.settling import disagreements, passed_on, settlement_reports
from gateway.coordination.situation import Situation
from gateway.coordination.zone import DsoModel
from gateway.settlement import disputes
from gateway.settlement.assessment import Assessment, measured_again
from gateway.settlement.disputes import Dispute, DisputeError, DisputeEvent, DisputeState
from gateway.settlement.metered import resampled
from gateway.settlement.words import MeterInterval, MeterSource, Statement

UNDER_REVIEW = "received; the meter data are being compared"


@dataclass(frozen=True, slots=True)
class Decided:
    """What follows from a decision about a dispute."""

    events: tuple[Event, ...]
    messages: tuple[Message, ...]


Decide = Callable[[Situation], Decided]
"""Raises `ValueError` where it cannot be."""


def refusal(at: Situation, message: Message) -> str | None:
    """Why a dispute cannot be opened, or `None` where it can."""
    body = message.body
    if not isinstance(body, DisputeOpen):
        return None
    if body.dispute_id in at.book.accounts.disputes:
        return f"DISPUTE_KNOWN: {body.dispute_id} was opened before; choose another id"
    try:
        _opened(at, message, body)
    except DisputeError as error:
        return f"DISPUTE_REFUSED: {error}"
    return None


def followed(at: Situation, message: Message) -> Decided:
    """What follows from a message that was taken, for the books: a dispute, a charge passed on, an alarm."""
    body = message.body
    if isinstance(body, SettlementReport) and message.header.sender == at.zone.system_operator:
        passed = passed_on(at, body)
        return Decided((passed,) if passed.charges else (), ())
    if isinstance(body, MeterReport) and body.resource in at.zone.resources:
        ours = [
            MeterInterval(body.resource, p.start_s, p.length_s, p.metered_w * p.length_s / 3600)
            for one in at.book.accounts.assessed.values()
            if one.resource == body.resource and one.end_s > body.start_s
            for p in one.performances
        ]
        return Decided(disagreements(at, at.zone.resources[body.resource], ours), ())
    return opened(at, message)


def opened(at: Situation, message: Message) -> Decided:
    """A dispute that came: answered at once, and carried on to the system operator by a total DSO."""
    body = message.body
    if not isinstance(body, DisputeOpen):
        return Decided((), ())
    dispute = disputes.moved(_opened(at, message, body), DisputeEvent.RESPOND)
    answer = at.message(message.header.sender, body.dispute_id, DisputeRespond(body.dispute_id, UNDER_REVIEW))
    events: list[Event] = [Contested(dispute, at.now_s)]
    messages = [answer]
    if at.zone.model is DsoModel.TOTAL_DSO and at.zone.system_operator:
        above = at.book.accounts.operator_statement or body.statement_id
        mirror = Dispute(
            f"{body.dispute_id}:mirror", above, 1, at.zone.dso, body.claim, body.evidence, mirrors=body.dispute_id
        )
        events.append(Contested(mirror, at.now_s))
        told = DisputeOpen(mirror.dispute_id, above, 1, "as claimed below the node", "meter data on request")
        messages.append(at.message(at.zone.system_operator, mirror.dispute_id, told))
    return Decided(tuple(events), tuple(messages))


def responded(at: Situation, dispute_id: str, answer: str) -> Decided:
    """A further answer to whoever opened it.

    Raises:
        ValueError: there is no such dispute, or it is over.
    """
    dispute = _known(at, dispute_id)
    if dispute.state is DisputeState.RESOLVED:
        raise ValueError(f"dispute {dispute_id} is resolved: {dispute.resolution}")
    body = DisputeRespond(dispute_id, answer[:256])
    return Decided((), (at.message(dispute.by, dispute_id, body, suffix=f":{at.now_s:.0f}"),))


def spans(at: Situation, dispute_id: str) -> tuple[tuple[str, float, float], ...]:
    """Resource and time of everything that a dispute is about; nothing where there is no such dispute."""
    dispute = at.book.accounts.disputes.get(dispute_id)
    statement = None if dispute is None else at.book.accounts.newest(dispute.statement_id)
    return () if statement is None else tuple((a.resource, a.start_s, a.end_s) for a in _behind(at, statement))


def resolved(
    at: Situation,
    dispute_id: str,
    meter: MeterSource,
    reason: str,
    imported: Mapping[str, Sequence[MeterInterval]],
) -> Decided:
    """The end of a dispute: a new version of the statement by the participant's meter, or the old one confirmed.

    Args:
        imported: readings of that meter that did not come by message, by resource.

    Raises:
        ValueError: there is no such dispute, its life does not allow it now, or the meter has nothing to say.
    """
    dispute, accounts = _known(at, dispute_id), at.book.accounts
    statement = accounts.newest(dispute.statement_id)
    if statement is None:
        raise ValueError(f"dispute {dispute_id} is about {dispute.statement_id}, which was made elsewhere")
    if meter is not MeterSource.MARKET_PARTICIPANT:
        ended = disputes.moved(dispute, DisputeEvent.RESOLVE, reason)
        told = DisputeResolve(dispute_id, reason[:256], statement.version)
        return Decided((Contested(ended, at.now_s, ended=True),), (at.message(dispute.by, dispute_id, told),))
    before = _behind(at, statement)
    after = tuple(_again(at, one, imported.get(one.resource, ())) for one in before)
    if all(one is other for one, other in zip(before, after, strict=True)):
        raise ValueError(
            f"dispute {dispute_id}: the participant's meter has no reading of the time in question; "
            "it comes as METER.Report, or by `ampacity meter import --meter mp`"
        )
    refs = {one.ref for one in before}
    kept = tuple(line for line in statement.lines if line.reference not in refs)
    lines = (*(line for one in after for line in one.lines if statement.party in (line.payer, line.payee)), *kept)
    contested = replace(dispute, version=statement.version)
    ended, corrected = disputes.resolved(contested, statement, lines, reason)
    told = DisputeResolve(dispute_id, reason[:256], corrected.version)
    events: tuple[Event, ...] = (
        Contested(replace(ended, version=dispute.version), at.now_s, after, ended=True),
        Stated((corrected,), at.now_s),
    )
    messages = (at.message(dispute.by, dispute_id, told), *settlement_reports(at, (corrected,)))
    return Decided(events, messages)


def _opened(at: Situation, message: Message, body: DisputeOpen) -> Dispute:
    statement = at.book.accounts.newest(body.statement_id)
    if statement is None:
        raise DisputeError(f"{body.statement_id} is no statement of ours")
    dispute = Dispute(
        body.dispute_id, body.statement_id, body.version, message.header.sender, body.claim, body.evidence
    )
    return disputes.opened(dispute, statement, at.now_s, at.zone.settlement.dispute_window_s)


def _known(at: Situation, dispute_id: str) -> Dispute:
    dispute = at.book.accounts.disputes.get(dispute_id)
    if dispute is None:
        known = ", ".join(at.book.accounts.disputes) or "none"
        raise ValueError(f"dispute {dispute_id!r} is unknown; there are: {known}")
    return dispute


def _behind(at: Situation, statement: Statement) -> tuple[Assessment, ...]:
    """What the lines of a statement were calculated from."""
    refs = {(line.reference, line.resource) for line in statement.lines}
    return tuple(one for one in at.book.accounts.assessed.values() if (one.ref, one.resource) in refs)


def _again(at: Situation, found: Assessment, imported: Sequence[MeterInterval]) -> Assessment:
    """By the participant's meter, as far as it goes."""
    told = at.book.accounts.readings.get(found.resource, {}).values()
    windows = [(p.start_s, p.length_s) for p in found.performances]
    return measured_again(found, {one.start_s: one for one in resampled([*imported, *told], windows)})
