"""HTTP shell of the simulated parties: takes messages at their URLs and carries theirs to others, in order."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from gateway.coordination import wire
from gateway.coordination.messages import Message
from gateway.testbed.parties import Parties
from protocols.port import Now

PATH: Final = "/v1/messages"
WAITING_MAX: Final = 1_000
"""Messages waiting for one recipient; further ones are dropped, as by a full letter box."""
ATTEMPT_S: Final = 5.0
GIVE_UP_S: Final = 30.0
"""A message that could not be delivered for so long is dropped."""
PAUSE_FIRST_S, PAUSE_LAST_S = 0.2, 2.0

Say = Callable[[str], None]
"""Tells the operator of the testbed."""


class Carrier:
    """Delivers messages by HTTP, one at a time per recipient, so that they arrive in order."""

    def __init__(self, urls: Mapping[str, str], rng: Random, say: Say) -> None:
        """`urls` gives the base of the interface of every party that may be written to."""
        self._urls = {party: url.rstrip("/") + PATH for party, url in urls.items()}
        self._rng, self._say = rng, say
        self._queues: dict[str, asyncio.Queue[Message]] = {party: asyncio.Queue(WAITING_MAX) for party in urls}

    def send(self, messages: Iterable[Message]) -> None:
        """Take messages for delivery and return at once."""
        for message in messages:
            queue = self._queues.get(message.header.recipient)
            if queue is None:
                self._say(f"{message.code} for {message.header.recipient} dropped: no URL is known")
            elif queue.full():
                self._say(f"{message.code} for {message.header.recipient} dropped: {WAITING_MAX} are waiting already")
            else:
                queue.put_nowait(message)

    async def run(self) -> None:
        """Deliver until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for party, queue in self._queues.items():
                tasks.create_task(self._carry(session, self._urls[party], queue))

    async def _carry(self, session: aiohttp.ClientSession, url: str, queue: asyncio.Queue[Message]) -> None:
        while True:
            message = await queue.get()
            problem = "no attempt was answered"
            try:
                async with asyncio.timeout(GIVE_UP_S):
                    pause_s = PAUSE_FIRST_S
                    while problem := await _attempt(session, url, message):
                        await asyncio.sleep(pause_s * (0.5 + 0.5 * self._rng.random()))
                        pause_s = min(2 * pause_s, PAUSE_LAST_S)
            except TimeoutError:
                self._say(f"{message.code} to {url} dropped after {GIVE_UP_S:g} s: {problem}")
            except _RefusedError as error:
                self._say(f"{message.code} to {url} refused: {error}")


class _RefusedError(Exception):
    """The recipient will not take this message, however often it is sent."""


async def _attempt(session: aiohttp.ClientSession, url: str, message: Message) -> str:
    """Try once; tell what is in the way, nothing where it was delivered."""
    try:
        async with session.post(url, data=wire.encode(message), allow_redirects=False) as response:
            if response.status < 300:
                return ""
            answer = f"{response.status} {(await response.content.read(500)).decode('utf-8', 'replace')}"
            if response.status < 500:
                raise _RefusedError(answer)
            return answer
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def servers(
    urls: Mapping[str, str], parties: Parties, carrier: Carrier, now: Now
) -> dict[tuple[str, int], web.Application]:
    """One application per address at which simulated parties take messages; `urls` holds those of the simulated."""
    prefixes: dict[tuple[str, int], set[str]] = defaultdict(set)
    for url in urls.values():
        parts = urlsplit(url)
        prefixes[parts.hostname or "127.0.0.1", parts.port or 80].add(parts.path.rstrip("/"))
    return {address: _application(sorted(paths), parties, carrier, now) for address, paths in prefixes.items()}


def _application(prefixes: Sequence[str], parties: Parties, carrier: Carrier, now: Now) -> web.Application:
    async def receive(request: web.Request) -> web.Response:
        try:
            message = wire.decode(await request.read())
            carrier.send(parties.handle(message, now()))
        except wire.WireError as error:
            return refusal(400, error.problem, error.field, error.remedy)
        except LookupError as error:
            return refusal(409, str(error), "recipient", f"send to {', '.join(parties.members)}")
        return web.json_response({"msg_id": message.header.msg_id, "status": "RECEIVED"}, status=202)

    app = web.Application(client_max_size=wire.MAX_BYTES)
    for prefix in prefixes:
        app.router.add_post(prefix + PATH, receive)
    return app


def refusal(status: int, problem: str, field: str, remedy: str) -> web.Response:
    """What every interface of the testbed answers to bad input."""
    return web.json_response({"error": problem, "field": field, "what_to_do": remedy}, status=status)
