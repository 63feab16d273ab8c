"""Numbers, qualities and times as OPC UA tells them, in both directions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isfinite

from asyncua import ua

from protocols.opcua.model import Kind
from protocols.signals import Quality


@dataclass(frozen=True, slots=True)
class Reading:
    """One value as the server tells it."""

    value: float | None
    """`None` where null, not a number, not finite or of bad quality; times are Unix seconds, 0 for the null time."""
    quality: Quality
    status: str
    """Name of the StatusCode, for people."""
    source_time_s: float | None
    kind: Kind | None
    """`None` where a number cannot be written to it."""
    text: str = ""
    """What a value that is no number says, for people."""
    type: str = field(default="", compare=False)
    """Name of the OPC UA type where a number can be written to it."""


UNKNOWN_NODE = Reading(None, Quality.BAD, "BadNodeIdUnknown", None, None)

KINDS: Mapping[ua.VariantType, Kind] = {
    ua.VariantType.Boolean: Kind.BOOLEAN,
    ua.VariantType.SByte: Kind.INTEGER,
    ua.VariantType.Byte: Kind.INTEGER,
    ua.VariantType.Int16: Kind.INTEGER,
    ua.VariantType.UInt16: Kind.INTEGER,
    ua.VariantType.Int32: Kind.INTEGER,
    ua.VariantType.UInt32: Kind.INTEGER,
    ua.VariantType.Int64: Kind.INTEGER,
    ua.VariantType.UInt64: Kind.INTEGER,
    ua.VariantType.Float: Kind.FLOAT,
    ua.VariantType.Double: Kind.DOUBLE,
    ua.VariantType.DateTime: Kind.DATE_TIME,
}
_NAMED: Mapping[ua.VariantType, tuple[Kind, str]] = {variant: (kind, variant.name) for variant, kind in KINDS.items()}
INTEGER_BITS: Mapping[ua.VariantType, tuple[int, bool]] = {
    ua.VariantType.SByte: (8, True),
    ua.VariantType.Byte: (8, False),
    ua.VariantType.Int16: (16, True),
    ua.VariantType.UInt16: (16, False),
    ua.VariantType.Int32: (32, True),
    ua.VariantType.UInt32: (32, False),
    ua.VariantType.Int64: (64, True),
    ua.VariantType.UInt64: (64, False),
}
"""Width and whether signed."""
QUALITIES: Mapping[str, Quality] = {
    "GoodLocalOverride": Quality.SUBSTITUTED,
    "UncertainSubstituteValue": Quality.SUBSTITUTED,
    "UncertainLastUsableValue": Quality.STALE,
    "UncertainNoCommunicationLastUsableValue": Quality.STALE,
    "UncertainInitialValue": Quality.STALE,
}
"""StatusCodes of OPC UA Part 8 that say how a value came about; other uncertain ones are estimates."""
INFO_BITS = 0xFFFF
"""Of a StatusCode: what does not belong to its name, such as that a queue ran over."""
OVERFLOW = 0x0480
"""Of a data value's StatusCode: values before this one were dropped."""
NULL_TIME = datetime(1601, 1, 1, tzinfo=UTC)
"""The DateTime that means none (OPC UA Part 6)."""
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnfitValueError(ValueError):
    """A number does not fit the type of its variable."""


def reading(data: ua.DataValue) -> Reading:
    """What a server says of one variable."""
    code = 0 if data.StatusCode is None else data.StatusCode.value & ~INFO_BITS
    if code:
        status = ua.StatusCode(ua.UInt32(code))
        name, quality, is_bad = str(status.name), quality_of(status), status.is_bad()
    else:  # nearly always, and a thousand times a call
        name, quality, is_bad = "Good", Quality.GOOD, False
    variant = data.Value
    kind, type_name = (None, "") if variant is None or variant.is_array else _NAMED.get(variant.VariantType, (None, ""))
    content = None if variant is None else variant.Value
    value = None if is_bad else number_of(content)
    return Reading(
        value=value,
        quality=Quality.BAD if value is None else quality,
        status=name,
        source_time_s=None if data.SourceTimestamp is None else _unix(data.SourceTimestamp),
        kind=kind,
        text="" if kind is not None or content is None else str(content),
        type=type_name,
    )


def is_overflow(data: ua.DataValue) -> bool:
    """Whether the server dropped values before this one."""
    return data.StatusCode is not None and data.StatusCode.value & OVERFLOW == OVERFLOW


def quality_of(status: ua.StatusCode) -> Quality:
    """How far a value with this StatusCode may be trusted."""
    return QUALITIES.get(str(status.name), Quality.GOOD if status.is_good() else Quality.ESTIMATED)


def number_of(value: object) -> float | None:
    """A number, a Boolean as 0 or 1, or a time as Unix seconds; None for anything else and for what is not finite."""
    match value:
        case bool() | int() | float():
            return float(value) if isfinite(value) else None
        case datetime():
            return _unix(value)
        case _:
            return None


def _unix(moment: datetime) -> float:
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return 0.0 if moment <= NULL_TIME else moment.timestamp()


def as_variant(value: float, variant_type: ua.VariantType) -> ua.Variant:
    """A number as its variable's type.

    Raises:
        UnfitValueError: it is out of that type's range.
    """
    kind = KINDS[variant_type]
    if kind is Kind.BOOLEAN:
        return ua.Variant(bool(value), variant_type)
    if kind is Kind.DATE_TIME:
        return ua.Variant(EPOCH + timedelta(seconds=value) if value else NULL_TIME, variant_type)
    if kind is Kind.INTEGER:
        bits, signed = INTEGER_BITS[variant_type]
        low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
        if not low <= value <= high:
            raise UnfitValueError(f"{value:g} does not fit {variant_type.name}")
        return ua.Variant(int(value), variant_type)
    return ua.Variant(value, variant_type)
