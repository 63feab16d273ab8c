"""`ampacity run` serves the zone over OPC UA where the zone file asks for it, whether or not the field answers."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from gateway.clock import wall
from gateway.testbed.broker import free_port
from protocols.opcua import tools
from protocols.opcua.client import OpcUaClient
from protocols.opcua.errors import LinkDownError
from protocols.opcua.settings import Connection

pytestmark = pytest.mark.sockets

ROOT = Path(__file__).parents[3]
PATIENCE_S = 90.0


async def ampacity(*arguments: str, cwd: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )


async def session(url: str) -> OpcUaClient:
    """As soon as somebody serves there."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            client = OpcUaClient(Connection(url, 5.0), wall)
            try:
                await client.open()
            except LinkDownError:
                await client.close()
                await asyncio.sleep(0.3)
            else:
                return client


async def test_ampacity_run_shows_the_zone(tmp_path):
    port, parties, utility = (free_port() for _ in range(3))
    zone = tmp_path / "zone.yaml"
    zone.write_text(
        f"extends: {ROOT / 'config' / 'zones' / 'r1_short_scada.yaml'}\n"
        f"opcua_server: {{port: {port}}}\n"
        f"listen: {{parties_port: {parties}, ieee2030_5_port: {utility}}}\n"
    )
    assert await (await ampacity("certs", str(zone), "--out", "certs", cwd=tmp_path)).wait() == 0
    process = await ampacity("run", str(zone), "--storage", str(tmp_path / "run"), cwd=tmp_path)
    try:
        client = await session(f"opc.tcp://127.0.0.1:{port}")
        names = ["Health/Zone", "Health/Model", "Devices/A/Limit/Max", "Devices/A/Link"]
        found = await client.read([f"nsu=urn:ampacity:R1:zone;s={name}" for name in names])
        assert [r.text or r.value for r in found[:3]] == ["R1", "DP", 2.5e6]
        assert found[3].text in ("init", "lost")
        assert [f.entry.name for f in await tools.tree(client, depth=1)] == ["Ampacity"]
        await client.close()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
