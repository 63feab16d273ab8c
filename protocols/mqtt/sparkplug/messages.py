"""The messages of a Sparkplug B payload by the field numbers of the public definition (sparkplug_b.proto)."""

from dataclasses import dataclass

from protocols.mqtt.sparkplug.protobuf import Kind, many, one


@dataclass(frozen=True, slots=True)
class PropertySetList:
    """Several sets."""

    propertyset: "tuple[PropertySet, ...]" = many(1, Kind.MESSAGE, lambda: PropertySet)


@dataclass(frozen=True, slots=True)
class PropertyValue:
    """One property; exactly one of the values, or `is_null`."""

    type: int | None = one(1, Kind.UINT32)
    is_null: bool | None = one(2, Kind.BOOL)
    int_value: int | None = one(3, Kind.UINT32)
    long_value: int | None = one(4, Kind.UINT64)
    float_value: float | None = one(5, Kind.FLOAT)
    double_value: float | None = one(6, Kind.DOUBLE)
    boolean_value: bool | None = one(7, Kind.BOOL)
    string_value: str | None = one(8, Kind.STRING)
    propertyset_value: "PropertySet | None" = one(9, Kind.MESSAGE, lambda: PropertySet)
    propertysets_value: PropertySetList | None = one(10, Kind.MESSAGE, PropertySetList)


@dataclass(frozen=True, slots=True)
class PropertySet:
    """Properties by position: as many keys as values."""

    keys: tuple[str, ...] = many(1, Kind.STRING)
    values: tuple[PropertyValue, ...] = many(2, Kind.MESSAGE, PropertyValue)


@dataclass(frozen=True, slots=True)
class MetaData:
    """What is said about a file or a text of several parts."""

    is_multi_part: bool | None = one(1, Kind.BOOL)
    content_type: str | None = one(2, Kind.STRING)
    size: int | None = one(3, Kind.UINT64)
    seq: int | None = one(4, Kind.UINT64)
    file_name: str | None = one(5, Kind.STRING)
    file_type: str | None = one(6, Kind.STRING)
    md5: str | None = one(7, Kind.STRING)
    description: str | None = one(8, Kind.STRING)


@dataclass(frozen=True, slots=True)
class DataSetValue:
    """One cell of a data set."""

    int_value: int | None = one(1, Kind.UINT32)
    long_value: int | None = one(2, Kind.UINT64)
    float_value: float | None = one(3, Kind.FLOAT)
    double_value: float | None = one(4, Kind.DOUBLE)
    boolean_value: bool | None = one(5, Kind.BOOL)
    string_value: str | None = one(6, Kind.STRING)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a data set."""

    elements: tuple[DataSetValue, ...] = many(1, Kind.MESSAGE, DataSetValue)


@dataclass(frozen=True, slots=True)
class DataSet:
    """A table."""

    num_of_columns: int | None = one(1, Kind.UINT64)
    columns: tuple[str, ...] = many(2, Kind.STRING)
    types: tuple[int, ...] = many(3, Kind.UINT32)
    rows: tuple[Row, ...] = many(4, Kind.MESSAGE, Row)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a template."""

    name: str | None = one(1, Kind.STRING)
    type: int | None = one(2, Kind.UINT32)
    int_value: int | None = one(3, Kind.UINT32)
    long_value: int | None = one(4, Kind.UINT64)
    float_value: float | None = one(5, Kind.FLOAT)
    double_value: float | None = one(6, Kind.DOUBLE)
    boolean_value: bool | None = one(7, Kind.BOOL)
    string_value: str | None = one(8, Kind.STRING)


@dataclass(frozen=True, slots=True)
class Template:
    """The definition of a structure, or one instance of it."""

    version: str | None = one(1, Kind.STRING)
    metrics: "tuple[Metric, ...]" = many(2, Kind.MESSAGE, lambda: Metric)
    parameters: tuple[Parameter, ...] = many(3, Kind.MESSAGE, Parameter)
    template_ref: str | None = one(4, Kind.STRING)
    is_definition: bool | None = one(5, Kind.BOOL)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; exactly one of the values, or `is_null`."""

    name: str | None = one(1, Kind.STRING)
    alias: int | None = one(2, Kind.UINT64)
    timestamp: int | None = one(3, Kind.UINT64)
    datatype: int | None = one(4, Kind.UINT32)
    is_historical: bool | None = one(5, Kind.BOOL)
    is_transient: bool | None = one(6, Kind.BOOL)
    is_null: bool | None = one(7, Kind.BOOL)
    metadata: MetaData | None = one(8, Kind.MESSAGE, MetaData)
    properties: PropertySet | None = one(9, Kind.MESSAGE, PropertySet)
    int_value: int | None = one(10, Kind.UINT32)
    long_value: int | None = one(11, Kind.UINT64)
    float_value: float | None = one(12, Kind.FLOAT)
    double_value: float | None = one(13, Kind.DOUBLE)
    boolean_value: bool | None = one(14, Kind.BOOL)
    string_value: str | None = one(15, Kind.STRING)
    bytes_value: bytes | None = one(16, Kind.BYTES)
    dataset_value: DataSet | None = one(17, Kind.MESSAGE, DataSet)
    template_value: Template | None = one(18, Kind.MESSAGE, Template)


@dataclass(frozen=True, slots=True)
class Payload:
    """What a message of any type but STATE carries."""

    timestamp: int | None = one(1, Kind.UINT64)
    metrics: tuple[Metric, ...] = many(2, Kind.MESSAGE, Metric)
    seq: int | None = one(3, Kind.UINT64)
    uuid: str | None = one(4, Kind.STRING)
    body: bytes | None = one(5, Kind.BYTES)
