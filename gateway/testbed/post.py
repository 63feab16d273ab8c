"""HTTP shell of the simulated parties: takes messages at their URLs and carries theirs to others, in order."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from gateway.coordination import wire
from gateway.coordination.messages import Message
from gateway.testbed.parties import Parties
from gateway.testbed.requests import refusal
from protocols.port import Now

PATH: Final = "/v1/messages"
WAITING_MAX: Final = 1_000
"""Messages waiting for one recipient; further ones are dropped, as by a full letter box."""
ATTEMPT_S: Final = 5.0
GIVE_UP_S: Final = 30.0
"""A message that could not be delivered for so long is dropped."""
BY_PLATFORM_S: Final = 3.0
"""A message that the platform has not taken after so long goes to its recipient directly."""
PAUSE_FIRST_S, PAUSE_LAST_S = 0.2, 2.0

Say = Callable[[str], None]
"""Tells the operator of the testbed."""
Way = Callable[[Message], str]
"""To whom a message is handed: its recipient, or the platform that carries it there."""


def directly(message: Message) -> str:
    """Point to point."""
    return message.header.recipient


class Carrier:
    """Delivers messages by HTTP, one at a time per address, so that they arrive in order."""

    def __init__(self, urls: Mapping[str, str], rng: Random, say: Say, way: Way = directly) -> None:
        """`urls` gives the base of the interface of every party that may be written to."""
        self._urls = {party: url.rstrip("/") + PATH for party, url in urls.items()}
        self._rng, self._say, self._way = rng, say, way
        self._queues: dict[str, asyncio.Queue[Message]] = {party: asyncio.Queue(WAITING_MAX) for party in urls}

    def knows(self, party: str) -> bool:
        """Whether a party can be written to."""
        return party in self._urls

    def send(self, messages: Iterable[Message]) -> None:
        """Take messages for delivery and return at once."""
        for message in messages:
            self._put(message, self._way(message))

    def pass_on(self, messages: Iterable[Message]) -> None:
        """Take messages that the platform has carried so far, for delivery to their recipients."""
        for message in messages:
            self._put(message, message.header.recipient)

    def _put(self, message: Message, to: str) -> None:
        queue = self._queues.get(to)
        if queue is None:
            self._say(f"{message.code} for {to} dropped: no URL is known")
        elif queue.full():
            self._say(f"{message.code} for {to} dropped: {WAITING_MAX} are waiting already")
        else:
            queue.put_nowait(message)

    async def run(self) -> None:
        """Deliver until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for party, queue in self._queues.items():
                tasks.create_task(self._carry(session, party, queue))

    async def _carry(self, session: aiohttp.ClientSession, party: str, queue: asyncio.Queue[Message]) -> None:
        url = self._urls[party]
        while True:
            message = await queue.get()
            by_platform = party != message.header.recipient
            give_up_s = BY_PLATFORM_S if by_platform else GIVE_UP_S
            problem = await self._delivered(session, url, message, give_up_s)
            if problem and by_platform:
                self._say(f"{message.code} for {message.header.recipient} goes directly: {party} {problem}")
                self._put(message, message.header.recipient)
            elif problem:
                self._say(f"{message.code} to {url} {problem}")

    async def _delivered(self, session: aiohttp.ClientSession, url: str, message: Message, give_up_s: float) -> str:
        """Try until it is delivered; tell what became of it, nothing where it was."""
        problem, pause_s = "no attempt was answered", PAUSE_FIRST_S
        try:
            async with asyncio.timeout(give_up_s):
                while problem := await _attempt(session, url, message):
                    await asyncio.sleep(pause_s * (0.5 + 0.5 * self._rng.random()))
                    pause_s = min(2 * pause_s, PAUSE_LAST_S)
        except TimeoutError:
            return f"dropped after {give_up_s:g} s: {problem}"
        except _RefusedError as error:
            return f"refused: {error}"
        return ""


class _RefusedError(Exception):
    """The recipient will not take this message, however often it is sent."""


async def _attempt(session: aiohttp.ClientSession, url: str, message: Message) -> str:
    """Try once; tell what is in the way, nothing where it was delivered."""
    try:
        async with session.post(url, data=_written(message), allow_redirects=False) as response:
            if response.status < 300:
                return ""
            answer = f"{response.status} {(await response.content.read(500)).decode('utf-8', 'replace')}"
            if response.status < 500:
                raise _RefusedError(answer)
            return answer
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def _written(message: Message) -> bytes:
    """To the byte as it was received, where it is somebody else's that is passed on."""
    return message.raw.encode() if message.raw else wire.encode(message)


def servers(
    urls: Mapping[str, str], parties: Parties, carrier: Carrier, now: Now
) -> dict[tuple[str, int], web.Application]:
    """One application per address at which simulated parties take messages; `urls` holds those of the simulated."""
    prefixes: dict[tuple[str, int], dict[str, bool]] = defaultdict(dict)
    platform = parties.platform
    for party, url in urls.items():
        parts = urlsplit(url)
        at = prefixes[parts.hostname or "127.0.0.1", parts.port or 80]
        prefix = parts.path.rstrip("/")
        at[prefix] = at.get(prefix, False) or (platform is not None and party == platform.party)
    return {address: _application(paths, parties, carrier, now) for address, paths in prefixes.items()}


def _application(prefixes: Mapping[str, bool], parties: Parties, carrier: Carrier, now: Now) -> web.Application:
    """Takes messages under each prefix; one of the platform's also takes what it is to carry to others."""

    async def receive(request: web.Request) -> web.Response:
        try:
            message = wire.decode(await request.read())
            carrier.send(parties.take(message, now()))
        except wire.WireError as error:
            return refusal(400, error.problem, error.field, error.remedy)
        except LookupError as error:
            return refusal(409, str(error), "recipient", f"send to {', '.join(parties.members)}")
        return _received(message)

    async def carry(request: web.Request) -> web.Response:
        platform = parties.platform
        if platform is None or platform.down:
            return refusal(503, "the platform takes nothing now", ".", "send the message to its recipient directly")
        try:
            message = wire.decode(await request.read())
        except wire.WireError as error:
            return refusal(400, error.problem, error.field, error.remedy)
        if not carrier.knows(message.header.recipient):
            return refusal(
                409, f"{message.header.recipient} is unknown here", "recipient", "send to a party of the zone"
            )
        carrier.pass_on(parties.carry(message, now()))
        return _received(message)

    app = web.Application(client_max_size=wire.MAX_BYTES)
    for prefix, platforms in prefixes.items():
        app.router.add_post(prefix + PATH, carry if platforms else receive)
    return app


def _received(message: Message) -> web.Response:
    return web.json_response({"msg_id": message.header.msg_id, "status": "RECEIVED"}, status=202)
