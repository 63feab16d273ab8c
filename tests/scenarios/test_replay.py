"""The journal on the disk rebuilds every state: under each model, from its beginning as from a checkpoint."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from config.settings import ZoneFile
from gateway import record
from gateway.coordination.book import Book
from gateway.coordination.events import Sent
from gateway.journal.store import JournalReader
from tests.gateway.coordination.watch import assert_same
from tests.scenarios.stage import EPOCH_S, Stage, play, zone_file
from tests.scenarios.test_market_facilitator import facilitated
from tests.scenarios.test_total_dso import offered, total

ZONES: dict[str, Any] = {"DP": zone_file, "T": total, "MF": facilitated}


def replayed(directory: Path) -> tuple[Book, Book]:
    """What the journal says: all of it folded, and what a restart begins with."""
    journal = JournalReader.open(directory / "journal.sqlite")
    folded = Book()
    for event in record.events(journal.replay()):
        folded.fold(event)
    restored = record.restore(journal)
    journal.close()
    return folded, restored


def assert_replayed(stage: Stage, directory: Path) -> None:
    live = deepcopy(stage.loop.book)
    books = (live, *replayed(directory))
    for book in books:
        book.trade.pass_time(stage.now())
    for book in books[1:]:
        assert_same(live, book)


@pytest.mark.parametrize("model", list(ZONES))
def test_the_journal_rebuilds_every_state_across_a_kill(model: str, tmp_path: Path) -> None:
    zone: ZoneFile = ZONES[model]()

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            if model == "T":
                await offered(stage, start_s, EPOCH_S + 7200)
            await stage.dispatch("TD1" if model == "T" else "A", 2.5, start_s)
            await stage.pass_time(40)
            assert_replayed(stage, tmp_path)
            controls = {name: held.instruction.version for name, held in stage.loop.book.controls.items()}
            await stage.kill_gateway()
            folded, restored = replayed(tmp_path)
            assert folded == restored
            await stage.open_gateway()
            await stage.pass_time(60)
            assert_replayed(stage, tmp_path)
            after = {name: held.instruction.version for name, held in stage.loop.book.controls.items()}
            assert all(after[name] >= version for name, version in controls.items()), "older never returns"
            assert stage.loop.book.trade.violations == 0
            ids = [message.header.msg_id for message in _sent(tmp_path)]
            assert len(ids) == len(set(ids)), "nothing is said twice"

    play(scene)


def _sent(directory: Path) -> list[Any]:
    journal = JournalReader.open(directory / "journal.sqlite")
    found = [fact.message for entry in journal.replay() if isinstance(fact := record.fact(entry), Sent)]
    journal.close()
    return found
