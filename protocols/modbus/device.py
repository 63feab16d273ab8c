"""One SunSpec device on the wire: which models it has, what any of their points hold, and writes to them.

What is more than one transaction long is cut; a value and its scale factor come from one read wherever they lie
close enough, and else the factors are read before and after, until they are the same.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from protocols.modbus.client import RefusedError, UnitWire
from protocols.modbus.codec import Registers, Rounding, encode
from protocols.modbus.models import SunSpecError
from protocols.modbus.sunspec import BASES, READ_MAX, Model, Reading, Span, discover, writes

STEADY_ATTEMPTS: Final = 3
"""Attempts to read values between two equal readings of their scale factors."""


class SunSpecDevice:
    """Reads and writes by model and point; keeps nothing of what it read."""

    def __init__(self, wire: UnitWire, bases: tuple[int, ...] = BASES, read_max: int = READ_MAX) -> None:
        """`read_max`: registers that the device gives in one transaction."""
        self._wire = wire
        self._bases = bases
        self._read_max = read_max

    async def scan(self) -> tuple[Model, ...]:
        """Find the models; those without a definition are passed over.

        Raises:
            ModbusError: the link failed.
            SunSpecError: there is no usable SunSpec map.
        """
        steps = discover(self._bases)
        request = next(steps)
        while True:
            try:
                answer: Registers | None = await self._wire.read(request.address, request.count)
            except RefusedError:
                answer = None
            try:
                request = steps.send(answer)
            except StopIteration as end:
                models: tuple[Model, ...] = end.value
                return models

    async def read(self, model: Model, names: Iterable[str] | None = None) -> Reading:
        """What points of a model hold; all of them where no names are given.

        Raises:
            ModbusError: the link failed, or the device refuses to tell.
            SunSpecError: the model has none of the points, or its scale factors never stand still.
        """
        found = Reading({}, {})
        for span in model.spans(names, self._read_max):
            found = found.joined(await (self._read_apart(span) if span.factors else self.read_span(span)))
        return found

    async def read_span(self, span: Span) -> Reading:
        """One transaction.

        Raises:
            ModbusError: the link failed, or the device refuses to tell.
        """
        return span.decode(await self._wire.read(span.address, span.count))

    async def write(self, model: Model, values: Mapping[str, float], rounding: Rounding = Rounding.NEAREST) -> None:
        """Write points at the scale factors that hold now; neighbours go out in one transaction.

        Raises:
            ModbusError: the link failed, or the device refuses; what came before the refusal is written.
            SunSpecError: the model has no such point, or a value does not fit it; then nothing is written.
        """
        unknown = [name for name in values if name not in model]
        if unknown:
            raise SunSpecError(f"model {model.model_id} here has no {', '.join(unknown)}")
        locked = [name for name in values if not model.points[name].writable]
        if locked:
            raise SunSpecError(f"model {model.model_id}: {', '.join(locked)} cannot be written")
        exponents = (await self.read(model, values)).exponents
        registers = {
            name: encode(model.points[name], value, exponents.get(name, 0), rounding) for name, value in values.items()
        }
        for write in writes(model, registers):
            await self._wire.write(write.address, write.registers)

    async def _read_apart(self, span: Span) -> Reading:
        before = await self.read(span.model, span.factors)
        for _ in range(STEADY_ATTEMPTS):
            registers = await self._wire.read(span.address, span.count)
            after = await self.read(span.model, span.factors)
            if before.values == after.values:
                return span.decode(registers, after.values)
            before = after
        raise SunSpecError(f"model {span.model.model_id}: its scale factors do not stand still")
