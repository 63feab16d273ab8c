"""Modbus TCP servers of the simulated world; the one file of the testbed that knows pymodbus.

pymodbus's server answers one request per TCP segment and forgets what it received while it sends.
`_Connection` replaces that part: requests that share a segment, or span several, are all answered,
in order.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pymodbus.constants import ExcCodes
from pymodbus.exceptions import ModbusIOException
from pymodbus.pdu import ExceptionResponse, ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.server.requesthandler import ServerRequestHandler
from pymodbus.simulator import DataType, SimData, SimDevice

from gateway.testbed.device import Faults
from gateway.testbed.sunspec_face import RefusedError
from protocols.modbus.sunspec import IllegalAddressError
from protocols.port import Now

ADU_MAX: Final = 260
"""Modbus Messaging on TCP/IP: largest frame."""
MBAP_SIZE, MBAP_LENGTH_END = 7, 6
"""Header in front of the function code, and the end of its length field, from where that length counts."""
WAITING_MAX: Final = 1_000
"""Requests that one connection may have waiting; a client that sends more is cut off."""
WATCH_S: Final = 0.05
"""How often a server looks whether its link was dropped by a fault."""


class Face(Protocol):
    """Holding registers of one unit."""

    @property
    def base(self) -> int:
        """Address of the first register."""

    @property
    def size(self) -> int:
        """Registers from `base` on."""

    def read(self, address: int, count: int) -> list[int]:
        """Registers as a client gets them; raises `IllegalAddressError`."""

    def write(self, address: int, values: Sequence[int]) -> None:
        """Take a write; raises `IllegalAddressError` or `RefusedError`."""


class Clockwork(Protocol):
    """What lets simulated time pass."""

    def advance(self, now_s: float) -> None:
        """Let time pass up to `now_s`."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit id of a server."""

    face: Face
    faults: Faults


class ModbusServer:
    """One listening address with the units behind it; brings the world to the present before each answer."""

    def __init__(self, host: str, port: int, units: Mapping[int, Unit], world: Clockwork, now: Now) -> None:
        """`port` 0 takes a free one; `port` then tells which."""
        self.host = host
        self.port = port
        self._units = dict(units)
        self._world, self._now = world, now
        self._server: _Server | None = None
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self, listening: asyncio.Event | None = None) -> None:
        """Serve until cancelled; set `listening` once connections are taken.

        Raises:
            OSError: the address cannot be listened on.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await self._listen()
                if listening is not None:
                    listening.set()
                await self._watch()
        finally:
            self._stop()

    async def _watch(self) -> None:
        while True:
            dropped = all(unit.faults.drop_link for unit in self._units.values())
            if dropped and self._server is not None:
                self._stop()
            elif not dropped and self._server is None:
                await self._listen()
            await asyncio.sleep(WATCH_S)

    async def _listen(self) -> None:
        if self._tasks is None:
            raise RuntimeError("a server listens only while it runs")
        devices = [self._sim_device(unit_id, unit) for unit_id, unit in self._units.items()]
        self._server = _Server(devices, (self.host, self.port), self._tasks)
        self.port = await self._server.open()

    def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    def _sim_device(self, unit_id: int, unit: Unit) -> SimDevice:
        """Give pymodbus a unit: it asks `act` before it answers from, or writes to, its own copy of the registers."""
        face = unit.face

        async def act(
            _function: int,
            start: int,
            address: int,
            count: int,
            registers: list[int],
            values: list[int] | list[bool] | None,
        ) -> ExcCodes | None:
            if unit.faults.delay:
                await asyncio.sleep(unit.faults.delay_s)
            if unit.faults.drop_link:
                raise _SilentError
            self._world.advance(self._now())
            try:
                if values is not None:
                    if unit.faults.refuse:
                        return ExcCodes.ILLEGAL_VALUE
                    face.write(address, [int(value) for value in values])
                registers[address - start : address - start + count] = face.read(address, count)
            except IllegalAddressError:
                return ExcCodes.ILLEGAL_ADDRESS
            except RefusedError:
                return ExcCodes.ILLEGAL_VALUE
            return None

        block = SimData(face.base, values=[0] * face.size, datatype=DataType.REGISTERS)
        return SimDevice(unit_id, [block], action=act)


class _SilentError(Exception):
    """The unit gives no answer."""


class _Server(ModbusTcpServer):
    """pymodbus's server with our connections."""

    def __init__(self, devices: list[SimDevice], address: tuple[str, int], tasks: asyncio.TaskGroup) -> None:
        super().__init__(devices, address=address)
        self.tasks = tasks
        self.unit_ids = frozenset(device.id for device in devices)
        self._address = address

    async def open(self) -> int:
        """Listen and tell on which port."""
        if not await self.listen() or not isinstance(self.transport, asyncio.Server):
            host, port = self._address
            raise OSError(f"cannot listen on {host}:{port}: is another program using it?")
        return int(self.transport.sockets[0].getsockname()[1])

    def callback_new_connection(self) -> "_Connection":
        """What pymodbus creates for each client."""
        return _Connection(self)


class _Connection(ServerRequestHandler):
    """One client: takes whole frames out of the stream and answers them one after the other."""

    def __init__(self, server: _Server) -> None:
        super().__init__(server, None, None, None)  # type: ignore[no-untyped-call] # pymodbus leaves it untyped
        self._listener = server
        self._stream = b""
        self._waiting: deque[ModbusPDU] = deque()
        self._answering = False

    def data_received(self, data: bytes) -> None:
        """Called by asyncio with whatever has arrived."""
        self._stream += data
        while self._take_frame():
            pass
        if len(self._waiting) > WAITING_MAX or len(self._stream) >= ADU_MAX:
            self.close()
            return
        if self._waiting and not self._answering:
            self._answering = True
            self._listener.tasks.create_task(self._answer_all())

    def _take_frame(self) -> bool:
        """Move one whole frame from the stream to the waiting requests; false where there is none."""
        frame = self._stream
        try:
            used, request = self.framer.handleFrame(frame, 0, 0)
        except ModbusIOException as error:
            used = MBAP_LENGTH_END + int.from_bytes(frame[MBAP_LENGTH_END - 2 : MBAP_LENGTH_END], "big")
            refusal = ExceptionResponse(frame[MBAP_SIZE], ExcCodes.ILLEGAL_FUNCTION)
            self._send(refusal, error.dev_id, error.transaction_id)
        else:
            if request is not None:
                self._waiting.append(request)
        self._stream = frame[used:]
        return used > 0

    async def _answer_all(self) -> None:
        try:
            while self._waiting:
                await self._answer(self._waiting.popleft())
        finally:
            self._answering = False

    async def _answer(self, request: ModbusPDU) -> None:
        response: ModbusPDU
        if request.dev_id in self._listener.unit_ids:
            try:
                context: Any = self._listener.context  # declared too narrowly where it is taken
                response = await request.datastore_update(context, request.dev_id)
            except _SilentError:
                return
        else:
            response = ExceptionResponse(request.function_code, ExcCodes.GATEWAY_NO_RESPONSE)
        self._send(response, request.dev_id, request.transaction_id)

    def _send(self, response: ModbusPDU, unit_id: int, transaction_id: int) -> None:
        response.dev_id, response.transaction_id = unit_id, transaction_id
        if self.is_active():
            self.server_send(response, None)  # type: ignore[no-untyped-call] # pymodbus leaves it untyped
