"""How much is taken on: the allowance of each client, and what everybody is told while there is too much to do."""

from collections.abc import Mapping
from math import ceil
from zlib import crc32

from ieee2030_5 import resources as r
from ieee2030_5.call import INVALID_FORMAT, TOO_FREQUENT
from ieee2030_5.codec import render
from ieee2030_5.exchange import MEDIA_TYPE, Answer

_MOST = 10_000
"""Clients whose allowance is remembered before those that have theirs in full are forgotten."""
_SOONEST_S, _SPREAD = 5, 56
"""Clients that are turned away come back after 5 to 60 s, each at a time of its own."""


class Allowances:
    """So many requests in a row for each client, and so many a second after that.

    The generic cell rate algorithm (ITU-T I.371): one number for each client, the time at which its allowance
    is full again.
    """

    def __init__(self, per_s: float, burst: float) -> None:
        """Allow `burst` requests at once and `per_s` a second, times the share of a client."""
        self._per_s = per_s
        self._depth_s = burst / per_s
        self._full_s: dict[str, float] = {}

    def __len__(self) -> int:
        """Clients that are remembered."""
        return len(self._full_s)

    def wait_s(self, lfdi: str, share: int, now: float) -> float:
        """Seconds until a client may ask again; 0 where it may now, and then the request counts.

        Args:
            lfdi: the client.
            share: how many times the allowance of one device it has.
            now: a clock that never goes back.
        """
        full = max(self._full_s.get(lfdi, now), now)
        if full - now > self._depth_s:
            return full - now - self._depth_s
        self._full_s[lfdi] = full + 1 / (self._per_s * share)
        if len(self._full_s) > _MOST:
            self._full_s = {client: at for client, at in self._full_s.items() if at > now}
        return 0.0


def too_frequent(wait_s: float) -> Answer:
    """A client has used its allowance; Error with reasonCode 4."""
    seconds = max(1, ceil(wait_s))
    body = render(r.Error(maxRetryDuration=seconds, reasonCode=TOO_FREQUENT))
    return Answer(429, body, _headers(seconds))


def overloaded(lfdi: str) -> Answer:
    """The server has more to do than it can; the clients return one by one."""
    seconds = _SOONEST_S + crc32(lfdi.encode()) % _SPREAD
    return Answer(503, render(r.Error(maxRetryDuration=seconds, reasonCode=INVALID_FORMAT)), _headers(seconds))


def _headers(seconds: int) -> Mapping[str, str]:
    return {"Content-Type": MEDIA_TYPE, "Retry-After": str(seconds)}
