"""node-opcua on the other end, both ways: its server under our adapter, its client on our simulated device."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.clock import wall
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.opcua import SimulatedOpcUaServer
from protocols.opcua.adapter import OpcUaAdapter
from protocols.opcua.settings import DerFolder, OpcUaSettings
from protocols.points import Point, Quantity
from protocols.signals import (
    Baseline,
    Bounds,
    Control,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
    Release,
    Signal,
)
from tests.interop import by_hand

NODE, NPM = shutil.which("node"), shutil.which("npm")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.sockets,
    pytest.mark.skipif(NODE is None or NPM is None, reason="node and npm are not installed"),
]

SOURCES = Path(__file__).parent / "node_opcua"
INSTALLED = Path("build/node_opcua").resolve()
INSTALL_S = 300
PATIENCE_S = 30.0
FOLDER = "nsu=urn:foreign:plant;s=A"


@pytest.fixture(scope="module")
def peer() -> Path:
    """Where node-opcua and our scripts for it lie; installed at the versions of the lock file."""
    stamp = INSTALLED / "installed.json"
    lock = (SOURCES / "package-lock.json").read_text()
    if not stamp.exists() or stamp.read_text() != lock:
        shutil.rmtree(INSTALLED, ignore_errors=True)
        shutil.copytree(SOURCES, INSTALLED)
        command = [str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=INSTALLED, check=True, timeout=INSTALL_S)
        stamp.write_text(lock)
    for script in SOURCES.glob("*.js"):
        shutil.copy(script, INSTALLED)
    return INSTALLED


@asynccontextmanager
async def node(directory: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(NODE), *arguments, cwd=directory, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process, is_it: Callable[[str], bool]) -> str:
    """The first line that is what was waited for; the library logs to the same place."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        while line := await process.stdout.readline():
            if is_it(line.decode().strip()):
                return line.decode().strip()
    raise AssertionError("node ended without a word")


class Heard(list[Signal]):
    """Everything an adapter emitted."""

    async def until(self, wanted: Callable[[Signal], bool]) -> Signal:
        async with asyncio.timeout(PATIENCE_S):
            while not any(wanted(signal) for signal in self):  # noqa: ASYNC110 - it waits for another process
                await asyncio.sleep(0.02)
        return next(signal for signal in self if wanted(signal))


def is_value(quantity: Quantity, value: float, quality: Quality = Quality.GOOD) -> Callable[[Signal], bool]:
    point = Point("A", quantity)
    return lambda s: isinstance(s, Measurement) and (s.point, s.value, s.quality) == (point, value, quality)


def control(version: int, limit: Bounds, target_w: float | None = None) -> Control:
    now_s = wall()
    return Control(f"c{version}", "A", version, now_s, now_s + 60, limit, target_w, Bounds(None, 1e5))


async def test_our_adapter_reads_and_controls_their_server(peer, tmp_path):
    async with node(peer, "server.js", str(tmp_path)) as process:
        port = await said(process, str.isdecimal)
        settings = OpcUaSettings(f"opc.tcp://127.0.0.1:{port}", (DerFolder("A", FOLDER),), publishing_s=0.1)
        adapter, heard = OpcUaAdapter(settings, wall), Heard()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(adapter.run(heard.extend))
            await heard.until(lambda s: isinstance(s, LinkChanged) and s.state is LinkState.ONLINE)
            await heard.until(is_value(Quantity.ACTIVE_POWER_W, 1e6))
            await heard.until(is_value(Quantity.REACTIVE_POWER_VAR, 0.0, Quality.BAD))

            ack = await adapter.apply(control(3, Bounds(-0.1, 5e5), 1234.6))
            assert ack.outcome is Outcome.WRITTEN, ack
            assert ack.read_back["Target"] == 1235.0
            assert -0.1 <= ack.read_back["LimitMin"] < -0.0999999
            await heard.until(is_value(Quantity.ACTIVE_POWER_W, 5e5))
            await heard.until(is_value(Quantity.CEILING_W, 5e5))

            ack = await adapter.apply(control(4, Bounds(None, -1.0)))
            assert ack.outcome is Outcome.REJECTED
            assert "LimitMax BadOutOfRange" in ack.detail

            baseline = next(s for s in heard if isinstance(s, Baseline))
            ack = await adapter.apply(Release("r", "A", 5, baseline.values))
            assert ack.outcome is Outcome.WRITTEN, ack
            heard.clear()
            await heard.until(is_value(Quantity.ACTIVE_POWER_W, 1e6))

            process.kill()
            lost = await heard.until(lambda s: isinstance(s, LinkChanged) and s.state is LinkState.LOST)
            assert port in lost.detail
            running.cancel()


async def test_their_client_reads_and_controls_our_simulated_device(peer, tmp_path):
    device = SimulatedDevice(DeviceSpec("A", 1e6, initial_w=8e5), wall())
    server = SimulatedOpcUaServer("127.0.0.1", 0, wall, devices={"ns=2;s=A": device}, step_s=0.05)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run())
        async with asyncio.timeout(60):
            await server.started.wait()
        async with node(peer, "client.js", server.url, "ns=2;s=A", str(tmp_path)) as process:
            report = json.loads(await said(process, lambda line: line.startswith("{")))
        assert {"ActivePower", "LimitMax", "Version", "Result"} <= set(report["names"])
        assert report["seen"][0] == 8e5
        assert report["seen"][-1] == 3e5
        assert report["codes"] == ["Good"] * 4
        assert report["refused"] == ["BadUserAccessDenied"]
        assert device.limit == Bounds(None, 3e5)
        assert 50 < device.reversion_remaining_s <= 60
        serving.cancel()


async def test_our_tools_scan_read_and_write_their_server(peer, tmp_path):
    async with node(peer, "server.js", str(tmp_path)) as process:
        port = await said(process, str.isdecimal)
        ders = [found for found in await by_hand.scan(f"opc.tcp://127.0.0.1:{port}") if found.is_der]
        assert [str(found.endpoint["node"]).endswith(FOLDER.partition(";")[2]) for found in ders] == [True]
        target = f"opc.tcp://127.0.0.1:{port}?node={FOLDER}"
        assert (await by_hand.read(target, "ActivePower"))["ActivePower"].value == 1e6
        written = await by_hand.write(target, 60, LimitMax="400000")
        assert written.obeyed, written
        assert (await by_hand.read(target, "LimitMaxEnabled"))["LimitMaxEnabled"].value == 1
