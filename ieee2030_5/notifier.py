"""Delivers notifications: the newest state of each subscription, however long its destination is away."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import aiohttp

from ieee2030_5.codec import render
from ieee2030_5.exchange import MEDIA_TYPE
from ieee2030_5.subscriptions import Notice

_TIMEOUT_S: Final = 30
_PAUSES_S: Final = (5.0, 15.0, 30.0, 60.0)
"""Before the next attempt; the last one repeats."""
_AT_ONCE: Final = 4
"""Most deliveries under way to one destination."""
_REFUSALS: Final = 5
"""After so many in a row a subscription is told nothing more until its client renews it."""
_PATIENCE_S: Final = 36 * 3_600.0
"""A subscription that could not be delivered for so long and was not renewed meanwhile is given up."""
_LATER: Final = frozenset({0, 408, 425, 429})
"""Statuses to try again after, besides 5xx; 0 is no answer at all."""

Post = Callable[[Notice], Awaitable[int]]
"""Sends one notification; returns the status of the answer, 0 where there was none."""


class Verdict(Enum):
    """What became of an attempt."""

    ARRIVED = "arrived"
    REFUSED = "refused"
    """The destination will not have it: trying again would change nothing."""
    FAILED = "failed"
    """Nobody there, or not for the moment."""


def verdict_of(status: int) -> Verdict:
    """Any 2xx is a success; a redirection is a refusal."""
    if 200 <= status < 300:
        return Verdict.ARRIVED
    return Verdict.FAILED if status in _LATER or status >= 500 else Verdict.REFUSED


@dataclass(slots=True)
class _Destination:
    """One URI and what has to go there."""

    waiting: dict[str, Notice] = field(default_factory=dict)
    """The newest notice of each subscription, the longest waiting first."""
    under_way: set[str] = field(default_factory=set)
    workers: int = 0
    failures: int = 0
    """Attempts in vain since the last success."""
    failing_since_s: float = 0.0

    def take(self) -> Notice | None:
        """The next notice to send: never two of one subscription at a time, so that none overtakes a newer one."""
        for subscription, notice in self.waiting.items():
            if subscription not in self.under_way:
                del self.waiting[subscription]
                self.under_way.add(subscription)
                return notice
        return None


class Notifier:
    """A queue for each destination: one that is slow or away delays nobody else.

    A newer notice takes the place of one that has not been delivered: subscribers are told what a
    resource is, not what it was. So a queue is never longer than the destination has subscriptions.
    """

    def __init__(
        self,
        post: Post,
        wanted: Callable[[Notice], bool],
        ended: Callable[[str], None],
        done: Callable[[Notice], None] = lambda _: None,
    ) -> None:
        """Deliver with `post`.

        Args:
            post: sends one notification.
            wanted: asked before each attempt; false where the subscription is gone.
            ended: told of each subscription (its URI) that is given up.
            done: told of each notification that has arrived, or that its destination will not have.
        """
        self._post = post
        self._wanted = wanted
        self._ended = ended
        self._done = done
        self._destinations: dict[str, _Destination] = {}
        self._places: dict[str, str] = {}
        """Where the last notice of each subscription went."""
        self._refusals: dict[str, int] = {}
        self._renewed_s: dict[str, float] = {}
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def waiting(self) -> Mapping[str, Notice]:
        """What has not been delivered yet, by subscription."""
        return {name: notice for place in self._destinations.values() for name, notice in place.waiting.items()}

    @property
    def suspended(self) -> frozenset[str]:
        """Subscriptions whose destination has refused too often."""
        return frozenset(name for name, count in self._refusals.items() if count >= _REFUSALS)

    def tell(self, notice: Notice) -> None:
        """Deliver soon, unless the destination has refused this subscription too often."""
        name = notice.subscription
        if self._refusals.get(name, 0) >= _REFUSALS:
            return
        before = self._places.get(name)
        if before is not None and before != notice.to and before in self._destinations:
            self._destinations[before].waiting.pop(name, None)
        self._places[name] = notice.to
        self._destinations.setdefault(notice.to, _Destination()).waiting[name] = notice
        self._hire(notice.to)

    def renewed(self, subscription: str) -> None:
        """Its client has subscribed again: begin with it anew."""
        self._refusals.pop(subscription, None)
        self._renewed_s[subscription] = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for uri in self._destinations:
                self._hire(uri)
            await asyncio.Event().wait()

    def _hire(self, uri: str) -> None:
        """As many deliveries at once as there is work for; one only while the destination is away."""
        place = self._destinations[uri]
        while self._tasks is not None and place.workers < min(1 if place.failures else _AT_ONCE, len(place.waiting)):
            place.workers += 1
            self._tasks.create_task(self._work(uri, place))

    async def _work(self, uri: str, place: _Destination) -> None:
        while (notice := place.take()) is not None:
            verdict = verdict_of(await self._post(notice)) if self._wanted(notice) else Verdict.ARRIVED
            place.under_way.discard(notice.subscription)
            if verdict is not Verdict.FAILED:
                self._finish(place, notice, verdict)
                self._hire(uri)
                continue
            self._put_back(place, notice)
            if place.failures and place.workers > 1:
                break  # another worker knocks at this door already
            place.failures += 1
            await asyncio.sleep(_PAUSES_S[min(place.failures, len(_PAUSES_S)) - 1])
        place.workers -= 1
        if not place.workers and not place.waiting and self._destinations.get(uri) is place:
            del self._destinations[uri]

    def _finish(self, place: _Destination, notice: Notice, verdict: Verdict) -> None:
        place.failures = 0
        self._done(notice)
        if verdict is Verdict.ARRIVED:
            self._refusals.pop(notice.subscription, None)
            self._renewed_s.pop(notice.subscription, None)
        else:
            self._refusals[notice.subscription] = self._refusals.get(notice.subscription, 0) + 1

    def _put_back(self, place: _Destination, notice: Notice) -> None:
        """Keep it for the next attempt, unless there is a newer one, or its time is over."""
        now = asyncio.get_running_loop().time()
        if not place.failures:
            place.failing_since_s = now
        since = max(place.failing_since_s, self._renewed_s.get(notice.subscription, 0.0))
        if now - since >= _PATIENCE_S:
            self._renewed_s.pop(notice.subscription, None)
            self._ended(notice.subscription)
        elif self._places.get(notice.subscription) == notice.to:
            place.waiting.setdefault(notice.subscription, notice)


@asynccontextmanager
async def poster(context: ssl.SSLContext) -> AsyncIterator[Post]:
    """Sends notifications over TLS with the server's own certificate, while it is entered."""
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    connector = aiohttp.TCPConnector(ssl=context, limit=0, limit_per_host=_AT_ONCE)
    headers = {"Content-Type": MEDIA_TYPE}
    async with aiohttp.ClientSession(timeout=timeout, connector=connector, headers=headers) as session:

        async def post(notice: Notice) -> int:
            body = render(notice.notification, aus=notice.aus)
            try:
                async with session.post(notice.to, data=body, allow_redirects=False) as response:
                    return response.status
            except (aiohttp.ClientError, TimeoutError, OSError):
                return 0

        yield post
