"""The journal and the book as one: what happens is written first and folded after."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from gateway import record
from gateway.coordination.book import Book
from gateway.coordination.events import Event
from gateway.journal.entries import Entry, JournalError
from gateway.narrate import Narrator


class Appends(Protocol):
    """The part of a journal that writes."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """All entries are on the disk when this returns, or none and `JournalError` is raised."""
        ...


class Overtaken(Exception):  # noqa: N818 - it is decided anew, nothing is wrong
    """Somebody else has changed the book since this was decided."""


class Ledger:
    """The only way to change the book."""

    def __init__(self, journal: Appends, book: Book, say: Narrator) -> None:
        self.book = book
        self._journal = journal
        self._say = say
        self._failing = False
        self._written_times = 0
        self._turn = asyncio.Lock()
        """One commit after the other, so that the book never lags behind the journal when somebody writes again."""

    async def commit(
        self, facts: Sequence[record.Fact], *, keep: bool = True, check: Callable[[], None] = lambda: None
    ) -> bool:
        """Journal and fold; False where the journal could not be written, and then nothing was folded.

        Args:
            keep: False folds without journalling, for a cycle that concluded nothing new.
            check: asked when nobody else can change the book any more; what it raises is raised, and nothing is
                written.
        """
        async with self._turn:
            check()
            if keep and facts and not await self._written(facts):
                return False
            for fact in facts:
                if isinstance(fact, Event):
                    self.book.fold(fact)
            return True

    def unchanged(self) -> Callable[[], None]:
        """A check that nothing has been written between now and the commit's turn; it raises `Overtaken`."""
        before = self._written_times

        def check() -> None:
            if self._written_times != before:
                raise Overtaken

        return check

    async def _written(self, facts: Sequence[record.Fact]) -> bool:
        try:
            await self._journal.append([record.entry(fact) for fact in facts])
        except JournalError as error:
            if not self._failing:
                self._say.journal_failed(error)
            self._failing = True
            return False
        if self._failing:
            self._say.journal_recovered()
        self._failing = False
        self._written_times += 1
        return True
