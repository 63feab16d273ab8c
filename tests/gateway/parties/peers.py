"""Somebody whom the gateway writes to: takes, refuses, hangs or is away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

PATIENCE_S = 60.0


@dataclass
class Peer:
    """Remembers what came."""

    port: int
    bodies: list[Any] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses of the next answers; 202 where there is none left."""
    hanging: bool = False
    tried: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ids(self) -> list[str]:
        return [body["msg_id"] for body in self.bodies]

    async def take(self, request: web.Request) -> web.Response:
        self.tried += 1
        raw = await request.read()
        if self.hanging:
            await asyncio.sleep(3_600)
        status = self.answers.pop(0) if self.answers else 202
        if status < 300:
            self.raw.append(raw)
            self.bodies.append(orjson.loads(raw))
            self.headers.append(dict(request.headers))
        return web.Response(status=status)

    @asynccontextmanager
    async def there(self) -> AsyncIterator["Peer"]:
        app = web.Application()
        app.router.add_post("/{path:.*}", self.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield self
        finally:
            await runner.cleanup()


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - looked at from outside
            await asyncio.sleep(0.02)
