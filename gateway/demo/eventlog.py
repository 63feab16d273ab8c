"""Reads a gateway's JSON log while it is being written."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


class EventLog:
    """The complete lines of a log file, each handed out once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self.lines: list[Line] = []
        """All that was read so far."""

    def read(self) -> Iterator[Line]:
        """What has been written since the last call; lines that are not JSON are passed over."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            chunk = file.read()
        end = chunk.rfind(b"\n") + 1
        self._offset += end
        for raw in chunk[:end].splitlines():
            if not raw.startswith(b"{"):
                continue
            line: Line = json.loads(raw)
            self.lines.append(line)
            yield line

    def first(self, event: str, since: int = 0, **fields: object) -> Line | None:
        """The first line of an event whose fields have these values, or `None`; `since` skips lines."""
        for line in self.lines[since:]:
            if line.get("event") == event and all(line.get(k) == v for k, v in fields.items()):
                return line
        return None
