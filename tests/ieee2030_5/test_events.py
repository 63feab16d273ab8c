"""The life of events, second by second, in virtual time."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ieee2030_5 import events as life
from ieee2030_5.events import Status
from ieee2030_5.resources import DateTimeInterval, DERControl, DERControlBase, EventStatus
from ieee2030_5.settings import Edition

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


def states(events: life.Events, edition: Edition = Edition.S1, now: int = 0) -> dict[str, int]:
    return {item.mRID: item.status.currentStatus for item in life.listed(events, edition, now)}


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
    assert states(life.publish((), event("A", 100), 111)) == {}


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
        for item in life.listed(stepped, Edition.S1, now):
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


def test_a_newer_event_for_other_categories_threatens_nobody():
    first = event("A", 100, 50, deviceCategory="01")
    apart = life.publish(life.publish((), first, 90), event("B", 100, 50, created=1, deviceCategory="02"), 95)
    assert not apart[0].status.potentiallySuperseded
    shared = life.publish(life.publish((), first, 90), event("B", 100, 50, created=1, deviceCategory="03"), 95)
    assert shared[0].status.potentiallySuperseded
    everybody = life.publish(life.publish((), first, 90), event("B", 100, 50, created=1), 95)
    assert everybody[0].status.potentiallySuperseded


def test_no_status_is_dated_in_the_future_though_creation_times_run_ahead():
    """Creation times of one program never repeat, so in a burst they run ahead of the clock."""
    events: life.Events = ()
    for i in range(5):
        events = life.publish(events, event(f"{i}", 90 + i, 50, created=100 + i), 100)
    assert {item.status.dateTime for item in events} == {100}


def test_the_2023_edition_knows_completed_and_no_superseded():
    events = life.publish(life.publish((), event("A", 100, 50), 90), event("B", 110, 50, MORE, created=95), 95)
    events = life.advance(events, 120)
    assert states(events) == {"A": 4, "B": 1}
    seen = life.listed(events, Edition.S2, 120)
    assert [item.status.currentStatus for item in seen] == [1, 1]
    assert seen[0].status.dateTime == 100
    assert all(item.status.potentiallySuperseded for item in seen)
    assert all(item.status.potentiallySupersededTime is None for item in seen)
    assert [item.version for item in seen] == [item.version for item in events]
    over = life.advance(events, 160)
    assert states(over) == {}
    assert states(over, Edition.S2, 160) == {"A": 5, "B": 5}
    assert [item.status.dateTime for item in over] == [150, 160]
    assert states(life.advance(over, 150 + life.LINGER_S), Edition.S2, 1_050) == {"B": 5}
    assert life.advance(over, 160 + life.LINGER_S) == ()


def test_an_event_superseded_before_its_start_is_scheduled_until_then_in_the_2023_edition():
    events = life.publish(life.publish((), event("A", 110, 30), 90), event("B", 100, 50, created=91), 95)
    events = life.advance(events, 105)
    assert states(events) == {"A": 4, "B": 1}
    assert states(events, Edition.S2, 105) == {"A": 0, "B": 1}
    assert states(events, Edition.S2, 110) == {"A": 1, "B": 1}


def test_a_cancelled_event_never_completes():
    events = life.cancel(life.publish((), event("A", 100), 90), ["A"], 95)
    assert states(events, Edition.S2, 95) == {"A": 2}
    assert life.advance(events, 110) == ()


def test_a_clock_that_is_set_back_takes_nothing_back():
    events = life.publish(life.publish((), event("A", 100, 50), 90), event("B", 120, 50, BOTH, created=1), 95)
    ahead = life.advance(events, 130)
    assert life.advance(ahead, 60) == ahead
    assert life.advance(life.advance(ahead, 60), 130) == ahead, "nothing happens twice"


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[int, str, int]]:
    """Publications and cancellations in the order of their times."""
    steps = draw(
        st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["publish", "cancel"]), st.integers(0, 7)), max_size=14)
    )
    return sorted(steps)


MOVES = {(0, 0), (0, 1), (0, 2), (0, 3), (0, 4), (1, 1), (1, 2), (1, 3), (1, 4), (1, 5), (4, 4), (4, 5)}
MOVES |= {(2, 2), (3, 3), (5, 5)}


def check_history(item: DERControl, old: DERControl | None, now: int) -> None:
    """One event, against what it was a second before."""
    status = item.status
    assert status.dateTime <= now
    assert (status.potentiallySupersededTime is not None) == status.potentiallySuperseded
    if status.currentStatus in (2, 3):
        assert (status.currentStatus == 3) == bool(item.randomizeStart)
    if old is not None:
        assert replace(item, status=old.status, version=old.version) == old, "only the status is edited"
        assert (old.status.currentStatus, status.currentStatus) in MOVES
        assert (item.version == old.version) == (status == old.status), "each change of status is a version"


def check_lists(events: life.Events, before: dict[str, DERControl], now: int) -> None:
    """What clients of both editions see."""
    shown = {item.mRID for item in life.listed(events, Edition.S1, now)}
    assert shown == {item.mRID for item in events if life.latest_end(item) > now}
    assert shown >= {name for name, old in before.items() if life.latest_end(old) > now}, "one left before its end"
    for item in life.listed(events, Edition.S2, now):
        status = item.status.currentStatus
        assert status != Status.SUPERSEDED
        if status == Status.SCHEDULED:
            assert life.earliest_start(item) > now
        assert (status == Status.COMPLETED) == (life.latest_end(item) <= now)


@settings(max_examples=200, deadline=None)
@given(histories(), EVENTS, st.integers(0, 120))
def test_every_rule_of_the_life_cycle_holds_at_every_second(history, shapes, last):
    """Both editions, second by second, with cancellations between."""
    events: life.Events = ()
    before: dict[str, DERControl] = {}
    waiting = [(f"{i:032X}", *shape) for i, shape in enumerate(shapes)]
    for now in range(last + 1):
        for at, what, which in history:
            if at == now and what == "publish" and waiting:
                name, start, duration, base, spread = waiting.pop(0)
                made = event(name, now + start, duration, base, created=now, randomizeStart=spread)
                events = life.publish(events, made, now)
            elif at == now and what == "cancel":
                events = life.cancel(events, [item.mRID for item in events[which : which + 1]], now)
        events = life.advance(events, now)
        assert life.advance(events, now) == events, "looking twice changes nothing"
        for item in events:
            check_history(item, before.get(item.mRID), now)
        check_lists(events, before, now)
        before = {item.mRID: item for item in events}
