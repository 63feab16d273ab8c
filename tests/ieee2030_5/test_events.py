"""The life of events, second by second, in virtual time."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ieee2030_5 import events as life
from ieee2030_5.events import Status
from ieee2030_5.resources import DateTimeInterval, DERControl, DERControlBase, EventStatus

EXPORT = DERControlBase(opModMaxLimW=5_000)
MORE = DERControlBase(opModMaxLimW=6_000)
BOTH = DERControlBase(opModMaxLimW=5_000, opModFixedW=100)
OTHER = DERControlBase(opModConnect=True)


def event(
    name: str, start: int, duration: int = 10, base: DERControlBase = EXPORT, *, created: int = 0, **more: object
):
    status = EventStatus(currentStatus=0, dateTime=created, potentiallySuperseded=False)
    return DERControl(
        mRID=name,
        creationTime=created,
        status=status,
        interval=DateTimeInterval(duration=duration, start=start),
        base=base,
        **more,  # type: ignore[arg-type]
    )


def states(events: life.Events) -> dict[str, int]:
    return {item.mRID: item.status.currentStatus for item in events}


def test_an_event_becomes_active_at_its_start_and_leaves_at_its_end():
    events = life.publish((), event("A", 100), 90)
    for now, expected in ((90, {"A": 0}), (99, {"A": 0}), (100, {"A": 1}), (109, {"A": 1}), (110, {})):
        events = life.advance(events, now)
        assert states(events) == expected, now
        if now == 100:
            assert events[0].status.dateTime == 100


def test_an_event_in_the_past_is_never_shown_as_scheduled():
    events = life.publish((), event("A", 100, created=105), 105)
    assert states(events) == {"A": 1}
    assert events[0].status.dateTime == 105
    assert life.publish((), event("A", 100), 111) == ()


def test_adjacent_events_follow_each_other_without_a_gap():
    events = life.publish(life.publish((), event("A", 100), 90), event("B", 110, created=1), 95)
    assert states(life.advance(events, 109)) == {"A": 1, "B": 0}
    assert states(life.advance(events, 110)) == {"B": 1}
    assert not any(item.status.potentiallySuperseded for item in events)


def test_a_newer_event_of_the_same_modes_supersedes_at_its_own_start():
    events = life.publish(life.publish((), event("A", 100, 50), 90), event("B", 110, 50, MORE, created=1), 95)
    assert events[0].status.potentiallySuperseded
    assert states(life.advance(events, 109)) == {"A": 1, "B": 0}
    later = life.advance(events, 120)
    assert states(later) == {"A": 4, "B": 1}
    assert later[0].status.dateTime == 110
    assert states(life.advance(later, 149)) == {"A": 4, "B": 1}
    assert states(life.advance(later, 150)) == {"B": 1}


def test_a_superseder_that_is_cancelled_before_its_start_changes_nothing():
    events = life.publish(life.publish((), event("A", 100, 50), 90), event("B", 110, 50, created=1), 95)
    events = life.cancel(events, ["B"], 105)
    assert not events[0].status.potentiallySuperseded
    assert states(life.advance(events, 120)) == {"A": 1, "B": 2}


def test_a_superseded_event_never_resumes():
    events = life.publish(life.publish((), event("A", 100, 50), 100), event("B", 100, 50, created=1), 110)
    assert states(events) == {"A": 4, "B": 1}
    events = life.cancel(events, ["B"], 115)
    assert states(life.advance(events, 149)) == {"A": 4, "B": 2}


@pytest.mark.parametrize("base", [BOTH, OTHER])
def test_only_exactly_the_same_modes_supersede(base: DERControlBase):
    events = life.publish(life.publish((), event("A", 100, 50), 100), event("B", 100, 50, base, created=1), 105)
    assert states(events) == {"A": 1, "B": 1}
    assert events[0].status.potentiallySuperseded is (base is BOTH)
    assert events[0].status.potentiallySupersededTime == (105 if base is BOTH else None)


def test_other_device_categories_do_not_supersede():
    first = event("A", 100, 50, deviceCategory="01")
    events = life.publish(life.publish((), first, 100), event("B", 100, 50, created=1, deviceCategory="02"), 105)
    assert states(events) == {"A": 1, "B": 1}


def test_a_cancelled_event_stays_listed_to_its_end():
    events = life.cancel(life.publish((), event("A", 100), 90), ["A"], 95)
    assert (events[0].status.currentStatus, events[0].status.dateTime) == (Status.CANCELLED, 95)
    assert states(life.advance(events, 109)) == {"A": 2}
    assert life.advance(events, 110) == ()
    assert life.cancel(events, ["A"], 99) == events


def test_randomization_widens_both_ends():
    random = event("A", 100, 10, randomizeStart=-5, randomizeDuration=7)
    events = life.publish((), random, 80)
    assert (life.earliest_start(random), life.latest_end(random)) == (95, 117)
    assert states(life.advance(events, 94)) == {"A": 0}
    assert states(life.advance(events, 95)) == {"A": 1}
    assert states(life.cancel(life.advance(events, 95), ["A"], 96)) == {"A": Status.CANCELLED_RANDOMIZED}
    assert states(life.advance(events, 116)) == {"A": 1}
    assert states(life.advance(events, 117)) == {}


def test_content_and_creation_time_never_change():
    first = event("A", 100, 50)
    events = life.publish(life.publish((), first, 90), event("B", 110, 50, MORE, created=1), 95)
    for now in range(90, 165):
        for item in life.advance(events, now):
            assert (item.interval, item.base, item.creationTime) in {
                (one.interval, one.base, one.creationTime) for one in events
            }


EVENTS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 30), st.sampled_from([EXPORT, MORE, BOTH, OTHER]), st.integers(-5, 5)),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(EVENTS, st.lists(st.integers(0, 80), max_size=12))
def test_a_jump_of_the_clock_ends_where_small_steps_end(shapes, stops):
    """Statuses follow from definitions and time, not from when anybody looked."""
    events: life.Events = ()
    for i, (start, duration, base, spread) in enumerate(shapes):
        made = event(f"{i}", start, duration, base, created=i, randomizeStart=spread)
        events = life.publish(events, made, 0)
    stepped = events
    for now in sorted(stops):
        stepped = life.advance(stepped, now)
        jumped = life.advance(events, now)
        assert states(stepped) == states(jumped)
        assert [e.status.dateTime for e in stepped] == [e.status.dateTime for e in jumped]
        for item in stepped:
            assert life.latest_end(item) > now
            assert (item.status.currentStatus == 0) == (life.earliest_start(item) > now and life.is_live(item))
        in_force = [item for item in stepped if item.status.currentStatus == 1]
        keys = [(life.modes(item.base), item.deviceCategory) for item in in_force]
        assert len(set(keys)) == len(keys), "two events of the same modes are in force"


def test_versions_count_status_changes_and_wrap():
    events = life.publish((), event("A", 100), 90)
    assert events[0].version == 0
    assert life.advance(events, 100)[0].version == 1
    worn = (replace(events[0], version=65_535),)
    assert life.advance(worn, 100)[0].version == 0
