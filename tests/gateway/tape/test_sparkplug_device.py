"""A recorded edge node played at the embedded broker, followed by our adapter."""

from collections.abc import AsyncIterator

import pytest

from gateway.tape.sparkplug_device import PlayedNodes
from gateway.tape.stage import Stage
from gateway.tape.words import TapeError
from gateway.testbed.broker import EmbeddedBroker, free_port
from protocols.mqtt.sparkplug.messages import Payload
from protocols.mqtt.sparkplug.topics import REBIRTH, MessageType, Source
from protocols.mqtt.sparkplug.values import DataType, metric_of, read_payload, write_payload
from protocols.signals import Bounds, Control, Outcome
from tests.gateway.tape.sparkplug_follower import HOST, Follower, eventually, following, follows_in_order
from tests.gateway.tape.sparkplug_session import HEADER, NODE, Session, bd_seq_of, by_alias, whole

pytestmark = pytest.mark.sockets


@pytest.fixture
async def port() -> AsyncIterator[int]:
    number = free_port()
    broker = EmbeddedBroker(HOST, number)
    await broker.start()
    try:
        yield number
    finally:
        await broker.stop()


def control(follower: Follower, version: int, ceiling_w: float, lease_s: float = 60.0) -> Control:
    now_s = follower.now()
    return Control(f"c{version}", "A", version, now_s, now_s + lease_s, Bounds(ceiling_w=ceiling_w))


def obeyed() -> Session:
    session = Session()
    session.born(0.02, 0, 600.0)
    return session


async def test_our_adapter_follows_the_recording_in_order(port, tmp_path):
    await follows_in_order(whole().recording(tmp_path / "s.jsonl"), port)


async def test_a_command_is_refused_as_it_was(port, tmp_path):
    async with following(whole().recording(tmp_path / "s.jsonl"), port, speed=5.0) as follower:
        await follower.at_end()
        ack = await follower.adapter.apply(control(follower, 9, 3e5))
    assert (ack.outcome, ack.detail) == (Outcome.REJECTED, "not today")
    assert ack.read_back["ceiling_w"] == 9e5


async def test_a_command_is_obeyed_and_ends_with_its_lease(port, tmp_path):
    async with following(obeyed().recording(tmp_path / "s.jsonl"), port) as follower:
        await follower.at_end()
        ack = await follower.adapter.apply(control(follower, 9, 3e5))
        assert ack.outcome is Outcome.WRITTEN, ack
        assert ack.read_back["ceiling_w"] == 3e5
        await eventually(lambda: follower.last("Answer/status") == "started")
        follower.now.ahead_s += 100.0
        await eventually(lambda: follower.last("Control/ceiling_w") == 9e5)


async def test_what_was_commanded_outlives_the_recorded_data(port, tmp_path):
    session = obeyed()
    session.say(0.1, MessageType.DCMD, by_alias({"Control/ceiling_w": 2e5}, 0.1))
    session.data(0.12, {"Control/ceiling_w": 2e5}, 2)
    for at in range(3, 9):
        session.data(at / 10, {"Control/ceiling_w": 9e5, "active_power_w": 600.0 + at}, at)
    session.device_born(1.0, 700.0, 9)
    async with following(session.recording(tmp_path / "s.jsonl"), port, speed=0.2) as follower:
        await eventually(lambda: bool(follower.powers))
        ack = await follower.adapter.apply(control(follower, 9, 3e5))
        await eventually(lambda: follower.powers[-1] == 700.0)
        assert follower.last("Control/ceiling_w") == 3e5
    assert ack.read_back["ceiling_w"] == 3e5


async def test_a_host_that_comes_later_asks_for_the_births_and_gets_them(port, tmp_path):
    async with following(obeyed().recording(tmp_path / "s.jsonl"), port) as follower:
        await follower.at_end()
        before = len(follower.messages)
        ask = metric_of(REBIRTH, DataType.BOOLEAN, value=True, timestamp_ms=1)
        follower.ear.send(NODE.topic(MessageType.NCMD), write_payload(Payload(1, (ask,))))
        await eventually(lambda: follower.kinds[before:] == ["NBIRTH", "DBIRTH"])
        assert [read_payload(m.payload).seq for m in follower.messages[before:]] == [0, 1]


async def test_round_after_round_each_death_has_its_own_number(port, tmp_path):
    session = Session()
    session.born(0.1, 7, 100.0)
    session.say(0.5, MessageType.NDEATH, [bd_seq_of(7, 0.5)])
    round_ = ["NBIRTH", "DBIRTH", "NDEATH"]
    async with following(session.recording(tmp_path / "s.jsonl"), port, speed=3.0, once=False) as follower:
        await eventually(lambda: len(follower.kinds) >= 9)
        assert follower.kinds[:9] == round_ * 3
        deaths = [read_payload(m.payload) for m in follower.messages[:9] if "NDEATH" in m.topic]
        assert [death.metrics[0].long_value for death in deaths] == [0, 1, 2]


async def test_nodes_that_were_recorded_together_are_played_together(port, tmp_path):
    session = obeyed()
    other = Source("site", "pv")
    rows = [row for row in session.lines if "topic" in row]
    session.lines += [{**row, "topic": str(row["topic"]).replace("/gw", "/pv")} for row in rows]
    session.header["devices"]["B"] = {
        **HEADER["devices"]["A"],
        "endpoint": {**HEADER["devices"]["A"]["endpoint"], "node": "pv"},
    }
    async with following(session.recording(tmp_path / "s.jsonl"), port) as follower:
        births = {source.topic(MessageType.NBIRTH) for source in (NODE, other)}
        await eventually(lambda: births <= {message.topic for message in follower.messages})


async def test_it_leaves_with_its_death(port, tmp_path):
    async with following(obeyed().recording(tmp_path / "s.jsonl"), port) as follower:
        await follower.at_end()
        follower.playing.cancel()
        await eventually(lambda: follower.kinds[-1] == "NDEATH")
        assert read_payload(follower.messages[-1].payload).metrics[0].long_value == 0


def test_a_recording_without_a_birth_is_told(tmp_path):
    recording = Session().recording(tmp_path / "s.jsonl")
    with pytest.raises(TapeError, match="no birth of site/gw"):
        PlayedNodes(Stage(recording, lambda: 0.0, speed=1, once=True), HOST, 1, lambda: 0.0)
