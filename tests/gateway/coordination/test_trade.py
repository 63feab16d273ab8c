"""Orders, offers and needs: what ends them, and what is said twice."""

from dataclasses import replace

from gateway.coordination import answers
from gateway.coordination.admission import outdated, refusal
from gateway.coordination.book import Book
from gateway.coordination.events import Alarmed, Received, Sent
from gateway.coordination.lifecycle import NeedState, OrderState
from gateway.coordination.market_messages import (
    Block,
    MarketSide,
    NeedKind,
    NeedPost,
    NeedWithdraw,
    OfferReject,
    OfferRevoke,
    OfferSubmit,
    OrderCommit,
    OrderIssue,
    RejectCode,
)
from gateway.coordination.messages import AckCommit, AckStatus, Body, Dispatch, Message
from gateway.coordination.situation import LONGEST_ID
from gateway.coordination.zone import DsoModel
from tests.gateway.coordination.build import MW, T, decided, folded, limit, message, outage, sent, situation, zone


def order(end_s: float = T + 300) -> Sent:
    body = OrderIssue("r1", 1, "A", "o1", "DSO", MW, T, end_s, 50.0)
    return Sent(message("DSO", "AGENT_A", body, "order"), T)


def heard(body: Body, at_s: float, msg_id: str, sender: str = "AGENT_A") -> Received:
    return Received(message(sender, "DSO", body, msg_id), at_s)


def committed(at_s: float) -> Received:
    return heard(OrderCommit("r1", 1, "A", MW), at_s, "commit")


def state(book: Book) -> OrderState:
    return book.trade.instances["r1"].state


def test_an_order_that_nobody_committed_to_ends_with_its_interval():
    assert state(folded(order(), decided(T + 301))) is OrderState.DELIVERED, "what it did is for the meter to say"


def test_an_order_that_was_committed_to_ends_with_its_interval_even_where_nobody_saw_it_begin():
    assert state(folded(order(), committed(T - 1), decided(T + 301))) is OrderState.DELIVERED


def test_a_commitment_after_the_end_is_refused():
    book = folded(order(), decided(T + 301))
    assert "DELIVERED" in (refusal(book.trade, committed(T + 302).message, T + 302) or "")
    unseen = folded(order())
    assert refusal(unseen.trade, committed(T + 299).message, T + 299) is None
    assert "too late" in (refusal(unseen.trade, committed(T + 300).message, T + 300) or ""), "nobody saw it end yet"


def test_an_alarm_that_comes_after_the_end_changes_nothing():
    book = folded(order(), decided(T + 301), Alarmed("NON_RESPONSE", "r1", T + 301, ""))
    assert (state(book), book.trade.violations) == (OrderState.DELIVERED, 0)


def post() -> Sent:
    need = NeedPost("n1", 1, NeedKind.BALANCE, "TD1", MW, T, T + 300, T + 30)
    return Sent(message("DSO", "AGENT_A", need, "post"), T)


def test_a_need_is_over_with_its_interval():
    assert folded(post(), decided(T + 299)).trade.needs["n1"].state is NeedState.POSTED
    assert folded(post(), decided(T + 300)).trade.needs["n1"].state is NeedState.CLOSED


def test_every_recipient_of_a_need_is_told_that_it_is_gone():
    gone = [Sent(message("DSO", to, NeedWithdraw("n1", 1), to), T + 1) for to in ("AGENT_A", "AGENT_B")]
    book = folded(post(), *gone)
    assert (book.trade.needs["n1"].state, book.trade.violations) == (NeedState.CLOSED, 0)


def test_an_offer_that_is_rejected_is_so_by_its_life_cycle():
    offer = OfferSubmit("o1", 1, "A", MarketSide.DISTRIBUTION, T, T + 300, (Block(MW, 30.0),), T + 300)
    no = OfferReject("o1", 1, "A", RejectCode.GATE_CLOSED)
    book = folded(heard(offer, T, "offer"), Sent(message("DSO", "AGENT_A", no, "no"), T))
    assert book.trade.offers["o1"].state is OrderState.REJECTED


def dispatch(msg_id: str, power_w: float = MW, version: int = 1) -> Received:
    return heard(Dispatch("d1", version, "A", power_w, T, T + 300), T + 1, msg_id, "IESO")


def test_a_dispatch_that_is_said_again_keeps_what_was_answered_to_it():
    answer = Sent(message("DSO", "IESO", AckCommit("d1", 1, "A", AckStatus.ACCEPT, MW), "yes"), T + 2)
    book = folded(dispatch("m1"), answer, dispatch("m2"))
    (one,) = book.trade.nodes["A"]
    assert one.answered is AckStatus.ACCEPT


def test_the_same_version_of_a_dispatch_in_other_words_has_no_effect():
    book = folded(dispatch("m1"), dispatch("m2", 2 * MW))
    assert [d.power_w for d in book.dispatches["A"]] == [MW]
    assert [d.power_w for d in folded(dispatch("m1"), dispatch("m2", 2 * MW, 2)).dispatches["A"]] == [2 * MW]


def answered(told: Message) -> list[str]:
    at = situation(Book(), T, facts=zone(model=DsoModel.MARKET_FACILITATOR))
    return [one.header.msg_id for one in answers.answers(at, told)]


def test_what_is_answered_to_another_message_has_another_id():
    first, second = outage("A", T).message, outage("A", T + 1, 0.5 * MW).message
    other = replace(second, header=replace(second.header, msg_id="o2"))
    assert len({*answered(first), *answered(other)}) == 4, "acknowledged and passed on, twice"


def test_an_id_never_becomes_longer_than_the_wire_takes():
    gone = NeedWithdraw("n1", 1)
    found = [situation(Book(), T).message("IESO", "x" * 256, gone, f":{n}").header.msg_id for n in range(2)]
    assert {len(one) for one in found} == {LONGEST_ID}
    assert len(set(found)) == 2


def offer(at_s: float = T) -> Received:
    body = OfferSubmit("o1", 1, "A", MarketSide.DISTRIBUTION, T, T + 300, (Block(MW, 30.0),), T + 300)
    return heard(body, at_s, "offer")


def test_what_was_decided_before_an_offer_was_taken_back_does_not_leave():
    told = order().message
    revoked = heard(OfferRevoke("o1", "A"), T, "revoke")
    assert not outdated(folded(offer()), told)
    assert outdated(folded(offer(), revoked), told)
    assert outdated(folded(offer(), order()), told), "nor what has been ordered since"


def test_a_limit_that_a_newer_one_has_overtaken_does_not_leave():
    older, newer = limit(1.0 * MW), limit(0.5 * MW, version=2)
    assert outdated(folded(sent(newer, T)), sent(older, T).message)
    assert not outdated(folded(sent(older, T)), sent(newer, T).message)
