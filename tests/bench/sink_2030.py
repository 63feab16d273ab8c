"""A process of `bench_2030_notify`: endpoints that take notifications, the last of which is dead.

Prints `listening`, and once its input ends, what it heard: the newest state by subscription, and how old states were.
"""

import asyncio
import json
import re
import ssl
import sys
from pathlib import Path

from aiohttp import web

from gateway.clock import wall
from ieee2030_5.tls import server_context
from tests.bench.rows import percentile

_ABOUT = re.compile(rb"<description>([^<]*)</description>.*<subscriptionURI>([^<]*)</subscriptionURI>", re.DOTALL)


class Ears:
    """What all endpoints have heard."""

    def __init__(self) -> None:
        self.last: dict[str, str] = {}
        self.ages: list[float] = []

    async def hear(self, request: web.BaseRequest) -> web.Response:
        """Note the state, and say that it arrived."""
        found = _ABOUT.search(await request.read())
        if found is None:
            return web.Response(status=400)
        said, subscription = (part.decode() for part in found.groups())
        self.ages.append(wall() - float(said))
        self.last[subscription] = said
        return web.Response(status=201)


async def main(context: ssl.SSLContext, ports: list[int]) -> None:
    """Listen until the input ends."""
    ears = Ears()
    runner = web.ServerRunner(web.Server(ears.hear, access_log=None))
    await runner.setup()
    for port in ports[:-1]:
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    dead = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", ports[-1])
    print("listening", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    dead.close()
    p50, p99 = (percentile(ears.ages, share) for share in (50, 99))
    print(json.dumps({"last": ears.last, "count": len(ears.ages), "p50": p50, "p99": p99}))


if __name__ == "__main__":
    directory, *numbers = sys.argv[1:]
    files = (Path(directory) / name for name in ("server.pem", "server.key.pem", "root.pem"))
    asyncio.run(main(server_context(*files), [int(number) for number in numbers]))
