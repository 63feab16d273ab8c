"""A process under load in the 2030.5 benchmarks: our server, or a bare aiohttp server that answers constant bytes."""

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from gateway.clock import wall
from gateway.journal.store import Journal
from gateway.served import keeper
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.exchange import MEDIA_TYPE
from ieee2030_5.tls import server_context
from tests.bench.utility_2030 import devices, feeder, settings


async def ours(certificates: Path, port: int, count: int) -> None:
    """The server as the gateway runs it: what it acknowledges is on the disk."""
    members = devices(certificates, count)
    journal = Journal.open(certificates / f"{port}.journal")
    server = UtilityServer(
        settings(certificates, port, members, requests_per_s=1e6, requests_at_once=1e6), wall, keeper(journal, wall)
    )
    server.restore([*feeder(members, int(wall()))])
    await server.run(lambda _: None)


async def bare(certificates: Path, port: int, size: int) -> None:
    """aiohttp as anyone would use it."""
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
    kind, directory, port_number, number = sys.argv[1:]
    asyncio.run({"ours": ours, "bare": bare}[kind](Path(directory), int(port_number), int(number)))
