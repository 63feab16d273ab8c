"""The crash barrier: errors become values or restarts, cancellation passes."""

import asyncio
import random

import async_solipsism
import pytest

from gateway.supervise import FIRST_RESTART_S, LAST_RESTART_S, STEADY_S, attempted, contained, supervised


def virtually(scene):
    loop = async_solipsism.EventLoop()
    try:
        return loop.run_until_complete(scene())
    finally:
        loop.close()


async def broken():
    raise ValueError("broken")


async def cancelled_from_within():
    raise asyncio.CancelledError


def test_contained_gives_the_result_or_the_error():
    assert contained(lambda: 7) == 7
    assert isinstance(contained(lambda: 1 / 0), ZeroDivisionError)


def test_attempted_gives_the_result_or_the_error():
    async def scene():
        assert await attempted(lambda: asyncio.sleep(1, 7)) == 7
        assert isinstance(await attempted(broken), ValueError)

    virtually(scene)


def test_a_cancellation_that_nobody_asked_for_is_an_error():
    async def scene():
        assert isinstance(await attempted(cancelled_from_within), RuntimeError)

    virtually(scene)


def test_a_deadline_around_an_attempt_still_strikes():
    async def scene():
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await attempted(lambda: asyncio.sleep(9))

    virtually(scene)


def restarts(run, for_s):
    """What the crashes of `run` were told as within a time."""
    told = []

    async def scene():
        loop = asyncio.get_running_loop()
        begun_s = loop.time()

        def crashed(name, error, wait_s):
            told.append((loop.time() - begun_s, type(error), wait_s))

        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(supervised("it", run, crashed, random.Random(1)))
            await asyncio.sleep(for_s)
            task.cancel()
        assert task.cancelled(), "cancelling passes through"

    virtually(scene)
    return told


@pytest.mark.parametrize(
    ("run", "error"),
    [(broken, ValueError), (cancelled_from_within, RuntimeError), (lambda: asyncio.sleep(0), RuntimeError)],
)
def test_whatever_ends_a_task_restarts_it(run, error):
    told = restarts(run, 10)
    assert len(told) > 2
    assert {kind for _, kind, _ in told} == {error}


def test_restarts_become_rare_but_never_stop():
    waits = [wait_s for _, _, wait_s in restarts(broken, 600)]
    assert FIRST_RESTART_S / 2 <= waits[0] <= FIRST_RESTART_S
    assert all(LAST_RESTART_S / 2 <= wait_s <= LAST_RESTART_S for wait_s in waits[6:])
    assert len(waits) > 20


def test_after_a_steady_time_a_restart_is_quick_again():
    async def steady():
        await asyncio.sleep(STEADY_S + 1)
        raise ValueError

    assert all(wait_s <= FIRST_RESTART_S for _, _, wait_s in restarts(steady, 300))
