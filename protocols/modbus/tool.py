"""Modbus by hand: scan for units and their SunSpec models, read and write points by name and registers by number."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final, TypeVar

from protocols.modbus.client import ModbusClient, ModbusError, RefusedError, SilenceError, UnitWire
from protocols.modbus.device import SunSpecDevice
from protocols.modbus.labels import label, title
from protocols.modbus.models import SunSpecError
from protocols.modbus.raw import RawRange
from protocols.modbus.settings import ModbusSettings
from protocols.modbus.sunspec import Model, Reading
from protocols.tool import Found, Heard, Item, ToolError, Work, Written, beside, every, number, same

T = TypeVar("T")

ANY_UNIT: Final = range(1, 248)
"""Addresses of units: Modbus over serial line."""
_SILENT_LIMIT: Final = 1_000
"""A scan asks units that are not there; their silence says nothing about the connection."""
_HOUSEKEEPING: Final = frozenset(("pad", "sunssf"))
_RATINGS: Final = ((702, "WMaxRtg", "WChaRteMaxRtg"), (120, "WRtg", "MaxChaRte"))
"""Model, and its greatest injection and absorption."""
_STORES: Final = ((713, "WHRtg"), (120, "WHRtg"))
_IDENTITY: Final = {"maker": "Mn", "model": "Md", "version": "Vr", "serial": "SN"}
_CONTROLS: Final = frozenset((704, 123))
"""Models by which active power is limited."""


async def use(settings: ModbusSettings, units: Sequence[int], work: Work[T]) -> T:
    """Connect, do the work with a tool, and close.

    Args:
        settings: where and over what; its units do not matter.
        units: those to scan; the first is the one to read, write and watch.
        work: what to do.

    Raises:
        ToolError: no connection, or what the work raises.
    """
    loop = asyncio.get_running_loop()
    refused: asyncio.Future[str] = loop.create_future()

    def lost(reason: str) -> None:
        if not refused.done():
            refused.set_result(reason)

    client = ModbusClient(
        settings.host,
        settings.port,
        random.Random(settings.address),
        lost,
        medium=settings.medium,
        connect_s=max(settings.timeout_s, 2.0),
        gap_s=settings.gap_s,
        silent_limit=_SILENT_LIMIT,
    )
    return await beside(client.run(), _connected(client, refused, units, settings.timeout_s, work))


async def _connected(
    client: ModbusClient, refused: "asyncio.Future[str]", units: Sequence[int], timeout_s: float, work: Work[T]
) -> T:
    async with asyncio.TaskGroup() as tasks:
        up = tasks.create_task(client.connected())
        await asyncio.wait((up, refused), return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
    if refused.done():
        raise ToolError(f"{refused.result()}; see that the device is on, and that host and port are right")
    return await work(ModbusTool(client, units, timeout_s))


class ModbusTool:
    """One connection, and the units behind it."""

    def __init__(self, client: ModbusClient, units: Sequence[int], timeout_s: float) -> None:
        self._client = client
        self._units = units
        self._timeout_s = timeout_s
        self._wire = UnitWire(client, units[0], timeout_s)
        self._device = SunSpecDevice(self._wire)
        self._models: dict[int, Model] | None = None

    async def scan(self, found: Callable[[Found], None]) -> None:
        """Ask every unit for its SunSpec map; one that answers without having one is told too."""
        for unit in self._units:
            wire = UnitWire(self._client, unit, self._timeout_s)
            with suppress(SilenceError):
                found(await self._look_at(unit, wire))

    async def read(self, addresses: Sequence[str]) -> list[Item]:
        """Points by `MODEL.POINT`, whole models by `MODEL`, registers by `REGISTER:TYPE`."""
        try:
            if not addresses:
                items = [await self._points(model) for model in (await self._map()).values()]
                return [item for part in items for item in part if item.value is not None]
            parts = [await self._one(address) for address in addresses]
        except (ModbusError, SunSpecError) as error:
            raise ToolError(f"{error}{_remedy(error)}") from error
        return [item for part in parts for item in part]

    async def write(self, values: Mapping[str, str], lease_s: float | None) -> Written:
        """Write points of SunSpec models, timers first, or registers; then read what is in force."""
        asked = {address: number(address, text) for address, text in values.items()}
        raw = {address: found for address in asked if (found := RawRange.parse(address)) is not None}
        try:
            if raw and lease_s is not None:
                raise ToolError(f"{next(iter(raw))} has no timer that ends a write; give --yes instead of --lease")
            for address, place in raw.items():
                await self._write_raw(address, place, asked[address])
            timed = await self._write_points({a: v for a, v in asked.items() if a not in raw}, lease_s)
        except (ModbusError, SunSpecError) as error:
            raise ToolError(f"{error}{_remedy(error)}") from error
        effective = await self.read([*asked, *(name for name in timed if name not in asked)])
        wanted = asked | timed
        steps = {address: await self._step(address) for address in wanted}
        obeyed = all(same(wanted[item.address], item.value, steps[item.address]) for item in effective)
        also = ", ".join(f"{name}={value:g}" for name, value in timed.items() if name not in asked)
        return Written(tuple(effective), f"written together with {also}" if also else "written", obeyed)

    async def watch(self, addresses: Sequence[str], every_s: float, heard: Heard) -> None:
        """Read again and again."""
        await every(every_s, lambda: self.read(addresses), heard)

    async def _look_at(self, unit: int, wire: UnitWire) -> Found:
        device = SunSpecDevice(wire)
        try:
            models = {model.model_id: model for model in await device.scan()}
        except (RefusedError, SunSpecError) as error:
            note = {"note": f"no SunSpec map: {error}"}
            return Found(f"unit {unit}", {"unit": unit}, note, is_der=False)
        known: dict[str, str] = {}
        ratings: tuple[float | None, float | None, float | None] = None, None, None
        with suppress(RefusedError):  # who has the models can be controlled, whatever else it keeps to itself
            identity = (await device.read(models[1], _IDENTITY.values())).texts if 1 in models else {}
            known = {key: identity[name] for key, name in _IDENTITY.items() if identity.get(name)}
        with suppress(RefusedError):
            ratings = await _ratings(device, models)
        offers = tuple(f"{model_id} {title(model_id)}" for model_id in models)
        is_der = bool(_CONTROLS & set(models))
        return Found(f"unit {unit}", {"unit": unit}, known, offers, *ratings, is_der=is_der)

    async def _map(self) -> dict[int, Model]:
        if self._models is None:
            self._models = {model.model_id: model for model in await self._device.scan()}
        return self._models

    async def _one(self, address: str) -> list[Item]:
        place = RawRange.parse(address)
        if place is not None:
            return await place.read(self._wire)
        model, path = await self._place(address)
        return await self._points(model, path)

    async def _place(self, address: str) -> tuple[Model, str]:
        """Model and point that an address names; a model alone has no point."""
        text, _, path = address.partition(".")
        models = await self._map()
        if not text.isdigit():
            raise ToolError(f"{address}: write a SunSpec point as 704.WMaxLimPct, a register as 40070:float32")
        if int(text) not in models:
            raise ToolError(f"{address}: the device has no model {text}, but {', '.join(map(str, models))}")
        model = models[int(text)]
        if path and path not in model:
            close = [name for name in model.points if path.lower() in name.lower()]
            hint = f"; there is {', '.join(close[:5])}" if close else f"; `{text}` alone reads all of them"
            raise ToolError(f"{address}: model {text} of the device has no {path}{hint}")
        return model, path

    async def _points(self, model: Model, path: str = "") -> list[Item]:
        reading = await self._device.read(model, (path,) if path else None)
        wanted = (path,) if path else (n for n, p in model.points.items() if p.type not in _HOUSEKEEPING)
        return [_item(model, name, reading) for name in wanted]

    async def _write_raw(self, address: str, place: RawRange, value: float) -> None:
        if place.inputs or place.count != 1:
            raise ToolError(f"{address}: one holding register or value at a time can be written")
        await self._wire.write(place.first, place.encode(value))

    async def _write_points(self, asked: Mapping[str, float], lease_s: float | None) -> dict[str, float]:
        """Write model by model; gives what was written beyond the values themselves."""
        by_model: dict[int, dict[str, float]] = defaultdict(dict)
        for address, value in asked.items():
            model, path = await self._place(address)
            if not path:
                raise ToolError(f"{address} is a model; name one of its points, as 704.WMaxLimPct")
            by_model[model.model_id][path] = value
        written: dict[str, float] = {}
        for model_id, values in by_model.items():
            model = (await self._map())[model_id]
            timers, switches = ({}, {}) if lease_s is None else leased(model, values, lease_s)
            for part in (timers, values, switches):
                new = {name: value for name, value in part.items() if part is values or name not in values}
                if new:
                    await self._device.write(model, new)
            written |= {f"{model_id}.{name}": value for name, value in (timers | switches).items()}
        return written

    async def _step(self, address: str) -> float:
        """Distance of two values that the point can hold; what is asked is rounded to it."""
        if RawRange.parse(address) is not None:
            return 1e-6
        model, path = await self._place(address)
        exponent = (await self._device.read(model, (path,))).exponents.get(path, 0)
        return 1.001 * float(10.0**exponent)


def leased(model: Model, values: Mapping[str, float], lease_s: float) -> tuple[dict[str, float], dict[str, float]]:
    """The timers to write before the values, and the switches after them, so that the device ends them by itself.

    Raises:
        ToolError: a point has no timer in the model.
    """
    timers: dict[str, float] = {}
    switches: dict[str, float] = {}
    for name in values:
        base = name.removesuffix("Ena").removesuffix("_").removesuffix("Mod")
        stems = [n.removesuffix("RvrtTms") for n in model.points if n.endswith("RvrtTms")]
        fitting = [stem for stem in stems if name.startswith(stem.rstrip("_")) or stem.startswith(base)]
        if not fitting:
            timed = ", ".join(sorted(stem.rstrip("_") for stem in stems)) or "no point"
            raise ToolError(
                f"{model.model_id}.{name} has no timer that ends it ({timed} has); give --yes instead of --lease"
            )
        stem = max(fitting, key=len)
        timers[f"{stem}RvrtTms"] = float(round(lease_s))
        if f"{stem}EnaRvrt" in model and f"{stem}EnaRvrt" not in values:
            timers[f"{stem}EnaRvrt"] = 0.0
        enable = next((n for n in (f"{stem}Ena", f"{stem.removesuffix('Pct_')}_Ena") if n in model), None)
        if enable is not None:
            switches[enable] = values.get(enable, 1.0)
    return timers, switches


def _item(model: Model, name: str, reading: Reading) -> Item:
    known = label(model.model_id, name)
    address = f"{model.model_id}.{name}"
    writable = model.points[name].writable
    if name in reading.texts:
        return Item(address, reading.texts[name] or None, known.text, known.unit, writable=writable)
    value = reading.values.get(name)
    unit = "" if model.points[name].type.startswith(("enum", "bitfield")) else known.unit
    note = "not implemented" if value is None else known.meaning(value)
    return Item(address, value, known.text, unit, note=note, writable=writable)


async def _ratings(
    device: SunSpecDevice, models: Mapping[int, Model]
) -> tuple[float | None, float | None, float | None]:
    """Greatest injection and absorption in watts, and energy, as far as the device tells."""
    for model_id, most, least in _RATINGS:
        if model_id in models:
            values = (await device.read(models[model_id], (most, least))).values
            absorbs = values.get(least)
            return values.get(most), None if absorbs is None else -absorbs, await _energy(device, models)
    return None, None, None


async def _energy(device: SunSpecDevice, models: Mapping[int, Model]) -> float | None:
    for model_id, name in _STORES:
        if model_id in models and name in models[model_id]:
            return (await device.read(models[model_id], (name,))).values.get(name)
    return None


def _remedy(error: Exception) -> str:
    if isinstance(error, SilenceError):
        return "; see that the unit number is right, or give it more time with timeout_s"
    return ""
