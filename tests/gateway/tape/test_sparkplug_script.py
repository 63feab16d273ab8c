"""What a recording says that an edge node said, and how its device answered."""

import pytest

from gateway.tape.sparkplug_script import COMMANDS, Reaction, answers_of, reactions, script
from protocols.mqtt.sparkplug.settings import SparkplugDer
from protocols.mqtt.sparkplug.topics import REBIRTH, MessageType
from protocols.mqtt.sparkplug.values import DataType, metric_of
from tests.gateway.tape.sparkplug_session import DEVICE, NODE, ORDER, POWERS, Session, bd_seq_of, by_alias, whole

ASKED = {"Control/ceiling_w": 4e5, "Control/version": 3, "Control/control_id": "c3"}
ANSWERS = answers_of(None)


def test_only_what_a_host_follows_is_in_the_script(tmp_path):
    steps = script(whole().recording(tmp_path / "s.jsonl"), NODE)
    said = [step for step in steps if step.kind not in COMMANDS]
    assert [step.kind for step in said] == ORDER
    powers = [step.values["active_power_w"] for step in said if "active_power_w" in step.values]
    assert powers == POWERS


def test_another_node_of_the_group_has_no_part(tmp_path):
    other = type(NODE)("site", "other")
    assert script(whole().recording(tmp_path / "s.jsonl"), other) == ()


def test_a_lost_link_of_the_host_is_the_death_of_the_node(tmp_path):
    session = Session()
    session.born(0.1, 0, 1.0)
    session.lines.append({"t": 0.5, "kind": "fault", "what": "lost", "detail": "gone"})
    kinds = [step.kind for step in script(session.recording(tmp_path / "s.jsonl"), NODE)]
    assert kinds == ["NBIRTH", "DBIRTH", "NDEATH"]


def test_what_concerns_the_recorded_session_alone_is_left_out(tmp_path):
    session = Session()
    session.born(0.1, 0, 1.0)
    session.say(0.2, MessageType.NDATA, [bd_seq_of(0, 0.2)], 2)
    session.say(0.3, MessageType.NCMD, [metric_of(REBIRTH, DataType.BOOLEAN, value=True)])
    assert [step.kind for step in script(session.recording(tmp_path / "s.jsonl"), NODE)] == ["NBIRTH", "DBIRTH"]


def test_a_message_that_the_broker_had_retained_is_none(tmp_path):
    session = Session()
    session.born(0.1, 0, 1.0)
    session.say(0.2, MessageType.NDEATH, [], retained=True)
    assert [step.kind for step in script(session.recording(tmp_path / "s.jsonl"), NODE)] == ["NBIRTH", "DBIRTH"]


def reaction(tmp_path, *told: tuple[float, dict[str, object]]) -> Reaction:
    session = Session()
    session.born(0.1, 0, 1.0)
    session.say(0.5, MessageType.DCMD, by_alias(ASKED, 0.5))
    for seq, (at_s, values) in enumerate(told, 2):
        session.data(at_s, values, seq)
    (found,) = reactions(script(session.recording(tmp_path / "s.jsonl"), NODE), "bess", ANSWERS, 1.0)
    return found


def test_a_device_that_repeats_a_command_has_obeyed(tmp_path):
    found = reaction(tmp_path, (0.75, ASKED))
    assert found.repeats == frozenset(ASKED)
    assert found.after_s == pytest.approx(0.25)
    assert (found.otherwise, found.answer) == ({}, {})


def test_a_device_that_goes_on_as_before_has_not(tmp_path):
    assert reaction(tmp_path, (0.6, {"Control/ceiling_w": 9e5})) == Reaction(0.0, frozenset())


def test_what_a_device_makes_of_a_command_is_kept(tmp_path):
    found = reaction(tmp_path, (0.6, {"Control/ceiling_w": 3e5, "Control/version": 3}))
    assert found.repeats == {"Control/version"}
    assert found.otherwise == {"Control/ceiling_w": 3e5}


def test_what_comes_too_late_is_no_reaction(tmp_path):
    assert reaction(tmp_path, (1.6, ASKED)).repeats == frozenset()


def test_a_refusal_in_words_is_kept(tmp_path):
    steps = script(whole().recording(tmp_path / "s.jsonl"), NODE)
    (found,) = reactions(steps, "bess", ANSWERS, 1.0)
    assert found.answer == {"Answer/status": "rejected", "Answer/detail": "not today"}
    assert found.repeats == frozenset()


def test_without_a_recorded_command_the_device_obeys(tmp_path):
    session = Session()
    session.born(0.1, 0, 1.0)
    (found,) = reactions(script(session.recording(tmp_path / "s.jsonl"), NODE), "bess", ANSWERS, 1.0)
    assert found.repeats is None
    assert found.answer["Answer/status"] == "started"


def test_commands_are_known_as_sent_where_the_broker_does_not_repeat_them(tmp_path):
    session = whole()
    for line in session.lines:
        if "DCMD" in str(line.get("topic")):
            sent = {"topic": line.pop("topic"), "retain": line.pop("retained"), "values": line.pop("payload")}
            line |= {"kind": "sent", "values": sent}
    steps = script(session.recording(tmp_path / "s.jsonl"), NODE)
    assert [step.values for step in steps if step.kind in COMMANDS] == [ASKED]


def test_the_device_s_own_names_are_known():
    der = SparkplugDer("A", DEVICE, {"Answer/status": "Reply", "Control/valid_until": "Until"}, {})
    assert (answers_of(der).status, answers_of(der).valid_until) == ("Reply", "Until")
