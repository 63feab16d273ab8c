"""Delivers notifications: the newest state of each subscription, however long its destination is away."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final

import aiohttp

from ieee2030_5.codec import render
from ieee2030_5.subscriptions import Notice
from ieee2030_5.tree import MEDIA_TYPE

_TIMEOUT_S: Final = 30
_PAUSES_S: Final = (5, 15, 30, 60)
"""Before the next attempt; the last one repeats."""
_ATTEMPTS: Final = 1_440
"""A day of them; then the notification is given up, and the subscription is left to its client."""
_RETRY: Final = range(500, 600)


class Notifier:
    """One delivery at a time per subscription; a slow destination delays nobody else.

    A newer notice takes the place of one that has not been delivered: subscribers are told what a
    resource is, not what it was.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._newest: dict[str, Notice] = {}
        self._busy: set[str] = set()
        self._wake = asyncio.Event()

    def tell(self, notice: Notice) -> None:
        """Deliver soon."""
        self._newest[notice.subscription] = notice
        self._wake.set()

    @property
    def waiting(self) -> Mapping[str, Notice]:
        """What has not been delivered yet, by subscription."""
        return self._newest

    async def run(self) -> None:
        """Deliver until cancelled."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        connector = aiohttp.TCPConnector(ssl=self._context, limit_per_host=4)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session, asyncio.TaskGroup() as tasks:
            while True:
                await self._wake.wait()
                self._wake.clear()
                for subscription in self._newest.keys() - self._busy:
                    self._busy.add(subscription)
                    tasks.create_task(self._deliver(session, subscription))

    async def _deliver(self, session: aiohttp.ClientSession, subscription: str) -> None:
        attempt = 0
        while (notice := self._newest.get(subscription)) is not None:
            if attempt >= _ATTEMPTS or await self._post(session, notice):
                attempt = 0
                if self._newest.get(subscription) is notice:
                    del self._newest[subscription]
            else:
                await asyncio.sleep(_PAUSES_S[min(attempt, len(_PAUSES_S) - 1)])
                attempt += 1
        self._busy.discard(subscription)

    async def _post(self, session: aiohttp.ClientSession, notice: Notice) -> bool:
        """True where nothing more is to be done about this notice: it arrived, or the destination will not have it."""
        body = render(notice.notification, aus=notice.aus)
        try:
            async with session.post(
                notice.to, data=body, headers={"Content-Type": MEDIA_TYPE}, allow_redirects=False
            ) as response:
                return response.status not in _RETRY
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False
