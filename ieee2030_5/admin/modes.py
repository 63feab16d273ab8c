"""Modes of the admin API and of the schema: powers toward zero, so that no limit grows by being written down."""

from collections.abc import Callable, Mapping
from typing import Any

from ieee2030_5 import resources as r
from ieee2030_5.admin.control_words import Modes
from ieee2030_5.admin.words import FixedVar, FreqDroop, PowerFactor

_PF_DIGITS = 4
"""Decimal places of a power factor: its multiplier is minus this."""
_TOLERANCE = 1e-9
_SHARES = frozenset({"opModFixedW", "opModMaxLimW"})
"""Percent here, hundredths of it there."""


def base_of(modes: Modes, curves: Callable[[str, str], r.Link]) -> r.DERControlBase:
    """The control that these modes ask for.

    Args:
        modes: what the operator wants.
        curves: reference of a mode to a curve by its id; raises where there is none.
    """
    given: dict[str, Any] = {}
    for name in Modes.model_fields:
        value = getattr(modes, name)
        if isinstance(value, str):
            given[name] = curves(name, value)
        elif value is not None:
            given[name] = _WRITE.get(name, _WRITE_TYPE.get(type(value), _same))(value)
    return r.DERControlBase(**given)


def modes_of(base: r.DERControlBase) -> Modes:
    """What a control asks for, as the operator would say it."""
    given: dict[str, Any] = {}
    for name in Modes.model_fields:
        element = getattr(base, name)
        if element is not None:
            read = _percent if name in _SHARES else _READ.get(type(element), _same)
            given[name] = read(element)
    return Modes(**given)


def _same(value: object) -> object:
    return value


def _hundredths(percent: float) -> int:
    return int(percent * 100 + (_TOLERANCE if percent > 0 else -_TOLERANCE))


def _percent(hundredths: int) -> float:
    return hundredths / 100


def _power(power: float) -> dict[str, int]:
    """Value and the least multiplier for which it fits 16 bits."""
    multiplier = 0
    while abs(power) / 10**multiplier >= 32_768:
        multiplier += 1
    return {"multiplier": multiplier, "value": int(power / 10**multiplier)}


def _displacement(factor: PowerFactor) -> r.PowerFactorWithExcitation:
    digits = round(factor.displacement * 10**_PF_DIGITS)
    return r.PowerFactorWithExcitation(displacement=digits, excitation=factor.excitation, multiplier=-_PF_DIGITS)


def _watts(power: r.ActivePower | r.ReactivePower) -> float:
    return float(power.value) * 10.0**power.multiplier


_WRITE: Mapping[str, Callable[[Any], object]] = {
    **dict.fromkeys(_SHARES, _hundredths),
    "opModTargetVar": lambda power: r.ReactivePower(**_power(power)),
}
_WRITE_TYPE: Mapping[type, Callable[[Any], object]] = {
    float: lambda power: r.ActivePower(**_power(power)),
    PowerFactor: _displacement,
    FixedVar: lambda share: r.FixedVar(refType=share.refType, value=_hundredths(share.value)),
    FreqDroop: lambda droop: r.FreqDroopType(**droop.model_dump()),
}
_READ: Mapping[type, Callable[[Any], object]] = {
    r.ActivePower: _watts,
    r.ReactivePower: _watts,
    r.Link: lambda link: link.href.rsplit("/", 1)[1],
    r.PowerFactorWithExcitation: lambda factor: PowerFactor(
        displacement=round(factor.displacement * 10.0**factor.multiplier, 6), excitation=factor.excitation
    ),
    r.FixedVar: lambda share: FixedVar(refType=share.refType, value=share.value / 100),
    r.FreqDroopType: lambda droop: FreqDroop(**{part: getattr(droop, part) for part in FreqDroop.model_fields}),
}
