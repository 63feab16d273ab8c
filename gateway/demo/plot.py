"""The picture of a demonstration: power against limit, loading and voltage over time."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gateway.demo.scene import Record, Scene

mpl.use("Agg")

RATING_A = {"L12": 154.2}
BAND_PU = (0.95, 1.05)


def save(played: Sequence[tuple[Scene, Record]], path: Path) -> None:
    """Write one column per scene: what the device did, what the line carried, what the voltage was."""
    figure = Figure(figsize=(5.2 * len(played) + 1.2, 7.2), layout="constrained")
    axes = figure.subplots(3, len(played), sharex="col", squeeze=False)
    for column, (scene, record) in enumerate(played):
        times = [s.at_s for s in record.samples]
        power, loading, voltage = axes[:, column]
        power.set_title(f"{scene.title}\n{scene.resource}: what it was asked and what it did", fontsize=10)
        power.plot(times, [s.power_mw[scene.resource] for s in record.samples], label="power", color="tab:blue")
        for other in (name for name in scene.offers if name != scene.resource):
            power.plot(times, [s.power_mw[other] for s in record.samples], label=f"power of {other}", linewidth=1)
        ceilings = [s.ceiling_mw[scene.resource] for s in record.samples]
        power.step(
            times,
            [float("nan") if c is None else c for c in ceilings],
            where="post",
            label="limit at the device",
            color="tab:red",
        )
        if scene.dispatch_mw is not None and not scene.node:
            power.axhline(scene.dispatch_mw, linestyle=":", color="gray", label="dispatched")
        power.set_ylabel("MW (injection)")
        percent = [100 * s.points["L12.current_a"] / RATING_A["L12"] for s in record.samples]
        loading.plot(times, percent, color="tab:orange", label="L12, true current")
        loading.axhline(100, linestyle="--", color="tab:red", linewidth=1, label="rating")
        loading.set_ylabel("% of rating")
        _predicted(loading, record, "L12", "loading_pct")
        voltage.plot(times, [s.points["B4.voltage_pu"] for s in record.samples], color="tab:green", label="B4")
        for edge in BAND_PU:
            voltage.axhline(edge, linestyle="--", color="tab:red", linewidth=1)
        voltage.set_ylabel("voltage, pu")
        _predicted(voltage, record, "B4", "value")
        voltage.set_xlabel("seconds")
        for axis in (power, loading, voltage):
            axis.grid(alpha=0.3)
            axis.legend(fontsize=8, loc="lower right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def _predicted(axis: Axes, record: Record, constraint: str, field: str) -> None:
    """Where the engine saw the network go without a limit."""
    seen = record.logged("violation.detected", constraint_id=constraint)
    if seen is not None:
        axis.axhline(seen[field], linestyle=":", color="gray", label="predicted without a limit")
