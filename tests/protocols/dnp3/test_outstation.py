"""The outstation's answers to reads, writes, freezes and events, and its patience."""

import pytest

from protocols.dnp3.database import PointConfig
from protocols.dnp3.fragment import Function, Iin
from protocols.dnp3.headers import class_header
from protocols.dnp3.layouts import Kind
from protocols.dnp3.outstation_words import RestartAsked, TimeSet
from tests.protocols.dnp3.rtu import Rtu, values

INTEGRITY = "3C 02 06 3C 03 06 3C 04 06 3C 01 06"
EVENTS = "3C 02 06 3C 03 06 3C 04 06"
CLEAR_RESTART = "50 01 00 07 07 00"


def analogs(count, **more):
    return [PointConfig(Kind.ANALOG_INPUT, index, value=index, **more) for index in range(count)]


class TestStatic:
    def test_class_0_gives_every_point_once(self):
        rtu = Rtu().fresh()
        groups = [(group, len(found)) for group, _, found in values(rtu.read(class_header(0)))]
        assert groups == [(1, 4), (3, 4), (10, 4), (20, 4), (21, 4), (30, 4), (40, 4), (Kind.OCTET_STRING, 1)]

    def test_the_same_header_many_times_adds_nothing(self):
        rtu = Rtu(analogs(100)).fresh()
        once = rtu.read(class_header(0)).objects
        assert rtu.read(class_header(0) * 60).objects == once

    def test_too_many_headers_are_a_parameter_error(self):
        response = Rtu().read(class_header(0) * 600)
        assert response.iin & Iin.PARAM_ERROR
        assert response.objects == b""

    @pytest.mark.parametrize(
        ("request_", "expected"),
        [
            ("1E 00 00 01 02", [(30, 5, {1: 1, 2: 2})]),
            ("1E 01 17 01 03", [(30, 1, {3: 3})]),
            ("1E 02 28 02 00 03 00 01 00", [(30, 2, {3: 3}), (30, 2, {1: 1})]),
            ("1E 06 06", [(30, 6, {0: 0, 1: 1, 2: 2, 3: 3})]),
            ("22 00 06", [(34, 3, {0: 0, 1: 0, 2: 0, 3: 0})]),
        ],
    )
    def test_points_by_range_index_and_form(self, request_, expected):
        response = Rtu(analogs(4)).fresh().read(request_)
        assert values(response) == expected
        assert not response.iin & Iin.PARAM_ERROR

    def test_points_that_are_missing_are_said_to_be(self):
        response = Rtu(analogs(4)).fresh().read("1E 05 01 02 00 FF FF")
        assert values(response) == [(30, 5, {2: 2, 3: 3})]
        assert response.iin & Iin.PARAM_ERROR

    @pytest.mark.parametrize("request_", ["1E 09 06", "78 03 06", "3C 05 06", "34 01 06", "0C 01 06"])
    def test_what_is_not_there_is_said_to_be_unknown(self, request_):
        iin = Rtu().read(request_).iin
        assert iin & (Iin.OBJECT_UNKNOWN | Iin.NO_FUNC_CODE_SUPPORT)

    def test_packed_states_carry_only_healthy_points(self):
        rtu = Rtu([PointConfig(Kind.BINARY_INPUT, i, value=i & 1) for i in range(20)]).fresh()
        assert values(rtu.read("01 01 06")) == [(1, 1, {i: i & 1 for i in range(20)})]
        rtu.set(Kind.BINARY_INPUT, 19, 1, flags=4)
        assert [(g, v) for g, v, _ in values(rtu.read("01 01 06"))] == [(1, 1), (1, 2)]

    def test_double_bits(self):
        rtu = Rtu([PointConfig(Kind.DOUBLE_BIT_INPUT, i, value=i % 4) for i in range(6)]).fresh()
        assert values(rtu.read("03 01 06")) == [(3, 1, {i: i % 4 for i in range(6)})]
        assert values(rtu.read("03 02 06")) == [(3, 2, {i: i % 4 for i in range(6)})]

    def test_an_analog_that_does_not_fit_is_cut_and_flagged(self):
        rtu = Rtu(analogs(1)).fresh()
        rtu.set(Kind.ANALOG_INPUT, 0, 50_000)
        assert rtu.read("1E 02 06").objects.hex() == "1e02000000" + "21" + "ff7f"
        rtu.set(Kind.ANALOG_INPUT, 0, -1e300)
        assert rtu.read("1E 05 06").objects[5] == 0x21

    def test_counters_roll_over_in_a_narrow_form(self):
        rtu = Rtu().fresh()
        rtu.set(Kind.COUNTER, 0, 65536 + 7)
        assert values(rtu.read("14 06 00 00 00")) == [(20, 6, {0: 7})]

    def test_device_attributes(self):
        rtu = Rtu(attributes={252: "Ampacity", 242: "1"})
        assert rtu.read("00 FC 00 00 00").objects.endswith(b"Ampacity")
        assert rtu.read("00 FE 00 00 00").objects.count(b"\x00\x00\x00\x01") >= 2
        assert rtu.read("00 F0 00 00 00").iin & Iin.OBJECT_UNKNOWN

    def test_the_time(self):
        rtu = Rtu()
        assert rtu.read("32 01 07 01").objects == bytes.fromhex("32 01 07 01") + (1_000_000).to_bytes(6, "little")

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**32, -1, 1.5])
    def test_a_counter_holds_only_counts(self, value):
        with pytest.raises(ValueError, match="cannot hold"):
            Rtu().set(Kind.COUNTER, 0, value)

    @pytest.mark.parametrize("value", [float("nan"), float("-inf")])
    def test_an_analog_holds_only_numbers(self, value):
        with pytest.raises(ValueError, match="cannot hold"):
            Rtu().set(Kind.ANALOG_INPUT, 0, value)


class TestManyFragments:
    def test_a_large_database_comes_in_confirmed_fragments(self):
        rtu = Rtu(analogs(2000)).fresh()
        response = rtu.read(class_header(0))
        seen = {}
        fragments = 0
        while True:
            fragments += 1
            assert len(response.objects) + 4 <= 2048
            assert response.first == (fragments == 1)
            for *_, found in values(response):
                seen |= found
            if response.final:
                break
            assert response.confirm
            (response,) = rtu.confirm(response)
        assert seen == {i: i for i in range(2000)}
        assert fragments == 5

    def test_without_a_confirmation_the_rest_is_dropped(self):
        rtu = Rtu(analogs(2000)).fresh()
        response = rtu.read(class_header(0))
        assert rtu.poll(rtu.now + 6) == []
        assert rtu.confirm(response) == []

    def test_a_wrong_confirmation_brings_nothing(self):
        rtu = Rtu(analogs(2000)).fresh()
        response = rtu.read(class_header(0))
        assert rtu.apdu(bytes((0xC0 | (response.sequence + 1) % 16, 0))) == []
        assert rtu.apdu(bytes((0xD0 | response.sequence, 0))) == []
        assert len(rtu.confirm(response)) == 1

    @pytest.mark.parametrize("kind", [Kind.BINARY_INPUT, Kind.DOUBLE_BIT_INPUT])
    def test_packed_points_fill_fragments_exactly(self, kind):
        rtu = Rtu([PointConfig(kind, i, value=1, static_variation=1) for i in range(40_000)]).fresh()
        response = rtu.read(class_header(0))
        seen = 0
        while True:
            assert len(response.objects) + 4 <= 2048
            seen += sum(len(found) for *_, found in values(response))
            if response.final:
                break
            (response,) = rtu.confirm(response)
        assert seen == 40_000


class TestEvents:
    def test_events_stay_until_confirmed_and_are_repeated_identically(self):
        rtu = Rtu().fresh()
        rtu.set(Kind.BINARY_INPUT, 1, 1)
        rtu.set(Kind.ANALOG_INPUT, 2, 7.5)
        first = rtu.read(EVENTS)
        assert first.confirm
        assert values(first) == [(2, 2, {1: 1}), (32, 7, {2: 7.5})]
        assert rtu.read(EVENTS).objects == first.objects
        rtu.poll(rtu.now + 20)
        again = rtu.read(EVENTS)
        assert again.objects == first.objects
        rtu.confirm(again)
        assert rtu.read(EVENTS).objects == b""

    def test_indications_tell_of_the_events_that_remain(self):
        rtu = Rtu().fresh()
        rtu.set(Kind.BINARY_INPUT, 1, 1)
        rtu.set(Kind.ANALOG_INPUT, 2, 7.5)
        response = rtu.read("3C 02 06")
        assert response.iin & Iin.CLASS_2_EVENTS
        assert not response.iin & Iin.CLASS_1_EVENTS

    def test_a_count_limits_events(self):
        rtu = Rtu().fresh()
        for value in range(5):
            rtu.set(Kind.ANALOG_INPUT, 0, value * 10)
        assert len(values(rtu.read("3C 03 07 02"))) == 1
        assert sum(len(found) for *_, found in values(rtu.read("20 01 08 01 00"))) == 1

    def test_events_in_the_form_asked_for(self):
        rtu = Rtu().fresh()
        rtu.set(Kind.BINARY_INPUT, 0, 1, time_ms=70_000)
        rtu.set(Kind.BINARY_INPUT, 1, 1, time_ms=70_005)
        rtu.set(Kind.BINARY_INPUT, 2, 1, time_ms=200_000)
        response = rtu.read("02 03 06")
        assert response.objects.count(bytes.fromhex("33 01 07 01")) == 2
        assert values(response) == [(2, 3, {0: 1, 1: 1}), (2, 3, {2: 1})]

    def test_changes_within_the_deadband_are_no_news(self):
        rtu = Rtu().fresh()
        assert not rtu.set(Kind.ANALOG_INPUT, 0, 0.4)
        assert rtu.set(Kind.ANALOG_INPUT, 0, 0.6)
        assert rtu.set(Kind.ANALOG_INPUT, 0, 0.6, flags=4)

    def test_a_full_buffer_drops_the_oldest_and_says_so_until_confirmed(self):
        rtu = Rtu(event_capacity=3).fresh()
        for value in range(5):
            rtu.set(Kind.ANALOG_INPUT, 0, value * 10 + 10)
        response = rtu.read(EVENTS)
        assert response.iin & Iin.EVENT_BUFFER_OVERFLOW
        rtu.confirm(response)
        assert not rtu.read(EVENTS).iin & Iin.EVENT_BUFFER_OVERFLOW

    def test_many_events_come_in_several_fragments_each_confirmed(self):
        rtu = Rtu().fresh()
        for value in range(500):
            rtu.set(Kind.ANALOG_INPUT, 0, value * 10 + 10)
        response = rtu.read(EVENTS)
        seen = len(rtu.database.events)
        assert not response.final
        assert response.confirm
        rtu.confirm(response)
        assert len(rtu.database.events) < seen

    def test_strings_make_events(self):
        rtu = Rtu().fresh()
        rtu.set(Kind.OCTET_STRING, 0, b"xy")
        assert values(rtu.read("6F 00 06")) == [(Kind.OCTET_STRING, 0, {0: b"xy"})]


class TestUnsolicited:
    def announced(self, **settings):
        rtu = Rtu(unsolicited=True, **settings).fresh()
        (null,) = rtu.said()
        assert null.unsolicited
        assert null.confirm
        assert null.objects == b""
        assert null.iin & Iin.DEVICE_RESTART
        rtu.confirm(null)
        return rtu

    def test_only_enabled_classes_are_sent(self):
        rtu = self.announced()
        rtu.set(Kind.BINARY_INPUT, 0, 1)
        assert rtu.poll(rtu.now) == []
        response, unsolicited = rtu.ask(Function.ENABLE_UNSOLICITED, "3C 02 06")
        assert response.function == Function.RESPONSE
        assert values(unsolicited) == [(2, 2, {0: 1})]
        rtu.confirm(unsolicited)
        rtu.set(Kind.ANALOG_INPUT, 0, 99)
        assert rtu.poll(rtu.now) == []

    def test_no_answer_brings_the_same_octets_with_the_same_number_later(self):
        rtu = self.announced()
        rtu.ask(Function.ENABLE_UNSOLICITED, "3C 02 06")
        rtu.set(Kind.BINARY_INPUT, 0, 1)
        (first,) = rtu.poll(rtu.now)
        assert rtu.poll(rtu.now + 5.1) == []
        (second,) = rtu.poll(rtu.now + 2.1)
        assert (second.sequence, second.objects) == (first.sequence, first.objects)
        rtu.confirm(second)
        assert len(rtu.database.events) == 0

    def test_a_read_waits_for_the_confirmation(self):
        rtu = self.announced()
        rtu.ask(Function.ENABLE_UNSOLICITED, "3C 02 06")
        rtu.set(Kind.BINARY_INPUT, 0, 1)
        (unsolicited,) = rtu.poll(rtu.now)
        assert rtu.ask(Function.READ, EVENTS) == []
        (response,) = rtu.confirm(unsolicited)
        assert response.function == Function.RESPONSE
        assert response.objects == b""

    def test_other_requests_are_served_meanwhile(self):
        rtu = Rtu(unsolicited=True)
        rtu.said()
        assert rtu.one(Function.WRITE, CLEAR_RESTART).iin & Iin.DEVICE_RESTART == 0

    def test_it_can_be_switched_off(self):
        rtu = self.announced()
        rtu.ask(Function.ENABLE_UNSOLICITED, "3C 02 06 3C 03 06")
        rtu.ask(Function.DISABLE_UNSOLICITED, "3C 02 06")
        rtu.set(Kind.BINARY_INPUT, 0, 1)
        assert rtu.poll(rtu.now) == []

    def test_where_it_is_not_offered_it_is_refused(self):
        assert Rtu().one(Function.ENABLE_UNSOLICITED, "3C 02 06").iin & Iin.NO_FUNC_CODE_SUPPORT

    def test_the_deadline_is_never_in_the_past_while_something_is_awaited(self):
        rtu = self.announced()
        rtu.ask(Function.ENABLE_UNSOLICITED, "3C 02 06 3C 03 06")
        rtu.set(Kind.BINARY_INPUT, 0, 1)
        rtu.poll(rtu.now)
        assert rtu.session.next_deadline() == rtu.now + 5


class TestWrites:
    def test_restart_is_indicated_until_cleared(self):
        rtu = Rtu()
        assert rtu.read(class_header(0)).iin & Iin.DEVICE_RESTART
        assert not rtu.one(Function.WRITE, CLEAR_RESTART).iin & Iin.DEVICE_RESTART
        rtu.session.restarted()
        assert rtu.read(class_header(0)).iin & Iin.DEVICE_RESTART

    @pytest.mark.parametrize("objects", ["50 01 00 07 07 01", "50 01 00 04 04 00", "50 01 00 00 07 00"])
    def test_no_other_indication_can_be_written(self, objects):
        assert Rtu().one(Function.WRITE, objects).iin & Iin.PARAM_ERROR

    def test_the_time_over_a_slow_line(self):
        rtu = Rtu(need_time_s=60)
        assert rtu.read(class_header(0)).iin & Iin.NEED_TIME
        assert rtu.one(Function.DELAY_MEASURE).objects.hex() == "340207010000"
        response = rtu.one(Function.WRITE, bytes.fromhex("32 01 07 01") + (5_000_000).to_bytes(6, "little"))
        assert not response.iin & Iin.NEED_TIME
        assert rtu.session.time_ms(rtu.now + 1) == 5_001_000
        assert TimeSet(5_000_000) in rtu.events
        rtu.now += 61
        assert rtu.read(class_header(0)).iin & Iin.NEED_TIME

    def test_the_time_over_a_lan_counts_from_the_recorded_moment(self):
        rtu = Rtu()
        time = bytes.fromhex("32 03 07 01") + (5_000_000).to_bytes(6, "little")
        assert rtu.one(Function.WRITE, time).iin & Iin.PARAM_ERROR
        rtu.one(Function.RECORD_CURRENT_TIME)
        rtu.now += 2
        rtu.one(Function.WRITE, time)
        assert rtu.session.time_ms(rtu.now) == 5_002_000

    def test_the_last_time_of_all_overflows_nothing(self):
        rtu = Rtu()
        rtu.one(Function.WRITE, "32 01 07 01 FF FF FF FF FF FF")
        assert rtu.read("32 01 07 01").objects[4:] == b"\xff" * 6

    def test_deadbands(self):
        rtu = Rtu()
        rtu.one(Function.WRITE, "22 01 00 00 00 0A 00")
        assert rtu.database.get(Kind.ANALOG_INPUT, 0).deadband == 10
        assert rtu.one(Function.WRITE, "22 03 00 00 00 00 00 C0 7F").iin & Iin.PARAM_ERROR
        assert rtu.one(Function.WRITE, "22 03 00 63 63 00 00 80 3F").iin & Iin.PARAM_ERROR

    def test_freeze_and_clear(self):
        rtu = Rtu().fresh()
        rtu.set(Kind.COUNTER, 1, 42)
        rtu.ask(Function.FREEZE_CLEAR, "14 00 06")
        assert rtu.database.get(Kind.FROZEN_COUNTER, 1).value == 42
        assert rtu.database.get(Kind.COUNTER, 1).value == 0
        assert rtu.ask(Function.IMMED_FREEZE_NR, "14 00 06") == []
        assert rtu.one(Function.IMMED_FREEZE, "1E 00 06").iin & Iin.OBJECT_UNKNOWN

    def test_classes_are_assigned(self):
        rtu = Rtu().fresh()
        rtu.one(Function.ASSIGN_CLASS, "3C 02 06 1E 00 00 00 01 3C 01 06 1E 00 17 01 02")
        assert [p.event_class for p in rtu.database.points(Kind.ANALOG_INPUT)] == [1, 1, 0, 2]
        assert rtu.one(Function.ASSIGN_CLASS, "1E 00 06").iin & Iin.PARAM_ERROR
        assert rtu.one(Function.ASSIGN_CLASS, "3C 02 06 1F 00 06").iin & Iin.OBJECT_UNKNOWN

    def test_restarts_are_the_applications_choice(self):
        rtu = Rtu()
        assert rtu.one(Function.COLD_RESTART).iin & Iin.NO_FUNC_CODE_SUPPORT
        rtu.plant.restarts = 1500
        assert rtu.one(Function.WARM_RESTART).objects.hex() == "34020701" + "dc05"
        assert RestartAsked(False, 1500) in rtu.events
        rtu.plant.restarts = 90_000
        assert rtu.one(Function.COLD_RESTART).objects.hex() == "34010701" + "5a00"

    @pytest.mark.parametrize("function", [11, 12, 15, 25, 26, 27, 28, 29, 30, 31, 32, 33, 77, 127, 128])
    def test_other_functions_are_not_supported(self, function):
        assert Rtu().one(function).iin & Iin.NO_FUNC_CODE_SUPPORT

    def test_a_repeated_request_is_answered_and_not_repeated(self):
        rtu = Rtu().fresh()
        rtu.set(Kind.COUNTER, 0, 5)
        first = rtu.one(Function.FREEZE_CLEAR, "14 00 06", sequence=3)
        again = rtu.one(Function.FREEZE_CLEAR, "14 00 06", sequence=3)
        assert again.objects == first.objects
        assert rtu.database.get(Kind.FROZEN_COUNTER, 0).value == 5
