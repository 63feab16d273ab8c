"""Benches at a running gateway and its testbed: the façade in front of any protocol, and the script of the README."""

import asyncio
import re
import sys
from functools import partial
from pathlib import Path

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from tests.protocols.modbus.certificates import make_pki
from tests.scenarios.live import free_ports, live, until

pytestmark = pytest.mark.sockets

README = Path(__file__).parents[2] / "README.md"


def limited(port: int, unit: int, percent: float, **tls: object) -> tuple[float, float, float]:
    """What a bench does: limit a unit, and read back the limit and the power before."""
    client = SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr="127.0.0.1", ipport=port, timeout=10, **tls)
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


async def test_a_bench_with_the_right_certificate_limits_a_client_of_ieee_2030_5(tmp_path: Path) -> None:
    own = {"endpoint": {"protocol": "ieee2030_5", "poll_s": 10, "post_s": 2}}
    pki, (port,) = make_pki(tmp_path, bench="operator", guest="reader"), free_ports(1)
    secure = {"tls_port": port, "ca_file": pki.root, "certificate_file": pki.server, "key_file": pki.server_key}
    zone = {"devices": {"B": own}, "sunspec": secure}
    async with live(tmp_path, "r1_short_bench.yaml", **zone) as field, field.gateway() as gateway:
        await gateway.says("snapshot.complete", 60)
        shown = {"tls": True, "cafile": pki.root, "certfile": pki.guest, "keyfile": pki.guest_key}
        with pytest.raises(Exception, match="exception: 1"):
            await asyncio.to_thread(partial(limited, port, 2, 30.0, **shown))
        shown |= {"certfile": pki.bench, "keyfile": pki.bench_key}
        before_w, percent, w_max_w = await asyncio.to_thread(partial(limited, port, 2, 30.0, **shown))
        assert (percent, w_max_w) == (30, 6e6)
        assert before_w == pytest.approx(4e6, abs=2e4)
        asked = await gateway.says("operator.instruction", resource="B")
        assert (asked["mw"], asked["source"]) == (1.8, "SunSpec unit 2")

        async def obeyed() -> bool:
            return await field.power_mw("B") == pytest.approx(1.8, abs=0.01)

        await until(obeyed, 60)
        await gateway.says("command.completed", resource="B", outcome="verified")


async def test_the_script_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    (script,) = re.findall(r"```python\n(import time.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    async with live(tmp_path, "r1_short_bench.yaml") as field, field.gateway() as gateway:
        await gateway.says("snapshot.complete", 60)
        park, facade = field.zone.devices["B"].endpoint, field.zone.sunspec
        assert park.protocol == "modbus"
        assert facade is not None
        path = tmp_path / "bench.py"
        path.write_text(script.replace("15023", str(park.port)).replace("15502", str(facade.port)))
        done = await asyncio.create_subprocess_exec(
            sys.executable, str(path), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await done.communicate()
        assert (done.returncode, out.decode().splitlines()) == (
            0,
            ["limited to 3.00 MW", "absorbs 1.32 Mvar at 1.05 pu"],
        )
        await gateway.says("command.completed", resource="B", outcome="verified")
