"""What the command-line tools ask of every protocol: look at a device, read it, write to it and watch it by hand.

Each protocol has a module `tool` with a class behind `FieldTool`. An address is written as the protocol writes it:
`704.WMaxLimPct`, `ns=2;s=Plant.Power`, `AI7`, a topic.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from protocols.signals import Quality

T = TypeVar("T")

Value = float | str | None
"""`None`: the device has none, or says that it does not implement it."""


class ToolError(Exception):
    """What cannot be done: what was asked, of whom, what came back and, where there is one, the way out."""


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a device, as its protocol names it."""

    address: str
    value: Value
    name: str = ""
    """For people."""
    unit: str = ""
    quality: Quality = Quality.GOOD
    note: str = ""
    """What the value means, or what is wrong with it."""
    time_s: float | None = None
    """When the device took it, Unix seconds UTC; `None` where it does not say."""
    writable: bool | None = False
    """`None`: only trying tells."""


@dataclass(frozen=True, slots=True)
class Found:
    """One device, or one part of a server, that a scan found."""

    address: str
    """For people: where it is, as its protocol says it."""
    endpoint: Mapping[str, object]
    """Keys of the zone file's `endpoint` that differ from how the scan was pointed at it."""
    identity: Mapping[str, str] = field(default_factory=dict)
    """Maker, model, serial number and the like, as far as it tells."""
    offers: tuple[str, ...] = ()
    """What it has: models, folders, groups of points, metrics."""
    p_max_w: float | None = None
    """Nameplate: greatest injection; `None` where the device does not tell."""
    p_min_w: float | None = None
    """Nameplate: greatest absorption as a negative number; `None` where the device does not tell."""
    energy_wh: float | None = None
    """Usable energy of a store."""
    is_der: bool = True
    """Whether the gateway can control it as one resource."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a write: the values in force afterwards, as the device tells them."""

    effective: tuple[Item, ...]
    detail: str
    """What the device answered."""
    obeyed: bool
    """Whether everything reads back as it was written."""


Heard = Callable[[Sequence[Item]], None]
"""Takes a batch of values that were read or came by themselves."""


class FieldTool(Protocol):
    """One connection, for as long as a command lasts. What fails raises `ToolError`."""

    async def scan(self, found: Callable[[Found], None]) -> None:
        """Tell of every device that is found there."""
        ...

    async def read(self, addresses: Sequence[str]) -> list[Item]:
        """The named values; with no name, all that the device has."""
        ...

    async def write(self, values: Mapping[str, str], lease_s: float | None) -> Written:
        """Write by address and read back.

        With `lease_s` the device itself ends what was written after that time; it is an error where it cannot.
        """
        ...

    async def watch(self, addresses: Sequence[str], every_s: float, heard: Heard) -> None:
        """Hand over values until cancelled: all at first, then as they come or every `every_s`."""
        ...


Work = Callable[[FieldTool], Awaitable[T]]
"""What is done with a tool while its connection lasts."""


async def beside(background: Coroutine[Any, Any, None], work: Awaitable[T]) -> T:
    """What `work` gives, with `background` running until then; an error of either comes as itself, not in a group."""
    try:
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(background)
            try:
                return await work
            finally:
                running.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


async def every(interval_s: float, read: Callable[[], Awaitable[Sequence[Item]]], heard: Heard) -> None:
    """Watch by reading again and again, until cancelled.

    What was read once and is not answered later is told as bad, with the reason; the watch goes on.

    Raises:
        ToolError: nothing could be read at first.
    """
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    items = await read()
    while True:
        heard(items)
        due_s = max(due_s + interval_s, loop.time())
        await asyncio.sleep(due_s - loop.time())
        try:
            items = await read()
        except ToolError as error:
            items = [replace(item, value=None, quality=Quality.BAD, note=str(error)) for item in items]


def number(address: str, text: str) -> float:
    """A number as people write it.

    Raises:
        ToolError: it is none.
    """
    words = {"on": 1.0, "true": 1.0, "off": 0.0, "false": 0.0}
    try:
        return words[text.lower()] if text.lower() in words else float(text)
    except ValueError:
        raise ToolError(f"{address} takes a number, not {text!r}") from None


def same(asked: float, told: Value, step: float = 1e-6) -> bool:
    """Whether a value reads back as it was written, to within its step."""
    return isinstance(told, float | int) and abs(told - asked) <= step / 2 + 1e-9 * abs(asked)
