"""By which way a message goes: the platform's where that carries it, straight to its recipient while it takes none."""

from collections.abc import Mapping
from typing import Final, Protocol

from gateway.clock import Now
from gateway.coordination.messages import Message
from gateway.coordination.routing import by_platform
from gateway.coordination.zone import ZoneFacts
from gateway.parties.client import Attempt, Outcome, Reach

REST_S: Final = 30.0
"""A platform that took no message is left alone for so long."""


class Sends(Protocol):
    """Tries once to hand a message to somebody."""

    @property
    def reaches(self) -> Mapping[str, Reach]:
        """Who can be written to."""

    async def send(self, message: Message, to: str = "") -> Attempt:
        """Hand it to its recipient, or to the party `to` that carries it there."""


class Told(Protocol):
    """Hears whether the platform carries."""

    def platform(self, party: str, *, carries: bool, detail: str) -> None:
        """It does from now on, or does not."""


class Way:
    """Sends by the zone's platform, if it has one, and directly where that does not take the message.

    What the platform took and may still have is not sent again: whoever gets a message twice knows it by its id.
    """

    def __init__(self, client: Sends, facts: ZoneFacts, now: Now, told: Told) -> None:
        platform = facts.around.platform
        self._client, self._model, self._now, self._told = client, facts.model, now, told
        self._platform = platform if platform in client.reaches else ""
        self._carries = True
        self._rests_until_s = 0.0

    @property
    def reaches(self) -> Mapping[str, Reach]:
        """Who can be written to."""
        return self._client.reaches

    async def send(self, message: Message) -> Attempt:
        """Try once, by the platform and then directly."""
        if not self._platform or not by_platform(self._model, message.code) or self._now() < self._rests_until_s:
            return await self._client.send(message)
        attempt = await self._client.send(message, self._platform)
        if attempt.outcome is Outcome.DELIVERED:
            self._note(carries=True, detail="")
            return attempt
        if attempt.outcome is Outcome.FAILED:
            self._rests_until_s = self._now() + REST_S
        self._note(carries=False, detail=attempt.detail)
        return await self._client.send(message)

    def _note(self, *, carries: bool, detail: str) -> None:
        if carries is not self._carries:
            self._carries = carries
            self._told.platform(self._platform, carries=carries, detail=detail)
