"""One log line for people: aligned columns, colours where they are wanted."""

from collections.abc import Mapping
from datetime import UTC, datetime

import orjson

RESET, DIM, BOLD = "\x1b[0m", "\x1b[2m", "\x1b[1m"
LEVEL_COLOURS = {"debug": DIM, "info": "\x1b[32m", "warning": "\x1b[33m", "error": "\x1b[31;1m"}
_EVENT_WIDTH, _RESOURCE_WIDTH = 18, 6
_OWN_COLUMN = ("time", "level", "event", "resource")
_EPOCH_S = 1e9
"""A number of seconds from here on is a moment, not a duration."""
_BACKGROUND = ("zone", "model", "cycle_id", "corr_id")
"""The same on many lines: shown last and dimmed."""


def stamp(at_s: float) -> str:
    """Unix seconds as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def human(fields: Mapping[str, object], *, colour: bool) -> str:
    """The line as text, without a line feed at its end; a trace follows on lines of its own."""
    level, event = harmless(str(fields.get("level", ""))), harmless(str(fields.get("event", "")))
    shade = LEVEL_COLOURS.get(level, "")
    others = {*_OWN_COLUMN, *_BACKGROUND, "exception"}
    rest = [key for key, value in fields.items() if key not in others and value != ""]
    parts = [
        _painted(_clock(fields.get("time")), DIM, colour=colour),
        _painted(f"{level:<7}", shade, colour=colour),
        _painted(f"{event:<{_EVENT_WIDTH}}", BOLD if level != "debug" else DIM, colour=colour),
        f"{harmless(str(fields.get('resource', ''))):<{_RESOURCE_WIDTH}}",
        *(f"{_painted(key + '=', DIM, colour=colour)}{_text(key, fields[key])}" for key in rest),
        *(_painted(f"{key}={_text(key, fields[key])}", DIM, colour=colour) for key in _BACKGROUND if fields.get(key)),
    ]
    trace = fields.get("exception")
    return " ".join(parts).rstrip() + (f"\n{harmless(trace)}" if isinstance(trace, str) else "")


def _clock(time: object) -> str:
    """Time of day of an ISO 8601 time; anything else as it is."""
    text = harmless(str(time or ""))
    return text[11:].removesuffix("Z") if text[10:11] == "T" else text


def _text(key: str, value: object) -> str:
    if key.endswith("_s") and isinstance(value, int | float) and value >= _EPOCH_S:
        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    if isinstance(value, str) and value and " " not in value and value.isprintable():
        return value
    return harmless(orjson.dumps(value, default=str).decode())


def harmless(text: str) -> str:
    """The text with what could steer a terminal made visible: some of it comes from peers."""
    return "".join(one if one.isprintable() or one == "\n" else ascii(one)[1:-1] for one in text)


def _painted(text: str, shade: str, *, colour: bool) -> str:
    return f"{shade}{text}{RESET}" if colour and shade else text
