"""The admin API in a thread of its own, for callers that block."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.endpoints import ADMIN
from ieee2030_5.admin.server import Service
from ieee2030_5.settings import AdminSettings


@contextmanager
def serving(desk: Callable[[], Desk], settings: AdminSettings) -> Iterator[str]:
    """The URL of the admin API while it is entered."""
    service = Service(ADMIN, desk, settings)
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        await service.start()
        ready.set()
        await over.wait()
        await service.stop()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(30)
        yield f"http://127.0.0.1:{service.port}"
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join(30)
        loop.close()
