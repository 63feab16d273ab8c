"""One end of a link: whose frames count, and which link questions are answered."""

import pytest

from protocols.dnp3.link import Frame, FrameReader, encode_frame
from protocols.dnp3.station import PARTIAL_FRAME_S, REPLIES_MAX, Station

FRAGMENT = b"\xc0\x01"
SEGMENT = b"\xc0" + FRAGMENT


def outstation():
    return Station(local=10, remote=1, is_master=False)


def wire(function=4, data=SEGMENT, **changes):
    fields = {"is_from_master": True, "is_primary": True, "destination": 10, "source": 1} | changes
    return encode_frame(Frame(function=function, data=data, **fields))


def answers(station):
    return [frame.function for frame in FrameReader().feed(station.data_to_send())]


def test_user_data_arrives():
    assert [i.octets for i in outstation().receive(wire(), 0)] == [FRAGMENT]


@pytest.mark.parametrize(
    "changes",
    [
        {"is_from_master": False},
        {"destination": 11},
        {"destination": 0xFFFC},
        {"destination": 0xFFF5},
        {"source": 2},
        {"source": 0xFFFF},
        {"source": 0xFFFE, "destination": 0xFFFF},
    ],
)
def test_frames_of_others_are_ignored(changes):
    station = outstation()
    assert station.receive(wire(**changes), 0) == []
    assert station.ignored_frames == 1
    assert station.data_to_send() == b""


def test_broadcasts_reach_outstations_and_not_masters():
    (inbound,) = outstation().receive(wire(destination=0xFFFE), 0)
    assert inbound.broadcast == 0xFFFE
    master = Station(local=1, remote=10, is_master=True)
    assert master.receive(wire(is_from_master=False, source=10, destination=0xFFFE), 0) == []


@pytest.mark.parametrize("function", [1, 5, 6, 7, 8, 10, 11, 12, 13, 14, 15])
def test_reserved_functions_are_not_supported(function):
    station = outstation()
    assert station.receive(wire(function, b""), 0) == []
    assert answers(station) == [15]


def test_reset_with_data_and_empty_user_data_are_ignored():
    station = outstation()
    for octets in (wire(0, b"\xc0\xc0\x01"), wire(4, b""), wire(3, b"")):
        assert station.receive(octets, 0) == []
    assert station.data_to_send() == b""


def test_confirmed_user_data_needs_a_reset_and_is_taken_once():
    station = outstation()
    confirmed = wire(3, fcv=True, fcb=True)
    assert station.receive(confirmed, 0) == []
    assert answers(station) == [1]
    station.receive(wire(0, b""), 0)
    assert len(station.receive(confirmed, 0)) == 1
    assert station.receive(confirmed, 0) == []
    assert answers(station) == [0, 0, 0]


def test_a_link_status_flood_gets_a_bounded_answer():
    station = outstation()
    assert station.receive(wire(9, b"") * 5000, 0) == []
    assert len(answers(station)) == REPLIES_MAX


def test_a_frame_that_stops_arriving_is_forgotten():
    station = outstation()
    whole = encode_frame(
        Frame(is_from_master=True, is_primary=True, function=4, destination=10, source=1, data=bytes(250))
    )
    station.receive(whole[:20], 0)
    assert len(station.receive(wire(), PARTIAL_FRAME_S + 1)) == 1


def test_a_new_connection_starts_clean():
    station = outstation()
    station.receive(wire()[:8], 0)
    station.send(b"\xc0\x00")
    station.reset(1)
    assert station.data_to_send() == b""
    assert len(station.receive(wire(), 1)) == 1


@pytest.mark.parametrize(("local", "remote"), [(1, 1), (0xFFF0, 1), (1, 0xFFFF), (-1, 1)])
def test_addresses_must_be_two_stations(local, remote):
    with pytest.raises(ValueError, match="addresses"):
        Station(local=local, remote=remote, is_master=True)
