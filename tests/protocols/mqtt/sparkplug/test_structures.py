"""Property sets, data sets and templates by the assertions of Sparkplug 3.0: what is broken is refused both ways."""

import pytest

from protocols.mqtt.sparkplug.messages import (
    DataSet,
    Metric,
    Parameter,
    Payload,
    PropertySet,
    PropertyValue,
    Row,
    Template,
)
from protocols.mqtt.sparkplug.protobuf import encode
from protocols.mqtt.sparkplug.values import DataType, PayloadError, cell_of, metric_of, read_payload, write_payload
from tests.protocols.mqtt.sparkplug.tck import tck

D = DataType
SCALARS = {
    D.INT8: -1, D.INT16: -1, D.INT32: -1, D.INT64: -1, D.UINT8: 1, D.UINT16: 1, D.UINT32: 1, D.UINT64: 1,
    D.FLOAT: 0.5, D.DOUBLE: 0.5, D.BOOLEAN: True, D.STRING: "x", D.DATE_TIME: 1, D.TEXT: "x",
}  # fmt: skip


def payload(**held) -> Payload:
    return Payload(1, (Metric(name="m", **held),), 0)


def taken(**held) -> bool:
    """Whether it passes both ways, and comes back as it went."""
    given = payload(**held)
    assert read_payload(write_payload(given)) == given
    return True


def refused(**held) -> bool:
    """Whether it is neither written nor read."""
    with pytest.raises(PayloadError):
        write_payload(payload(**held))
    with pytest.raises(PayloadError):
        read_payload(encode(payload(**held)))
    return True


def number(**held) -> PropertyValue:
    return PropertyValue(**{"type": D.INT32, "int_value": 7, **held})


@tck("payloads-propertyset-keys-array-size", "payloads-propertyset-values-array-size")
def test_a_property_set_has_as_many_keys_as_values(assertion):
    assert taken(properties=PropertySet(("a", "b"), (number(), number())))
    assert refused(properties=PropertySet(("a", "b"), (number(),)))
    assert refused(properties=PropertySet(("a",), (number(), number())))


@tck("payloads-metric-propertyvalue-type-value", "payloads-metric-propertyvalue-type-type")
def test_the_type_of_a_property_is_an_enumerated_unsigned_number(assertion):
    assert encode(number()).startswith(b"\x08\x03")
    assert refused(properties=PropertySet(("a",), (number(type=99),)))
    with pytest.raises(PayloadError):
        write_payload(payload(properties=PropertySet(("a",), (number(type=-1),))))


@tck("payloads-propertyset-quality-value-type", "payloads-propertyset-quality-value-value")
def test_quality_is_a_signed_number_of_three_values(assertion):
    for code in (0, 192, 500):
        assert taken(properties=PropertySet(("Quality",), (number(int_value=code),)))
    assert refused(properties=PropertySet(("Quality",), (number(int_value=7),)))
    assert refused(properties=PropertySet(("Quality",), (number(type=D.UINT32, int_value=192),)))
    (written,) = read_payload(write_payload(Payload(1, (metric_of("m", D.DOUBLE, 1.0, quality=500),), 0))).metrics
    assert written.properties == PropertySet(("Quality",), (number(int_value=500),))


def table(**held) -> DataSet:
    whole = {"num_of_columns": 2, "columns": ("a", "b"), "types": (D.DOUBLE, D.STRING), "rows": ()}
    return DataSet(**{**whole, **held})


@tck("payloads-dataset-column-num-headers", "payloads-dataset-types-num", "payloads-dataset-parameter-type-req")
def test_a_data_set_announces_names_and_types_the_same_number_of_columns(assertion):
    assert taken(dataset_value=table())
    assert refused(dataset_value=table(columns=("a",)))
    assert refused(dataset_value=table(types=(D.DOUBLE,)))
    assert refused(dataset_value=table(types=()))
    assert refused(dataset_value=table(num_of_columns=3))


@tck(
    "payloads-dataset-types-value",
    "payloads-dataset-types-def",
    "payloads-dataset-types-type",
    "payloads-dataset-column-size",
)
def test_columns_are_counted_and_typed_by_enumerated_unsigned_numbers(assertion):
    assert encode(table()) == b"\x08\x02\x12\x01a\x12\x01b\x18\x0a\x18\x0c"
    assert refused(dataset_value=table(types=(D.DOUBLE, 99)))


@tck("payloads-template-dataset-value")
@pytest.mark.parametrize("datatype", SCALARS)
def test_a_cell_holds_one_of_the_scalar_types_and_nothing_else(assertion, datatype):
    cell = cell_of(SCALARS[datatype], datatype)
    row = Row((cell,))
    assert taken(dataset_value=table(num_of_columns=1, columns=("a",), types=(datatype,), rows=(row,)))
    with pytest.raises(PayloadError):
        cell_of(b"x", D.BYTES)


DEFINITION = Template(version="1", metrics=(Metric(name="x", datatype=D.DOUBLE, is_null=True),), is_definition=True)
INSTANCE = Template(version="1", metrics=(metric_of("x", D.DOUBLE, 1.0),), template_ref="t", is_definition=False)


@tck(
    "payloads-template-is-definition",
    "payloads-template-is-definition-definition",
    "payloads-template-definition-is-definition",
    "payloads-template-definition-ref",
    "payloads-template-ref-definition",
)
def test_a_definition_says_that_it_is_one_and_refers_to_none(assertion):
    assert taken(template_value=DEFINITION)
    assert refused(template_value=Template())
    assert refused(template_value=Template(template_ref="t", is_definition=True))


@tck(
    "payloads-template-is-definition-instance",
    "payloads-template-instance-is-definition",
    "payloads-template-instance-ref",
    "payloads-template-ref-instance",
)
def test_an_instance_says_that_it_is_one_and_names_its_definition(assertion):
    assert taken(template_value=INSTANCE)
    assert refused(template_value=Template(is_definition=False))
    assert refused(template_value=Template(template_ref="t"))


@tck("payloads-template-parameter-name-required")
def test_a_parameter_has_a_name(assertion):
    named = Parameter(name="p", type=D.INT32, int_value=1)
    assert taken(template_value=Template(parameters=(named,), is_definition=True))
    assert refused(template_value=Template(parameters=(Parameter(type=D.INT32, int_value=1),), is_definition=True))


@tck("payloads-template-parameter-type-value", "payloads-template-parameter-value-type")
def test_the_type_of_a_parameter_is_an_enumerated_unsigned_number(assertion):
    assert encode(Parameter(name="p", type=D.INT32)) == b"\x0a\x01p\x10\x03"
    assert refused(template_value=Template(parameters=(Parameter(name="p", type=99),), is_definition=True))


@tck("payloads-template-version", "payloads-template-parameter-name-type")
def test_texts_of_templates_are_utf_8(assertion):
    whole = Template("vä", (), (Parameter(name="pä", type=D.INT32),), is_definition=True)
    assert taken(template_value=whole)
    data = encode(payload(template_value=whole))
    for text in ("vä", "pä"):
        with pytest.raises(PayloadError):
            read_payload(data.replace(text.encode(), text[0].encode() + b"\xff\xfe"))
