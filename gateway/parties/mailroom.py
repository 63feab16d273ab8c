"""The index of messages for those who may not wait for a disk: on a thread of its own, with a bell for news."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from gateway.coordination.zone import ZoneFacts
from gateway.journal.entries import JournalError
from gateway.parties.mail import Mail, MailError

FILE = "parties.sqlite"
"""In the storage directory."""

T = TypeVar("T")


class Bell:
    """Rings for everybody who waits at that moment."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Something has happened."""
        self._event.set()
        self._event = asyncio.Event()

    def listen(self) -> asyncio.Event:
        """What is set at the next ring; take it before looking, then nothing is missed."""
        return self._event


class MailRoom:
    """Reads and writes the index off the control loop."""

    def __init__(self, facts: ZoneFacts, directory: Path, fresh_s: float) -> None:
        """`directory` holds the journal; what is older than `fresh_s` was delivered where no index says otherwise."""
        self._opening = (facts, directory / FILE, directory / "journal.sqlite", fresh_s)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")
        self._mail: Mail | None = None
        self.news = Bell()

    async def __aenter__(self) -> Self:
        """Open it.

        Raises:
            MailError: the index is none of ours, or cannot be written.
        """
        try:
            self._mail = await self._run(lambda: Mail.open(*self._opening))
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mail is not None:
            await self._run(self._mail.close)
        self._thread.shutdown()

    async def ask(self, question: Callable[[Mail], T]) -> T:
        """The answer of the index.

        Raises:
            MailError: it, or the journal, cannot be read or written now.
        """
        mail = self._mail
        if mail is None:
            raise RuntimeError("use the mail room inside `async with`")
        return await self._run(lambda: question(mail))

    async def _run(self, act: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, act)
        except (sqlite3.Error, JournalError) as error:
            raise MailError(f"messages cannot be looked up now: {error}") from error
