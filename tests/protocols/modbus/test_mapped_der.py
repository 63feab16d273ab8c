"""A DER with registers of its own: what is written in which order, and what becomes of it, in virtual time."""

import asyncio
from dataclasses import replace

import pytest

from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.mapped_der_face import MappedDerFace, ServedControl
from protocols.modbus.mapped_control import MappedState, in_force_w, plan_control, plan_release, tightens
from protocols.modbus.plan import Plan, Refusal
from protocols.modbus.register import Encoding, Register
from protocols.modbus.settings import ControlRegister, MappedDer, MappedRegister, Quirks, Term
from protocols.modbus.sunspec import Reading
from protocols.points import Point, Quantity
from protocols.signals import Ack, Baseline, Bounds, Control, GridSwitch, LinkChanged, LinkState, Outcome, Release
from tests.protocols.modbus import virtual
from tests.protocols.modbus.server import Line
from tests.protocols.modbus.test_adapter import power, running

pytestmark = pytest.mark.filterwarnings("ignore:delta is less than resolution")

POWER = MappedRegister(power("D1"), Register(0, Encoding.INT32))
REGISTERS = {
    Term.FALLBACK_CEILING: Register(10, Encoding.UINT16, 1000),
    Term.LEASE: Register(11, Encoding.UINT16),
    Term.CEILING: Register(12, Encoding.UINT16, 1000),
    Term.FLOOR: Register(20, Encoding.INT16, 1000),
    Term.TARGET: Register(21, Encoding.INT16, 1000),
    Term.LIMIT_ENABLED: Register(13, Encoding.UINT16),
    Term.TARGET_ENABLED: Register(22, Encoding.UINT16),
    Term.CONNECTED: Register(30, Encoding.UINT16),
    Term.HEARTBEAT: Register(40, Encoding.UINT16),
}


def der(*terms: Term, **options) -> MappedDer:
    controls = {term: ControlRegister(REGISTERS[term]) for term in terms}
    return MappedDer("D1", 2.5e6, (POWER,), controls, **{"floor_w": -2.5e6, **options})


def state(settings: MappedDer, values=None, *, held=(), power_w=0.0) -> MappedState:
    rest = {Term.CEILING: 2.5e6, Term.FLOOR: -2.5e6, Term.CONNECTED: 1.0}
    known = {term.value: rest.get(term, 0.0) for term in settings.controls} | dict(values or {})
    return MappedState(settings, Reading(known, {}), power_w, known, frozenset(held))


def control(limit: Bounds, **rest) -> Control:
    return Control("c", "D1", 1, 0.0, 900.0, limit, **rest)


def planned(settings: MappedDer, limit: Bounds, **rest) -> Plan:
    found = plan_control(control(limit, **rest), 899.2, state(settings))
    assert isinstance(found, Plan)
    return found


def written(plan: Plan) -> list[tuple[int, tuple[int, ...]]]:
    return [(write.address, write.registers) for write in plan.writes]


def test_the_fallback_and_the_timer_go_out_with_the_limit_in_one_write_and_the_switch_last():
    settings = der(Term.CEILING, Term.LIMIT_ENABLED, Term.LEASE, Term.FALLBACK_CEILING)
    plan = planned(settings, Bounds(None, 1_234_567), fallback=Bounds(None, 500_900))
    assert written(plan) == [(10, (500, 900, 1234, 1))]
    assert plan.requested[Term.CEILING] == 1_234_000


def test_a_switch_for_both_sides_does_not_bring_an_old_limit_of_the_other_side_into_force():
    settings = der(Term.CEILING, Term.FLOOR, Term.LIMIT_ENABLED)
    plan = plan_control(control(Bounds(None, 1e6)), 900, state(settings, {Term.FLOOR: -0.1e6}))
    assert plan.requested[Term.FLOOR] == -2.5e6
    in_force = state(settings, {Term.FLOOR: -0.1e6, Term.LIMIT_ENABLED: 1.0})
    assert Term.FLOOR not in plan_control(control(Bounds(None, 1e6)), 900, in_force).requested


@pytest.mark.parametrize(
    ("limit", "target_w"),
    [(Bounds(None, -300_500), -301_000), (Bounds(400_500, None), 401_000), (Bounds(-700_000, -600_000), -600_000)],
)
def test_a_limit_that_no_register_takes_is_kept_by_a_set_point_inside_it(limit, target_w):
    plan = planned(der(Term.CEILING, Term.TARGET, Term.TARGET_ENABLED), limit)
    assert plan.requested == {Term.TARGET: target_w, Term.TARGET_ENABLED: 1}
    assert "the limit is kept by a set point inside it" in plan.notes


@pytest.mark.parametrize("limit", [Bounds(None, -1.0), Bounds(-1e6, None)])
def test_a_limit_that_nothing_takes_is_refused(limit):
    found = plan_control(control(limit), 900, state(der(Term.CEILING)))
    assert isinstance(found, Refusal)
    assert "nor a set point" in found.detail


def test_no_step_of_a_set_point_inside_a_narrow_limit_is_refused():
    found = plan_control(control(Bounds(300, 700), target_w=500.0), 900, state(der(Term.TARGET)))
    assert isinstance(found, Refusal)
    assert "no step" in found.detail


def test_a_device_that_can_only_be_switched_off_is_switched_off_where_no_power_is_allowed():
    settings = der(Term.CONNECTED, floor_w=0.0)
    assert planned(settings, Bounds(None, 0.0)).requested == {Term.CONNECTED: 0.0}
    assert isinstance(plan_control(control(Bounds(None, 1e6)), 900, state(settings)), Refusal)
    back = plan_release({}, state(settings, {Term.CONNECTED: 1.0}, held=[Term.CONNECTED]))
    assert back.requested == {Term.CONNECTED: 1.0}


def test_what_somebody_else_switched_off_is_not_taken_over_and_comes_back_only_where_we_did_it():
    settings = der(Term.CEILING, Term.CONNECTED, floor_w=0.0)
    off = state(settings, {Term.CONNECTED: 0.0})
    assert Term.CONNECTED not in plan_control(control(Bounds(None, 0.0)), 900, off).requested
    assert Term.CONNECTED not in plan_control(control(Bounds(None, 1e6)), 900, off).requested
    again = control(Bounds(None, 1e6), grid_switch=GridSwitch.CLOSE)
    assert plan_control(again, 900, off).requested[Term.CONNECTED] == 1.0


def test_a_lease_longer_than_its_register_is_as_long_as_that_allows():
    found = plan_control(control(Bounds(None, 1e6)), 1e6, state(der(Term.CEILING, Term.LEASE)))
    assert found.requested[Term.LEASE] == 0xFFFF


def test_release_restores_what_was_there_and_touches_nothing_that_was_never_taken():
    settings = der(Term.CEILING, Term.LIMIT_ENABLED, Term.TARGET)
    held = state(settings, {Term.CEILING: 2e6}, held=[Term.CEILING, Term.LIMIT_ENABLED])
    found = plan_release({Term.CEILING: 2e6, Term.LIMIT_ENABLED: 1.0, Term.TARGET: 5e3}, held)
    assert found.requested == {Term.CEILING: 2e6, Term.LIMIT_ENABLED: 1.0}


def test_a_target_that_is_taken_back_gives_the_set_point_back():
    settings = der(Term.CEILING, Term.TARGET)
    found = plan_control(control(Bounds(None, 1e6)), 900, state(settings, {Term.TARGET: 7e3}, held=[Term.TARGET]))
    assert found.requested == {Term.CEILING: 1e6, Term.TARGET: 7e3}


def test_a_renewal_writes_the_timer_alone_where_memory_wears():
    settings = der(Term.CEILING, Term.LIMIT_ENABLED, Term.LEASE, quirks=Quirks(writes_per_day=300))
    values = {Term.CEILING: 1e6, Term.LIMIT_ENABLED: 1.0, Term.LEASE: 450.0}
    now = state(settings, values, held=[Term.CEILING, Term.LIMIT_ENABLED, Term.LEASE])
    renewal = plan_control(control(Bounds(None, 1e6)), 900, now)
    assert written(renewal) == [(11, (900,))]
    assert not tightens(renewal, now)
    assert tightens(plan_control(control(Bounds(None, 0.9e6)), 900, now), now)


def test_the_limit_in_force_is_the_nameplate_while_the_switch_is_off():
    settings = der(Term.CEILING, Term.FLOOR, Term.LIMIT_ENABLED)
    values = {Term.CEILING: 1e6, Term.FLOOR: -1e6}
    for enabled, shown in ((0.0, (2.5e6, -2.5e6)), (1.0, (1e6, -1e6)), (None, (None, None))):
        found = [in_force_w(settings, side, values | {Term.LIMIT_ENABLED: enabled}) for side in values]
        assert tuple(found) == shown


def test_both_limits_in_force_are_told_with_every_poll():
    async def scene(site, _device):
        await site.adapter.apply(site.control(1, limit=Bounds(-1e6, 1.2e6)))
        await asyncio.sleep(1.5)
        for quantity, value in ((Quantity.CEILING_W, 1.2e6), (Quantity.FLOOR_W, -1e6)):
            assert site.values(Point("D1", quantity))[-1].value == value

    played(der(Term.CEILING, Term.FLOOR, Term.LIMIT_ENABLED), scene)


class Device:
    """A simulated device with these registers, at the time of the event loop."""

    def __init__(self, settings: MappedDer) -> None:
        self.truth = SimulatedDevice(DeviceSpec("D1", settings.ceiling_w, settings.floor_w, initial_w=2e6), 0.0)
        controls = {t.value: ServedControl(c.register, c.shown) for t, c in settings.controls.items()}
        measured = {Quantity.ACTIVE_POWER_W: POWER.register}
        self.face = MappedDerFace(self.truth, measured, controls, lambda: 1.0)

    def at_present(self) -> SimulatedDevice:
        self.truth.advance(asyncio.get_running_loop().time())
        return self.truth

    def read(self, address: int, count: int) -> list[int]:
        self.at_present()
        return self.face.read(address, count)

    def write(self, address: int, values) -> None:
        self.at_present()
        self.face.write(address, values)


def played(settings: MappedDer, scene) -> None:
    async def main():
        device = Device(settings)
        async with running(Line({1: device}), units=(settings,)) as site:
            await asyncio.sleep(1.5)
            await scene(site, device)

    virtual.run(main())


def test_a_device_with_a_timer_is_limited_and_falls_back_by_itself():
    async def scene(site, device):
        assert site.values(power("D1"))[0].value == 2e6
        ack = await site.adapter.apply(site.control(1, lease_s=100, fallback=Bounds(None, 0.4e6)))
        assert ack.outcome is Outcome.WRITTEN
        assert ack.read_back[Term.CEILING] == ack.requested[Term.CEILING] == 1.2e6
        assert device.at_present().power_w == 1.2e6
        site.line.deaf.add(1)
        await asyncio.sleep(101)
        assert device.at_present().power_w == 0.4e6

    played(der(Term.CEILING, Term.LEASE, Term.FALLBACK_CEILING, Term.LIMIT_ENABLED), scene)


def test_what_a_device_without_a_timer_was_told_is_taken_back_when_the_lease_runs_out():
    async def scene(site, device):
        assert site.of(Baseline)[0].values == {Term.CEILING: 2.5e6}
        ack = await site.adapter.apply(site.control(1, lease_s=100))
        assert "no timer of its own" in ack.detail
        await asyncio.sleep(60)
        await site.adapter.apply(site.control(1, lease_s=100))
        await asyncio.sleep(90)
        assert device.at_present().power_w == 1.2e6
        await asyncio.sleep(12)
        assert device.at_present().power_w == 2e6
        (last,) = site.of(Ack)
        assert (last.outcome, last.version) == (Outcome.EXPIRED, 1)

    played(der(Term.CEILING), scene)


def test_a_fallback_is_what_a_device_without_a_timer_is_left_with_even_after_an_outage():
    async def scene(site, device):
        await site.adapter.apply(site.control(1, lease_s=20, fallback=Bounds(None, 0.4e6)))
        site.line.deaf.add(1)
        await asyncio.sleep(60)
        assert device.at_present().power_w == 1.2e6
        site.line.deaf.clear()
        await asyncio.sleep(30)
        assert device.at_present().power_w == 0.4e6

    played(der(Term.CEILING), scene)


def test_taking_back_never_overtakes_a_newer_control():
    async def scene(site, device):
        await site.adapter.apply(site.control(1, lease_s=10))
        site.line.delay_s[1] = 0.3
        await asyncio.sleep(9.9)
        ack = await site.adapter.apply(site.control(2, lease_s=100, limit=Bounds(None, 0.7e6)))
        assert ack.outcome is Outcome.WRITTEN
        await asyncio.sleep(20)
        assert device.at_present().power_w == 0.7e6

    played(der(Term.CEILING), scene)


def test_the_heart_beats_with_the_lease_and_a_device_that_misses_it_falls_back():
    async def scene(site, device):
        await site.adapter.apply(site.control(1, lease_s=300, fallback=Bounds(None, 0.4e6)))
        await asyncio.sleep(200)
        assert device.at_present().power_w == 1.2e6
        site.line.deaf.add(1)
        await asyncio.sleep(61)
        assert device.at_present().power_w == 0.4e6

    played(der(Term.CEILING, Term.FALLBACK_CEILING, Term.HEARTBEAT), scene)


def test_a_write_that_is_accepted_and_ignored_is_rejected():
    async def scene(site, device):
        site.line.ignoring.add(1)
        ack = await site.adapter.apply(site.control(1))
        assert ack.outcome is Outcome.REJECTED
        assert "ceiling_w is 2500000.0" in ack.detail
        assert device.at_present().limit.is_open

    played(der(Term.CEILING, Term.LEASE), scene)


def test_an_unanswered_renewal_counts_only_if_the_timer_shows_it():
    async def scene(site, device):
        await site.adapter.apply(site.control(1, lease_s=100))
        await asyncio.sleep(50)
        site.line.silent_writes = True
        ack = await site.adapter.apply(site.control(1, lease_s=100))
        assert ack.outcome is Outcome.WRITTEN
        await asyncio.sleep(50)
        site.line.lose_writes = True
        ack = await site.adapter.apply(site.control(1, lease_s=100))
        assert ack.outcome is Outcome.UNKNOWN
        assert device.at_present().power_w == 1.2e6

    played(der(Term.CEILING, Term.LEASE), scene)


def test_a_device_without_controls_is_read_and_never_written():
    async def scene(site, device):
        ack = await site.adapter.apply(site.control(1))
        assert (ack.outcome, site.line.writes) == (Outcome.REJECTED, [])
        assert device.at_present().power_w == 2e6
        ack = await site.adapter.apply(Release("r", "D1", 2, {}))
        assert ack.outcome is Outcome.REJECTED

    played(der(), scene)


def test_what_is_shown_elsewhere_is_read_back_there():
    elsewhere = Register(60, Encoding.INT32)
    settings = der(Term.CEILING)
    settings = replace(settings, controls={Term.CEILING: ControlRegister(REGISTERS[Term.CEILING], elsewhere)})

    async def scene(site, device):
        ack = await site.adapter.apply(site.control(1))
        assert ack.outcome is Outcome.WRITTEN
        assert [(address, count) for _, code, address, count in site.line.log if code == 3 and address == 12] == []
        assert device.at_present().power_w == 1.2e6
        assert LinkState.LOST not in [change.state for change in site.of(LinkChanged)]

    played(settings, scene)
