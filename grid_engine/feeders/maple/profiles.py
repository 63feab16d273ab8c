"""A day of the zone: a clear working day in late June, by kind of customer.

The shapes are assumed: bumps at hours when people get up, work, cook and charge, scaled to the feeders' peak in
the early evening. The sun is computed for the zone's place; the share of the panels' rating that arrives is
`_PERFORMANCE` of what a clear sky gives.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from grid_engine.feeders.maple.network import SEED
from grid_engine.feeders.maple.plan import Customer, plan
from grid_engine.forecasting.day import DAY_S, Day, Kind, Variation
from grid_engine.forecasting.solar import Panels, clear_sky_power_w
from grid_engine.model import FloatArray

LATITUDE_DEG, LONGITUDE_DEG = 43.9, -80.1
UTC_OFFSET_S = -5 * 3600
"""Standard time all year, as the market's clock."""
STEP_S = 900
_MIDNIGHT_S = 1_782_104_400
"""2026-06-22 00:00 at that offset, UTC epoch seconds."""
_PERFORMANCE = 0.86

_BUMPS: Mapping[str, tuple[float, Sequence[tuple[float, float, float]]]] = {
    # level at night, then bumps: hour of their top, width in hours, height
    "house": (0.32, ((7.3, 1.1, 0.22), (12.5, 2.5, 0.12), (18.2, 2.3, 0.66), (21.0, 1.5, 0.20))),
    "farm": (0.40, ((5.8, 1.2, 0.45), (12.0, 3.0, 0.15), (17.6, 1.7, 0.60))),
    "shop": (0.25, ((9.5, 1.5, 0.35), (13.0, 3.0, 0.45), (17.8, 1.8, 0.55))),
    "store": (0.35, ((10.0, 2.5, 0.45), (15.5, 3.5, 0.60))),
    "vehicle": (0.02, ((0.5, 2.2, 0.26), (8.5, 1.0, 0.04), (18.5, 1.8, 0.20), (22.5, 1.6, 0.24))),
    "battery": (0.0, ((11.5, 1.6, -0.45), (19.0, 1.5, 0.55))),
}
_VARIATIONS: Mapping[str, tuple[Variation, float]] = {
    **dict.fromkeys(("house", "shop"), (Variation.DIVERSE, 0.35)),
    "farm": (Variation.DIVERSE, 0.25),
    "store": (Variation.DIVERSE, 0.12),
    "vehicle": (Variation.SESSIONS, 2.5),
    "battery": (Variation.DIVERSE, 0.2),
    "sun": (Variation.CLOUDY, 0.55),
}


def build_day(seed: int = SEED) -> Day:
    """The day of the customers that `network.build` makes of the same seed."""
    members = [member for customer in plan(seed).customers for member in _members(customer)]
    return Day(
        step_s=STEP_S,
        kinds={name: Kind(_share(name), *variation) for name, variation in _VARIATIONS.items()},
        ids=tuple(name for name, _, _ in members),
        kind=tuple(kind for _, kind, _ in members),
        size_w=np.array([size_w for _, _, size_w in members]),
    )


def _members(customer: Customer) -> list[tuple[str, str, float]]:
    found = [
        (f"{customer.id}-L", customer.kind, customer.peak_w),
        (f"{customer.id}-EV", "vehicle", customer.ev_w),
        (f"{customer.id}-PV", "sun", customer.pv_w),
        (f"{customer.id}-BAT", "battery", customer.battery_w),
    ]
    return [member for member in found if member[2]]


def _share(name: str) -> FloatArray:
    if name == "sun":
        panels = Panels(LATITUDE_DEG, LONGITUDE_DEG, _PERFORMANCE, tilt_deg=25.0)
        starts = _MIDNIGHT_S + STEP_S * np.arange(DAY_S // STEP_S, dtype=np.int64)
        return np.asarray(np.round(clear_sky_power_w(panels, starts, STEP_S), 4))
    level, bumps = _BUMPS[name]
    hours = (np.arange(DAY_S // STEP_S) + 0.5) * STEP_S / 3600
    total = np.full(len(hours), level)
    for top, width, height in bumps:
        away = np.abs((hours - top + 12) % 24 - 12)
        total += height * np.exp(-((away / width) ** 2) / 2)
    return np.asarray(np.round(total, 4))
