"""Journal and book as one: what is folded was written, in the order of writing."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway import record
from gateway.coordination.book import Book
from gateway.coordination.events import Issued
from gateway.journal.entries import Entry, JournalWriteError
from gateway.ledger import Ledger, Overtaken
from gateway.narrate import Narrator
from tests.gateway.coordination.build import MW, T, control, decided, folded, issued, zone


class SlowJournal:
    """A journal that takes its time, and may be full."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.full = False

    async def append(self, entries: Sequence[Entry]) -> None:
        if self.full:
            raise JournalWriteError("full")
        self.entries += entries
        await asyncio.sleep(0.01)


def ledger():
    journal = SlowJournal()
    return journal, Ledger(journal, Book(), Narrator(zone()))


async def test_what_is_committed_is_written_and_folded():
    journal, one = ledger()
    assert await one.commit([issued(control(MW), T)])
    assert [entry.key for entry in journal.entries] == ["A-c1"]
    assert one.book == folded(issued(control(MW), T))


async def test_what_cannot_be_written_is_not_folded():
    journal, one = ledger()
    journal.full = True
    assert not await one.commit([issued(control(MW), T)])
    assert one.book == Book()
    journal.full = False
    assert await one.commit([issued(control(MW), T)])
    assert "A" in one.book.controls


async def test_what_need_not_be_kept_is_only_folded():
    journal, one = ledger()
    assert await one.commit([decided(T)], keep=False)
    assert journal.entries == []
    assert one.book.last_solved_s == T


async def test_what_was_decided_before_somebody_else_wrote_is_not_written():
    journal, one = ledger()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.commit([issued(control(MW), T)]))
        await asyncio.sleep(0)
        with pytest.raises(Overtaken):
            await one.commit([issued(control(2 * MW, version=2), T)], check=one.unchanged())
    assert [entry.key for entry in journal.entries] == ["A-c1"]
    assert await one.commit([issued(control(2 * MW, version=2), T)], check=one.unchanged())


async def test_a_checkpoint_holds_all_that_was_written_before_it():
    journal, one = ledger()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(one.commit([issued(control(MW), T)]))
        tasks.create_task(one.commit([record.Checkpoint("R1", one.book, T)]))
        tasks.create_task(one.commit([issued(control(2 * MW, version=2), T + 1)]))
    (at,) = [n for n, entry in enumerate(journal.entries) if entry.kind == "checkpoint"]
    checkpoint = record.fact(journal.entries[at])
    assert isinstance(checkpoint, record.Checkpoint)
    assert checkpoint.book == folded(*record.events(journal.entries[:at]))
    restored = checkpoint.book
    for event in record.events(journal.entries[at + 1 :]):
        assert isinstance(event, Issued)
        restored.fold(event)
    assert restored == one.book
