"""The simulated plant: what outputs move, and what time moves."""

import pytest

from dnp3_sim.plant import Plant
from dnp3_sim.pointmap import PointMap, SimPoint, Wave
from protocols.dnp3.commands import AnalogCommand, BinaryCommand, CommandStatus, Operation, Trip
from protocols.dnp3.database import PointConfig
from protocols.dnp3.layouts import Kind
from protocols.dnp3.outstation_words import OutstationSettings


@pytest.fixture
def plant():
    points = (
        SimPoint(PointConfig(Kind.ANALOG_INPUT, 0, event_class=2), wave=Wave(100, 10, 60)),
        SimPoint(PointConfig(Kind.ANALOG_INPUT, 148)),
        SimPoint(PointConfig(Kind.BINARY_INPUT, 69, event_class=1)),
        SimPoint(PointConfig(Kind.ANALOG_OUTPUT, 87), mirrors=(148,)),
        SimPoint(PointConfig(Kind.ANALOG_OUTPUT, 85)),
        SimPoint(PointConfig(Kind.BINARY_OUTPUT, 17), mirrors=(69,), reverts_after=85),
    )
    return Plant(PointMap(OutstationSettings(), points), 0.0)


def value(plant, kind, index):
    return plant.database.get(kind, index).value


def test_nothing_has_happened_at_the_start(plant):
    assert len(plant.database.events) == 0
    assert value(plant, Kind.ANALOG_INPUT, 0) == 100


def test_a_wave_swings(plant):
    plant.advance(15)
    assert value(plant, Kind.ANALOG_INPUT, 0) == pytest.approx(110)
    assert len(plant.database.events) == 1


def test_an_output_shows_on_its_mirror(plant):
    assert plant.operate(AnalogCommand(87, 500)) is CommandStatus.SUCCESS
    assert value(plant, Kind.ANALOG_INPUT, 148) == 500


def test_a_latched_output_drops_when_its_time_is_over_unless_renewed(plant):
    plant.operate(AnalogCommand(85, 60))
    plant.operate(BinaryCommand(17, Operation.LATCH_ON))
    plant.advance(50)
    plant.operate(BinaryCommand(17, Operation.LATCH_ON))
    plant.advance(100)
    assert value(plant, Kind.BINARY_INPUT, 69) == 1
    plant.advance(111)
    assert value(plant, Kind.BINARY_OUTPUT, 17) == value(plant, Kind.BINARY_INPUT, 69) == 0


def test_without_a_time_a_latched_output_stays(plant):
    plant.operate(BinaryCommand(17, Operation.NUL, Trip.CLOSE))
    plant.advance(1e6)
    assert value(plant, Kind.BINARY_INPUT, 69) == 1
    plant.operate(BinaryCommand(17, Operation.NUL, Trip.TRIP))
    assert value(plant, Kind.BINARY_INPUT, 69) == 0


@pytest.mark.parametrize(
    "command", [AnalogCommand(1, 5), BinaryCommand(99, Operation.LATCH_ON), BinaryCommand(17, Operation.PULSE_ON)]
)
def test_what_is_not_there_is_not_supported(plant, command):
    assert plant.select(command) is plant.operate(command) is CommandStatus.NOT_SUPPORTED
