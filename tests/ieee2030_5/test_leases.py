"""Controls as events: leases grow without gaps, changes supersede, nothing old comes back."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ieee2030_5 import events as life
from ieee2030_5.enrolment import build
from ieee2030_5.leases import Offer, offer, release
from ieee2030_5.links import Links
from ieee2030_5.modes import CannotSayError, control_base
from ieee2030_5.resources import DERControlResponse
from ieee2030_5.responses import outcome_of
from ieee2030_5.settings import DeviceSettings, Edition, Profile, ServerSettings
from ieee2030_5.tree import Tree
from ieee2030_5.utility import Device, Program
from protocols.signals import Bounds, Control, LinkState, Outcome
from tests.ieee2030_5.conftest import NOW

T0 = int(NOW)


def made(profile: Profile = Profile.CSIP_AUS, min_w: float = -1e6) -> tuple[Tree, Device, Program]:
    device = DeviceSettings("A", "AB" * 20, 1e6, min_w, profile=profile)
    files = dict.fromkeys(("certificate", "key", "authorities"))
    tree = Tree(build(ServerSettings(**files, devices=(device,)), "CD" * 20, T0), lambda _: None)  # type: ignore[arg-type]
    found = tree.utility.by_resource("A")
    assert found is not None
    return tree, found, tree.utility.programs["A"]


def control(version: int = 1, start: float = NOW, end: float = NOW + 900, ceiling_w: float = 5e5, **more) -> Control:
    plain = Control(f"K{version}", "A", version, start, end, Bounds(None, ceiling_w), fallback=Bounds(None, 1e5))
    return replace(plain, **more)


def spans(program: Program) -> list[tuple[int, int, int]]:
    return [
        (e.interval.start - T0, e.interval.start + e.interval.duration - T0, e.status.currentStatus)
        for e in life.listed(program.events, Edition.S1, 0)
    ]


def test_a_control_becomes_one_active_event_and_the_default_its_fallback():
    tree, device, program = made()
    assert offer(tree, device, control(), NOW).events == 1
    assert spans(program) == [(0, 900, 1)]
    event = program.events[0]
    assert (event.responseRequired, event.replyTo) == ("03", "/rsps/A/rsp")
    assert program.default.base.opModExpLimW is not None
    assert program.default.base.opModExpLimW.value * 10**program.default.base.opModExpLimW.multiplier == 100_000
    assert program.default.version == 1


def test_a_refresh_adds_an_adjacent_event_once_a_quarter_of_the_lease_is_gone():
    tree, device, program = made()
    offer(tree, device, control(), NOW)
    before = [event.mRID for event in program.events]
    assert offer(tree, device, control(end=NOW + 1_100), NOW + 200).events == 0
    assert [event.mRID for event in program.events] == before
    assert offer(tree, device, control(end=NOW + 1_350), NOW + 450) == Offer(program.events[0].base, T0 + 1_350, 1)
    assert spans(program) == [(0, 900, 1), (900, 1_350, 0)]
    tree.utility.advance(T0 + 900)
    assert spans(program) == [(900, 1_350, 1)]
    assert program.default.version == 1


def test_a_refresh_after_the_lease_has_run_out_begins_anew():
    tree, device, program = made()
    offer(tree, device, control(end=NOW + 60), NOW)
    assert offer(tree, device, control(end=NOW + 160), NOW + 100).events == 1
    assert spans(program) == [(100, 160, 1)]


def test_a_change_supersedes_and_cancels_what_lies_ahead():
    tree, device, program = made()
    offer(tree, device, control(), NOW)
    offer(tree, device, control(end=NOW + 1_400), NOW + 500)
    offer(tree, device, control(2, end=NOW + 1_500, ceiling_w=3e5), NOW + 600)
    assert spans(program) == [(0, 900, 4), (900, 1_400, 4), (600, 1_500, 1)]
    assert len({event.mRID for event in program.events}) == 3


def test_another_set_of_modes_cancels_what_it_cannot_supersede():
    tree, device, program = made()
    offer(tree, device, control(), NOW)
    offer(tree, device, control(2, target_w=2e5), NOW + 10)
    assert spans(program) == [(0, 900, 2), (10, 900, 1)]


def test_a_control_for_later_leaves_the_present_one_in_force_until_then():
    tree, device, program = made()
    offer(tree, device, control(), NOW)
    offer(tree, device, control(2, start=NOW + 300, ceiling_w=3e5), NOW + 10)
    assert spans(program) == [(0, 900, 1), (300, 900, 0)]
    tree.utility.advance(T0 + 300)
    assert spans(program) == [(0, 900, 4), (300, 900, 1)]


def test_other_settings_of_the_device_renew_the_same_control():
    tree, device, program = made(Profile.CSIP, 0)
    offer(tree, device, control(), NOW)
    device.settings = replace(device.settings, max_w=2e6)
    offer(tree, device, control(), NOW + 10)
    assert [event.base.opModMaxLimW for event in program.events] == [5_000, 2_500]
    assert spans(program) == [(0, 900, 4), (10, 900, 1)]


def test_a_control_that_is_said_anew_before_it_begins_is_received_and_not_started():
    tree, device, program = made(Profile.CSIP, 0)
    offer(tree, device, control(start=NOW + 300), NOW)
    device.settings = replace(device.settings, max_w=2e6)
    offer(tree, device, control(start=NOW + 300), NOW + 10)
    old = tree.utility.issued[program.events[0].mRID]
    answer = DERControlResponse(createdDateTime=T0 + 20, endDeviceLFDI="AB" * 20, status=6, subject=old.mrid)
    assert [ack.outcome for ack in outcome_of(answer, old, tree.utility, NOW + 20)] == [Outcome.RECEIVED]
    tree.utility.advance(T0 + 300)
    assert [ack.outcome for ack in outcome_of(answer, old, tree.utility, NOW + 300)] == [Outcome.STARTED]


def test_a_release_cancels_everything_and_restores_the_default():
    tree, device, program = made()
    open_base = program.default.base
    offer(tree, device, control(), NOW)
    offer(tree, device, control(end=NOW + 1_400), NOW + 500)
    assert release(tree, device, open_base, NOW + 600) == 2
    assert spans(program) == [(0, 900, 2), (900, 1_400, 2)]
    assert program.default.base == open_base
    assert program.default.version == 2
    assert release(tree, device, open_base, NOW + 601) == 0


def test_what_cannot_be_said_changes_nothing():
    tree, device, program = made(Profile.CSIP)
    offer(tree, device, control(), NOW)
    before = (program.events, program.default)
    with pytest.raises(CannotSayError):
        offer(tree, device, control(2, limit=Bounds(-1e5, 5e5)), NOW + 1)
    with pytest.raises(CannotSayError):
        offer(tree, device, control(2, fallback=Bounds(-1e5, 5e5)), NOW + 1)
    assert (program.events, program.default) == before


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 300), st.integers(30, 900), st.booleans(), st.integers(0, 10)), min_size=1, max_size=15
    )
)
def test_exactly_one_event_is_in_force_while_a_lease_runs_and_it_is_the_newest(steps):
    tree, device, program = made()
    now, version, current = NOW, 0, None
    for wait, lease, change, ceiling in steps:
        now += wait
        if change or current is None:
            version += 1
            current = control(version, now, now + lease, ceiling * 1e5)
        else:
            current = replace(current, expiry_s=max(current.expiry_s, now + lease))
        if current.expiry_s <= now:
            continue
        done = offer(tree, device, current, now)
        wanted = control_base(current.limit, None, device.ratings, Profile.CSIP_AUS)
        for later in range(int(now), done.end_s):
            tree.utility.advance(later)
            in_force = life.active(program.events)
            assert [event.base for event in in_force] == [wanted], later - T0
            if later > now + wait:
                break
    tree.utility.advance(int(now) + 5_000)
    assert program.events == ()


def test_silence_degrades_then_loses_the_link_and_each_is_told_once():
    links = Links(100)
    assert [*links.check(NOW)] == []
    first = links.seen("A", "GET /dcap", NOW)
    assert first is not None
    assert (first.state, first.detail) == (LinkState.ONLINE, "GET /dcap arrived over mutual TLS")
    assert links.seen("A", "GET /tm", NOW + 1) is None
    told = [(at, change.state) for at in range(0, 500, 10) for change in links.check(NOW + 1 + at)]
    assert told == [(160, LinkState.DEGRADED), (310, LinkState.LOST)]
    again = links.seen("A", "GET /tm", NOW + 600)
    assert again is not None
    assert again.state is LinkState.ONLINE


def test_a_lease_refreshed_at_half_life_never_has_a_gap():
    tree, device, program = made()
    end = 0
    for now in range(0, 4_500, 450):
        offer(tree, device, control(end=NOW + now + 900), NOW + now)
        for later in range(now, now + 450, 10):
            tree.utility.advance(T0 + later)
            assert len(life.active(program.events)) == 1
        end = max(e.interval.start + e.interval.duration for e in program.events) - T0
        assert end >= now + 900
    assert len(life.listed(program.events, Edition.S1, 0)) <= 3
