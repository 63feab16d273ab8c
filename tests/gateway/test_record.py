import sqlite3

import pytest

from gateway.coordination.book import Book
from gateway.coordination.events import (
    Alarmed,
    Answered,
    Decided,
    Instructed,
    IntervalClosed,
    Issued,
    Kept,
    Received,
    Sent,
)
from gateway.coordination.messages import DispatchCopy, Header, LimitClear, Message
from gateway.coordination.operator import OperatorInstruction
from gateway.journal.entries import Entry, JournalBrokenError, Kind
from gateway.journal.store import Journal, JournalReader
from gateway.record import Checkpoint, Started, entry, events, fact, latest_s, restore, time_of
from gateway.settlement.curtailment import Curtailment, Source
from grid_engine.results import Answer, Purpose, Status, Study
from protocols.signals import Ack, Baseline, Bounds, Control, LinkChanged, LinkState, Outcome, Release

HEADER = Header("m1", "corr", "IESO", "DSO", 0.0, "R1", "DP")
COPY = Message(HEADER, DispatchCopy("d1", 1, "A", 2e6, 0.0, 300.0))
CLEAR = Message(HEADER, LimitClear("l1", 1, "A"))
CONTROL = Control("A-c1", "A", 1, 0.0, 900.0, Bounds(None, 1.2e6))
DECIDED = Decided("k1", 5.0, Study("s", Purpose.IMPACT, 1, ()), Answer("s", Status.SOLVED, "v1"), {"A": 1.0})

TOOK = Curtailment("A", "l1", "L12", 0.0, 11.0, 2e6, 1.2e6, 2444.0, Source.DISPATCH)
CLOSED = IntervalClosed(0.0, 11.0, 2, 2, {"A": 1.2e6}, (TOOK,))

ASKED = OperatorInstruction("A-o1", "A", 1, 10.2, 900.0, "bench", Bounds(None, 1e6), 0.5e6)

FACTS = [
    (Started("R1", "DP", "r1-1", "0.1.0", "00", 1.0), Kind.STARTED, "R1", 1.0, ""),
    (Received(COPY, 2.0), Kind.PARTY_IN, "corr", 2.0, ""),
    (Sent(CLEAR, 3.0, "k1"), Kind.PARTY_OUT, "corr", 3.0, "k1"),
    (Kept(Baseline("A", {"x": 1.0}, 4.0)), Kind.BASELINE, "A", 4.0, ""),
    (DECIDED, Kind.DECIDED, "k1", 5.0, "k1"),
    (Issued(CONTROL, 6.0, "k1", "l1", 2e6), Kind.ISSUED, "A-c1", 6.0, "k1"),
    (Issued(Release("A-c2", "A", 2, {"x": 1.0}), 7.0, "k2"), Kind.RELEASED, "A-c2", 7.0, "k2"),
    (Answered(Ack("A-c1", "A", 1, Outcome.WRITTEN, 8.0)), Kind.ACKED, "A-c1", 8.0, ""),
    (Answered(Ack("A-c1", "A", 1, Outcome.UNVERIFIED, 9.0)), Kind.VERIFIED, "A-c1", 9.0, ""),
    (Alarmed("NON_RESPONSE", "l1", 10.0, "why"), Kind.ALARM, "l1", 10.0, ""),
    (Instructed(ASKED), Kind.OPERATED, "A-o1", 10.2, ""),
    (Checkpoint("R1", Book(alarms={("a", "b"): 1.0}), 10.5), Kind.CHECKPOINT, "R1", 10.5, ""),
    (LinkChanged("A", LinkState.LOST, 11.0, "closed"), Kind.LINK, "A", 11.0, ""),
    (CLOSED, Kind.INTERVAL, "0", 11.0, ""),
]


@pytest.mark.parametrize(("given", "kind", "key", "at_s", "cycle_id"), FACTS)
def test_every_fact_has_its_address_and_comes_back(given, kind, key, at_s, cycle_id):
    made = entry(given)
    assert (made.kind, made.key, made.at_s, made.cycle_id) == (kind, key, at_s, cycle_id)
    assert fact(made) == given
    assert time_of(given) == at_s


EVENTS = [given for given, kind, *_ in FACTS if kind is not Kind.CHECKPOINT]


def folded(facts) -> Book:
    book = Book()
    for event in events(map(entry, facts)):
        book.fold(event)
    return book


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.sqlite"


async def written(path, *appends) -> None:
    journal = Journal.open(path)
    for facts in appends:
        await journal.append([one if isinstance(one, Entry) else entry(one) for one in facts])
    journal.close()


def restored(path) -> Book:
    journal = JournalReader.open(path)
    try:
        return restore(journal)
    finally:
        journal.close()


async def test_a_book_is_the_same_after_a_restart(path):
    await written(path, EVENTS)
    assert restored(path) == folded(EVENTS)
    assert restored(path).controls["A"].instruction.control_id == "A-c2"


async def test_an_empty_journal_gives_an_empty_book(path):
    await written(path)
    assert restored(path) == Book()


@pytest.mark.parametrize("at", range(len(EVENTS) + 1))
async def test_a_checkpoint_anywhere_gives_the_same_book(path, at):
    before, after = EVENTS[:at], EVENTS[at:]
    await written(path, before, [Checkpoint("R1", folded(before), 99.0)], after)
    assert restored(path) == folded(EVENTS)


async def test_a_restart_begins_at_the_last_checkpoint(path):
    marked = Book(alarms={("only", "here"): 1.0})
    await written(path, EVENTS, [Checkpoint("R1", Book(), 50.0)], EVENTS, [Checkpoint("R1", marked, 60.0)])
    assert restored(path) == marked


async def test_a_checkpoint_of_another_version_is_passed_over(path):
    other = Entry(Kind.CHECKPOINT, "R1", 99.0, "", {"is": "Checkpoint", "zone": "R1", "book": {"new": 1}, "at_s": 1.0})
    await written(path, EVENTS[:5], [other], EVENTS[5:])
    assert restored(path) == folded(EVENTS)


async def test_an_altered_checkpoint_is_found(path):
    await written(path, EVENTS, [Checkpoint("R1", Book(), 50.0)])
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TRIGGER entry_stays_as_written")
        connection.execute("UPDATE entry SET body = CAST(replace(body, 'R1', 'R2') AS BLOB) WHERE kind = 'checkpoint'")
    connection.close()
    with pytest.raises(JournalBrokenError, match="checkpoint 'R1'"):
        restored(path)


async def test_the_latest_time_is_that_of_the_clock_that_was_last_vouched_for(path):
    def start(at_s: float, *, clock_trusted: bool = False) -> Started:
        return Started("R1", "DP", "r1-1", "0.1.0", "00", at_s, clock_trusted)

    def latest() -> float | None:
        journal = JournalReader.open(path)
        try:
            return latest_s(journal)
        finally:
            journal.close()

    await written(path)
    assert latest() is None
    await written(path, [start(1.0), LinkChanged("A", LinkState.LOST, 900.0, "closed")], [start(5.0)])
    assert latest() == 900.0, "a restart with the wrong clock does not make it right"
    await written(path, [start(7.0, clock_trusted=True), LinkChanged("A", LinkState.ONLINE, 8.0, "")])
    assert latest() == 8.0


def test_an_unknown_fact_is_a_broken_journal():
    with pytest.raises(JournalBrokenError, match=r"entry alarm 'x' of 1\.000 is unreadable\.is: 'Later' is none of"):
        fact(Entry(Kind.ALARM, "x", 1.0, "", {"is": "Later"}))
