"""The codec: what is written is read again, and hostile bytes are refused within bounds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt.sparkplug.messages import DataSet, Metric, Payload, PropertySet, PropertyValue, Template
from protocols.mqtt.sparkplug.protobuf import MAX_DEPTH, MAX_FIELDS, encode
from protocols.mqtt.sparkplug.values import (
    MAX_BYTES,
    DataType,
    PayloadError,
    cell_of,
    metric_of,
    read_payload,
    value_of,
    write_payload,
)

ARRAYS = [
    (DataType.INT8_ARRAY, (-128, 127)),
    (DataType.UINT16_ARRAY, (0, 65_535)),
    (DataType.INT64_ARRAY, (-(2**63), 2**63 - 1)),
    (DataType.FLOAT_ARRAY, (0.5, -2.0)),
    (DataType.DOUBLE_ARRAY, (0.1,)),
    (DataType.BOOLEAN_ARRAY, (True, False, True, True, False, False, False, False, True)),
    (DataType.STRING_ARRAY, ("a", "", "½")),
    (DataType.DATE_TIME_ARRAY, (1_764_000_000_123,)),
]


def read(metric: Metric) -> Metric:
    return read_payload(write_payload(Payload(1, (metric,), 0))).metrics[0]


def test_bytes_of_a_payload_are_those_of_the_encoding_guide():
    metric = Metric(name="a", datatype=DataType.INT32, int_value=5)
    assert write_payload(Payload(1, (metric,), 2)).hex() == "08011207" + "0a016120035005" + "1802"


@pytest.mark.parametrize(("datatype", "values"), ARRAYS, ids=[row[0].name for row in ARRAYS])
def test_arrays_are_read_as_written(datatype, values):
    assert value_of(read(metric_of("m", datatype, values)), datatype) == values


def test_booleans_of_an_array_are_packed_from_the_highest_bit():
    metric = metric_of("m", DataType.BOOLEAN_ARRAY, (False, False, True, True, False, True, False, False, True, True))
    assert metric.bytes_value == b"\x0a\0\0\0\x34\xc0"


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_number_of_64_bits_survives(value):
    assert value_of(read(metric_of("m", DataType.INT64, value)), DataType.INT64) == value


@given(st.floats(allow_nan=False))
def test_every_double_survives(value):
    assert value_of(read(metric_of("m", DataType.DOUBLE, value)), DataType.DOUBLE) == value


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data):
    try:
        read_payload(data)
    except PayloadError:
        return


def test_mutations_of_a_good_payload_are_read_or_refused():
    rng = random.Random(7)
    template = Template("1", (metric_of("x", DataType.DOUBLE, 1.0),), (), "t", is_definition=False)
    table = DataSet(1, ("c",), (DataType.STRING,), ())
    metrics = (
        metric_of("a", DataType.TEMPLATE, template, quality=192),
        metric_of("b", DataType.DATA_SET, table),
        metric_of("c", DataType.STRING_ARRAY, ("p", "q")),
    )
    whole = write_payload(Payload(1, metrics, 0))
    refused = 0
    for _ in range(5_000):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            read_payload(bytes(data[: rng.randint(0, len(data))]))
        except PayloadError:
            refused += 1
    assert refused > 1_000


def test_nesting_without_end_is_refused():
    template = Template(is_definition=True)
    for _ in range(MAX_DEPTH):
        template = Template(metrics=(Metric(name="m", template_value=template),), is_definition=True)
    data = encode(Payload(1, (Metric(name="m", datatype=DataType.TEMPLATE, template_value=template),), 0))
    with pytest.raises(PayloadError, match="nested deeper"):
        read_payload(data)


def test_too_many_fields_and_too_many_bytes_are_refused():
    with pytest.raises(PayloadError, match="more than 50000 fields"):
        read_payload(b"\x08\x00" * (MAX_FIELDS + 1))
    with pytest.raises(PayloadError, match="bytes are more than"):
        read_payload(bytes(MAX_BYTES + 1))


BROKEN = {
    "neither name nor alias": Metric(datatype=DataType.BOOLEAN, boolean_value=True),
    "unknown datatype 99": Metric(name="m", datatype=99, int_value=1),
    "holds no DOUBLE": Metric(name="m", datatype=DataType.DOUBLE, int_value=1),
    "2 keys of properties for 1 values": Metric(name="m", properties=PropertySet(("a", "b"), (PropertyValue(),))),
    "Quality is none of": Metric(name="m", properties=PropertySet(("Quality",), (PropertyValue(type=3, int_value=7),))),
    "different numbers of columns": Metric(name="m", dataset_value=DataSet(2, ("a",), (12,), ())),
    "whether it is a definition": Metric(name="m", template_value=Template()),
    "either a definition or refers": Metric(name="m", template_value=Template(template_ref="x", is_definition=True)),
}


@pytest.mark.parametrize("message", BROKEN)
def test_what_the_specification_forbids_is_refused_both_ways(message):
    with pytest.raises(PayloadError, match=message):
        read_payload(encode(Payload(1, (BROKEN[message],), 0)))
    with pytest.raises(PayloadError, match=message):
        write_payload(Payload(1, (BROKEN[message],), 0))


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        (DataType.INT8, 128),
        (DataType.UINT32, -1),
        (DataType.BOOLEAN, 1),
        (DataType.STRING, b"x"),
        (DataType.INT32, 1.5),
    ],
)
def test_values_that_do_not_fit_are_refused(datatype, value):
    with pytest.raises(PayloadError):
        metric_of("m", datatype, value)
    with pytest.raises(PayloadError):
        cell_of(value, datatype)


def test_unknown_fields_and_packed_numbers_are_read():
    extension = b"\x9a\x01\x02\x08\x01"
    metric = b"\x0a\x01m\x20\x0b\x70\x01" + extension
    payload = read_payload(b"\x12" + bytes([len(metric)]) + metric)
    assert value_of(payload.metrics[0], DataType.BOOLEAN) is True
    table = b"\x08\x02\x12\x01a\x12\x01b\x1a\x02\x0c\x0a"
    metric = b"\x0a\x01m\x20\x10\x8a\x01" + bytes([len(table)]) + table
    found = read_payload(b"\x12" + bytes([len(metric)]) + metric).metrics[0].dataset_value
    assert found == DataSet(2, ("a", "b"), (12, 10), ())
