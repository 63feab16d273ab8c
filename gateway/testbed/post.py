"""HTTP shell of the simulated parties: takes messages at their URLs and carries theirs to others, in order."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import aiohttp
from aiohttp import hdrs, web

from gateway.coordination import wire
from gateway.coordination.messages import Message
from gateway.testbed.parties import Parties
from gateway.testbed.proofs import Proofs
from gateway.testbed.requests import Handler, refusal
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
_CREDENTIALS: Final = frozenset({401, 403})
_CUT_OFF: Final = (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError)
"""How it may end when the other end does not believe our certificate: not all say why."""

Say = Callable[[str], None]
"""Tells the operator of the testbed."""
Way = Callable[[Message], str]
"""To whom a message is handed: its recipient, or the platform that carries it there."""


def directly(message: Message) -> str:
    """Point to point."""
    return message.header.recipient


class _Letter(NamedTuple):
    """A message that somebody hands to somebody: its sender, or the platform that has carried it so far."""

    message: Message
    by: str
    to: str


class Carrier:
    """Delivers messages by HTTP, one at a time per address, so that they arrive in order."""

    def __init__(
        self,
        urls: Mapping[str, str],
        rng: Random,
        say: Say,
        way: Way = directly,
        proofs: Proofs = Proofs(),  # noqa: B008 - frozen
    ) -> None:
        """`urls` gives the base of the interface of every party that may be written to."""
        self._urls = {party: url.rstrip("/") + PATH for party, url in urls.items()}
        self._rng, self._say, self._way, self._proofs = rng, say, way, proofs
        self._queues: dict[str, asyncio.Queue[_Letter]] = {party: asyncio.Queue(WAITING_MAX) for party in urls}

    def knows(self, party: str) -> bool:
        """Whether a party can be written to."""
        return party in self._urls

    def send(self, messages: Iterable[Message]) -> None:
        """Take messages for delivery and return at once."""
        for message in messages:
            self._put(_Letter(message, message.header.sender, self._way(message)))

    def pass_on(self, messages: Iterable[Message], by: str) -> None:
        """Take messages that the platform has carried so far, for delivery to their recipients."""
        for message in messages:
            self._put(_Letter(message, by, message.header.recipient))

    def _put(self, letter: _Letter) -> None:
        queue = self._queues.get(letter.to)
        if queue is None:
            self._say(f"{letter.message.code} for {letter.to} dropped: no URL is known")
        elif queue.full():
            self._say(f"{letter.message.code} for {letter.to} dropped: {WAITING_MAX} are waiting already")
        else:
            queue.put_nowait(letter)

    async def run(self) -> None:
        """Deliver until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as tasks:
            for queue in self._queues.values():
                tasks.create_task(self._carry(session, queue))

    async def _carry(self, session: aiohttp.ClientSession, queue: asyncio.Queue[_Letter]) -> None:
        while True:
            letter = await queue.get()
            message, recipient = letter.message, letter.message.header.recipient
            by_platform = letter.to != recipient
            problem = await self._delivered(session, letter, BY_PLATFORM_S if by_platform else GIVE_UP_S)
            if problem and by_platform:
                self._say(f"{message.code} for {recipient} goes directly: {letter.to} {problem}")
                self._put(letter._replace(to=recipient))
            elif problem:
                self._say(f"{message.code} of {letter.by} to {self._urls[letter.to]} {problem}")

    async def _delivered(self, session: aiohttp.ClientSession, letter: _Letter, give_up_s: float) -> str:
        """Try until it is delivered; tell what became of it, nothing where it was."""
        problem, pause_s = "no attempt was answered", PAUSE_FIRST_S
        try:
            async with asyncio.timeout(give_up_s):
                while problem := await self._attempt(session, letter):
                    if pause_s == PAUSE_FIRST_S:
                        self._say(
                            f"{letter.message.code} of {letter.by} to {self._urls[letter.to]} is tried again: {problem}"
                        )
                    await asyncio.sleep(pause_s * (0.5 + 0.5 * self._rng.random()))
                    pause_s = min(2 * pause_s, PAUSE_LAST_S)
        except TimeoutError:
            return f"dropped after {give_up_s:g} s: {problem}"
        except _RefusedError as error:
            return f"refused: {error}"
        return ""

    async def _attempt(self, session: aiohttp.ClientSession, letter: _Letter) -> str:
        """Try once; tell what is in the way, nothing where it was delivered."""
        by, to = letter.by, letter.to
        post = session.post(
            self._urls[to],
            data=_written(letter.message),
            headers=self._proofs.shown(by, to),
            ssl=self._proofs.calling(by),
            allow_redirects=False,
        )
        try:
            async with post as response:
                if response.status < 300:
                    return ""
                answer = f"{response.status} {(await response.content.read(500)).decode('utf-8', 'replace')}"
                if response.status in _CREDENTIALS:
                    raise _RefusedError(f"{answer}; correct what testbed.parties.{by} shows, or who {to} believes")
                if response.status < 500 and response.status != web.HTTPTooManyRequests.status_code:
                    raise _RefusedError(answer)
                return answer
        except aiohttp.ClientConnectorCertificateError as error:
            why = f"it shows a certificate that {by} does not believe ({error.certificate_error})"
            remedy = f"name in testbed.parties.{by}.ca_file who vouches for it, and write the name in it in the URL"
            raise _RefusedError(f"{why}; {remedy}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            if (alert := _alert(error)) is not None:
                why = f"it ends TLS with the certificate of {by}, or without one ({alert})"
                raise _RefusedError(f"{why}; name in testbed.parties.{by} one that it believes") from error
            problem, unconnected = f"{type(error).__name__}: {error}", isinstance(error, aiohttp.ClientConnectorError)
            if unconnected or not (self._proofs.certified(by) and isinstance(error, _CUT_OFF)):
                return problem
            return f"{problem}; if that lasts, it may not believe the certificate in testbed.parties.{by}"


class _RefusedError(Exception):
    """The recipient will not take this message, however often it is sent."""


def _alert(error: BaseException | None) -> str | None:
    """What the other end said when it ended TLS; nothing where the problem is another."""
    while error is not None:
        if isinstance(error, ssl.SSLError) and not isinstance(error, aiohttp.ClientError):  # which wraps the other
            return error.reason or str(error)
        error = error.__cause__ or error.__context__
    return None


def _written(message: Message) -> bytes:
    """To the byte as it was received, where it is somebody else's that is passed on."""
    return message.raw.encode() if message.raw else wire.encode(message)


@dataclass(frozen=True, slots=True)
class Site:
    """What is served at one address."""

    application: web.Application
    tls: ssl.SSLContext | None


def servers(
    urls: Mapping[str, str], parties: Parties, carrier: Carrier, now: Now, proofs: Proofs
) -> dict[tuple[str, int], Site]:
    """One site per address at which simulated parties take messages; `urls` holds those of the simulated.

    Where several share an address, its certificate is that of the first.
    """
    prefixes: dict[tuple[str, int], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    contexts: dict[tuple[str, int], ssl.SSLContext | None] = {}
    for party, url in urls.items():
        parts = urlsplit(url)
        address = parts.hostname or "127.0.0.1", parts.port or (443 if parts.scheme == "https" else 80)
        prefixes[address][parts.path.rstrip("/")].append(party)
        contexts.setdefault(address, proofs.listening(party))
    return {
        address: Site(_application(paths, parties, carrier, now, proofs), contexts[address])
        for address, paths in prefixes.items()
    }


def _application(
    prefixes: Mapping[str, Sequence[str]], parties: Parties, carrier: Carrier, now: Now, proofs: Proofs
) -> web.Application:
    """Takes messages under the prefix of each party; the platform's also takes what it is to carry to others."""

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
        carrier.pass_on(parties.carry(message, now()), platform.party)
        return _received(message)

    app = web.Application(client_max_size=wire.MAX_BYTES)
    platform = "" if parties.platform is None else parties.platform.party
    for prefix, names in prefixes.items():
        app.router.add_post(prefix + PATH, _guarded(carry if platform in names else receive, names, proofs))
    return app


def _guarded(handle: Handler, names: Sequence[str], proofs: Proofs) -> Handler:
    """Reads nothing of whoever does not show the token of a party that is written to there."""

    async def guarded(request: web.Request) -> web.Response:
        shown = request.headers.get(hdrs.AUTHORIZATION, "")
        if any(proofs.opens(name, shown) for name in names):
            return await handle(request)
        to = " or ".join(names)
        return refusal(401, f"nothing shows that you may write to {to}", hdrs.AUTHORIZATION, f"send the token of {to}")

    return guarded


def _received(message: Message) -> web.Response:
    return web.json_response({"msg_id": message.header.msg_id, "status": "RECEIVED"}, status=202)
