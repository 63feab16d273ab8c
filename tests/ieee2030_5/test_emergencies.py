"""An emergency as clients see it: a program that wins over all others, and is gone when it is over."""

import asyncio
from dataclasses import replace

import pytest

from ieee2030_5 import emergencies
from ieee2030_5 import events as life
from ieee2030_5 import resources as r
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.admin.desk import Desk
from ieee2030_5.codec import render
from ieee2030_5.exchange import Asked
from ieee2030_5.leases import offer, release
from ieee2030_5.records import Record
from ieee2030_5.settings import DeviceSettings, Profile
from ieee2030_5.tree import MEDIA_TYPE
from protocols.signals import Ack, Bounds, Control, Outcome, Signal
from tests.gateway.coordination.build import MW
from tests.gateway.test_loop import limited, play
from tests.ieee2030_5.conftest import NOW, Laboratory
from tests.ieee2030_5.test_leases import control, made, spans
from tests.ieee2030_5.world import lfdi

T0 = int(NOW)


def urgent(version: int = 2, **more: object) -> Control:
    return control(version, **{"ceiling_w": 0.0, "urgent": True, **more})


def test_an_urgent_control_goes_into_a_program_of_primacy_one_beside_the_limit():
    tree, device, own = made()
    offer(tree, device, control(), NOW)
    offer(tree, device, urgent(start=NOW + 10), NOW + 10)
    program = emergencies.standing(tree.utility, device)
    assert program is not None
    assert (program.primacy, own.primacy, program.description) == (1, 65, "Emergency")
    assert spans(program) == [(10, 900, 1)]
    assert program.events[0].base.opModExpLimW == r.ActivePower(multiplier=0, value=0)
    assert spans(own) == [(0, 900, 1)], "the limit gives way by primacy and needs not be said again"
    assert program.default.base == own.default.base, "whichever default a client takes, it is the fallback"


def test_a_refresh_extends_the_emergency_without_a_gap():
    tree, device, _ = made()
    offer(tree, device, urgent(), NOW)
    offer(tree, device, urgent(end=NOW + 1_350), NOW + 450)
    program = emergencies.standing(tree.utility, device)
    assert program is not None
    assert spans(program) == [(0, 900, 1), (900, 1_350, 0)]


def test_the_next_control_ends_the_emergency_and_its_program_goes_once_clients_had_time_to_see_it():
    tree, device, own = made()
    offer(tree, device, control(), NOW)
    offer(tree, device, urgent(start=NOW + 10), NOW + 10)
    offer(tree, device, control(3, start=NOW + 60, end=NOW + 960), NOW + 60)
    program = emergencies.standing(tree.utility, device)
    assert program is not None
    assert spans(program) == [(10, 900, 2)]
    assert spans(own)[-1] == (60, 960, 1)
    assert emergencies.retired(tree, device, T0 + 61) is False
    tree.utility.advance(T0 + 900)
    assert emergencies.retired(tree, device, T0 + 900) is True
    assert emergencies.standing(tree.utility, device) is None
    assert list(tree.utility.programs) == ["A"]


def test_a_release_ends_the_emergency_too():
    tree, device, own = made()
    offer(tree, device, urgent(), NOW)
    assert release(tree, device, r.DERControlBase(), NOW + 60) == 1
    program = emergencies.standing(tree.utility, device)
    assert program is not None
    assert spans(program) == [(0, 900, 2)]
    assert own.events == ()
    assert program.default.base == own.default.base == r.DERControlBase(), "a client may take either"


def test_a_set_point_does_not_go_on_beside_an_emergency():
    tree, device, own = made()
    offer(tree, device, control(target_w=4e5), NOW)
    offer(tree, device, urgent(start=NOW + 10), NOW + 10)
    assert spans(own) == [(0, 900, 2)]


def test_what_a_plain_client_cannot_be_told_of_consumption_takes_its_power_away():
    tree, device, _ = made(Profile.CSIP)
    offer(tree, device, urgent(limit=Bounds(0.0, 0.0)), NOW)
    program = emergencies.standing(tree.utility, device)
    assert program is not None
    (event,) = life.active(program.events)
    assert (event.base.opModEnergize, event.base.opModMaxLimW) == (False, 0)


def server(laboratory: Laboratory, records: list[Record], now) -> UtilityServer:
    settings = laboratory.settings()
    own = DeviceSettings("A", lfdi("A"), 2.5 * MW, -2.5 * MW, profile=Profile.CSIP_AUS)
    return UtilityServer(replace(settings, devices=(own,)), now, records.append)


def test_a_restart_remembers_the_emergency_and_who_is_to_keep_it(laboratory: Laboratory):
    records: list[Record] = []
    first = server(laboratory, records, lambda: NOW)
    asyncio.run(first.apply(urgent(limit=Bounds(None, 0.0))))
    again = server(laboratory, [], lambda: NOW + 5)
    again.restore(records)
    device = again._tree.utility.by_resource("A")
    assert device is not None
    program = emergencies.standing(again._tree.utility, device)
    assert program is not None
    assert spans(program) == [(0, 900, 1)]
    stale = asyncio.run(again.apply(control(1, ceiling_w=2e6)))
    assert stale.outcome is Outcome.SUPERSEDED
    asyncio.run(again.apply(control(3, start=NOW + 5, ceiling_w=2e6)))
    assert spans(program) == [(0, 900, 2)]


@pytest.mark.parametrize("limit_mw", [None, 1.2])
def test_a_declared_emergency_is_visible_within_half_a_second_and_leaves_the_limit_behind(
    laboratory: Laboratory, limit_mw: float | None
):
    async def act(scene):
        served = server(laboratory, [], scene.now)
        served._emit = scene.loop.emit
        scene.loop.actuation.adapters["A"] = served
        if limit_mw is not None:
            scene.engine.answers = limited(limit_mw * MW)
        await asyncio.sleep(5)
        device = served._tree.utility.by_resource("A")
        own = served._tree.utility.programs["A"]

        def export_w(program) -> list[int]:
            served._tree.utility.advance(int(scene.now()))
            limits = [event.base.opModExpLimW for event in life.active(program.events)]
            return [limit.value * 10**limit.multiplier for limit in limits]

        before = export_w(own)
        assert before == ([] if limit_mw is None else [1_200_000])
        emergency = await scene.loop.exchange.declare(2, "zone", "told by the test")
        await asyncio.sleep(0.5)
        program = emergencies.standing(served._tree.utility, device)
        assert (program.primacy, export_w(program)) == (1, [0])
        await asyncio.sleep(30)
        await scene.loop.exchange.clear(emergency)
        await asyncio.sleep(0.5)
        assert export_w(program) == []
        assert export_w(own) == before, "limits hold again, not what was dispatched"

    play(act)


def test_the_operator_of_the_server_leaves_the_emergency_to_the_gateway():
    tree, device, _ = made()
    offer(tree, device, urgent(), NOW)
    program = emergencies.standing(tree.utility, device)
    assert program is not None
    assert Desk(tree, frozenset({"A"}), T0).is_gateways(program)
    assert not Desk(tree, frozenset(), T0).is_gateways(program)


async def test_what_follows_an_emergency_is_said_anew_once_where_a_client_let_go_of_it(laboratory: Laboratory):
    now, signals = NOW, list[Signal]()
    served = server(laboratory, [], lambda: now)
    served._emit = signals.extend
    own = served._tree.utility.programs["A"]

    def superseded(event: r.DERControl) -> list[Outcome]:
        said = r.DERControlResponse(createdDateTime=int(now), endDeviceLFDI=lfdi("A"), status=7, subject=event.mRID)
        asked = Asked("POST", "/rsps/A/rsp", MEDIA_TYPE, MEDIA_TYPE, render(said))
        assert served._reply(lfdi("A"), asked).status == 201
        told = [signal.outcome for signal in signals if isinstance(signal, Ack)]
        signals.clear()
        return told

    await served.apply(urgent(limit=Bounds(None, 0.0)))
    now += 60
    await served.apply(control(3, start=now, end=now + 900, ceiling_w=2e6))
    now += 10
    assert superseded(own.events[-1]) == [], "the gateway has nothing to do about it"
    assert spans(own) == [(60, 960, 4), (70, 960, 1)]
    now += 10
    assert superseded(own.events[0]) == [Outcome.STARTED], "another one goes on with it"
    assert superseded(own.events[-1]) == [Outcome.SUPERSEDED]
    assert len(own.events) == 2
