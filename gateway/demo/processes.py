"""The two processes of a demonstration, started and ended together, each writing its log to a file."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

READY_S = 150.0
"""Longest wait until a process does its work."""
STOP_S = 10.0
"""Longest wait until a process that was told to stop has ended."""


class DemoError(Exception):
    """The demonstration cannot go on; says which process, why, and where its log is."""


@dataclass(frozen=True, slots=True)
class Child:
    """One running process of ours."""

    name: str
    process: asyncio.subprocess.Process
    log: Path

    def must_run(self) -> None:
        """Raise when the process has ended by itself.

        Raises:
            DemoError: it has; with the end of its log.
        """
        if self.process.returncode is not None:
            tail = "\n".join(self.log.read_text(errors="replace").splitlines()[-8:])
            raise DemoError(f"{self.name} ended with status {self.process.returncode}; the end of {self.log}:\n{tail}")


@asynccontextmanager
async def child(name: str, arguments: tuple[str, ...], log: Path) -> AsyncIterator[Child]:
    """`ampacity ARGUMENTS` as a process of its own, told to stop at the end."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", *arguments, stdout=output, stderr=asyncio.subprocess.STDOUT
        )
    try:
        yield Child(name, process, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def until_answering(session: aiohttp.ClientSession, url: str, served_by: Child) -> None:
    """Return once a URL answers.

    Raises:
        DemoError: the process ended, or the time is over.
    """
    try:
        async with asyncio.timeout(READY_S):
            while True:
                served_by.must_run()
                try:
                    async with session.get(url) as response:
                        if response.status < 500:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise DemoError(f"{served_by.name} does not answer at {url}; see {served_by.log}") from error
