"""A day of a zone as a planner asks for it: every device's power and the load, interval by interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from config.settings import ZoneFile
from gateway.coordination.zone import Resource, ZoneFacts
from grid_engine.forecasting.day import Day as CustomerDay
from grid_engine.forecasting.day import expected_share
from grid_engine.forecasting.profiles import Readings, resampled
from grid_engine.forecasting.solar import Panels, clear_sky_power_w
from grid_engine.results import Participant, Purpose, Study

LOAD_COLUMN = "load"
"""Of a profile: the factor on the loads of the network."""

_TYPICAL_LOAD = (
    *(0.52, 0.48, 0.46, 0.45, 0.46, 0.51, 0.60, 0.66, 0.68, 0.70, 0.73, 0.76),
    *(0.78, 0.79, 0.81, 0.84, 0.90, 0.97, 1.00, 0.98, 0.94, 0.85, 0.72, 0.60),
)
"""By hour of the market's clock, of the day's peak: a summer weekday of a residential area, as an assumption."""


class DayError(Exception):
    """The profile does not fit the zone or the day; says what and how to mend it."""


@dataclass(frozen=True, slots=True)
class Day:
    """Which day, in which steps; or several days that follow each other."""

    on: date
    step_s: int
    utc_offset_s: int
    """Of the market's clock, ahead of UTC."""
    days: int = 1

    @property
    def starts_s(self) -> tuple[int, ...]:
        """UTC epoch seconds at which the intervals begin."""
        first = int(datetime(self.on.year, self.on.month, self.on.day, tzinfo=UTC).timestamp()) - self.utc_offset_s
        return tuple(range(first, first + 86_400 * self.days, self.step_s))

    def label(self, interval: int) -> str:
        """Time of day by the market's clock, with the date where there are several days."""
        day, minutes = divmod(interval * self.step_s // 60, 24 * 60)
        date = f"{self.on + timedelta(days=day)} " if self.days > 1 else ""
        return f"{date}{minutes // 60:02d}:{minutes % 60:02d}"


@dataclass(frozen=True, slots=True)
class Customers:
    """The expected day of a network's loads and units."""

    day: CustomerDay
    loads: frozenset[str]
    """Ids of the network's loads; the other members are units."""

    def expected_w(self, day: Day) -> dict[str, tuple[float, ...]]:
        """By member, the mean power of each interval about its middle; a load's is consumption."""
        middles = (np.arange(len(day.starts_s), dtype=np.float64) + 0.5) * day.step_s
        share = {name: expected_share(kind, self.day.step_s, middles) for name, kind in self.day.kinds.items()}
        members = zip(self.day.ids, self.day.kind, self.day.size_w.tolist(), strict=True)
        return {name: tuple((size_w * share[kind]).tolist()) for name, kind, size_w in members}


def day_study(
    zone: ZoneFile,
    facts: ZoneFacts,
    day: Day,
    profile: Readings | None = None,
    customers: Customers | None = None,
    *,
    nodal_w: Mapping[str, tuple[float, ...]] | None = None,
) -> Study:
    """The zone's devices and loads over the day, nobody limited yet.

    What the profile has no column for: customers do as their day says; without one, the load follows a typical
    day up to the zone's first `load_scale`. Solar parks follow the clear sky, everything else stands still.
    Consumption by load that is given as `nodal_w` goes before all of these.

    Raises:
        DayError: a column names nothing, or a value of the day is missing.
    """
    given = {} if profile is None else _columns(profile, facts, day)
    load = given.pop(LOAD_COLUMN, None)
    if load is None:
        typical = [1.0] * len(day.starts_s) if customers else _typical_load(day)
        load = tuple(zone.network.load_scale[0] * f for f in typical)
    solar = {name for name, device in zone.devices.items() if device.kind == "pv"}
    expected = customers.expected_w(day) if customers else {}
    rules = facts.limits
    return Study(
        study_id=f"{facts.id}-{day.on.isoformat()}",
        purpose=Purpose.IMPACT,
        intervals=len(day.starts_s),
        participants=tuple(
            _participant(
                resource, given.get(name) or (_clear_sky_w(zone, resource, day) if name in solar else None), day
            )
            for name, resource in facts.resources.items()
        ),
        load_scale=load,
        load_w={name: w for name, w in expected.items() if customers and name in customers.loads} | dict(nodal_w or {}),
        unit_w={name: w for name, w in expected.items() if customers and name not in customers.loads},
        ratings=facts.ratings,
        policy=rules.policy,
        preexisting=rules.preexisting,
        voltage_min_pu=rules.voltage_min_pu,
        voltage_max_pu=rules.voltage_max_pu,
        margin_pct=rules.margin_pct,
        limit_step_w=rules.step_w,
    )


def _participant(resource: Resource, power_w: tuple[float, ...] | None, day: Day) -> Participant:
    series = power_w or (0.0,) * len(day.starts_s)
    return Participant(
        resource=resource.id,
        bus=resource.bus,
        phases=resource.phases,
        held_w=series,
        requested_w=series,
        floor_w=min(resource.floor_w, *series),
        ceiling_w=max(resource.ceiling_w, *series),
        adjustable=True,
        connected_on=resource.connected_on,
    )


def _typical_load(day: Day) -> list[float]:
    hours = (np.arange(len(day.starts_s)) + 0.5) * day.step_s / 3600 - 0.5
    return [
        float(f) for f in np.interp(hours, np.arange(-1, 25), (_TYPICAL_LOAD[-1], *_TYPICAL_LOAD, _TYPICAL_LOAD[0]))
    ]


def _clear_sky_w(zone: ZoneFile, resource: Resource, day: Day) -> tuple[float, ...]:
    place = zone.zone
    panels = Panels(place.latitude_deg, place.longitude_deg, resource.ceiling_w, tilt_deg=30.0)
    power_w = clear_sky_power_w(panels, np.array(day.starts_s, dtype=np.int64), day.step_s)
    return tuple(float(p) for p in np.minimum(power_w, resource.ceiling_w))


def _columns(profile: Readings, facts: ZoneFacts, day: Day) -> dict[str, tuple[float, ...]]:
    """Every column over the day: MW by device, and the factor on the load."""
    known = {*facts.resources, LOAD_COLUMN}
    strange = [name for name in profile.ids if name not in known]
    if strange:
        raise DayError(
            f"the profile has columns that the zone does not know: {', '.join(strange)}; "
            f"it may have `{LOAD_COLUMN}` and the ids of devices"
        )
    try:
        fine = resampled(profile, day.step_s)
    except ValueError as error:
        raise DayError(f"the profile does not fit intervals of {day.step_s} s: {error}") from error
    first = (day.starts_s[0] - fine.start_s) // day.step_s
    wanted = np.arange(first, first + len(day.starts_s))
    inside = (wanted >= 0) & (wanted < fine.value.shape[1])
    found: dict[str, tuple[float, ...]] = {}
    for name, series in zip(fine.ids, fine.value, strict=True):
        values = np.where(inside, series[np.clip(wanted, 0, len(series) - 1)], np.nan)
        missing = np.flatnonzero(np.isnan(values))
        if len(missing):
            raise DayError(f"the profile has no {name} at {day.label(int(missing[0]))} of {day.on.isoformat()}")
        factor = 1.0 if name == LOAD_COLUMN else 1e6
        found[name] = tuple(float(v) * factor for v in values)
    return found
