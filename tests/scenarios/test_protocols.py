"""S01 and S04 over real sockets on each protocol: nothing but an endpoint of the zone file differs."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway import clock
from gateway.historian import TelemetryReader
from gateway.translate.points import point_of
from protocols.dnp3.adapter import Dnp3Adapter
from protocols.dnp3.master_words import MasterSettings
from protocols.dnp3.settings import Dnp3Settings, MappedInput, place_at
from protocols.signals import Measurement, Quality, Signal
from tests.scenarios.live import ZONES, Live, free_ports, live, until

pytestmark = pytest.mark.sockets

LIMIT_MW = 0.01
REGISTERS: dict[str, Any] = yaml.safe_load((ZONES / "r1_short_registers.yaml").read_text())["devices"]["A"]["endpoint"]
"""A Modbus device without a SunSpec map."""
VOLTAGE_PU = 0.002


def endpoint(protocol: str, device: str) -> dict[str, Any]:
    """An endpoint of that protocol on free ports."""
    port = free_ports(1)[0]
    return {
        "modbus": {"protocol": "modbus", "host": "127.0.0.1", "port": port, "unit": 1},
        "opcua": {"protocol": "opcua", "url": f"opc.tcp://127.0.0.1:{port}", "node": f"ns=2;s={device}"},
        "mqtt": {"protocol": "mqtt", "host": "127.0.0.1", "port": port, "topic": f"r1/{device}"},
        "sparkplug": {
            "protocol": "sparkplug",
            "host": "127.0.0.1",
            "port": port,
            "group": "r1",
            "node": "edge",
            "device": device,
        },
        "ieee2030_5": {"protocol": "ieee2030_5", "poll_s": 10},
        "dnp3": {"protocol": "dnp3", "host": "127.0.0.1", "port": port},
        "registers": {**REGISTERS, "port": port},
    }[protocol]


PROTOCOLS = ["modbus", "opcua", "mqtt", "sparkplug", "ieee2030_5", "dnp3"]
ALONE: dict[str, Any] = {"C": None, "D": None, "E": None}
"""The other devices of the zone stay away: the full zone is played by the demonstration."""


@pytest.mark.parametrize("protocol", [*PROTOCOLS, "registers"])
async def test_s01_over(protocol: str, tmp_path: Path) -> None:
    others = {**ALONE, "B": {"endpoint": endpoint("modbus", "B")}}
    zone = {"devices": {**others, "A": {"endpoint": endpoint(protocol, "A")}}}
    async with live(tmp_path, **zone) as field, field.gateway() as gateway:
        await gateway.says("snapshot.complete", 60)
        await field.tell("dispatch", resource="A", power_mw=2.0)
        limit = await gateway.says("limit.issue", resource="A")
        assert limit["mw"] == pytest.approx(1.20, abs=LIMIT_MW)

        async def limited() -> bool:
            return await field.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

        await until(limited, 20)

        async def arrived() -> bool:
            return await field.power_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

        await until(arrived, 30)
        await gateway.says("command.completed", resource="A", outcome="verified")
        assert 100 * await field.point("L12.current_a") / 154.2 == pytest.approx(100, abs=0.5)
        assert await field.power_mw("B") == pytest.approx(4.0, abs=LIMIT_MW)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_s04_over(protocol: str, tmp_path: Path) -> None:
    own = {"endpoint": endpoint(protocol, "B"), "forecast_mw": [5.0]}
    zone = {"devices": {**ALONE, "A": {"endpoint": endpoint("modbus", "A")}, "B": own}}
    async with live(tmp_path, **zone) as field:
        await field.tell("plant", taps={"T1": -3, "T2": -3})
        await field.tell("available", resource="B", power_mw=5.0)
        async with field.gateway() as gateway:
            limit = await gateway.says("limit.issue", within_s=60, resource="B", reason="VOLT_HI")
            assert limit["constraint_id"] == "B4"

            async def limited() -> bool:
                return await field.power_mw("B") == pytest.approx(4.16, abs=LIMIT_MW)

            await until(limited, 30)
            assert await field.point("B4.voltage_pu") == pytest.approx(1.05, abs=VOLTAGE_PU)
            await gateway.says("command.completed", resource="B", outcome="verified")
            assert await field.point("T1.tap_position") == -3


async def read_as_system_operator(field: Live) -> dict[str, float]:
    """What the gateway tells a master of the system operator, by name, once it has told everything well."""
    telemetry = field.zone.telemetry
    assert telemetry is not None
    names = {"AI0": "TD1.active_power_w", "AI1": "R1.active_power_w", "AI3": "A.active_power_w"}
    names |= {"BI0": "SW12.switch_closed"}
    inputs = tuple(MappedInput(point_of(name), *place_at(address)) for address, name in names.items())
    master = MasterSettings(local=telemetry.master, outstation=telemetry.outstation)
    adapter = Dnp3Adapter(Dnp3Settings(telemetry.host, inputs, port=telemetry.port, master=master), clock.wall)
    told: dict[str, float] = {}

    def emit(signals: Sequence[Signal]) -> None:
        told.update(
            (str(s.point), s.value) for s in signals if isinstance(s, Measurement) and s.quality is Quality.GOOD
        )

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(adapter.run(emit))
        while len(told) < len(names):  # noqa: ASYNC110 - the gateway is another process
            await asyncio.sleep(0.1)
        running.cancel()
    return told


async def test_s01_with_the_battery_and_the_scada_over_dnp3(tmp_path: Path) -> None:
    zone = {"devices": {**ALONE, "B": {"endpoint": endpoint("modbus", "B")}}}
    async with live(tmp_path, "r1_short_dnp3.yaml", **zone) as field, field.gateway() as gateway:
        await gateway.says("snapshot.complete", 60)
        await field.tell("dispatch", resource="A", power_mw=2.0)
        limit = await gateway.says("limit.issue", resource="A")
        assert limit["mw"] == pytest.approx(1.20, abs=LIMIT_MW)

        async def arrived() -> bool:
            return await field.power_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

        await until(arrived, 30)

        async def measured(name: str) -> bool:
            point, end_s = point_of(name), clock.wall()
            with closing(TelemetryReader.open(tmp_path / "telemetry.sqlite")) as reader:
                found = reader.query(point, end_s - 60, end_s)
            return bool(found) and found[-1].value == pytest.approx(await field.point(name), rel=1e-3)

        async def told_rightly() -> bool:
            told, interface_w = await read_as_system_operator(field), await field.point("TD1.active_power_w")
            together_mw = await field.power_mw("A") + await field.power_mw("B")
            return (
                told["TD1.active_power_w"] == pytest.approx(interface_w / 1e6, abs=LIMIT_MW)
                and told["R1.active_power_w"] == pytest.approx(together_mw, abs=LIMIT_MW)
                and told["A.active_power_w"] == pytest.approx(await field.power_mw("A"), abs=LIMIT_MW)
                and told["SW12.switch_closed"] == 1
            )

        await until(told_rightly, 30)
        for name in ("L12.current_a", "B4.voltage_pu", "TD1.active_power_w", "SW12.switch_closed", "T1.tap_position"):
            await until(partial(measured, name), 20)
