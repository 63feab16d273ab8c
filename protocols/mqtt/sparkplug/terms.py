"""The metrics by which a DER is measured and controlled; `docs/mqtt.md` is the manual.

A DER may name them otherwise (`SparkplugDer.names`). It has at least the ceiling and, so that every
control is a lease, the time until which it is valid.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor, isfinite

from protocols.mqtt import topics
from protocols.mqtt.sparkplug.host import HostSession, Reading
from protocols.mqtt.sparkplug.settings import SparkplugDer
from protocols.mqtt.sparkplug.values import BAD, BITS, GOOD, DataType, Value
from protocols.mqtt.topics import AckStatus
from protocols.points import Phase, Point, Quantity
from protocols.signals import Control, Instruction, Measurement, Quality

VALID_UNTIL = "valid_until"
TERMS = (*topics.LIMIT_TERMS, topics.TARGET, topics.VERSION)
OPTIONAL = frozenset({"fallback_ceiling_w", "fallback_floor_w", topics.VERSION})
"""Terms without which a device can still be controlled: it keeps a fallback of its own."""
DISCONNECT = "disconnect"
"""True takes the device off the grid until the lease ends; optional, and moved in emergencies alone."""
CONTROL_ID = "Control/control_id"
ANSWER_ID, ANSWER_VERSION = "Answer/control_id", "Answer/version"
ANSWER_STATUS, ANSWER_DETAIL = "Answer/status", "Answer/detail"
WATT_TOLERANCE, SECOND_TOLERANCE = 1e-3, 2e-3
_ROUND_UP = frozenset({"floor_w", "fallback_floor_w"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a device says of a control."""

    control_id: str
    version: int
    status: AckStatus
    detail: str


def control_name(term: str) -> str:
    """Our name of the metric that holds a term of a control."""
    return f"Control/{term}"


def asked(instruction: Instruction, now_s: float) -> dict[str, float]:
    """The terms of an instruction, open ones left out."""
    version = {topics.VERSION: float(instruction.version)}
    if isinstance(instruction, Control):
        target = {} if instruction.target_w is None else {topics.TARGET: instruction.target_w}
        return topics.limit_of(instruction) | target | version
    kept = {name: v for name, v in instruction.baseline.items() if name == topics.TARGET}
    return topics.restored(instruction.baseline, now_s) | kept | version


def written(der: SparkplugDer, term: str, value: float | None, datatype: DataType) -> Value:
    """A term as the device's metric holds it: power limits are rounded toward safety."""
    if value is None:
        return None
    raw = value / der.scales.get(control_name(term), 1.0)
    if datatype is DataType.DATE_TIME:
        return floor(raw * 1000)
    if datatype in BITS:
        return ceil(raw - 1e-9) if term in _ROUND_UP else floor(raw + 1e-9)
    return raw


def held(session: HostSession, der: SparkplugDer) -> dict[str, float]:
    """The terms that the device says it obeys, open ones left out."""
    found = {}
    for term in TERMS:
        name = control_name(term)
        value = read_number(der, term, session.reading(der.source, der.names.get(name, name)), session)
        if value is not None:
            found[term] = value
    switch = session.reading(der.source, der.names.get(control_name(DISCONNECT), control_name(DISCONNECT)))
    if switch is not None and isinstance(switch.value, bool):
        found[DISCONNECT] = float(switch.value)
    return found


def read_number(der: SparkplugDer, term: str, reading: Reading | None, session: HostSession) -> float | None:
    """A term as a number in our unit."""
    if reading is None or isinstance(reading.value, bool) or not isinstance(reading.value, int | float):
        return None
    is_time = session.type_of(der.source, reading.name) is DataType.DATE_TIME
    scaled = reading.value * der.scales.get(control_name(term), 1.0) / (1000 if is_time else 1)
    return scaled if isfinite(scaled) else None


def answer_of(session: HostSession, der: SparkplugDer) -> Answer | None:
    """The last answer of a device; `None` where it gives none that can be read."""
    names = (ANSWER_ID, ANSWER_VERSION, ANSWER_STATUS, ANSWER_DETAIL)
    found = [session.reading(der.source, der.names.get(name, name)) for name in names]
    control_id, version, status, detail = (None if reading is None else reading.value for reading in found)
    if not isinstance(control_id, str) or not isinstance(version, int) or status not in set(AckStatus):
        return None
    text = detail if isinstance(detail, str) else ""
    return Answer(control_id, version, AckStatus(str(status)), text[: topics.MAX_TEXT])


def differing(requested: Mapping[str, float | None], in_force: Mapping[str, float]) -> list[str]:
    """The terms that the device obeys otherwise than asked."""
    return sorted(term for term, value in requested.items() if not _same(term, value, in_force.get(term)))


def points_of(der: SparkplugDer) -> dict[str, tuple[Point, float]]:
    """Point and scale by the device's name of a metric, for every quantity and phase."""
    found = {}
    for quantity in Quantity:
        for phase in Phase:
            name = quantity.value if phase is Phase.TOTAL else f"{quantity.value}.{phase.value}"
            found[der.names.get(name, name)] = Point(der.resource, quantity, phase), der.scales.get(name, 1.0)
    return found


def measurement(point: Point, scale: float, reading: Reading, received_s: float, *, held_on: bool) -> Measurement:
    """A reading as a measurement; one that is `held_on` has not changed since, by the word of a living session."""
    value, quality = reading.value, Quality.BAD
    number = float(value) * scale if isinstance(value, bool | int | float) else float("nan")
    if isfinite(number) and reading.quality != BAD:
        quality = Quality.GOOD if reading.quality == GOOD else Quality.STALE
    told_s = received_s if held_on or reading.timestamp_ms is None else reading.timestamp_ms / 1000
    return Measurement(point, number if quality is not Quality.BAD else 0.0, quality, told_s, received_s)


def _same(term: str, asked_for: float | None, told: float | None) -> bool:
    if asked_for is None or told is None:
        return asked_for is told
    if term == VALID_UNTIL:
        return abs(asked_for - told) <= SECOND_TOLERANCE
    return abs(asked_for - told) <= max(WATT_TOLERANCE, 1e-6 * abs(asked_for))
