"""What an operator's HTTP API is made of: rows of a table, each with who does it, and the types of what it names."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from ieee2030_5.admin.words import Word

D = TypeVar("D")
"""Where requests are carried out."""

PREFIX: Final = "/v1"
PAGE: Final = 100
MOST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """The variable parts of one request."""

    names: Mapping[str, str]
    """From the path."""
    start: int = 0
    limit: int = PAGE
    device: str | None = None


Given = Word | None
Do = Callable[[D, Asked, Any], Given | Awaitable[Given]]
"""Carries a request out; the body has been read as the type that the endpoint takes."""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[D]):
    """One row."""

    method: str
    path: str
    summary: str
    do: Do[D]
    takes: type[Word] | None = None
    gives: type[Word] | None = None
    status: int = 200
    query: Sequence[str] = ()
    """Parameters after the question mark: `start`, `limit`, `device`."""


@dataclass(frozen=True, slots=True)
class Page(Generic[D]):
    """Something that is answered as plain text, for programs that read no JSON; its path has no prefix."""

    path: str
    summary: str
    show: Callable[[D], str]


@dataclass(frozen=True, slots=True)
class Api(Generic[D]):
    """All of it."""

    title: str
    endpoints: Sequence[Endpoint[D]]
    names: Mapping[str, Any]
    """Types of the variable parts of a path."""
    pages: Sequence[Page[D]] = field(default=())
