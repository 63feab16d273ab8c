"""One request and its answer, without their transport."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from http import HTTPStatus

from ieee2030_5.settings import Edition

MEDIA_TYPE = "application/sep+xml"
MEDIA_TYPES: Mapping[Edition, str] = {edition: f"{MEDIA_TYPE}; level=+{edition.value}" for edition in Edition}
"""With the level: which edition a document is of, and that it may hold elements of an extension."""
_WITHOUT_LENGTH = frozenset({204, 304})
"""RFC 9110, 8.6: a 204 has no Content-Length; a 304 has no body, whatever its length would be."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP request."""

    method: str
    target: str
    """Path and query as sent."""
    accept: str = ""
    content_type: str = ""
    body: bytes = b""
    accept_encoding: str = ""
    if_none_match: str = ""


@dataclass(frozen=True)
class Answer:
    """What to send back."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    detail: str = ""
    """Why a request was refused; for the operator, never sent."""

    @cached_property
    def head(self) -> bytes:
        """Status line and headers without the empty line that ends them, put together once."""
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.status not in _WITHOUT_LENGTH:
            lines.append(f"Content-Length: {len(self.body)}")
        lines.append("")
        return "\r\n".join(lines).encode()


@lru_cache(maxsize=4_096)
def done(status: int, location: str) -> Answer:
    """What was asked is done, and here is the resource; clients post to the same place again and again."""
    return Answer(status, headers={"Location": location})
