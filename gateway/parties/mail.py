"""Who was told what, and who has it: an index over the journal, in a file that can be made anew from it.

The journal holds every message that was taken or is about to leave. Here stands, by party, which entries those
are, and how far each recipient has been served; so a restart goes on where the last run ended.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from gateway import record
from gateway.coordination.events import Received, Sent
from gateway.coordination.messages import Message
from gateway.coordination.routing import by_platform
from gateway.coordination.zone import ZoneFacts
from gateway.journal.entries import Entry, Kind
from gateway.journal.store import JournalReader

KINDS: Final = (Kind.PARTY_IN, Kind.PARTY_OUT)
BATCH: Final = 500
"""Entries of the journal that are looked at in one go."""
APPLICATION_ID: Final = 0x414D5032
_SCHEMA: Final = f"""
    BEGIN;
    CREATE TABLE mail (
        party TEXT NOT NULL, seq INTEGER NOT NULL, msg_id TEXT NOT NULL, told INTEGER NOT NULL, at_s REAL NOT NULL,
        PRIMARY KEY (party, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX mail_by_id ON mail (party, msg_id);
    CREATE TABLE cursor (name TEXT PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
    PRAGMA application_id = {APPLICATION_ID};
    COMMIT;
"""
_INDEXED: Final = "indexed"


class MailError(Exception):
    """The index cannot be used; says what to do."""


@dataclass(frozen=True, slots=True)
class Item:
    """One message in the journal."""

    seq: int
    """Its place there, which only grows."""
    at_s: float
    told: bool
    """True for what we say, False for what we were told."""
    message: Message


class Mail:
    """The index; all of it is used from one thread."""

    def __init__(self, facts: ZoneFacts, index: sqlite3.Connection, journal: JournalReader) -> None:
        self._facts, self._index, self._journal = facts, index, journal

    @classmethod
    def open(cls, facts: ZoneFacts, path: Path, journal: Path, fresh_s: float) -> Self:
        """Open the index over a journal; it is made where there is none.

        Args:
            facts: the zone.
            path: of the index.
            journal: of the journal, which is there.
            fresh_s: where the index is new, what is older than this counts as delivered.

        Raises:
            MailError: the file is none of ours, or cannot be written.
            JournalError: the journal cannot be read.
        """
        reader = JournalReader.open(journal)
        try:
            index = sqlite3.connect(path, isolation_level=None)
            (application,) = index.execute("PRAGMA application_id").fetchone()
            (tables,) = index.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if tables and application != APPLICATION_ID:
                raise MailError(f"{path} is of another make; move it away, and it is made anew from the journal")
            index.execute("PRAGMA journal_mode = WAL")
            index.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes away is delivered twice
            if not tables:
                index.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise MailError(
                f"cannot use {path}: {error}; move it away, and it is made anew from the journal"
            ) from error
        mail = cls(facts, index, reader)
        if not tables:
            mail._begin(fresh_s)
        return mail

    def close(self) -> None:
        """Let go of the files."""
        self._index.close()
        self._journal.close()

    # --- following the journal

    def follow(self) -> None:
        """Take in what has been written to the journal since."""
        last = self._journal.last_seq()
        while (seen := self.cursor(_INDEXED)) < last:
            found = self._journal.entries_after(seen, KINDS, BATCH)
            rows = [row for seq, entry in found for row in self._rows(seq, entry)]
            upto = found[-1][0] if len(found) == BATCH else max(last, found[-1][0] if found else 0)
            with self._transaction():
                self._index.executemany("INSERT OR IGNORE INTO mail VALUES (?, ?, ?, ?, ?)", rows)
                self._set(_INDEXED, upto)

    def newest(self) -> int:
        """The place of the newest entry of the journal."""
        return self._journal.last_seq()

    # --- reading

    def page(self, party: str, after: int, count: int) -> list[Item]:
        """The next messages from and to a party, oldest first."""
        self.follow()
        where = "SELECT seq FROM mail WHERE party = ? AND seq > ? ORDER BY seq LIMIT ?"
        return list(self._items(self._index.execute(where, (party, after, count)).fetchall()))

    def find(self, party: str, msg_id: str) -> Item | None:
        """The message of that id from or to a party, the newest where there are several."""
        self.follow()
        where = "SELECT seq FROM mail WHERE party = ? AND msg_id = ? ORDER BY seq DESC LIMIT 1"
        return next(self._items(self._index.execute(where, (party, msg_id)).fetchall()), None)

    def waiting(self, party: str, count: int) -> list[Item]:
        """What a party is to be told and has not taken yet, oldest first."""
        self.follow()
        where = "SELECT seq FROM mail WHERE party = ? AND told = 1 AND seq > ? ORDER BY seq LIMIT ?"
        return list(self._items(self._index.execute(where, (party, self.cursor(_to(party)), count)).fetchall()))

    def copies(self, after: int, count: int) -> list[Item]:
        """The next messages of anybody, oldest first."""
        return [self._item(seq, entry) for seq, entry in self._journal.entries_after(after, KINDS, count)]

    # --- cursors

    def settle(self, party: str, seq: int) -> None:
        """A party has been served up to here."""
        self.move(_to(party), seq)

    def cursor(self, name: str, otherwise: int = 0) -> int:
        """Where somebody stands."""
        row = self._index.execute("SELECT seq FROM cursor WHERE name = ?", (name,)).fetchone()
        return otherwise if row is None else int(row[0])

    def move(self, name: str, seq: int) -> None:
        """Somebody stands there now."""
        with self._transaction():
            self._set(name, seq)

    def _begin(self, fresh_s: float) -> None:
        """Everybody has been served with what is older than `fresh_s`."""
        self.follow()
        for party in self._facts.parties:
            row = self._index.execute(
                "SELECT coalesce(max(seq), 0) FROM mail WHERE party = ? AND at_s < ?", (party, fresh_s)
            ).fetchone()
            self.settle(party, int(row[0]))

    def _set(self, name: str, seq: int) -> None:
        self._index.execute("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (name, seq))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._index.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._index.execute("COMMIT")
        finally:
            if self._index.in_transaction:
                self._index.execute("ROLLBACK")

    def _rows(self, seq: int, entry: Entry) -> Iterator[tuple[str, int, str, int, float]]:
        item = self._item(seq, entry)
        header = item.message.header
        party = header.recipient if item.told else header.sender
        yield party, seq, header.msg_id, int(item.told), item.at_s
        platform = self._facts.around.platform
        if platform not in ("", party) and by_platform(self._facts.model, item.message.code):
            yield platform, seq, header.msg_id, 0, item.at_s  # it may read what it carries; nobody pushes it

    def _items(self, rows: Sequence[tuple[int]]) -> Iterator[Item]:
        for (seq,) in rows:
            entry = self._journal.entry_at(seq)
            if entry is not None:
                yield self._item(seq, entry)

    def _item(self, seq: int, entry: Entry) -> Item:
        match record.fact(entry):
            case Received(message, at_s):
                return Item(seq, at_s, told=False, message=message)
            case Sent(message, at_s):
                return Item(seq, at_s, told=True, message=message)
            case other:
                raise MailError(f"entry {seq} of the journal holds no message but {type(other).__name__}")


def _to(party: str) -> str:
    return f"to {party}"
