"""Draws a morning of Maple with and without the gateway: `python -m tests.scenarios.plot_maple docs/maple.png`.

The same day is played twice in virtual time, twenty times as fast, on the network that OpenDSS solves.
"""

import logging
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import matplotlib as mpl
import numpy as np
import structlog

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection

from config.settings import ZoneFile
from gateway.testbed.world import World
from grid_engine.feeders.maple.network import SERVICE_BAND_PU, build
from grid_engine.model import ABSENT, Network
from protocols.points import Point, Quantity
from tests.scenarios.stage import Stage, play, zone_file

SPEED, FROM_H, TO_H = 20.0, 8.0, 14.0
STEP_S = 12.0
NETWORK = build()
SERVICES = [bus for n, bus in enumerate(NETWORK.buses.ids) if NETWORK.buses.phase_v[n] < 130]
FARMS = tuple(f"FARM{n}" for n in range(1, 7))
RED, BLUE, GREY = "#c23b22", "#1f5fa8", "#777777"


@dataclass
class Course:
    """What is recorded of one play."""

    hour: list[float] = field(default_factory=list)
    available_mw: list[float] = field(default_factory=list)
    power_mw: list[float] = field(default_factory=list)
    highest_pu: list[float] = field(default_factory=list)
    farm_pct: list[float] = field(default_factory=list)
    worst_pu: dict[str, float] = field(default_factory=dict)
    """By bus, the highest of the whole play."""

    def record(self, world: World, hour: float) -> None:
        volts = {bus: world.truth(Point(bus, Quantity.VOLTAGE_PU)) for bus in SERVICES}
        farms = [world.truth(Point(f"TX-{farm}", Quantity.APPARENT_POWER_VA)) for farm in FARMS]
        self.hour.append(hour)
        self.available_mw.append(world.devices["SUN1"].available_w / 1e6)
        self.power_mw.append(world.devices["SUN1"].power_w / 1e6)
        self.highest_pu.append(max(volts.values()))
        self.farm_pct.append(max(farms) / 500)
        self.worst_pu = {bus: max(volt, self.worst_pu.get(bus, 0.0)) for bus, volt in volts.items()}


def zone() -> ZoneFile:
    """Maple with a day that passes faster; virtual time begins at its eight o'clock."""
    begins_s = (8 * 3600 * SPEED) % 86_400  # of the clock at the start of virtual time, 8:00 UTC, without an offset
    offset_h = ((FROM_H * 3600 - begins_s) / SPEED / 3600 + 12 / SPEED) % (24 / SPEED) - 12 / SPEED
    return zone_file(
        "maple.yaml",
        network={"day": {"utc_offset_h": offset_h, "speed": SPEED}},
        clocks={"look_ahead_intervals": 2},
    )


def played(*, controlled: bool) -> Course:
    """The morning, with the gateway or without."""
    course = Course()

    async def scene() -> None:
        with tempfile.TemporaryDirectory() as directory:
            async with Stage(zone(), Path(directory)) as stage:
                if controlled:
                    await stage.open_gateway()
                begun_s = stage.now()
                while (hour := FROM_H + (stage.now() - begun_s) * SPEED / 3600) < TO_H:
                    await stage.pass_time(STEP_S)
                    course.record(stage.world, hour)

    play(scene)
    return course


def drawn(free: Course, held: Course) -> plt.Figure:
    """Both plays on one page."""
    figure = plt.figure(figsize=(11, 7), layout="constrained")
    panes = figure.subplot_mosaic([["map"] * 3, ["power", "volts", "farms"]], height_ratios=[1.35, 1])
    _map(panes["map"], NETWORK, free.worst_pu, figure)
    panes["power"].set_title("solar park SUN1, MW", fontsize=10)
    panes["power"].plot(free.hour, free.available_mw, color=RED, label="without the gateway")
    panes["power"].plot(held.hour, held.power_mw, color=BLUE, label="with it")
    for name, values, limit, title in (
        ("volts", "highest_pu", SERVICE_BAND_PU[1], "highest service voltage, pu"),
        ("farms", "farm_pct", 100.0, "fullest transformer of a farm, %"),
    ):
        panes[name].set_title(title, fontsize=10)
        panes[name].plot(free.hour, getattr(free, values), color=RED)
        panes[name].plot(held.hour, getattr(held, values), color=BLUE)
        panes[name].axhline(limit, color="black", lw=0.8, ls="--")
    for name in ("power", "volts", "farms"):
        panes[name].set_xlim(FROM_H, TO_H)
        panes[name].set_xlabel("time of day, h")
        panes[name].spines[["top", "right"]].set_visible(False)
    panes["power"].legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def _map(axes: plt.Axes, network: Network, worst_pu: dict[str, float], figure: plt.Figure) -> None:
    position, bus = network.buses.position / 1e3, network.nodes.bus
    ends = np.stack([bus[network.lines.from_node[:, 0]], bus[network.lines.to_node[:, 0]]], axis=1)
    phases = (network.lines.from_node != ABSENT).sum(axis=1)
    tie = np.array([name == "L-TIE" for name in network.lines.ids])
    for which, style in ((~tie, "solid"), (tie, "dotted")):
        width = np.where(phases[which] == 3, 2.0, 0.8)
        lines = LineCollection(position[ends[which]], linewidths=width, linestyles=style, colors=GREY, zorder=1)
        axes.add_collection(lines)
    places = position[[network.buses.ids.index(name) for name in worst_pu]]
    shown = axes.scatter(*places.T, c=list(worst_pu.values()), s=10, cmap="coolwarm", vmin=1.0, vmax=1.055, zorder=2)
    for name, told in {"B1": "station", "F1-08R": "VR1", "F1-14": "F1-14", "F2-05": "F2-05", "F2-12": "SUN1"}.items():
        at = position[network.buses.ids.index(name)]
        axes.annotate(told, at, fontsize=8, xytext=(3, 5), textcoords="offset points")
    figure.colorbar(shown, ax=axes, label="highest service voltage\nwithout the gateway, pu")
    axes.set_aspect("equal")
    axes.set_xlabel("km")
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    drawn(played(controlled=False), played(controlled=True)).savefig(Path(sys.argv[1]), dpi=100)
