"""The SunSpec façade: every DER of the zone as a 700-series Modbus unit, whatever it speaks itself.

Test benches made for SunSpec read and drive it. A write becomes an operator's instruction: it is answered once that
is journalled, and what reads back afterwards is what the gateway enforces.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.clock import Now
from gateway.coordination.situation import Situation
from gateway.desk import Desk, RefusedInstruction, UnrecordedInstruction
from gateway.northbound.sunspec_image import image_of, show
from gateway.northbound.sunspec_orders import Asked, Orders
from gateway.northbound.sunspec_words import FacadeSettings, Look, ShownDer
from protocols.modbus.server import FailedError, ModbusServer, RefusedError, Unit

LOOPBACK: Final = "127.0.0.1"
REFRESH_S: Final = 0.2
"""Reads within this time are answered from one picture."""
TICK_S: Final = 0.5
"""How often reversion times are looked at."""


class SunSpecFacade:
    """Serves masters until cancelled."""

    def __init__(self, settings: FacadeSettings, desk: Desk, look: Look, now: Now) -> None:
        """`look` is asked for a picture whenever a master asks.

        Raises:
            OSError: a file of the TLS settings cannot be read; `ssl.SSLError` is one of them.
        """
        self._look, self._now = look, now
        self._units = {der.unit: ShownUnit(der, desk, now, settings.hold_s, self) for der in settings.ders}
        self._picture: Situation | None = None
        if settings.security is not None:
            settings.security.context()
        units = {unit: Unit(face) for unit, face in self._units.items()}
        self.servers = tuple(
            ModbusServer(host, port, units, self, now, security=security)
            for host, port, security in (
                (LOOPBACK, settings.port, None),
                (settings.tls_host, settings.tls_port, settings.security),
            )
            if port is not None
        )
        """The plain one first."""

    async def run(self, listening: Sequence[asyncio.Event] = ()) -> None:
        """Serve until cancelled; may be called again after a crash. One of `listening` is set per server.

        Raises:
            ExceptionGroup: of `OSError`: an address cannot be listened on.
        """
        async with asyncio.TaskGroup() as tasks:
            for index, server in enumerate(self.servers):
                tasks.create_task(server.run(listening[index] if listening else None))
            while True:
                await asyncio.sleep(TICK_S)
                for unit in self._units.values():
                    await unit.tick()

    def advance(self, now_s: float) -> None:
        """Let the picture be renewed where it is not of this moment."""
        if self._picture is not None and not 0 <= now_s - self._picture.now_s < REFRESH_S:
            self._picture = None

    def picture(self) -> Situation:
        """What every unit shows now."""
        if self._picture is None:
            self._picture = self._look()
        return self._picture

    def changed(self) -> None:
        """Let the next read see what has just been asked for."""
        self._picture = None


class ShownUnit:
    """One DER at its unit id."""

    def __init__(self, der: ShownDer, desk: Desk, now: Now, hold_s: float, facade: SunSpecFacade) -> None:
        self._der, self._desk, self._now, self._facade = der, desk, now, facade
        self._name = f"SunSpec unit {der.unit}"
        """Of this door, for people and to know its own instructions again."""
        self._shown: Situation | None = None
        self._image = image_of(der)
        self._asked = Asked(der, image_of(der), hold_s)
        self._version: int | None = None
        """Of the instruction that the orders stand for; `None` before the first look."""
        self._turn = asyncio.Lock()
        """One write after the other."""
        self.base = self._image.base
        self.size = len(self._image.registers)

    def read(self, address: int, count: int) -> list[int]:
        """What a master gets.

        Raises:
            IllegalAddressError: part of it is outside of the map.
        """
        picture = self._facade.picture()
        if picture is not self._shown:
            self._shown = picture
            self._follow()
            show(self._image, self._der, self._asked, picture)
        return self._image.read(address, count)

    async def write(self, address: int, values: Sequence[int]) -> None:
        """Ask for what a master writes; returns once that is on the disk.

        Raises:
            IllegalAddressError: part of it is outside of the map or read-only.
            RefusedError: the DER does not take it.
            FailedError: the journal cannot be written now.
        """
        async with self._turn:
            self._follow()
            now_s = self._now()
            orders, is_new = self._asked.written(address, list(values), now_s)
            if is_new or self._runs_out(orders, now_s):
                await self._ask(orders, now_s)
            self._asked.orders = orders
        self._facade.changed()

    async def tick(self) -> None:
        """End what has run out; where the journal cannot be written, that waits."""
        async with self._turn:
            self._follow()
            now_s = self._now()
            orders = self._asked.due(now_s)
            if orders is None:
                return
            try:
                if orders.are_ours:
                    await self._ask(orders, now_s)
            except FailedError:
                return
            self._asked.orders = orders
        self._facade.changed()

    def _runs_out(self, orders: Orders, now_s: float) -> bool:
        """Whether a heartbeat made the orders last so much longer that the desk has to hear of it."""
        standing = self._desk.standing(self._der.resource.id)
        if standing is None or not orders.ends_s or not orders.are_ours:
            return False
        return standing.expires_s - now_s < (min(orders.ends_s.values()) - now_s) / 2

    async def _ask(self, orders: Orders, now_s: float) -> None:
        resource, wish = self._der.resource.id, self._asked.wish(orders, now_s)
        try:
            if wish.is_empty:
                await self._desk.withdraw(resource, self._name)
            else:
                await self._desk.instruct(resource, wish.limit, wish.target_w, wish.lasts_s, self._name)
        except RefusedInstruction as error:
            raise RefusedError(str(error)) from error
        except UnrecordedInstruction as error:
            raise FailedError(str(error)) from error
        self._version = self._desk.version(resource)

    def _follow(self) -> None:
        """Take up what another door has asked for since, or what held before a restart."""
        version = self._desk.version(self._der.resource.id)
        if version != self._version:
            self._version = version
            standing = self._desk.standing(self._der.resource.id)
            self._asked.adopt(standing, are_ours=standing is None or standing.source == self._name)
