"""The zone as variables: what is shown of measurements, limits, controls, instructions and health."""

from collections import Counter
from dataclasses import replace

from gateway.coordination.book import Book
from gateway.coordination.events import Alarmed, Instructed
from gateway.coordination.operator import OperatorInstruction
from gateway.coordination.zone import Controllable, ZoneFacts
from gateway.northbound.opcua_space import Picture, device_node, grid_node, values, variables
from gateway.snapshot import Image
from grid_engine.results import Status
from protocols.opcua.served import MOST_CHILDREN, Shown
from protocols.points import Phase, Point, Quantity
from protocols.signals import Bounds, LinkChanged, LinkState, Measurement, Outcome, Quality
from tests.gateway.coordination.build import (
    MW,
    A,
    T,
    answered,
    control,
    decided,
    folded,
    issued,
    limit,
    linked,
    measured,
    sent,
    zone,
)

CURRENT = Point("L12", Quantity.CURRENT_A)
VOLTAGE = Point("B4", Quantity.VOLTAGE_PU, Phase.A)


def shown(book: Book, *signals: Measurement | LinkChanged, at_s: float = T, facts: ZoneFacts | None = None) -> dict:
    image = Image({"A": 1.0, "B": 1.0})
    for signal in signals:
        image.fold(signal)
    parts = values(Picture(facts or zone(), book, image.freeze(at_s), {"A": "taken"}), (CURRENT, VOLTAGE))
    return {node: value for part in parts for node, value in part.items()}


def test_everything_that_is_shown_has_a_variable_and_the_other_way_round():
    declared = {variable.node for variable in variables(zone(), (CURRENT, VOLTAGE))}
    assert declared == set(shown(Book()))
    assert {grid_node(CURRENT), grid_node(VOLTAGE)} <= declared


def test_no_folder_has_more_than_a_hundred_children_and_no_node_depends_on_the_folders():
    many = replace(zone(), resources={f"D{i:05}": replace(A, id=f"D{i:05}") for i in range(10_001)})
    points = [Point(f"L{i:04}", Quantity.CURRENT_A) for i in range(250)]
    found = variables(many, points)
    children: dict[tuple[str, ...], set[str]] = {}
    for variable in found:
        for depth in range(1, len(variable.path)):
            children.setdefault(variable.path[:depth], set()).add(variable.path[depth])
    assert max(len(names) for names in children.values()) <= MOST_CHILDREN
    assert max(Counter(variable.node for variable in found).values()) == 1
    assert device_node("D00000", "ActivePower") in {variable.node for variable in found}
    assert ("Ampacity", "Grid", "L0000 to L0099", "L0000", "current_a") in {variable.path for variable in found}


def test_a_measurement_is_shown_with_quality_and_the_time_of_its_source():
    told = measured("A", 1.5 * MW, T, quality=Quality.ESTIMATED, source_time_s=T - 3)
    assert shown(Book(), told)["Devices/A/ActivePower"] == Shown(1.5 * MW, Quality.ESTIMATED, T - 3)


def test_what_was_not_heard_or_is_bad_is_no_number_and_what_is_old_is_stale():
    assert shown(Book())["Devices/A/ActivePower"] == Shown(None)
    bad = shown(Book(), measured("A", 0.0, T, quality=Quality.BAD))["Devices/A/ActivePower"]
    assert (bad.value, bad.quality) == (None, Quality.BAD)
    old = shown(Book(), measured("A", 1.0, T), at_s=T + 60)["Devices/A/ActivePower"]
    assert (old.value, old.quality) == (1.0, Quality.STALE)


def test_without_a_limit_the_dso_allows_what_the_device_can():
    found = shown(Book())
    assert [found[f"Devices/A/Limit/{name}"].value for name in ("InForce", "Max", "Min", "Reason")] == [
        False,
        2.5 * MW,
        -2.5 * MW,
        "",
    ]


def test_a_limit_is_shown_with_its_reason_and_its_end():
    found = shown(folded(sent(limit(1.2 * MW), T - 5)))
    assert found["Devices/A/Limit/Max"] == Shown(1.2 * MW, at_s=T - 5)
    assert found["Devices/A/Limit/InForce"].value is True
    assert found["Devices/A/Limit/Constraint"].value == limit(1.2 * MW).constraint_id
    assert found["Devices/A/Limit/Expires"].value == limit(1.2 * MW).expires_s


def test_a_control_is_shown_as_sent_with_what_became_of_it():
    sent_control = control(1.2 * MW)
    book = folded(issued(sent_control, T), answered(sent_control, Outcome.WRITTEN, T + 1))
    found = shown(book, at_s=T + 2)
    names = ("InForce", "Version", "Max", "Min", "HasTarget", "Outcome")
    assert [found[f"Devices/A/Control/{name}"].value for name in names] == [
        True,
        1,
        1.2 * MW,
        -2.5 * MW,
        False,
        "written",
    ]
    assert found["Devices/A/Control/LeaseUntil"].value == sent_control.expiry_s
    assert shown(book, at_s=sent_control.expiry_s)["Devices/A/Control/InForce"].value is False


def test_what_an_operator_asks_is_shown_until_a_newer_one_comes_with_whether_it_still_holds():
    asked = OperatorInstruction("A-o3", "A", 3, T, T + 60, "ops over OPC UA", Bounds(None, 1 * MW), 0.5 * MW)
    book = folded(Instructed(asked))
    found = shown(book)
    names = (
        "LimitMax",
        "LimitMaxEnabled",
        "LimitMinEnabled",
        "Target",
        "TargetEnabled",
        "Version",
        "InForce",
        "Result",
    )
    assert [found[f"Devices/A/Operator/{name}"].value for name in names] == [
        1 * MW,
        True,
        False,
        0.5 * MW,
        True,
        3,
        True,
        "taken",
    ]
    assert shown(book, at_s=T + 60)["Devices/A/Operator/InForce"].value is False


def test_only_what_can_be_asked_for_is_writable_and_only_where_a_device_can_be_controlled():
    fixed = replace(zone(), resources={"A": replace(A, controllable=Controllable.NONE), "B": zone().resources["B"]})
    writable = {variable.node for variable in variables(fixed, ()) if variable.is_writable}
    assert {node.rsplit("/", 1)[0] for node in writable} == {"Devices/B/Operator"}
    assert "Devices/B/Operator/Result" not in writable


def test_health_counts_links_and_alarms_and_says_whether_the_engine_answers():
    alarm = Alarmed("OVERDUE", "A", T, "")
    book = folded(decided(T - 2), decided(T - 1, Status.NOT_CONVERGED), alarm)
    found = shown(book, linked("A", LinkState.ONLINE), linked("B", LinkState.LOST), measured("A", 1 * MW, T))
    names = ("DevicesOnline", "DevicesLost", "Solved", "LastSolved", "Coverage", "Alarms", "LastAlarm", "Time")
    assert [found[f"Health/{name}"].value for name in names] == [1, 1, False, T - 2, 0.5, 1, "OVERDUE A", T]


def test_the_sum_of_the_zone_is_as_good_as_its_worst_part_and_no_number_with_one_missing():
    both = measured("A", 1 * MW, T), measured("B", 2 * MW, T - 1, quality=Quality.ESTIMATED)
    assert shown(Book(), *both)["Health/ActivePower"] == Shown(3 * MW, Quality.ESTIMATED, T - 1)
    assert shown(Book(), both[0])["Health/ActivePower"].value is None
