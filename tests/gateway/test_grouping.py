"""IEEE 2030.5 devices stand in the groups of the network, and follow its switches."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from config.loader import load
from gateway.app import model
from gateway.grouping import follow, where
from gateway.models import Model
from gateway.snapshot import Image
from gateway.translate.facts import polls
from grid_engine.importers.any import load as network_of
from grid_engine.results import NetworkState
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.pki import make_pki
from ieee2030_5.records import Arranged, Record
from ieee2030_5.settings import DeviceSettings, ServerSettings
from protocols.points import Point, Quantity
from protocols.signals import Measurement, Quality

ZONE = Path(__file__).parents[2] / "config" / "zones" / "r1.yaml"
T0 = 1_900_000_000.0


def test_a_device_hangs_on_system_station_feeder_segment_and_bus() -> None:
    r1 = network_of(ZONE.parent / "networks" / "r1.json")
    found = where("R1", {"B": "B4", "X": "nowhere"}, {"": r1}, NetworkState())
    assert found == {
        "B": ("system:R1", "substation:B1", "feeder:L11", "segment:SW12", "service_point:B4"),
        "X": ("system:R1",),
    }
    opened = where("R1", {"B": "B4"}, {"": r1}, NetworkState(switches_closed={"SW12": False, "C9": True}))
    assert opened == {"B": ("system:R1",)}


def test_in_a_zone_of_several_feeders_names_carry_the_feeder() -> None:
    r1 = network_of(ZONE.parent / "networks" / "r1.json")
    state = NetworkState(switches_closed={"west:SW12": False, "west:SWT": True})
    found = where("R1", {"B": "west:B4", "C": "east:B4"}, {"west": r1, "east": r1}, state)
    assert found["B"][2:] == ("feeder:west-L21", "segment:west-SWT", "service_point:west-B4")
    assert found["C"][2:] == ("feeder:east-L11", "segment:east-SW12", "service_point:east-B4")


@dataclass
class Engine:
    model: Model


async def test_a_device_moves_when_the_field_reports_a_switch(tmp_path: Path) -> None:
    make_pki(tmp_path, ["B"], ["localhost"], 1_700_000_000)
    settings = ServerSettings(
        tmp_path / "server.pem",
        tmp_path / "server.key.pem",
        tmp_path / "root.pem",
        devices=(DeviceSettings("B", "AB" * 20, 6e6),),
    )
    placed: asyncio.Queue[object] = asyncio.Queue()

    def keep(record: Record) -> None:
        if isinstance(record, Arranged) and record.value is not None:
            (last,) = (item for item in record.value["items"] if item["what"] == "membership")
            placed.put_nowait(last["value"]["groups"])

    server = UtilityServer(settings, lambda: T0, keep)
    zone = load(ZONE)
    image = Image(polls(zone))

    def report(**switches: float) -> None:
        for switch, closed in switches.items():
            image.fold(Measurement(Point(switch, Quantity.SWITCH_CLOSED), closed, Quality.GOOD, T0, T0))

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(follow(zone, server, Engine(model(zone)), lambda: image.freeze(T0), period_s=0.01))
        await asyncio.sleep(0.1)
        assert placed.empty(), "the field has not said yet how the switches stand"
        report(SW12=1.0, SWT=0.0)
        assert await placed.get() == ("system:R1", "substation:B1", "feeder:L11", "segment:SW12", "service_point:B4")
        report(SW12=0.0, SWT=1.0)
        assert await placed.get() == ("system:R1", "substation:B1", "feeder:L21", "segment:SWT", "service_point:B4")
        task.cancel()
