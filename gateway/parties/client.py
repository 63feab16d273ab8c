"""Party messages by HTTP to their recipients: tried again until somebody takes them, with our own credentials."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from types import TracebackType
from typing import Final, Self

import aiohttp

from gateway.coordination import wire
from gateway.coordination.messages import Message

PATH: Final = "/v1/messages"
JSON_HEADERS: Final = {"Content-Type": "application/json"}
ATTEMPT_S: Final = 5.0
"""Longest wait for one answer; the deadline of the whole is the caller's."""
BACKOFF_FIRST_S: Final = 0.2
BACKOFF_LAST_S: Final = 5.0
TOO_MANY_REQUESTS: Final = 429
ANSWER_BYTES: Final = 4_096
"""How much of a peer's answer is read."""


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


@dataclass(frozen=True, slots=True)
class Reach:
    """How one party is written to."""

    url: str
    """Base of its interface."""
    token: str = field(default="", repr=False)
    """Bearer token that it knows us by; empty for none."""
    tls: ssl.SSLContext | None = None
    """What is shown and asked for where the URL is https; None: the defaults of this machine."""


class Client:
    """Sends messages to parties by id; retries with the same `msg_id`, so that a repeat has no effect."""

    def __init__(self, reaches: Mapping[str, Reach], rng: Random) -> None:
        """`reaches` by party; `rng` jitters the pauses between attempts."""
        self._reaches = dict(reaches)
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
        reach = self._reaches.get(message.header.recipient)
        if reach is None:
            return Sent(Delivery.REFUSED, 0, f"{message.header.recipient} is no party with a URL in the zone file")
        url = reach.url.rstrip("/") + PATH
        progress = _Progress()
        try:
            async with asyncio.timeout(deadline_s):
                return await self._try(url, reach, wire.encode(message), progress)
        except TimeoutError:
            detail = f"POST {url}: no acceptance within {deadline_s:g} s; last: {progress.detail}"
            return Sent(Delivery.UNDELIVERED, progress.attempts, detail)

    async def _try(self, url: str, reach: Reach, raw: bytes, progress: "_Progress") -> Sent:
        pause_s = BACKOFF_FIRST_S
        while True:
            progress.attempts += 1
            try:
                status, answer = await self._post(url, reach, raw)
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

    async def _post(self, url: str, reach: Reach, raw: bytes) -> tuple[int, str]:
        if self._session is None:
            raise RuntimeError("use the client inside `async with`")
        headers = JSON_HEADERS if not reach.token else {**JSON_HEADERS, "Authorization": f"Bearer {reach.token}"}
        tls = True if reach.tls is None else reach.tls
        async with self._session.post(url, data=raw, headers=headers, ssl=tls, allow_redirects=False) as response:
            body = await response.content.read(ANSWER_BYTES)
            return response.status, body.decode("utf-8", "replace")


@dataclass(slots=True)
class _Progress:
    attempts: int = 0
    detail: str = "no attempt was answered"
