"""What serves over real sockets in a thread of its own, for callers that block."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

T = TypeVar("T")


@contextmanager
def elsewhere(serve: Callable[[], AbstractAsyncContextManager[T]], within_s: float = 20) -> Iterator[T]:
    """What `serve` gives, served by another thread until left; it starts, and ends, within so many seconds."""
    ready = threading.Event()
    given: list[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def live() -> None:
        async with serve() as served:
            stop = asyncio.Event()
            given.append((served, asyncio.get_running_loop(), stop))
            ready.set()
            await stop.wait()

    with ThreadPoolExecutor(1) as pool:
        living = pool.submit(lambda: asyncio.run(live()))
        living.add_done_callback(lambda _: ready.set())
        assert ready.wait(within_s), "it did not start"
        if not given:
            living.result()
        served, loop, stop = given[0]
        try:
            yield served
        finally:
            loop.call_soon_threadsafe(stop.set)
            living.result(within_s)
