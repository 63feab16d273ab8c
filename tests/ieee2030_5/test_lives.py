"""Three lives of one server over real sockets: what the first could not tell, the second tells, the third does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import web

from gateway.clock import wall
from ieee2030_5 import resources as r
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.codec import render
from ieee2030_5.records import Record, Told
from ieee2030_5.settings import ServerSettings
from ieee2030_5.tree import MEDIA_TYPE
from tests.ieee2030_5.conftest import Laboratory
from tests.ieee2030_5.test_server import Site, control

pytestmark = pytest.mark.sockets


@asynccontextmanager
async def life(laboratory: Laboratory, settings: ServerSettings, records: list[Record]) -> AsyncIterator[Site]:
    server = UtilityServer(settings, wall, records.append)
    server.restore(list(records))
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run(lambda _: None))
        await server.listening.wait()
        yield Site(laboratory, server)
        task.cancel()


async def test_a_notification_outlives_the_server_that_could_not_deliver_it(laboratory: Laboratory) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    status = 503

    async def hear(request: web.BaseRequest) -> web.Response:
        heard.put_nowait(await request.read())
        return web.Response(status=status)

    sink = web.ServerRunner(web.Server(hear))
    await sink.setup()
    await web.TCPSite(sink, "127.0.0.1", 0).start()
    devices = tuple(replace(item, notify_hosts=frozenset({"127.0.0.1"})) for item in laboratory.settings().devices)
    settings, records = laboratory.settings(devices=devices), list[Record]()
    wanted = r.Subscription(
        subscribedResource="/derp/B/derc",
        encoding=0,
        level="+S1",
        limit=5,
        notificationURI=f"http://127.0.0.1:{sink.addresses[0][1]}/ntfy",
    )
    try:
        async with life(laboratory, settings, records) as site, site.client("B") as session:
            headers = {"Content-Type": MEDIA_TYPE}
            async with session.post("/edev/B/sub", data=render(wanted), headers=headers) as response:
                assert response.status == 201
            await site.server.apply(control())
            lost = await heard.get()
        assert not any(isinstance(record, Told) for record in records)
        status = 201
        async with life(laboratory, settings, records):
            assert await heard.get() == lost
        (told,) = (record for record in records if isinstance(record, Told))
        assert len(told.digests) == 1
        async with life(laboratory, settings, records):
            await asyncio.sleep(2.5)  # two ticks of the real clock, in which it could be told once more
        assert heard.empty()
    finally:
        await sink.cleanup()
