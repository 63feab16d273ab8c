"""`ampacity run` with its façade: a SunSpec client limits a DER that speaks IEEE 2030.5, and the watts follow."""

import asyncio
from pathlib import Path

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from tests.scenarios.live import live, until

pytestmark = pytest.mark.sockets


def limited(port: int, unit: int, percent: float) -> tuple[float, float, float]:
    """What a bench does: limit a unit, and read back the limit and the power before."""
    client = SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr="127.0.0.1", ipport=port, timeout=10)
    try:
        client.scan()
        power_w, controls = client.DERMeasureAC[0].W.cvalue, client.DERCtlAC[0]
        controls.WMaxLimPct.cvalue = percent
        controls.WMaxLimPctRvrtTms.value = 60
        controls.WMaxLimPctEna.value = 1
        controls.write()
        controls.read()
        return power_w, controls.WMaxLimPct.cvalue, client.DERCapacity[0].WMax.cvalue
    finally:
        client.close()


async def test_a_bench_drives_the_ders_of_a_running_gateway(tmp_path: Path) -> None:
    async with live(tmp_path, "r1_short_bench.yaml") as field, field.gateway() as gateway:
        await gateway.says("snapshot.complete", 60)
        facade = field.zone.sunspec
        assert facade is not None
        assert facade.port is not None
        assert field.zone.devices["B"].endpoint.protocol == "ieee2030_5"
        before_w, percent, w_max_w = await asyncio.to_thread(limited, facade.port, facade.units["B"], 30.0)
        assert (percent, w_max_w) == (30, 6e6)
        assert before_w == pytest.approx(4e6, abs=2e4)
        asked = await gateway.says("operator.instruction", resource="B")
        assert (asked["mw"], asked["source"]) == (1.8, "SunSpec unit 2")

        async def obeyed() -> bool:
            return await field.power_mw("B") == pytest.approx(1.8, abs=0.01)

        await until(obeyed, 60)
        await gateway.says("command.completed", resource="B", outcome="verified")
