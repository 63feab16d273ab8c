"""Watts to modes and back: what a control says in the dialect of its device, rounded toward safety."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil, floor

from ieee2030_5.resources import ActivePower, DERControlBase
from ieee2030_5.settings import Profile
from protocols.signals import Bounds

FULL = 10_000
"""100 % in hundredths of a percent."""
_LARGEST = 2**15 - 1
_TOLERANCE = 1e-9
"""A percentage that is whole but for floating point counts as whole."""


@dataclass(frozen=True, slots=True)
class Ratings:
    """What percentages count from."""

    max_w: float
    """`setMaxW`: greatest injection."""
    charge_w: float
    """`setMaxChargeRateW`: greatest consumption; 0 where the device cannot consume."""
    takes_storage_target: bool = False
    """It is storage and nothing else, and takes its set point in watts as `opModStorageTargetW`."""


class CannotSayError(ValueError):
    """The dialect has no mode for this control; the message says which part."""


def control_base(limit: Bounds, target_w: float | None, ratings: Ratings, profile: Profile) -> DERControlBase:
    """The modes that hold a device inside `limit`, and at `target_w` where one is given.

    The set of modes depends on the profile and on whether there is a set point, never on the numbers,
    so that successive events of one device supersede each other exactly. An open side is written as
    the device's rating.

    Raises:
        CannotSayError: a limit on consumption for a plain CSIP client, which knows none.
    """
    ceiling = ratings.max_w if limit.ceiling_w is None else limit.ceiling_w
    floor_w = -ratings.charge_w if limit.floor_w is None else limit.floor_w
    wanted = _set_point(ceiling, floor_w, target_w)
    fixed = None if wanted is None else signed_percent(wanted, ratings, up=floor_w > 0, down=ceiling < 0)
    if profile is not Profile.CSIP:
        target = wanted if ratings.takes_storage_target else None
        return DERControlBase(
            opModFixedW=fixed if target is None else None,
            opModStorageTargetW=None if target is None else _target(target, up=floor_w > 0, down=ceiling < 0),
            opModExpLimW=active_power(max(0.0, ceiling)),
            opModImpLimW=active_power(max(0.0, -floor_w)),
        )
    if floor_w > -ratings.charge_w and wanted is None:
        raise CannotSayError(f"a CSIP client knows no limit on consumption (floor {floor_w:.0f} W) without a set point")
    return DERControlBase(opModMaxLimW=percent_down(max(0.0, ceiling), ratings.max_w), opModFixedW=fixed)


def _set_point(ceiling: float, floor_w: float, target_w: float | None) -> float | None:
    """The power to ask for: a limit beyond zero is an order to consume or to inject, so it becomes one."""
    if target_w is not None:
        return max(floor_w, min(ceiling, target_w))
    if ceiling < 0:
        return ceiling
    return floor_w if floor_w > 0 else None


def percent_down(power_w: float, rating_w: float) -> int:
    """Hundredths of a percent of a rating, never above the power."""
    return max(0, min(FULL, floor(power_w / rating_w * FULL + _TOLERANCE)))


def signed_percent(power_w: float, ratings: Ratings, *, up: bool = False, down: bool = False) -> int:
    """opModFixedW: share of `setMaxW` when injecting, of `setMaxChargeRateW` when consuming (then negative).

    Rounds toward zero unless the power is itself a floor (`up`) or a ceiling (`down`).
    """
    rating = ratings.max_w if power_w >= 0 else ratings.charge_w
    if rating <= 0:
        if power_w < 0:
            raise CannotSayError(f"{power_w:.0f} W asked of a device that cannot consume")
        return 0
    share = power_w / rating * FULL
    if up:
        rounded = ceil(share - _TOLERANCE)
    elif down:
        rounded = floor(share + _TOLERANCE)
    else:
        rounded = int(share + (_TOLERANCE if share > 0 else -_TOLERANCE))
    return max(-FULL, min(FULL, rounded))


def active_power(power_w: float) -> ActivePower:
    """A limit in watts, never above the power: the least multiplier for which the value fits 16 bits."""
    return _scaled(power_w, lambda share: floor(share + _TOLERANCE))


def _target(power_w: float, *, up: bool, down: bool) -> ActivePower:
    """A set point in watts, rounded toward zero unless the power is itself a floor (`up`) or a ceiling (`down`)."""
    if up or (power_w < 0 and not down):
        return _scaled(power_w, lambda share: ceil(share - _TOLERANCE))
    return active_power(power_w)


def _scaled(power_w: float, rounded: Callable[[float], int]) -> ActivePower:
    multiplier = 0
    while abs(value := rounded(power_w / 10**multiplier)) > _LARGEST:
        multiplier += 1
    return ActivePower(multiplier=multiplier, value=value)


def watts(power: ActivePower) -> float:
    """The power that multiplier and value stand for."""
    return float(power.value) * 10.0**power.multiplier


_IN_WATTS = ("opModExpLimW", "opModImpLimW", "opModStorageTargetW")


def from_values(values: Mapping[str, float]) -> DERControlBase:
    """The control that `as_values` wrote down."""
    numbers: dict[str, int | None] = {
        name: int(values[name]) if name in values else None for name in ("opModFixedW", "opModMaxLimW")
    }
    powers: dict[str, ActivePower | None] = {
        name: active_power(values[name]) if name in values else None for name in _IN_WATTS
    }
    return DERControlBase(
        opModFixedW=numbers["opModFixedW"],
        opModMaxLimW=numbers["opModMaxLimW"],
        opModExpLimW=powers["opModExpLimW"],
        opModImpLimW=powers["opModImpLimW"],
        opModStorageTargetW=powers["opModStorageTargetW"],
    )


def as_values(base: DERControlBase) -> dict[str, float]:
    """The numbers of a control by mode, as the journal shows them."""
    values: dict[str, float] = {}
    for name in ("opModEnergize", "opModFixedW", "opModMaxLimW"):
        if (number := getattr(base, name)) is not None:
            values[name] = float(number)
    for name in _IN_WATTS:
        if (power := getattr(base, name)) is not None:
            values[name] = watts(power)
    return values
