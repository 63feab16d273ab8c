"""The admin API in a thread of its own, for callers that block."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.endpoints import ADMIN
from ieee2030_5.admin.server import Service
from ieee2030_5.settings import AdminSettings
from tests.background import elsewhere


@contextmanager
def serving(desk: Callable[[], Desk], settings: AdminSettings) -> Iterator[str]:
    """The URL of the admin API while it is entered."""

    @asynccontextmanager
    async def serve() -> AsyncIterator[str]:
        service = Service(ADMIN, desk, settings)
        await service.start()
        yield f"http://127.0.0.1:{service.port}"
        await service.stop()

    with elsewhere(serve, within_s=30) as url:
        yield url
