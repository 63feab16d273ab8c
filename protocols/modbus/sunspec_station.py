"""Values of a station with a SunSpec map: any point of any model, such as those of meters and of strings."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from protocols.modbus.client import RefusedError, UnitWire
from protocols.modbus.device import SunSpecDevice
from protocols.modbus.measure import measurement
from protocols.modbus.models import SunSpecError
from protocols.modbus.settings import ModelPoint, SunSpecStation
from protocols.modbus.sunspec import Model
from protocols.port import Now
from protocols.signals import Measurement, Signal


@dataclass(frozen=True, slots=True)
class _Part:
    """One model of the device and what is wanted of it."""

    model: Model
    points: tuple[ModelPoint, ...]


class SunSpecStationSession:
    """Reads one station."""

    def __init__(self, settings: SunSpecStation, wire: UnitWire, now: Now) -> None:
        self.settings = settings
        self._device = SunSpecDevice(wire, settings.bases, settings.read_max)
        self._now = now
        self._parts: tuple[_Part, ...] = ()
        self._absent: tuple[ModelPoint, ...] = ()

    async def open(self) -> Sequence[Signal]:
        """Find the models.

        Raises:
            ModbusError: the link failed.
            SunSpecError: there is no usable SunSpec map, or nothing in it that is wanted.
        """
        found: dict[int, list[Model]] = defaultdict(list)
        for model in await self._device.scan():
            found[model.model_id].append(model)
        wanted: dict[tuple[int, int], list[ModelPoint]] = defaultdict(list)
        for mapped in self.settings.points:
            wanted[mapped.model_id, mapped.instance].append(mapped)
        parts = []
        for (model_id, instance), points in wanted.items():
            for found_model in found[model_id][instance - 1 : instance]:
                present = tuple(mapped for mapped in points if mapped.name in found_model)
                parts += [_Part(found_model, present)] if present else []
        if not parts:
            raise SunSpecError(f"{self.settings.name} has none of the points that are wanted of it")
        present_points = {mapped for part in parts for mapped in part.points}
        self._parts = tuple(parts)
        self._absent = tuple(mapped for mapped in self.settings.points if mapped not in present_points)
        return ()

    def close(self) -> None:
        """Forget the map: the next poll begins with `open`."""
        self._parts = ()

    async def poll(self) -> Sequence[Signal]:
        """Read everything once; what the device does not have, implement or tell is bad, and spoils nothing else.

        Raises:
            ModbusError: the link failed.
            SunSpecError: scale factors never stand still.
        """
        signals = self._told(self._absent, {})
        for part in self._parts:
            try:
                values = (await self._device.read(part.model, [mapped.name for mapped in part.points])).values
            except RefusedError:
                values = {}
            signals += self._told(part.points, values)
        return signals

    def _told(self, points: Sequence[ModelPoint], values: Mapping[str, float | None]) -> list[Measurement]:
        at_s = self._now()
        found = [(mapped, values.get(mapped.name)) for mapped in points]
        return [measurement(m.point, None if value is None else value * m.scale, at_s) for m, value in found]
