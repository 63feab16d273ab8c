"""What goes wrong in the field and on the disk: each is told once, nothing is lost, the feeder stays safe."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.coordination.messages import LimitIssue
from gateway.exchange import CannotRecord
from protocols.signals import Outcome
from tests.scenarios.stage import MW, Stage, play, zone_file
from tests.scenarios.test_dual_participation import LIMIT_MW, LOADING_PCT, dispatch_copy


def test_a_refused_write_is_told_and_the_others_make_room(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            stage.deaf.add("AGENT_A")  # the agent does not hear the limit either
            stage.world.devices["A"].faults.refuse = True
            start_s = await stage.next_interval()
            with capture_logs() as logs:
                await stage.dispatch("A", 2.0, start_s)
                await stage.pass_time(299)
            told = [line for line in logs if line["event"] == "command.completed" and line["outcome"] == "rejected"]
            assert told
            assert told[0]["resource"] == "A"
            assert stage.power_mw("A") == pytest.approx(2.0, abs=0.02), "A goes its own way"
            assert stage.loading_pct("L12") <= 100 + LOADING_PCT, "so B had to give way"
            assert stage.ceiling_mw("B") == pytest.approx(3.20, abs=2 * LIMIT_MW)

            stage.world.devices["A"].faults.refuse = False
            await stage.until(lambda: stage.ceiling_mw("A") is not None, within_s=60)
            await stage.until(lambda: stage.ceiling_mw("B") is None, within_s=300)
            assert stage.loading_pct("L12") <= 100 + LOADING_PCT

    play(scene)


def test_a_device_that_lies_is_found_out_by_its_watts(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            stage.deaf.add("AGENT_A")
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(60)
            stage.world.devices["A"].faults.lie = True
            await stage.until(lambda: stage.loop.book.controls["A"].outcome is Outcome.UNVERIFIED, within_s=300)
            await stage.until(lambda: stage.ceiling_mw("B") is not None, within_s=60)
            await stage.pass_time(60)
            assert stage.loading_pct("L12") <= 100 + LOADING_PCT

    play(scene)


def test_not_a_number_is_a_gap_and_counts_at_its_worst(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 1.0, start_s)
            await stage.pass_time(310)
            with capture_logs() as logs:
                stage.world.devices["A"].faults.not_a_number = True
                await stage.pass_time(60)
            gaps = [line for line in logs if line["event"] == "snapshot.gap"]
            assert [line["resource"] for line in gaps] == ["A"], "told once, not every cycle"
            assert stage.assumed_mw("A") == pytest.approx(1.0, abs=LIMIT_MW)

    play(scene)


def test_an_unreachable_device_is_told_once_and_harms_nobody(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            stage.world.devices["A"].faults.drop_link = True
            with capture_logs() as logs:
                await stage.open_gateway()
                await stage.pass_time(120)
            links = [line for line in logs if line["event"] == "device.link" and line["resource"] == "A"]
            assert [line["state"] for line in links] == ["lost"]
            assert "A" in links[0]["detail"]
            # Never heard of, A may inject all that it can: B must leave room for that.
            limits = [m.body for m in stage.messages("LIMIT.Issue") if isinstance(m.body, LimitIssue)]
            assert {limit.resource for limit in limits} == {"B"}
            assert stage.ceiling_mw("B") is not None
            assert stage.ceiling_mw("B") == pytest.approx(2.70, abs=0.05)

    play(scene)


def test_beside_an_unheard_device_nobody_may_add_to_the_violation(tmp_path: Path) -> None:
    zone = zone_file(devices={"A": {"controllable": "limit"}})

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            stage.world.devices["B"].faults.not_a_number = True  # at its worst L12 is beyond its rating already
            stage.world.devices["A"].set_available(0.1 * MW, stage.now())
            await stage.open_gateway()
            await stage.pass_time(120)
            stage.world.devices["A"].set_available(1.6 * MW, stage.now())
            await stage.until(lambda: stage.ceiling_mw("A") is not None, within_s=60)
            ceiling = stage.ceiling_mw("A")
            assert ceiling is not None
            assert ceiling <= 0.1 + LIMIT_MW

    play(scene)


def test_with_a_full_disk_nothing_leaves_and_nothing_is_lost(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.pass_time(5)
            writing = stage.journal._writing
            (pages,) = writing.execute("PRAGMA page_count").fetchone()
            (before,) = writing.execute(f"PRAGMA max_page_count = {pages}").fetchone()
            assert before == pages
            with capture_logs() as logs:
                refused = 0
                for version in range(1, 40):
                    try:
                        await stage.loop.exchange.receive(dispatch_copy("d1", version, 2.0, start_s))
                    except CannotRecord:
                        refused += 1
                await stage.pass_time(30)
            assert refused > 0
            assert sum(line["event"] == "journal.failed" for line in logs) == 1, "told once"
            assert stage.loop.book.controls == {}, "nothing was sent that could not be journalled"

            writing.execute("PRAGMA max_page_count = 1000000")
            with capture_logs() as logs:
                await stage.loop.exchange.receive(dispatch_copy("d1", 41, 2.0, start_s))
                await stage.pass_time(30)
            assert any(line["event"] == "journal.recovered" for line in logs)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
            assert len(list(stage.journal.replay())) > 0, "the chain is whole"
            assert stage.power_mw("B") == pytest.approx(4.0 * MW / MW, abs=LIMIT_MW)

    play(scene)
