"""Times and durations as people write them on a command line or in a file."""

import re
from argparse import ArgumentTypeError
from datetime import datetime

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}


def moment(text: str) -> float:
    """Unix seconds of ISO 8601 with its offset from UTC, or of a count of epoch seconds.

    Raises:
        ValueError: it is neither.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time; write it as 2026-07-15T10:00-05:00") from error
    if found.tzinfo is None:
        raise ValueError(f"{text!r} does not say its offset from UTC; write it as 2026-07-15T10:00-05:00")
    return found.timestamp()


def moment_argument(text: str) -> float:
    """The same as an argument."""
    try:
        return moment(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def duration(text: str) -> float:
    """Seconds of `90s`, `30m`, `2h` or `1d`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|min|h|d)", text.strip())
    if found is None or not float(found[1]):
        raise ArgumentTypeError(f"{text!r} is no duration; write it as 90s, 30m, 2h or 1d")
    return float(found[1]) * _UNITS_S[found[2]]
