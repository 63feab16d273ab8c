"""Reads who is in a day of customers, and of which kinds, so that a check need not load the engine."""

import gzip
import json
import zlib
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 64 * 1024 * 1024
_FORMAT = "ampacity-day"
_GZIP = b"\x1f\x8b"


class DaySourceError(Exception):
    """The file of the day cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class DayNames:
    """Names in a day."""

    members: frozenset[str]
    kinds: frozenset[str]


def read_day_names(source: Path) -> DayNames:
    """Names in a day of the project's own format, compressed or not.

    Raises:
        DaySourceError: the file is missing or is no such day.
    """
    try:
        with source.open("rb") as file:
            raw = file.read(MAX_BYTES)
        document = json.loads(gzip.decompress(raw) if raw.startswith(_GZIP) else raw)
        names = DayNames(frozenset(str(m["id"]) for m in document["members"]), frozenset(document["kinds"]))
        is_day = document["format"] == _FORMAT
    except (OSError, EOFError, zlib.error) as error:
        raise DaySourceError(f"{source} cannot be read ({getattr(error, 'strerror', None) or error})") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DaySourceError(f"{source} is not a day of customers") from error
    if not is_day:
        raise DaySourceError(f"{source} is not a day of customers, but {document['format']!r}")
    return names
