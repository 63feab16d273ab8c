"""What a party sees of the book: pure, by role and model."""

from dataclasses import replace

import pytest

from gateway.coordination.book import Book
from gateway.coordination.events import Event, Received, Sent
from gateway.coordination.market import MarketRules
from gateway.coordination.messages import (
    AckCommit,
    AckReceipt,
    AckStatus,
    Body,
    Dispatch,
    DispatchCopy,
    Header,
    LimitAck,
    LimitIssue,
    Message,
    OutageNotice,
    Supporting,
)
from gateway.coordination.operation_messages import Instruction, ShortfallNotice
from gateway.coordination.zone import Controllable, DsoModel, Resource, Role, ZoneFacts
from gateway.parties import view
from gateway.parties.states import state_of
from gateway.parties.view import Reader
from gateway.parties.words import MessageState, Owed, OwnDispatch
from grid_engine.results import Reason

T, DP = DsoModel.TOTAL_DSO, DsoModel.DUAL_PARTICIPATION


def resource(name: str, owner: str) -> Resource:
    return Resource(name, "B3", "abc", 0, 5e6, Controllable.SETPOINT, owner, "2020-01-01", 900)


def zone(model: DsoModel) -> ZoneFacts:
    parties = {"IESO": Role.SYSTEM_OPERATOR, "AGENT_A": Role.DERA, "AGENT_B": Role.DERA, "HOST": Role.HOST}
    own = {"PA": resource("PA", "AGENT_A"), "PB": resource("PB", "AGENT_B")}
    return ZoneFacts("Z", model, "v1", own, parties, market=MarketRules(nodes=("TD1",)))


def reader(party: str, model: DsoModel, *events: Event, now_s: float = 10.0) -> Reader:
    book = Book()
    for event in events:
        book.fold(event)
    return Reader(party, zone(model), book, now_s, 2.0)


def received(sender: str, body: Body, at_s: float = 0.0) -> Received:
    return Received(Message(Header(f"{sender} {body.code} {at_s}", "c", sender, "DSO", at_s, "Z", "T"), body), at_s)


def sent(recipient: str, body: Body, at_s: float = 0.0) -> Sent:
    return Sent(Message(Header(f"{recipient} {body.code} {at_s}", "c", "DSO", recipient, at_s, "Z", "T"), body), at_s)


LIMIT = LimitIssue("l", 1, "PA", 0, 300, 1e6, 0, Reason.THERMAL, "L12", 900, Supporting(1, 1, "v", "c"))
NODE = received("IESO", Dispatch("d1", 1, "TD1", 3e6, 0, 300))
ORDERED = sent("AGENT_A", Instruction("i1", 1, "PA", 2e6, 0, 300, 5e6, 0, "d1"), 1.0)


def test_the_system_operator_sees_its_dispatch_with_what_it_was_told_about_it() -> None:
    events = (
        NODE,
        sent("IESO", AckReceipt("d1", 1, "TD1"), 1.0),
        sent("IESO", AckCommit("d1", 1, "TD1", AckStatus.PARTIAL, 2e6), 5.0),
        sent("IESO", ShortfallNotice("TD1", 2e6, 0, 300, "CONSTRAINT", "d1"), 6.0),
    )
    (seen,) = view.dispatches(reader("IESO", T, *events))
    receipt, commitment = Owed("DSO", 2.0, done=True), Owed("DSO", 60.0, True, None, "PARTIAL", 2e6)
    assert seen == OwnDispatch("d1", 1, "TD1", 3e6, 0, 300, receipt, commitment, 2e6)
    known = state_of(reader("IESO", T, *events), NODE.message)
    assert known == MessageState("ACKNOWLEDGED", receipt, commitment)


@pytest.mark.parametrize("party", ["AGENT_A", "AGENT_B", "HOST"])
def test_nobody_else_sees_the_dispatch_of_a_node(party: str) -> None:
    assert list(view.dispatches(reader(party, T, NODE))) == []


def test_copies_are_seen_by_whose_resource_it_is() -> None:
    copy = received("IESO", DispatchCopy("d1", 1, "PA", 3e6, 0, 300))
    seen = {party: list(view.dispatches(reader(party, DP, copy))) for party in ("IESO", "AGENT_A", "AGENT_B")}
    assert seen["IESO"] == seen["AGENT_A"] == [OwnDispatch("d1", 1, "PA", 3e6, 0, 300)]
    assert seen["AGENT_B"] == []


def test_a_resource_shows_what_it_is_to_do_within_its_limit() -> None:
    outage = received("AGENT_A", OutageNotice("o", "PA", 0.0, 5, 20, planned=False))
    events = (received("IESO", DispatchCopy("d1", 1, "PA", 3e6, 0, 300)), sent("AGENT_A", LIMIT), outage)
    (one,) = view.resources(reader("AGENT_A", DP, *events))
    assert (one.limit_ceiling_w, one.owed_w, one.outage) == (1e6, 1e6, True)
    (one,) = view.resources(reader("AGENT_A", T, NODE, ORDERED, now_s=30.0))
    assert (one.limit_id, one.owed_w, one.outage) == ("", 2e6, False)


def test_what_was_asked_shows_the_answers_that_are_owed() -> None:
    (waiting,) = view.orders(reader("AGENT_A", T, NODE, ORDERED))
    assert (waiting.receipt, waiting.commitment) == (Owed("AGENT_A", 3.0, False), Owed("AGENT_A", 61.0, False))
    committed = received("AGENT_A", AckCommit("i1", 1, "PA", AckStatus.ACCEPT, 2e6), 4.0)
    (done,) = view.orders(reader("AGENT_A", T, NODE, ORDERED, committed))
    assert done.commitment == Owed("AGENT_A", 61.0, True, 4.0, "ACCEPT", 2e6)
    declined = received("AGENT_A", AckCommit("i1", 1, "PA", AckStatus.DECLINE, 0.0), 4.0)
    (refused,) = view.orders(reader("AGENT_A", T, NODE, ORDERED, declined))
    assert (refused.state, refused.commitment.status, refused.commitment.done) == ("DECLINED", "DECLINE", True)
    assert list(view.orders(reader("AGENT_B", T, NODE, ORDERED))) == []


@pytest.mark.parametrize(
    ("events", "now_s", "state"),
    [
        ((), 10.0, "ISSUED"),
        ((), 61.0, "UNCONFIRMED"),
        ((received("AGENT_A", LimitAck("l", 1, "PA", AckStatus.ACCEPT, 1e6), 5.0),), 10.0, "ACTIVE"),
        ((), 900.0, "EXPIRED"),
        ((sent("AGENT_A", replace(LIMIT, version=2, limit_id="l2"), 9.0),), 10.0, "SUPERSEDED"),
    ],
)
def test_a_limit_has_a_state(events: tuple[Event, ...], now_s: float, state: str) -> None:
    issued = sent("AGENT_A", LIMIT)
    assert state_of(reader("AGENT_A", T, issued, *events, now_s=now_s), issued.message).state == state
