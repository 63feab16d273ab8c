"""A master under attack by its outstation: it stays alive, bounded, and never confirms what it could not decode."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.dnp3.commands import AnalogCommand, encode_commands
from protocols.dnp3.fragment import Fragment, Function, Iin, decode_fragment, encode_fragment
from protocols.dnp3.layouts import LAYOUTS
from protocols.dnp3.link import Frame, encode_frame
from protocols.dnp3.master import MasterSession
from protocols.dnp3.master_words import MasterAlarm, MasterSettings, NoAnswer, Started, TaskDone, TaskOutcome
from protocols.dnp3.readings import Readings
from protocols.dnp3.station import Station
from protocols.dnp3.transport import segments

GOOD = bytes.fromhex("1E 05 00 00 00 01 00 00 C0 3F")
EVENT = bytes.fromhex("02 01 17 01 03 81")
UNKNOWN_GROUP = bytes.fromhex("C8 01 17 01 00 00")
BAD_OBJECTS = [
    "1E", "1E 01 00", "1E 01 00 05 02", "1E 01 02 00 00 00 00 FF FF FF FF", "01 01 02 00 00 00 00 FF FF FF FF",
    "01 01 01 00 00 FF FF", "1E 01 28 FF FF", "20 01 39 FF FF FF FF", "1E 01 03 00 00", "1E 01 7F 00",
    "6E 00 01 00 00 FF FF", "6F 00 28 FF FF", "70 00 09 FF FF FF FF", "00 FF 17 FF", "3C 01 08 FF FF",
    "46 05 5B 01 FF FF", "C8 01 17 01 00 00", "1E 09 00 00 00 00", "02 03 17 01 00 81 05 00", "1E 00 00 00 00 01",
]  # fmt: skip


class Outstation:
    """A hand on the octets that a master gets."""

    def __init__(self, *, start=True, **more):
        self.session = MasterSession(MasterSettings(**{"event_poll_s": None, "unsolicited": False} | more))
        self.station = Station(local=10, remote=1, is_master=False, fragment_max=4096)
        self.now = 1000.0
        self.events = []
        self.asked = []
        self.session.connected(self.now)
        self.hear()
        if start:
            while not self.session.is_started:
                self.answer()
            self.events.clear()

    def hear(self):
        for inbound in self.station.receive(self.session.data_to_send(), self.now):
            self.asked.append(decode_fragment(inbound.octets, is_response=False))
        return self.asked

    def say(self, octets):
        self.station.send(octets)
        self.wire(self.station.data_to_send())

    def wire(self, octets):
        self.events += self.session.receive(octets, self.now)
        self.hear()

    def answer(self, objects=b"", **more):
        last = next(r for r in reversed(self.asked) if r.function != Function.CONFIRM)
        fields = {"sequence": last.sequence, "iin": Iin.NONE} | more
        self.say(encode_fragment(Fragment(Function.RESPONSE, objects=objects, **fields)))

    def unsolicited(self, objects, sequence=0, **more):
        fields = {"iin": Iin.NONE, "confirm": True, "unsolicited": True} | more
        self.say(encode_fragment(Fragment(Function.UNSOLICITED_RESPONSE, sequence, objects, **fields)))

    def read(self):
        self.asked.clear()
        task = self.session.request(Function.READ, bytes.fromhex("1E 00 06"), self.now)
        self.hear()
        return task

    def until(self, now):
        self.now = now
        self.events += self.session.poll(now)
        self.hear()

    def outcome(self, task):
        return next(event.outcome for event in self.events if isinstance(event, TaskDone) and event.task == task)

    def readings(self):
        return [event for event in self.events if isinstance(event, Readings)]

    def confirms(self):
        return [r for r in self.asked if r.function == Function.CONFIRM]

    def works(self):
        task = self.read()
        self.answer(GOOD)
        return self.outcome(task) is TaskOutcome.DONE


@pytest.mark.parametrize("objects", BAD_OBJECTS)
def test_undecodable_responses_are_delivered_up_to_the_fault_and_never_confirmed(objects):
    peer = Outstation()
    task = peer.read()
    peer.answer(GOOD + bytes.fromhex(objects), confirm=True)
    assert peer.confirms() == []
    assert [list(r.values) for r in peer.readings()] == [[1.5]]
    assert peer.outcome(task) is TaskOutcome.UNKNOWN
    assert any(isinstance(event, MasterAlarm) for event in peer.events)
    assert peer.session.counters.undecoded == 1
    assert peer.works()


@pytest.mark.parametrize("objects", BAD_OBJECTS)
def test_undecodable_unsolicited_responses_are_never_confirmed(objects):
    peer = Outstation()
    peer.asked.clear()
    peer.unsolicited(EVENT + bytes.fromhex(objects))
    assert peer.confirms() == []
    assert len(peer.readings()) == 1
    assert peer.asked[0].function == Function.READ


def test_a_poll_that_cannot_be_decoded_is_repeated_class_by_class_then_group_by_group():
    peer = Outstation(event_poll_s=1.0)
    peer.asked.clear()
    peer.until(peer.now + 1)
    peer.answer(UNKNOWN_GROUP + EVENT, confirm=True)
    peer.answer(EVENT, confirm=True)
    peer.answer(UNKNOWN_GROUP, confirm=True)
    for _ in range(8):
        peer.answer()
    reads = [r.objects.hex() for r in peer.asked if r.function == Function.READ]
    assert reads[:3] == ["3c02063c03063c0406", "3c0206", "3c0306"]
    assert reads[3:] == ["020006", "040006", "0b0006", "160006", "170006", "200006", "2a0006", "6f0006"]
    assert len(peer.confirms()) == 1


def test_a_start_with_an_unknown_group_ends_with_everything_else_read():
    peer = Outstation(start=False)
    peer.answer()
    for _ in range(30):
        if peer.session.is_started:
            break
        wanted = peer.asked[-1].objects
        peer.answer(GOOD if wanted[:2] == b"\x1e\x00" else UNKNOWN_GROUP)
    assert peer.session.is_started
    assert list(peer.readings()[-1].values) == [1.5]


@pytest.mark.parametrize(
    "octets", [b"\xc0", b"\xc0\x81", b"\xc0\x81\x00", b"\xc0\x01\x3c\x01\x06", b"\xc0\x83\x00\x00"]
)
def test_scraps_and_requests_are_ignored(octets):
    peer = Outstation()
    peer.say(octets)
    assert peer.works()


def test_wrong_sequences_and_duplicates_are_strays():
    peer = Outstation()
    task = peer.read()
    peer.answer(GOOD, sequence=(peer.asked[-1].sequence + 3) % 16)
    assert peer.readings() == []
    peer.answer(GOOD)
    peer.answer(GOOD)
    assert len(peer.readings()) == 1
    assert peer.outcome(task) is TaskOutcome.DONE
    assert peer.session.counters.strays == 2
    assert peer.works()


def test_a_response_that_stops_midway_times_out():
    peer = Outstation()
    task = peer.read()
    peer.answer(GOOD, final=False)
    peer.until(peer.now + 2.1)
    assert peer.outcome(task) is TaskOutcome.UNKNOWN
    assert peer.works()


def test_a_response_that_never_ends_is_capped():
    peer = Outstation(fragments_max=20)
    task = peer.read()
    sequence = peer.asked[-1].sequence
    for number in range(40):
        peer.answer(GOOD, sequence=(sequence + number) % 16, first=number == 0, final=False)
    assert peer.outcome(task) is TaskOutcome.UNKNOWN
    assert len(peer.readings()) == 20


def test_a_response_that_dribbles_is_ended_by_the_clock():
    peer = Outstation(exchange_timeout_s=10)
    task = peer.read()
    sequence = peer.asked[-1].sequence
    for number in range(12):
        peer.answer(GOOD, sequence=(sequence + number) % 16, first=number == 0, final=False)
        peer.until(peer.now + 1)
    assert peer.outcome(task) is TaskOutcome.UNKNOWN


def test_a_flood_of_unsolicited_responses_is_confirmed_and_polls_go_on():
    peer = Outstation()
    for number in range(2000):
        peer.unsolicited(EVENT, number % 16)
    assert len(peer.confirms()) == 2000
    assert peer.works()


def test_a_repeated_unsolicited_response_is_confirmed_twice_and_delivered_once():
    peer = Outstation()
    peer.asked.clear()
    peer.unsolicited(EVENT, 4)
    peer.unsolicited(EVENT, 4)
    assert len(peer.confirms()) == 2
    assert all(c.unsolicited for c in peer.confirms())
    assert len(peer.readings()) == 1


@pytest.mark.parametrize("more", [{"first": False}, {"final": False}, {"unsolicited": False}])
def test_unsolicited_responses_in_parts_are_ignored(more):
    peer = Outstation()
    peer.asked.clear()
    peer.unsolicited(EVENT, **more)
    assert peer.asked == []
    assert peer.readings() == []


def test_a_nonsense_echo_of_a_control_leaves_it_unknown():
    peer = Outstation()
    command = AnalogCommand(1, 2.5)
    for objects in (encode_commands([AnalogCommand(2, 2.5)]), b"\x29", GOOD, encode_commands([command]) * 2, b""):
        task = peer.session.operate([command], select=False, now_s=peer.now)
        peer.hear()
        peer.answer(objects)
        assert peer.outcome(task) is TaskOutcome.UNKNOWN


def test_a_select_echo_that_differs_operates_nothing():
    peer = Outstation()
    peer.asked.clear()
    task = peer.session.operate([AnalogCommand(1, 2.5)], select=True, now_s=peer.now)
    peer.hear()
    peer.answer(encode_commands([AnalogCommand(1, 2.25)]))
    assert peer.outcome(task) is TaskOutcome.REFUSED
    assert [r.function for r in peer.asked] == [Function.SELECT]


def test_not_a_number_and_the_last_time_of_all_pass_as_readings():
    peer = Outstation()
    peer.unsolicited(bytes.fromhex("20 07 17 01 00 01 00 00 C0 7F FF FF FF FF FF FF"))
    (reading,) = peer.readings()
    assert math.isnan(reading.values[0])
    assert reading.times_ms == [2**48 - 1]


def test_an_outstation_that_never_clears_its_restart_is_not_written_to_for_ever():
    peer = Outstation()
    for _ in range(50):
        peer.read()
        for _ in range(10):
            peer.answer(GOOD, iin=Iin.DEVICE_RESTART | Iin.NEED_TIME | Iin.EVENT_BUFFER_OVERFLOW)
    writes = [r for r in peer.asked if r.function == Function.WRITE]
    assert len(writes) <= 4


def test_garbage_and_frames_of_any_cut():
    peer = Outstation()
    peer.wire(random.Random(7).randbytes(200_000))
    peer.now += 10
    peer.wire(b"\x05\x64" * 1000)
    peer.now += 10
    assert peer.works()
    for part in segments(bytes(9000), 0):
        peer.wire(encode_frame(Frame(False, True, 4, 1, 10, part)))
    assert peer.works()
    task = peer.read()
    peer.station.send(encode_fragment(Fragment(Function.RESPONSE, peer.asked[-1].sequence, GOOD, Iin.NONE)))
    for octet in peer.station.data_to_send():
        peer.wire(bytes((octet,)))
    assert peer.outcome(task) is TaskOutcome.DONE


def test_a_link_status_flood_is_answered_within_bounds():
    peer = Outstation()
    peer.session.receive(encode_frame(Frame(False, True, 9, 1, 10)) * 5000, peer.now)
    assert len(peer.session.data_to_send()) <= 64 * 10
    assert peer.works()


def test_an_outstation_that_never_answers_is_asked_with_patience():
    peer = Outstation(start=False)
    now = peer.now
    while now < peer.now + 200:
        now = max(peer.session.next_deadline(), now + 0.01)
        peer.events += peer.session.poll(now)
    assert 5 <= sum(isinstance(event, NoAnswer) for event in peer.events) <= 12
    assert not any(isinstance(event, Started) for event in peer.events)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 255), st.sampled_from([129, 130, 131]), st.integers(0, 0xFFFF), st.binary(max_size=120))
def test_any_response_is_survived(control, function, iin, objects):
    peer = Outstation()
    peer.read()
    peer.say(bytes((control, function)) + iin.to_bytes(2, "little") + objects)
    peer.until(peer.now + 100)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*sorted(LAYOUTS), (60, 1), (110, 0), (110, 3), (70, 1), (120, 1), (0, 254)]),
            st.sampled_from([0, 1, 2, 6, 7, 8, 9, 0x17, 0x28, 0x39, 0x5B]),
            st.binary(max_size=30),
        ),
        max_size=4,
    )
)
def test_any_plausible_response_is_survived(parts):
    peer = Outstation()
    peer.asked.clear()
    peer.unsolicited(b"".join(bytes((*key, qualifier)) + rest for key, qualifier, rest in parts))
    alarmed = any(isinstance(event, MasterAlarm) for event in peer.events)
    assert len(peer.confirms()) == (0 if alarmed else 1)
