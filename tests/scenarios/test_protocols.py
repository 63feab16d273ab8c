"""S01 again with the battery behind another protocol: nothing but its endpoint differs."""

from pathlib import Path

import pytest

from tests.scenarios.live import free_ports, live

pytestmark = pytest.mark.sockets

LIMIT_MW = 0.01


@pytest.mark.parametrize("protocol", ["mqtt", "opcua"])
async def test_s01_over(protocol: str, tmp_path: Path) -> None:
    neighbour = {"protocol": "modbus", "host": "127.0.0.1", "port": free_ports(1)[0], "unit": 1}
    base = f"r1_short_{protocol}.yaml"
    async with live(tmp_path, base, devices={"B": {"endpoint": neighbour}}) as field, field.gateway() as gateway:
        await gateway.says("psa.ready", 60)
        await field.tell("dispatch", resource="A", power_mw=2.0)
        limit = await gateway.says("limit.issue", resource="A")
        assert limit["mw"] == pytest.approx(1.20, abs=LIMIT_MW)
        await gateway.says("command.completed", resource="A", outcome="verified")
        assert await field.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
