"""The drawings of a planner's study."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gateway.reports.findings import Findings
from grid_engine.model import FloatArray
from grid_engine.planning import Hosting, TimeSeries
from grid_engine.results import Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LINES = 8
"""More in one drawing cannot be told apart."""


def peaks_pct(series: TimeSeries) -> FloatArray:
    """Shape (n_asset,): the highest loading of each over the day."""
    return np.asarray(np.where(np.isfinite(series.loading_pct), series.loading_pct, -np.inf).max(axis=1))


def voltage(axes: "Axes", series: TimeSeries, study: Study) -> None:
    """The band of all nodes between its limits."""
    low, middle, high = series.voltage_pu
    hours = _hours(len(middle))
    axes.fill_between(hours, low, high, alpha=0.25, color="tab:blue", label="all nodes")
    axes.plot(hours, middle, color="tab:blue", label="median")
    for edge in (study.voltage_min_pu, study.voltage_max_pu):
        axes.axhline(edge, linestyle="--", color="tab:red", linewidth=1)
    _finish(axes, "pu")


def loading(axes: "Axes", series: TimeSeries) -> None:
    """The most loaded assets."""
    for n in np.argsort(-peaks_pct(series))[:MOST_LINES].tolist():
        axes.plot(_hours(series.loading_pct.shape[1]), series.loading_pct[n], label=series.assets[n])
    axes.axhline(100, linestyle="--", color="tab:red", linewidth=1)
    _finish(axes, "% of rating")


def power(axes: "Axes", series: TimeSeries) -> None:
    """What comes from above and what is lost."""
    hours = _hours(len(series.source_w))
    axes.plot(hours, series.source_w / 1e6, label="from the system above")
    axes.plot(hours, series.losses_w / 1e6, label="losses")
    axes.axhline(0, color="gray", linewidth=0.8)
    _finish(axes, "MW")


def envelopes(axes: "Axes", one: Findings, shown: Sequence[str]) -> None:
    """Ceilings solid, floors dashed."""
    hours = _hours(one.study.intervals)
    for n, name in enumerate(shown):
        mine = sorted((e for e in one.envelopes if e.resource == name), key=lambda e: e.interval)
        when = hours[[e.interval for e in mine]]
        axes.step(when, [e.ceiling_w / 1e6 for e in mine], where="post", color=f"C{n}", label=name)
        axes.step(when, [e.floor_w / 1e6 for e in mine], "--", where="post", color=f"C{n}")
    _finish(axes, "MW injected")


def hosting(axes: "Axes", found: Sequence[Hosting]) -> None:
    """Capacities in order."""
    axes.plot(sorted(h.export_w / 1e6 for h in found), label="export")
    axes.plot(sorted(h.import_w / 1e6 for h in found), label="import")
    axes.set_xlabel("buses, each in its own order")
    axes.set_ylabel("MW")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False)


def hosting_map(axes: "Axes", found: Sequence[Hosting], places: Mapping[str, tuple[float, float]]) -> None:
    """Capacities for injection at the places of their buses; grey where none was tried."""
    least: dict[str, float] = {}
    for one in found:
        least[one.bus] = min(one.export_w / 1e6, least.get(one.bus, float("inf")))
    others = [place for bus, place in places.items() if bus not in least]
    axes.plot([x for x, _ in others], [y for _, y in others], ".", color="0.8")
    there = [(*places[bus], capacity_mw) for bus, capacity_mw in least.items() if bus in places]
    dots = axes.scatter([x for x, _, _ in there], [y for _, y, _ in there], c=[mw for _, _, mw in there])
    axes.figure.colorbar(dots, ax=axes, label="MW")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel("east")
    axes.set_ylabel("north")


def _hours(count: int) -> FloatArray:
    return np.asarray(np.arange(count) * 24.0 / count)


def _finish(axes: "Axes", unit: str) -> None:
    axes.set_xlim(0, 24)
    axes.set_xticks(range(0, 25, 3))
    axes.set_xlabel("hour of the market's clock")
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, frameon=False, ncols=2)
