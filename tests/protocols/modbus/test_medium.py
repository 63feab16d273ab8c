"""The client on serial frames through TCP, on a serial line and on TLS, against a device in a few lines."""

import asyncio
import os
import pty
import random
import ssl
import struct
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from pymodbus.framer.rtu import FramerRTU

from protocols.modbus.client import ModbusClient, RefusedError, SilenceError
from protocols.modbus.medium import Medium, Parity, RtuOverTcp, SerialLine, Tls
from tests.protocols.modbus import virtual
from tests.protocols.modbus.certificates import Pki, make_pki

HOST = "127.0.0.1"
Answer = Callable[[bytes], list[tuple[float, bytes]]]
"""From a request to the pieces of its answer, each with the pause before it."""


def framed(body: bytes) -> bytes:
    return body + FramerRTU.compute_CRC(body).to_bytes(2, "big")


def registers(request: bytes) -> bytes:
    """A unit whose every register holds its own address; exception 2 from 60000 on."""
    unit, code, address, count = struct.unpack(">BBHH", request[:6])
    if code == 3 and address < 60_000:
        return framed(struct.pack(f">BBB{count}H", unit, code, 2 * count, *range(address, address + count)))
    if code in (6, 16) and address < 60_000:
        return framed(request[:6])
    return framed(bytes((unit, code | 0x80, 2)))


def prompt(request: bytes) -> list[tuple[float, bytes]]:
    return [(0.0, registers(request))]


class Serial:
    """A serial device behind a TCP socket."""

    def __init__(self, answer: Answer = prompt) -> None:
        self.answer = answer
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(300):
            self.requests.append(request)
            for pause_s, piece in self.answer(request):
                await asyncio.sleep(pause_s)
                writer.write(piece)
        writer.close()


@asynccontextmanager
async def asking(host: str, port: int, medium: Medium, **options) -> AsyncIterator[tuple[ModbusClient, list[str]]]:
    lost: list[str] = []
    client = ModbusClient(host, port, random.Random(1), lost.append, medium=medium, **options)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(client.run())
        yield client, lost
        task.cancel()


def through_tcp(device: Serial, ask: Callable[[ModbusClient], object]) -> None:
    async def main():
        server = await asyncio.start_server(device.serve, HOST, 5020)
        async with asking(HOST, 5020, RtuOverTcp()) as (client, _):
            await client.connected()
            await ask(client)
        server.close()

    virtual.run(main())


def test_serial_frames_go_through_tcp():
    async def ask(client):
        assert await client.read(7, 100, 3, 1.0) == (100, 101, 102)
        await client.write(7, 200, [1, 2], 1.0)
        await client.write(7, 200, [1], 1.0, single=True)
        with pytest.raises(RefusedError, match="exception 2"):
            await client.read(7, 60_000, 1, 1.0)

    device = Serial()
    through_tcp(device, ask)
    assert [request[1] for request in device.requests] == [3, 16, 6, 3]
    assert device.requests[0] == framed(struct.pack(">BBHH", 7, 3, 100, 3))


@pytest.mark.parametrize("noise", [b"\x00", b"\xff", b"\x01\x03", b"\x07\x03\x08\x00", b"\x83\x07"])
def test_noise_before_an_answer_does_not_cost_it(noise):
    async def ask(client):
        assert await client.read(7, 100, 3, 1.0) == (100, 101, 102)

    through_tcp(Serial(lambda request: [(0.0, noise + registers(request))]), ask)


def test_an_answer_in_single_bytes_is_put_together():
    async def ask(client):
        assert await client.read(7, 100, 3, 1.0) == (100, 101, 102)

    through_tcp(Serial(lambda request: [(0.01, bytes((byte,))) for byte in registers(request)]), ask)


def test_a_damaged_answer_is_silence():
    async def ask(client):
        with pytest.raises(SilenceError):
            await client.read(7, 100, 3, 0.5)

    through_tcp(Serial(lambda request: [(0.0, registers(request)[:-1] + b"\x00")]), ask)


def test_a_late_answer_of_a_unit_is_not_taken_for_its_next_one():
    slow = iter((0.8, 0.0))

    async def ask(client):
        with pytest.raises(SilenceError):
            await client.read(7, 100, 2, 0.5)
        assert await client.read(7, 200, 2, 0.5) == (200, 201)

    through_tcp(Serial(lambda request: [(next(slow), registers(request))]), ask)


def test_a_unit_that_is_waited_for_costs_its_neighbour_nothing():
    async def ask(client):
        with pytest.raises(SilenceError):
            await client.read(7, 100, 2, 0.2)
        began_s = asyncio.get_running_loop().time()
        assert await client.read(8, 200, 2, 0.2) == (200, 201)
        assert asyncio.get_running_loop().time() == began_s

    through_tcp(Serial(lambda request: [] if request[0] == 7 else prompt(request)), ask)


def test_the_confirmation_of_another_write_is_no_confirmation():
    async def ask(client):
        with pytest.raises(SilenceError, match="another write was confirmed"):
            await client.write(7, 200, [1, 2], 1.0)

    through_tcp(Serial(lambda _: [(0.0, framed(struct.pack(">BBHH", 7, 16, 300, 2)))]), ask)


@pytest.mark.parametrize(
    ("line", "quiet_s"),
    [
        (SerialLine(9600), 3.5 * 11 / 9600),
        (SerialLine(9600, Parity.NONE, 1), 3.5 * 10 / 9600),
        (SerialLine(115_200), 0.00175),
    ],
)
def test_frames_on_a_serial_line_are_kept_apart(line, quiet_s):
    assert line.quiet_s == pytest.approx(quiet_s)


@pytest.mark.sockets
async def test_a_serial_line_is_read_and_its_end_is_noticed():
    near, far = pty.openpty()
    tty.setraw(near)
    tty.setraw(far)
    loop = asyncio.get_running_loop()
    received = bytearray()

    def answer() -> None:
        received.extend(os.read(near, 300))
        if len(received) >= 8:
            os.write(near, registers(bytes(received)))
            received.clear()

    loop.add_reader(near, answer)
    async with asyncio.timeout(20), asking(os.ttyname(far), 0, SerialLine(19_200, Parity.NONE)) as (client, lost):
        await client.connected()
        assert await client.read(7, 100, 3, 2.0) == (100, 101, 102)
        loop.remove_reader(near)
        os.close(near)
        while not lost:  # noqa: ASYNC110 - the word of the client is the condition
            await asyncio.sleep(0.01)
        assert not client.is_connected
    os.close(far)


@pytest.mark.sockets
async def test_a_serial_port_that_is_not_there_is_said():
    async with asyncio.timeout(20), asking("/dev/nowhere", 0, SerialLine()) as (_, lost):
        while not lost:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert "could not connect to /dev/nowhere" in lost[0]
        assert "No such file" in lost[0]


@pytest.mark.sockets
async def test_a_serial_port_that_does_not_take_its_settings_is_said():
    near, far = pty.openpty()
    async with asyncio.timeout(20), asking(os.ttyname(far), 0, SerialLine(parity=Parity.EVEN)) as (_, lost):
        while not lost:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert "does not take these settings" in lost[0]
    os.close(near)
    os.close(far)


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


def tls(pki: Pki, **changed) -> Tls:
    files = {"certificate": pki.client, "key": pki.client_key, "authorities": pki.root}
    return Tls(**{**files, **changed})


@asynccontextmanager
async def secure_device(pki: Pki, *, piecewise: bool = False) -> AsyncIterator[int]:
    """Asks for a certificate; answers every read with the addresses, on wish in one TLS record per byte."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server, pki.server_key)
    context.load_verify_locations(pki.root)
    context.verify_mode = ssl.CERT_REQUIRED

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                number, _, _, unit, code, _, count = struct.unpack(">HHHBBHH", await reader.readexactly(12))
                answer = struct.pack(f">HHHBBB{count}H", number, 0, 3 + 2 * count, unit, code, 2 * count, *range(count))
                for k in range(0, len(answer), 1 if piecewise else len(answer)):
                    writer.write(answer[k : k + 1] if piecewise else answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(serve, HOST, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.sockets
@pytest.mark.parametrize("piecewise", [False, True])
async def test_reads_over_mutual_tls_however_the_answer_is_cut(pki, piecewise):
    async with (
        asyncio.timeout(20),
        secure_device(pki, piecewise=piecewise) as port,
        asking(HOST, port, tls(pki)) as (client, _),
    ):
        await client.connected()
        assert await client.read(1, 0, 40, 5.0) == tuple(range(40))


@pytest.mark.sockets
@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"certificate": "/nowhere.pem"}, "certificate /nowhere.pem"),
        ({"authorities": "/nowhere.pem"}, "authorities /nowhere.pem"),
        ({"server_name": "elsewhere.example"}, "not valid for 'elsewhere.example'"),
    ],
)
async def test_no_trust_is_a_link_that_is_down_and_says_why(pki, changed, why):
    async with (
        asyncio.timeout(20),
        secure_device(pki) as port,
        asking(HOST, port, tls(pki, **changed)) as (client, lost),
    ):
        while not lost:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert why in lost[0]
        assert not client.is_connected


@pytest.mark.sockets
async def test_a_certificate_that_the_device_does_not_trust_is_a_lost_link_that_says_why(pki, tmp_path):
    stranger = make_pki(tmp_path)
    foreign = tls(pki, certificate=stranger.client, key=stranger.client_key)
    async with asyncio.timeout(20), secure_device(pki) as port, asking(HOST, port, foreign) as (client, lost):
        while not lost:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert "alert" in lost[0].lower() or "closed" in lost[0]
        assert not client.is_connected
