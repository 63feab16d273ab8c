import pytest

from gateway.coordination.book import Book
from gateway.coordination.events import Alarmed, Answered, Decided, Issued, Kept, Received, Sent
from gateway.coordination.messages import DispatchCopy, Header, LimitClear, Message
from gateway.journal.entries import Entry, JournalBrokenError, Kind
from gateway.journal.store import Journal
from gateway.record import Started, entry, events, fact
from grid_engine.results import Answer, Purpose, Status, Study
from protocols.signals import Ack, Baseline, Bounds, Control, LinkChanged, LinkState, Outcome, Release

HEADER = Header("m1", "corr", "IESO", "DSO", 0.0, "R1", "DP")
COPY = Message(HEADER, DispatchCopy("d1", 1, "A", 2e6, 0.0, 300.0))
CLEAR = Message(HEADER, LimitClear("l1", 1, "A"))
CONTROL = Control("A-c1", "A", 1, 0.0, 900.0, Bounds(None, 1.2e6))
DECIDED = Decided("k1", 5.0, Study("s", Purpose.IMPACT, 1, ()), Answer("s", Status.SOLVED, "v1"), {"A": 1.0})

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
    (LinkChanged("A", LinkState.LOST, 11.0, "closed"), Kind.LINK, "A", 11.0, ""),
]


@pytest.mark.parametrize(("given", "kind", "key", "at_s", "cycle_id"), FACTS)
def test_every_fact_has_its_address_and_comes_back(given, kind, key, at_s, cycle_id):
    made = entry(given)
    assert (made.kind, made.key, made.at_s, made.cycle_id) == (kind, key, at_s, cycle_id)
    assert fact(made) == given


async def test_a_book_is_the_same_after_a_restart(tmp_path):
    book = Book()
    facts = [given for given, *_ in FACTS]
    for event in events(map(entry, facts)):
        book.fold(event)
    journal = Journal.open(tmp_path / "journal.sqlite")
    await journal.append([entry(one) for one in facts])
    journal.close()
    journal, again = Journal.open(tmp_path / "journal.sqlite"), Book()
    for event in events(journal.replay()):
        again.fold(event)
    journal.close()
    assert again == book
    assert again.controls["A"].instruction.control_id == "A-c2"


def test_an_unknown_fact_is_a_broken_journal():
    with pytest.raises(JournalBrokenError, match=r"entry alarm 'x' of 1\.000 is unreadable\.is: 'Later' is none of"):
        fact(Entry(Kind.ALARM, "x", 1.0, "", {"is": "Later"}))
