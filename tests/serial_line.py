"""Two serial ports with a line between them, made of pseudo-terminals."""

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def serial_line() -> AsyncIterator[tuple[str, str]]:
    """Device files of both ends; what is written to one is read from the other."""
    loop = asyncio.get_running_loop()
    pairs = [pty.openpty(), pty.openpty()]
    for pair in pairs:
        for end in pair:
            tty.setraw(end)
    (near, near_end), (far, far_end) = pairs

    def carry(source: int, sink: int) -> None:
        os.write(sink, os.read(source, 4096))

    loop.add_reader(near, carry, near, far)
    loop.add_reader(far, carry, far, near)
    try:
        yield os.ttyname(near_end), os.ttyname(far_end)
    finally:
        for end in (near, far):
            loop.remove_reader(end)
        for end in (near, near_end, far, far_end):
            os.close(end)
