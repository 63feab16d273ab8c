"""How the day turns out in the simulated world: for its customers, and for devices that follow the weather."""

from pathlib import Path

import numpy as np

from config.settings import ZoneFile
from config.units import watts
from gateway.coordination.daily import DayClock
from grid_engine.forecasting.day import Day, turned_out
from grid_engine.importers import day as day_file
from grid_engine.model import FloatArray

MINUTE_S = 60.0


class Course:
    """One day, minute by minute, played over and over."""

    def __init__(self, clock: DayClock, ids: tuple[str, ...], power_w: FloatArray) -> None:
        """Play a day.

        Args:
            clock: which time of day it is when.
            ids: of members: loads, units and devices.
            power_w: shape (n_member, 1440), consumption of loads, injection of the others.
        """
        self._clock, self._ids, self._power_w = clock, ids, power_w
        self._minute = -1

    def changed(self, now_s: float) -> dict[str, float] | None:
        """Powers of all members where another minute of the day has begun since the last call, else nothing."""
        minute = int(self._clock.at(now_s) // MINUTE_S) % self._power_w.shape[1]
        if minute == self._minute:
            return None
        self._minute = minute
        return dict(zip(self._ids, self._power_w[:, minute].tolist(), strict=True))


def course_of_zone(zone: ZoneFile, directory: Path) -> Course | None:
    """The day of a zone's customers and of the devices that follow it; nothing where the zone has no day.

    Raises:
        ValueError: the file of the day is none.
    """
    settings = zone.network.day
    if settings is None:
        return None
    try:
        day = day_file.load(directory / settings.source)
    except day_file.DayError as error:
        raise ValueError(str(error)) from error
    followers = {name: zone.devices[name] for name in zone.testbed.follows if zone.devices[name].simulated}
    everybody = Day(
        step_s=day.step_s,
        kinds=day.kinds,
        ids=(*day.ids, *followers),
        kind=(*day.kind, *(zone.testbed.follows[name] for name in followers)),
        size_w=np.array([*day.size_w, *(watts(device.nameplate.p_max_mw) for device in followers.values())]),
    )
    hour_s = 3_600.0
    clock = DayClock(settings.utc_offset_h * hour_s, settings.from_h * hour_s, settings.to_h * hour_s, settings.speed)
    return Course(clock, everybody.ids, turned_out(everybody, np.random.default_rng(zone.testbed.seed)))
