"""Takes log lines and writes them from a thread of its own, so that a reader who stalls never stalls the gateway."""

import queue
import threading
from collections.abc import Callable
from typing import BinaryIO

CAPACITY = 10_000


class Outlet:
    """A bounded queue of lines before a stream; when it is full the newest line is dropped and counted."""

    def __init__(self, stream: BinaryIO, lost_line: Callable[[int], bytes], capacity: int = CAPACITY) -> None:
        """Begin to write to `stream`; `lost_line` words how many lines were dropped, once there is room again."""
        self._stream = stream
        self._lost_line = lost_line
        self._lines: queue.Queue[bytes | None] = queue.Queue(capacity)
        self._lost = 0
        self._counting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="logs", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Queue one line, to which the line feed is added; never waits."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            with self._counting:
                self._lost += 1

    def close(self, timeout_s: float = 2.0) -> None:
        """Write what is queued, for at most `timeout_s` seconds, and stop."""
        try:
            self._lines.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(line + b"\n")
                self._report_lost()
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # the reader has gone or the stream was closed: nobody to tell
                continue

    def _report_lost(self) -> None:
        with self._counting:
            count, self._lost = self._lost, 0
        if count:
            self._stream.write(self._lost_line(count) + b"\n")
