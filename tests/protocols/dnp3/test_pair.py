"""Both ends back to back: the start, polls, unsolicited responses, controls, time and recovery."""

import pytest

from protocols.dnp3.commands import AnalogCommand, BinaryCommand, CommandStatus, Operation
from protocols.dnp3.database import PointConfig
from protocols.dnp3.errors import BusyError, UnsendableError
from protocols.dnp3.fragment import Function, Iin
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master_words import LinkDead, MasterAlarm, NoAnswer, RestartSeen, Started, TaskOutcome, TimeSync
from tests.protocols.dnp3.pair import Pair

UNSOLICITED = {"unsolicited": True}


def test_the_start_reads_everything_and_clears_the_restart():
    pair = Pair()
    assert len(pair.of(Started)) == 1
    assert pair.values(Kind.ANALOG_INPUT) == dict.fromkeys(range(4), 0)
    assert pair.values(Kind.DOUBLE_BIT_INPUT) == dict.fromkeys(range(4), 1)
    assert len(pair.of(RestartSeen)) == 1
    assert not pair.rtu.read("3C 01 06").iin & Iin.DEVICE_RESTART


def test_five_thousand_points_come_in_one_start():
    pair = Pair([PointConfig(Kind.ANALOG_INPUT, i, value=i / 4) for i in range(5000)])
    assert pair.values(Kind.ANALOG_INPUT) == {i: i / 4 for i in range(5000)}


def test_events_are_polled_and_confirmed():
    pair = Pair()
    pair.rtu.set(Kind.DOUBLE_BIT_INPUT, 2, 2)
    pair.rtu.set(Kind.ANALOG_INPUT, 1, 12.5)
    pair.until(pair.now + 1.1)
    assert pair.values(Kind.DOUBLE_BIT_INPUT)[2] == 2
    assert pair.values(Kind.ANALOG_INPUT)[1] == 12.5
    assert len(pair.rtu.database.events) == 0


def test_unsolicited_events_arrive_without_a_poll():
    pair = Pair(outstation=UNSOLICITED, event_poll_s=None)
    pair.rtu.set(Kind.BINARY_INPUT, 3, 1)
    pair.until(pair.now + 0.1)
    assert pair.values(Kind.BINARY_INPUT)[3] == 1
    assert len(pair.rtu.database.events) == 0


def test_a_lost_confirmation_loses_no_event_and_repeats_are_confirmed():
    pair = Pair(outstation=UNSOLICITED, event_poll_s=None)
    pair.cut = True
    pair.rtu.set(Kind.BINARY_INPUT, 3, 1)
    pair.until(pair.now + 1)
    assert len(pair.rtu.database.events) == 1
    pair.cut = False
    pair.until(pair.now + 10)
    assert len(pair.rtu.database.events) == 0


@pytest.mark.parametrize("select", [True, False])
def test_controls_reach_the_plant_and_are_told_apart(select):
    pair = Pair()
    commands = [AnalogCommand(2, 3.5), BinaryCommand(1, Operation.LATCH_ON)]
    done = pair.operate(commands, select=select)
    assert (done.outcome, done.statuses) == (TaskOutcome.DONE, (CommandStatus.SUCCESS,) * 2)
    assert pair.rtu.plant.operated == commands


@pytest.mark.parametrize("select", [True, False])
def test_a_refused_control_is_reported_with_its_status(select):
    done = Pair().operate([BinaryCommand(1, Operation.LATCH_ON), BinaryCommand(9, Operation.LATCH_ON)], select=select)
    assert (done.outcome, done.statuses) == (TaskOutcome.REFUSED, (CommandStatus.SUCCESS, CommandStatus.BLOCKED))


@pytest.mark.parametrize("select", [True, False])
def test_an_unanswered_control_is_never_sent_again(select):
    pair = Pair()
    pair.lost = True
    task = pair.session.operate([BinaryCommand(1, Operation.LATCH_ON)], select=select, now_s=pair.now)
    pair.until(pair.now + 60)
    assert pair.done(task).outcome is (TaskOutcome.NOT_SENT if select else TaskOutcome.UNKNOWN)
    assert len(pair.rtu.plant.operated) == (0 if select else 1)
    assert pair.of(NoAnswer)


def test_the_end_of_the_connection_leaves_a_control_unknown_and_a_queued_one_unsent():
    pair = Pair()
    pair.cut = True
    first = pair.session.operate([BinaryCommand(1, Operation.LATCH_ON)], select=False, now_s=pair.now)
    second = pair.session.operate([BinaryCommand(2, Operation.LATCH_ON)], select=False, now_s=pair.now)
    pair.events += pair.session.disconnected()
    assert pair.done(first).outcome is TaskOutcome.UNKNOWN
    assert pair.done(second).outcome is TaskOutcome.NOT_SENT
    with pytest.raises(BusyError):
        pair.session.operate([BinaryCommand(1, Operation.LATCH_ON)], select=False, now_s=pair.now)


def test_the_queue_is_bounded_and_nothing_unsendable_enters_it():
    pair = Pair(queue_max=2)
    pair.cut = True
    for _ in range(3):
        pair.session.request(Function.READ, bytes.fromhex("1E 00 06"), pair.now)
    with pytest.raises(BusyError):
        pair.session.request(Function.READ, bytes.fromhex("1E 00 06"), pair.now)
    with pytest.raises(UnsendableError):
        pair.session.operate([AnalogCommand(1, float("nan"))], select=False, now_s=pair.now)


@pytest.mark.parametrize("sync", [TimeSync.LAN, TimeSync.NON_LAN])
def test_an_outstation_that_asks_is_given_the_time(sync):
    pair = Pair(outstation={"need_time_s": 3600}, time_sync=sync)
    assert not pair.rtu.session.clock.is_needed
    assert pair.rtu.session.time_ms(pair.now) == round(pair.now * 1000)


def test_a_restart_is_seen_cleared_and_followed_by_a_new_start():
    pair = Pair()
    pair.until(pair.now + 60)
    pair.rtu.session.restarted()
    pair.until(pair.now + 5)
    assert len(pair.of(RestartSeen)) == 2
    assert len(pair.of(Started)) == 2


def test_an_overflow_brings_an_integrity_poll_with_patience():
    pair = Pair(event_capacity=3)
    for value in range(10, 100, 10):
        pair.rtu.set(Kind.ANALOG_INPUT, 0, value)
    pair.until(pair.now + 3)
    assert pair.values(Kind.ANALOG_INPUT)[0] == 90
    assert len([a for a in pair.of(MasterAlarm) if "lost events" in a.detail]) == 1


def test_silence_is_probed_and_a_dead_link_is_said_to_be_dead():
    pair = Pair(event_poll_s=None, integrity_s=None, keep_alive_s=30)
    pair.until(pair.now + 100)
    assert pair.of(LinkDead) == []
    pair.lost = True
    pair.until(pair.now + 40)
    assert len(pair.of(LinkDead)) == 1


def test_a_start_that_fails_is_tried_again_with_growing_patience():
    pair = Pair()
    pair.cut = True
    pair.session.disconnected()
    pair.session.connected(pair.now)
    pair.until(pair.now + 60)
    assert 3 <= len(pair.of(NoAnswer)) <= 12
    pair.cut = False
    pair.until(pair.now + 60)
    assert pair.session.is_started
