"""A year of nodal loads as a long-term forecaster gives it: which load of the zone draws what in each hour."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from gateway.planned_day import Day, DayError
from grid_engine.forecasting.profiles import Readings
from grid_engine.importers.series import read_nodal_year, read_series
from grid_engine.model import FloatArray, Network
from grid_engine.partition import SEPARATOR

HOUR_S = 3_600
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, eq=False)
class Year:
    """Every load of the zone, every hour."""

    span: Day
    """The whole of it, in hours."""
    loads: tuple[str, ...]
    load_w: FloatArray
    """Shape (n_load, n_hour): consumption."""

    def series(self) -> dict[str, tuple[float, ...]]:
        """By load, the whole year."""
        return {name: tuple(row.tolist()) for name, row in zip(self.loads, self.load_w, strict=True)}

    def peak_day(self) -> date:
        """The day of the hour in which all loads together draw most."""
        return self.span.on + timedelta(days=int(self.load_w.sum(axis=0).argmax()) * HOUR_S // _DAY_S)

    def of_day(self, day: Day) -> dict[str, tuple[float, ...]]:
        """By load, the intervals of one day; an hour's mean holds all hour.

        Raises:
            DayError: the day is not within the year.
        """
        hours = (np.array(day.starts_s) - self.span.starts_s[0]) // HOUR_S
        if hours[0] < 0 or hours[-1] >= self.load_w.shape[1]:
            first, last = self.span.on, self.span.on + timedelta(days=self.span.days - 1)
            raise DayError(f"{day.on.isoformat()} is not in the year of nodal loads, {first} to {last}")
        return {name: tuple(row[hours].tolist()) for name, row in zip(self.loads, self.load_w, strict=True)}


def read_year(path: Path, networks: Mapping[str, Network], utc_offset_s: int) -> Year:
    """The year in a CSV file: MW consumed by each load of the zone, or by all loads of each bus.

    Args:
        path: columns `time` and one per node, 8,760 or 8,784 rows.
        networks: by feeder; ids of the zone have its name before them.
        utc_offset_s: of the market's clock; the year begins at its midnight.

    Raises:
        SeriesError: with every fault found: a node without a column, an hour without a value.
        DayError: the year does not begin at midnight, or something is consumed less than nothing.
    """
    sizes = _sizes(networks)
    there = set(read_series(path).ids)
    by_load = any(name in there for name in sizes)
    nodes = list(sizes) if by_load else list(dict.fromkeys(bus for bus, _ in sizes.values()))
    readings = read_nodal_year(path, nodes)
    if (readings.value < 0).any():
        raise DayError(f"{path.name}: {nodes[int(np.argwhere(readings.value < 0)[0][0])]} consumes less than nothing")
    row = {name: n for n, name in enumerate(nodes)}
    power_w = [
        1e6 * (readings.value[row[n]] if by_load else readings.value[row[bus]] * part)
        for n, (bus, part) in sizes.items()
    ]
    return Year(_span(path, readings, utc_offset_s), tuple(sizes), np.array(power_w).reshape(len(sizes), -1))


def _span(path: Path, readings: Readings, utc_offset_s: int) -> Day:
    begins_s = readings.start_s + utc_offset_s
    if begins_s % _DAY_S:
        began = datetime.fromtimestamp(begins_s, UTC)
        raise DayError(f"{path.name}: the year begins at {began:%H:%M} of the market's clock, not at midnight")
    on = datetime.fromtimestamp(begins_s, UTC).date()
    return Day(on, HOUR_S, utc_offset_s, days=readings.value.shape[1] * HOUR_S // _DAY_S)


def _sizes(networks: Mapping[str, Network]) -> dict[str, tuple[str, float]]:
    """Bus of every load, and its part of what the loads there consume in the network."""
    found: dict[str, tuple[str, float]] = {}
    for feeder, network in networks.items():
        prefix = f"{feeder}{SEPARATOR}" if feeder else ""
        loads = network.loads
        bus = network.nodes.bus[np.maximum(loads.node[:, 0, 0], 0)]
        power_w = np.abs(loads.power_va.real.sum(axis=1))
        total_w = np.zeros(len(network.buses.ids))
        np.add.at(total_w, bus, power_w)
        count = np.bincount(bus, minlength=len(total_w))
        part = np.where(total_w[bus] > 0, power_w / np.maximum(total_w[bus], 1e-9), 1 / np.maximum(count[bus], 1))
        for name, at, share in zip(loads.ids, bus.tolist(), part.tolist(), strict=True):
            found[prefix + name] = (prefix + network.buses.ids[at], share)
    return found
