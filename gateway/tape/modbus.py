"""A Modbus connection on tape: reads and writes with their answers, and when the connection was made and lost."""

import asyncio
from collections.abc import Sequence
from math import inf
from typing import Final

from gateway.tape.deck import LOST, Deck, Recorder
from gateway.tape.words import Kind, Recording, Tape
from protocols.modbus.client import MakeBus, NoAnswerError, NotConnectedError, OnLost, RefusedError, SilenceError

FAULTS: Final = {
    "silence": SilenceError,
    "refused": RefusedError,
    "not_connected": NotConnectedError,
    "no_answer": NoAnswerError,
}
UP: Final = "connected"
_COUNT_TOLERANCE: Final = 1
"""How far a written register may be off: a timer counts whole seconds, and a replay is not on the microsecond."""


def deck(recording: Recording) -> Deck:
    """The answers of a recording."""
    return Deck(recording, FAULTS, _same)


class RecordedBus:
    """Passes everything on, and writes it down."""

    def __init__(self, tape: Tape, make: MakeBus, on_lost: OnLost) -> None:
        """`make` builds the connection, given whom to tell of its losses."""
        self._recorder = Recorder(tape, FAULTS)
        self._on_lost = on_lost
        self._told_up = False
        self._bus = make(self._lost)

    @property
    def name(self) -> str:
        """For people."""
        return self._bus.name

    @property
    def is_connected(self) -> bool:
        """As the connection says."""
        return self._bus.is_connected

    async def run(self) -> None:
        """As the connection does."""
        await self._bus.run()

    async def connected(self) -> None:
        """The same, noted once per connection."""
        await self._bus.connected()
        if not self._told_up:
            self._told_up = True
            self._recorder.tape.note(Kind.FAULT, what=UP)

    async def pause(self, seconds: float) -> None:
        """As the connection does."""
        await self._bus.pause(seconds)

    async def read(
        self, unit_id: int, address: int, count: int, timeout_s: float, *, inputs: bool = False
    ) -> tuple[int, ...]:
        """The registers, written down."""
        work = self._bus.read(unit_id, address, count, timeout_s, inputs=inputs)
        return await self._recorder.call(Kind.READ, _asked(unit_id, address, count, inputs=inputs), work, list)

    async def write(
        self,
        unit_id: int,
        address: int,
        registers: Sequence[int],
        timeout_s: float,
        *,
        single: bool = False,
        until_s: float = inf,
    ) -> None:
        """The write, written down."""
        asked = {**_asked(unit_id, address, len(registers)), "values": list(registers)}
        work = self._bus.write(unit_id, address, registers, timeout_s, single=single, until_s=until_s)
        await self._recorder.call(Kind.WRITE, asked, work, lambda _: None)

    def _lost(self, reason: str) -> None:
        self._told_up = False
        self._recorder.tape.note(Kind.FAULT, what=LOST, detail=reason)
        self._on_lost(reason)


class PlayedBus:
    """Answers as the recorded connection did, and is made and lost when that was."""

    name = "the recording"

    def __init__(self, deck: Deck, on_lost: OnLost) -> None:
        self._deck = deck
        self._on_lost = on_lost
        self._up, self._down = asyncio.Event(), asyncio.Event()

    @property
    def is_connected(self) -> bool:
        """As it was at this time of the recording."""
        return self._up.is_set()

    async def run(self) -> None:
        """Play the connection's life until cancelled."""
        async for line in self._deck.of_itself():
            if line.what.get("what") == UP:
                self._down.clear()
                self._up.set()
            else:
                self._up.clear()
                self._down.set()
                self._on_lost(str(line.what.get("detail", "")))
        await asyncio.Event().wait()

    async def connected(self) -> None:
        """Return as soon as there is a connection."""
        await self._up.wait()

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the connection lasts."""
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._down.wait()
        except TimeoutError:
            return

    async def read(
        self,
        unit_id: int,
        address: int,
        count: int,
        timeout_s: float,  # noqa: ARG002 - it takes what it took
        *,
        inputs: bool = False,
    ) -> tuple[int, ...]:
        """The registers that were read then."""
        answer = await self._deck.answer(Kind.READ, _asked(unit_id, address, count, inputs=inputs))
        if not isinstance(answer, list):
            raise SilenceError(f"read of {count} registers at {address}: the recording holds none")
        return tuple(int(register) for register in answer)

    async def write(
        self,
        unit_id: int,
        address: int,
        registers: Sequence[int],
        timeout_s: float,  # noqa: ARG002 - it takes what it took
        *,
        single: bool = False,  # noqa: ARG002 - the function code is no part of the recording
        until_s: float = inf,  # noqa: ARG002 - it takes what it took
    ) -> None:
        """Compared with what was written then."""
        await self._deck.answer(Kind.WRITE, {**_asked(unit_id, address, len(registers)), "values": list(registers)})


def _asked(unit_id: int, address: int, count: int, *, inputs: bool = False) -> dict[str, object]:
    return {"unit": unit_id, "address": address, "count": count, **({"inputs": True} if inputs else {})}


def _same(asked: object, then: object) -> bool:
    """Registers that differ by no more than a count."""
    if not isinstance(asked, list) or not isinstance(then, list) or len(asked) != len(then):
        return asked == then
    return all(abs(one - other) <= _COUNT_TOLERANCE for one, other in zip(asked, then, strict=True))
