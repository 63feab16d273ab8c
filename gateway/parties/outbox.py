"""Delivers what the journal says is told: to each party in order, at least once, for as long as it means something.

Each recipient has a task of its own, which takes from the index of messages what its party has not had yet; a
restart goes on from there. A party that does not answer waits in a lane of its own and holds up nobody else.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from random import Random
from typing import Final

from gateway.clock import Now
from gateway.coordination.messages import Message
from gateway.parties.client import Attempt, Outcome
from gateway.parties.mail import Item, Mail
from gateway.parties.mailroom import Bell, MailRoom
from gateway.parties.way import Way

ABREAST: Final = 256
"""Attempts at the same time, to parties that have answered last time."""
ABREAST_AILING: Final = 16
"""The same to those that have not."""
BATCH: Final = 20
"""Messages of one party that are held in memory."""
PAUSE_FIRST_S: Final = 0.2
PAUSE_LAST_S: Final = 5.0
KEPT_S: Final = 7 * 86_400.0
"""How long a message is tried that has no end of its own."""

Undelivered = Callable[[Message, str], None]
Late = Callable[[Message], None]
Reached = Callable[[str, float], None]
"""Hears since when a party takes messages again, Unix seconds; infinite where it takes none any more."""


def useful_until_s(message: Message, sent_s: float) -> float:
    """Until when a message still means something to its recipient, Unix seconds."""
    for name in ("expires_s", "end_s", "closes_s"):
        end_s = getattr(message.body, name, None)
        if end_s is not None and end_s > sent_s:
            return float(end_s)
    return sent_s + KEPT_S


class Outbox:
    """Everything that is on its way to parties."""

    def __init__(self, way: Way, mail: MailRoom, now: Now, rng: Random, patience_s: float) -> None:
        """`patience_s`: a message that has not arrived after so long is told of, and tried on."""
        self._way, self._mail, self._now, self._rng, self._patience_s = way, mail, now, rng, patience_s
        self._bells = {party: Bell() for party in way.reaches}
        self._ailing: set[str] = set()
        """Parties whose last attempt failed."""
        self._lost: set[str] = set()
        """Those for whom a message has waited longer than we have patience."""
        self._lane, self._ailing_lane = asyncio.Semaphore(ABREAST), asyncio.Semaphore(ABREAST_AILING)

    def ring(self, party: str) -> None:
        """There is something new for a party."""
        bell = self._bells.get(party)
        if bell is not None:
            bell.ring()

    async def run(self, undelivered: Undelivered, late: Late, reached: Reached) -> None:
        """Deliver until cancelled.

        Args:
            undelivered: hears of each message that has not arrived in time, is refused, or is given up.
            late: hears that one of which it was said has arrived after all.
            reached: hears of a party that takes no messages any more, and that it takes them again.

        Raises:
            ExceptionGroup: of `MailError`: the index cannot be read or written.
        """
        async with asyncio.TaskGroup() as tasks:
            for party, bell in self._bells.items():
                tasks.create_task(self._serve(party, bell, undelivered, late, reached), name=f"to {party}")

    async def _serve(self, party: str, bell: Bell, undelivered: Undelivered, late: Late, reached: Reached) -> None:
        while True:
            news = bell.listen()
            items = await self._mail.ask(lambda mail: mail.waiting(party, BATCH))
            for item in items:
                await self._deliver(item, undelivered, late, reached)
                await self._mail.ask(partial(_settled, party=party, seq=item.seq))
            if not items:
                await news.wait()

    async def _deliver(self, item: Item, undelivered: Undelivered, late: Late, reached: Reached) -> None:
        """Try until it is taken, refused, or of no use any more."""
        message, detail, told, pause_s = item.message, "it was never tried", False, PAUSE_FIRST_S
        while self._now() < useful_until_s(message, item.at_s):
            attempt = await self._tried(message)
            detail = attempt.detail
            self._weigh(message.header.recipient, attempt, item.at_s, reached)
            if attempt.outcome is Outcome.DELIVERED:
                if told:
                    late(message)
                return
            if attempt.outcome is Outcome.REFUSED:
                break
            if not told and self._now() >= item.at_s + self._patience_s:
                undelivered(message, f"{detail}; it is tried on")
                told = True
            await asyncio.sleep(pause_s * (0.5 + 0.5 * self._rng.random()))
            pause_s = min(2 * pause_s, PAUSE_LAST_S)
        undelivered(message, f"{detail}; it is not sent again")

    def _weigh(self, party: str, attempt: Attempt, since_s: float, reached: Reached) -> None:
        """Tell where a party was lost or came back; it is there if it answers, also with a refusal."""
        answers = attempt.outcome is not Outcome.FAILED
        if answers and party in self._lost:
            self._lost.discard(party)
            reached(party, self._now())
        elif not answers and party not in self._lost and self._now() >= since_s + self._patience_s:
            self._lost.add(party)
            reached(party, inf)

    async def _tried(self, message: Message) -> Attempt:
        party = message.header.recipient
        async with self._ailing_lane if party in self._ailing else self._lane:
            attempt = await self._way.send(message)
        if attempt.outcome is Outcome.FAILED:
            self._ailing.add(party)
        else:
            self._ailing.discard(party)
        return attempt


def _settled(mail: Mail, party: str, seq: int) -> None:
    mail.settle(party, seq)
