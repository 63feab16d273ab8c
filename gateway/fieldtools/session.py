"""Runs a tool's work from a command: until it is done, fails with a clear message, or is interrupted."""

import asyncio
import signal
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gateway.fieldtools.target import SYNTAX
from protocols.tool import ToolError

T = TypeVar("T")

FAILED, WRONGLY_CALLED = 1, 2


def add_target(parser: ArgumentParser) -> None:
    """Declare what every tool takes."""
    parser.epilog = SYNTAX
    parser.add_argument("target", metavar="TARGET", help="where: a URL, or ZONE.yaml:DEVICE; see below")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")


def finish(command: str, work: Coroutine[Any, Any, int]) -> int:
    """Exit status of the work; a failure is told on standard error, and an interrupt ends it in good order."""
    return guarded(command, lambda: until_told(work) or 0)


def guarded(command: str, work: Callable[[], int]) -> int:
    """Exit status of the work; a failure is told on standard error."""
    try:
        return work()
    except ToolError as error:
        print(f"ampacity {command}: {error}", file=sys.stderr)
        return FAILED


def until_told(work: Coroutine[Any, Any, T]) -> T | None:
    """The work's result, or `None` where SIGINT or SIGTERM ended it."""
    return asyncio.run(_until_told(work))


async def _until_told(work: Coroutine[Any, Any, T]) -> T | None:
    loop, told = asyncio.get_running_loop(), asyncio.Event()
    task = loop.create_task(work)

    def stop() -> None:
        told.set()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if told.is_set():
            return None
        raise
