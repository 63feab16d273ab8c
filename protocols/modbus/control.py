"""From a control to registers of a SunSpec DER, without I/O: what to write, in which order, or why it cannot be done.

A storage of the legacy models takes a lower limit by model 124, whose points are then joined to those of model 123.
An upper limit becomes a percentage of WMax, rounded down. The reversion value, its timer and the
enable go out in one write, so that a limit never comes into force without the reversion behind it.
A lower limit, or an upper limit below zero, is not in the language of percent limits: it becomes a
set point inside the limits, where the device takes one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from protocols.modbus.codec import OutOfRangeError, Rounding, decode_raw, encode, scaled
from protocols.modbus.plan import Plan, Refusal, Wanted
from protocols.modbus.settings import PercentOf, SunSpecDer
from protocols.modbus.sunspec import Model, Reading, Write, writes
from protocols.signals import Bounds, Control

LEGACY: Final = 123
CONTROL_MODELS: Final = (704, LEGACY)
"""Of these the first that the device has is used."""
CAPACITY: Final[Mapping[int, tuple[str, ...]]] = {702: ("WMax", "WMaxRtg"), 121: ("WMax",), 120: ("WRtg",)}
"""Where a device tells what 100 % are, best first."""
CEILING: Final[Mapping[int, tuple[str, ...]]] = {
    704: ("WMaxLimPctEna", "WMaxLimPct"),
    123: ("WMaxLim_Ena", "WMaxLimPct"),
}
"""What tells the limit in force."""
_RATINGS: Final = frozenset(("WMaxRtg", "WRtg"))
LEGACY_TIMER_MAX_S: Final = 0xFFFE
TIMER_MAX_S: Final = 0xFFFF_FFFE
WATTS: Final = 1
"""704.WSetMod: the set point is in watts."""

LIMIT, TARGET, STORAGE = "limit", "target", "storage"
GROUPS: Final[Mapping[int, Mapping[str, tuple[tuple[str, ...], ...]]]] = {
    704: {
        LIMIT: (("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms"),),
        TARGET: (("WSetEnaRvrt", "WSetRvrtTms"), ("WSetEna", "WSetMod", "WSet", "WSetRvrt")),
    },
    123: {
        LIMIT: (("WMaxLimPct", "WMaxLimPct_RvrtTms"), ("WMaxLim_Ena",)),
        STORAGE: (("InWRte", "InOutWRte_RvrtTms"), ("StorCtl_Mod",)),
    },
}
"""By model and function: the points to write, stage by stage."""
_OWED: Final = frozenset(("WMaxLimPctEna", "WMaxLimPct", "WMaxLim_Ena", "WSetEna", "WSet"))
"""Written even if they read as not implemented; every other point only where the device implements it."""
_ROUND_DOWN: Final = frozenset(("WMaxLimPct", "WMaxLimPctRvrt", "InWRte"))
STORAGE_MODEL: Final = 124
STORAGE_POINTS: Final = ("StorCtl_Mod", "InWRte", "InOutWRte_RvrtTms")
CHARGE: Final = 0b01
"""124.StorCtl_Mod: the rate of charge is limited; the other bit is that of discharge, and is left alone."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What has just been read from the device, and what is known of it."""

    der: SunSpecDer
    model: Model
    """The control model, one of `CONTROL_MODELS`."""
    reading: Reading
    """Of the control model."""
    w_max_w: float
    """What 100 % are."""
    power_w: float
    """Last measured active power; 0 where unknown."""
    baseline: Wanted
    """What the registers held before this gateway wrote them, by names of `prefixed`."""
    held: frozenset[str]
    """Functions (`LIMIT`, `TARGET`) that the gateway has taken over."""

    @property
    def is_sparing(self) -> bool:
        """True where registers that hold what they should are not written again."""
        return self.der.quirks.writes_per_day is not None


@dataclass(slots=True)
class _Draft:
    """A plan in the making."""

    functions: dict[str, dict[str, float]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def w_max(
    readings: Mapping[int, Mapping[str, float | None]],
    nameplate_w: float,
    percent_of: PercentOf = PercentOf.SETTING,
) -> float:
    """What 100 % are: the setting, else the rating, else the nameplate of our own settings."""
    for model_id, names in CAPACITY.items() if percent_of is not PercentOf.NAMEPLATE else ():
        for name in names:
            value = readings.get(model_id, {}).get(name)
            if value is not None and value > 0 and (percent_of is PercentOf.SETTING or name in _RATINGS):
                return value
    return nameplate_w


def rated_w(readings: Mapping[int, Mapping[str, float | None]]) -> float | None:
    """The rating on the device's nameplate, where it tells one."""
    for model_id, names in CAPACITY.items():
        for name in _RATINGS.intersection(names):
            value = readings.get(model_id, {}).get(name)
            if value is not None and value > 0:
                return value
    return None


def ceiling_in_force_w(model: Model, values: Mapping[str, float | None], w_max_w: float) -> float | None:
    """The upper limit as the device reports it, WMax where none is enabled, `None` where it does not tell."""
    enabled = values.get("WMaxLimPctEna" if model.model_id == 704 else "WMaxLim_Ena")
    percent = values.get("WMaxLimPct")
    if enabled is None:
        return None
    if enabled != 1:
        return w_max_w
    return None if percent is None else percent / 100 * w_max_w


def baseline(model: Model, values: Mapping[str, float | None]) -> dict[str, float]:
    """The control points that the device implements, by names of `prefixed`.

    A timer that is not running counts as 0: its register still holds the time of some earlier lease,
    and to write that back would put an end to a limit that had none.
    """
    names = [name for stages in GROUPS[model.model_id].values() for stage in stages for name in stage]
    held = {name: value for name in names if (value := values.get(name)) is not None}
    idle = {name for name in held if name.endswith("RvrtTms") and values.get(f"{name[:-3]}Rem") == 0}
    return prefixed(model, held | dict.fromkeys(idle, 0.0))


def prefixed(model: Model, values: Wanted) -> dict[str, float]:
    """The names that people and the journal see: `704.WMaxLimPct`."""
    return {_key(model, name): value for name, value in values.items()}


def _key(model: Model, name: str) -> str:
    return f"{STORAGE_MODEL if name in STORAGE_POINTS else model.model_id}.{name}"


def plan_control(control: Control, remaining_s: float, state: DeviceState) -> Plan | Refusal:
    """What to write so that `control` holds for `remaining_s` and then its fallback does."""
    limit, der = control.limit, state.der
    fallback = der.fallback if control.fallback.is_open else control.fallback
    draft = _Draft()
    reversion_s = ceil(remaining_s)
    asks_floor = limit.floor_w is not None and limit.floor_w > der.floor_w
    if asks_floor and _takes_floor(state, limit):
        _floor(draft, state, limit, fallback, reversion_s)
        asks_floor = False
    elif STORAGE in state.held:
        draft.functions[STORAGE] = _restored(state, STORAGE)
    outside = (limit.ceiling_w or 0.0) < 0 or asks_floor
    target_w = control.target_w
    if target_w is None and outside:
        target_w = state.power_w
        draft.notes.append("the limit is kept by a set point inside it")
    if limit.ceiling_w is not None:
        refusal = _limit(draft, state, limit.ceiling_w, fallback, reversion_s)
        if refusal is not None and not (outside and _takes_set_points(state)):
            return refusal
    elif LIMIT in state.held:
        draft.functions[LIMIT] = _restored(state, LIMIT)
    if target_w is not None:
        if not _takes_set_points(state):
            return Refusal(_no_set_point(control, state))
        _target(draft, limit.clamp(target_w), reversion_s)
    elif TARGET in state.held:
        draft.functions[TARGET] = _restored(state, TARGET)
    return _plan(draft, state, limit)


def plan_release(values: Wanted, state: DeviceState) -> Plan | Refusal:
    """What to write so that the device is as it was; functions that were never taken over stay as they are."""
    known = values or state.baseline
    draft = _Draft()
    for function in GROUPS[state.model.model_id]:
        restored = _restored(state, function, known)
        if restored and (not state.held or function in state.held):
            draft.functions[function] = restored
    return _plan(draft, state, Bounds())


def tightens(plan: Plan, state: DeviceState) -> bool:
    """True where the plan takes power away, or moves a set point: such a plan is carried out whatever it wears."""
    values = state.reading.values
    percent = plan.requested.get("WMaxLimPct")
    if percent is not None:
        in_force_w = ceiling_in_force_w(state.model, values, state.w_max_w)
        if in_force_w is None or percent / 100 * state.w_max_w < in_force_w - 1e-6 * state.w_max_w:
            return True
    rate = plan.requested.get("InWRte")
    if rate is not None:
        held, limited = values.get("InWRte"), int(values.get("StorCtl_Mod") or 0) & CHARGE
        if not limited or held is None or rate < held:
            return True
    target = plan.requested.get("WSet")
    return target is not None and (values.get("WSetEna") != 1 or values.get("WSet") != target)


def _limit(draft: _Draft, state: DeviceState, ceiling_w: float, fallback: Bounds, reversion_s: int) -> Refusal | None:
    if state.w_max_w <= 0:
        return Refusal(f"{state.der.resource}: neither device nor settings say what 100 % are")
    if fallback.floor_w is not None and fallback.floor_w > state.der.floor_w and STORAGE not in draft.functions:
        draft.notes.append(f"the fallback's lower limit of {fallback.floor_w:.0f} W cannot be expressed")
    make = _limit_704 if state.model.model_id == 704 else _limit_123
    percent, least = _percent(ceiling_w, state), state.der.quirks.min_percent
    if percent < least:
        draft.notes.append(f"the device takes no limit below {least:g} %")
    values, notes = make(max(percent, least), fallback, state, reversion_s)
    if state.reading.values.get("WMaxLimPctEna" if state.model.model_id == 704 else "WMaxLim_Ena") is None:
        return Refusal(f"{state.der.resource}: model {state.model.model_id} does not implement an active power limit")
    draft.functions[LIMIT] = values
    draft.notes += notes
    draft.held.add(LIMIT)
    return None


def _limit_704(
    percent: float, fallback: Bounds, state: DeviceState, reversion_s: int
) -> tuple[dict[str, float], list[str]]:
    values = {
        "WMaxLimPctEna": 1.0,
        "WMaxLimPct": percent,
        "WMaxLimPctRvrt": 100.0 if fallback.ceiling_w is None else _percent(fallback.ceiling_w, state),
        "WMaxLimPctEnaRvrt": 0.0 if fallback.ceiling_w is None else 1.0,
        "WMaxLimPctRvrtTms": float(min(reversion_s, TIMER_MAX_S)),
    }
    return values, []


def _limit_123(
    percent: float, fallback: Bounds, state: DeviceState, reversion_s: int
) -> tuple[dict[str, float], list[str]]:
    """Model 123 reverts to no limit at all: where the fallback is a limit, no timer is armed and the limit stays."""
    reverts = fallback.ceiling_w is None or fallback.ceiling_w >= state.w_max_w
    notes = [] if reverts else ["the device can only fall back to no limit, so this limit stays until it is changed"]
    timer_s = float(min(reversion_s, LEGACY_TIMER_MAX_S)) if reverts else 0.0
    return {"WMaxLimPct": percent, "WMaxLimPct_RvrtTms": timer_s, "WMaxLim_Ena": 1.0}, notes


def _takes_floor(state: DeviceState, limit: Bounds) -> bool:
    """A storage can be told how fast it may charge; that it must discharge is not in its language."""
    implemented = all(state.reading.values.get(name) is not None for name in ("StorCtl_Mod", "InWRte"))
    return implemented and limit.floor_w is not None and limit.floor_w <= 0 and _charge_max_w(state) > 0


def _charge_max_w(state: DeviceState) -> float:
    """What 100 % of the rate of charge are."""
    return state.reading.values.get("WChaMax") or -state.der.floor_w


def _floor(draft: _Draft, state: DeviceState, limit: Bounds, fallback: Bounds, reversion_s: int) -> None:
    """Model 124 reverts to no limit of charge, as model 123 does of injection."""
    reverts = fallback.floor_w is None or fallback.floor_w <= state.der.floor_w
    if not reverts:
        draft.notes.append("the storage can only fall back to free charge, so this limit stays until it is changed")
    draft.functions[STORAGE] = {
        "InWRte": min(-(limit.floor_w or 0.0) / _charge_max_w(state) * 100, 100.0),
        "InOutWRte_RvrtTms": float(min(reversion_s, LEGACY_TIMER_MAX_S)) if reverts else 0.0,
        "StorCtl_Mod": float(int(state.reading.values.get("StorCtl_Mod") or 0) | CHARGE),
    }
    draft.held.add(STORAGE)


def _target(draft: _Draft, target_w: float, reversion_s: int) -> None:
    """A set point in watts that is given up when the lease runs out."""
    draft.functions[TARGET] = {
        "WSetEnaRvrt": 0.0,
        "WSetRvrtTms": float(min(reversion_s, TIMER_MAX_S)),
        "WSetEna": 1.0,
        "WSetMod": float(WATTS),
        "WSet": target_w,
        "WSetRvrt": 0.0,
    }
    draft.held.add(TARGET)


def _percent(ceiling_w: float, state: DeviceState) -> float:
    return min(max(ceiling_w / state.w_max_w * 100, 0.0), 100.0)


def _takes_set_points(state: DeviceState) -> bool:
    values = state.reading.values
    return state.model.model_id == 704 and values.get("WSetEna") is not None and "WSet" in state.reading.exponents


def _no_set_point(control: Control, state: DeviceState) -> str:
    if control.target_w is not None:
        wish = f"a set point of {control.target_w:.0f} W"
    else:
        wish = f"limits {control.limit.floor_w} W to {control.limit.ceiling_w} W"
    return f"{state.der.resource}: {wish} needs a set point in watts, which model {state.model.model_id} here lacks"


def _restored(state: DeviceState, function: str, values: Wanted | None = None) -> dict[str, float]:
    known = state.baseline if values is None else values
    names = [name for stage in GROUPS[state.model.model_id][function] for name in stage]
    keys = {name: _key(state.model, name) for name in names}
    return {name: known[key] for name, key in keys.items() if key in known}


def _plan(draft: _Draft, state: DeviceState, limit: Bounds) -> Plan | Refusal:
    requested: dict[str, float] = {}
    stages: list[Write] = []
    try:
        for function, values in draft.functions.items():
            for stage in GROUPS[state.model.model_id][function]:
                names = [name for name in stage if name in values and _has(name, state)]
                registers = {name: _registers(name, values[name], state, limit) for name in names}
                needed = {name: raw for name, raw in registers.items() if not _may_stay(function, name, raw, state)}
                stages += writes(state.model, needed)
                requested |= {name: _value(name, raw, state) for name, raw in registers.items()}
            if any(name.endswith("RvrtTms") and value > 0 and name not in requested for name, value in values.items()):
                draft.notes.append(f"the device has no reversion timer for its {function}, which stays until changed")
    except OutOfRangeError as error:
        return Refusal(f"{state.der.resource}: {error}")
    return Plan(tuple(stages), requested, frozenset(draft.held), tuple(draft.notes))


_SWITCHES: Final = {LIMIT: ("WMaxLimPctEna", "WMaxLim_Ena"), TARGET: ("WSetEna",), STORAGE: ("StorCtl_Mod",)}


def _may_stay(function: str, name: str, raw: tuple[int, ...], state: DeviceState) -> bool:
    """True where a register that wears already holds its value; never a timer, and never while something begins."""
    values = state.reading.values
    runs = function in state.held and any(values.get(switch) == 1 for switch in _SWITCHES[function])
    if not (state.is_sparing and runs) or name.endswith("RvrtTms"):
        return False
    return values.get(name) == _value(name, raw, state)


def _has(name: str, state: DeviceState) -> bool:
    return name in state.model and (name in _OWED or state.reading.values.get(name) is not None)


def _registers(name: str, value: float, state: DeviceState, limit: Bounds) -> tuple[int, ...]:
    point = state.model.points[name]
    exponent = state.reading.exponents.get(name, 0)
    if name in _ROUND_DOWN:
        return encode(point, value, exponent, Rounding.DOWN)
    registers = encode(point, value, exponent)
    if name == "WSet":
        rounded = _value(name, registers, state)
        if limit.ceiling_w is not None and rounded > limit.ceiling_w:
            return encode(point, value, exponent, Rounding.DOWN)
        if limit.floor_w is not None and rounded < limit.floor_w:
            return encode(point, value, exponent, Rounding.UP)
    return registers


def _value(name: str, registers: tuple[int, ...], state: DeviceState) -> float:
    value = scaled(decode_raw(state.model.points[name], registers), state.reading.exponents.get(name, 0))
    return 0.0 if value is None else value
