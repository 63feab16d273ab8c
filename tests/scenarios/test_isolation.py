"""One that dies costs its neighbours nothing: every other adapter keeps its pace, on simulated wires in virtual time.

Three Modbus servers on simulated sockets, each behind an adapter of its own, and the simulated field of
zone R1 behind adapters without a wire, all fed into one control loop, as in a gateway.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from protocols.modbus.adapter import ModbusAdapter
from protocols.modbus.settings import ModbusSettings, SunSpecDer
from protocols.points import Point, Quantity
from protocols.signals import LinkState
from tests.protocols.modbus.server import Line, battery_image
from tests.scenarios.stage import Stage, play, zone_file

pytestmark = pytest.mark.filterwarnings("ignore:delta is less than resolution")

POLL_S = 1.0
WATCHED_S = 40.0
POINTS = [{"point": "L12.current_a", "address": 0}, {"point": "L11.current_a", "address": 2}]
LARGEST_GAP = 1.3
"""In polls."""


class Field:
    """Everything that is polled, and when each was last heard."""

    def __init__(self, stage: Stage, lines: dict[str, Line]) -> None:
        self.stage, self.lines = stage, lines
        self.heard: dict[str, list[float]] = {}

    def watch(self) -> None:
        fold = self.stage.loop.ground.image.fold

        def folded(signal: object) -> None:
            point = getattr(signal, "point", None)
            if isinstance(point, Point) and point.quantity in (Quantity.ACTIVE_POWER_W, Quantity.CURRENT_A):
                times = self.heard.setdefault(point.resource, [])
                if not times or times[-1] != self.stage.now():
                    times.append(self.stage.now())
            fold(signal)  # type: ignore[arg-type]  # handed on as it came

        self.stage.loop.ground.image.fold = folded  # type: ignore[method-assign]  # a tap on the wire, nothing is replaced

    async def stop_server(self, name: str) -> None:
        await self.lines[name].stop()

    def silence(self, name: str) -> None:
        self.lines[name].deaf = {1}


async def _kill_server(field: Field) -> str:
    await field.stop_server("M1")
    return "M1"


async def _silence_device(field: Field) -> str:
    field.silence("M2")
    return "M2"


async def _drop_link(field: Field) -> str:
    field.stage.world.devices["A"].faults.drop_link = True
    return "A"


async def _drop_station(field: Field) -> str:
    field.stage.world.stations["SCADA"].faults.drop_link = True
    return "SCADA"


@pytest.mark.parametrize("kill", [_kill_server, _silence_device, _drop_link, _drop_station])
def test_killing_one_disturbs_no_other_poll(tmp_path: Path, kill: Callable[[Field], object]) -> None:
    one_pace = {name: {"endpoint": {"protocol": "modbus", "host": "127.0.0.1", "poll_s": POLL_S}} for name in "ABCDE"}
    scada = {"SCADA": {"endpoint": {"protocol": "modbus", "host": "127.0.0.1", "poll_s": POLL_S}, "points": POINTS}}

    async def scene() -> None:
        async with Stage(zone_file(devices=one_pace, stations=scada), tmp_path) as stage, AsyncExitStack() as stack:
            await stage.open_gateway()
            lines = {name: Line({1: battery_image()}) for name in ("M1", "M2", "M3")}
            field = Field(stage, lines)
            field.watch()
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            running = []
            for name, line in lines.items():
                await line.start()
                unit = SunSpecDer(name, 2.5e6, -2.5e6, unit_id=1)
                adapter = ModbusAdapter(ModbusSettings(line.host, (unit,), port=line.port, poll_s=POLL_S), stage.now)
                running.append(tasks.create_task(adapter.run(stage.loop.emit)))
            await stage.pass_time(10)
            victim = await kill(field)  # type: ignore[misc]
            killed_s = stage.now()
            await stage.pass_time(WATCHED_S)
            lost = "L12" if victim == "SCADA" else victim
            assert stage.loop.ground.image.freeze(stage.now()).link(lost) is LinkState.LOST
            for resource, times in field.heard.items():
                if resource == victim or (victim == "SCADA" and resource[0] in "LT"):
                    continue
                since = [t for t in times if t >= killed_s - 2 * POLL_S]
                gaps = [b - a for a, b in pairwise([*since, stage.now()])]
                assert max(gaps) <= LARGEST_GAP * POLL_S, f"{resource} waited for {victim}"
            for task in running:
                task.cancel()
            for line in lines.values():
                await line.stop()

    play(scene)
