"""What may stand behind the question mark of a URL: names, ranges and defaults, for reading and for OpenAPI."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.coordination import wire
from gateway.parties.refusals import Refusal
from gateway.parties.view import MOST

Value = int | str

PAGE: Final = 50
PAGE_MOST: Final = 100
"""Messages of one answer."""
WAIT_MOST_S: Final = 5


@dataclass(frozen=True, slots=True)
class Query:
    """One parameter."""

    name: str
    default: Value
    meaning: str
    most: int = 2**63 - 1
    least: int = 0

    def schema(self) -> dict[str, object]:
        """As JSON schema."""
        if isinstance(self.default, str):
            return {"type": "string", "maxLength": wire.MAX_TEXT, "default": self.default}
        return {"type": "integer", "minimum": self.least, "maximum": self.most, "default": self.default}

    def value(self, text: str) -> Value | None:
        """What a text says; None where it may not be said."""
        if isinstance(self.default, str):
            return text if len(text) <= wire.MAX_TEXT else None
        if not (text.isascii() and text.isdigit() and len(text) <= 19):
            return None
        return int(text) if self.least <= int(text) <= self.most else None


QUERIES: Final[Mapping[str, tuple[Query, ...]]] = {
    "messages": (
        Query("after", 0, "Messages behind this place: `next` of the answer before."),
        Query("limit", PAGE, "How many at most.", PAGE_MOST, 1),
        Query("wait_s", 0, "Where there is none, wait so many seconds for one.", WAIT_MOST_S),
    ),
    "lists": (
        Query("resource", "", "Of this resource alone."),
        Query("limit", 100, "How many at most.", MOST, 1),
    ),
}


def read(given: Mapping[str, str], known: Sequence[Query]) -> dict[str, Value]:
    """Every known parameter with its value.

    Raises:
        Refusal: 400 where one is unknown, twice there or out of range.
    """
    names = [query.name for query in known]
    for name in given:
        if name not in names:
            raise Refusal(400, "is no parameter here", name[:64], f"send only {', '.join(names) or 'none'}")
    if len(given) > len(set(given)):  # a multidict has both
        raise Refusal(400, "is there twice", "?", "send each parameter once")
    values: dict[str, Value] = {}
    for query in known:
        value = query.value(given[query.name]) if query.name in given else query.default
        if value is None:
            raise Refusal(400, "is out of range", query.name, f"send {query.schema()}")
        values[query.name] = value
    return values
