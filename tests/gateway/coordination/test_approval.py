"""The operator's queue: what waits, what makes it void, and what a limit is like when it leaves at last."""

from dataclasses import replace

import pytest

from gateway.console.queue import waiting
from gateway.coordination import approval, conduct
from gateway.coordination.approval_record import BY_NEWER
from gateway.coordination.book import Book
from gateway.coordination.events import Planned, Proposed, Ruled
from gateway.coordination.market import Approval, Mode
from gateway.coordination.market_messages import NeedKind, NeedPost, OrderIssue
from gateway.coordination.messages import LimitClear, LimitIssue, Message
from gateway.coordination.situation import Situation
from gateway.coordination.zone import DsoModel, ZoneFacts
from grid_engine.dispatch.operation_words import Act, Operation
from tests.gateway.coordination.build import MW, T, folded, limit, measured, message, sent, situation, zone

MANUAL = replace(zone(), approval=Approval(Mode.MANUAL))


def at(book: Book, now_s: float = T + 10, facts: ZoneFacts = MANUAL) -> Situation:
    return situation(book, now_s, measured("A", 1.0 * MW, now_s), facts=facts)


def issue(of: LimitIssue) -> Message:
    return message("DSO", "AGENT_A", of, f"m{of.version}-{of.ceiling_w}")


def proposed(of: Situation, *messages: Message, plan: Planned | None = None) -> tuple[Proposed, ...]:
    return approval.sorted_out(of, messages, plan).proposed


def queued(*proposals: Proposed) -> Book:
    book = Book()
    for one in proposals:
        book.fold(one)
    return book


def test_in_automatic_mode_nothing_waits():
    auto = at(Book(), facts=zone())
    going = approval.sorted_out(auto, [issue(limit(0.5 * MW))], None)
    assert (len(going.messages), going.proposed) == (1, ())


def test_in_semi_automatic_mode_only_what_moves_much_waits():
    semi = at(Book(), facts=replace(zone(), approval=Approval(Mode.SEMI, 0.3 * MW)))
    going = approval.sorted_out(semi, [issue(limit(0.8 * MW)), issue(limit(0.6 * MW, 2))], None)
    assert [m.body.ceiling_w for m in going.messages] == [0.8 * MW], "A stands at 1.0 MW: this moves it by 0.2"
    assert [p.messages[0].body.ceiling_w for p in going.proposed] == [0.6 * MW]


def test_the_same_proposal_is_made_once_while_it_waits():
    (first,) = proposed(at(Book()), issue(limit(0.5 * MW)))
    assert proposed(at(queued(first), T + 20), issue(limit(0.5 * MW, 2))) == ()


def test_a_newer_limit_of_the_same_resource_makes_the_one_that_waits_void():
    (first,) = proposed(at(Book()), issue(limit(0.5 * MW)))
    later = at(queued(first), T + 20)
    newer = proposed(later, issue(limit(0.4 * MW)))
    assert [(r.action_id, r.approved, r.by) for r in approval.replaced(later, newer)] == [
        (first.action_id, False, BY_NEWER)
    ]
    book = queued(first, *newer)
    for ruled in approval.replaced(later, newer):
        book.fold(ruled)
    assert list(book.approvals.waiting) == [newer[0].action_id]
    assert proposed(at(book, T + 30), issue(limit(0.5 * MW))) != (), "and it may come back"


def test_what_was_turned_down_is_not_proposed_again_before_it_would_have_lapsed():
    (first,) = proposed(at(Book()), issue(limit(0.5 * MW)))
    book = queued(first)
    book.fold(Ruled(first.action_id, T + 15, approved=False, by="ada"))
    assert proposed(at(book, T + 20), issue(limit(0.5 * MW))) == ()
    assert len(proposed(at(book, T + 20), issue(limit(0.4 * MW)))) == 1, "something else may be"
    assert len(proposed(at(book, first.expires_s), issue(limit(0.5 * MW)))) == 1


def test_what_lapsed_is_proposed_again_at_once():
    (first,) = proposed(at(Book()), issue(limit(0.5 * MW)))
    over = at(queued(first), first.expires_s)
    (ruled,) = approval.lapsed(over)
    book = queued(first)
    book.fold(ruled)
    assert len(proposed(at(book, first.expires_s), issue(limit(0.5 * MW)))) == 1


def test_a_limit_gets_its_version_and_its_time_when_it_leaves():
    (first,) = proposed(at(Book()), issue(limit(0.5 * MW, 1)))
    meanwhile = folded(sent(limit(1.2 * MW, 1), T + 12), sent(limit(1.1 * MW, 2), T + 14))
    (leaves,) = approval.let_out(at(meanwhile, T + 310), first)
    body = leaves.body
    assert isinstance(body, LimitIssue)
    assert (body.version, body.limit_id, body.ceiling_w) == (3, "R1-A-3", 0.5 * MW)
    assert (body.end_s, body.expires_s) == (T + 600, T + 310 + 900), "to the end of the interval that runs then"
    assert (leaves.header.msg_id, leaves.header.created_at_s) == ("LIMIT.Issue:R1-A-3", T + 310)
    meanwhile.fold(sent(body, T + 310))
    assert meanwhile.limit_at("A", T + 311).limit.ceiling_w == 0.5 * MW


def test_the_note_to_the_system_operator_leaves_with_its_limit_and_tells_of_its_version():
    facts = replace(MANUAL, model=DsoModel.MARKET_FACILITATOR)
    held = folded(sent(limit(1.2 * MW, 4), T + 12))
    (first,) = proposed(at(Book(), facts=facts), issue(limit(0.5 * MW)))
    shown = replace(first, messages=conduct.accompanied(at(Book(), facts=facts), first.messages))
    leaves = conduct.accompanied(at(held, facts=facts), approval.let_out(at(held, facts=facts), shown))
    assert [m.code for m in leaves] == ["LIMIT.Issue", "LIMIT.Info", "LIMIT.Info"]
    assert {m.body.version for m in leaves} == {5}


@pytest.mark.parametrize(
    ("body", "what", "why"),
    [
        (limit(0.5 * MW), "A -2.50 MW … 0.50 MW", "THERMAL L12: 120.8 % at the requested powers"),
        (LimitClear("R1-A-1", 1, "A"), "LIMIT.Clear", "is not needed any more"),
        (
            OrderIssue("o", 1, "A", "offer-1", "p", 0.5 * MW, T, T + 300, 40.0),
            "A 0.50 MW 08:00:00.0 … 08:05:00.0 at 40.00 per MWh",
            "offer offer-1 at 40.00 per MWh",
        ),
        (
            NeedPost("n", 1, NeedKind.THERMAL, "L12", 0.5 * MW, T, T + 300, T + 30),
            "0.50 MW for thermal L12",
            "thermal L12: 0.50 MW are missing",
        ),
    ],
)
def test_what_waits_says_what_it_would_do_and_why(body: object, what: str, why: str):
    (one,) = proposed(at(Book()), message("DSO", "AGENT_A", body))  # type: ignore[arg-type]
    (told,) = waiting(at(queued(one))).waiting
    assert told.steps[0].who == "DSO → AGENT_A"
    assert what in told.steps[0].what
    assert why in told.why


def test_an_operation_of_the_network_waits_for_less_time_and_says_its_steps():
    steps = (Operation(Act.CLOSE, "SWT"), Operation(Act.OPEN, "SW12"))
    plan = Planned("plan-1", T + 10, "k7", "key", steps, ((0.0,), (1.0,)), detail="A unrestricted, losses halved")
    (one,) = proposed(at(Book()), plan=plan)
    (told,) = waiting(at(queued(one))).waiting
    assert [(step.who, step.what) for step in told.steps] == [("DSO → ADMS", "close SWT, then open SW12")]
    assert (told.why, told.cause, told.deadline_s) == ("A unrestricted, losses halved", "k7", T + 70)
