"""Party messages by HTTP to their recipients: one attempt at a time, with our own credentials."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

import aiohttp

from gateway.coordination import wire
from gateway.coordination.messages import Message

PATH: Final = "/v1/messages"
JSON_HEADERS: Final = {"Content-Type": "application/json"}
ATTEMPT_S: Final = 5.0
"""Longest wait for one answer."""
TOO_MANY_REQUESTS: Final = 429
ANSWER_BYTES: Final = 4_096
"""How much of a peer's answer is read."""


class Outcome(StrEnum):
    """How one attempt ended."""

    DELIVERED = "delivered"
    REFUSED = "refused"
    """The peer read it and said no; sending it again would not help."""
    FAILED = "failed"
    """No answer, or one that asks for another attempt; whether the peer has it is unknown."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of one attempt."""

    outcome: Outcome
    detail: str
    """What was asked, of whom, and what came back; for people."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How somebody is written to."""

    url: str
    token: str = field(default="", repr=False)
    """Bearer token that it knows us by; empty for none."""
    tls: ssl.SSLContext | None = None
    """What is shown and asked for where the URL is https; None: the defaults of this machine."""


class Client:
    """Posts to parties and webhooks; a repeat bears the same `msg_id` or key, so that it has no effect."""

    def __init__(self, reaches: Mapping[str, Reach]) -> None:
        """`reaches` by party."""
        self.reaches = dict(reaches)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=ATTEMPT_S)
        # Whoever sends bounds how many wait; no recipient waits for the connections of another.
        self._session = aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, message: Message, to: str = "") -> Attempt:
        """Try once to deliver a message to its recipient, or to the party that carries it there; they have a URL."""
        reach = self.reaches[to or message.header.recipient]
        headers = {"Authorization": f"Bearer {reach.token}"} if reach.token else {}
        return await self.post(reach.url.rstrip("/") + PATH, reach.tls, wire.encode(message), headers)

    async def post(self, url: str, tls: ssl.SSLContext | None, raw: bytes, headers: Mapping[str, str]) -> Attempt:
        """Try once to post JSON somewhere."""
        if self._session is None:
            raise RuntimeError("use the client inside `async with`")
        shown = {**JSON_HEADERS, **headers}
        trust: ssl.SSLContext | bool = True if tls is None else tls
        try:
            async with self._session.post(url, data=raw, headers=shown, ssl=trust, allow_redirects=False) as response:
                body = (await response.content.read(ANSWER_BYTES)).decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Attempt(Outcome.FAILED, f"POST {url}: {type(error).__name__}: {error}".rstrip(": "))
        if response.status < 300:
            return Attempt(Outcome.DELIVERED, f"POST {url}: {response.status}")
        final = response.status < 500 and response.status != TOO_MANY_REQUESTS
        return Attempt(Outcome.REFUSED if final else Outcome.FAILED, f"POST {url}: {response.status} {body}")
