"""One instruction at a time for each DER behind a broker: the newest wins, and each waits for its device's answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from protocols.port import Now
from protocols.signals import Ack, Control, Instruction, Outcome

ENDS = frozenset({Outcome.WRITTEN, Outcome.REJECTED, Outcome.SUPERSEDED, Outcome.EXPIRED, Outcome.COMPLETED})
"""Nothing better than these is waited for."""


class Judge(Protocol):
    """What the device's word means for an instruction, as far as it is known now."""

    def __call__(self, *, last: bool) -> Ack:
        """`last`: there is no more time for a better one."""


@dataclass(slots=True)
class Turns:
    """Where one DER stands: what outlives a connection, and what the present one has heard."""

    latest: int = -1
    """Highest version asked for."""
    targeted: bool = False
    """A target of ours is out there."""
    waiting: bool = False
    """Somebody waits for the answer to the present instruction; later answers are told as they come."""
    online: bool = False
    """By its own word; false before it was heard."""
    baseline_told: bool = False
    _wire: asyncio.Lock = field(default_factory=asyncio.Lock)
    _answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, instruction: Instruction, now: Now, send: Callable[[], Awaitable[Ack]]) -> Ack:
        """Have `send` carry the instruction out when its turn comes, if it is still the newest and alive then."""
        if instruction.version >= self.latest:
            self.latest = instruction.version
            async with self._wire:
                if instruction.version >= self.latest:
                    if isinstance(instruction, Control) and instruction.expiry_s <= now():
                        detail = "its lease had run out; nothing was sent"
                        return Ack.of(instruction, Outcome.EXPIRED, now(), detail)
                    return await send()
        detail = f"version {self.latest} is newer; nothing was sent"
        return Ack.of(instruction, Outcome.SUPERSEDED, now(), detail)

    async def settled(self, judge: Judge, within_s: float) -> Ack:
        """The first judgement that ends it, or the last one when the time is up."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    self._answered.clear()
                    ack = judge(last=False)
                    if ack.outcome in ENDS:
                        return ack
                    await self._answered.wait()
        except TimeoutError:
            return judge(last=True)

    def hear(self) -> None:
        """The device has said something: look again."""
        self._answered.set()

    def disconnected(self) -> None:
        """What the connection had heard no longer counts."""
        self.online = self.baseline_told = False
