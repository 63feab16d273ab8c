"""What a party asks about its own affairs, answered from the book and the index of messages."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeVar

from gateway.coordination import wire
from gateway.coordination.book import Book
from gateway.coordination.messages import Message
from gateway.coordination.zone import ZoneFacts
from gateway.parties.intake import Unavailable
from gateway.parties.mail import Item, Mail, MailError
from gateway.parties.mailroom import MailRoom
from gateway.parties.refusals import Refusal
from gateway.parties.states import state_of
from gateway.parties.view import LISTS, Reader, may_see
from gateway.parties.words import Place
from protocols.port import Now

WAITING: Final = 4
"""Requests of one party that may wait for news at the same time; further ones are answered at once."""

Json = dict[str, object]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """Answers one question at a time; changes nothing."""

    facts: ZoneFacts
    book: Callable[[], Book]
    mail: MailRoom
    now: Now
    receipt_s: float
    """How soon a receipt is due."""
    waiting: Counter[str] = field(default_factory=Counter)
    """Requests of each party that wait for news."""

    async def messages(self, party: str, after: int, limit: int, wait_s: float) -> Json:
        """The party's messages behind a place; waits for the first where there is none yet."""
        self.waiting[party] += 1
        try:
            patient = wait_s if self.waiting[party] <= WAITING else 0.0
            items, place = await self._awaited(party, after, limit, patient)
        finally:
            self.waiting[party] -= 1
        return {"messages": [_shown(item) for item in items], "next": place}

    async def message(self, party: str, msg_id: str) -> Json:
        """One message with how far it has come.

        Raises:
            Refusal: 404 where the party knows none of that id.
        """
        item = await self._ask(lambda mail: mail.find(party, msg_id))
        reader = self._reader(party)
        if item is None or not self._visible(reader, item):
            raise Refusal(404, f"no message {msg_id!r} from or to {party}", "msg_id", "see GET /v1/messages")
        return {**_shown(item), **wire.write_record(state_of(reader, item.message))}

    def listed(self, party: str, name: str, resource: str, limit: int) -> Json:
        """One of the lists of `view.LISTS`, of one resource where one is named.

        Raises:
            Refusal: 403 where such a party has none.
        """
        reader = self._reader(party)
        _, items, roles = LISTS[name]
        if reader.role not in roles:
            raise Refusal(403, f"{party} has no {name}", ".", "see /v1/openapi.json")
        found = (one for one in items(reader) if resource in ("", getattr(one, "resource", "")))
        return {name: [wire.write_record(one) for one in islice(found, limit)]}

    async def earlier(self, party: str, msg_id: str) -> Message | None:
        """The message of that id that a party has sent before.

        Raises:
            Unavailable: that cannot be looked up now.
        """
        item = await self._ask(lambda mail: mail.find(party, msg_id))
        return None if item is None or item.message.header.sender != party else item.message

    async def _awaited(self, party: str, after: int, limit: int, wait_s: float) -> tuple[list[Item], int]:
        news = self.mail.news.listen()
        items, place = await self._page(party, after, limit)
        if not items and wait_s > 0:
            try:
                async with asyncio.timeout(wait_s):
                    while not items:
                        await news.wait()
                        news = self.mail.news.listen()
                        items, place = await self._page(party, after, limit)
            except TimeoutError:
                pass  # nothing has come
        return items, place

    async def _page(self, party: str, after: int, limit: int) -> tuple[list[Item], int]:
        found = await self._ask(lambda mail: mail.page(party, after, limit))
        reader = self._reader(party)
        return [item for item in found if self._visible(reader, item)], found[-1].seq if found else after

    def _visible(self, reader: Reader, item: Item) -> bool:
        return reader.party == self.facts.around.platform or may_see(reader, item.message)

    def _reader(self, party: str) -> Reader:
        return Reader(party, self.facts, self.book(), self.now(), self.receipt_s)

    async def _ask(self, question: Callable[[Mail], T]) -> T:
        try:
            return await self.mail.ask(question)
        except MailError as error:
            raise Unavailable(str(error)) from error


def _shown(item: Item) -> Json:
    at = wire.write_record(Place(item.seq, item.at_s))
    return {**at, "message": wire.to_json(item.message)}
