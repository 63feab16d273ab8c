"""The operator's desk at a running loop: journalled, brought to the device, verified and ended, on virtual time."""

import asyncio

import pytest

from gateway.coordination.zone import ZoneFacts
from gateway.desk import Desk, RefusedInstruction, UnrecordedInstruction
from gateway.narrate import Narrator
from protocols.signals import Bounds, Control, Outcome, Release
from tests.gateway.coordination.build import MW, zone
from tests.gateway.test_loop import limited, play


def desk_of(scene, facts: ZoneFacts | None = None) -> Desk:
    facts = facts or zone()
    return Desk(facts, scene.loop.ground.ledger, scene.now, Narrator(facts), scene.loop.ground.touched.set)


def test_an_instruction_is_on_the_disk_before_it_reaches_the_device_and_ends_with_its_lease():
    async def act(scene):
        desk = desk_of(scene)
        await asyncio.sleep(2)
        scene.power_w = 0.8 * MW
        asked = await desk.instruct("A", Bounds(None, 1.0 * MW), None, 60.0, "bench")
        assert scene.journal.kinds()[-1] == "operated"
        assert desk.standing("A") == asked
        await asyncio.sleep(3)
        (control,) = scene.instructions()
        assert isinstance(control, Control)
        assert (control.limit.ceiling_w, control.expiry_s) == (1.0 * MW, asked.expires_s)
        assert scene.loop.book.controls["A"].outcome is Outcome.VERIFIED
        await asyncio.sleep(60)
        assert desk.standing("A") is None
        assert isinstance(scene.instructions()[-1], Release)

    play(act)


def test_a_limit_stands_whatever_the_operator_asks():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(5)
        await desk_of(scene).instruct("A", Bounds(), 2.0 * MW, 600.0, "bench")
        await asyncio.sleep(3)
        newest = scene.instructions()[-1]
        assert (newest.limit.ceiling_w, newest.target_w) == (1.2 * MW, 1.2 * MW)

    play(act)


def test_a_withdrawn_instruction_gives_the_device_back_and_a_second_withdrawal_is_nothing():
    async def act(scene):
        desk = desk_of(scene)
        await asyncio.sleep(2)
        await desk.instruct("A", Bounds(None, 1.0 * MW), None, 600.0, "bench")
        await asyncio.sleep(2)
        await desk.withdraw("A", "bench")
        await asyncio.sleep(2)
        assert isinstance(scene.instructions()[-1], Release)
        told = len(scene.journal.entries)
        await desk.withdraw("A", "bench")
        assert len(scene.journal.entries) == told

    play(act)


def test_what_is_refused_or_cannot_be_written_has_no_effect():
    async def act(scene):
        desk = desk_of(scene)
        await asyncio.sleep(2)
        with pytest.raises(RefusedInstruction, match="no set point"):
            await desk.instruct("B", Bounds(), 1.0 * MW, 600.0, "bench")
        scene.journal.full = True
        with pytest.raises(UnrecordedInstruction):
            await desk.instruct("A", Bounds(None, 1.0 * MW), None, 600.0, "bench")
        scene.journal.full = False
        await asyncio.sleep(3)
        assert scene.instructions() == []
        assert (desk.standing("A"), desk.standing("B")) == (None, None)

    play(act)


def test_two_at_once_get_versions_of_their_own():
    async def act(scene):
        desk = desk_of(scene)
        async with asyncio.TaskGroup() as tasks:
            both = [
                tasks.create_task(desk.instruct("A", Bounds(None, w * MW), None, 600.0, "bench")) for w in (1.0, 0.5)
            ]
        assert [one.result().version for one in both] == [1, 2]
        assert desk.standing("A").limit.ceiling_w == 0.5 * MW

    play(act)
