"""Edge node and host application back to back, without sockets, by the assertions of Sparkplug 3.0."""

from dataclasses import replace

import pytest

from protocols.mqtt.sparkplug.edge import Command, EdgeNode
from protocols.mqtt.sparkplug.host import Born, Died, HostSession, Refused, Told
from protocols.mqtt.sparkplug.messages import Metric, Payload, PropertySet, PropertyValue
from protocols.mqtt.sparkplug.protobuf import encode
from protocols.mqtt.sparkplug.topics import Message, MessageType, Source, parsed, read_state
from protocols.mqtt.sparkplug.values import DataType, PayloadError, metric_of, read_payload, value_of, write_payload
from tests.protocols.mqtt.sparkplug.tck import tck

D = DataType
METRICS = {"": {"uptime": D.INT64}, "pv": {"power": D.DOUBLE, "limit": D.DOUBLE}, "bess": {"power": D.DOUBLE}}
NODE = Source("g", "n")
PV = Source("g", "n", "pv")
NOW = 1_764_000_000.0
NOW_MS = 1_764_000_000_000


def edge(**options) -> EdgeNode:
    made = EdgeNode("g", "n", METRICS, **options)
    made.update("pv", {"power": 5.0, "limit": None}, NOW)
    return made


def born(made: EdgeNode) -> list[Message]:
    made.connect(NOW)
    return made.connected(NOW)


def kind(message: Message) -> str:
    return message.topic.split("/")[2]


def metrics(message: Message) -> dict[str | None, Metric]:
    return {metric.name: metric for metric in read_payload(message.payload).metrics}


def seqs(messages: list[Message]) -> list[int | None]:
    return [read_payload(message.payload).seq for message in messages]


def pair(**options) -> tuple[EdgeNode, HostSession, list]:
    made, host = edge(**options), HostSession("h", [NODE], reorder_s=2.0)
    host.connect(NOW)
    events = [event for m in born(made) for event in host.receive(m.topic, m.payload, NOW)]
    return made, host, events


def hear(host: HostSession, messages, now_s: float = NOW) -> list:
    return [event for m in messages for event in host.receive(m.topic, m.payload, now_s)]


@tck(
    "topics-nbirth-topic",
    "topics-nbirth-mqtt",
    "payloads-nbirth-qos",
    "payloads-nbirth-retain",
    "topics-dbirth-topic",
    "topics-dbirth-mqtt",
    "payloads-dbirth-qos",
    "payloads-dbirth-retain",
    "payloads-dbirth-order",
    "topic-structure",
    "topic-structure-namespace-a",
    "topic-structure-namespace-device-id-associated-message-types",
    "topic-structure-namespace-device-id-non-associated-message-types",
    "principles-birth-certificates-order",
    "message-flow-edge-node-birth-publish-nbirth-topic",
    "message-flow-edge-node-birth-publish-nbirth-qos",
    "message-flow-edge-node-birth-publish-nbirth-retained",
    "message-flow-device-birth-publish-nbirth-wait",
    "message-flow-device-birth-publish-dbirth-topic",
    "message-flow-device-birth-publish-dbirth-match-edge-node-topic",
    "message-flow-device-birth-publish-dbirth-qos",
    "message-flow-device-birth-publish-dbirth-retained",
)
def test_births_go_first_the_node_s_before_its_devices(assertion):
    births = born(edge())
    assert [m.topic for m in births] == ["spBv1.0/g/NBIRTH/n", "spBv1.0/g/DBIRTH/n/bess", "spBv1.0/g/DBIRTH/n/pv"]
    assert {(m.qos, m.retain) for m in births} == {(0, False)}


@tck(
    "topics-nbirth-seq-num",
    "payloads-nbirth-seq",
    "payloads-sequence-num-req-nbirth",
    "payloads-sequence-num-always-included",
    "payloads-sequence-num-incrementing",
    "topics-dbirth-seq",
    "payloads-dbirth-seq",
    "payloads-dbirth-seq-inc",
    "topics-ndata-seq-num",
    "payloads-ndata-seq",
    "payloads-ndata-seq-inc",
    "topics-ddata-seq-num",
    "payloads-ddata-seq",
    "payloads-ddata-seq-inc",
    "message-flow-edge-node-birth-publish-nbirth-payload-seq",
    "message-flow-device-birth-publish-dbirth-payload-seq",
)
def test_sequence_numbers_rise_by_one_and_return_to_zero(assertion):
    made = edge()
    sent = born(made)
    for at in range(300):
        sent += made.update(("", "pv")[at % 2], {("uptime", "power")[at % 2]: at + 10}, NOW)
    assert seqs(sent) == [at % 256 for at in range(303)]


@tck(
    "topics-nbirth-timestamp",
    "payloads-nbirth-timestamp",
    "topics-dbirth-timestamp",
    "payloads-dbirth-timestamp",
    "topics-ddata-timestamp",
    "payloads-ddata-timestamp",
    "topics-ndata-timestamp",
    "payloads-ndata-timestamp",
    "payloads-timestamp-in-UTC",
    "payloads-metric-timestamp-in-UTC",
    "payloads-name-birth-data-requirement",
)
def test_payloads_and_metrics_bear_the_time_in_utc(assertion):
    made = edge()
    sent = [*born(made), *made.update("", {"uptime": 3}, NOW), *made.update("pv", {"power": 6.0}, NOW)]
    read = [read_payload(m.payload) for m in sent]
    assert {p.timestamp for p in read} == {NOW_MS}
    assert {m.timestamp for p in read for m in p.metrics} == {NOW_MS}


@tck(
    "topics-nbirth-metric-reqs",
    "topics-nbirth-metrics",
    "topics-dbirth-metric-reqs",
    "topics-dbirth-metrics",
    "operational-behavior-data-publish-nbirth",
    "operational-behavior-data-publish-nbirth-values",
    "operational-behavior-data-publish-dbirth",
    "operational-behavior-data-publish-dbirth-values",
    "payloads-metric-datatype-req",
    "payloads-metric-datatype-value",
    "payloads-metric-datatype-value-type",
    "payloads-alias-birth-requirement",
    "payloads-alias-uniqueness",
    "payloads-name-requirement",
    "message-flow-edge-node-birth-publish-nbirth-payload",
    "message-flow-device-birth-publish-dbirth-payload",
)
def test_births_declare_every_metric_by_name_alias_type_and_value(assertion):
    nbirth, bess, pv = born(edge())
    assert set(metrics(nbirth)) == {"bdSeq", "Node Control/Rebirth", "uptime"}
    assert set(metrics(pv)) == {"power", "limit"}
    assert value_of(metrics(pv)["power"], D.DOUBLE) == 5.0
    assert metrics(pv)["limit"].is_null
    declared = [m for b in (nbirth, bess, pv) for m in metrics(b).values()]
    assert all(m.datatype for m in declared)
    aliases = [m.alias for m in declared if m.name not in ("bdSeq", "Node Control/Rebirth")]
    assert None not in aliases
    assert len(set(aliases)) == len(aliases) == 4


@tck(
    "topics-nbirth-rebirth-metric",
    "payloads-nbirth-rebirth-req",
    "operational-behavior-data-commands-rebirth-name",
    "operational-behavior-data-commands-rebirth-name-aliases",
    "operational-behavior-data-commands-rebirth-datatype",
    "operational-behavior-data-commands-rebirth-value",
)
def test_the_birth_offers_rebirth_without_an_alias(assertion):
    metric = metrics(born(edge())[0])["Node Control/Rebirth"]
    assert (metric.datatype, metric.boolean_value, metric.alias) == (D.BOOLEAN, False, None)


@tck(
    "topics-ndeath-topic",
    "topics-ndeath-payload",
    "topics-ndeath-seq",
    "payloads-ndeath-seq",
    "payloads-ndeath-will-message",
    "payloads-ndeath-will-message-qos",
    "payloads-ndeath-will-message-retain",
    "payloads-ndeath-bdseq",
    "topics-nbirth-bdseq-included",
    "topics-nbirth-bdseq-matching",
    "topics-nbirth-bdseq-increment",
    "payloads-nbirth-bdseq",
    "payloads-nbirth-bdseq-repeat",
    "message-flow-edge-node-birth-publish-will-message",
    "message-flow-edge-node-birth-publish-will-message-topic",
    "message-flow-edge-node-birth-publish-will-message-payload",
    "message-flow-edge-node-birth-publish-will-message-payload-bdSeq",
    "message-flow-edge-node-birth-publish-will-message-qos",
    "message-flow-edge-node-birth-publish-will-message-will-retained",
    "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
)
def test_the_will_is_a_death_and_its_number_rises_with_each_connection(assertion):
    made = edge()
    for connection in range(258):
        will = made.connect(NOW)
        assert (will.topic, will.qos, will.retain) == ("spBv1.0/g/NDEATH/n", 1, False)
        assert read_payload(will.payload).seq is None
        (metric,) = read_payload(will.payload).metrics
        assert (metric.name, metric.datatype, metric.long_value) == ("bdSeq", D.INT64, connection % 256)
        assert metrics(made.connected(NOW)[0])["bdSeq"].long_value == connection % 256


@tck(
    "topics-ddata-topic",
    "topics-ddata-mqtt",
    "topics-ddata-payload",
    "payloads-ddata-qos",
    "payloads-ddata-retain",
    "payloads-ddata-order",
    "topics-ndata-topic",
    "topics-ndata-mqtt",
    "topics-ndata-payload",
    "payloads-ndata-qos",
    "payloads-ndata-retain",
    "payloads-ndata-order",
    "principles-rbe-recommended",
    "operational-behavior-data-publish-nbirth-change",
    "operational-behavior-data-publish-dbirth-change",
    "payloads-alias-data-cmd-requirement",
    "payloads-metric-datatype-not-req",
)
def test_data_tells_by_alias_what_has_changed_and_nothing_before_the_births(assertion):
    made = edge()
    assert made.update("", {"uptime": 1}, NOW) == made.update("pv", {"power": 1.0}, NOW) == []
    born(made)
    assert made.update("pv", {"power": 1.0}, NOW) == made.update("", {"uptime": 1}, NOW) == []
    (ddata,) = made.update("pv", {"power": 2.0, "limit": None}, NOW)
    (ndata,) = made.update("", {"uptime": 2}, NOW)
    assert (ddata.topic, ddata.qos, ddata.retain) == ("spBv1.0/g/DDATA/n/pv", 0, False)
    assert (ndata.topic, ndata.qos, ndata.retain) == ("spBv1.0/g/NDATA/n", 0, False)
    (metric,) = read_payload(ddata.payload).metrics
    assert metric.name is metric.datatype is None
    assert metric.alias
    assert metric.double_value == 2.0


@tck(
    "topics-ddeath-topic",
    "topics-ddeath-mqtt",
    "topics-ddeath-seq-num",
    "payloads-ddeath-timestamp",
    "payloads-ddeath-seq",
    "payloads-ddeath-seq-inc",
    "payloads-ddeath-seq-number",
    "operational-behavior-device-ddeath",
    "operational-behavior-edge-node-termination-host-action-ddeath-devices-offline",
    "operational-behavior-edge-node-termination-host-action-ddeath-devices-tags-stale",
)
def test_a_lost_device_is_told_and_its_values_are_no_longer_known(assertion):
    made, host, _ = pair()
    (death,) = made.device_lost("pv", NOW)
    assert (death.topic, death.qos, death.retain) == ("spBv1.0/g/DDEATH/n/pv", 0, False)
    assert (read_payload(death.payload).seq, read_payload(death.payload).timestamp) == (3, NOW_MS)
    (event,) = hear(host, [death])
    assert isinstance(event, Died)
    assert event.source == PV
    assert host.reading(PV, "power") is None
    assert made.update("pv", {"power": 9.0}, NOW) == []
    (event,) = hear(host, made.device_found("pv", NOW))
    assert isinstance(event, Born)
    assert host.reading(PV, "power").value == 9.0


@tck(
    "operational-behavior-edge-node-intentional-disconnect-ndeath",
    "payloads-ndeath-will-message-publisher",
    "operational-behavior-edge-node-termination-host-action-ndeath-node-offline",
    "operational-behavior-edge-node-termination-host-action-ndeath-node-tags-stale",
    "operational-behavior-edge-node-termination-host-action-ndeath-devices-offline",
    "operational-behavior-edge-node-termination-host-action-ndeath-devices-tags-stale",
)
def test_a_death_takes_the_node_and_all_its_devices(assertion):
    made, host, _ = pair()
    events = hear(host, made.disconnect(NOW))
    assert {event.source.device for event in events if isinstance(event, Died)} == {"", "pv", "bess"}
    assert host.reading(PV, "power") is None


def test_a_death_of_an_older_connection_means_nothing():
    made, host = edge(), HostSession("h", [NODE])
    old = made.connect(NOW)
    made.connect(NOW)
    hear(host, made.connected(NOW))
    assert hear(host, [old]) == []
    assert host.reading(PV, "power").value == 5.0


@tck(
    "message-flow-edge-node-birth-publish-phid-wait",
    "message-flow-edge-node-birth-publish-phid-wait-id",
    "message-flow-edge-node-birth-publish-phid-wait-online",
    "message-flow-edge-node-birth-publish-phid-wait-timestamp",
    "message-flow-edge-node-birth-publish-phid-offline",
    "operational-behavior-edge-node-birth-sequence-wait",
    "operational-behavior-edge-node-termination-host-offline",
    "operational-behavior-edge-node-termination-host-offline-timestamp",
)
def test_births_wait_for_the_primary_host_and_its_death_ends_the_session(assertion):
    made, host = edge(primary_host="h"), HostSession("h", [NODE])
    made.connect(NOW)
    assert made.connected(NOW) == []
    assert made.receive("spBv1.0/STATE/other", b'{"online":true,"timestamp":5}', NOW).messages == ()
    will = host.connect(NOW)
    assert made.receive(will.topic, will.payload, NOW).messages == ()
    host.connected(NOW)
    birth = host.take()[0]
    assert [kind(m) for m in made.receive(birth.topic, birth.payload, NOW).messages] == ["NBIRTH", "DBIRTH", "DBIRTH"]
    late = b'{"online":false,"timestamp":5}'
    assert not made.receive(birth.topic, late, NOW).leave
    heard = made.receive(will.topic, host.disconnect(NOW + 1).payload, NOW + 1)
    assert heard.leave
    assert [kind(m) for m in heard.messages] == ["NDEATH"]


@tck(
    "host-topic-phid-birth-message",
    "host-topic-phid-birth-qos",
    "host-topic-phid-birth-retain",
    "host-topic-phid-birth-topic",
    "host-topic-phid-birth-sub-required",
    "host-topic-phid-birth-payload",
    "host-topic-phid-birth-payload-timestamp",
    "host-topic-phid-death-qos",
    "host-topic-phid-death-retain",
    "host-topic-phid-death-topic",
    "host-topic-phid-death-required",
    "host-topic-phid-death-payload",
    "host-topic-phid-death-payload-timestamp-connect",
    "message-flow-phid-sparkplug-subscription",
    "message-flow-phid-sparkplug-state-publish-payload",
    "message-flow-phid-sparkplug-state-publish-payload-timestamp",
    "operational-behavior-host-application-connect-will",
    "operational-behavior-host-application-connect-will-topic",
    "operational-behavior-host-application-connect-will-payload",
    "operational-behavior-host-application-connect-will-qos",
    "operational-behavior-host-application-connect-will-retained",
    "operational-behavior-host-application-connect-birth",
    "operational-behavior-host-application-connect-birth-topic",
    "operational-behavior-host-application-connect-birth-payload",
    "operational-behavior-host-application-connect-birth-qos",
    "operational-behavior-host-application-connect-birth-retained",
    "operational-behavior-host-application-termination",
    "operational-behavior-host-application-death-topic",
    "operational-behavior-host-application-death-payload",
    "operational-behavior-host-application-death-qos",
    "operational-behavior-host-application-death-retained",
    "payloads-state-will-message",
    "payloads-state-will-message-qos",
    "payloads-state-will-message-retain",
    "payloads-state-will-message-payload",
    "payloads-state-subscribe",
    "payloads-state-birth",
    "payloads-state-birth-payload",
    "intro-sparkplug-host-state",
    "components-ph-state",
    "conformance-primary-host",
)
def test_the_host_says_when_it_comes_and_when_it_goes(assertion):
    host = HostSession("h", [NODE, PV])
    will = host.connect(NOW)
    assert host.subscriptions == (("spBv1.0/STATE/h", 1), ("spBv1.0/g/#", 1))
    host.connected(NOW + 1)
    birth, death = host.take()[0], host.disconnect(NOW + 9)
    assert {(m.topic, m.qos, m.retain) for m in (will, birth, death)} == {("spBv1.0/STATE/h", 1, True)}
    assert [read_state(m.payload).online for m in (will, birth, death)] == [False, True, False]
    assert read_state(will.payload).timestamp_ms == read_state(birth.payload).timestamp_ms == NOW_MS


@tck("message-flow-hid-sparkplug-state-message-delivered")
def test_a_host_that_is_said_to_be_offline_says_that_it_is_online(assertion):
    host = HostSession("h", [NODE])
    will = host.connect(NOW)
    host.receive(will.topic, will.payload, NOW)
    assert [read_state(m.payload).online for m in host.take()] == [True]


@tck(
    "topics-ncmd-topic",
    "topics-ncmd-mqtt",
    "topics-ncmd-timestamp",
    "topics-ncmd-payload",
    "payloads-ncmd-timestamp",
    "payloads-ncmd-seq",
    "payloads-ncmd-qos",
    "payloads-ncmd-retain",
    "operational-behavior-data-commands-ncmd-rebirth-verb",
    "operational-behavior-data-commands-ncmd-rebirth-name",
    "operational-behavior-data-commands-ncmd-rebirth-value",
    "operational-behavior-data-commands-rebirth-action-1",
    "operational-behavior-data-commands-rebirth-action-2",
    "operational-behavior-data-commands-rebirth-action-3",
)
def test_data_before_a_birth_makes_the_host_ask_for_one(assertion):
    made, host = edge(), HostSession("h", [NODE])
    born(made)
    assert hear(host, made.update("pv", {"power": 6.0}, NOW)) == []
    (ask,) = host.take()
    assert (ask.topic, ask.qos, ask.retain) == ("spBv1.0/g/NCMD/n", 0, False)
    assert (read_payload(ask.payload).seq, read_payload(ask.payload).timestamp) == (None, NOW_MS)
    heard = made.receive(ask.topic, ask.payload, NOW)
    assert [kind(m) for m in heard.messages] == ["NBIRTH", "DBIRTH", "DBIRTH"]
    assert metrics(heard.messages[0])["bdSeq"].long_value == 0
    hear(host, heard.messages)
    assert host.reading(PV, "power").value == 6.0


@tck(
    "topics-dcmd-topic",
    "topics-dcmd-mqtt",
    "topics-dcmd-timestamp",
    "topics-dcmd-payload",
    "payloads-dcmd-timestamp",
    "payloads-dcmd-seq",
    "payloads-dcmd-qos",
    "payloads-dcmd-retain",
    "payloads-name-cmd-requirement",
    "operational-behavior-data-commands-dcmd-verb",
    "operational-behavior-data-commands-dcmd-metric-name",
    "operational-behavior-data-commands-dcmd-metric-value",
    "message-flow-device-dcmd-subscribe",
    "message-flow-edge-node-ncmd-subscribe",
)
def test_a_command_reaches_the_device_by_alias(assertion):
    made, host, _ = pair()
    command = host.command(PV, {"limit": 3.0}, NOW)
    assert (command.topic, command.qos, command.retain) == ("spBv1.0/g/DCMD/n/pv", 0, False)
    read = read_payload(command.payload)
    assert (read.seq, read.timestamp, read.metrics[0].name) == (None, NOW_MS, None)
    assert made.receive(command.topic, command.payload, NOW).commands == (Command("pv", {"limit": 3.0}),)
    assert made.subscriptions == (("spBv1.0/g/NCMD/n", 1), ("spBv1.0/g/DCMD/n/+", 1))
    for source, values in ((PV, {"other": 1.0}), (PV, {"limit": "text"}), (Source("g", "n", "x"), {"limit": 1.0})):
        with pytest.raises(PayloadError):
            host.command(source, values, NOW)


@tck(
    "operational-behavior-data-commands-ncmd-verb",
    "operational-behavior-data-commands-ncmd-metric-name",
    "operational-behavior-data-commands-ncmd-metric-value",
)
def test_a_command_reaches_the_node(assertion):
    made, host, _ = pair(with_aliases=False)
    command = host.command(NODE, {"uptime": 0}, NOW)
    assert command.topic == "spBv1.0/g/NCMD/n"
    assert made.receive(command.topic, command.payload, NOW).commands == (Command("", {"uptime": 0}),)


@tck(
    "operational-behavior-host-reordering-param",
    "operational-behavior-host-reordering-start",
    "operational-behavior-host-reordering-success",
)
def test_a_message_out_of_order_waits_for_the_one_before_it(assertion):
    made, host, _ = pair()
    one, two = (made.update("pv", {"power": float(at)}, NOW)[0] for at in (7, 8))
    assert hear(host, [two]) == []
    told = hear(host, [one], NOW + 1.9)
    assert [event.readings[0].value for event in told if isinstance(event, Told)] == [7.0, 8.0]
    assert host.tick(NOW + 5) == host.take() == []


@tck("operational-behavior-host-reordering-rebirth")
def test_a_message_that_never_comes_makes_the_host_ask_for_a_birth(assertion):
    made, host, _ = pair()
    made.update("pv", {"power": 7.0}, NOW)
    hear(host, made.update("pv", {"power": 8.0}, NOW))
    assert host.tick(NOW + 1.9) == []
    (event,) = host.tick(NOW + 2)
    assert isinstance(event, Refused)
    (ask,) = host.take()
    hear(host, made.receive(ask.topic, ask.payload, NOW + 2).messages, NOW + 2)
    assert host.reading(PV, "power").value == 8.0


@tck(
    "intro-group-id-chars",
    "intro-edge-node-id-chars",
    "intro-device-id-chars",
    "topic-structure-namespace-valid-group-id",
    "topic-structure-namespace-valid-edge-node-id",
    "topic-structure-namespace-valid-device-id",
)
@pytest.mark.parametrize("bad", ["", "a/b", "a+", "#", "a\0"])
def test_ids_that_do_not_fit_a_topic_are_refused(assertion, bad):
    with pytest.raises(ValueError, match="no Sparkplug id"):
        Source(bad, "n")
    with pytest.raises(ValueError, match="no Sparkplug id"):
        Source("g", bad)
    assert parsed(f"spBv1.0/g/DDATA/n/{bad}") is None


@tck("intro-group-id-string", "intro-edge-node-id-string", "intro-device-id-string")
def test_ids_are_texts_in_utf_8(assertion):
    source = Source("größe", "κόμβος", "装置")
    topic = source.topic(MessageType.DDATA).encode().decode()
    assert parsed(topic) == (MessageType.DDATA, source)


@tck(
    "topic-structure-namespace-unique-device-id",
    "topic-structure-namespace-duplicate-device-id-across-edge-node",
)
def test_a_device_is_one_of_its_node_s_and_another_node_may_have_one_of_that_name(assertion):
    first, second = born(edge()), born(EdgeNode("g", "other", METRICS))
    topics = [message.topic for message in (*first, *second)]
    assert len(set(topics)) == len(topics)
    host = HostSession("h", [NODE, Source("g", "other")])
    host.connect(NOW)
    found = [event.source for event in hear(host, (*first, *second)) if isinstance(event, Born)]
    assert len(set(found)) == len(found) == len(topics)


def test_strangers_and_nonsense_change_nothing():
    made, host, _ = pair()
    for topic in ("spBv1.0/g/NBIRTH/other", "spBv1.0/g/XDATA/n", "spAv1.0/g/NBIRTH/n", "x", "spBv1.0/g/NCMD/n"):
        assert host.receive(topic, b"\xff", NOW) == []
    assert made.receive("spBv1.0/g/NCMD/n", b"\xff", NOW).refused
    assert made.receive("spBv1.0/g/DCMD/n/pv", write_payload(Payload(1, (metric_of("x", D.DOUBLE, 1.0),))), NOW).refused
    assert host.reading(PV, "power").value == 5.0


BROKEN_DATA = {
    "no sequence number": Payload(1, ()),
    "sequence number out of range": Payload(1, (), 256),
    "unknown alias": Payload(1, (metric_of(None, D.DOUBLE, 1.0, alias=99, is_typed=False),), 3),
    "alias of another device": Payload(1, (metric_of(None, D.DOUBLE, 1.0, alias=2, is_typed=False),), 3),
    "another type": Payload(1, (metric_of("power", D.STRING, "x", is_typed=False),), 3),
}


@pytest.mark.parametrize("what", BROKEN_DATA)
def test_broken_data_is_refused_and_a_birth_is_asked_for(what):
    _, host, _ = pair()
    (event,) = host.receive("spBv1.0/g/DDATA/n/pv", encode(BROKEN_DATA[what]), NOW)
    assert isinstance(event, Refused)
    assert [kind(m) for m in host.take()] == [MessageType.NCMD]
    assert host.reading(PV, "power").value == 5.0


def test_a_broken_birth_leaves_its_devices_offline():
    _, host, _ = pair()
    broken = Payload(1, (metric_of("bdSeq", D.INT64, 0), Metric(name="x", double_value=1.0)), 0)
    events = host.receive("spBv1.0/g/NBIRTH/n", encode(broken), NOW)
    assert {event.source.device for event in events if isinstance(event, Died)} == {"pv", "bess"}
    assert isinstance(events[-1], Refused)
    assert host.reading(PV, "power") is None


ENGINEERING = PropertySet(("engUnit",), (PropertyValue(type=D.STRING, string_value="W"),))
POWER = replace(metric_of("power", D.DOUBLE, 1.0, alias=70, timestamp_ms=NOW_MS), properties=ENGINEERING)


def relaying() -> EdgeNode:
    made = EdgeNode("g", "n", {})
    rebirth = metric_of("Node Control/Rebirth", D.BOOLEAN, value=False, alias=3)
    made.declare("", [metric_of("bdSeq", D.INT64, 200), rebirth])
    made.connect(NOW)
    made.connected(NOW)
    made.declare("pv", [POWER, metric_of("limit", D.DOUBLE, None)])
    return made


def test_a_node_tells_births_as_somebody_else_has_declared_them():
    made = relaying()
    (birth,) = made.device_found("pv", NOW)
    assert metrics(birth)["power"] == POWER
    node, device = made.connected(NOW)
    assert metrics(node)["bdSeq"].long_value == 0
    assert metrics(node)["Node Control/Rebirth"].alias == 3
    assert (kind(device), metrics(device)["power"]) == ("DBIRTH", POWER)


def test_relayed_data_is_as_it_was_made_and_the_next_birth_knows_it():
    made = relaying()
    made.device_found("pv", NOW)
    stale = metric_of(None, D.DOUBLE, 2.0, alias=70, timestamp_ms=NOW_MS + 5, is_typed=False, quality=500)
    (data,) = made.relay("pv", [stale], NOW)
    assert read_payload(data.payload).metrics == (stale,)
    power = metrics(made.connected(NOW)[1])["power"]
    assert (power.double_value, power.timestamp, power.alias) == (2.0, NOW_MS + 5, 70)
    assert power.properties is not None
    assert power.properties.keys == ("engUnit", "Quality")
    (said,) = made.update("pv", {"limit": 4.0}, NOW)
    assert metrics(said)["limit"].datatype is None
    made.relay("pv", [replace(stale, properties=None, double_value=3.0, datatype=D.DOUBLE)], NOW)
    (said,) = made.update("pv", {"limit": 5.0}, NOW)
    assert metrics(said)["limit"].datatype == D.DOUBLE
    power = metrics(made.connected(NOW)[1])["power"]
    assert (power.double_value, power.properties) == (3.0, ENGINEERING)


def test_relayed_history_is_no_news_and_what_was_never_declared_is_not_told():
    made = relaying()
    made.device_found("pv", NOW)
    old = replace(POWER, double_value=9.0, is_historical=True)
    assert len(made.relay("pv", [old, replace(old, double_value=8.0)], NOW)) == 1
    with pytest.raises(PayloadError, match="metric 'other' is not declared"):
        made.relay("pv", [replace(POWER, name="other", alias=None)], NOW)
    assert metrics(made.connected(NOW)[1])["power"].double_value == 1.0


def test_a_node_declared_anew_has_no_devices_until_they_are_found():
    made = relaying()
    made.device_found("pv", NOW)
    made.declare("", [])
    assert [kind(message) for message in made.connected(NOW)] == ["NBIRTH"]
    assert made.relay("pv", [POWER], NOW) == []
    with pytest.raises(PayloadError, match="no name or no datatype"):
        made.declare("pv", [metric_of("power", D.DOUBLE, 1.0, is_typed=False)])
