"""A simulated device behind a real socket in a thread of its own, so that a command can run as it does in a shell."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TypeVar

from gateway.fieldtools import opening
from gateway.fieldtools.target import parse
from protocols.tool import FieldTool, Item, Value
from tests.contract.harness import ContractHarness

T = TypeVar("T")
H = TypeVar("H", bound=ContractHarness)


@asynccontextmanager
async def started(make: Callable[[], H]) -> AsyncIterator[H]:
    """The end of a contract harness, ready to be met."""
    harness = make()
    await harness.start()
    try:
        yield harness
    finally:
        await harness.stop()


def watched(target: str, address: str, count: int, change: Callable[[], None]) -> list[Value]:
    """Values that a watch tells until it has told `count` different ones; `change` is called after the first."""
    values: list[Value] = []
    enough = asyncio.Event()

    def heard(items: Sequence[Item]) -> None:
        for item in items:
            if item.address == address and item.value not in values:
                values.append(item.value)
                if len(values) == 1:
                    change()
        if len(values) >= count:
            enough.set()

    async def work(tool: FieldTool) -> None:
        async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(tool.watch([address], 0.05, heard))
            await enough.wait()
            watching.cancel()

    asyncio.run(opening.use(parse(target), work))
    return values


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A command that runs until it is told to end; it never outlives its test."""
    line = [sys.executable, "-u", "-m", "gateway", *arguments]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
