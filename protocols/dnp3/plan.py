"""Instructions to controls: which outputs are written with what, in which order, and where each reads back."""

import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from protocols.dnp3.commands import AnalogCommand, AnalogForm, BinaryCommand, Command, Operation
from protocols.dnp3.headers import range_header, runs
from protocols.dnp3.layouts import STATIC_GROUPS, Kind
from protocols.dnp3.settings import DerPoints, Setpoint, Switch
from protocols.signals import Bounds, Control, Outcome

LIMIT_ENABLE, TARGET_ENABLE, CONNECT = "limit_enable", "target_enable", "connect"

Place = tuple[Kind, int]
"""Where a value is read: kind and index."""


class UnsupportedError(ValueError):
    """The device has no point for what was asked."""


@dataclass(frozen=True, slots=True)
class Write:
    """One control with its name and where its effect reads back."""

    name: str
    command: Command
    raw: float
    """What has to read back."""
    place: Place


def outputs(der: DerPoints) -> dict[str, Setpoint | Switch]:
    """All outputs of a DER by name, in the order in which they are written: switches follow what they switch on."""
    named: dict[str, Setpoint | Switch | None] = {
        "limit_reversion_s": der.limit_reversion,
        "fallback_ceiling": der.fallback_ceiling,
        "ceiling": der.ceiling,
        "floor": der.floor,
        LIMIT_ENABLE: der.limit_enable,
        "target_reversion_s": der.target_reversion,
        "target": der.target,
        TARGET_ENABLE: der.target_enable,
    }
    return {name: output for name, output in named.items() if output is not None}


def place_of(output: Setpoint | Switch) -> Place:
    """Where an output reads back."""
    return output.readback_kind, output.readback


def writes_of(der: DerPoints, values: Mapping[str, float]) -> list[Write]:
    """Controls that give the named outputs these raw values."""
    return [_write(name, output, float(values[name])) for name, output in outputs(der).items() if name in values]


def plan_control(
    der: DerPoints, control: Control, fallback: Bounds, baseline: Mapping[str, float], now_s: float
) -> list[Write]:
    """Controls that put a leased control into force.

    A side that is open is written as the baseline's where a limit was in force then, else as the nameplate; a limit or
    target that the control leaves to others is put back to the baseline.

    Raises:
        UnsupportedError: The device has no point for a part of it; nothing may be sent.
    """
    lease_s = max(1.0, math.ceil(control.expiry_s - now_s))
    values: dict[str, float] = {}
    if control.limit.is_open:
        values |= _of(baseline, ("limit_reversion_s", "ceiling", "floor", LIMIT_ENABLE))
    else:
        values |= _limit(der, control.limit, fallback if control.fallback.is_open else control.fallback)
        values |= {name: raw for name, raw in _others(control.limit, baseline).items() if name in values}
        values |= _lease("limit_reversion_s", der.limit_reversion, lease_s)
    if control.target_w is None:
        values |= _of(baseline, ("target_reversion_s", "target", TARGET_ENABLE))
    elif der.target is None:
        raise UnsupportedError(f"{der.resource} takes no set point")
    else:
        values["target"] = _raw(der.target, control.target_w, _Round.NEAREST)
        values[TARGET_ENABLE] = 1.0
        values |= _lease("target_reversion_s", der.target_reversion, lease_s)
    return writes_of(der, values)


def plan_switch(switch: Switch, *, closed: bool) -> Write:
    """The control that moves the switch to the grid; the map has no timer for it."""
    return _write(CONNECT, switch, float(closed))


def read_request(places: Iterable[Place]) -> bytes:
    """Objects of a READ that fetches these places by ranges."""
    by_kind: dict[Kind, set[int]] = {}
    for kind, index in places:
        by_kind.setdefault(kind, set()).add(index)
    return b"".join(
        range_header(STATIC_GROUPS[kind], 0, first, last)
        for kind, indices in by_kind.items()
        for first, last in runs(sorted(indices))
    )


def reads_equal(write: Write, value: float | None) -> bool:
    """Whether a read-back value is what was written, as far as a float32 tells."""
    return value is not None and math.isclose(value, write.raw, rel_tol=1e-6, abs_tol=1e-9)


def judge(
    writes: Sequence[Write], before: Mapping[str, float | None], found: Mapping[str, float], *, silent: bool
) -> tuple[Outcome, str]:
    """What became of writes, by what was read before and after them.

    `silent`: whether they were left without a usable answer. Where it was, and what differs holds what it held before,
    they have not arrived.
    """
    wrong = [write.name for write in writes if not reads_equal(write, found.get(write.name))]
    if not wrong:
        same_before = all(reads_equal(write, before.get(write.name)) for write in writes)
        return (Outcome.UNKNOWN, ", and it held the same before") if silent and same_before else (Outcome.WRITTEN, "")
    names = ", ".join(wrong)
    if silent and all(name in found and found[name] == before.get(name) for name in wrong):
        return Outcome.UNDELIVERED, f", and {names} is as before"
    refused = not silent and len(found) == len(writes)
    return Outcome.REJECTED if refused else Outcome.UNKNOWN, f", but {names} did not read back"


def _limit(der: DerPoints, limit: Bounds, fallback: Bounds) -> dict[str, float]:
    ceiling_w = der.ceiling_w if limit.ceiling_w is None else limit.ceiling_w
    floor_w = der.floor_w if limit.floor_w is None else limit.floor_w
    values = {"ceiling": _raw(der.ceiling, ceiling_w, _Round.DOWN), LIMIT_ENABLE: 1.0}
    if der.floor is not None:
        values["floor"] = _raw(der.floor, floor_w, _Round.UP)
    elif floor_w > der.floor_w:
        raise UnsupportedError(f"{der.resource} takes no lower limit, and {floor_w} W was asked for")
    if der.fallback_ceiling is not None:
        fallback_w = der.ceiling_w if fallback.ceiling_w is None else fallback.ceiling_w
        values["fallback_ceiling"] = _raw(der.fallback_ceiling, fallback_w, _Round.DOWN)
    return values


def _others(limit: Bounds, baseline: Mapping[str, float]) -> dict[str, float]:
    """What somebody else had limited before us, on the sides that we leave open."""
    if not baseline.get(LIMIT_ENABLE):
        return {}
    sides = {"ceiling": limit.ceiling_w, "floor": limit.floor_w}
    return _of(baseline, [name for name, limit_w in sides.items() if limit_w is None])


def _lease(name: str, timer: Setpoint | None, lease_s: float) -> dict[str, float]:
    return {} if timer is None else {name: _raw(timer, lease_s, _Round.UP)}


def _of(baseline: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    return {name: baseline[name] for name in names if name in baseline}


class _Round(Enum):
    """To which side a count may differ from the exact value."""

    DOWN = auto()
    UP = auto()
    NEAREST = auto()


def _raw(setpoint: Setpoint, value: float, to: _Round) -> float:
    """Counts for a value; integers and float32 are rounded to the side that is told."""
    exact = value / setpoint.unit
    if setpoint.form in {AnalogForm.INT16, AnalogForm.INT32}:
        nearest = round(exact)
        if to is _Round.NEAREST or math.isclose(exact, nearest, rel_tol=1e-12, abs_tol=1e-9):
            return float(nearest)
        return float(math.floor(exact) if to is _Round.DOWN else math.ceil(exact))
    if setpoint.form is AnalogForm.DOUBLE or to is _Round.NEAREST:
        return exact
    return _float32_beside(exact, up=to is _Round.UP)


_FLOAT32_TINY = 2.0**-149


def _float32_beside(value: float, *, up: bool) -> float:
    """The nearest float32 that is not on the wrong side of a value."""
    (nearest,) = struct.unpack("<f", struct.pack("<f", value))
    if nearest == value or (nearest > value) == up:
        return float(nearest)
    if nearest == 0:
        return _FLOAT32_TINY if up else -_FLOAT32_TINY
    bits = struct.unpack("<i", struct.pack("<f", nearest))[0]
    step = 1 if (nearest > 0) == up else -1
    return float(struct.unpack("<f", struct.pack("<i", bits + step))[0])


def _write(name: str, output: Setpoint | Switch, raw: float) -> Write:
    command: Command
    if isinstance(output, Switch):
        operation = Operation.LATCH_ON if raw else Operation.LATCH_OFF
        command = BinaryCommand(output.output, operation)
    else:
        command = AnalogCommand(output.output, raw, output.form)
    return Write(name, command, raw, place_of(output))
