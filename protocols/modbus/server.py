"""Modbus servers: over TCP, over TLS, and with serial frames through TCP or on a serial port.

Several requests at once are answered one after the other, in order, however they are cut by the transport.
"""

import asyncio
import struct
from collections import deque
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Protocol

from pymodbus.transport.serialtransport import create_serial_connection

from protocols.modbus.models import SunSpecError
from protocols.modbus.server_frames import BrokenStreamError, Frames, Request, SerialFrames, TcpFrames
from protocols.modbus.server_security import ServerSecurity
from protocols.modbus.sunspec import IllegalAddressError
from protocols.port import Now

WAITING_MAX: Final = 1_000
"""Requests that one connection may have waiting; a client that sends more is cut off."""
WATCH_S: Final = 0.05
"""How often a server looks whether its link was dropped by a fault."""
READ_MAX, WRITE_MAX = 125, 123
"""Modbus application protocol: registers in one transaction."""
_READS, _WRITE_ONE, _WRITE_MANY = (3, 4), 6, 16


class Code(IntEnum):
    """Exceptions of the Modbus application protocol."""

    FUNCTION = 1
    ADDRESS = 2
    VALUE = 3
    FAILURE = 4
    NO_RESPONSE = 11


class RefusedError(SunSpecError):
    """A value that the unit does not take."""


class FailedError(SunSpecError):
    """The unit cannot do now what it is asked for."""


class Faults(Protocol):
    """What may be wrong with a simulated unit."""

    @property
    def drop_link(self) -> bool:
        """Connections are cut and refused."""

    @property
    def delay(self) -> bool:
        """Answers come `delay_s` late."""

    @property
    def delay_s(self) -> float:
        """How late."""

    @property
    def refuse(self) -> bool:
        """Writes are rejected."""


class Face(Protocol):
    """Holding registers of one unit; its input registers are the same."""

    @property
    def base(self) -> int:
        """Address of the first register."""

    @property
    def size(self) -> int:
        """Registers from `base` on."""

    def read(self, address: int, count: int) -> list[int]:
        """Registers as a client gets them; raises `IllegalAddressError`."""

    def write(self, address: int, values: Sequence[int]) -> Awaitable[None] | None:
        """Take a write; what is returned is awaited before the answer leaves.

        Either raises `IllegalAddressError`, `RefusedError` or `FailedError`.
        """


class Clockwork(Protocol):
    """What lets simulated time pass."""

    def advance(self, now_s: float) -> None:
        """Let time pass up to `now_s`."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit id of a server."""

    face: Face
    faults: Faults | None = None
    """Only simulated units have any."""


@dataclass(frozen=True, slots=True)
class SerialPort:
    """Where a server on a serial line sits."""

    device: str
    baud: int = 19_200
    parity: str = "N"
    stop_bits: int = 1


class ModbusServer:
    """One listening address with the units behind it; brings the world to the present before each answer."""

    def __init__(
        self,
        host: str,
        port: int,
        units: Mapping[int, Unit],
        world: Clockwork,
        now: Now,
        *,
        security: ServerSecurity | None = None,
        serial_frames: bool = False,
    ) -> None:
        """`port` 0 takes a free one; `port` then tells which."""
        self.host = host
        self.port = port
        self.units = dict(units)
        self.security = security
        self.world, self.now = world, now
        self.tasks: asyncio.TaskGroup | None = None
        self._serial_frames = serial_frames
        self._server: asyncio.Server | None = None
        self._connections: set[_Connection] = set()

    async def run(self, listening: asyncio.Event | None = None) -> None:
        """Serve until cancelled; set `listening` once connections are taken.

        Raises:
            ExceptionGroup: of `OSError`: the address cannot be listened on, or a certificate is not there.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self.tasks = tasks
                await self._listen()
                if listening is not None:
                    listening.set()
                await self._watch()
        finally:
            self._stop()

    def frames(self) -> Frames:
        """For one connection."""
        return SerialFrames() if self._serial_frames else TcpFrames()

    def entered(self, connection: "_Connection") -> None:
        """A client is there."""
        self._connections.add(connection)

    def left(self, connection: "_Connection") -> None:
        """A client is gone."""
        self._connections.discard(connection)

    async def answer(self, request: Request, *, may_write: bool) -> bytes | None:
        """What a unit answers; `None` where nobody does."""
        unit = self.units.get(request.unit)
        code = request.pdu[0]
        if unit is None:
            return None if self._serial_frames else _refusal(code, Code.NO_RESPONSE)
        faults = unit.faults
        if faults is not None and faults.delay:
            await asyncio.sleep(faults.delay_s)
        if faults is not None and faults.drop_link:
            return None
        self.world.advance(self.now())
        if code in _READS:
            return _read(unit.face, request.pdu)
        if code not in {_WRITE_ONE, _WRITE_MANY} or not may_write:
            return _refusal(code, Code.FUNCTION)
        refuses = faults is not None and faults.refuse
        return _refusal(code, Code.VALUE) if refuses else await _write(unit.face, request.pdu)

    async def _watch(self) -> None:
        while True:
            dropped = all(unit.faults is not None and unit.faults.drop_link for unit in self.units.values())
            if dropped and self._server is not None:
                self._stop()
            elif not dropped and self._server is None:
                await self._listen()
            await asyncio.sleep(WATCH_S)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        context = None if self.security is None else self.security.context()
        try:
            self._server = await loop.create_server(lambda: _Connection(self), self.host, self.port, ssl=context)
        except OSError as error:
            raise OSError(f"cannot listen on {self.host}:{self.port}: is another program using it?") from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in tuple(self._connections):
            connection.close()


async def serve_serial(
    port: SerialPort, units: Mapping[int, Unit], world: Clockwork, now: Now, listening: asyncio.Event | None = None
) -> None:
    """Answer for `units` on a serial line until cancelled.

    Raises:
        OSError: the port cannot be opened.
    """
    server = ModbusServer("", 0, units, world, now, serial_frames=True)
    async with asyncio.TaskGroup() as tasks:
        server.tasks = tasks
        transport, _ = await create_serial_connection(
            asyncio.get_running_loop(),
            lambda: _Connection(server),
            port.device,
            baudrate=port.baud,
            bytesize=8,
            parity=port.parity,
            stopbits=port.stop_bits,
            timeout=0,
        )
        if listening is not None:
            listening.set()
        try:
            await asyncio.Event().wait()
        finally:
            transport.close()


class _Connection(asyncio.Protocol):
    """One client: takes whole requests out of the stream and answers them one after the other."""

    def __init__(self, server: ModbusServer) -> None:
        self._server = server
        self._frames = server.frames()
        self._waiting: deque[Request] = deque()
        self._answering = False
        self._transport: asyncio.Transport | None = None
        self._may_write = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Look at who it is."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
        self._server.entered(self)
        if self._server.security is not None:
            peer = transport.get_extra_info("ssl_object")
            certificate = None if peer is None else peer.getpeercert(binary_form=True)
            self._may_write = self._server.security.may_write(certificate)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why makes no difference
        """Forget it."""
        self._transport = None
        self._waiting.clear()
        self._server.left(self)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with whatever has arrived."""
        try:
            self._waiting.extend(self._frames.feed(data))
        except BrokenStreamError:
            self.close()
            return
        if len(self._waiting) > WAITING_MAX:
            self.close()
        elif self._waiting and not self._answering and self._server.tasks is not None:
            self._answering = True
            self._server.tasks.create_task(self._answer_all())

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                request = self._waiting.popleft()
                pdu = await self._server.answer(request, may_write=self._may_write)
                if pdu is not None and self._transport is not None:
                    self._transport.write(self._frames.wrap(request, pdu))
        finally:
            self._answering = False


def _read(face: Face, pdu: bytes) -> bytes:
    code = pdu[0]
    with suppress(struct.error, IllegalAddressError):
        address, count = struct.unpack(">HH", pdu[1:])
        if not 1 <= count <= READ_MAX:
            return _refusal(code, Code.VALUE)
        return struct.pack(f">BB{count}H", code, 2 * count, *face.read(address, count))
    return _refusal(code, Code.ADDRESS)


async def _write(face: Face, pdu: bytes) -> bytes:
    code = pdu[0]
    try:
        address, values = _asked(pdu)
        done = face.write(address, values)
        if done is not None:
            await done
    except FailedError:
        return _refusal(code, Code.FAILURE)
    except IllegalAddressError:
        return _refusal(code, Code.ADDRESS)
    except (RefusedError, struct.error):
        return _refusal(code, Code.VALUE)
    return pdu[:5]


def _asked(pdu: bytes) -> tuple[int, Sequence[int]]:
    """Address and registers of a write; raises `struct.error` where its parts do not fit each other."""
    if pdu[0] == _WRITE_ONE:
        address, value = struct.unpack(">HH", pdu[1:])
        return address, (value,)
    address, count, size = struct.unpack_from(">HHB", pdu, 1)
    if not 1 <= count <= WRITE_MAX or size != 2 * count:
        raise struct.error(f"{count} registers in {size} bytes")
    return address, struct.unpack(f">{count}H", pdu[6:])


def _refusal(code: int, why: Code) -> bytes:
    return bytes((code | 0x80, why))
