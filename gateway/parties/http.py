"""Party messages over HTTP: an application that takes them at POST /v1/messages, and a client that sends them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from types import TracebackType
from typing import Final, Self

import aiohttp
from aiohttp import web

from gateway.coordination import wire
from gateway.coordination.messages import Message

PATH: Final = "/v1/messages"
JSON_HEADERS: Final = {"Content-Type": "application/json"}
ATTEMPT_S: Final = 5.0
"""Longest wait for one answer; the deadline of the whole is the caller's."""
BACKOFF_FIRST_S: Final = 0.2
BACKOFF_LAST_S: Final = 5.0
TOO_MANY_REQUESTS: Final = 429
RETRY_AFTER_S: Final = 5
ANSWER_BYTES: Final = 4_096
"""How much of a peer's answer is read."""

OnMessage = Callable[[Message], Awaitable[None]]
"""Takes a valid message; may raise `Refused` or `Unavailable`.

The same `msg_id` may arrive again and must do nothing then.
"""


class Refused(Exception):  # noqa: N818 - a decision, not a defect
    """The receiver will not take this message; the sender gets 409 with the reason and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class Unavailable(Exception):  # noqa: N818 - a state of ours, not the sender's mistake
    """The receiver cannot take any message now; the sender gets 503 and tries again."""


def create_app(on_message: OnMessage, *, here: Collection[str], peers: Collection[str]) -> web.Application:
    """An application that validates messages from `peers` to a party in `here` and hands them on.

    It answers 202 once `on_message` has returned, 400 to what is no message, 409 to a sender or
    recipient that it does not know and to what `on_message` refuses; every refusal is JSON with
    `error`, `field` and `what_to_do`.
    """

    async def receive(request: web.Request) -> web.Response:
        try:
            message = wire.decode(await _read(request))
            _check_parties(message, here, peers)
            await on_message(message)
        except wire.WireError as error:
            status = 409 if isinstance(error, _UnknownParty) else 400
            return _refusal(status, error.problem, error.field, error.remedy)
        except Unavailable as error:
            response = _refusal(503, str(error), ".", "send the same message again later")
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
            return response
        except Refused as error:
            return _refusal(409, error.problem, ".", error.remedy)
        return web.json_response({"msg_id": message.header.msg_id, "status": "RECEIVED"}, status=202)

    app = web.Application(client_max_size=wire.MAX_BYTES)
    app.router.add_post(PATH, receive)
    return app


class Delivery(StrEnum):
    """How sending one message ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The peer read it and said no; sending it again would not help."""
    UNDELIVERED = "undelivered"
    """No answer before the deadline; whether the peer has it is unknown."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The outcome of one `Client.send`."""

    delivery: Delivery
    attempts: int
    detail: str
    """What was asked, of whom, and what came back; for people."""


class Client:
    """Sends messages to parties by id; retries with the same `msg_id`, so that a repeat has no effect."""

    def __init__(self, urls: Mapping[str, str], rng: Random) -> None:
        """`urls` maps a party's id to the base of its interface; `rng` jitters the pauses between attempts."""
        self._urls = {party: url.rstrip("/") + PATH for party, url in urls.items()}
        self._rng = rng
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ATTEMPT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, message: Message, deadline_s: float) -> Sent:
        """Deliver `message` within `deadline_s` seconds from now, trying as often as that allows."""
        url = self._urls.get(message.header.recipient)
        if url is None:
            return Sent(Delivery.REFUSED, 0, f"{message.header.recipient} is no party with a URL in the zone file")
        progress = _Progress()
        try:
            async with asyncio.timeout(deadline_s):
                return await self._try(url, wire.encode(message), progress)
        except TimeoutError:
            detail = f"POST {url}: no acceptance within {deadline_s:g} s; last: {progress.detail}"
            return Sent(Delivery.UNDELIVERED, progress.attempts, detail)

    async def _try(self, url: str, raw: bytes, progress: "_Progress") -> Sent:
        pause_s = BACKOFF_FIRST_S
        while True:
            progress.attempts += 1
            try:
                status, answer = await self._post(url, raw)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                progress.detail = f"{type(error).__name__}: {error}"
            else:
                progress.detail = f"{status} {answer}"
                if status < 300:
                    return Sent(Delivery.DELIVERED, progress.attempts, f"POST {url}: {status}")
                if status < 500 and status != TOO_MANY_REQUESTS:
                    return Sent(Delivery.REFUSED, progress.attempts, f"POST {url}: {progress.detail}")
            await asyncio.sleep(pause_s * (0.5 + 0.5 * self._rng.random()))
            pause_s = min(2 * pause_s, BACKOFF_LAST_S)

    async def _post(self, url: str, raw: bytes) -> tuple[int, str]:
        if self._session is None:
            raise RuntimeError("use the client inside `async with`")
        async with self._session.post(url, data=raw, headers=JSON_HEADERS, allow_redirects=False) as response:
            body = await response.content.read(ANSWER_BYTES)
            return response.status, body.decode("utf-8", "replace")


@dataclass(slots=True)
class _Progress:
    attempts: int = 0
    detail: str = "no attempt was answered"


class _UnknownParty(wire.WireError):
    """The sender or the recipient is not in the zone."""


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise wire.WireError(".", "is too large", f"send at most {wire.MAX_BYTES} bytes") from error
    except web.RequestPayloadError as error:
        raise wire.WireError(".", f"cannot be read: {error}", "send one JSON object in UTF-8") from error


def _check_parties(message: Message, here: Collection[str], peers: Collection[str]) -> None:
    header = message.header
    if header.recipient not in here:
        raise _UnknownParty("recipient", f"{header.recipient!r} is not here", f"send to {', '.join(sorted(here))}")
    if header.sender not in peers:
        raise _UnknownParty("sender", f"{header.sender!r} is unknown here", "use the id that the zone file gives you")


def _refusal(status: int, problem: str, field: str, remedy: str) -> web.Response:
    return web.json_response({"error": problem, "field": field, "what_to_do": remedy}, status=status)
