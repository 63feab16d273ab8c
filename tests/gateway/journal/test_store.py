import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.journal.entries import (
    Entry,
    JournalBrokenError,
    JournalError,
    JournalInUseError,
    JournalWriteError,
    Kind,
)
from gateway.journal.store import Journal, JournalReader


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "journal.sqlite"


@pytest.fixture
def journal(path):
    journal = Journal.open(path)
    yield journal
    journal.close()


def issued(number: int, **body: object) -> Entry:
    return Entry(Kind.ISSUED, f"c{number}", 1000.5 + number, "k1", {"number": number, **body})


def altering(path: Path, statement: str) -> None:
    """What somebody with the file in hands could do."""
    with sqlite3.connect(path) as connection:
        for trigger in ("entry_stays_as_written", "entry_stays", "entry_follows_the_last"):
            connection.execute(f"DROP TRIGGER {trigger}")
        connection.execute(statement)
    connection.close()


async def test_entries_come_back_in_order_and_equal(journal):
    first = [issued(1, b=2, a=[1.5, None, "ü"]), Entry(Kind.LINK, "A", -0.0, "", {})]
    await journal.append(first)
    await journal.append([issued(2)])
    assert list(journal.replay()) == [*first, issued(2)]


async def test_entries_survive_a_restart_and_the_chain_goes_on(path):
    for number in range(3):
        journal = Journal.open(path)
        await journal.append([issued(number)])
        journal.close()
    reader = JournalReader.open(path)
    assert list(reader.replay()) == [issued(0), issued(1), issued(2)]
    reader.close()


async def test_a_reader_sees_what_was_appended_while_the_writer_lives(journal, path):
    reader = JournalReader.open(path)
    await journal.append([issued(1)])
    assert reader.entries_for("c1") == [issued(1)]
    assert reader.entries_of_cycle("k1") == [issued(1)]
    reader.close()


async def test_an_entry_outside_of_any_cycle_belongs_to_no_cycle(journal):
    await journal.append([Entry(Kind.LINK, "A", 1.0, "", {})])
    assert journal.entries_of_cycle("") == []


async def test_latest_entries_of_a_kind_come_newest_first(journal):
    await journal.append([issued(1), Entry(Kind.LINK, "A", 1.0, "", {}), issued(2), issued(3)])
    assert journal.latest(Kind.ISSUED, 2) == [issued(3), issued(2)]


async def test_entries_of_a_kind_are_found_by_time(journal):
    await journal.append([issued(1), issued(2), issued(3), Entry(Kind.LINK, "A", 1002.5, "", {})])
    assert journal.entries_between(Kind.ISSUED, 1001.5, 1003.5) == [issued(1), issued(2)]


async def test_nearest_keys_help_with_a_mistyped_one(journal):
    await journal.append([Entry(Kind.ISSUED, key, 1.0, "", {}) for key in ("A-17", "A-18", "B-99", "A-17")])
    assert journal.nearest_keys(Kind.ISSUED, "A-1", count=2) in (["A-17", "A-18"], ["A-18", "A-17"])
    assert journal.nearest_keys(Kind.ISSUED, "zzz") == []


@pytest.mark.parametrize(
    "body", [{"time": {1, 2}}, {"text": "\ud800"}, {"number": 2**64}, {1: 2}, {"entry": issued(1)}]
)
async def test_a_body_that_json_cannot_say_is_refused_and_nothing_is_written(journal, body):
    with pytest.raises(JournalWriteError, match=r"issued 'c9' cannot be written as JSON"):
        await journal.append([issued(1), Entry(Kind.ISSUED, "c9", 1.0, "", body)])
    assert list(journal.replay()) == []
    await journal.append([issued(1)])
    assert list(journal.replay()) == [issued(1)]


def test_a_time_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not a finite number"):
        Entry(Kind.LINK, "A", float("nan"), "", {})


async def test_a_full_disk_is_reported_and_nothing_is_lost_once_there_is_space(journal, path):
    await journal.append([issued(1)])
    pages = journal._writing.execute("PRAGMA page_count").fetchone()[0]
    journal._writing.execute(f"PRAGMA max_page_count = {pages + 4}")
    big = [issued(number, padding="x" * 1000) for number in range(2, 100)]
    with pytest.raises(JournalWriteError, match=r"cannot append 98 entries to .*journal\.sqlite: .*full"):
        await journal.append(big)
    assert list(journal.replay()) == [issued(1)]
    await journal.append([issued(2)])  # a small one still fits
    journal._writing.execute("PRAGMA max_page_count = 1000000")
    await journal.append(big)
    assert list(journal.replay()) == [issued(1), issued(2), *big]


async def test_a_read_only_file_is_reported_on_append(path):
    journal = Journal.open(path)
    journal._writing.execute("PRAGMA query_only = ON")
    with pytest.raises(JournalWriteError, match="readonly"):
        await journal.append([issued(1)])
    journal._writing.execute("PRAGMA query_only = OFF")
    await journal.append([issued(1)])
    assert list(journal.replay()) == [issued(1)]
    journal.close()


async def test_two_gateways_on_one_journal_are_refused(journal, path):
    with pytest.raises(JournalInUseError, match="another gateway writes the journal"):
        Journal.open(path)
    await journal.append([issued(1)])


async def test_the_lock_ends_with_its_holder(path):
    Journal.open(path).close()
    Journal.open(path).close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entry SET key = 'c2'",
        "DELETE FROM entry",
        "INSERT OR REPLACE INTO entry SELECT * FROM entry WHERE seq = 1",
        "INSERT INTO entry SELECT seq + 2, at_s, kind, key, cycle_id, body, hash FROM entry",
    ],
)
async def test_the_file_itself_forbids_changes(journal, path, statement):
    await journal.append([issued(1)])
    other = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    other.close()


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("UPDATE entry SET body = CAST('{}' AS BLOB) WHERE seq = 2", r"entry 2 \(issued 'c2'\)"),
        ("UPDATE entry SET at_s = 0 WHERE seq = 2", r"entry 2 \(issued 'c2'\)"),
        ("UPDATE entry SET key = 'c7' WHERE seq = 2", r"entry 2 \(issued 'c7'\)"),
        ("DELETE FROM entry WHERE seq = 2", "entry 2 is missing"),
    ],
)
async def test_a_broken_chain_is_found_and_named(path, statement, message):
    journal = Journal.open(path)
    await journal.append([issued(1), issued(2), issued(3)])
    journal.close()
    altering(path, statement)
    reader = JournalReader.open(path)
    replay = reader.replay()
    assert next(replay) == issued(1)
    with pytest.raises(JournalBrokenError, match=message):
        next(replay)
    reader.close()


def test_a_missing_journal_is_reported(path):
    with pytest.raises(JournalError, match=r"cannot read the journal .*journal\.sqlite"):
        JournalReader.open(path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to look at " * 10)
    for opener in (Journal.open, JournalReader.open):
        with pytest.raises(JournalBrokenError, match="no SQLite file"):
            opener(path)


def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE thing (x)")
    other.close()
    for opener in (Journal.open, JournalReader.open):
        with pytest.raises(JournalBrokenError, match="some other program"):
            opener(path)


def test_a_journal_of_a_newer_version_is_refused(path):
    Journal.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalBrokenError, match="schema 99"):
        Journal.open(path)


def test_a_directory_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(JournalError, match="cannot make the directory"):
        Journal.open(tmp_path / "file" / "journal.sqlite")


_WRITE_FOREVER = """
import asyncio, sys
from pathlib import Path
from gateway.journal.entries import Entry, Kind
from gateway.journal.store import Journal

async def main():
    journal = Journal.open(Path(sys.argv[1]))
    number = 0
    while True:
        await journal.append([Entry(kind, str(number), 0.0, "", {}) for kind in (Kind.ISSUED, Kind.ACKED)])
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


def test_a_killed_writer_loses_nothing_that_it_was_told_is_written(path):
    command = [sys.executable, "-c", _WRITE_FOREVER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(20):
            writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
        told = [*range(20), *(int(line) for line in writer.stdout if line.endswith("\n"))]
    journal = Journal.open(path)
    entries = list(journal.replay())
    journal.close()
    assert len(entries) >= 2 * len(told)
    assert len(entries) % 2 == 0, "an append was torn apart"


def test_appends_run_beside_a_real_loop(path):
    async def main() -> int:
        journal = Journal.open(path)
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(journal.append([issued(number), issued(number + 100)]))
        count = len(list(journal.replay()))
        journal.close()
        return count

    assert asyncio.run(main()) == 40
