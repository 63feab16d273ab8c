"""The DER's variables in an OPC UA folder: their names, and how a control becomes their values.

Every DER is one folder; its variables are found by the name part of their BrowseName, in whatever
namespace. Powers are W, positive for injection; a server may use any numeric type. A device takes a
control over when `Version` is written, which is why it comes last. `docs/opcua.md` is the manual.
"""

import struct
from collections.abc import Callable, Mapping
from enum import Enum
from math import ceil, floor, isclose

from protocols.points import Quantity
from protocols.signals import Control, GridSwitch

MEASURED: Mapping[str, Quantity] = {
    "ActivePower": Quantity.ACTIVE_POWER_W,
    "ReactivePower": Quantity.REACTIVE_POWER_VAR,
    "AvailablePower": Quantity.AVAILABLE_POWER_W,
    "StateOfCharge": Quantity.STATE_OF_CHARGE_PU,
    "Voltage": Quantity.VOLTAGE_V,
    "Frequency": Quantity.FREQUENCY_HZ,
    "LimitMaxInForce": Quantity.CEILING_W,
    "LimitMinInForce": Quantity.FLOOR_W,
}
"""Variables that are read; only `ActivePower` must exist."""

VERSION = "Version"
VALID_UNTIL = "ValidUntil"
WATCHDOG = "Watchdog"
"""Counter that the gateway moves while it lives."""
WATCHDOG_TIMEOUT = "WatchdogTimeout"
DISCONNECT = "Disconnect"
"""True takes the device off the grid until the lease ends; optional, and moved in emergencies alone."""
RESULT = "Result"
"""The device's verdict on the last control: 0 taken over, else a reason to refuse."""
REFUSALS: Mapping[int, str] = {1: "refused by its owner", 2: "value out of range", 3: "older than the version in force"}
READ_BACK_TOLERANCE = 1e-3
"""Watts or seconds; covers the resolution of DateTime."""
SMALLEST_FLOAT = 2.0**-149
"""The smallest 32-bit float above zero."""


class Kind(Enum):
    """What a variable's type does to a number."""

    DOUBLE = "double"
    FLOAT = "float"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    DATE_TIME = "date_time"


class Rounding(Enum):
    """Toward which side a value that its type cannot hold may move."""

    DOWN = "down"
    UP = "up"
    NEAREST = "nearest"


CONTROL: Mapping[str, Rounding] = {
    "LimitMax": Rounding.DOWN,
    "LimitMaxEnabled": Rounding.NEAREST,
    "LimitMin": Rounding.UP,
    "LimitMinEnabled": Rounding.NEAREST,
    "Target": Rounding.NEAREST,
    "TargetEnabled": Rounding.NEAREST,
    "FallbackMax": Rounding.DOWN,
    "FallbackMaxEnabled": Rounding.NEAREST,
    "FallbackMin": Rounding.UP,
    "FallbackMinEnabled": Rounding.NEAREST,
    DISCONNECT: Rounding.NEAREST,
    WATCHDOG_TIMEOUT: Rounding.NEAREST,
    VALID_UNTIL: Rounding.NEAREST,
    VERSION: Rounding.NEAREST,
}
"""Variables that a control writes, in the order of writing."""


LIMITS = ("LimitMax", "LimitMaxEnabled", "LimitMin", "LimitMinEnabled")


def control_values(control: Control, watchdog_s: float) -> dict[str, float]:
    """What the variables must hold for `control`; a side left open is disabled and its value not touched."""
    sides = {
        "LimitMax": control.limit.ceiling_w,
        "LimitMin": control.limit.floor_w,
        "Target": control.target_w,
        "FallbackMax": control.fallback.ceiling_w,
        "FallbackMin": control.fallback.floor_w,
    }
    values: dict[str, float] = {}
    for name, value in sides.items():
        if value is not None:
            values[name] = value
        values[f"{name}Enabled"] = 0.0 if value is None else 1.0
    values[WATCHDOG_TIMEOUT] = watchdog_s
    values[VALID_UNTIL] = control.expiry_s
    values[VERSION] = float(control.version)
    return ordered(values | switched(control.grid_switch))


def switched(grid_switch: GridSwitch) -> dict[str, float]:
    """What the switch to the grid must hold; nothing where it is left to whoever moved it last."""
    return {} if grid_switch is GridSwitch.LEAVE else {DISCONNECT: float(grid_switch is GridSwitch.OPEN)}


def release_values(
    baseline: Mapping[str, float], version: int, now_s: float, grid_switch: GridSwitch = GridSwitch.LEAVE
) -> dict[str, float]:
    """What the variables must hold for the owner to have the device back; without a baseline, nothing enabled.

    A lease in the baseline that has run out since leaves its fallback.
    """
    values = {name: 0.0 for name in CONTROL if name.endswith("Enabled")} | {WATCHDOG_TIMEOUT: 0.0, VALID_UNTIL: 0.0}
    values |= {name: value for name, value in baseline.items() if name in CONTROL and name != DISCONNECT}
    if 0.0 < values[VALID_UNTIL] <= now_s:
        values |= {
            name: values[name.replace("Limit", "Fallback")]
            for name in LIMITS
            if name.replace("Limit", "Fallback") in values
        }
        values[VALID_UNTIL] = 0.0
    values[VERSION] = float(version)
    return ordered(values | switched(grid_switch))


def ordered(values: Mapping[str, float]) -> dict[str, float]:
    """The same in the order of writing."""
    return {name: values[name] for name in CONTROL if name in values}


def fitted(values: Mapping[str, float], kinds: Mapping[str, Kind]) -> tuple[dict[str, float], list[str]]:
    """Values that the device's variables can hold, and the variables that it lacks.

    What is only to be disabled, the watchdog and the switch to the grid may be lacking: such a device has nothing to
    disable, and in an emergency its limit of no power.
    """
    lacking = [name for name, value in values.items() if name not in kinds and not _dispensable(name, value)]
    fits = {name: as_kind(value, kinds[name], CONTROL[name]) for name, value in values.items() if name in kinds}
    return fits, lacking


def as_kind(value: float, kind: Kind, rounding: Rounding) -> float:
    """The nearest number that `kind` can hold on the side that `rounding` allows."""
    match kind:
        case Kind.INTEGER:
            return float(_ROUND[rounding](value))
        case Kind.FLOAT:
            return _as_float32(value, rounding)
        case Kind.BOOLEAN:
            return 1.0 if value else 0.0
        case Kind.DATE_TIME:
            return round(value, 3)
        case Kind.DOUBLE:
            return value


def differing(requested: Mapping[str, float], read_back: Mapping[str, float]) -> list[str]:
    """Names whose value did not come back."""
    return [
        name
        for name, value in requested.items()
        if name not in read_back or not isclose(value, read_back[name], rel_tol=1e-9, abs_tol=READ_BACK_TOLERANCE)
    ]


def verdict(result: float | None) -> str:
    """Why the device refuses, from its `Result`; empty where it does not."""
    if not result:
        return ""
    return REFUSALS.get(int(result), f"Result {result:g}")


_ROUND: Mapping[Rounding, Callable[[float], int]] = {Rounding.DOWN: floor, Rounding.UP: ceil, Rounding.NEAREST: round}


def _dispensable(name: str, value: float) -> bool:
    return name in (WATCHDOG_TIMEOUT, DISCONNECT) or (name in _OPTIONAL and value == 0.0)


_OPTIONAL = frozenset(name for name in CONTROL if name.endswith("Enabled")) | {VALID_UNTIL}


def _as_float32(value: float, rounding: Rounding) -> float:
    """The neighbour among the 32-bit floats: bits of one sign are ordered as their magnitudes."""
    (near,) = struct.unpack("<f", struct.pack("<f", value))
    too_high = rounding is Rounding.DOWN and near > value
    too_low = rounding is Rounding.UP and near < value
    if not (too_high or too_low):
        return float(near)
    if near == 0.0:
        return -SMALLEST_FLOAT if too_high else SMALLEST_FLOAT
    (bits,) = struct.unpack("<i", struct.pack("<f", near))
    toward_zero = (near > 0) == too_high
    (next_one,) = struct.unpack("<f", struct.pack("<i", bits - 1 if toward_zero else bits + 1))
    return float(next_one)
