"""One suite for every adapter, against the testbed's device over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.coordination.events import Answered
from gateway.coordination.verify import judge
from protocols.points import Point, Quantity
from protocols.signals import Ack, Bounds, GridSwitch, LinkState, Measurement, Outcome, Quality, Release
from tests.contract.harness import POWER, RESOURCE, ContractHarness, control, next_version, running
from tests.gateway.coordination.build import A, folded, issued, situation, zone

pytestmark = [pytest.mark.sockets, pytest.mark.asyncio(loop_scope="module")]

PROTOCOLS = sorted(path.stem.removeprefix("harness_") for path in Path(__file__).parent.glob("harness_*.py"))


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=PROTOCOLS)
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[ContractHarness]:
    made: ContractHarness = import_module(f"tests.contract.harness_{request.param}").Harness()
    await made.start()
    yield made
    await made.stop()


async def test_speaks_for_the_device(harness):
    assert harness.adapter().resources == {RESOURCE}


async def test_connects_and_reads_power(harness):
    async with running(harness) as site:
        await site.until_read()
        assert site.states == [LinkState.ONLINE]
        assert site.latest().quality is Quality.GOOD
        assert site.latest().value == pytest.approx(1e6, abs=1e3)
        assert {s.point.resource for s in site.signals if isinstance(s, Measurement)} == {RESOURCE}


async def test_reads_a_changed_power(harness):
    async with running(harness) as site:
        await site.until_read()
        site.device.set_target(-0.7e6, harness.now())
        await site.until(lambda: abs(site.latest().value + 0.7e6) < 1e3, "power turns to absorption")
        assert site.latest().received_time_s >= site.latest().source_time_s - 1


async def test_limit_comes_into_force_rounded_down_and_reads_back(harness):
    async with running(harness) as site:
        await site.until_read()
        ack = await site.give(control(harness, 1.234567e6))
        assert ack.resource == RESOURCE
        if harness.answers_at_once:
            assert ack.requested
            assert {name: ack.read_back[name] for name in ack.requested} == pytest.approx(dict(ack.requested))
        await site.until(lambda: abs(site.latest().value - site.device.power_w) < 1e3, "the new power is read")
        assert site.device.limit.ceiling_w <= 1.234567e6


async def test_limit_of_zero_stops_injection(harness):
    async with running(harness) as site:
        await site.until_read()
        await site.give(control(harness, 0.0))
        await site.until(lambda: abs(site.latest().value) < 1e3, "power is 0")


async def test_target_moves_the_device_and_stays_inside_the_limit(harness):
    async with running(harness) as site:
        await site.until_read()
        await site.give(control(harness, 1.2e6, target_w=-0.4e6))
        await site.until(lambda: abs(site.device.power_w + 0.4e6) < 1e3, "the device absorbs")
        await site.give(control(harness, 1.2e6, target_w=1.2e6))
        await site.until(lambda: abs(site.device.power_w - 1.2e6) <= harness.step_w + 1, "the device injects")
        assert site.device.power_w <= 1.2e6


async def test_reports_the_limit_in_force(harness):
    async with running(harness) as site:
        ceiling = Point(RESOURCE, Quantity.CEILING_W)
        await site.until_read()
        await site.give(control(harness, 1.2e6))
        if harness.answers_at_once:
            await site.until(
                lambda: (m := site.latest(ceiling)) is not None and abs(m.value - 1.2e6) <= harness.step_w,
                "the limit in force is read",
            )


async def test_floor_is_kept_or_refused_never_ignored(harness):
    async with running(harness) as site:
        await site.until_read()
        site.device.set_target(-2e6, harness.now())
        await site.until(lambda: site.latest().value < -1.9e6, "the device absorbs")
        ack = await site.adapter.apply(control(harness, 2e6, floor_w=-0.5e6))
        if ack.outcome is Outcome.REJECTED:
            assert not harness.takes_floor
            assert ack.detail
        else:
            await site.until(lambda: site.device.power_w >= -0.5e6 - 1, "absorption is limited")


async def test_refusal_is_rejected_and_changes_nothing(harness):
    async with running(harness) as site:
        await site.until_read()
        site.device.faults.refuse = True
        ack = await site.adapter.apply(control(harness, 1.1e6))
        if harness.answers_at_once:
            assert ack.outcome is Outcome.REJECTED
            assert ack.detail
        else:
            await site.until(lambda: _said(site, ack.control_id, Outcome.REJECTED), "the device rejects")
        assert site.device.limit.is_open
        site.device.faults.refuse = False
        await site.give(control(harness, 1.1e6))


async def test_older_version_is_superseded_and_changes_nothing(harness):
    async with running(harness) as site:
        await site.until_read()
        older = next_version()
        await site.give(control(harness, 1.2e6))
        ack = await site.adapter.apply(control(harness, 2.4e6, version=older))
        assert ack.outcome is Outcome.SUPERSEDED
        assert ack.version == older
        assert site.device.limit.ceiling_w <= 1.2e6


async def test_control_that_has_expired_is_not_sent(harness):
    async with running(harness) as site:
        await site.until_read()
        late = control(harness, 1.0e6, lease_s=5)
        harness.now.ahead_s += 10
        ack = await site.adapter.apply(late)
        assert ack.outcome is Outcome.EXPIRED
        assert site.device.limit.is_open


async def test_same_version_renews_the_lease(harness):
    async with running(harness) as site:
        await site.until_read()
        first = control(harness, 1.2e6, lease_s=100)
        await site.give(first)
        harness.now.ahead_s += 60
        again = control(harness, 1.2e6, lease_s=100, version=first.version)
        ack = await site.adapter.apply(again)
        assert ack.outcome is not Outcome.SUPERSEDED
        await site.until(lambda: site.device.reversion_remaining_s > 80, "the device's timer starts anew")
        harness.now.ahead_s += 60
        await site.until_ceiling(1.2e6)


async def test_device_falls_back_by_itself_when_the_lease_runs_out(harness):
    async with running(harness) as site:
        await site.until_read()
        await site.give(control(harness, 1.2e6, fallback_w=0.5e6, lease_s=100))
        assert 0 < site.device.reversion_remaining_s <= 101
    harness.now.ahead_s += 102
    assert site.device.limit.ceiling_w == pytest.approx(0.5e6, abs=harness.step_w)
    assert site.device.power_w <= 0.5e6


async def test_release_restores_the_limit_of_somebody_else(harness):
    if not harness.keeps_baseline:
        pytest.skip("this device can have no limit but ours")
    owners = Bounds(None, 2e6)

    async with running(harness, lambda device: device.set_limit(owners, harness.now(), None, Bounds())) as site:
        await site.until_read()
        assert len(site.baselines) == 1
        assert site.baselines[0].values
        await site.give(control(harness, 1.2e6))
        release = Release("contract-release", RESOURCE, next_version(), site.baselines[0].values)
        ack = await site.adapter.apply(release)
        assert ack.outcome is Outcome.WRITTEN
        await site.until_ceiling(2e6)
        harness.now.ahead_s += 1000
        await site.until_ceiling(2e6)


async def test_release_of_an_unlimited_device_opens_it(harness):
    async with running(harness) as site:
        await site.until_read()
        await site.give(control(harness, 1.2e6))
        values = site.baselines[0].values if site.baselines else {}
        ack = await site.adapter.apply(Release("contract-release", RESOURCE, next_version(), values))
        assert ack.outcome not in {Outcome.REJECTED, Outcome.UNKNOWN}
        await site.until_ceiling(None)


async def test_not_a_number_is_bad_and_never_a_value(harness):
    async with running(harness) as site:
        await site.until_read()
        site.device.faults.not_a_number = True
        await site.until(lambda: site.latest().quality is Quality.BAD, "power is bad")
        site.device.faults.not_a_number = False
        await site.until(lambda: site.latest().quality is Quality.GOOD, "power is good again")


async def test_link_is_lost_once_and_comes_back_by_itself(harness):
    async with running(harness) as site:
        await site.until_read()
        site.device.faults.drop_link = True
        await site.until_state(LinkState.LOST)
        assert [s for s in site.states if s is not LinkState.DEGRADED] == [LinkState.ONLINE, LinkState.LOST]
        site.forget()
        site.device.faults.drop_link = False
        await site.until_read()
        assert site.states == [LinkState.ONLINE]
        await site.give(control(harness, 1.2e6))


async def test_control_during_an_outage_is_not_carried_out_later_unless_it_is_told_again(harness):
    if not harness.answers_at_once:
        pytest.skip("a device that fetches its controls may fetch them after the outage")
    async with running(harness) as site:
        await site.until_read()
        site.device.faults.drop_link = True
        await site.until_state(LinkState.LOST)
        asked = control(harness, 1.2e6)
        ack = await site.adapter.apply(asked)
        assert ack.outcome is Outcome.UNDELIVERED
        assert ack.detail
        site.forget()
        site.device.faults.drop_link = False
        await site.until_read()
        assert site.device.limit.is_open
        await site.give(asked)


async def test_a_flapping_link_loses_no_lease_and_nothing_comes_late(harness):
    async with running(harness) as site:
        await site.until_read()
        await site.give(control(harness, 1.2e6))
        for _ in range(3):
            site.device.faults.drop_link = True
            await site.until_state(LinkState.LOST)
            if harness.answers_at_once:
                assert (await site.adapter.apply(control(harness, 2.2e6))).outcome is Outcome.UNDELIVERED
            site.forget()
            site.device.faults.drop_link = False
            await site.until_read()
        await site.until_ceiling(1.2e6)
        assert site.device.reversion_remaining_s > 0
        await site.give(control(harness, 1.0e6))


async def test_silence_degrades_and_then_loses_the_link(harness):
    async with running(harness) as site:
        await site.until_read()
        site.device.faults.delay = True
        await site.until_state(LinkState.LOST)
        assert site.states[0] is LinkState.ONLINE
        site.device.faults.delay = False
        await site.until_state(LinkState.ONLINE)


async def test_newest_of_two_controls_at_once_wins(harness):
    async with running(harness) as site:
        await site.until_read()
        first, second = control(harness, 2.2e6), control(harness, 1.3e6)
        acks = await _both(site, first, second)
        assert acks[1].outcome not in {Outcome.SUPERSEDED, Outcome.REJECTED, Outcome.UNKNOWN}
        await site.until_ceiling(1.3e6)


async def test_device_that_accepts_and_does_not_obey_is_unverified_when_its_ramp_is_over(harness):
    async with running(harness) as site:
        await site.until_read()
        site.device.faults.lie = True
        asked = control(harness, 0.2e6)
        given = issued(asked, harness.now(), site.latest().value)
        last = await site.give(asked)

        def found() -> list[Outcome]:
            answers = [s for s in site.signals if isinstance(s, Ack) and s.control_id == asked.control_id]
            book = folded(given, Answered(last), *map(Answered, answers))
            seen = site.latest()
            return [ack.outcome for ack in judge(situation(book, seen.received_time_s, seen, facts=zone(RAMPED)))]

        before_s = harness.now()
        await site.until(lambda: site.latest().received_time_s > before_s, "power is read after the control")
        assert found() == [], "its ramp takes 80 s"
        harness.now.ahead_s += RAMP_S + 5
        await site.until(lambda: found() == [Outcome.UNVERIFIED], "it is found out")
        assert site.latest(POWER).value == pytest.approx(1e6, abs=1e3)
        site.device.faults.lie = False
        site.device.set_target(0.1e6, harness.now())
        await site.until(lambda: found() == [Outcome.VERIFIED], "it obeys after all")


RAMPED = replace(A, ramp_w_per_s=10_000.0)
RAMP_S = 80.0
"""From 1 MW to 0.2 MW."""


def _said(site, control_id: str, outcome: Outcome) -> bool:
    return any(getattr(s, "control_id", None) == control_id and s.outcome is outcome for s in site.signals)


async def _both(site, first, second):
    async with asyncio.TaskGroup() as tasks:
        one = tasks.create_task(site.adapter.apply(first))
        two = tasks.create_task(site.adapter.apply(second))
    return one.result(), two.result()


def emergency(harness):
    """No power, either way."""
    wanted = control(harness, 0.0, floor_w=0.0 if harness.takes_floor else None)
    return replace(wanted, urgent=True, grid_switch=GridSwitch.OPEN)


async def test_an_emergency_takes_the_device_off_the_grid_and_the_end_of_it_puts_it_back(harness):
    async with running(harness) as site:
        await site.until_read()
        ack = await site.give(emergency(harness))
        await site.until(lambda: site.device.power_w == 0, "it has no power")
        assert ack.disconnects is harness.has_switch
        assert site.device.is_connected is not harness.has_switch or site.device.limit == Bounds(0.0, 0.0)
        if harness.has_switch:
            again = await site.give(replace(emergency(harness), target_w=None))
            assert not again.disconnects, "it was off already, and stays ours"
            assert site.device.power_w == 0
        after = replace(control(harness, 1.2e6), grid_switch=GridSwitch.CLOSE)
        await site.give(after)
        await site.until(lambda: site.device.power_w == 1e6, "it is on the grid again, within its limit")
        assert site.device.is_connected


async def test_what_somebody_else_took_off_the_grid_stays_off(harness):
    if not harness.has_switch:
        pytest.skip("has no switch to the grid")
    async with running(harness) as site:
        await site.until_read()
        await site.until(lambda: site.latest().value != 0, "it is heard with power: what is old tells nothing")
        site.device.connect(harness.now(), closed=False)
        await site.until(lambda: site.latest().value == 0, "the device is seen to be off")
        assert not (await site.give(emergency(harness))).disconnects
        await site.give(control(harness, 1.2e6))
        assert site.device.power_w == 0
        assert not site.device.is_connected
