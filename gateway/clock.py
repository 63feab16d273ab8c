"""The only place that reads the wall clock."""

import asyncio
import time
from collections.abc import Callable

Now = Callable[[], float]
"""Unix seconds UTC."""


def wall() -> float:
    """Unix seconds UTC from the operating system."""
    return time.time()  # noqa: TID251 - the one reader of the wall clock


def of_loop(epoch_s: float) -> Now:
    """A clock that starts at `epoch_s` and follows the running event loop's time.

    On a virtual loop it makes every deadline, lease and ramp of a scenario follow virtual time.
    """
    loop = asyncio.get_running_loop()
    origin = loop.time()
    return lambda: epoch_s + loop.time() - origin
