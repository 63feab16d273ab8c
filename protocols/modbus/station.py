"""Values of a station with a register map."""

from collections.abc import Iterator, Sequence

from protocols.modbus.client import RefusedError, UnitWire
from protocols.modbus.measure import measurement
from protocols.modbus.register import Block, blocks
from protocols.modbus.settings import MappedRegister, MappedStation
from protocols.port import Now
from protocols.signals import Measurement, Signal


class MappedReader:
    """Reads mapped registers, neighbours together."""

    def __init__(self, registers: Sequence[MappedRegister], wire: UnitWire, now: Now, read_max: int) -> None:
        """`read_max`: registers that the device gives in one transaction."""
        self._wire = wire
        self._now = now
        self._blocks = blocks([mapped.register for mapped in registers], read_max)
        self._mapped = {block: [m for m in registers if m.register in block.registers] for block in self._blocks}

    async def read(self) -> Sequence[Measurement]:
        """Everything once; values of a block that the device refuses are bad, the others are not touched by it.

        Raises:
            ModbusError: the link failed.
        """
        found: list[Measurement] = []
        for block in self._blocks:
            try:
                answer = await self._wire.read(block.address, block.count, inputs=block.inputs)
            except RefusedError:
                answer = None
            found += self._told(block, answer)
        return found

    def _told(self, block: Block, answer: Sequence[int] | None) -> Iterator[Measurement]:
        at_s = self._now()
        for mapped in self._mapped[block]:
            value = None if answer is None else mapped.register.decode(block.words(mapped.register, answer))
            yield measurement(mapped.point, value, at_s)


class StationSession:
    """Reads one station."""

    def __init__(self, settings: MappedStation, wire: UnitWire, now: Now) -> None:
        self.settings = settings
        self._reader = MappedReader(settings.registers, wire, now, settings.read_max)

    async def open(self) -> Sequence[Signal]:
        """Nothing has to be found first."""
        return ()

    def close(self) -> None:
        """Nothing has to be forgotten."""

    async def poll(self) -> Sequence[Signal]:
        """Read everything once; what the station refuses to tell is bad.

        Raises:
            ModbusError: the link failed.
        """
        return await self._reader.read()
