"""The one crash barrier: what escapes an adapter restarts that adapter alone, what escapes a study is its answer."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

Crashed = Callable[[str, Exception, float], None]
"""Told the name, the error and the seconds until the restart."""

FIRST_RESTART_S = 1.0
LAST_RESTART_S = 30.0
STEADY_S = 60.0
"""Having run this long, a task counts as healthy and the next restart is quick again."""


T = TypeVar("T")


def contained(call: Callable[[], T]) -> T | Exception:
    """What `call` returns, or the error that it raised: a defect there must not end what the caller does."""
    try:
        return call()
    except Exception as caught:  # noqa: BLE001 - this is the barrier
        return caught


async def attempted(call: Callable[[], Awaitable[T]]) -> T | Exception:
    """What awaiting `call()` gives, or the error that it raised; cancelling the caller passes through.

    A cancellation that nobody asked for, as a library may leak it, counts as an error.
    """
    try:
        return await call()
    except asyncio.CancelledError as leaked:
        current = asyncio.current_task()
        if current is None or current.cancelling():
            raise
        error = RuntimeError("was cancelled from within")
        error.__cause__ = leaked
        return error
    except Exception as caught:  # noqa: BLE001 - this is the barrier
        return caught


def causes(error: BaseException) -> list[BaseException]:
    """The errors in a group, or the one that is none."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [cause for inner in error.exceptions for cause in causes(inner)]


async def supervised(name: str, run: Callable[[], Awaitable[None]], crashed: Crashed, rng: random.Random) -> None:
    """Run `run` for ever, restarting it after a crash with capped, jittered backoff.

    A task that returns by itself is restarted as well: an adapter has no reason to end. Cancelling
    passes through.
    """
    loop = asyncio.get_running_loop()
    wait_s = FIRST_RESTART_S
    while True:
        began = loop.time()
        error = await attempted(run) or RuntimeError(f"{name} ended by itself")
        if loop.time() - began >= STEADY_S:
            wait_s = FIRST_RESTART_S
        pause_s = wait_s * (0.5 + rng.random() / 2)
        crashed(name, error, pause_s)
        await asyncio.sleep(pause_s)
        wait_s = min(2 * wait_s, LAST_RESTART_S)
