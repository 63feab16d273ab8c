import json
from contextlib import suppress
from math import inf, nan

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.mqtt import topics
from protocols.mqtt.topics import AckStatus, TopicError
from protocols.points import Phase, Quantity
from protocols.signals import Bounds, Control, Quality, Release

READERS = [topics.read_telemetry, topics.read_value, topics.read_ack, topics.read_state]
POWER = (Quantity.ACTIVE_POWER_W, Phase.TOTAL)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


def control(limit: Bounds, fallback: Bounds, expiry_s: float = 100.0) -> Control:
    return Control("c", "A", 7, 1.0, expiry_s, limit, fallback=fallback)


@pytest.mark.parametrize("read", READERS)
@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_a_topic_error(read, payload):
    with suppress(TopicError):
        read(payload)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "values",
                    "time",
                    "quality",
                    "state",
                    "in_force",
                    "version",
                    "control_id",
                    "status",
                    "detail",
                    "value",
                    "active_power_w",
                    "voltage_v.a",
                    "ceiling_w",
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("read", READERS)
@given(JSON)
def test_no_json_raises_anything_but_a_topic_error(read, message):
    with suppress(TopicError):
        read(json.dumps(message).encode())


@given(st.dictionaries(st.sampled_from([q.value for q in Quantity]), FINITE), FINITE)
def test_telemetry_comes_back_as_it_was_told(values, time_s):
    told = topics.read_telemetry(orjson.dumps({"time": time_s, "values": values}))
    assert {quantity.value: value.value for (quantity, _), value in told.items()} == values
    assert all(value.time_s == time_s and value.quality is Quality.GOOD for value in told.values())


def test_a_value_that_is_no_number_is_bad_and_spoils_no_other():
    told = topics.read_telemetry(
        b'{"values": {"active_power_w": null, "voltage_v.a": 240.5, "frequency_hz": "60", "novel": 1}}'
    )
    assert told[POWER] == topics.Value(None, Quality.BAD, None)
    assert told[Quantity.VOLTAGE_V, Phase.A].value == 240.5
    assert told[Quantity.FREQUENCY_HZ, Phase.TOTAL].quality is Quality.BAD
    assert len(told) == 3


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("template", ['{"values": {"active_power_w": %s}}', '{"time": %s, "values": {}}'])
def test_what_is_not_finite_is_refused(number, template):
    with pytest.raises(TopicError, match="not JSON"):
        topics.read_telemetry((template % number).encode())


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"{}", "`values` is not an object"),
        (b'{"values": {}, "quality": "splendid"}', "none of good"),
        (b'{"values": {}, "time": true}', "`time` is True"),
        (b"[" * 10_000, "not JSON"),
        (b'{"values": {"active_power_w": 1' + b" " * topics.MAX_BYTES + b"}}", "bytes are more than"),
    ],
)
def test_telemetry_that_is_refused_says_why(payload, why):
    with pytest.raises(TopicError, match=why):
        topics.read_telemetry(payload)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": -1}, "`version`"),
        ({"version": 1.5}, "`version`"),
        ({"version": True}, "`version`"),
        ({"version": 2**60}, "`version`"),
        ({"control_id": 7}, "`control_id`"),
        ({"control_id": "x" * 2000}, "`control_id`"),
        ({"status": "maybe"}, "`status`"),
        ({"in_force": []}, "`in_force`"),
        ({"in_force": {"ceiling_w": "much"}}, "`ceiling_w`"),
    ],
)
def test_an_ack_that_is_refused_says_why(changes, why):
    message = {"control_id": "c", "version": 7, "status": "started"} | changes
    with pytest.raises(TopicError, match=why):
        topics.read_ack(orjson.dumps(message))


def test_an_ack_tells_what_is_in_force_and_leaves_out_what_is_open():
    ack = topics.read_ack(
        b'{"control_id": "c", "version": 7, "status": "started",'
        b' "in_force": {"ceiling_w": 5, "floor_w": null, "version": 7, "vendor": "x"}}'
    )
    assert (ack.control_id, ack.version, ack.status) == ("c", 7, AckStatus.STARTED)
    assert ack.in_force == {"ceiling_w": 5.0, "version": 7.0}


def test_a_will_is_read_as_offline():
    assert not topics.read_state(b'{"state": "offline"}').online
    assert topics.read_state(b'{"state": "online", "in_force": {"ceiling_w": 1}}').in_force == {"ceiling_w": 1.0}


def test_a_station_tells_bare_numbers_or_objects():
    assert topics.read_value(b"42.5") == topics.Value(42.5, Quality.GOOD, None)
    assert topics.read_value(b'{"value": 1, "time": 5, "quality": "estimated"}') == topics.Value(
        1.0, Quality.ESTIMATED, 5.0
    )
    assert topics.read_value(b'{"value": null}').quality is Quality.BAD
    assert topics.read_value(b'"42"').quality is Quality.BAD
    assert topics.read_value(b"true").value == 1.0


bounds = st.tuples(st.none() | st.floats(-1e9, 0), st.none() | st.floats(0, 1e9)).map(lambda pair: Bounds(*pair))


@given(bounds, bounds, st.floats(2, 1e10))
def test_what_a_device_repeats_agrees_with_what_was_asked(limit, fallback, expiry_s):
    asked = control(limit, fallback, expiry_s)
    message = json.loads(topics.limit_message(asked, topics.limit_of(asked)))
    echo = {"control_id": "c", "version": 7, "status": "started", "in_force": message}
    told = topics.read_ack(orjson.dumps(echo)).in_force
    assert topics.differing(topics.limit_of(asked), told, frozenset(topics.LIMIT_TERMS)) == []


def test_an_open_side_must_be_open_at_the_device():
    names = frozenset(topics.LIMIT_TERMS)
    asked = topics.limit_of(control(Bounds(None, 5.0), Bounds()))
    assert topics.differing(asked, asked | {"floor_w": 0.0}, names) == ["floor_w"]
    assert topics.differing(asked, asked | {"ceiling_w": 5.1}, names) == ["ceiling_w"]
    assert topics.differing(asked, {}, names) == ["ceiling_w", "valid_until"]
    assert topics.differing({"ceiling_w": inf}, {"ceiling_w": nan}, frozenset({"ceiling_w"})) == ["ceiling_w"]


def test_a_release_restores_a_lease_of_somebody_else_or_the_fallback_it_has_left():
    baseline = {"ceiling_w": 9.0, "fallback_ceiling_w": 4.0, "valid_until": 50.0, "version": 3.0, "target_w": 1.0}
    assert topics.restored(baseline, now_s=49.0) == {"ceiling_w": 9.0, "fallback_ceiling_w": 4.0, "valid_until": 50.0}
    assert topics.restored(baseline, now_s=50.0) == {"ceiling_w": 4.0}
    assert topics.restored({}, now_s=0.0) == {}


def test_a_release_opens_what_its_baseline_does_not_name():
    message = json.loads(topics.limit_message(Release("r", "A", 8, {}), {}))
    assert message == {"control_id": "r", "version": 8} | dict.fromkeys(topics.LIMIT_TERMS)
