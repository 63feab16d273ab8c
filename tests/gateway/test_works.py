"""Planned work comes into a running gateway: judged, journalled, and gone when it no longer fits."""

import asyncio

import pytest

from gateway.coordination.topology import Work, WorkKind
from gateway.works import RefusedWork, Works
from grid_engine.results import Answer, NetworkState, Status
from tests.gateway.coordination.build import T, solved
from tests.gateway.test_loop import play

TIE = NetworkState(switches_closed={"SW12": False, "SWT": True})


def work(**other) -> Work:
    return Work(**{"id": "W", "kind": WorkKind.PLANNED, "start_s": T + 600, "end_s": T + 1200, "state": TIE} | other)


def works(scene) -> Works:
    return Works(scene.loop.ground, scene.engine)


def test_oms_work_is_journalled_before_it_counts_and_can_be_cancelled():
    async def act(scene):
        await asyncio.sleep(2)
        await works(scene).schedule(work())
        assert scene.journal.kinds()[-1] == "topology"
        await asyncio.sleep(11)
        assert any(study.states for study in scene.engine.studies)
        await works(scene).cancel("W", "test")
        assert scene.loop.book.topology.works == {}
        with pytest.raises(RefusedWork, match="there are: none"):
            await works(scene).cancel("W", "test")

    play(act)


def test_oms_reports_the_resources_that_lose_their_supply():
    async def act(scene):
        await asyncio.sleep(2)
        scene.engine.answers = lambda _: Answer("s", Status.SOLVED, "r1-1", unsupplied=("B6", "A"))
        accepted = await works(scene).schedule(work())
        assert accepted.cut_off == ("A",)
        assert ("DER_CUT_OFF", "A") in scene.loop.book.alarms

    play(act)


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"end_s": T + 600}, "ends before it begins"),
        ({"start_s": T - 600, "end_s": T}, "over already"),
        ({"start_s": T + 610}, "with a market interval of 300 s"),
        ({"state": NetworkState()}, "changes nothing"),
        ({"end_s": T + 400 * 86_400}, "longer than 366 days"),
    ],
)
def test_work_that_cannot_be_is_refused_with_the_reason(other, what):
    async def act(scene):
        await asyncio.sleep(2)
        with pytest.raises(RefusedWork, match=what):
            await works(scene).schedule(work(**other))

    play(act)


def test_work_on_what_the_network_does_not_have_is_refused_and_cancelled_after_a_change_of_the_model():
    async def act(scene):
        await asyncio.sleep(2)
        await works(scene).schedule(work())
        scene.engine.answers = lambda study: (
            Answer("s", Status.BAD_INPUT, "r1-2", detail="switch SW12: not in the network")
            if study.state.switches_closed
            else solved()
        )
        with pytest.raises(RefusedWork, match="switch SW12: not in the network"):
            await works(scene).schedule(work(id="X"))
        await works(scene).review()
        assert scene.loop.book.topology.works == {}

    play(act)
