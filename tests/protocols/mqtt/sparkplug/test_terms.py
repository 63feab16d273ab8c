"""Terms of a control as a device's own metrics hold them."""

import pytest

from protocols.mqtt.sparkplug import terms
from protocols.mqtt.sparkplug.edge import EdgeNode
from protocols.mqtt.sparkplug.host import HostSession, Reading
from protocols.mqtt.sparkplug.settings import SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import Source
from protocols.mqtt.sparkplug.values import BAD, GOOD, STALE, DataType
from protocols.points import Point, Quantity
from protocols.signals import Quality

NOW = 1_764_000_000.0
OWN = SparkplugDer(
    "A",
    Source("g", "n", "d"),
    {"Control/ceiling_w": "PMax", "active_power_w": "P"},
    {"Control/ceiling_w": 1000.0, "active_power_w": 1000.0},
)


def session() -> HostSession:
    """A host that has heard a device with a ceiling in whole kilowatts."""
    types = {"PMax": DataType.INT32, "Control/valid_until": DataType.DATE_TIME}
    edge, host = EdgeNode("g", "n", {"d": types}), HostSession("h", [OWN.source])
    edge.update("d", {"PMax": 1200, "Control/valid_until": 1_764_000_060_500}, NOW)
    edge.connect(NOW)
    for message in edge.connected(NOW):
        host.receive(message.topic, message.payload, NOW)
    return host


def test_terms_are_read_in_watts_and_seconds():
    assert terms.held(session(), OWN) == {"ceiling_w": 1.2e6, "valid_until": 1_764_000_060.5}


@pytest.mark.parametrize(
    ("term", "value", "datatype", "raw"),
    [
        ("ceiling_w", 1_234_567.0, DataType.INT32, 1234),
        ("ceiling_w", -1_234_567.0, DataType.INT32, -1235),
        ("ceiling_w", 1_234_567.0, DataType.DOUBLE, 1234.567),
        ("floor_w", 10.2, DataType.INT64, 11),
        ("valid_until", 12.3456, DataType.DATE_TIME, 12_345),
        ("target_w", None, DataType.DOUBLE, None),
    ],
)
def test_terms_are_written_scaled_and_rounded_toward_safety(term, value, datatype, raw):
    assert terms.written(OWN, term, value, datatype) == raw


def test_an_open_term_has_to_be_open():
    assert terms.differing({"ceiling_w": None, "floor_w": 1.0}, {"ceiling_w": 5.0, "floor_w": 1.0}) == ["ceiling_w"]
    assert terms.differing({"valid_until": 1_764_000_000.0}, {"valid_until": 1_764_000_000.5}) == ["valid_until"]


@pytest.mark.parametrize(
    ("value", "quality", "expected"),
    [
        (1.5, GOOD, Quality.GOOD),
        (1.5, STALE, Quality.STALE),
        (1.5, BAD, Quality.BAD),
        (None, GOOD, Quality.BAD),
        (float("nan"), GOOD, Quality.BAD),
        ("text", GOOD, Quality.BAD),
    ],
)
def test_the_quality_of_a_reading_reaches_the_measurement(value, quality, expected):
    point, scale = terms.points_of(OWN)["P"]
    assert point == Point("A", Quantity.ACTIVE_POWER_W)
    found = terms.measurement(point, scale, Reading("P", value, 5_000, quality), 9.0, held_on=False)
    assert (found.quality, found.source_time_s) == (expected, 5.0)
    assert found.value == (0.0 if expected is Quality.BAD else 1500.0)


def test_a_broker_without_anything_to_read_is_refused():
    with pytest.raises(ValueError, match="neither a DER nor a point"):
        SparkplugSettings("h")
    with pytest.raises(ValueError, match="named twice"):
        SparkplugSettings("h", ders=(OWN, OWN))
