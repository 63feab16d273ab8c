"""Copies of the messages for systems of the enterprise: signed, in order, at least once each.

Each webhook stands at a place in the journal, and moves on when its system has taken what stands there; while
that is down, the journal keeps the rest.
"""

import asyncio
import hmac
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from random import Random
from typing import Final

import orjson

from gateway.clock import Now
from gateway.coordination import wire
from gateway.parties.client import Client, Outcome
from gateway.parties.mail import Item, Mail
from gateway.parties.mailroom import MailRoom
from gateway.parties.words import Place

BATCH: Final = 50
PAUSE_FIRST_S: Final = 0.5
PAUSE_LAST_S: Final = 60.0
SIGNATURE_HEADER: Final = "Ampacity-Signature"
KEY_HEADER: Final = "Idempotency-Key"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One system that gets copies."""

    name: str
    url: str
    secret: bytes = field(repr=False)
    """Key of the signatures."""
    codes: tuple[str, ...] = ()
    """Codes of messages, `ORDER.*` for all that begin so; empty for every message."""
    tls: ssl.SSLContext | None = None

    @property
    def place(self) -> str:
        """Name of its cursor."""
        return f"webhook {self.name}"

    def wants(self, code: str) -> bool:
        """Whether it gets messages of that code."""
        return not self.codes or any(matches(one, code) for one in self.codes)


def matches(pattern: str, code: str) -> bool:
    """Whether `ORDER.*` or `ORDER.Issue` means a code."""
    return code.startswith(pattern[:-1]) if pattern.endswith("*") else code == pattern


@dataclass(frozen=True, slots=True)
class Post:
    """One copy, ready to leave."""

    body: bytes
    headers: dict[str, str]


def copy_of(item: Item, hook: Webhook, zone: str, now_s: float) -> Post:
    """A message as a webhook gets it.

    The signature is `t=SECONDS,v1=HEX`: HMAC-SHA256 with the secret over the seconds, a full stop and the body.
    """
    key = f"{zone}-{item.seq}-{round(item.at_s * 1000)}"
    place = wire.write_record(Place(item.seq, item.at_s))
    body = orjson.dumps({"key": key, **place, "told": item.told, "message": wire.to_json(item.message)})
    stamp = f"{now_s:.0f}"
    signature = hmac.new(hook.secret, stamp.encode() + b"." + body, sha256).hexdigest()
    return Post(body, {KEY_HEADER: key, SIGNATURE_HEADER: f"t={stamp},v1={signature}"})


class Copier:
    """Serves all webhooks of a zone."""

    def __init__(self, client: Client, mail: MailRoom, zone: str, now: Now, rng: Random) -> None:
        self._client, self._mail, self._zone, self._now, self._rng = client, mail, zone, now, rng

    async def serve(self, hook: Webhook, failed: Callable[[str, str], None], recovered: Callable[[str], None]) -> None:
        """Bring one webhook everything from where it stands, until cancelled.

        Args:
            hook: begins with what comes from now on where it is new.
            failed: hears its name, and why its system does not take anything; once.
            recovered: hears its name when it does again.

        Raises:
            MailError: the journal or the index cannot be read or written.
        """
        after = await self._mail.ask(lambda mail: _begun(mail, hook.place))
        while True:
            news = self._mail.news.listen()
            items = await self._mail.ask(partial(_copies, after=after))
            for item in items:
                if hook.wants(item.message.code):
                    await self._bring(item, hook, failed, recovered)
                after = item.seq
                await self._mail.ask(partial(_moved, place=hook.place, seq=after))
            if not items:
                await news.wait()

    async def _bring(
        self, item: Item, hook: Webhook, failed: Callable[[str, str], None], recovered: Callable[[str], None]
    ) -> None:
        pause_s, told = PAUSE_FIRST_S, False
        while True:
            post = copy_of(item, hook, self._zone, self._now())
            attempt = await self._client.post(hook.url, hook.tls, post.body, post.headers)
            if attempt.outcome is Outcome.DELIVERED:
                if told:
                    recovered(hook.name)
                return
            if not told:
                failed(hook.name, attempt.detail)
                told = True
            await asyncio.sleep(pause_s * (0.5 + 0.5 * self._rng.random()))
            pause_s = min(2 * pause_s, PAUSE_LAST_S)


def _begun(mail: Mail, place: str) -> int:
    """Where a webhook stands; a new one at the end of the journal."""
    found = mail.cursor(place, -1)
    if found < 0:
        found = mail.newest()
        mail.move(place, found)
    return found


def _copies(mail: Mail, after: int) -> list[Item]:
    return mail.copies(after, BATCH)


def _moved(mail: Mail, place: str, seq: int) -> None:
    mail.move(place, seq)
