"""The process under load in `bench_2030`: our 2030.5 server, or a bare aiohttp server that answers constant bytes."""

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from gateway.clock import wall
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.settings import DeviceSettings, ServerSettings
from ieee2030_5.tls import server_context
from ieee2030_5.tree import MEDIA_TYPE
from protocols.signals import Bounds, Control


async def ours(certificates: Path, port: int, lfdi: str) -> None:
    settings = ServerSettings(
        certificates / "server.pem",
        certificates / "server.key.pem",
        certificates / "root.pem",
        (DeviceSettings("B", lfdi, 50_000.0),),
        port=port,
        poll_rate_s=60,
        post_rate_s=60,
    )
    server = UtilityServer(settings, wall)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(server.run(lambda _: None))
        await server.listening.wait()
        now = wall()
        await server.apply(Control("K1", "B", 1, now, now + 3_600, Bounds(ceiling_w=20_000.0)))


async def bare(certificates: Path, port: int, size: int) -> None:
    body = b"x" * size

    async def get(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers={"Content-Type": MEDIA_TYPE})

    async def post(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=201, headers={"Location": "/mup/1"})

    app = web.Application()
    app.router.add_get("/", get)
    app.router.add_post("/", post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    files = (certificates / "server.pem", certificates / "server.key.pem", certificates / "root.pem")
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=server_context(*files)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    kind, directory, number, extra = sys.argv[1:]
    if kind == "ours":
        asyncio.run(ours(Path(directory), int(number), extra))
    else:
        asyncio.run(bare(Path(directory), int(number), int(extra)))
