"""What must hold whatever happens: the journal is folded by a second book, and every fact is held against it."""

from collections import Counter
from copy import deepcopy
from dataclasses import fields
from enum import StrEnum

from gateway import record
from gateway.coordination import routing
from gateway.coordination.book import Book
from gateway.coordination.events import Event, Issued, Received, Sent
from gateway.coordination.lifecycle import ACTIVE, ALERT, NEED, ORDER, Machine, NeedState, OrderState
from gateway.coordination.messages import LimitIssue
from gateway.coordination.precedence import GRACE_S
from protocols.signals import Bounds, Control, Release
from tests.gateway.coordination.chaos import RESOURCES, Chaos

NOT_KEPT = frozenset({"last_solved_s", "last_answer", "settled_w", "unanswered_since_s", "tightest"})
"""What cycles without a decision bring up to date beside the journal; it is found again by the first cycle."""
SAME_W = 1.0
ON_ITS_WAY_S = 10.0
"""A message that was written so lately may not have been taken yet when a play ends."""


class Watch:
    """Follows one play."""

    def __init__(self, play: Chaos) -> None:
        self.play, self.book, self.seq = play, Book(), 0
        self.sent: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.issued: dict[str, int] = {}
        self.limited: dict[str, int] = {}
        self.instructions: set[tuple[str, int]] = set()

    def look(self) -> None:
        """Read on in the journal, and hold the gateway against it."""
        for fact in self.play.journal.facts(self.seq):
            self.seq += 1
            if isinstance(fact, Event):
                self._event(fact)
        self._left()
        self._alive()
        assert self.play.problems == []

    def _event(self, event: Event) -> None:
        before = _states(self.book)
        self._checked(event)
        self.book.fold(event)
        for key, state in _states(self.book).items():
            _assert_way(key, before.get(key), state)
        assert self.book.trade.violations == 0, f"{event} is a STATE_VIOLATION"

    def _checked(self, event: Event) -> None:
        match event:
            case Received(message):
                self.received[message.header.msg_id] += 1
                assert self.received[message.header.msg_id] == 1, f"{message} had two effects"
                assert routing.refusal(self.play.facts, message) is None
            case Sent(message):
                self.sent[message.header.msg_id] += 1
                assert self.sent[message.header.msg_id] == 1, f"{message} says something new under an old id"
                assert routing.refusal(self.play.facts, message) is None
                if isinstance(message.body, LimitIssue):
                    self._limit(message.body)
            case Issued():
                self._issued(event)
            case _:
                pass

    def _limit(self, limit: LimitIssue) -> None:
        newest = self.limited.get(limit.resource, 0)
        again = any(r.limit == limit for r in self.book.limits.get(limit.resource, ()))
        assert again or limit.version > newest, f"{limit} is older than version {newest}"
        self.limited[limit.resource] = max(newest, limit.version)

    def _issued(self, event: Issued) -> None:
        told = event.instruction
        assert told.version >= self.issued.get(told.resource, 0), f"{told} is older than what was issued"
        self.issued[told.resource] = told.version
        self.instructions.add((told.resource, told.version))
        allowed, resource = self._allowed(told.resource, event.at_s), RESOURCES[told.resource]
        if isinstance(told, Release):
            assert allowed.is_open, f"{told} frees what {allowed} binds"
            return
        ceiling_w = resource.ceiling_w if told.limit.ceiling_w is None else told.limit.ceiling_w
        floor_w = resource.floor_w if told.limit.floor_w is None else told.limit.floor_w
        target_w = ceiling_w if told.target_w is None else told.target_w
        for asked_w in (ceiling_w, min(max(target_w, floor_w), ceiling_w)):
            assert abs(allowed.clamp(asked_w) - asked_w) <= SAME_W or asked_w < 0, f"{told} is beyond {allowed}"

    def _allowed(self, resource: str, at_s: float) -> Bounds:
        """Emergency and limit in force by the journal."""
        emergency, limit = self.book.emergencies.control(resource), self.book.limit_at(resource, at_s)
        if emergency is None:
            return Bounds(None, None if limit is None else limit.limit.ceiling_w)
        apart = limit is None or limit.limit.ceiling_w < emergency.floor_w or limit.limit.floor_w > emergency.ceiling_w
        if limit is None or apart:
            return Bounds(None, emergency.ceiling_w)  # it goes before everything else
        return Bounds(None, min(emergency.ceiling_w, limit.limit.ceiling_w))

    def _left(self) -> None:
        """Whatever left was written before."""
        for message in self.play.told:
            assert message.header.msg_id in self.sent, f"{message} was not journalled"
        for told in self.play.applied:
            assert (told.resource, told.version) in self.instructions, f"{told} was not journalled"

    def _alive(self) -> None:
        life = self.play.life
        if life is None or not life.alive or life.loop.ground.ledger._turn.locked():
            return
        now_s = self.play.now()
        live, folded = deepcopy(life.loop.book), deepcopy(self.book)
        for book in (live, folded):
            book.trade.pass_time(now_s)
        assert_same(live, folded)
        restored = record.restore(self.play.journal)
        restored.trade.pass_time(now_s)
        assert_same(restored, folded)

    def at_rest(self) -> None:
        """Long after the last act: nothing was lost on the way."""
        now_s, book = self.play.now(), deepcopy(self.book)
        book.trade.pass_time(now_s)
        for instance in book.trade.instances.values():
            over = instance.end_s + GRACE_S < now_s
            assert not (over and instance.state in ACTIVE), f"{instance} is owed for ever"
        for record_ in book.trade.offers.values():
            over = min(record_.offer.end_s, record_.offer.valid_until_s) < now_s
            assert not (over and record_.state is OrderState.OFFERED), f"{record_} stands for ever"
        for need in book.trade.needs.values():
            over = need.need.end_s < now_s
            assert not (over and need.state in (NeedState.POSTED, NeedState.OFFERED)), f"{need} is open for ever"
        for proposal in book.approvals.waiting.values():
            assert proposal.expires_s > now_s - 60.0, f"{proposal} waits for ever"
        for held in book.controls.values():
            if isinstance(held.instruction, Control):
                assert held.instruction.expiry_s < now_s + 3600.0
        taken = self.received.keys() | {m.header.msg_id for m, _ in self.play.refused}
        for message in self.play.written:
            on_its_way = message.header.created_at_s > now_s - ON_ITS_WAY_S
            assert on_its_way or message.header.msg_id in taken, f"{message} was lost"


def assert_same(one: Book, other: Book) -> None:
    """Two books tell the same."""
    for part in fields(Book):
        if part.name not in NOT_KEPT:
            assert getattr(one, part.name) == getattr(other, part.name), part.name


Key = tuple[str, str, int]


def _states(book: Book) -> dict[Key, StrEnum]:
    trade = book.trade
    found: dict[Key, StrEnum] = {("order", i.id, i.version): i.state for i in trade.instances.values()}
    found |= {("offer", o.offer.offer_id, o.offer.version): o.state for o in trade.offers.values()}
    found |= {("need", n.need.need_id, n.need.version): n.state for n in trade.needs.values()}
    found[("alert", "", 0)] = book.emergencies.state
    return found


_MACHINES: dict[str, Machine] = {"order": ORDER, "offer": ORDER, "need": NEED, "alert": ALERT}


def _assert_way(key: Key, before: StrEnum | None, after: StrEnum) -> None:
    """One event may be several steps (an interval that begins and ends at once), each of them in the table."""
    if before is None or before is after:
        return
    reached = {before}
    for _ in range(3):
        reached |= {to for (start, _), to in _MACHINES[key[0]].table.items() if start in reached}
        # An emergency ends where it began.
        reached |= set(ACTIVE) if OrderState.EMERGENCY in reached else set()
    assert after in reached, f"{key} went from {before} to {after}"
