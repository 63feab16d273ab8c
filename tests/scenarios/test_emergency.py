"""S24 on reference zone R1: everybody keeps off while an emergency lasts, and limits hold when it is over."""

from pathlib import Path

import pytest

from gateway.console.queue import waiting
from gateway.coordination.messages import LimitIssue
from protocols.signals import Outcome
from tests.scenarios.stage import EPOCH_S, MW, Stage, play, zone_file

LIMIT_MW = 0.01


async def dispatched(stage: Stage) -> None:
    """A minute after a dispatch of A that is beyond what L12 carries."""
    await stage.open_gateway()
    await stage.pass_time(5)
    await stage.dispatch("A", 2.0, EPOCH_S)
    await stage.pass_time(60)


def test_s24_a_limit_outlives_the_emergency(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await dispatched(stage)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
            emergency = await stage.loop.exchange.declare(2, "zone", "told by the test")
            await stage.pass_time(10)
            assert {name: stage.ceiling_mw(name) for name in "ABCDE"} == dict.fromkeys("ABCDE", 0.0)
            await stage.pass_time(30)
            await stage.loop.exchange.clear(emergency)
            await stage.pass_time(10)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW), "and not the dispatch of 2 MW"
            assert stage.ceiling_mw("C") is None
            assert stage.loop.book.controls["A"].outcome is not Outcome.REJECTED

    play(scene)


def test_s24_whoever_is_left_no_power_is_off_the_grid_until_it_is_over_and_through_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await dispatched(stage)
            emergency = await stage.loop.exchange.declare(2, "zone", "told by the test")
            await stage.pass_time(10)
            on_grid = {name: device.is_connected for name, device in stage.world.devices.items()}
            assert on_grid == {"A": True, "B": False, "C": False, "D": True, "E": False}, "batteries may charge"
            await stage.loop.exchange.clear(emergency)
            await stage.pass_time(10)
            assert all(device.is_connected for device in stage.world.devices.values())
            emergency = await stage.loop.exchange.declare(3, "A", "told by the test")
            await stage.pass_time(10)
            assert not stage.world.devices["A"].is_connected
            await stage.kill_gateway()
            await stage.open_gateway()
            await stage.pass_time(10)
            assert not stage.world.devices["A"].is_connected
            await stage.loop.exchange.clear(emergency)
            await stage.pass_time(10)
            assert stage.world.devices["A"].is_connected
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

    play(scene)


def test_in_manual_mode_nothing_is_limited_before_an_operator_approves(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(approval={"mode": "manual"}), tmp_path) as stage:
            await dispatched(stage)
            assert stage.ceiling_mw("A") is None
            found = waiting(stage.loop.ground.situation())
            (limit,) = [one for one in found.waiting if "LIMIT.Issue  A" in one.steps[0].what]
            assert limit.why.startswith("THERMAL L12: 120.")
            await stage.loop.exchange.rule(limit.id, approved=True, by="ada")
            await stage.pass_time(10)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
            sent = [m.message.body for m in stage.parties.log if isinstance(m.message.body, LimitIssue)]
            assert [round(body.ceiling_w / MW, 2) for body in sent if body.resource == "A"] == [1.2]

    play(scene)
