"""Two serial ports with a line between them, made of pseudo-terminals."""

import asyncio
import os
import pty
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path


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


@contextmanager
def linked(device: str, name: Path) -> Iterator[None]:
    """Give a device file another name for a while.

    Raises:
        OSError: something else has that name.
    """
    if name.is_symlink() and not name.exists():
        name.unlink()  # of a line that ended without its time to tidy up
    name.symlink_to(device)
    try:
        yield
    finally:
        name.unlink(missing_ok=True)
