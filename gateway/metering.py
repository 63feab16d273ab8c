"""Meter data that were imported: every value as it was read and as it is used, in an append-only SQLite file.

A later import of the same interval is a row of its own: the newest one counts, and none is ever changed.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.settlement.vee import MeterFault, Verified
from gateway.settlement.words import MeterInterval, MeterQuality, MeterSource

_SCHEMA_VERSION = 1
_SCHEMA = f"""
    BEGIN;
    CREATE TABLE reading (
        seq INTEGER PRIMARY KEY,
        resource TEXT NOT NULL,
        meter TEXT NOT NULL,
        source TEXT NOT NULL,
        start_s REAL NOT NULL,
        length_s REAL NOT NULL,
        energy_wh REAL NOT NULL,
        quality TEXT NOT NULL,
        fault TEXT NOT NULL,
        original_wh REAL,
        batch TEXT NOT NULL,
        imported_s REAL NOT NULL
    ) STRICT;
    CREATE INDEX reading_by_time ON reading (resource, source, start_s, seq);
    CREATE TRIGGER reading_stays_as_written BEFORE UPDATE ON reading
        BEGIN SELECT RAISE(ABORT, 'meter data are append-only'); END;
    CREATE TRIGGER reading_stays BEFORE DELETE ON reading
        BEGIN SELECT RAISE(ABORT, 'meter data are append-only'); END;
    PRAGMA user_version = {_SCHEMA_VERSION};
    COMMIT;
"""
LONGEST_S = 86_400.0
"""No interval of a meter is longer."""


class MeteringError(Exception):
    """The store of meter data cannot be opened, read or written."""


class MeterStore:
    """The meter data of one zone; also an asynchronous context manager."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path, self._connection = path, connection
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="meters")

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the store at `path`; it is made where there is none.

        Raises:
            MeteringError: It cannot be written, or was written by a newer program.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise MeteringError(f"cannot open the meter data {path}: {error}") from error
        if version not in (0, _SCHEMA_VERSION):
            connection.close()
            raise MeteringError(f"{path} has schema {version}, this program knows {_SCHEMA_VERSION}")
        return cls(path, connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._reader.shutdown()
        self._connection.close()

    def add(self, resource: str, values: Sequence[Verified], batch: str, at_s: float) -> None:
        """Keep values with what they were before; all of them, or none.

        Raises:
            MeteringError: The file cannot be written.
        """
        rows = [
            (
                resource,
                one.interval.meter,
                one.interval.source.value,
                one.interval.start_s,
                one.interval.length_s,
                one.interval.energy_wh,
                one.interval.quality.value,
                "" if one.fault is None else one.fault.value,
                one.original_wh,
                batch,
                at_s,
            )
            for one in values
        ]
        columns = (
            "resource, meter, source, start_s, length_s, energy_wh, quality, fault, original_wh, batch, imported_s"
        )
        statement = f"INSERT INTO reading ({columns}) VALUES ({', '.join('?' * 11)})"  # noqa: S608 - own names alone
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(statement, rows)
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise MeteringError(f"cannot write the meter data {self._path}: {error}") from error

    def values(self, resource: str, source: MeterSource, from_s: float, to_s: float) -> list[Verified]:
        """What is used of a meter's intervals that overlap a time, the newest of each start, with the originals.

        Raises:
            MeteringError: The file cannot be read.
        """
        statement = """
            SELECT meter, start_s, length_s, energy_wh, quality, fault, original_wh FROM reading
            WHERE resource = ? AND source = ? AND start_s > ? AND start_s < ? AND start_s + length_s > ?
            ORDER BY start_s, seq
        """
        try:
            rows = self._connection.execute(
                statement, (resource, source.value, from_s - LONGEST_S, to_s, from_s)
            ).fetchall()
        except sqlite3.Error as error:
            raise MeteringError(f"cannot read the meter data {self._path}: {error}") from error
        newest: dict[float, Verified] = {}
        for meter, start_s, length_s, energy_wh, quality, fault, original_wh in rows:
            interval = MeterInterval(meter, start_s, length_s, energy_wh, MeterQuality(quality), source)
            newest[start_s] = Verified(interval, MeterFault(fault) if fault else None, original_wh)
        return list(newest.values())

    async def read(self, resource: str, source: MeterSource, from_s: float, to_s: float) -> list[MeterInterval]:
        """The intervals of `values`, without holding anybody up; those with nothing to fill them in are left out.

        Raises:
            MeteringError: The file cannot be read.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._reader, self.values, resource, source, from_s, to_s)
        return [one.interval for one in found if one.interval.quality is not MeterQuality.BAD]
