"""The direct adapters in virtual time: nothing here waits for real."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import async_solipsism
import pytest
import yaml

from config.settings import ZoneFile
from gateway.testbed.direct import DirectDevice, DirectSettings, DirectStation
from gateway.testbed.world import World, of_zone
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

ZONES = Path(__file__).parents[3] / "config" / "zones"
POWER_A = Point("A", Quantity.ACTIVE_POWER_W)
EPOCH_S = 1000.0
CONTROL = Control("c1", "A", 1, EPOCH_S, EPOCH_S + 60, Bounds(ceiling_w=1.2e6), fallback=Bounds(ceiling_w=0.5e6))


class Bench:
    """Runs one adapter against a fresh world and keeps what it emits."""

    def __init__(self, name: str) -> None:
        zone = ZoneFile.model_validate(yaml.safe_load((ZONES / "r1.yaml").read_text()))
        self.world: World = of_zone(zone, ZONES, EPOCH_S)
        kind = DirectStation if name in self.world.stations else DirectDevice
        self.adapter = kind(self.world, DirectSettings(name), self.now)
        self.signals: list[Signal] = []

    def now(self) -> float:
        return EPOCH_S + asyncio.get_running_loop().time()

    def emit(self, signals: Sequence[Signal]) -> None:
        self.signals += signals

    def play(self, scene: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            async with asyncio.TaskGroup() as tasks:
                polling = tasks.create_task(self.adapter.run(self.emit))
                await asyncio.sleep(0.5)
                await scene()
                polling.cancel()

        with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
            runner.run(run())

    def links(self) -> list[LinkState]:
        return [signal.state for signal in self.signals if isinstance(signal, LinkChanged)]

    def last(self, point: Point) -> Measurement:
        return [s for s in self.signals if isinstance(s, Measurement) and s.point == point][-1]


def test_baseline_comes_with_the_connection_and_measurements_follow() -> None:
    bench = Bench("B")
    bench.play(lambda: asyncio.sleep(3))
    assert bench.links() == [LinkState.ONLINE]
    assert [type(signal) for signal in bench.signals[:3]] == [LinkChanged, Baseline, Measurement]
    assert bench.last(Point("B", Quantity.ACTIVE_POWER_W)).value == 4e6


def test_a_control_is_written_read_back_and_ends_in_its_fallback() -> None:
    bench = Bench("A")
    bench.world.devices["A"].set_target(2e6, EPOCH_S)

    async def scene() -> None:
        ack = await bench.adapter.apply(CONTROL)
        assert (ack.outcome, ack.requested, ack.read_back) == (
            Outcome.WRITTEN,
            {"ceiling_w": 1.2e6},
            {"ceiling_w": 1.2e6},
        )
        await asyncio.sleep(58)
        assert bench.last(POWER_A).value == 1.2e6
        await asyncio.sleep(5)

    bench.play(scene)
    assert bench.last(POWER_A).value == 0.5e6
    assert bench.last(Point("A", Quantity.CEILING_W)).value == 0.5e6


def test_an_older_version_does_not_return_and_the_same_refreshes() -> None:
    bench = Bench("A")

    async def scene() -> None:
        newer = replace(CONTROL, control_id="c2", version=2, limit=Bounds(ceiling_w=1e6))
        assert (await bench.adapter.apply(newer)).outcome is Outcome.WRITTEN
        assert (await bench.adapter.apply(CONTROL)).outcome is Outcome.SUPERSEDED
        await asyncio.sleep(30)
        later = replace(newer, expiry_s=EPOCH_S + 200)
        assert (await bench.adapter.apply(later)).outcome is Outcome.WRITTEN
        await asyncio.sleep(60)

    bench.play(scene)
    assert bench.world.devices["A"].limit == Bounds(ceiling_w=1e6)


def test_a_lost_link_is_told_once_and_the_device_keeps_its_timer() -> None:
    bench = Bench("A")
    bench.world.devices["A"].set_target(2e6, EPOCH_S)

    async def scene() -> None:
        await bench.adapter.apply(CONTROL)
        bench.world.faults["A"].drop_link = True
        assert (await bench.adapter.apply(CONTROL)).outcome is Outcome.UNDELIVERED
        await asyncio.sleep(3.1)
        assert bench.links() == [LinkState.ONLINE, LinkState.DEGRADED, LinkState.LOST]
        await asyncio.sleep(60)
        bench.world.faults["A"].drop_link = False
        await asyncio.sleep(1.1)

    bench.play(scene)
    assert bench.links()[3:] == [LinkState.ONLINE]
    assert sum(isinstance(signal, Baseline) for signal in bench.signals) == 2
    assert bench.last(POWER_A).value == 0.5e6


def test_release_restores_the_limit_that_somebody_else_had_set() -> None:
    bench = Bench("A")
    bench.world.devices["A"].set_limit(Bounds(ceiling_w=2e6), EPOCH_S, None, Bounds())

    async def scene() -> None:
        (baseline,) = (signal for signal in bench.signals if isinstance(signal, Baseline))
        await bench.adapter.apply(CONTROL)
        ack = await bench.adapter.apply(Release("c1", "A", 2, baseline.values))
        assert ack.outcome is Outcome.WRITTEN

    bench.play(scene)
    assert bench.world.devices["A"].limit == Bounds(ceiling_w=2e6)


@pytest.mark.parametrize(
    ("fault", "outcome"), [("refuse", Outcome.REJECTED), ("delay", Outcome.UNKNOWN), ("lie", Outcome.WRITTEN)]
)
def test_a_faulty_device_answers_as_its_fault_says(fault: str, outcome: Outcome) -> None:
    bench = Bench("A")
    bench.world.devices["A"].set_target(2e6, EPOCH_S)

    async def scene() -> None:
        bench.world.faults["A"].switch(fault, on=True)
        assert (await bench.adapter.apply(CONTROL)).outcome is outcome

    bench.play(scene)
    device = bench.world.devices["A"]
    assert device.power_w == (1.2e6 if fault == "delay" else 2e6)


def test_a_value_that_is_not_a_number_is_bad() -> None:
    bench = Bench("A")
    bench.world.faults["A"].not_a_number = True
    bench.play(lambda: asyncio.sleep(1))
    assert (bench.last(POWER_A).quality, bench.last(POWER_A).value) == (Quality.BAD, 0.0)


def test_a_station_measures_the_true_network_and_takes_no_control() -> None:
    bench = Bench("SCADA")

    async def scene() -> None:
        bench.world.devices["A"].set_target(2e6, bench.now())
        await asyncio.sleep(1)
        assert (await bench.adapter.apply(replace(CONTROL, resource="L12"))).outcome is Outcome.REJECTED

    bench.play(scene)
    assert bench.last(Point("L12", Quantity.CURRENT_A)).value == pytest.approx(1.208 * 154.2, abs=0.1)
    assert bench.adapter.resources >= {"L11", "L12", "B1", "B3", "B4"}
