"""Which meter data a baseline stands on, and the baseline from them by the program's method."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from gateway.coordination.market import SettlementRules
from gateway.coordination.situation import Situation
from gateway.settlement import baselines
from gateway.settlement.baselines import Baseline, BaselineError, Day
from gateway.settlement.schedule import Asked, AskedBy, pieces
from gateway.settlement.words import MeterInterval, MeterQuality

DAYS = 40
"""How far back suitable days are looked for."""
BEFORE_S = 3_600.0
"""The window before an event that `meter_before_after` and the adjustment of days look at…"""
GAP_S = 3_600.0
"""…for the latter with this distance, so that the event itself does not move its own baseline."""
DAY_S = 86_400.0

Windows = tuple[tuple[float, float], ...]
"""Start and length of intervals."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Meter data of one resource over some intervals."""

    resource: str
    windows: Windows


Series = Mapping[Wanted, Sequence[MeterInterval]]
"""What there was for each; intervals without data are missing."""


def method(at: Situation, asked: Asked) -> str:
    """By which its baseline is found; wholesale schedules are of the power itself."""
    program = at.zone.market.programs.get(asked.program)
    return "zero" if program is None or asked.by is not AskedBy.ORDER else program.baseline


def needed(at: Situation, asked: Asked) -> tuple[Wanted, ...]:
    """The meter data beside the event's own."""
    event = _event(at, asked)
    match method(at, asked):
        case "meter_before_after":
            return (Wanted(asked.resource, _before(at, asked, 0.0)),)
        case "high_x_of_y" | "mid_x_of_y" | "regression":
            before = _before(at, asked, GAP_S)
            days = [Wanted(asked.resource, _shifted((*before, *event), -n)) for n in range(1, DAYS + 1)]
            return (Wanted(asked.resource, before), *days)
        case "control_group":
            program = at.zone.market.programs[asked.program]
            before = _before(at, asked, 0.0)
            group = [Wanted(name, (*before, *event)) for name in program.control_group]
            return (Wanted(asked.resource, before), *group)
        case _:
            return ()


def baseline(at: Situation, asked: Asked, series: Series) -> tuple[Baseline, tuple[str, ...]]:
    """The power without what was asked, per interval, and what a reader has to know about it.

    A method that what there is does not suffice for gives way to the window before, and that to zero.
    """
    wanted, count = method(at, asked), len(_event(at, asked))
    try:
        return _METHODS[wanted](at, asked, series), ()
    except (BaselineError, ValueError) as error:
        note = f"baseline {wanted} of {asked.ref} cannot be made: {error}"
    if wanted == "meter_before_after":
        return baselines.nothing(count), (f"{note}; zero instead",)
    try:
        return _from_before(at, asked, series), (f"{note}; meter_before_after instead",)
    except BaselineError:
        return baselines.nothing(count), (f"{note}; zero instead",)


def _zero(at: Situation, asked: Asked, _: Series) -> Baseline:
    return baselines.nothing(len(_event(at, asked)))


def _from_before(at: Situation, asked: Asked, series: Series) -> Baseline:
    known = series.get(Wanted(asked.resource, _before(at, asked, 0.0)), ())
    return baselines.meter_before([one.power_w for one in known], len(_event(at, asked)))


def _from_days(at: Situation, asked: Asked, series: Series) -> Baseline:
    days, before = _days(at, asked, series), _before(at, asked, GAP_S)
    before_w = [one.power_w for one in series.get(Wanted(asked.resource, before), ())]
    choose = baselines.high_x_of_y if method(at, asked) == "high_x_of_y" else baselines.mid_x_of_y
    return choose(days, before_w)


def _from_temperature(at: Situation, asked: Asked, series: Series) -> Baseline:
    rules = at.zone.settlement
    today = _date(rules, asked.start_s)
    if today not in rules.temperatures_c:
        raise BaselineError(f"settlement.temperatures_c of the zone file has nothing for {today}")
    return baselines.regression(_days(at, asked, series), rules.temperatures_c, rules.temperatures_c[today])


def _from_group(at: Situation, asked: Asked, series: Series) -> Baseline:
    before, event = _before(at, asked, 0.0), _event(at, asked)
    group = [
        {one.start_s: one.power_w for one in series.get(Wanted(name, (*before, *event)), ())}
        for name in at.zone.market.programs[asked.program].control_group
    ]
    own = {one.start_s: one.power_w for one in series.get(Wanted(asked.resource, before), ())}
    common = [start_s for start_s, _ in before if start_s in own and all(start_s in one for one in group)]
    if not group or not common or any(start_s not in one for one in group for start_s, _ in event):
        raise BaselineError(f"the control group {', '.join(_names(at, asked)) or '(empty)'} has gaps in its meter data")
    mean = {start_s: sum(one[start_s] for one in group) / len(group) for start_s in (*common, *(s for s, _ in event))}
    return baselines.control_group(
        [mean[start_s] for start_s, _ in event], [own[s] for s in common], [mean[s] for s in common]
    )


def _names(at: Situation, asked: Asked) -> tuple[str, ...]:
    return at.zone.market.programs[asked.program].control_group


def _from_nomination(at: Situation, asked: Asked, _: Series) -> Baseline:
    told, event = at.book.accounts.nominations.get(asked.resource), _event(at, asked)
    if told is None:
        raise BaselineError(f"nobody has nominated the power of {asked.resource}")
    places = [int((start_s - told.start_s) // (60 * told.length_min)) for start_s, _ in event]
    if places[0] < 0 or places[-1] >= len(told.powers_w):
        raise BaselineError(f"the nomination for {asked.resource} does not cover the event")
    return baselines.nomination([told.powers_w[place] for place in places])


def _from_forecast(at: Situation, asked: Asked, _: Series) -> Baseline:
    forecast = at.zone.resources[asked.resource].forecast
    if forecast is None:
        raise BaselineError(f"{asked.resource} has no forecast")
    return baselines.potential([forecast.at(start_s) for start_s, _ in _event(at, asked)])


_METHODS = {
    "zero": _zero,
    "meter_before_after": _from_before,
    "high_x_of_y": _from_days,
    "mid_x_of_y": _from_days,
    "regression": _from_temperature,
    "control_group": _from_group,
    "nomination": _from_nomination,
    "forecast_potential": _from_forecast,
}


def _days(at: Situation, asked: Asked, series: Series) -> tuple[Day, ...]:
    """Suitable days with all their meter data."""
    rules, before, event = at.zone.settlement, _before(at, asked, GAP_S), _event(at, asked)
    found = []
    for n in range(1, DAYS + 1):
        windows = _shifted((*before, *event), -n)
        known = {one.start_s: one for one in series.get(Wanted(asked.resource, windows), ())}
        if any(start_s not in known or known[start_s].quality is MeterQuality.BAD for start_s, _ in windows):
            continue
        powers = [known[start_s].power_w for start_s, _ in windows]
        day = Day(_date(rules, event[0][0] - n * DAY_S), tuple(powers[len(before) :]), tuple(powers[: len(before)]))
        found.append(day)
    starts = at.book.accounts.event_days.get(asked.resource, ())
    events = {_date(rules, start_s) for start_s in starts}
    return baselines.suitable(found, frozenset(events | rules.holidays))


def _event(at: Situation, asked: Asked) -> Windows:
    return tuple(pieces(asked.start_s, asked.end_s, at.zone.clocks.interval_s))


def _before(at: Situation, asked: Asked, gap_s: float) -> Windows:
    end_s = asked.start_s - gap_s
    return tuple(pieces(end_s - BEFORE_S, end_s, at.zone.clocks.interval_s))


def _shifted(windows: Windows, days: int) -> Windows:
    return tuple((start_s + days * DAY_S, length_s) for start_s, length_s in windows)


def _date(rules: SettlementRules, time_s: float) -> date:
    """The market's calendar day."""
    return (datetime.fromtimestamp(time_s, UTC) + timedelta(seconds=rules.utc_offset_s)).date()
