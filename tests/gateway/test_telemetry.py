"""What the system operator is told: single values, sums as good as their worst part, and never a number for nothing."""

from dataclasses import dataclass, field

import pytest

from config.loader import load
from gateway.coordination.book import Book
from gateway.snapshot import Image
from gateway.telemetry import Picture, TelemetryOutstation, TelemetrySettings, ToldPoint, told
from gateway.translate import telemetry
from gateway.translate.facts import zone_facts
from protocols.dnp3.commands import AnalogCommand, BinaryCommand, CommandStatus, Operation
from protocols.dnp3.layouts import Kind
from protocols.dnp3.readings import Flag
from protocols.points import Point, Quantity
from protocols.signals import Measurement, Quality
from tests.gateway.translate.zones import R1

T = 1_800_000_000.0
ZONE = load(R1.with_name("r1_short_dnp3.yaml"))
FACTS = zone_facts(ZONE, T)
POWER = Quantity.ACTIVE_POWER_W


def picture(*measured: tuple[str, float, Quality]) -> Picture:
    image = Image({})
    for name, value, quality in measured:
        image.fold(Measurement(Point(name, POWER), value, quality, T, T))
    return Picture(image.freeze(T), Book(), FACTS.resources)


def mw(name: str, *of: str) -> ToldPoint:
    return ToldPoint(Kind.ANALOG_INPUT, 0, Point(name, POWER), of, 1e6)


def test_a_value_is_told_in_the_unit_asked_for_with_the_time_of_its_source():
    shown = told(mw("TD1"), picture(("TD1", 3.25e6, Quality.GOOD)))
    assert (shown.value, shown.flags, shown.at_s) == (3.25, Flag.ONLINE, T)


def test_a_sum_is_as_good_as_the_worst_of_its_parts():
    good, stale = ("A", 1e6, Quality.GOOD), ("B", 4e6, Quality.STALE)
    assert told(mw("R1", "A"), picture(good, stale)).flags == Flag.ONLINE
    shown = told(mw("R1", "A", "B"), picture(good, stale))
    assert (shown.value, shown.flags) == (5.0, Flag.COMM_LOST)
    assert told(mw("R1", "A", "C"), picture(good)).flags == Flag.COMM_LOST
    estimated = ("C", 1e6, Quality.ESTIMATED)
    assert told(mw("R1", "A", "C"), picture(good, estimated)).flags == Flag.ONLINE | Flag.LOCAL_FORCED


def test_what_was_never_heard_is_told_as_such():
    assert told(mw("TD1"), picture()).flags == Flag.COMM_LOST | Flag.RESTART
    assert told(mw("R1", "A", "B"), picture()).flags == Flag.COMM_LOST | Flag.RESTART
    assert told(mw("TD1"), picture(("TD1", 0.0, Quality.BAD))).flags == 0


def test_without_a_limit_the_dso_allows_the_nameplates():
    ceiling = ToldPoint(Kind.ANALOG_INPUT, 0, Point("R1", Quantity.CEILING_W), tuple(ZONE.devices), 1e6)
    floor = ToldPoint(Kind.ANALOG_INPUT, 0, Point("R1", Quantity.FLOOR_W), tuple(ZONE.devices), 1e6)
    assert told(ceiling, picture()).value == pytest.approx(2.5 + 6 + 2 + 1.5 + 1)
    assert told(floor, picture()).value == pytest.approx(-2.5)


def test_the_zone_file_says_what_is_told_where():
    settings = telemetry.settings(ZONE)
    assert settings is not None
    assert (settings.port, settings.outstation.local, settings.tls) == (12003, 30, None)
    by_place = {(p.kind, p.index): p for p in settings.points}
    assert by_place[Kind.ANALOG_INPUT, 1].of == ("A", "B", "C", "D", "E")
    assert by_place[Kind.ANALOG_INPUT, 3].of == ("A",)
    assert by_place[Kind.ANALOG_INPUT, 0].of == ()
    assert by_place[Kind.BINARY_INPUT, 0].event_class == 1
    assert telemetry.settings(load(R1)) is None


@dataclass
class Shown:
    now_s: float = T
    alarms: list[str] = field(default_factory=list)


def test_nothing_can_be_operated_and_a_change_beyond_the_deadband_is_an_event():
    heard, held = Shown(), [picture(("TD1", 3e6, Quality.GOOD))]
    point = ToldPoint(Kind.ANALOG_INPUT, 0, Point("TD1", POWER), (), 1e6, deadband=0.05)
    settings = TelemetrySettings("127.0.0.1", 0, (point,))
    outstation = TelemetryOutstation(settings, lambda: held[0], lambda: heard.now_s, heard.alarms.append)
    for command in (AnalogCommand(0, 1.0), BinaryCommand(0, Operation.LATCH_ON)):
        assert outstation.select(command) is outstation.operate(command) is CommandStatus.NOT_SUPPORTED
    assert outstation.restart(is_cold=True) is None
    events = outstation._database.events
    for power_w, expected in ((3e6, 1), (3.04e6, 1), (3.06e6, 2)):
        held[0] = picture(("TD1", power_w, Quality.GOOD))
        outstation.refresh(T)
        assert len(events) == expected
