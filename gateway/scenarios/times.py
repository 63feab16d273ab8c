"""Times of a scenario as its messages have them: `T+300` is 300 s after the start of the interval it is about."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

_RELATIVE = re.compile(r"T([+-][0-9]+(\.[0-9]+)?)")


def on_the_wire(at_s: float) -> str:
    """Unix seconds as messages write them."""
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")


def absolute(value: object, start_s: float) -> object:
    """The value with every `T+300` in it, however deep, as ISO 8601; T is at `start_s`."""
    match value:
        case str() if (found := _RELATIVE.fullmatch(value)) is not None:
            return on_the_wire(start_s + float(found[1]))
        case Mapping():
            return {key: absolute(one, start_s) for key, one in value.items()}
        case list() | tuple():
            return [absolute(one, start_s) for one in value]
        case _:
            return value
