"""Datatypes of Sparkplug B (`DataType` of sparkplug_b.proto) and what a metric of each holds."""

import struct
from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Any

from protocols.mqtt.sparkplug.messages import (
    DataSet,
    DataSetValue,
    Metric,
    Payload,
    PropertySet,
    PropertyValue,
    Template,
)
from protocols.mqtt.sparkplug.protobuf import WireError, decode, encode

MAX_BYTES = 262_144
"""Longest payload that is read."""

Number = int | float
Array = tuple[int, ...] | tuple[float, ...] | tuple[bool, ...] | tuple[str, ...]
Value = bool | int | float | str | bytes | Array | DataSet | Template | None


class PayloadError(Exception):
    """A payload that breaks the specification; the message says how."""


class DataType(IntEnum):
    """What the value of a metric is; the numbers are those of the public definition."""

    UNKNOWN = 0
    INT8 = 1
    INT16 = 2
    INT32 = 3
    INT64 = 4
    UINT8 = 5
    UINT16 = 6
    UINT32 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    BOOLEAN = 11
    STRING = 12
    DATE_TIME = 13
    TEXT = 14
    UUID = 15
    DATA_SET = 16
    BYTES = 17
    FILE = 18
    TEMPLATE = 19
    PROPERTY_SET = 20
    PROPERTY_SET_LIST = 21
    INT8_ARRAY = 22
    INT16_ARRAY = 23
    INT32_ARRAY = 24
    INT64_ARRAY = 25
    UINT8_ARRAY = 26
    UINT16_ARRAY = 27
    UINT32_ARRAY = 28
    UINT64_ARRAY = 29
    FLOAT_ARRAY = 30
    DOUBLE_ARRAY = 31
    BOOLEAN_ARRAY = 32
    STRING_ARRAY = 33
    DATE_TIME_ARRAY = 34


BITS: Mapping[DataType, int] = {
    DataType.INT8: 8,
    DataType.INT16: 16,
    DataType.INT32: 32,
    DataType.INT64: 64,
    DataType.UINT8: 8,
    DataType.UINT16: 16,
    DataType.UINT32: 32,
    DataType.UINT64: 64,
    DataType.DATE_TIME: 64,
}
SIGNED = frozenset({DataType.INT8, DataType.INT16, DataType.INT32, DataType.INT64})
_LONG = frozenset({DataType.INT64, DataType.UINT32, DataType.UINT64, DataType.DATE_TIME})
"""Written as `long_value`: so do Eclipse Tahu and its descendants with UInt32; it is read from either."""
_FIELDS: Mapping[DataType, tuple[str, tuple[type, ...]]] = {
    DataType.FLOAT: ("float_value", (int, float)),
    DataType.DOUBLE: ("double_value", (int, float)),
    DataType.BOOLEAN: ("boolean_value", (bool,)),
    DataType.STRING: ("string_value", (str,)),
    DataType.TEXT: ("string_value", (str,)),
    DataType.UUID: ("string_value", (str,)),
    DataType.DATA_SET: ("dataset_value", (DataSet,)),
    DataType.BYTES: ("bytes_value", (bytes,)),
    DataType.FILE: ("bytes_value", (bytes,)),
    DataType.TEMPLATE: ("template_value", (Template,)),
}
"""Where datatypes other than integers and arrays are held, and by what."""
_ELEMENTS: Mapping[DataType, str] = {
    DataType.INT8_ARRAY: "b",
    DataType.INT16_ARRAY: "h",
    DataType.INT32_ARRAY: "i",
    DataType.INT64_ARRAY: "q",
    DataType.UINT8_ARRAY: "B",
    DataType.UINT16_ARRAY: "H",
    DataType.UINT32_ARRAY: "I",
    DataType.UINT64_ARRAY: "Q",
    DataType.FLOAT_ARRAY: "f",
    DataType.DOUBLE_ARRAY: "d",
    DataType.DATE_TIME_ARRAY: "Q",
}
METRIC_TYPES = frozenset(DataType) - {DataType.UNKNOWN, DataType.PROPERTY_SET, DataType.PROPERTY_SET_LIST}
QUALITY = "Quality"
GOOD, STALE, BAD = 192, 500, 0
"""Values of the property `Quality`."""


def read_payload(data: bytes) -> Payload:
    """A payload whose metrics hold what their datatypes promise.

    Raises:
        PayloadError: It is too long, not the message, or breaks the specification.
    """
    if len(data) > MAX_BYTES:
        raise PayloadError(f"{len(data)} bytes are more than {MAX_BYTES}")
    try:
        payload = decode(Payload, data)
    except WireError as error:
        raise PayloadError(str(error)) from error
    for metric in payload.metrics:
        _check(metric)
    return payload


def write_payload(payload: Payload) -> bytes:
    """A payload as bytes.

    Raises:
        PayloadError: It breaks the specification.
    """
    for metric in payload.metrics:
        _check(metric)
    try:
        return encode(payload)
    except (WireError, struct.error) as error:
        raise PayloadError(str(error)) from error


def metric_of(
    name: str | None,
    datatype: DataType,
    value: Value,
    *,
    alias: int | None = None,
    timestamp_ms: int | None = None,
    is_typed: bool = True,
    quality: int | None = None,
) -> Metric:
    """A metric; `is_typed` is false where the birth has said the datatype already.

    Raises:
        PayloadError: The value is none of its datatype.
    """
    properties = None
    if quality is not None:
        properties = PropertySet((QUALITY,), (PropertyValue(type=DataType.INT32, int_value=quality),))
    written = datatype.value if is_typed else None
    metric = Metric(name=name, alias=alias, timestamp=timestamp_ms, datatype=written, properties=properties)
    if value is None:
        return replace(metric, is_null=True)
    return _holding(metric, datatype, value)


def value_of(metric: Metric, datatype: DataType) -> Value:
    """What a metric of this datatype holds; `None` where it is null.

    Raises:
        PayloadError: It holds a value of another kind, or none.
    """
    if metric.is_null:
        return None
    value = _held(metric, datatype)
    if value is None:
        raise PayloadError(f"metric {_named(metric)} holds no {datatype.name}")
    return value


def quality_of(metric: Metric) -> int:
    """The property `Quality`, good where there is none."""
    if metric.properties is not None:
        for key, found in zip(metric.properties.keys, metric.properties.values, strict=False):
            if key == QUALITY and found.int_value is not None:
                return found.int_value
    return GOOD


def _held(metric: Metric, datatype: DataType) -> Value:
    if datatype in BITS:
        raw = metric.long_value if metric.int_value is None else metric.int_value
        return None if raw is None else _integer(raw, datatype)
    field = _FIELDS.get(datatype)
    if field is not None:
        held: Value = getattr(metric, field[0])
        return held
    return None if metric.bytes_value is None else _read_array(metric.bytes_value, datatype)


def _holding(metric: Metric, datatype: DataType, value: Value) -> Metric:
    field, kinds = _FIELDS.get(datatype, ("", ()))
    match value:
        case bool() if datatype is not DataType.BOOLEAN:
            pass
        case int() if datatype in BITS:
            raw = _raw(value, datatype)
            return replace(metric, long_value=raw) if datatype in _LONG else replace(metric, int_value=raw)
        case tuple():
            return replace(metric, bytes_value=_written_array(value, datatype))
        case _ if isinstance(value, kinds):
            held: dict[str, Any] = {field: float(value) if isinstance(value, int | float) and float in kinds else value}
            return replace(metric, **held)
    raise PayloadError(f"metric {_named(metric)}: {value!r} is no {datatype.name}")


def _integer(raw: int, datatype: DataType) -> int:
    """Two's complement in as many bits as the datatype has."""
    bits = BITS[datatype]
    number = raw & (1 << bits) - 1
    return number - (1 << bits) if datatype in SIGNED and number >> bits - 1 else number


def _raw(value: int, datatype: DataType) -> int:
    """Negative numbers take the 32 or 64 bits of their field."""
    bits = BITS[datatype]
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if datatype in SIGNED else (0, (1 << bits) - 1)
    if not low <= value <= high:
        raise PayloadError(f"{value} is no {datatype.name}")
    return value & (2**64 - 1 if datatype in _LONG else 2**32 - 1)


def _read_array(data: bytes, datatype: DataType) -> Array:
    """Little-endian elements; booleans packed behind their count, texts ended by a zero byte."""
    if datatype is DataType.BOOLEAN_ARRAY:
        count = int.from_bytes(data[:4], "little")
        if len(data) != 4 + (count + 7) // 8:
            raise PayloadError(f"{len(data)} bytes do not hold {count} booleans")
        return tuple(bool(data[4 + at // 8] >> 7 - at % 8 & 1) for at in range(count))
    if datatype is DataType.STRING_ARRAY:
        if data and data[-1] != 0:
            raise PayloadError("the last text of an array has no end")
        try:
            return tuple(part.decode() for part in data.split(b"\0")[:-1])
        except UnicodeDecodeError as error:
            raise PayloadError("a text of an array is not UTF-8") from error
    code = _ELEMENTS.get(datatype)
    if code is None:
        raise PayloadError(f"{datatype.name} is no datatype of a metric")
    size = struct.calcsize(f"<{code}")
    if len(data) % size:
        raise PayloadError(f"{len(data)} bytes are no whole number of {datatype.name} elements")
    return struct.unpack(f"<{len(data) // size}{code}", data)


def _written_array(values: Array, datatype: DataType) -> bytes:
    if datatype is DataType.BOOLEAN_ARRAY:
        packed = bytearray((len(values) + 7) // 8)
        for at, value in enumerate(values):
            packed[at // 8] |= bool(value) << 7 - at % 8
        return len(values).to_bytes(4, "little") + packed
    if datatype is DataType.STRING_ARRAY:
        return b"".join(str(value).encode() + b"\0" for value in values)
    code = _ELEMENTS.get(datatype)
    if code is None:
        raise PayloadError(f"{datatype.name} is no array")
    try:
        return struct.pack(f"<{len(values)}{code}", *values)
    except (struct.error, OverflowError) as error:
        raise PayloadError(f"not all of {values!r} fit {datatype.name}: {error}") from error


def _check(metric: Metric) -> None:
    """What the specification asks of every metric, whoever wrote it."""
    if metric.name is None and metric.alias is None:
        raise PayloadError("a metric has neither name nor alias")
    if metric.properties is not None:
        _check_properties(metric.properties)
    if metric.dataset_value is not None:
        _check_data_set(metric.dataset_value)
    if metric.template_value is not None:
        _check_template(metric.template_value)
    if metric.datatype is not None:
        datatype = _known(metric.datatype, f"metric {_named(metric)}")
        if datatype not in METRIC_TYPES:
            raise PayloadError(f"metric {_named(metric)} has the datatype {datatype.name}")
        value_of(metric, datatype)


def _check_properties(properties: PropertySet) -> None:
    if len(properties.keys) != len(properties.values):
        raise PayloadError(f"{len(properties.keys)} keys of properties for {len(properties.values)} values")
    for key, found in zip(properties.keys, properties.values, strict=True):
        if found.type is not None:
            _known(found.type, f"property {key!r}")
        if key == QUALITY and (found.type != DataType.INT32 or found.int_value not in (GOOD, STALE, BAD)):
            raise PayloadError("the property Quality is none of 0, 192 and 500")
        nested = [found.propertyset_value] if found.propertyset_value is not None else []
        if found.propertysets_value is not None:
            nested.extend(found.propertysets_value.propertyset)
        for inner in nested:
            _check_properties(inner)


def _check_data_set(table: DataSet) -> None:
    if table.num_of_columns != len(table.columns) or len(table.types) != len(table.columns):
        counts = f"{table.num_of_columns}, {len(table.columns)} and {len(table.types)}"
        raise PayloadError(f"a data set announces, names and types different numbers of columns: {counts}")
    for kind in table.types:
        _known(kind, "a column")
    for row in table.rows:
        if len(row.elements) != len(table.columns):
            raise PayloadError(f"a row has {len(row.elements)} cells for {len(table.columns)} columns")


def _check_template(template: Template) -> None:
    if template.is_definition is None:
        raise PayloadError("a template does not say whether it is a definition")
    if template.is_definition is (template.template_ref is not None):
        raise PayloadError("a template is either a definition or refers to one")
    for parameter in template.parameters:
        if parameter.name is None:
            raise PayloadError("a parameter of a template has no name")
        if parameter.type is not None:
            _known(parameter.type, f"parameter {parameter.name!r}")
    for metric in template.metrics:
        _check(metric)


def _known(number: int, what: str) -> DataType:
    try:
        return DataType(number)
    except ValueError as error:
        raise PayloadError(f"{what} has the unknown datatype {number}") from error


def _named(metric: Metric) -> str:
    return f"alias {metric.alias}" if metric.name is None else repr(metric.name[:80])


def cell_of(value: Value, datatype: DataType) -> DataSetValue:
    """One cell of a data set.

    Raises:
        PayloadError: The value is none of the datatype, or the datatype none of a cell.
    """
    held = metric_of("cell", datatype, value)
    if held.bytes_value is not None or held.dataset_value is not None or held.template_value is not None:
        raise PayloadError(f"{datatype.name} does not fit a cell")
    return DataSetValue(
        int_value=held.int_value,
        long_value=held.long_value,
        float_value=held.float_value,
        double_value=held.double_value,
        boolean_value=held.boolean_value,
        string_value=held.string_value,
    )
