"""The journal's file: append-only SQLite with one writer, any number of readers, and a hash chain."""

import asyncio
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Self

from gateway.journal.entries import (
    GENESIS,
    START,
    Entry,
    JournalBrokenError,
    JournalError,
    JournalInUseError,
    JournalWriteError,
    Kind,
    Row,
    chained,
    check,
)

APPLICATION_ID = 0x414D5031
"""Marks the file as one of ours (`AMP1`), whatever it is called."""

_MIGRATIONS = (
    """
    CREATE TABLE entry (
        seq INTEGER PRIMARY KEY,
        at_s REAL NOT NULL,
        kind TEXT NOT NULL,
        key TEXT NOT NULL,
        cycle_id TEXT NOT NULL,
        body BLOB NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE INDEX entry_by_key ON entry (key, seq);
    CREATE INDEX entry_by_cycle ON entry (cycle_id, seq) WHERE cycle_id != '';
    CREATE INDEX entry_by_kind ON entry (kind, at_s);
    CREATE TRIGGER entry_stays_as_written BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER entry_stays BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    CREATE TRIGGER entry_follows_the_last BEFORE INSERT ON entry
        WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM entry)
        BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
    """,
)
"""One script per schema version; `user_version` counts those that ran. A script is never changed, only added to."""

_COLUMNS = "seq, at_s, kind, key, cycle_id, body, hash"


class JournalReader:
    """A journal to read from, also while its gateway writes it."""

    def __init__(self, path: Path, reading: sqlite3.Connection) -> None:
        self.path = path
        self._reading = reading

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing journal for reading only.

        Raises:
            JournalError: There is no journal at `path`, or it cannot be read.
            JournalBrokenError: The file is none of ours, or of a newer version than this program.
        """
        return cls(path, _open_reading(path))

    def close(self) -> None:
        """Let go of the file."""
        self._reading.close()

    def replay(self, after_seq: int = 0) -> Iterator[Entry]:
        """Every entry in the order of writing, each checked against the chain before it is handed out.

        Args:
            after_seq: Begin behind this entry, which is taken as sound.

        Raises:
            JournalBrokenError: An entry is missing or was altered; everything before it was sound.
        """
        previous = GENESIS
        for one in self._rows("WHERE seq = ?", after_seq):
            previous = one.hash
        for seq, one in enumerate(self._rows("WHERE seq > ? ORDER BY seq", after_seq), start=after_seq + 1):
            check(one, seq, previous)
            previous = one.hash
            yield one.entry()

    def last_checkpoint(self) -> tuple[int, Entry] | None:
        """The newest checkpoint with its number, checked against the entry before it; `None` where there is none.

        Raises:
            JournalBrokenError: It was altered.
        """
        where = "WHERE kind = ? ORDER BY at_s DESC, seq DESC LIMIT 1"
        for one in self._rows(where, Kind.CHECKPOINT.value):
            (entry,) = islice(self.replay(one.seq - 1), 1)
            return one.seq, entry
        return None

    def entries_for(self, key: str) -> list[Entry]:
        """Everything written under one key, oldest first."""
        return [one.entry() for one in self._rows("WHERE key = ? ORDER BY seq", key)]

    def entries_of_cycle(self, cycle_id: str) -> list[Entry]:
        """Everything that belongs to one cycle, oldest first."""
        return [one.entry() for one in self._rows("WHERE cycle_id = ? AND cycle_id != '' ORDER BY seq", cycle_id)]

    def entries_between(self, kind: Kind, from_s: float, to_s: float) -> list[Entry]:
        """Entries of one kind with `from_s` <= time < `to_s`, in the order of their times."""
        where = "WHERE kind = ? AND at_s >= ? AND at_s < ? ORDER BY at_s, seq"
        return [one.entry() for one in self._rows(where, kind.value, from_s, to_s)]

    def entries_of(self, kind: Kind) -> Iterator[Entry]:
        """Everything of one kind, oldest first."""
        return (one.entry() for one in self._rows("WHERE kind = ? ORDER BY seq", kind.value))

    def last_seq(self) -> int:
        """Number of the newest entry; 0 where there is none."""
        ((seq,),) = self._query("SELECT coalesce(max(seq), 0) FROM entry")
        return int(str(seq))

    def latest_time_s(self, kind: Kind, after_seq: int = 0) -> float | None:
        """The latest time of one kind behind entry `after_seq`; `None` where there is none."""
        where = "kind = ? AND seq > ? ORDER BY at_s DESC LIMIT 1"
        found = self._query(f"SELECT at_s FROM entry WHERE {where}", kind.value, after_seq)  # noqa: S608 - our own text
        return next((float(str(at_s)) for (at_s,) in found), None)

    def entry_at(self, seq: int) -> Entry | None:
        """One entry by its number."""
        return next((one.entry() for one in self._rows("WHERE seq = ?", seq)), None)

    def entries_after(self, seq: int, kinds: Sequence[Kind], count: int) -> list[tuple[int, Entry]]:
        """The next `count` entries of some kinds behind entry `seq`, oldest first, each with its number."""
        marks = ", ".join("?" * len(kinds))
        where = f"WHERE seq > ? AND kind IN ({marks}) ORDER BY seq LIMIT ?"
        return [(one.seq, one.entry()) for one in self._rows(where, seq, *(kind.value for kind in kinds), count)]

    def latest(self, kind: Kind, count: int) -> list[Entry]:
        """The last `count` entries of one kind, newest first."""
        where = "WHERE kind = ? ORDER BY at_s DESC, seq DESC LIMIT ?"
        return [one.entry() for one in self._rows(where, kind.value, count)]

    def nearest_keys(self, kind: Kind, key: str, count: int = 5) -> list[str]:
        """Keys of that kind that look most like `key`, best first; among the 10 000 written last."""
        recent = self._query("SELECT key FROM entry WHERE kind = ? ORDER BY at_s DESC LIMIT 10000", kind.value)
        return get_close_matches(key, list(dict.fromkeys(str(one) for (one,) in recent)), n=count, cutoff=0.5)

    def _rows(self, where: str, *arguments: object) -> Iterator[Row]:
        for values in self._query(f"SELECT {_COLUMNS} FROM entry {where}", *arguments):  # noqa: S608 - our own text
            yield Row._make(values)

    def _query(self, statement: str, *arguments: object) -> Iterator[tuple[object, ...]]:
        try:
            yield from self._reading.execute(statement, arguments)
        except sqlite3.Error as error:
            raise JournalBrokenError(f"cannot read {self.path}: {error}") from error


class Journal(JournalReader):
    """The one journal that this process writes."""

    def __init__(
        self, path: Path, reading: sqlite3.Connection, writing: sqlite3.Connection, lock: sqlite3.Connection
    ) -> None:
        super().__init__(path, reading)
        self._writing = writing
        self._lock = lock
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the journal for writing; it is made where there is none.

        Raises:
            JournalInUseError: Another gateway writes it.
            JournalBrokenError: The file is none of ours, or of a newer version than this program.
            JournalError: The directory or the file cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = _lock(path)
        except OSError as error:
            raise JournalError(f"cannot make the directory of the journal {path}: {error}") from error
        try:
            writing = _open_writing(path)
        except JournalError:
            lock.close()
            raise
        return cls(path, _open_reading(path), writing, lock)

    async def append(self, entries: Sequence[Entry]) -> None:
        """Write all entries or none; when this returns they are on the disk.

        Cancelling the wait does not stop the writing: the entries are then all there or none is.

        Raises:
            JournalWriteError: None was written: the disk is full, read-only or failing, or an entry
                cannot be written as JSON. The journal stays usable, and the same append may be
                tried again.
        """
        if entries:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._append, tuple(entries))

    def append_now(self, entries: Sequence[Entry]) -> None:
        """The same for callers that cannot wait for a future: blocks until they are on the disk.

        Raises:
            JournalWriteError: None was written.
        """
        if entries:
            self._writer.submit(self._append, tuple(entries)).result()

    def close(self) -> None:
        """Finish what is being written and let go of the file and its lock."""
        self._writer.shutdown()
        super().close()
        self._writing.close()
        self._lock.close()

    def _append(self, entries: tuple[Entry, ...]) -> None:
        """Runs on the writer's thread; nothing is cached, so a failed append leaves nothing to repair."""
        try:
            self._writing.execute("BEGIN IMMEDIATE")
            last = self._writing.execute("SELECT seq, hash FROM entry ORDER BY seq DESC LIMIT 1").fetchone()
            self._writing.executemany(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", chained(entries, *last or START)
            )
            self._writing.execute("COMMIT")
        except sqlite3.Error as error:
            raise JournalWriteError(f"cannot append {len(entries)} entries to {self.path}: {error}") from error
        finally:
            if self._writing.in_transaction:
                with suppress(sqlite3.Error):  # tried again by the next append
                    self._writing.execute("ROLLBACK")


def _open_writing(path: Path) -> sqlite3.Connection:
    """A connection that any thread may use, on a file of the newest schema."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            version = _check_make(path, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            for number, script in enumerate(_MIGRATIONS[version:], start=version + 1):
                connection.executescript(
                    f"BEGIN; {script} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {number}; COMMIT;"
                )
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise JournalError(f"cannot open the journal {path} for writing: {error}") from error
    return connection


def _open_reading(path: Path) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        try:
            version = _check_make(path, connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise JournalError(f"cannot read the journal {path}: {error}") from error
    if version == 0:
        connection.close()
        raise JournalBrokenError(f"{path} is empty: no journal was ever written there")
    return connection


def _check_make(path: Path, connection: sqlite3.Connection) -> int:
    """The schema version of the file, 0 where it is new; raises where it is not ours to touch."""
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise JournalBrokenError(f"{path} is damaged or no SQLite file: {error}") from error
    if tables and application != APPLICATION_ID:
        raise JournalBrokenError(f"{path} is a database of some other program")
    if version > len(_MIGRATIONS):
        raise JournalBrokenError(
            f"{path} has schema {version}, this program knows up to {len(_MIGRATIONS)}: it was written by a newer one"
        )
    return int(version)


def _lock(path: Path) -> sqlite3.Connection:
    """Hold `path`.lock until the connection is closed or the process dies.

    The lock is SQLite's own on an empty database, as it works wherever SQLite does. The journal
    itself cannot be held: in WAL mode that would shut its readers out.
    """
    lock_path = path.with_name(path.name + ".lock")
    try:
        lock = sqlite3.connect(lock_path, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except BaseException:
            lock.close()
            raise
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
            raise JournalInUseError(f"another gateway writes the journal {path} (it holds {lock_path})") from error
        raise JournalError(f"cannot lock the journal {path} for writing: {error}") from error
    return lock
