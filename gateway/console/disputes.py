"""Disputes at the operator's desk: what is contested, opening one for a party, answering and resolving it."""

from collections.abc import Coroutine
from typing import Annotated, Literal

from pydantic import Field

from gateway.accounting import Accounting
from gateway.console.seat import Seat
from gateway.console.words import Act, Because, By, Id
from gateway.coordination.messages import Header, Message
from gateway.coordination.settlement_messages import DisputeOpen
from gateway.coordination.situation import Situation
from gateway.exchange import CannotRecord, RefusedMessage
from gateway.record import Acted
from gateway.settlement.disputes import Dispute
from gateway.settlement.words import MeterSource
from ieee2030_5.admin.api import Endpoint
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.admin.words import Word
from ieee2030_5.records import KeepError

Claim = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")]


class DisputeIn(Act):
    """What a party contests, in its name."""

    dispute: Id
    """Id of its own for it."""
    party: By
    claim: Claim


class AnswerIn(Act):
    """A further answer to whoever opened it."""

    answer: Because


class ResolutionIn(Act):
    """Whose meter is right."""

    meter: Literal["LDC", "MP"]
    because: Because


class VersionOut(Word):
    """One version of a statement."""

    statement: str
    version: int
    party: str
    net: float
    """Dollars that the party receives; negative where it owes."""
    reason: str


class DisputeOut(Word):
    """A dispute, and the versions of the statement that it is about."""

    id: str
    statement: str
    version: int
    by: str
    claim: str
    state: str
    resolution: str
    mirrors: str
    """The dispute that it carries on to the system operator; empty for one of a DER/A."""
    versions: list[VersionOut]


class DisputeList(Word):
    """All of them, and every statement that may be contested."""

    disputes: list[DisputeOut]
    statements: list[VersionOut]


def disputes(seat: Seat) -> DisputeList:
    """What is contested, and what may be."""
    at = seat.situation()
    found = [_told(at, one) for one in at.book.accounts.disputes.values()]
    newest = [version for name in at.book.accounts.statements for version in _versions(at, name)[-1:]]
    return DisputeList(disputes=found, statements=newest)


async def dispute(seat: Seat, statement_id: str, what: DisputeIn) -> DisputeOut:
    """Contest a statement for a party, as if it had said so itself."""
    at = seat.situation()
    statement = at.book.accounts.newest(statement_id)
    if statement is None:
        raise unknown("statement", statement_id, "`ampacity dispute list ZONE` shows all")
    body = DisputeOpen(what.dispute, statement_id, statement.version, what.claim)
    zone, corr_id = at.zone, what.dispute
    header = Header(f"{body.code}:{corr_id}", corr_id, what.party, zone.dso, at.now_s, zone.id, zone.model.value)
    await _noted(seat, what.by, f"contests for {what.party}", statement_id, what.claim)
    try:
        await seat.exchange.receive(Message(header, body))
    except RefusedMessage as error:
        raise Refusal(409, str(error), "dispute", "nothing was opened; `ampacity dispute list ZONE`") from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error
    return _one(seat, what.dispute)


async def answer(seat: Seat, dispute_id: str, what: AnswerIn) -> DisputeOut:
    """Tell whoever opened it more."""
    _one(seat, dispute_id)
    await _noted(seat, what.by, "answers a dispute", dispute_id, what.answer)
    await _decided(_accounting(seat).respond(dispute_id, what.answer))
    return _one(seat, dispute_id)


async def resolve(seat: Seat, dispute_id: str, what: ResolutionIn) -> DisputeOut:
    """End it: for the participant's meter with a new version of the statement, or for ours."""
    _one(seat, dispute_id)
    await _noted(seat, what.by, f"resolves a dispute for meter {what.meter}", dispute_id, what.because)
    await _decided(_accounting(seat).resolve(dispute_id, MeterSource(what.meter), what.because))
    return _one(seat, dispute_id)


def _accounting(seat: Seat) -> Accounting:
    return seat.accounting or Accounting(seat.exchange.ground, seat.exchange)


async def _decided(doing: Coroutine[None, None, None]) -> None:
    try:
        await doing
    except RefusedMessage as error:
        raise Refusal(409, str(error), "dispute", "nothing was done; `ampacity dispute list ZONE` shows all") from error
    except CannotRecord as error:
        raise KeepError(str(error)) from error


async def _noted(seat: Seat, by: str, what: str, subject: str, because: str) -> None:
    fact = Acted(seat.exchange.ground.now(), by, what, subject, because)
    if not await seat.exchange.ground.ledger.commit([fact]):
        raise KeepError("the journal cannot be written; nothing was done")


def _one(seat: Seat, dispute_id: str) -> DisputeOut:
    at = seat.situation()
    found = at.book.accounts.disputes.get(dispute_id)
    if found is None:
        raise unknown("dispute", dispute_id, "`ampacity dispute list ZONE` shows all")
    return _told(at, found)


def _told(at: Situation, one: Dispute) -> DisputeOut:
    return DisputeOut(
        id=one.dispute_id,
        statement=one.statement_id,
        version=one.version,
        by=one.by,
        claim=one.claim,
        state=one.state.value,
        resolution=one.resolution,
        mirrors=one.mirrors,
        versions=_versions(at, one.statement_id),
    )


def _versions(at: Situation, statement_id: str) -> list[VersionOut]:
    return [
        VersionOut(
            statement=one.statement_id,
            version=one.version,
            party=one.party,
            net=round(one.net, 2),
            reason=one.reason,
        )
        for one in at.book.accounts.statements.get(statement_id, ())
    ]


ENDPOINTS: tuple[Endpoint[Seat], ...] = (
    Endpoint("GET", "/disputes", "Statements and what is contested", lambda s, _, __: disputes(s), gives=DisputeList),
    Endpoint(
        "POST",
        "/statements/{statement}/dispute",
        "Contest a statement for a party",
        lambda s, a, b: dispute(s, a.names["statement"], b),
        DisputeIn,
        DisputeOut,
        201,
    ),
    Endpoint(
        "POST",
        "/disputes/{dispute}/answer",
        "Tell whoever opened a dispute more",
        lambda s, a, b: answer(s, a.names["dispute"], b),
        AnswerIn,
        DisputeOut,
    ),
    Endpoint(
        "POST",
        "/disputes/{dispute}/resolve",
        "End a dispute: for the participant's meter, or for ours",
        lambda s, a, b: resolve(s, a.names["dispute"], b),
        ResolutionIn,
        DisputeOut,
    ),
)

NAMES = {"statement": Id, "dispute": Id}
