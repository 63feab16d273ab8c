"""The telemetry store: every measurement with its two times and its quality, in an SQLite file of its own.

Rows are clustered by the minute of reception and then by point, so that writing stays within the
newest pages, a query reads one short run per minute, and pruning takes whole minutes off the front.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog
from structlog.typing import FilteringBoundLogger

from protocols.points import Point
from protocols.signals import Measurement, Quality

CAPACITY = 300_000
"""Measurements that may wait to be written: 20 s of 500 devices with 30 points each, once a second."""
GATHER_S = 0.25
"""How long a write waits for more to come with it."""
RETRY_S = 5.0
"""How long a failed write rests."""
FOREVER_S = 1e10
"""A device clock that is further off than this says nothing; the time of reception is kept instead."""
PRUNE_MINUTES = 10
"""Minutes of telemetry that one step of pruning takes off, so that writing is never held up for long."""

_QUALITIES = tuple(Quality)
"""The order is part of the file's format: only ever add at the end."""

_SCHEMA_VERSION = 1
_SCHEMA = f"""
    BEGIN;
    CREATE TABLE point (
        id INTEGER PRIMARY KEY,
        resource TEXT NOT NULL,
        quantity TEXT NOT NULL,
        phase TEXT NOT NULL,
        UNIQUE (resource, quantity, phase)
    ) STRICT;
    CREATE TABLE sample (
        minute INTEGER NOT NULL,
        point INTEGER NOT NULL,
        received_ms INTEGER NOT NULL,
        lag_ms INTEGER NOT NULL,
        quality INTEGER NOT NULL,
        value REAL NOT NULL,
        PRIMARY KEY (minute, point, received_ms)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = {_SCHEMA_VERSION};
    COMMIT;
"""

_log: FilteringBoundLogger = structlog.get_logger()


class HistorianError(Exception):
    """The telemetry store cannot be opened or read."""


class TelemetryReader:
    """A telemetry store to read from, also while its gateway writes it; for one thread at a time."""

    def __init__(self, path: Path, reading: sqlite3.Connection) -> None:
        self._path, self._reading = path, reading

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open an existing store for reading only.

        Raises:
            HistorianError: There is none, or it cannot be read by this program.
        """
        try:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            reading = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
            (version,) = reading.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise HistorianError(f"cannot read the telemetry store {path}: {error}") from error
        if version != _SCHEMA_VERSION:
            reading.close()
            raise HistorianError(f"{path} has schema {version}, this program knows {_SCHEMA_VERSION}")
        return cls(path, reading)

    def close(self) -> None:
        """Let go of the file."""
        self._reading.close()

    def query(self, point: Point, from_s: float, to_s: float) -> list[Measurement]:
        """As `Historian.query`, but waiting for the disk.

        Raises:
            HistorianError: The store cannot be read.
        """
        from_ms, to_ms = round(1000 * from_s), round(1000 * to_s)
        statement = """
            SELECT minute * 60000 + received_ms AS at_ms, lag_ms, quality, value
            FROM point JOIN sample ON sample.point = point.id
            WHERE (resource, quantity, phase) = (?, ?, ?) AND minute = ? AND at_ms >= ? AND at_ms < ?
            ORDER BY received_ms
        """
        columns = (point.resource, point.quantity.value, point.phase.value)
        found: list[Measurement] = []
        try:
            for minute in self._minutes(from_ms // 60_000, (to_ms - 1) // 60_000):
                for at_ms, lag_ms, quality, value in self._reading.execute(
                    statement, (*columns, minute, from_ms, to_ms)
                ):
                    source_s = (at_ms - lag_ms) / 1000
                    found.append(Measurement(point, value, _QUALITIES[quality], source_s, at_ms / 1000))
        except sqlite3.Error as error:
            raise HistorianError(f"cannot read the telemetry store {self._path}: {error}") from error
        return found

    def _minutes(self, first: int, last: int) -> range:
        """The minutes asked for, as far as there are any."""
        oldest, newest = self._reading.execute("SELECT min(minute), max(minute) FROM sample").fetchone()
        return range(0) if oldest is None else range(max(first, oldest), min(last, newest) + 1)


class Historian:
    """Takes measurements without ever making anyone wait; use it as an asynchronous context manager."""

    def __init__(self, path: Path, writing: sqlite3.Connection, reader: TelemetryReader, capacity: int) -> None:
        self._path, self._writing, self._telemetry = path, writing, reader
        self._capacity = capacity
        self._ids: dict[Point, int] = {}
        """Filled as points are seen; known to the writer's thread alone."""
        self._waiting: deque[Sequence[Measurement]] = deque()
        self._waiting_count = self._dropped = 0
        self._scheduled = self._failing = self._closed = False
        self._guard = threading.Lock()
        self._hurry = threading.Event()
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="historian-write")
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="historian-read")

    @classmethod
    def open(cls, path: Path, capacity: int = CAPACITY) -> Self:
        """Open the store at `path`; it is made where there is none.

        Raises:
            HistorianError: It cannot be written, is damaged, or was written by a newer program.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            writing = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            (version,) = writing.execute("PRAGMA user_version").fetchone()
            if version not in (0, _SCHEMA_VERSION):
                raise HistorianError(f"{path} has schema {version}, this program knows {_SCHEMA_VERSION}")
            writing.execute("PRAGMA journal_mode = WAL")
            writing.execute("PRAGMA synchronous = NORMAL")
            if version == 0:
                writing.executescript(_SCHEMA)
            return cls(path, writing, TelemetryReader.open(path), capacity)
        except (OSError, sqlite3.Error) as error:
            raise HistorianError(f"cannot open the telemetry store {path}: {error}") from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def offer(self, measurements: Sequence[Measurement]) -> None:
        """Queue a batch to be written; never waits.

        When more than `capacity` measurements wait, the oldest batches are dropped, counted and logged.
        """
        with self._guard:
            self._waiting.append(measurements)
            self._waiting_count += len(measurements)
            self._drop_oldest()
            if not (self._scheduled or self._closed):
                self._scheduled = True
                self._writer.submit(self._write_waiting)

    async def flush(self) -> None:
        """Return once what was offered before is written, or has failed to be."""
        self._hurry.set()
        await asyncio.get_running_loop().run_in_executor(self._writer, self._hurry.clear)

    async def query(self, point: Point, from_s: float, to_s: float) -> list[Measurement]:
        """What was received of a point with `from_s` <= time of reception < `to_s`, oldest first.

        Times come back to the millisecond. Two readings of a point received in the same millisecond
        are kept as one, the later.

        Raises:
            HistorianError: The store cannot be read.
        """
        return await asyncio.get_running_loop().run_in_executor(
            self._reader, self._telemetry.query, point, from_s, to_s
        )

    async def prune(self, before_s: float) -> None:
        """Drop what was received in the minutes that ended before `before_s`; the space is used again.

        Raises:
            HistorianError: The store cannot be written.
        """
        loop = asyncio.get_running_loop()
        while await loop.run_in_executor(self._writer, self._prune_step, int(before_s // 60)):
            pass

    def close(self) -> None:
        """Write what is queued, once, and let go of the file."""
        with self._guard:
            self._closed = True
        self._hurry.set()
        self._writer.submit(self._write_waiting)
        self._writer.shutdown()
        self._reader.shutdown()
        self._telemetry.close()
        self._writing.close()

    def _drop_oldest(self) -> None:
        while self._waiting_count > self._capacity:
            count = len(self._waiting.popleft())
            self._waiting_count -= count
            self._dropped += count

    def _write_waiting(self) -> None:
        """Runs on the writer's thread until nothing waits; what could not be written keeps waiting."""
        self._hurry.wait(RETRY_S if self._failing else GATHER_S)
        with self._guard:
            batches, self._waiting = self._waiting, deque()
            self._waiting_count = 0
        error = self._write(one for batch in batches for one in batch)
        with self._guard:
            if error is not None:
                self._waiting.extendleft(reversed(batches))
                self._waiting_count = sum(map(len, self._waiting))
                self._drop_oldest()
            self._scheduled = bool(self._waiting) and not (self._closed or (error and self._hurry.is_set()))
            if self._scheduled:
                self._writer.submit(self._write_waiting)
            dropped, self._dropped = (self._dropped, 0) if error is None else (0, self._dropped)
        self._report(error, dropped)

    def _write(self, measurements: Iterable[Measurement]) -> sqlite3.Error | None:
        try:
            self._writing.execute("BEGIN IMMEDIATE")
            rows = [self._row(one) for one in measurements]
            self._writing.executemany("INSERT OR REPLACE INTO sample VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._writing.execute("COMMIT")
        except sqlite3.Error as error:
            self._ids.clear()  # some may have been given in what is rolled back
            if self._writing.in_transaction:
                with suppress(sqlite3.Error):  # the next write will say what is wrong
                    self._writing.execute("ROLLBACK")
            return error
        return None

    def _row(self, measurement: Measurement) -> tuple[int, int, int, int, int, float]:
        received_ms = round(1000 * measurement.received_time_s)
        minute, within_ms = divmod(received_ms, 60_000)
        lag_s = measurement.received_time_s - measurement.source_time_s
        lag_ms = round(1000 * lag_s) if abs(lag_s) < FOREVER_S else 0
        point = self._ids.get(measurement.point) or self._new_id(measurement.point)
        return minute, point, within_ms, lag_ms, _QUALITIES.index(measurement.quality), measurement.value

    def _new_id(self, point: Point) -> int:
        columns = (point.resource, point.quantity.value, point.phase.value)
        self._writing.execute("INSERT OR IGNORE INTO point (resource, quantity, phase) VALUES (?, ?, ?)", columns)
        found = self._writing.execute("SELECT id FROM point WHERE (resource, quantity, phase) = (?, ?, ?)", columns)
        self._ids[point] = int(found.fetchone()[0])
        return self._ids[point]

    def _report(self, error: sqlite3.Error | None, dropped: int) -> None:
        if error is not None and not self._failing:
            _log.error("historian.failed", detail=f"{self._path}: {error}")
        if dropped:
            _log.warning("historian.dropped", count=dropped)
        self._failing = error is not None

    def _prune_step(self, before_minute: int) -> bool:
        """True while there may be more to drop."""
        try:
            (oldest,) = self._writing.execute("SELECT min(minute) FROM sample").fetchone()
            if oldest is None or oldest >= before_minute:
                return False
            end = min(oldest + PRUNE_MINUTES, before_minute)
            self._writing.execute("DELETE FROM sample WHERE minute < ?", (end,))
        except sqlite3.Error as error:
            raise HistorianError(f"cannot prune the telemetry store {self._path}: {error}") from error
        return True
