"""Maple at noon: what its feeders cannot take is limited, and OpenDSS, which plays them, is then within every limit."""

from pathlib import Path

import pytest

from gateway.testbed.world import World
from grid_engine.feeders.maple.network import build
from protocols.points import Phase, Point, Quantity
from tests.scenarios.stage import Stage, play, zone_file

NETWORK = build()
FARMS = tuple(f"FARM{n}" for n in range(1, 7))
LEGS_V_MAX = 1.042
NOON = {"day": {"utc_offset_h": 4.5}}
"""Virtual time begins at 8:00 UTC, which is half past twelve then."""


def beyond(world: World) -> dict[str, float]:
    """What of the true network is beyond its limit, by how much of it: voltages, currents, transformers."""
    found: dict[str, float] = {}
    for n, bus in enumerate(NETWORK.buses.ids):
        for phase in (Phase.A, Phase.B, Phase.C, Phase.TOTAL):
            point = Point(bus, Quantity.VOLTAGE_PU, phase)
            if world.plant.knows(point):
                volts = world.truth(point)
                found[bus] = max(
                    found.get(bus, 0.0),
                    volts / float(NETWORK.buses.voltage_max_pu[n]),
                    2 - volts / float(NETWORK.buses.voltage_min_pu[n]),
                )
    for table, quantity in (
        (NETWORK.lines, Quantity.CURRENT_A),
        (NETWORK.transformers, Quantity.APPARENT_POWER_VA),
    ):
        for name, limit in zip(table.ids, table.ratings.normal.tolist(), strict=True):
            found[name] = world.truth(Point(name, quantity)) / limit
    for name, limit in zip(NETWORK.transformers.ids, NETWORK.transformers.ratings.reverse_power_w, strict=True):
        found[f"{name} back"] = -world.truth(Point(name, Quantity.ACTIVE_POWER_W)) / float(limit)
    return {name: share for name, share in found.items() if share > 1}


def test_a_midday_export_violation_is_limited(tmp_path: Path) -> None:
    async def scene() -> None:
        zone = zone_file("maple.yaml", network=NOON, clocks={"look_ahead_intervals": 2})
        async with Stage(zone, tmp_path) as stage:
            await stage.pass_time(10)
            uncontrolled = beyond(stage.world)
            wanted_mw = {name: stage.power_mw(name) for name in stage.world.devices}
            assert {f"TX-{farm}" for farm in FARMS} <= uncontrolled.keys()
            assert sum(name.startswith("F2-") for name in uncontrolled) > 10
            assert stage.voltage_pu("F2-12B3S") > LEGS_V_MAX

            await stage.open_gateway()
            await stage.until(lambda: not beyond(stage.world), within_s=60, step_s=5)
            await stage.pass_time(240)
            assert beyond(stage.world) == {}
            limited = {name for name in zone.devices if stage.ceiling_mw(name) is not None}
            assert limited == {"SUN1", *FARMS}
            for farm in FARMS:
                assert stage.ceiling_mw(farm) == pytest.approx(0.050, abs=0.003)
            for name in wanted_mw.keys() - limited - {"SUN2"}:
                assert stage.power_mw(name) == pytest.approx(wanted_mw[name], abs=1e-6)

            # The limit is not far from where the network's own is: with a little more it would be broken.
            assert 2.0 < stage.power_mw("SUN1") < wanted_mw["SUN1"]
            stage.world.plant.inject("SUN1", stage.world.devices["SUN1"].power_w + 0.5e6)
            assert stage.world.plant.read(Point("F2-12B3S", Quantity.VOLTAGE_PU)) > LEGS_V_MAX

    play(scene)
