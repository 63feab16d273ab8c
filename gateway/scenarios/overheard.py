"""What the gateway logs while a scenario is played, for checks to look at."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger


class Overheard:
    """The lines of the log, whatever their level, each with its event and fields."""

    def __init__(self) -> None:
        self.lines: list[Mapping[str, Any]] = []

    def named(self, event: str) -> list[Mapping[str, Any]]:
        """The lines of one event."""
        return [line for line in self.lines if line["event"] == event]

    @contextmanager
    def listening(self, *, quiet: bool) -> Iterator[None]:
        """Keep every line from here on; `quiet` keeps them from anybody else."""
        before = structlog.get_config()

        def note(_: WrappedLogger, __: str, fields: EventDict) -> EventDict:
            self.lines.append(dict(fields))
            if quiet:
                raise structlog.DropEvent
            return fields

        structlog.configure(
            processors=[structlog.contextvars.merge_contextvars, note, *before["processors"]],
            wrapper_class=structlog.make_filtering_bound_logger("debug"),
        )
        try:
            yield
        finally:
            structlog.configure(processors=before["processors"], wrapper_class=before["wrapper_class"])
