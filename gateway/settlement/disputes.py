"""A party contests a settlement: what happens step by step, and the statement that follows."""

from dataclasses import dataclass, replace
from enum import StrEnum

from gateway.settlement.words import SettlementLine, Statement


class DisputeState(StrEnum):
    """Where a dispute stands."""

    OPEN = "OPEN"
    RESPONDED = "RESPONDED"
    ESCALATED = "ESCALATED"
    RESOLVED = "RESOLVED"


class DisputeEvent(StrEnum):
    """What can happen to it."""

    RESPOND = "DISPUTE.Respond"
    ESCALATE = "DISPUTE.Escalate"
    RESOLVE = "DISPUTE.Resolve"


TRANSITIONS = {
    (DisputeState.OPEN, DisputeEvent.RESPOND): DisputeState.RESPONDED,
    (DisputeState.RESPONDED, DisputeEvent.ESCALATE): DisputeState.ESCALATED,
    (DisputeState.RESPONDED, DisputeEvent.RESOLVE): DisputeState.RESOLVED,
    (DisputeState.ESCALATED, DisputeEvent.RESOLVE): DisputeState.RESOLVED,
}
"""The whole life of a dispute; what is not here cannot happen."""


class DisputeError(ValueError):
    """Something that cannot happen to this dispute; says what can."""


@dataclass(frozen=True, slots=True)
class Dispute:
    """One contested statement."""

    dispute_id: str
    statement_id: str
    version: int
    """Of the statement contested."""
    by: str
    claim: str
    evidence: str = ""
    state: DisputeState = DisputeState.OPEN
    resolution: str = ""
    mirrors: str = ""
    """The dispute of a DER or aggregator that this one carries on towards the system operator."""


def opened(dispute: Dispute, statement: Statement, now_s: float, window_s: float) -> Dispute:
    """A new dispute, if it may be.

    Raises:
        DisputeError: it is of another statement, the window is over, or the party has nothing to do with it.
    """
    _same(dispute, statement)
    if now_s > statement.period_end_s + window_s:
        raise DisputeError(
            f"{statement.statement_id}: the dispute window ended {window_s / 86400:g} days after the period"
        )
    if dispute.by not in {statement.party, *(name for line in statement.lines for name in (line.payer, line.payee))}:
        raise DisputeError(f"{statement.statement_id}: {dispute.by} has no line in it; only its parties may contest it")
    return dispute


def moved(dispute: Dispute, event: DisputeEvent, resolution: str = "") -> Dispute:
    """The dispute after `event`.

    Raises:
        DisputeError: that cannot happen in its state.
    """
    after = TRANSITIONS.get((dispute.state, event))
    if after is None:
        possible = [e.value for s, e in TRANSITIONS if s is dispute.state]
        raise DisputeError(
            f"{dispute.dispute_id} is {dispute.state}, so {event.value} cannot happen; "
            f"{', '.join(possible) or 'nothing'} can"
        )
    return replace(dispute, state=after, resolution=resolution or dispute.resolution)


def resolved(
    dispute: Dispute, statement: Statement, lines: tuple[SettlementLine, ...], reason: str
) -> tuple[Dispute, Statement]:
    """The dispute closed and the statement's next version with `lines` in place of its own; the old one stays.

    Raises:
        DisputeError: the dispute is of another statement, or not ready to be resolved.
    """
    _same(dispute, statement)
    return moved(dispute, DisputeEvent.RESOLVE, reason), statement.corrected(lines, reason)


def mirrored(dispute: Dispute, dispute_id: str, operator: str, statement: Statement) -> Dispute:
    """The same claim carried on by the DSO towards the system operator, where the DSO is party on both sides."""
    return Dispute(
        dispute_id,
        statement.statement_id,
        statement.version,
        by=operator,
        claim=dispute.claim,
        evidence=dispute.evidence,
        mirrors=dispute.dispute_id,
    )


def _same(dispute: Dispute, statement: Statement) -> None:
    if (dispute.statement_id, dispute.version) != (statement.statement_id, statement.version):
        raise DisputeError(f"{dispute.dispute_id} contests {dispute.statement_id} version {dispute.version}")
