"""What simulated inverters show of their size: scale factors that fit it, percentages of it, and their terminals.

Also the checks of what is written that all their models share.
"""

from math import ceil, isfinite, log10, sqrt
from typing import Final

from gateway.testbed.device import DeviceSpec
from protocols.modbus.server import RefusedError
from protocols.modbus.sunspec import ModelImage
from protocols.signals import Bounds

NOMINAL_V: Final = 480.0
"""Line to line at the terminals of the simulated inverters."""
LOWEST_PU, HIGHEST_PU = 0.5, 2.0
DC_V: Final = 1_000.0
"""Between inverter and array or battery; losses are left out."""
NOMINAL_HZ: Final = 60.0
PERCENT_EXPONENT: Final = -2
FULL_SCALE: Final = 32_000
MARGIN: Final = 1.25
"""Powers above the rating must still fit their register."""


def terminals(power_w: float, voltage_pu: float) -> tuple[float, float]:
    """Line-to-line voltage and current per conductor; the voltage counts as `LOWEST_PU` at least for the current."""
    voltage_pu = min(voltage_pu, HIGHEST_PU) if isfinite(voltage_pu) else 0.0
    return NOMINAL_V * voltage_pu, abs(power_w) / (sqrt(3) * NOMINAL_V * max(voltage_pu, LOWEST_PU))


def exponent(largest: float, full_scale: int) -> int:
    """The finest scale factor at which `largest` fits."""
    return max(ceil(log10(largest / full_scale)), 0) if largest > 0 else 0


def power_exponent(spec: DeviceSpec) -> int:
    """The scale factor for powers of this device."""
    return exponent(MARGIN * rating(spec), FULL_SCALE)


def current_exponent(spec: DeviceSpec) -> int:
    """The scale factor for its currents."""
    return exponent(MARGIN * rating(spec) / (sqrt(3) * NOMINAL_V * LOWEST_PU), FULL_SCALE)


def rating(spec: DeviceSpec) -> float:
    """The largest power that it may show."""
    return max(abs(spec.p_max_w), abs(spec.p_min_w), spec.s_max_va or 0.0)


def in_percent(limit: Bounds, spec: DeviceSpec) -> float:
    """An upper limit in percent of the rating; 100 where there is none."""
    if limit.ceiling_w is None or spec.p_max_w <= 0:
        return 100.0
    return min(max(100 * limit.ceiling_w / spec.p_max_w, 0.0), 100.0)


def in_watts(percent: float | None, spec: DeviceSpec) -> float:
    """A percentage of the rating; all of it where there is none."""
    return spec.p_max_w if percent is None else percent / 100 * spec.p_max_w


def check_switches(image: ModelImage, *names: str) -> None:
    """Raise `RefusedError` where one of these is neither on nor off."""
    for name in names:
        if image.get(name) not in (0.0, 1.0):
            raise RefusedError(f"{name}: {image.get(name)} is neither 0 nor 1")


def check_percent(image: ModelImage, *names: str) -> None:
    """Raise `RefusedError` where one of these is not within 0 to 100."""
    for name in names:
        value = image.get(name)
        if value is None or value > 100:
            raise RefusedError(f"{name}: {value} is not a percentage")
