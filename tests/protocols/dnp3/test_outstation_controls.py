"""Controls: what may move an output, and everything that must not."""

import struct

import pytest

from protocols.dnp3.commands import (
    AnalogCommand,
    AnalogForm,
    BinaryCommand,
    CommandStatus,
    Operation,
    encode_commands,
    parse_commands,
)
from protocols.dnp3.errors import UnsendableError
from protocols.dnp3.fragment import Fragment, Function, Iin, encode_fragment
from tests.protocols.dnp3.rtu import Rtu

LATCH = BinaryCommand(1, Operation.LATCH_ON)
SETPOINT = AnalogCommand(2, 3.5)
BOTH = encode_commands([LATCH, SETPOINT])


def statuses(response):
    _, places = parse_commands(response.objects, 64)
    return [response.objects[place] for place in places]


def test_select_then_operate_moves_and_echoes_byte_for_byte():
    rtu = Rtu()
    assert rtu.one(Function.SELECT, BOTH).objects == BOTH
    assert rtu.plant.operated == []
    assert rtu.one(Function.OPERATE, BOTH).objects == BOTH
    assert rtu.plant.operated == [LATCH, SETPOINT]


def test_direct_operate_moves_at_once_and_silently_where_asked():
    rtu = Rtu()
    assert rtu.one(Function.DIRECT_OPERATE, BOTH).objects == BOTH
    assert rtu.ask(Function.DIRECT_OPERATE_NR, BOTH) == []
    assert rtu.plant.operated == [LATCH, SETPOINT] * 2


def test_a_refusal_is_answered_for_its_own_control():
    rtu = Rtu()
    objects = encode_commands([LATCH, BinaryCommand(9, Operation.LATCH_ON)])
    assert statuses(rtu.one(Function.SELECT, objects)) == [CommandStatus.SUCCESS, CommandStatus.BLOCKED]
    assert statuses(rtu.one(Function.OPERATE, objects)) == [CommandStatus.NO_SELECT] * 2
    assert rtu.plant.operated == []


class TestNothingMoves:
    def test_without_a_selection(self):
        rtu = Rtu()
        assert statuses(rtu.one(Function.OPERATE, BOTH)) == [CommandStatus.NO_SELECT] * 2
        assert rtu.plant.operated == []

    def test_for_another_object(self):
        rtu = Rtu()
        rtu.one(Function.SELECT, BOTH)
        assert statuses(rtu.one(Function.OPERATE, encode_commands([LATCH]))) == [CommandStatus.NO_SELECT]
        assert rtu.plant.operated == []

    def test_after_the_selection_ran_out(self):
        rtu = Rtu()
        rtu.one(Function.SELECT, BOTH)
        rtu.now += 10.1
        assert statuses(rtu.one(Function.OPERATE, BOTH)) == [CommandStatus.TIMEOUT] * 2
        assert rtu.plant.operated == []

    def test_out_of_sequence(self):
        rtu = Rtu()
        rtu.one(Function.SELECT, BOTH, sequence=3)
        assert statuses(rtu.one(Function.OPERATE, BOTH, sequence=5)) == [CommandStatus.NO_SELECT] * 2
        assert rtu.plant.operated == []

    def test_after_another_request(self):
        rtu = Rtu()
        rtu.one(Function.SELECT, BOTH, sequence=3)
        rtu.one(Function.READ, "3C 01 06", sequence=4)
        assert statuses(rtu.one(Function.OPERATE, BOTH, sequence=4)) == [CommandStatus.NO_SELECT] * 2
        assert rtu.plant.operated == []

    def test_twice_by_one_selection(self):
        rtu = Rtu()
        rtu.one(Function.SELECT, BOTH, sequence=3)
        rtu.one(Function.OPERATE, BOTH, sequence=4)
        rtu.one(Function.OPERATE, BOTH, sequence=4)
        rtu.one(Function.OPERATE, BOTH, sequence=5)
        assert rtu.plant.operated == [LATCH, SETPOINT]

    def test_over_a_new_connection(self):
        rtu = Rtu()
        rtu.one(Function.SELECT, BOTH, sequence=3)
        rtu.session.disconnected()
        rtu.session.connected(rtu.now)
        rtu.one(Function.OPERATE, BOTH, sequence=4)
        assert rtu.plant.operated == []

    @pytest.mark.parametrize(
        "function", [Function.SELECT, Function.OPERATE, Function.DIRECT_OPERATE, Function.DIRECT_OPERATE_NR]
    )
    @pytest.mark.parametrize("address", [0xFFFD, 0xFFFE, 0xFFFF])
    def test_by_broadcast(self, function, address):
        rtu = Rtu()
        assert rtu.apdu(encode_fragment(Fragment(function, 1, BOTH)), broadcast=address) == []
        assert rtu.plant.operated == []
        assert rtu.read("3C 01 06").iin & Iin.BROADCAST
        assert not rtu.read("3C 01 06").iin & Iin.BROADCAST

    @pytest.mark.parametrize("cut", range(3, len(BOTH)))
    @pytest.mark.parametrize("function", [Function.SELECT, Function.DIRECT_OPERATE])
    def test_by_truncated_objects(self, function, cut):
        if cut == len(encode_commands([LATCH])):
            return
        rtu = Rtu()
        response = rtu.one(function, BOTH[:cut])
        assert response.iin & Iin.PARAM_ERROR
        assert rtu.plant.operated == rtu.plant.selected == []

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    @pytest.mark.parametrize(("variation", "form"), [(3, "f"), (4, "d")])
    @pytest.mark.parametrize("function", [Function.SELECT, Function.DIRECT_OPERATE])
    def test_by_what_is_not_a_number(self, function, variation, form, value):
        rtu = Rtu()
        objects = bytes((41, variation, 0x17, 1, 2)) + struct.pack(f"<{form}B", value, 0)
        assert statuses(rtu.one(function, objects)) == [CommandStatus.OUT_OF_RANGE]
        assert rtu.plant.operated == rtu.plant.selected == []

    @pytest.mark.parametrize("code", [0x23, 0x13, 0x05, 0x0F, 0xC3])
    def test_by_an_unknown_control_code(self, code):
        rtu = Rtu()
        objects = bytes((12, 1, 0x17, 1, 2, code, 1)) + bytes(9)
        assert statuses(rtu.one(Function.DIRECT_OPERATE, objects)) == [CommandStatus.NOT_SUPPORTED]
        assert rtu.plant.operated == []

    @pytest.mark.parametrize(
        "objects",
        ["0C 02 17 01 01 03 01 64 00 00 00 64 00 00 00 00", "0C 03 00 00 07 FF", "1E 01 17 01 01 01 00 00 00 00"],
    )
    def test_by_objects_that_are_no_controls(self, objects):
        rtu = Rtu()
        assert rtu.one(Function.DIRECT_OPERATE, objects).iin & Iin.OBJECT_UNKNOWN
        assert rtu.plant.operated == []

    def test_while_the_switch_stands_on_local(self):
        rtu = Rtu()
        rtu.session.indications = Iin.LOCAL_CONTROL
        assert statuses(rtu.one(Function.DIRECT_OPERATE, BOTH)) == [CommandStatus.LOCAL] * 2
        assert rtu.plant.operated == []


def test_more_controls_than_allowed_are_refused_one_by_one():
    rtu = Rtu(control_max=2)
    response = rtu.one(Function.DIRECT_OPERATE, encode_commands([AnalogCommand(i, 1) for i in range(4)]))
    assert statuses(response) == [0, 0, CommandStatus.TOO_MANY_OBJS, CommandStatus.TOO_MANY_OBJS]


def test_a_repeated_direct_operate_moves_once():
    rtu = Rtu()
    first = rtu.one(Function.DIRECT_OPERATE, BOTH, sequence=3)
    assert rtu.one(Function.DIRECT_OPERATE, BOTH, sequence=3).objects == first.objects
    assert rtu.plant.operated == [LATCH, SETPOINT]


@pytest.mark.parametrize(
    "command",
    [
        AnalogCommand(1, 3.5, AnalogForm.INT16),
        AnalogCommand(1, 40_000, AnalogForm.INT16),
        AnalogCommand(1, 2**31, AnalogForm.INT32),
        AnalogCommand(1, float("nan")),
        AnalogCommand(1, float("inf"), AnalogForm.DOUBLE),
        AnalogCommand(1, 1e39),
        AnalogCommand(70_000, 1),
        BinaryCommand(1, Operation.LATCH_ON, count=256),
        BinaryCommand(-1, Operation.LATCH_ON),
    ],
)
def test_what_does_not_fit_is_refused_before_sending(command):
    with pytest.raises(UnsendableError):
        encode_commands([command])


def test_indices_above_255_take_a_wide_header():
    commands = [BinaryCommand(300, Operation.PULSE_ON), BinaryCommand(7, Operation.LATCH_OFF)]
    objects = encode_commands(commands)
    assert objects[:5].hex() == "0c01280200"
    assert parse_commands(objects, 9)[0] == commands


def test_octets_of_a_relay_block_as_published():
    command = BinaryCommand(3, Operation.LATCH_ON)
    assert encode_commands([command]) == bytes.fromhex("0C 01 17 01 03 03 01 64 00 00 00 64 00 00 00 00")
