"""What is told again, and when: answers that get lost and requests that never arrive, on virtual time."""

import asyncio
from itertools import pairwise

import pytest

from gateway.coordination.controls import RETRY_S
from protocols.points import Quantity
from protocols.signals import Ack, Outcome
from tests.gateway.coordination.build import MW, T, measured
from tests.gateway.test_loop import FakeAdapter, limited, play

TIMEOUT_S = 1.0
"""How long the adapter waits for an answer."""


class LossyAdapter(FakeAdapter):
    """Its device holds a ceiling; of each instruction, `fates` says what becomes of it, and later ones arrive."""

    def __init__(self, now, *fates: str) -> None:
        super().__init__(now)
        self.fates = list(fates)
        self.ceiling_w = 2.5 * MW

    async def apply(self, instruction) -> Ack:
        self.asked.append((self.now() - T, instruction))
        fate = self.fates.pop(0) if self.fates else "arrives"
        if fate in ("arrives", "answer lost"):
            wanted_w = getattr(instruction, "limit", None) and instruction.limit.ceiling_w
            self.ceiling_w = 2.5 * MW if wanted_w is None else wanted_w
        outcome = {"arrives": Outcome.WRITTEN, "missed": Outcome.UNDELIVERED}.get(fate, Outcome.UNKNOWN)
        if fate != "arrives":
            await asyncio.sleep(TIMEOUT_S)
        return Ack.of(instruction, outcome, self.now(), fate)


async def showing(scene, adapter) -> None:
    """The device's limit is read every quarter of a second."""
    while True:
        await asyncio.sleep(0.25)
        scene.loop.emit([measured("A", adapter.ceiling_w, scene.now(), Quantity.CEILING_W)])


def played(fates, act) -> None:
    """Limit A, and have the instructions meet their fates."""

    async def scene(made) -> None:
        made.adapter = adapter = LossyAdapter(made.now, *fates)
        made.loop.actuation.adapters = {"A": adapter}
        made.engine.answers = limited(1.2 * MW)
        async with asyncio.TaskGroup() as tasks:
            shown = tasks.create_task(showing(made, adapter))
            await act(made)
            shown.cancel()

    play(scene)


def pauses(scene) -> list[float]:
    """From when one instruction was given up to the next."""
    times = [at_s for at_s, _ in scene.adapter.asked]
    return [round(after - before - TIMEOUT_S, 2) for before, after in pairwise(times)]


def test_a_request_that_was_lost_is_told_again_once_the_device_shows_the_old_limit():
    async def act(scene):
        await asyncio.sleep(20)
        assert [outcome for _, outcome in scene.outcomes()] == [
            Outcome.UNKNOWN,
            Outcome.UNDELIVERED,
            Outcome.WRITTEN,
            Outcome.VERIFIED,
        ]
        assert scene.adapter.asked[0][1].control_id == scene.adapter.asked[1][1].control_id
        assert pauses(scene)[0] <= 0.3, "the next reading of the limit"

    played(["request lost"], act)


def test_an_answer_that_was_lost_is_settled_by_the_limit_that_the_device_shows_and_nothing_is_told_again():
    async def act(scene):
        await asyncio.sleep(60)
        assert [outcome for _, outcome in scene.outcomes()] == [Outcome.UNKNOWN, Outcome.VERIFIED]
        assert len(scene.adapter.asked) == 1

    played(["answer lost"], act)


def test_what_was_missed_once_is_told_again_at_once_and_nobody_else_has_to_give_way():
    async def act(scene):
        await asyncio.sleep(5)
        assert pauses(scene) == [0.0]
        assert [outcome for _, outcome in scene.outcomes()] == [
            Outcome.UNDELIVERED,
            Outcome.WRITTEN,
            Outcome.VERIFIED,
        ]

    played(["missed"], act)


def test_a_device_that_is_never_reached_is_told_less_and_less_often():
    async def act(scene):
        await asyncio.sleep(180)
        found = pauses(scene)
        assert found[:6] == pytest.approx([0, 1, 2, 4, 8, 16], abs=1.01)
        assert found[6:] == pytest.approx([RETRY_S] * len(found[6:]), abs=1.01)
        assert len(found) > 7

    played(["missed"] * 100, act)
