"""Sets structlog up: JSON lines, or aligned ones on a terminal, with what is common to all of them."""

import atexit
import logging
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

import orjson
import structlog
from structlog.contextvars import merge_contextvars
from structlog.processors import add_log_level, format_exc_info
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from gateway.clock import Now, wall
from gateway.logs.line import human, stamp
from gateway.logs.outlet import Outlet


def configure(
    level: str = "info", stream: TextIO | None = None, now: Now = wall, common: Mapping[str, str] | None = None
) -> Outlet:
    """Send all logs to a stream from now on; what is queued when the process ends is still written.

    Lines are JSON unless the stream is a terminal. `cycle_id` and `corr_id` are taken from the context
    (`structlog.contextvars.bound_contextvars`) where they are not bound to the logger. What libraries
    log by themselves as a warning or worse becomes `library.message`.

    Args:
        level: `debug`, `info`, `warning` or `error`; what is below is not logged.
        stream: Standard output where it is not given.
        common: Fields of every line, for example zone and model.
    """
    stream = stream or sys.stdout
    render = _for_people if stream.isatty() else _as_json
    shared = dict(common or {})

    def lost_line(count: int) -> bytes:
        lost = {"time": stamp(now()), "level": "warning", "event": "log.lost", **shared, "count": count}
        return render(lost)

    outlet = Outlet(stream.buffer, lost_line)
    structlog.configure(
        processors=[merge_contextvars, add_log_level, format_exc_info, _ordered(now, shared), _rendered(render)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _Sink(outlet),
        cache_logger_on_first_use=False,
    )
    atexit.register(outlet.close)
    logging.basicConfig(handlers=[_Library()], level=logging.WARNING, force=True)
    return outlet


def silence() -> None:
    """Log nothing from now on: for commands whose own output is what people want to see."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.basicConfig(level=logging.CRITICAL, force=True)


class _Sink:
    """What structlog hands rendered lines to, whatever their level."""

    def __init__(self, outlet: Outlet) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.msg = outlet.write


class _Library(logging.Handler):
    """Passes on what libraries say through the standard library's logging."""

    def emit(self, record: logging.LogRecord) -> None:
        log: FilteringBoundLogger = structlog.get_logger()
        log.warning("library.message", library=record.name, text=record.getMessage())


def _ordered(now: Now, common: Mapping[str, str]) -> Processor:
    """Time, level and event first, then what is common, then the event's own fields."""

    def order(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
        level, event = fields.pop("level"), fields.pop("event")
        return {"time": stamp(now()), "level": level, "event": event, **common, **fields}

    return order


def _rendered(render: Callable[[Mapping[str, object]], bytes]) -> Processor:
    def last(_: WrappedLogger, __: str, fields: EventDict) -> bytes:
        return render(fields)

    return last


def _as_json(fields: Mapping[str, object]) -> bytes:
    return orjson.dumps(fields, default=repr, option=orjson.OPT_NON_STR_KEYS)


def _for_people(fields: Mapping[str, object]) -> bytes:
    return human(fields, colour=True).encode("utf-8", "backslashreplace")
