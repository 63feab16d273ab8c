"""Transactions on one connection by pymodbus's client, and what works around its defects.

Seen with pymodbus 3.16: it sends a write again after silence, so that one command is executed four
times (here: no retries); it reconnects with a pause that grows to 300 s (here: an own loop, capped and
jittered); it closes a connection because one unit of many is silent (here: only when all are); it
waits out the deadline although the connection is already gone (here: the wait ends at once); it
has one lock per connection, so that the time in its queue counts against the deadline (here: an own
lock in front, and the deadline only covers the wire); and, before Python 3.12, it goes on as if nothing had
happened when it is cancelled in the moment in which an answer arrives (here: the cancellation is noticed).
On serial frames, which carry no number, it takes the late answer of a unit for that unit's next one (here: a unit
that was silent is left alone for a while), and it does not compare what a write's answer confirms (here: it is).
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol, TypeVar

from pymodbus.client.base import ModbusBaseClient
from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from protocols.modbus.connection import close, establish, prepared
from protocols.modbus.medium import PLAIN_TCP, Medium, SerialLine, is_numbered

T = TypeVar("T")

FIRST_RETRY_S: Final = 0.1
QUARANTINE_S: Final = 1.0
"""Shortest time for which a silent unit is not asked on a medium whose answers carry no number."""
_SILENCE: Final[Mapping[int, str]] = {
    ExcCodes.ACKNOWLEDGE: "accepted, still working on it",
    ExcCodes.GATEWAY_PATH_UNAVIABLE: "gateway has no path to the unit",
    ExcCodes.GATEWAY_NO_RESPONSE: "gateway got no answer from the unit",
}
"""Exception codes that do not tell whether the request was carried out."""


class ModbusError(Exception):
    """A transaction did not succeed; the message says what was asked, of whom, and what came back."""


class NotConnectedError(ModbusError):
    """Nothing was sent."""


class RefusedError(ModbusError):
    """The unit answered with an exception: it did not do it."""


class SilenceError(ModbusError):
    """No usable answer: a write may or may not have been carried out."""


class NoAnswerError(SilenceError):
    """Nothing came back in time."""


class Bus(Protocol):
    """One connection as adapters see it: `ModbusClient`, or what records or plays one."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    @property
    def is_connected(self) -> bool:
        """True while there is a connection."""
        ...

    async def run(self) -> None:
        """Connect, and connect again after each loss, until cancelled."""
        ...

    async def connected(self) -> None:
        """Return as soon as there is a connection."""
        ...

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the connection lasts."""
        ...

    async def read(
        self, unit_id: int, address: int, count: int, timeout_s: float, *, inputs: bool = False
    ) -> tuple[int, ...]:
        """As `ModbusClient.read`."""
        ...

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
        """As `ModbusClient.write`."""
        ...


OnLost = Callable[[str], None]
"""Told why, each time the connection is lost or could not be made."""
MakeBus = Callable[[OnLost], Bus]
Tap = Callable[[MakeBus, OnLost], Bus]
"""Given how a connection is made and whom to tell of its losses, gives the one to use, such as one that is recorded."""


def untapped(make: MakeBus, on_lost: OnLost) -> Bus:
    """The connection itself."""
    return make(on_lost)


class ModbusClient:
    """One connection, kept up for as long as `run` runs; one transaction at a time."""

    def __init__(
        self,
        host: str,
        port: int,
        rng: random.Random,
        on_lost: OnLost,
        *,
        medium: Medium = PLAIN_TCP,
        connect_s: float = 2.0,
        retry_min_s: float = FIRST_RETRY_S,
        retry_max_s: float = 10.0,
        gap_s: float = 0.0,
        silent_limit: int = 5,
    ) -> None:
        """`on_lost` is told why, each time the connection is lost or could not be made.

        After `silent_limit` requests in a row without an answer from any unit, the connection is taken
        for dead and made anew. On a serial line `host` is its device file.
        """
        serial = isinstance(medium, SerialLine)
        self.name = host if serial else f"{host}:{port}"
        self._medium = medium
        self._host, self._port = host, port
        self._rng = rng
        self._on_lost = on_lost
        self._connect_s, self._retry_min_s, self._retry_max_s = connect_s, retry_min_s, max(retry_min_s, retry_max_s)
        self._gap_s = max(gap_s, medium.quiet_s) if isinstance(medium, SerialLine) else gap_s
        self._quarantine: dict[int, float] = {}
        self._silent_limit = silent_limit
        self._silent = 0
        self._answered = False
        self._wire = asyncio.Lock()
        self._deadline: asyncio.Timeout | None = None
        self._client: ModbusBaseClient | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()
        self._reason = ""

    async def run(self) -> None:
        """Connect, and connect again after each loss, until cancelled."""
        pause_s = self._retry_min_s
        while True:
            self._answered = False
            await self._one_connection()
            self._on_lost(self._reason)
            if self._answered:
                pause_s = self._retry_min_s
            await asyncio.sleep(pause_s * (0.5 + self._rng.random() / 2))
            pause_s = min(2 * pause_s, self._retry_max_s)

    @property
    def is_connected(self) -> bool:
        """True while there is a connection."""
        return self._client is not None

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
        self, unit_id: int, address: int, count: int, timeout_s: float, *, inputs: bool = False
    ) -> tuple[int, ...]:
        """Read holding registers (function code 3), or input registers (4).

        Raises:
            NotConnectedError: nothing was sent.
            RefusedError: the unit answered with an exception.
            SilenceError: no usable answer in time.
        """
        asked = f"read of {count} registers at {address} from unit {unit_id} of {self.name}"

        def send(client: ModbusBaseClient) -> Awaitable[ModbusPDU]:
            ask = client.read_input_registers if inputs else client.read_holding_registers
            return ask(address, count=count, device_id=unit_id)

        answer = await self._transact(asked, unit_id, timeout_s, send)
        if len(answer.registers) != count:
            raise SilenceError(f"{asked}: {len(answer.registers)} registers came back")
        return tuple(answer.registers)

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
        """Write holding registers in one transaction, once: function code 16, for one register too.

        With `single`, one register goes out by function code 6, for devices that do not know the other. If the line
        is not free before `until_s` on the clock of the event loop, it is not written at all.

        Raises:
            NotConnectedError: nothing was sent.
            RefusedError: the unit answered with an exception.
            SilenceError: no usable answer in time; it may or may not have been carried out.
        """
        asked = f"write of {len(registers)} registers at {address} to unit {unit_id} of {self.name}"
        alone = single and len(registers) == 1

        def send(client: ModbusBaseClient) -> Awaitable[ModbusPDU]:
            if alone:
                return client.write_register(address, registers[0], device_id=unit_id)
            return client.write_registers(address, list(registers), device_id=unit_id)

        answer = await self._transact(asked, unit_id, timeout_s, send, until_s)
        if answer.address != address or (not alone and answer.count != len(registers)):
            raise SilenceError(f"{asked}: another write was confirmed, of {answer.count} at {answer.address}")

    async def _one_connection(self) -> None:
        """Connect and stay until the connection is lost; `_reason` then says why."""
        self._down.clear()
        self._silent = 0
        client: ModbusBaseClient | None = None
        try:
            self._reason = f"could not connect to {self.name}"
            client = prepared(self._host, self._port, self._medium, self._ended)
            async with asyncio.timeout(self._connect_s):
                await _heeding(establish(client, self._connect_s))
            self._client = client
            self._up.set()
            await self._down.wait()
        except TimeoutError:
            return
        except OSError as error:
            self._reason = f"could not connect to {self.name}: {error}"
        finally:
            self._up.clear()
            self._client = None
            if client is not None:
                close(client)

    def _ended(self, why: Exception | None) -> None:
        self._drop(f"{self.name} closed the connection" + (f": {why}" if why is not None and str(why) else ""))

    def _drop(self, reason: str) -> None:
        """Give the connection up, and let whoever waits for an answer on it know at once."""
        self._client = None
        self._up.clear()
        self._reason = reason
        self._down.set()
        if self._deadline is not None and not self._deadline.expired():
            self._deadline.reschedule(asyncio.get_running_loop().time())

    async def _transact(
        self,
        asked: str,
        unit_id: int,
        timeout_s: float,
        send: Callable[[ModbusBaseClient], Awaitable[ModbusPDU]],
        until_s: float = inf,
    ) -> ModbusPDU:
        await self._until_fresh(unit_id)
        async with self._wire:
            if self._gap_s:
                await asyncio.sleep(self._gap_s)
            client = self._client
            if client is None:
                raise NotConnectedError(f"{asked}: not sent, {self._reason or 'not connected yet'}")
            if asyncio.get_running_loop().time() > until_s:
                raise NotConnectedError(f"{asked}: not sent, its time was over before the line was free")
            try:
                async with asyncio.timeout(timeout_s) as self._deadline:
                    answer = await _heeding(send(client))
            except TimeoutError as error:
                self._quarantine[unit_id] = asyncio.get_running_loop().time() + max(QUARANTINE_S, 2 * timeout_s)
                raise NoAnswerError(f"{asked}: {self._silence(timeout_s)}") from error
            except ConnectionException as error:
                raise NotConnectedError(f"{asked}: not sent, {error}") from error
            except ModbusException as error:
                raise SilenceError(f"{asked}: {error}") from error
            finally:
                self._deadline = None
        self._silent = 0
        self._answered = True
        if answer.isError():
            code = answer.exception_code
            if code in _SILENCE:
                raise SilenceError(f"{asked}: {_SILENCE[code]}")
            raise RefusedError(f"{asked}: refused with exception {code}{_name(code)}")
        return answer

    async def _until_fresh(self, unit_id: int) -> None:
        """Where answers carry no number: wait until a late one of this unit must have come."""
        until_s = self._quarantine.get(unit_id, 0.0)
        if not is_numbered(self._medium):
            await self.pause(until_s - asyncio.get_running_loop().time())

    def _silence(self, timeout_s: float) -> str:
        if self._client is None:
            return self._reason
        self._silent += 1
        if self._silent >= self._silent_limit:
            self._drop(f"{self.name} left {self._silent} requests in a row unanswered")
        return f"no answer in {timeout_s:g} s"


@dataclass(frozen=True, slots=True)
class UnitWire:
    """The connection as one unit sees it."""

    client: Bus
    unit_id: int
    timeout_s: float

    single: bool = False
    """Write one register by function code 6."""

    async def read(self, address: int, count: int, *, inputs: bool = False) -> tuple[int, ...]:
        """As `ModbusClient.read`."""
        return await self.client.read(self.unit_id, address, count, self.timeout_s, inputs=inputs)

    async def write(self, address: int, registers: Sequence[int], until_s: float = inf) -> None:
        """As `ModbusClient.write`."""
        await self.client.write(self.unit_id, address, registers, self.timeout_s, single=self.single, until_s=until_s)


async def _heeding(call: Awaitable[T]) -> T:
    """What `call` gives; a cancellation that it has swallowed is raised after all."""
    task = asyncio.current_task()
    before = 0 if task is None else task.cancelling()
    result = await call
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


def _name(code: int) -> str:
    """The name of an exception code, in brackets."""
    return f" ({ExcCodes(code).name.lower().replace('_', ' ')})" if code in set(ExcCodes) else ""


# Each refused attempt and each silence would be a line of its own; the adapter reports changes of state.
logging.getLogger("pymodbus.logging").setLevel(logging.CRITICAL)
