"""What each subscriber knows of what it has subscribed to, and what it has to be told."""

import re
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2s

from ieee2030_5 import resources as r
from ieee2030_5 import subscriptions
from ieee2030_5.call import Absent, Call, Params
from ieee2030_5.codec import Written, write
from ieee2030_5.paging import CAP, Page
from ieee2030_5.rendered import Cache
from ieee2030_5.routes import Route, match
from ieee2030_5.subscriptions import Notice
from ieee2030_5.utility import Device, Utility

_CACHED = 16 * 2**20
"""Characters of written resources kept at most: what many subscribe to is written once."""
_COUNT = re.compile(r'(Link href="[^"]*") all="\d+"')
"""The count in a ListLink. It belongs to the list that it counts: a client that is told of its EndDevice because
one of its own subscriptions was added would discover everything anew."""

CallOf = Callable[[str, str, int, Params, Page], Call]
"""The call of a client (LFDI) for a path at a time, with the variable parts of the path, and a page."""


@dataclass(frozen=True, slots=True)
class _Sight:
    """What a subscriber would see."""

    stamp: Hashable
    """Stays the same while nothing changes; `None` where that cannot be told without a look."""
    digest: str = ""
    written: Written | None = None
    """As a Notification holds it; `None` where it was seen before."""


class Watch:
    """Compares what subscribers would see now with what they know.

    A digest stands for what is known. It is kept in the journal once it has been delivered, so that
    after a restart whatever had not arrived is told, and nothing else.
    """

    def __init__(self, utility: Utility, call: CallOf) -> None:
        """Watch for the subscribers of `utility`."""
        self._utility = utility
        self._call = call
        self._known: dict[str, str] = {}
        """Digest of what each subscriber has been told last, by subscription."""
        self._stamps: dict[str, Hashable] = {}
        """Stamp of the last look for each."""
        self._written: Cache[_Sight] = Cache(_CACHED)

    def begin(self, href: str, subscription: r.Subscription, lfdi: str, now: int) -> None:
        """Its client knows what it sees when it subscribes."""
        seen = self._look(lfdi, subscription, now)
        self._known[href] = "" if seen is None else seen.digest
        self._stamps.pop(href, None)

    def knows(self, digests: Mapping[str, str]) -> None:
        """What had arrived before a restart, by subscription."""
        self._known.update((href, digest) for href, digest in digests.items() if digest)

    def forget(self, href: str) -> None:
        """The subscription has ended."""
        self._known.pop(href, None)
        self._stamps.pop(href, None)

    def notices(self, now: int) -> tuple[list[Notice], list[tuple[str, int]]]:
        """What subscribers have to be told, and which subscriptions end with which status.

        A client that is refused learns nothing meanwhile; what it may see no more ends its subscription.
        """
        due: list[Notice] = []
        blind: list[tuple[str, int]] = []
        for device, href, subscription in self._all(now):
            seen = self._look(device.settings.lfdi, subscription, now, self._stamps.get(href))
            if seen is None:
                found = match(subscription.subscribedResource)
                blind.append((href, subscriptions.why_ended(self._utility, found[1] if found else {})))
                continue
            self._stamps[href] = seen.stamp
            if seen.written is not None and self._known.setdefault(href, seen.digest) != seen.digest:
                self._known[href] = seen.digest
                due.append(subscriptions.notice(device, subscription, seen.written, seen.digest))
        return due, blind

    def _all(self, now: int) -> Iterator[tuple[Device, str, r.Subscription]]:
        for slug in self._utility.listeners:
            device = self._utility.devices[slug]
            if not self._utility.refuses(device.settings.lfdi, now):
                for href, subscription in device.subscriptions.items():
                    yield device, href, subscription

    def _look(self, lfdi: str, subscription: r.Subscription, now: int, stamp: Hashable = None) -> _Sight | None:
        """What a client would get now, up to the limit of its subscription; `None` where it may see nothing.

        While the stamp of an earlier look stands, nothing is written.
        """
        path = subscription.subscribedResource
        found = match(path)
        if found is None:
            return None
        route, params = found
        limit = min(subscription.limit, CAP) or CAP
        call = self._call(lfdi, path, now, params, Page(limit=limit))
        try:
            route.visible(call)
        except Absent:
            return None
        if route.revision is None:
            return _write(route, call, None)
        revision = (route.revision(call), call.principal.aus)
        if revision == stamp:
            return _Sight(stamp)
        key = (path, limit, call.principal.aus, route.variant(call) if route.variant else None)
        seen = self._written.get(key, revision)
        if seen is None:
            seen = _write(route, call, revision)
            self._written.put(key, revision, seen, len(seen.written or ""))
        return seen


def _write(route: Route, call: Call, stamp: Hashable) -> _Sight:
    """A resource that waits for its first document looks like an empty one."""
    try:
        resource = route.get(call)
    except Absent:
        resource = r.Resource(href=call.path)
    written = write(resource, aus=call.principal.aus)
    digest = blake2s(_COUNT.sub(r"\1", written).encode(), digest_size=8).hexdigest()
    return _Sight(stamp, digest, written)
