"""Documents as they leave: rendered once, compressed once, and told apart by what is in them."""

import gzip
from collections.abc import Hashable
from functools import cached_property, lru_cache
from hashlib import blake2s
from typing import Generic, TypeVar

from ieee2030_5.exchange import MEDIA_TYPE, Answer

_WORTH = 1_024
"""Octets from which a document is sent compressed to whoever takes that."""
_LEVEL = 6


class Rendered:
    """The bytes of one document, and every answer that consists of them."""

    def __init__(self, body: bytes, media_type: str = MEDIA_TYPE) -> None:
        """Name the document by its content."""
        self.body = body
        self._media_type = media_type
        self.etag = blake2s(body, digest_size=10).hexdigest()

    def answer(self, accept_encoding: str, if_none_match: str) -> Answer:
        """The document, or that it is the one which the client has."""
        compressed = len(self.body) >= _WORTH and _takes_gzip(accept_encoding)
        if if_none_match and _knows(if_none_match, self.etag):
            return self._unchanged_compressed if compressed else self._unchanged
        return self._compressed if compressed else self.plain

    @cached_property
    def plain(self) -> Answer:
        """As it is."""
        return Answer(200, self.body, self._headers())

    @cached_property
    def _compressed(self) -> Answer:
        octets = gzip.compress(self.body, _LEVEL, mtime=0)
        return Answer(200, octets, {**self._headers("-gz"), "Content-Encoding": "gzip"})

    @cached_property
    def _unchanged(self) -> Answer:
        return Answer(304, b"", self._headers())

    @cached_property
    def _unchanged_compressed(self) -> Answer:
        return Answer(304, b"", self._headers("-gz"))

    def _headers(self, variant: str = "") -> dict[str, str]:
        """Content-Type, ETag and, where the client's Accept-Encoding makes a difference, Vary."""
        vary = {"Vary": "Accept-Encoding"} if len(self.body) >= _WORTH else {}
        return {"Content-Type": self._media_type, "ETag": f'"{self.etag}{variant}"', **vary}


T = TypeVar("T")


class Cache(Generic[T]):
    """What was rendered, up to a total size; the oldest goes first."""

    def __init__(self, limit: int) -> None:
        """Hold at most `limit` in all."""
        self._limit = limit
        self._held = 0
        self._found: dict[Hashable, tuple[Hashable, T, int]] = {}

    def get(self, key: Hashable, revision: Hashable) -> T | None:
        """What is at this key, if it is still of this revision."""
        found = self._found.get(key)
        return found[1] if found is not None and found[0] == revision else None

    def put(self, key: Hashable, revision: Hashable, document: T, size: int) -> None:
        """Hold a document of this size in place of an older revision of it."""
        self._take(key)
        self._found[key] = (revision, document, size)
        self._held += size
        while self._held > self._limit:
            self._take(next(iter(self._found)))

    def _take(self, key: Hashable) -> None:
        taken = self._found.pop(key, None)
        if taken is not None:
            self._held -= taken[2]


@lru_cache(maxsize=256)
def _takes_gzip(accept_encoding: str) -> bool:
    """True where gzip is named, or anything is, and not refused by a weight of zero (RFC 9110, 12.5.3)."""
    named: dict[str, bool] = {}
    for item in accept_encoding.lower().split(","):
        coding, _, parameters = item.partition(";")
        weight = parameters.replace(" ", "").removeprefix("q=")
        named[coding.strip()] = not (weight and not weight.strip("0."))
    return named.get("gzip", named.get("x-gzip", named.get("*", False)))


def _knows(if_none_match: str, etag: str) -> bool:
    """True where one of the client's tags is of this document, in whatever encoding it has it; weak comparison."""
    tags = (tag.strip().removeprefix("W/").strip('"').removesuffix("-gz") for tag in if_none_match.split(","))
    return any(tag in (etag, "*") for tag in tags)
