"""Takes messages of parties once each: repeats get the answer of the first, and no id stands for two messages."""

import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Final

from gateway.coordination.messages import Message
from gateway.parties.keys import Answer, KeyReused, Keys
from gateway.parties.refusals import Refusal

RETRY_AFTER_S: Final = 5
_LANES: Final = 64
"""Messages with the same id follow each other; so many others are taken at the same time."""

OnMessage = Callable[[Message], Awaitable[None]]
"""Takes a valid message; may raise `Refused` or `Unavailable`.

The same `msg_id` may arrive again and must do nothing then.
"""
Earlier = Callable[[str, str], Awaitable[Message | None]]
"""The message of a party that had an id before, also before a restart; may raise `Unavailable`."""


class Refused(Exception):  # noqa: N818 - a decision, not a defect
    """The receiver will not take this message; the sender gets 409 with the reason and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem, self.remedy = problem, remedy


class Unavailable(Exception):  # noqa: N818 - a state of ours, not the sender's mistake
    """The receiver cannot take any message now; the sender gets 503 and tries again."""


class Intake:
    """The way of a message from the wire to whoever takes it."""

    def __init__(self, on_message: OnMessage, earlier: Earlier) -> None:
        self._on_message, self._earlier = on_message, earlier
        self._keys = Keys()
        self._lanes = [asyncio.Lock() for _ in range(_LANES)]

    async def take(self, message: Message, raw: bytes, key: str = "") -> Answer:
        """The answer to a message that may speak for its sender.

        Args:
            message: as read from `raw`.
            raw: the body of the request.
            key: idempotency key of the request; empty for none.

        Raises:
            Refusal: it is not taken; 409, or 503 where it may be sent again.
        """
        header, digest = message.header, sha256(raw).digest()
        async with self._lanes[hash((header.sender, header.msg_id)) % _LANES]:
            try:
                known = self._keys.recall(header.sender, key, digest) if key else None
            except KeyReused as error:
                problem = "the key was used for another request"
                raise Refusal(409, problem, "Idempotency-Key", "use a new key for a new request") from error
            if known is None:
                known = await self._first(message)
                if key:
                    self._keys.keep(header.sender, key, digest, known)
        return known

    async def _first(self, message: Message) -> Answer:
        header = message.header
        try:
            earlier = await self._earlier(header.sender, header.msg_id)
            if earlier is None:
                await self._on_message(message)
        except Refused as error:
            return Answer(409, {"error": error.problem, "field": ".", "what_to_do": error.remedy})
        except Unavailable as error:
            later = {"Retry-After": str(RETRY_AFTER_S)}
            raise Refusal(503, str(error), ".", "send the same message again later", later) from error
        if earlier not in (None, message):
            problem = f"{header.msg_id} was another message"
            return Answer(409, {"error": problem, "field": "msg_id", "what_to_do": "give every message its own id"})
        return Answer(202, {"msg_id": header.msg_id, "status": "RECEIVED"})
