"""`ModbusAdapter(settings, now)`: one Modbus connection or serial line behind the port.

`settings` is a `protocols.modbus.settings.ModbusSettings`: host, port, medium, poll_s, timeout_s and `units`,
each a `SunSpecDer(resource, ceiling_w, floor_w, fallback, unit_id)`, a `MappedDer(resource, ceiling_w, registers,
controls)` or a `MappedStation(name, registers, unit_id)` with `MappedRegister(point, Register(address, encoding,
scale))`. `now` gives Unix seconds UTC. Each unit is polled on its own schedule; one that stays silent is asked less
and less often and is never waited for by its neighbours.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from protocols.modbus.client import Bus, ModbusClient, ModbusError, OnLost, Tap, UnitWire, untapped
from protocols.modbus.der import DerSession
from protocols.modbus.link import Link
from protocols.modbus.mapped_der import MappedDerSession
from protocols.modbus.models import SunSpecError
from protocols.modbus.settings import MappedDer, MappedStation, ModbusSettings, SunSpecDer, SunSpecStation
from protocols.modbus.station import StationSession
from protocols.modbus.sunspec_station import SunSpecStationSession
from protocols.port import Emit, Now
from protocols.signals import Ack, Instruction, LinkChanged, LinkState, Outcome, Signal

Session = DerSession | MappedDerSession | StationSession | SunSpecStationSession

SPARE_SILENCES: Final = 3
"""Unanswered requests beyond one per unit before the connection itself is taken for dead."""


@dataclass(slots=True)
class _Unit:
    """One unit's session with its link and the newest version that was asked of it."""

    session: Session
    link: Link
    resources: frozenset[str]
    offset_s: float
    """Start of its polls within the poll interval, so that units do not queue behind each other."""
    version: int | None = None
    wire: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by one instruction at a time."""


class ModbusAdapter:
    """Reads and controls all units of one connection."""

    def __init__(
        self, settings: ModbusSettings, now: Now, rng: random.Random | None = None, *, tap: Tap = untapped
    ) -> None:
        """`rng` jitters reconnection; by default it is seeded with the address. `tap` may record the connection."""
        self._settings = settings
        self._now = now
        self._emit: Emit = _nowhere
        jitter = rng or random.Random(settings.address)
        self._early_s = jitter.random() * settings.poll_s
        self._client = tap(lambda on_lost: _connection(settings, jitter, on_lost), self._lost)
        self._units = tuple(self._unit(index) for index in range(len(settings.units)))
        self._by_resource = {resource: unit for unit in self._units for resource in unit.resources}

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the DERs and assets that this adapter reads or controls."""
        return frozenset(self._by_resource)

    async def run(self, emit: Emit) -> None:
        """Connect, read and reconnect until cancelled."""
        self._emit = emit
        for unit in self._units:
            if not unit.link.is_down:
                self._report(unit, unit.link.lost("the adapter was started anew"), ())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._client.run())
            for unit in self._units:
                tasks.create_task(self._poll_forever(unit))

    async def apply(self, instruction: Instruction) -> Ack:
        """Bring one instruction to its device; the newest version wins, and the same version renews the lease.

        Requested and read-back values of the answer are scaled (percent, W, s) under names like
        `704.WMaxLimPct`; `704.WMaxLimPctRvrtRem` among those read back is the device's own timer.
        Nothing is written while the link is down; that is `UNDELIVERED`.
        """
        unit = self._by_resource[instruction.resource]
        if isinstance(unit.session, StationSession | SunSpecStationSession):
            return self._not_sent(instruction, Outcome.REJECTED, f"{instruction.resource} is read, not controlled")
        if unit.version is not None and instruction.version < unit.version:
            return self._superseded(instruction, unit.version)
        unit.version = instruction.version
        async with unit.wire:
            if instruction.version < unit.version:
                return self._superseded(instruction, unit.version)
            if unit.link.state not in {LinkState.ONLINE, LinkState.DEGRADED}:
                detail = f"not sent: link to {instruction.resource} is {unit.link.state.value}, {unit.link.detail}"
                return self._not_sent(instruction, Outcome.UNDELIVERED, detail)
            return await unit.session.carry_out(instruction)

    async def _poll_forever(self, unit: _Unit) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._client.connected()
            due = loop.time() + unit.offset_s
            # The first poll comes at once, and the second early: many connections that came up together, as at a
            # start, are spread over the interval from then on.
            early_s = self._early_s
            while self._client.is_connected:
                await self._client.pause(due - loop.time())
                if self._client.is_connected:
                    await self._poll(unit)
                interval_s = unit.link.interval_s(self._settings.poll_s, self._settings.retry_max_s)
                due, early_s = max(due + interval_s - early_s, loop.time()), 0.0

    async def _poll(self, unit: _Unit) -> None:
        """One poll: its values and what it means for the link go out as one batch."""
        signals: list[Signal] = []
        try:
            if unit.link.is_down:
                signals += await unit.session.open()
            signals += await unit.session.poll()
        except (ModbusError, SunSpecError) as error:
            self._report(unit, unit.link.missed(str(error)), ())
        else:
            self._report(unit, unit.link.answered(f"{unit.session.settings.name} answers"), signals)

    def _lost(self, reason: str) -> None:
        for unit in self._units:
            self._report(unit, unit.link.lost(reason), ())

    def _report(self, unit: _Unit, state: LinkState | None, signals: Sequence[Signal]) -> None:
        changes: list[Signal] = []
        if state is not None:
            at_s = self._now()
            changes += [LinkChanged(r, state, at_s, unit.link.detail) for r in sorted(unit.resources)]
        if unit.link.is_down:
            unit.session.close()
        if changes or signals:
            self._emit([*changes, *signals])

    def _unit(self, index: int) -> _Unit:
        settings = self._settings.units[index]
        single = isinstance(settings, SunSpecDer | MappedDer) and settings.quirks.write_single
        wire = UnitWire(self._client, settings.unit_id, self._settings.transaction_s, single)
        session: Session
        match settings:
            case SunSpecDer():
                session = DerSession(settings, wire, self._settings.settle_s, self._now)
            case MappedDer():
                session = MappedDerSession(settings, wire, self._settings.settle_s, self._now)
            case MappedStation():
                session = StationSession(settings, wire, self._now)
            case SunSpecStation():
                session = SunSpecStationSession(settings, wire, self._now)
        offset_s = index * self._settings.poll_s / len(self._settings.units)
        return _Unit(session, Link(), settings.resources, offset_s)

    def _superseded(self, instruction: Instruction, newest: int) -> Ack:
        detail = f"version {newest} was asked for since"
        return self._not_sent(instruction, Outcome.SUPERSEDED, detail)

    def _not_sent(self, instruction: Instruction, outcome: Outcome, detail: str) -> Ack:
        return Ack(
            instruction.control_id, instruction.resource, instruction.version, outcome, self._now(), detail=detail
        )


def _connection(settings: ModbusSettings, rng: random.Random, on_lost: OnLost) -> Bus:
    return ModbusClient(
        settings.host,
        settings.port,
        rng,
        on_lost,
        medium=settings.medium,
        connect_s=max(settings.timeout_s, 1.0),
        retry_min_s=settings.retry_min_s,
        retry_max_s=settings.retry_max_s,
        gap_s=settings.gap_s,
        silent_limit=len(settings.units) + SPARE_SILENCES,
    )


def _nowhere(_signals: Sequence[Signal]) -> None:
    """Before `run` there is nobody to tell."""
