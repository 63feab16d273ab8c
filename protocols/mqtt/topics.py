"""The JSON messages below a DER's prefix: strict to read, bounded in size; `docs/mqtt.md` is the manual.

Powers are W, positive for injection; times are Unix seconds UTC. A bound that is absent or null is
open, a `valid_until` that is absent or null never comes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isclose, isfinite
from typing import TypeVar

import orjson

from protocols.points import Phase, Quantity
from protocols.signals import Control, Quality, Release

TELEMETRY = "telemetry"
LIMIT = "limit"
SETPOINT = "setpoint"
ACK = "ack"
STATE = "state"

MAX_BYTES = 16_384
"""Longest message that is read."""
MAX_TEXT = 1_000
"""Longest text within a message."""
MAX_INTEGER = 2**53
"""Integers above it are not exact in every JSON reader."""
TOLERANCE = 1e-3
"""Watts or seconds between what was asked and what a device says it obeys."""

LIMIT_TERMS = ("ceiling_w", "floor_w", "fallback_ceiling_w", "fallback_floor_w", "valid_until")
"""What a limit message says and a device repeats in `in_force`; a setpoint adds `target_w`."""
TARGET = "target_w"
VERSION = "version"

E = TypeVar("E", bound=StrEnum)


class TopicError(Exception):
    """A message that is not what its topic promises."""


class AckStatus(StrEnum):
    """What a device says of a limit or setpoint."""

    RECEIVED = "received"
    STARTED = "started"
    """In force from now on."""
    COMPLETED = "completed"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    """A newer version is in force, or came while this one was."""
    EXPIRED = "expired"
    """It came too late, or its `valid_until` has passed and the fallback is in force."""


@dataclass(frozen=True, slots=True)
class Value:
    """One measured value; `None` where the device had none or not a finite number."""

    value: float | None
    quality: Quality
    time_s: float | None
    """When it was taken; `None` where the message does not say."""


@dataclass(frozen=True, slots=True)
class DeviceAck:
    """A device's answer."""

    control_id: str
    version: int
    status: AckStatus
    detail: str = ""
    in_force: Mapping[str, float] | None = None
    """The terms that the device obeys now, open ones left out; `None` where it does not say."""


@dataclass(frozen=True, slots=True)
class DeviceState:
    """A device's birth, or its will."""

    online: bool
    in_force: Mapping[str, float] = field(default_factory=dict)


def limit_of(control: Control) -> dict[str, float]:
    """The terms of a control's limit, open ones left out."""
    terms = {
        "ceiling_w": control.limit.ceiling_w,
        "floor_w": control.limit.floor_w,
        "fallback_ceiling_w": control.fallback.ceiling_w,
        "fallback_floor_w": control.fallback.floor_w,
        "valid_until": control.expiry_s,
    }
    return {name: value for name, value in terms.items() if value is not None}


def restored(baseline: Mapping[str, float], now_s: float) -> dict[str, float]:
    """The terms that give a device back as it was; a lease that has run out since leaves its fallback."""
    terms = {name: value for name, value in baseline.items() if name in LIMIT_TERMS}
    if terms.get("valid_until", now_s + 1) > now_s:
        return terms
    fallback = {"ceiling_w": terms.get("fallback_ceiling_w"), "floor_w": terms.get("fallback_floor_w")}
    return {name: value for name, value in fallback.items() if value is not None}


def limit_message(instruction: Control | Release, terms: Mapping[str, float]) -> bytes:
    """The message that puts `terms` in force; what it does not name is open."""
    return _message(instruction, {name: terms.get(name) for name in LIMIT_TERMS})


def setpoint_message(instruction: Control | Release, target_w: float | None, valid_until_s: float | None) -> bytes:
    """The message that sets the target, or leaves it to the device's owner."""
    return _message(instruction, {TARGET: target_w, "valid_until": valid_until_s})


def gateway_state(*, online: bool) -> bytes:
    """The gateway's own birth and will."""
    return orjson.dumps({"state": "online" if online else "offline"})


def differing(requested: Mapping[str, float], in_force: Mapping[str, float], names: frozenset[str]) -> list[str]:
    """The terms among `names` that the device obeys otherwise than asked; an open one must be open."""
    return sorted(name for name in names if not _same(requested.get(name), in_force.get(name)))


def read_telemetry(payload: bytes) -> dict[tuple[Quantity, Phase], Value]:
    """`{"time": …, "values": {"active_power_w": …, "voltage_v.a": …}, "quality": …}` by quantity and phase.

    Quantities that are not in the vocabulary are left out: a device may tell more than we ask.

    Raises:
        TopicError: it is not such a message.
    """
    message = _object(payload)
    values = message.get("values")
    if not isinstance(values, dict):
        raise TopicError("`values` is not an object")
    time_s = _optional_number(message, "time")
    quality = _enum(Quality, message.get("quality", Quality.GOOD), "quality")
    found: dict[tuple[Quantity, Phase], Value] = {}
    for name, raw in values.items():
        key = _quantity(name)
        if key is not None:
            found[key] = _value(raw, quality, time_s)
    return found


def read_value(payload: bytes) -> Value:
    """A bare number, or `{"value": …, "time": …, "quality": …}`.

    Raises:
        TopicError: it is neither.
    """
    message = _json(payload)
    if not isinstance(message, dict):
        return _value(message, Quality.GOOD, None)
    quality = _enum(Quality, message.get("quality", Quality.GOOD), "quality")
    return _value(message.get("value"), quality, _optional_number(message, "time"))


def read_ack(payload: bytes) -> DeviceAck:
    """`{"control_id": …, "version": …, "status": …, "detail": …, "in_force": {…}}`.

    Raises:
        TopicError: it is not such a message.
    """
    message = _object(payload)
    version = message.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 0 <= version <= MAX_INTEGER:
        raise TopicError(f"`version` is {version!r}, not a whole number")
    return DeviceAck(
        control_id=_text(message, "control_id"),
        version=version,
        status=_enum(AckStatus, message.get("status"), "status"),
        detail=_text(message, "detail") if "detail" in message else "",
        in_force=_terms(message["in_force"]) if message.get("in_force") is not None else None,
    )


def read_state(payload: bytes) -> DeviceState:
    """`{"state": "online", "in_force": {…}}` or `{"state": "offline"}`.

    Raises:
        TopicError: it is neither.
    """
    message = _object(payload)
    state = message.get("state")
    if state not in ("online", "offline"):
        raise TopicError(f"`state` is {state!r}, neither online nor offline")
    return DeviceState(state == "online", _terms(message.get("in_force") or {}))


def _message(instruction: Control | Release, terms: Mapping[str, float | None]) -> bytes:
    header: dict[str, object] = {"control_id": instruction.control_id, VERSION: instruction.version}
    if isinstance(instruction, Control):
        header["start"] = instruction.start_s
    return orjson.dumps({**header, **terms})


def _json(payload: bytes) -> object:
    if len(payload) > MAX_BYTES:
        raise TopicError(f"{len(payload)} bytes are more than {MAX_BYTES}")
    try:
        parsed: object = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise TopicError(f"not JSON: {error}") from error
    return parsed


def _object(payload: bytes) -> dict[str, object]:
    message = _json(payload)
    if not isinstance(message, dict):
        raise TopicError("not a JSON object")
    return message


def _number(raw: object, name: str) -> float:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not isfinite(raw):
        raise TopicError(f"`{name}` is {_shown(raw)}, not a number")
    return float(raw)


def _optional_number(message: Mapping[str, object], name: str) -> float | None:
    raw = message.get(name)
    return None if raw is None else _number(raw, name)


def _text(message: Mapping[str, object], name: str) -> str:
    raw = message.get(name)
    if not isinstance(raw, str) or len(raw) > MAX_TEXT:
        raise TopicError(f"`{name}` is {_shown(raw)}, not a short text")
    return raw


def _enum(kind: type[E], raw: object, name: str) -> E:
    for member in kind:
        if member == raw:
            return member
    raise TopicError(f"`{name}` is {_shown(raw)}, none of {', '.join(kind)}")


def _terms(raw: object) -> dict[str, float]:
    if not isinstance(raw, dict):
        raise TopicError(f"`in_force` is {_shown(raw)}, not an object")
    known = (*LIMIT_TERMS, TARGET, VERSION)
    return {name: _number(raw[name], name) for name in known if raw.get(name) is not None}


def _quantity(name: str) -> tuple[Quantity, Phase] | None:
    quantity, _, phase = name.partition(".")
    try:
        return Quantity(quantity), Phase(phase) if phase else Phase.TOTAL
    except ValueError:
        return None


def _value(raw: object, quality: Quality, time_s: float | None) -> Value:
    """A value that is no finite number is a bad one; it does not spoil its neighbours."""
    if isinstance(raw, bool):
        raw = float(raw)
    if not isinstance(raw, int | float) or not isfinite(raw) or quality is Quality.BAD:
        return Value(None, Quality.BAD, time_s)
    return Value(float(raw), quality, time_s)


def _same(asked: float | None, told: float | None) -> bool:
    if asked is None or told is None:
        return asked is told
    return isclose(asked, told, rel_tol=1e-9, abs_tol=TOLERANCE)


def _shown(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else f"{text[:57]}..."
