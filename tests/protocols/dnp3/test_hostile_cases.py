"""The 25 cases of robustness, each in both directions where it has two; the number is in the test's name.

A case passes where the victim takes nothing that it should not, and the next good fragment gets through.
"""

import math
import random

import pytest

from protocols.dnp3.commands import AnalogCommand, BinaryCommand, CommandStatus, Operation, encode_commands
from protocols.dnp3.crc import crc
from protocols.dnp3.database import PointConfig
from protocols.dnp3.errors import UnsendableError
from protocols.dnp3.fragment import Fragment, Function, Iin, encode_fragment
from protocols.dnp3.headers import class_header
from protocols.dnp3.layouts import Kind
from protocols.dnp3.link import FrameReader, SecondaryFunction
from protocols.dnp3.master_words import TaskOutcome
from protocols.dnp3.measure import Image
from protocols.dnp3.settings import Dnp3Settings, MappedInput
from protocols.dnp3.transport import segments
from protocols.points import Point, Quantity
from protocols.signals import Quality
from tests.protocols.dnp3.rtu import Rtu, values
from tests.protocols.dnp3.test_master_hostile import EVENT, GOOD, UNKNOWN_GROUP, Outstation
from tests.protocols.dnp3.victims import VICTIMS

BOTH = pytest.mark.parametrize("victim", VICTIMS)
FRAME_MAX = 292
HUGE_RANGES = [
    "1E 01 02 00 00 00 00 FF FF FF FF",
    "01 01 02 00 00 00 00 FF FF FF FF",
    "03 01 02 00 00 00 00 FF FF FF FF",
]
HUGE_COUNTS = ["1E 01 08 FF FF", "1E 01 09 FF FF FF FF", "1E 01 28 FF FF", "1E 01 39 FF FF FF FF", "01 01 08 FF FF"]
BOMBS = ["6E 00 01 00 00 FF FF", "6F 00 28 FF FF", "6E 00 09 FF FF FF FF", "70 00 08 FF FF", "71 00 09 FF FF FF FF"]
FREE = ["46 05 5B 01 FF FF", "46 03 5B FF 00 00", "78 01 5B 01 FF FF", "46 01 5B"]


def attacked(victim):
    return VICTIMS[victim]()


def with_header(octets, **changed):
    """The same frame with header octets changed and its header check made good again."""
    header = bytearray(octets[:8])
    for at, value in changed.items():
        header[int(at[1:])] = value
    return bytes(header) + crc(bytes(header)).to_bytes(2, "little") + octets[10:]


def bad_header(octets):
    return octets[:8] + bytes((octets[8] ^ 1,)) + octets[9:]


def bad_end(octets):
    return octets[:-1] + bytes((octets[-1] ^ 1,))


@BOTH
def test_case_01_a_bad_header_check_drops_the_frame_and_the_next_is_found(victim):
    attack = attacked(victim)
    assert attack.hit(bad_header(attack.frames(attack.good()))) == []
    assert attack.station.bad_frames == 1
    assert attack.works()


@BOTH
def test_case_02_a_bad_check_of_the_last_block_drops_the_whole_frame(victim):
    attack = attacked(victim)
    assert attack.hit(bad_end(attack.frames(attack.good()))) == []
    assert attack.station.bad_frames == 1
    assert attack.works()


@BOTH
@pytest.mark.parametrize("length", range(5))
def test_case_03_a_length_below_five_with_a_good_check_is_dropped(victim, length):
    attack = attacked(victim)
    assert attack.hit(with_header(attack.frames(attack.good()), _2=length)) == []
    assert attack.works()


@BOTH
def test_case_04_a_frame_that_stops_arriving_is_forgotten_by_the_clock_and_by_the_next_connection(victim):
    attack = attacked(victim)
    stopped = with_header(attack.frame(bytes(250)), _2=255)[:40]
    assert attack.hit(stopped) == []
    attack.wait(6)
    assert attack.works()
    attack.hit(stopped)
    attack.station.reset(0.0)
    assert attack.works()


@BOTH
def test_case_05_sync_octets_inside_a_bad_frame_open_no_false_frame(victim):
    attack = attacked(victim)
    inner = attack.frames(attack.good())
    outer = bytearray(attack.frame(b"\x00" * 3 + inner[:13] + inner[13:]))
    outer[-1] ^= 1
    assert attack.hit(bytes(outer)) == []
    assert attack.works()


@BOTH
@pytest.mark.parametrize("size", [64 << 10, 500 << 10])
@pytest.mark.parametrize("sort", ["random", "sync", "zero"])
def test_case_06_garbage_costs_bounded_memory(victim, size, sort):
    garbage = {"random": random.Random(size).randbytes(size), "sync": b"\x05\x64" * (size // 2), "zero": bytes(size)}
    attack = attacked(victim)
    assert attack.hit(garbage[sort]) == []
    assert len(attack.station._reader._buffer) <= FRAME_MAX
    attack.wait(6)
    assert attack.works()


@BOTH
def test_case_07_octets_arrive_in_any_cut(victim):
    attack = attacked(victim)
    octets = attack.frames(attack.good())
    assert len([got for octet in octets for got in attack.hit(bytes((octet,)))]) == 1
    many = b"".join(attack.frame(b"\xc0") for _ in range(49)) + attack.frames(attack.good())
    assert len(attack.hit(many)) == 1


@BOTH
@pytest.mark.parametrize(
    "over",
    [
        {"is_from_master": None}, {"destination": 77}, {"destination": 0xFFF0}, {"destination": 0xFFFC},
        {"source": 77}, {"source": 0xFFFF}, {"source": 0xFFFD},
    ],
)  # fmt: skip
def test_case_08_a_wrong_direction_or_address_is_ignored(victim, over):
    attack = attacked(victim)
    if "is_from_master" in over:
        over = {"is_from_master": not attack.from_master}
    (part,) = segments(attack.good(), 0)
    assert attack.hit(attack.frame(part, **over)) == []
    assert attack.answered() == b""
    assert attack.works()


@BOTH
@pytest.mark.parametrize("function", range(16))
def test_case_09_reserved_link_functions_and_odd_data_are_ignored_or_not_supported(victim, function):
    attack = attacked(victim)
    attack.feed(attack.frame(b"", function=function) + attack.frame(b"", function=function, is_primary=False))
    said = [frame.function for frame in FrameReader().feed(attack.answered())]
    ordinary = {0: SecondaryFunction.ACK, 2: SecondaryFunction.NACK, 9: SecondaryFunction.LINK_STATUS, 3: None, 4: None}
    expected = ordinary.get(function, SecondaryFunction.NOT_SUPPORTED)
    assert said == ([] if expected is None else [expected])
    attack.feed(attack.frame(b"\xc0\xc0\x01", function=0))
    assert attack.answered() == b""
    assert attack.works()


@BOTH
def test_case_10_orphan_repeated_and_disordered_segments_are_discarded_and_the_connection_stays(victim):
    attack = attacked(victim)
    first, second, third = segments(bytes(600), 5)
    for part in (second, third, first, third, first, first, b"\xc3" + bytes(2)):
        assert attack.hit(attack.frame(part)) == []
    assert attack.station.discarded_segments >= 4
    assert attack.works()


@BOTH
def test_case_11_a_fragment_that_never_ends_is_capped(victim):
    attack = attacked(victim)
    for number, part in enumerate(segments(bytes(249 * 200), 0)):
        endless = bytes((part[0] & 0x7F,)) + part[1:]
        assert attack.hit(attack.frame(endless)) == []
        assert attack.station._reassembler._octets <= 2048, number
    assert attack.works()
    oversized = attack.good() + bytes(2048)
    assert attack.hit(attack.frames(oversized)) == []
    assert attack.works()


@BOTH
@pytest.mark.parametrize("octets", [b"", b"\xc1", b"\xc1\x81", b"\xc1\x81\x00"])
def test_case_12_scraps_of_a_fragment_are_ignored(victim, octets):
    attack = attacked(victim)
    before = len(attack.hit(attack.frame(b"\xc0" + octets)))
    assert before == (1 if victim == "outstation" and octets == b"\xc1\x81\x00\x00" else 0)
    assert attack.works()


@pytest.mark.parametrize("function", [11, 12, 15, 16, 17, 18, 19, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 100, 128])
def test_case_13_undefined_or_unsupported_functions_are_refused_by_the_outstation(function):
    rtu = Rtu()
    response = rtu.one(function, b"")
    assert response.iin & Iin.NO_FUNC_CODE_SUPPORT
    assert response.objects == b""
    assert rtu.plant.operated == []


@pytest.mark.parametrize("function", [129, 130, 131, 255])
def test_case_13_a_response_code_is_no_request(function):
    rtu = Rtu()
    assert rtu.ask(function, GOOD) == []
    assert len(rtu.ask(Function.READ, class_header(0))) == 1


@pytest.mark.parametrize("function", [0, 1, 2, 5, 128, 131, 132, 255])
def test_case_13_a_request_or_undefined_code_is_no_response(function):
    peer = Outstation()
    peer.read()
    peer.say(bytes((0xE0 | peer.asked[-1].sequence, function, 0, 0)) + GOOD)
    assert peer.readings() == []
    assert peer.confirms() == []
    peer.until(peer.now + 3)
    assert peer.works()


@pytest.mark.parametrize("control", [0x41, 0x81, 0x01, 0xD1])
def test_case_14_requests_in_parts_or_marked_unsolicited_are_ignored(control):
    rtu = Rtu()
    assert rtu.apdu(bytes((control,)) + b"\x01" + class_header(0)) == []
    assert len(rtu.ask(Function.READ, class_header(0))) == 1


@pytest.mark.parametrize("more", [{"first": False}, {"unsolicited": True}])
def test_case_14_a_response_that_begins_in_the_middle_or_is_marked_unsolicited_is_a_stray(more):
    peer = Outstation()
    peer.read()
    peer.answer(GOOD, confirm=True, **more)
    assert (peer.readings(), peer.confirms()) == ([], [])
    peer.until(peer.now + 3)
    assert peer.works()


TRUNCATED = ["1E", "1E 01", "1E 01 00", "1E 01 00 05", "1E 01 17", "20 01 28 01"]
RESERVED = [
    f"1E 01 {code:02X} 00 00" for code in (0x03, 0x04, 0x05, 0x0A, 0x0F, 0x16, 0x18, 0x27, 0x3B, 0x6B, 0x7F, 0xFF)
]
BACKWARD = ["1E 01 00 05 02", "1E 01 01 05 00 02 00", "01 01 00 09 08", *HUGE_RANGES]


def refused_by_outstation(objects, function=Function.READ):
    rtu = Rtu()
    (response,) = rtu.ask(function, objects)
    assert response.iin & (Iin.PARAM_ERROR | Iin.OBJECT_UNKNOWN | Iin.NO_FUNC_CODE_SUPPORT)
    assert response.objects == b""
    assert rtu.plant.operated == rtu.plant.selected == []
    assert len(rtu.ask(Function.READ, class_header(0))) == 1


def rejected_by_master(objects):
    """As an answer and unsolicited: what came before is delivered, nothing is confirmed."""
    peer = Outstation()
    task = peer.read()
    peer.answer(GOOD + bytes.fromhex(objects), confirm=True)
    assert peer.outcome(task) is TaskOutcome.UNKNOWN
    peer.unsolicited(EVENT + bytes.fromhex(objects))
    assert peer.confirms() == []
    assert [list(r.values) for r in peer.readings()] == [[1.5], [1]]
    assert peer.session.counters.undecoded == 2
    peer.answer()
    assert peer.works()


@pytest.mark.parametrize("objects", TRUNCATED)
def test_case_15_a_truncated_header_is_a_parameter_error_or_rejected(objects):
    refused_by_outstation(objects)
    rejected_by_master(objects)


@pytest.mark.parametrize("objects", RESERVED)
def test_case_16_a_reserved_qualifier_is_a_parameter_error_or_rejected(objects):
    refused_by_outstation(objects)
    rejected_by_master(objects)


@pytest.mark.parametrize("objects", BACKWARD)
def test_case_17_backward_and_endless_ranges_are_rejected_without_a_loop(objects):
    refused_by_outstation(objects)
    rejected_by_master(objects)


@pytest.mark.parametrize("objects", HUGE_COUNTS)
def test_case_18_huge_counts_without_data_are_rejected(objects):
    refused_by_outstation(objects, Function.WRITE)
    rejected_by_master(objects)


@pytest.mark.parametrize("objects", BOMBS)
def test_case_19_objects_of_no_size_are_rejected(objects):
    refused_by_outstation(objects, Function.WRITE)
    rejected_by_master(objects)


@pytest.mark.parametrize("objects", FREE)
def test_case_20_free_format_beyond_the_end_is_rejected(objects):
    refused_by_outstation(objects)
    rejected_by_master(objects)


def test_case_20_a_whole_file_object_is_skipped():
    peer = Outstation()
    task = peer.read()
    peer.answer(bytes.fromhex("46 05 5B 01 03 00 AA BB CC") + GOOD)
    assert peer.outcome(task) is TaskOutcome.DONE
    assert [list(r.values) for r in peer.readings()] == [[1.5]]


def test_case_21_six_hundred_class_zero_headers_get_a_bounded_answer():
    rtu = Rtu([PointConfig(Kind.ANALOG_INPUT, index) for index in range(2000)])
    (response,) = rtu.ask(Function.READ, class_header(0) * 600)
    assert response.iin & Iin.PARAM_ERROR
    (response, *more) = rtu.ask(Function.READ, class_header(0) * 64)
    octets = len(response.objects)
    while not response.final:
        (response,) = rtu.confirm(response)
        octets += len(response.objects)
    assert more == []
    assert octets < 2000 * 5 + 100


def test_case_21_a_response_of_more_headers_than_fit_is_never_confirmed():
    peer = Outstation(header_max=100)
    task = peer.read()
    peer.answer(bytes.fromhex("01 01 00 00 00 01") * 300, confirm=True)
    assert peer.outcome(task) is TaskOutcome.UNKNOWN
    assert peer.confirms() == []
    assert len(peer.readings()) <= 100
    assert peer.works()


ON = encode_commands([BinaryCommand(1, Operation.LATCH_ON)])
OTHER = encode_commands([BinaryCommand(2, Operation.LATCH_ON)])


def statuses(response):
    return response.objects[-1]


def test_case_22_operate_without_select_moves_nothing():
    rtu = Rtu()
    assert statuses(rtu.one(Function.OPERATE, ON)) == CommandStatus.NO_SELECT
    assert rtu.plant.operated == []


def test_case_22_operate_of_another_object_or_sequence_or_after_a_read_moves_nothing():
    rtu = Rtu()
    rtu.one(Function.SELECT, ON)
    assert statuses(rtu.one(Function.OPERATE, OTHER)) == CommandStatus.NO_SELECT
    rtu.one(Function.SELECT, ON, 3)
    assert statuses(rtu.one(Function.OPERATE, ON, 5)) == CommandStatus.NO_SELECT
    rtu.one(Function.SELECT, ON, 7)
    rtu.ask(Function.READ, class_header(0), 8)
    assert statuses(rtu.one(Function.OPERATE, ON, 8)) == CommandStatus.NO_SELECT
    assert rtu.plant.operated == []


def test_case_22_operate_after_the_selection_expired_or_on_the_next_connection_moves_nothing():
    rtu = Rtu(select_timeout_s=5)
    rtu.one(Function.SELECT, ON)
    rtu.now += 5.1
    assert statuses(rtu.one(Function.OPERATE, ON)) == CommandStatus.TIMEOUT
    rtu.one(Function.SELECT, ON)
    rtu.session.connected(rtu.now)
    assert statuses(rtu.one(Function.OPERATE, ON)) == CommandStatus.NO_SELECT
    assert rtu.plant.operated == []


@pytest.mark.parametrize("function", [Function.SELECT, Function.DIRECT_OPERATE, Function.DIRECT_OPERATE_NR])
@pytest.mark.parametrize("cut", [1, 5, 11])
def test_case_22_a_truncated_control_moves_nothing(function, cut):
    rtu = Rtu()
    for response in rtu.ask(function, ON[:-cut]):
        assert response.iin & Iin.PARAM_ERROR
    assert rtu.plant.operated == rtu.plant.selected == []


@pytest.mark.parametrize(
    "function", [Function.SELECT, Function.OPERATE, Function.DIRECT_OPERATE, Function.DIRECT_OPERATE_NR]
)
@pytest.mark.parametrize("address", [0xFFFD, 0xFFFE, 0xFFFF])
def test_case_22_a_broadcast_control_moves_nothing(function, address):
    rtu = Rtu()
    assert rtu.apdu(encode_fragment(Fragment(function, 1, ON)), broadcast=address) == []
    assert rtu.plant.operated == rtu.plant.selected == []


def test_case_22_a_repeated_operate_moves_once_and_is_answered_alike():
    rtu = Rtu()
    rtu.one(Function.SELECT, ON, 1)
    answers = [rtu.one(Function.OPERATE, ON, 2) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(rtu.plant.operated) == 1


def test_case_22_a_master_operates_only_what_was_echoed_whole():
    for echo in (b"", ON[:-1], OTHER, ON[:-1] + b"\x04", ON + ON):
        peer = Outstation()
        peer.asked.clear()
        task = peer.session.operate([BinaryCommand(1, Operation.LATCH_ON)], select=True, now_s=peer.now)
        peer.hear()
        peer.answer(echo)
        assert peer.outcome(task) is TaskOutcome.REFUSED
        assert [request.function for request in peer.asked] == [Function.SELECT]


@pytest.mark.parametrize("number", ["00 00 C0 7F", "00 00 80 7F", "00 00 80 FF", "01 00 80 7F"])
@pytest.mark.parametrize("function", [Function.SELECT, Function.DIRECT_OPERATE])
def test_case_23_a_set_point_that_is_no_number_never_reaches_the_application(number, function):
    rtu = Rtu()
    response = rtu.one(function, f"29 03 17 01 01 {number} 00")
    assert statuses(response) == CommandStatus.OUT_OF_RANGE
    assert rtu.plant.operated == rtu.plant.selected == []


@pytest.mark.parametrize("number", ["00 00 C0 7F", "00 00 80 7F", "00 00 80 FF"])
def test_case_23_a_measurement_that_is_no_number_becomes_a_bad_one(number):
    peer = Outstation()
    peer.unsolicited(bytes.fromhex(f"20 07 17 01 00 01 {number} FF FF FF FF FF FF"))
    (readings,) = peer.readings()
    assert not math.isfinite(readings.values[0])
    point = Point("L1", Quantity.CURRENT_A)
    image = Image(Dnp3Settings("h", (MappedInput(point, Kind.ANALOG_INPUT, 0),)))
    (measurement,) = image.take(readings, 1000.0)
    assert (measurement.quality, measurement.value) == (Quality.BAD, 0.0)
    assert measurement.source_time_s == 1000.0


def test_case_23_the_last_time_of_all_is_taken_and_told_without_overflow():
    rtu = Rtu()
    assert not rtu.one(Function.WRITE, "32 01 07 01 FF FF FF FF FF FF").iin & Iin.PARAM_ERROR
    rtu.fresh().set(Kind.ANALOG_INPUT, 0, 5.0, time_ms=rtu.session.time_ms(rtu.now + 10))
    (response,) = rtu.ask(Function.READ, class_header(2))
    assert values(response)[0][2] == {0: 5.0}


def test_case_24_wrong_sequences_duplicates_and_stray_confirms_are_passed_over_by_the_outstation():
    rtu = Rtu().fresh()
    rtu.set(Kind.BINARY_INPUT, 0, 1)
    first = rtu.one(Function.READ, class_header(1))
    for sequence in range(16):
        if sequence != first.sequence:
            rtu.apdu(encode_fragment(Fragment(Function.CONFIRM, sequence)))
        rtu.apdu(encode_fragment(Fragment(Function.CONFIRM, sequence, unsolicited=True)))
    assert len(rtu.database.events) == 1
    again = rtu.one(Function.READ, class_header(1))
    assert again.objects == first.objects
    rtu.confirm(first)
    assert len(rtu.database.events) == 1
    rtu.confirm(again)
    assert len(rtu.database.events) == 0
    rtu.confirm(again)
    assert len(rtu.ask(Function.READ, class_header(0))) == 1


def test_case_24_an_unconfirmed_fragment_times_out_and_the_outstation_goes_on():
    rtu = Rtu([PointConfig(Kind.ANALOG_INPUT, index) for index in range(2000)])
    (response,) = rtu.ask(Function.READ, class_header(0))
    assert not response.final
    assert rtu.poll(rtu.now + 100) == []
    assert len(rtu.ask(Function.READ, class_header(1))) == 1


def test_case_24_a_response_of_another_sequence_a_duplicate_and_an_endless_one_are_bounded_by_the_master():
    peer = Outstation(fragments_max=20)
    task = peer.read()
    sequence = peer.asked[-1].sequence
    peer.answer(GOOD, sequence=(sequence + 3) % 16)
    assert peer.readings() == []
    peer.answer(GOOD, final=False)
    peer.answer(GOOD, final=False)
    assert len(peer.readings()) == 1
    for number in range(1, 40):
        peer.answer(GOOD, sequence=(sequence + number) % 16, first=False, final=False)
    assert peer.outcome(task) is TaskOutcome.UNKNOWN
    assert len(peer.readings()) == 20
    task = peer.read()
    peer.answer(GOOD, final=False)
    peer.until(peer.now + 2.1)
    assert peer.outcome(task) is TaskOutcome.UNKNOWN
    assert peer.works()


def test_case_25_a_flood_of_unsolicited_responses_leaves_the_master_at_work():
    peer = Outstation()
    for number in range(4000):
        peer.unsolicited(EVENT, number % 16)
        if number % 500 == 0:
            assert peer.works()
    assert len([c for c in peer.confirms() if c.unsolicited]) > 0
    assert len(peer.session._out) == 0


@BOTH
def test_case_25_a_link_status_flood_is_answered_within_bounds(victim):
    attack = attacked(victim)
    attack.feed(attack.frame(b"", function=9) * 5000)
    assert 0 < len(attack.answered()) <= 64 * 10
    assert attack.works()


def test_case_25_an_unknown_group_before_good_data_is_not_confirmed_and_the_data_is_fetched_another_way():
    peer = Outstation()
    peer.asked.clear()
    peer.unsolicited(UNKNOWN_GROUP + EVENT)
    assert peer.confirms() == []
    assert peer.asked[-1].function == Function.READ
    for _ in range(12):
        peer.answer(EVENT if peer.asked[-1].objects[:1] == b"\x02" else UNKNOWN_GROUP, confirm=True)
    assert peer.session.counters.undecoded >= 2
    assert [list(r.values) for r in peer.readings() if r.is_event] == [[1]]
    assert len(peer.confirms()) == 1


def test_case_25_a_flood_of_requests_is_answered_one_by_one():
    rtu = Rtu().fresh()
    octets = b""
    for number in range(2000):
        rtu.master.send(encode_fragment(Fragment(Function.READ, number % 16, class_header(1))))
        octets += rtu.master.data_to_send()
    assert len(rtu.wire(octets)) == 2000


def test_case_23_our_own_set_points_that_are_no_number_are_never_sent():
    peer = Outstation()
    peer.asked.clear()
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(UnsendableError, match="finite"):
            peer.session.operate([AnalogCommand(1, value)], select=True, now_s=peer.now)
    peer.hear()
    assert peer.asked == []
