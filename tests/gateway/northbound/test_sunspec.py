"""The SunSpec façade at a running loop, on virtual time: what is written, what becomes of it, and what reads back."""

import asyncio
from dataclasses import replace

import pytest

from gateway.coordination.book import Book
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Controllable, ZoneFacts
from gateway.desk import Desk
from gateway.narrate import Narrator
from gateway.northbound.sunspec import ShownUnit, SunSpecFacade
from gateway.northbound.sunspec_image import image_of
from gateway.northbound.sunspec_words import FacadeSettings, ShownDer
from protocols.modbus.server import FailedError, RefusedError
from protocols.modbus.server_security import ServerSecurity
from protocols.modbus.sunspec import IllegalAddressError
from protocols.points import Quantity
from protocols.signals import Bounds, LinkState, Release
from tests.gateway.coordination.build import MW, A, B, T, linked, measured, zone
from tests.gateway.test_loop import limited, play

HOLD_S = 100.0
BATTERY = ShownDer(1, A, "bess", "opcua", 2.5 * MW, -2.5 * MW, energy_wh=5 * MW)
SOLAR = ShownDer(2, B, "pv", "mqtt", 8 * MW, 0.0)


class Bench:
    """What a test bench does at one unit."""

    def __init__(self, scene, facts: ZoneFacts | None = None, *ders: ShownDer) -> None:
        facts = facts or zone()
        self.desk = Desk(facts, scene.loop.ground.ledger, scene.now, Narrator(facts), scene.loop.ground.touched.set)
        settings = FacadeSettings(ders or (BATTERY, SOLAR), HOLD_S, port=0)
        self.facade = SunSpecFacade(
            settings,
            self.desk,
            lambda: Situation(facts, scene.loop.book, scene.loop.ground.image.freeze(scene.now())),
            scene.now,
        )
        self.now = scene.now

    def face(self, unit: int = 1) -> ShownUnit:
        return self.facade.servers[0].units[unit].face

    async def write(self, unit: int = 1, **points: float) -> None:
        """Points of 703, 704 or 715, each with a write of its own."""
        for name, value in points.items():
            model = next(m for m in (703, 704, 715) if name in self.face(unit)._image.models[m].points)
            scratch = image_of(next(d for d in (BATTERY, SOLAR) if d.unit == unit))
            scratch.set(f"{model}.{name}", value)
            found = scratch.models[model]
            point = found.points[name]
            address = found.address + point.offset
            await self.face(unit).write(address, scratch.read(address, point.size))

    def read(self, name: str, unit: int = 1) -> float | None:
        self.facade.advance(self.now())
        face = self.face(unit)
        for address in range(face.base, face.base + face.size, 100):
            face.read(address, min(100, face.base + face.size - address))
        return face._image.get(name)

    async def ticking(self, seconds: float) -> None:
        for _ in range(round(2 * seconds)):
            await asyncio.sleep(0.5)
            await self.face().tick()


def test_it_shows_what_is_measured_and_what_is_not_heard_as_not_implemented():
    async def act(scene):
        bench = Bench(scene)
        assert bench.read("701.W") is None
        await asyncio.sleep(1.5)
        now_s = scene.now()
        scene.loop.emit(
            [measured("A", 0.4, now_s, Quantity.STATE_OF_CHARGE_PU), measured("A", 59.98, now_s, Quantity.FREQUENCY_HZ)]
        )
        bench.facade.changed()
        shown = {
            name: bench.read(name) for name in ("701.W", "701.Hz", "713.SoC", "713.WHAvail", "702.WMax", "701.Var")
        }
        assert shown == {
            "701.W": pytest.approx(0.3 * MW, abs=500),
            "701.Hz": pytest.approx(59.98),
            "713.SoC": pytest.approx(40),
            "713.WHAvail": pytest.approx(2 * MW, abs=500),
            "702.WMax": 2.5 * MW,
            "701.Var": None,
        }
        assert (bench.read("702.WMaxRtg", 2), bench.read("702.WMax", 2)) == (8 * MW, 6 * MW)
        assert (bench.read("701.St"), bench.read("701.Alrm")) == (1, 0)
        scene.loop.emit([linked("A", LinkState.LOST, scene.now())])
        bench.facade.changed()
        assert (bench.read("701.St"), bench.read("701.Alrm")) == (None, 1 << 16)

    play(act)


def test_a_percentage_becomes_a_control_and_reads_back_as_it_is_enforced():
    async def act(scene):
        bench = Bench(scene)
        await asyncio.sleep(2)
        await bench.write(WMaxLimPct=40, WMaxLimPctRvrtTms=60, WMaxLimPctEna=1)
        assert scene.journal.kinds()[-1] == "operated"
        assert (bench.read("704.WMaxLimPctEna"), bench.read("704.WMaxLimPct")) == (1, 40)
        assert bench.read("704.WMaxLimPctRvrtRem") == 60
        await asyncio.sleep(2)
        assert scene.instructions()[-1].limit.ceiling_w == 1.0 * MW
        await bench.ticking(58.5)
        assert isinstance(scene.instructions()[-1], Release)
        assert (bench.read("704.WMaxLimPctEna"), bench.read("704.WMaxLimPct")) == (0, 100)

    play(act)


def test_it_never_goes_around_a_limit_of_the_dso_and_says_so():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        bench = Bench(scene)
        await asyncio.sleep(5)
        assert (bench.read("704.WMaxLimPctEna"), bench.read("704.WMaxLimPct")) == (1, 48)
        await bench.write(WMaxLimPct=80, WMaxLimPctEna=1, WSetEna=1, WSetMod=1, WSet=2.0 * MW)
        assert (bench.read("704.WMaxLimPct"), bench.read("704.WSet")) == (48, 1.2 * MW)
        await asyncio.sleep(2)
        newest = scene.instructions()[-1]
        assert (newest.limit.ceiling_w, newest.target_w) == (1.2 * MW, 1.2 * MW)
        await bench.write(WMaxLimPct=20)
        assert bench.read("704.WMaxLimPct") == 20

    play(act)


def test_a_reversion_value_takes_over_and_ends_in_its_turn():
    async def act(scene):
        bench = Bench(scene)
        await asyncio.sleep(2)
        await bench.write(WMaxLimPctRvrt=20, WMaxLimPctEnaRvrt=1, WMaxLimPctRvrtTms=30, WMaxLimPct=60, WMaxLimPctEna=1)
        await bench.ticking(31)
        assert (bench.read("704.WMaxLimPct"), bench.read("704.WMaxLimPctRvrtRem")) == (20, 0)
        await bench.ticking(2)
        assert scene.instructions()[-1].limit.ceiling_w == 0.5 * MW
        await bench.ticking(HOLD_S)
        assert bench.read("704.WMaxLimPctEna") == 0
        assert bench.desk.standing("A") is None

    play(act)


@pytest.mark.parametrize("beats", [True, False])
def test_what_has_no_reversion_time_lives_by_the_masters_heartbeat(beats):
    async def act(scene):
        bench = Bench(scene)
        await asyncio.sleep(2)
        await bench.write(WSet=-1.0 * MW, WSetEna=1)
        for count in range(8):
            await bench.ticking(HOLD_S / 4)
            if beats:
                await bench.write(ControllerHb=count)
        asked = bench.desk.standing("A")
        assert (None if asked is None else asked.target_w) == (-1.0 * MW if beats else None)
        assert bench.read("704.WSetEna") == float(beats)
        if beats:
            assert scene.journal.kinds().count("operated") < 10, "a heartbeat costs a journal entry only now and then"

    play(act)


def test_out_of_service_is_no_power_either_way():
    async def act(scene):
        bench = Bench(scene)
        await asyncio.sleep(2)
        await bench.write(ES=0)
        await asyncio.sleep(2)
        assert scene.instructions()[-1].limit == Bounds(0.0, 0.0)
        assert (bench.read("703.ES"), bench.read("704.WMaxLimPct")) == (0, 0)
        await bench.write(ES=1)
        await asyncio.sleep(2)
        assert isinstance(scene.instructions()[-1], Release)

    play(act)


def test_what_holds_before_a_restart_or_by_another_door_is_shown():
    async def act(scene):
        await asyncio.sleep(2)
        bench = Bench(scene)
        await bench.desk.instruct("A", Bounds(None, 1.0 * MW), -0.5 * MW, 60.0, "console")
        bench.facade.changed()
        shown = [bench.read(f"704.{name}") for name in ("WMaxLimPctEna", "WMaxLimPct", "WSetEna", "WSet")]
        assert shown == [1, 40, 1, -0.5 * MW]
        after = Bench(scene)
        assert [after.read(f"704.{name}") for name in ("WMaxLimPctEna", "WSetEna")] == [1, 1]
        await after.write(WSetEna=0)
        assert (after.desk.standing("A").target_w, after.desk.standing("A").limit.ceiling_w) == (None, 1.0 * MW)

    play(act)


@pytest.mark.parametrize(
    ("unit", "points"),
    [
        (1, {"WMaxLimPct": 101}),
        (1, {"WMaxLimPctEna": 2}),
        (1, {"VarSet": 1000}),
        (2, {"WSet": 1000}),
        (2, {"ESDlyTms": 10}),
    ],
)
def test_what_the_der_does_not_take_is_refused_and_changes_nothing(unit, points):
    async def act(scene):
        bench = Bench(scene)
        with pytest.raises(RefusedError):
            await bench.write(unit, **points)
        assert bench.desk.standing(BATTERY.resource.id) is None
        assert "operated" not in scene.journal.kinds()

    play(act)


def test_a_der_that_cannot_be_controlled_can_be_read_alone():
    async def act(scene):
        fixed = replace(A, controllable=Controllable.NONE)
        bench = Bench(scene, zone(fixed), replace(BATTERY, resource=fixed))
        await asyncio.sleep(1.5)
        assert bench.read("701.W") == pytest.approx(0.3 * MW, abs=500)
        for points in ({"WMaxLimPctEna": 1}, {"ES": 0}):
            with pytest.raises(RefusedError):
                await bench.write(**points)
        with pytest.raises(IllegalAddressError):
            await bench.face().write(bench.face().base, [1])

    play(act)


def test_while_the_journal_is_full_a_write_fails_and_a_timer_waits():
    async def act(scene):
        bench = Bench(scene)
        await asyncio.sleep(2)
        scene.journal.full = True
        with pytest.raises(FailedError):
            await bench.write(WMaxLimPctEna=1)
        assert bench.read("704.WMaxLimPctEna") == 0
        scene.journal.full = False
        await bench.write(WMaxLimPct=40, WMaxLimPctRvrtTms=10, WMaxLimPctEna=1)
        scene.journal.full = True
        await bench.ticking(11)
        assert bench.read("704.WMaxLimPctEna") == 1
        scene.journal.full = False
        await bench.ticking(1)
        assert bench.read("704.WMaxLimPctEna") == 0

    play(act)


def test_a_control_that_is_not_followed_is_told_in_the_alarm():
    async def act(scene):
        scene.power_w = 2.0 * MW
        bench = Bench(scene)
        await asyncio.sleep(2)
        await bench.write(WMaxLimPct=40, WMaxLimPctRvrtTms=600, WMaxLimPctEna=1)
        await asyncio.sleep(120)
        bench.facade.changed()
        assert bench.read("701.Alrm") == 1 << 16
        model = bench.face()._image.models[701]
        point = model.points["MnAlrmInfo"]
        registers = bench.face().read(model.address + point.offset, point.size)
        assert b"".join(r.to_bytes(2, "big") for r in registers).rstrip(b"\0") == b"A-c1 unverified"

    play(act)


def test_a_certificate_that_cannot_be_read_is_found_at_the_start(tmp_path):
    async def act(scene):
        none = tmp_path / "none.pem"
        settings = FacadeSettings((BATTERY,), HOLD_S, None, "127.0.0.1", 0, ServerSecurity(none, none, none))
        with pytest.raises(OSError, match="No such file"):
            SunSpecFacade(
                settings,
                Bench(scene).desk,
                lambda: Situation(zone(), Book(), scene.loop.ground.image.freeze(T)),
                scene.now,
            )

    play(act)


def test_what_another_door_asks_for_is_neither_prolonged_nor_cut_short():
    async def act(scene):
        await asyncio.sleep(2)
        bench = Bench(scene)
        asked = await bench.desk.instruct("A", Bounds(-1.0 * MW, 1.0 * MW), None, 60.0, "console")
        for count in range(29):
            await bench.ticking(2)
            await bench.write(ControllerHb=count)
            assert bench.desk.standing("A") == asked
        await bench.ticking(4)
        assert bench.desk.standing("A") is None
        assert bench.read("704.WMaxLimPctEna") == 0
        assert bench.desk.version("A") == asked.version

    play(act)


def test_after_a_restart_the_master_goes_on_with_what_it_asked_for():
    async def act(scene):
        await asyncio.sleep(2)
        await Bench(scene).write(WMaxLimPct=40, WMaxLimPctEna=1)
        bench = Bench(scene)
        for count in range(10):
            await bench.ticking(HOLD_S / 4)
            await bench.write(ControllerHb=count)
        assert bench.desk.standing("A").limit.ceiling_w == 1.0 * MW

    play(act)
