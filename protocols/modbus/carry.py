"""Carries a plan out: each write once, and then a look at what the device holds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Final

from protocols.modbus.budget import WriteBudget
from protocols.modbus.client import (
    ModbusError,
    NoAnswerError,
    NotConnectedError,
    RefusedError,
    SilenceError,
    UnitWire,
)
from protocols.modbus.models import SunSpecError
from protocols.modbus.plan import Plan, WriteAnswer, differences, is_timer, is_untouched, judge, remaining
from protocols.modbus.sunspec import Reading, Write
from protocols.signals import Outcome

SETTLE_PAUSE_S: Final = 0.05
"""Between two looks at whether a write has taken effect."""

Read = Callable[[], Awaitable[Reading]]
"""Tells what the device holds now."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of a plan."""

    outcome: Outcome
    detail: str
    read_back: Mapping[str, float]
    """What was requested, and the timers that show how long the device will wait."""


async def carry_out(
    plan: Plan,
    before: Reading,
    wire: UnitWire,
    read: Read,
    *,
    settle_s: float,
    until_s: float = inf,
    budget: WriteBudget | None = None,
) -> Carried:
    """Send each write once; whatever comes of it, look at what the device holds.

    A device that left a write unanswered for a whole deadline and then tells that it holds what it held before has not
    got it, and is not waited for any longer. One that asked for time is, and so is one whose memory wears.

    Args:
        plan: what to write, and what must read back.
        before: what the device held.
        wire: where to write.
        read: how to read back.
        settle_s: how long the device may take until it reads back equal.
        until_s: on the clock of the event loop: what has not gone out by then does not go out.
        budget: is told of each write.
    """
    said, detail, may_come = WriteAnswer.ACCEPTED, "", True
    try:
        for write in plan.writes:
            if budget is not None:
                budget.spend(_registers(write), asyncio.get_running_loop().time())
            await wire.write(write.address, write.registers, until_s)
    except RefusedError as error:
        said, detail = WriteAnswer.REFUSED, str(error)
    except (NotConnectedError, SilenceError) as error:
        said, detail = WriteAnswer.SILENCE, str(error)
        may_come = budget is not None or not isinstance(error, NotConnectedError | NoAnswerError)

    def is_settled(reading: Reading) -> bool:
        return not differences(plan, reading) or (not may_come and is_untouched(plan, before, reading))

    reading = await _settled(is_settled, read, settle_s, once=said is WriteAnswer.REFUSED)
    outcome, why = judge(plan, said, before, reading, settle_s)
    values = {} if reading is None else reading.values
    read_back = {name: value for name, value in values.items() if value is not None and _is_shown(name, plan)}
    return Carried(outcome, "; ".join(part for part in (detail, why, *plan.notes) if part), read_back)


def spared(resource: str, plan: Plan, budget: WriteBudget) -> str:
    """Why a plan would wear the device too much; empty where it would not."""
    registers = [register for write in plan.writes for register in _registers(write)]
    wait_s = budget.wait_s(registers, asyncio.get_running_loop().time())
    if not wait_s:
        return ""
    rate = f"{budget.per_day:g} writes a day"
    return f"{resource}: not written, its registers are spared for another {wait_s:.0f} s ({rate})"


async def _settled(is_settled: Callable[[Reading], bool], read: Read, settle_s: float, *, once: bool) -> Reading | None:
    """The last reading, taken until it settles the matter or the time is up; `None` in silence."""
    loop = asyncio.get_running_loop()
    until = loop.time() + settle_s
    reading: Reading | None = None
    while True:
        try:
            reading = await read()
            if once or is_settled(reading):
                return reading
        except (ModbusError, SunSpecError):
            if once:
                return None
        if loop.time() >= until:
            return reading
        await asyncio.sleep(SETTLE_PAUSE_S)


def _is_shown(name: str, plan: Plan) -> bool:
    return name in plan.requested or name in {remaining(timer) for timer in plan.requested if is_timer(timer)}


def _registers(write: Write) -> range:
    return range(write.address, write.address + len(write.registers))
