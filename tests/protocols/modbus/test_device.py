"""Any model of a device read and written, and curves adopted, on a wire that is a function call."""

import asyncio
from collections.abc import Sequence

import pytest

from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.adopt import adopt
from protocols.modbus.client import RefusedError, SilenceError
from protocols.modbus.curves import SHAPES, Curve
from protocols.modbus.device import SunSpecDevice
from protocols.modbus.models import SunSpecError
from protocols.modbus.sunspec import IllegalAddressError, Model, ModelImage
from protocols.signals import Outcome
from tests.protocols.modbus import virtual

VOLT_VAR = Curve(705, ((90, 30), (97, 0), (103, 0), (110, -30)), {"DeptRef": 1, "RspTms": 8})
CURVES = [
    VOLT_VAR,
    Curve(706, ((105, 100), (109, 20)), {"RspTms": 3}),
    Curve(707, ((50, 0.5), (50, 11)), part="MustTrip"),
    Curve(708, ((120, 0.16), (112, 12)), part="MustTrip"),
    Curve(709, ((57, 0.2), (57, 200)), part="MustTrip"),
    Curve(710, ((62, 0.2), (61, 200)), part="MayTrip"),
    Curve(711, settings={"DbOf": 0.02, "DbUf": 0.03, "KOf": 0.04}),
    Curve(712, ((-80, 20), (0, 0), (80, -20))),
]


class Wire:
    """Registers of a face, and how they were asked for."""

    def __init__(self, face) -> None:
        self.face = face
        self.asked: list[tuple[int, int]] = []
        self.written: list[int] = []
        self.before_read = lambda address: None
        self.deaf_from: int | None = None

    async def read(self, address: int, count: int) -> tuple[int, ...]:
        self.asked.append((address, count))
        self.before_read(address)
        try:
            return tuple(self.face.read(address, count))
        except IllegalAddressError as error:
            raise RefusedError(str(error)) from error

    async def write(self, address: int, values: Sequence[int]) -> None:
        assert len(values) <= 123
        self.written.append(address)
        if self.deaf_from is not None and len(self.written) > self.deaf_from:
            raise SilenceError("no answer")
        self.face.write(address, values)


class Site:
    def __init__(self) -> None:
        self.simulated = SimulatedDevice(DeviceSpec("A", 2.5e6, -2.5e6, energy_wh=5e6), 0)
        self.face = SunSpecFace(self.simulated, lambda: 1.0)
        self.wire = Wire(self.face)
        self.device = SunSpecDevice(self.wire)

    async def model(self, model_id: int) -> Model:
        return next(model for model in await self.device.scan() if model.model_id == model_id)


async def test_finds_how_often_the_groups_of_each_model_repeat():
    models = {model.model_id: model for model in await Site().device.scan()}
    assert list(models) == [1, *range(701, 716)]
    assert "Crv[2].Pt[4].Var" in models[705]
    assert "Crv[2].MomCess.Pt[4].Tms" in models[710]
    assert "Crv[3].ActPt" not in models[705]


async def test_reads_every_model_whole():
    site = Site()
    models = await site.device.scan()
    found = {model.model_id: await site.device.read(model) for model in models}
    assert found[1].texts["Mn"] == "Ampacity testbed"
    assert found[705].values["Crv[0].Pt[3].Var"] == -44
    assert found[709].values["Crv[2].MustTrip.Pt[2].Hz"] == 58.5
    assert found[713].values["SoC"] == 50
    assert all(count <= 125 for _, count in site.wire.asked)


async def test_a_device_that_gives_little_at_once_is_read_in_more_pieces():
    site = Site()
    site.device = SunSpecDevice(site.wire, read_max=40)
    model = await site.model(701)
    whole = await SunSpecDevice(site.wire).read(model)
    site.wire.asked.clear()
    assert (await site.device.read(model)).values == whole.values
    assert max(count for _, count in site.wire.asked) <= 40


async def test_values_far_from_their_scale_factors_are_read_between_two_readings_of_those():
    image = ModelImage((1, 705), counts={"NCrv": 6, "NPt": 10})
    image.set("705.V_SF", -1)
    image.set("705.Crv[5].Pt[9].V", 104.5)
    wire = Wire(image)
    device = SunSpecDevice(wire)
    model = (await device.scan())[1]
    place = model.address + model.points["Crv[5].Pt[9].V"].offset
    changes = iter((-2, -2))

    def change(address: int) -> None:
        if address == place and (factor := next(changes, None)) is not None:
            image.set("705.V_SF", factor)
            image.set("705.Crv[5].Pt[9].V", 104.5)

    wire.before_read = change
    assert (await device.read(model, ["Crv[5].Pt[9].V"])).values["Crv[5].Pt[9].V"] == 104.5
    assert [address for address, _ in wire.asked].count(place) == 2


async def test_what_does_not_exist_or_cannot_be_written_is_said_before_anything_is_written():
    site = Site()
    model = await site.model(704)
    for values in ({"Nothing": 1.0}, {"WMaxLimPctEna": 1.0, "WMaxLimPctRvrtRem": 1.0}, {"WMaxLimPct": 1e9}):
        with pytest.raises(SunSpecError):
            await site.device.write(model, values)
    assert not site.wire.written
    await site.device.write(model, {"WMaxLimPct": 32.0, "WMaxLimPctEna": 1.0})
    assert site.simulated.limit.ceiling_w == 0.8e6


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: str(curve.model_id))
async def test_a_curve_is_adopted_and_in_force(curve):
    site = Site()
    model = await site.model(curve.model_id)
    adopted = await adopt(site.device, model, curve)
    assert adopted.outcome is Outcome.WRITTEN, adopted
    held = (await site.device.read(model)).values
    group = SHAPES[curve.model_id].group
    assert held["Ena"] == 1
    part = f"{curve.part}." if curve.part else ""
    if curve.points:
        assert held[f"{group}[0].{part}ActPt"] == len(curve.points)
    for name, value in curve.settings.items():
        assert held[f"{group}[0].{name}"] == pytest.approx(value)


async def test_the_curve_in_force_comes_back_when_the_time_is_up():
    site = Site()
    model = await site.model(705)
    before = (await site.device.read(model)).values
    assert (await adopt(site.device, model, VOLT_VAR, reverts_s=600)).outcome is Outcome.WRITTEN
    site.simulated.advance(100.0)
    assert (await site.device.read(model)).values["RvrtRem"] == 500
    assert (await site.device.read(model)).values["Crv[0].Pt[0].Var"] == 30
    site.simulated.advance(601.0)
    after = (await site.device.read(model)).values
    assert {n: v for n, v in after.items() if n.startswith("Crv[0]")} == {
        n: v for n, v in before.items() if n.startswith("Crv[0]")
    }


async def test_a_curve_that_the_device_turns_down_is_rejected_and_the_old_one_stays():
    site = Site()
    model = await site.model(705)
    adopted = await adopt(site.device, model, Curve(705, ((90, 30),)))
    assert adopted.outcome is Outcome.REJECTED
    assert "turned down" in adopted.detail
    held = (await site.device.read(model)).values
    assert (held["Crv[0].Pt[0].Var"], held["Ena"]) == (44, 0)


def test_a_device_that_never_makes_up_its_mind_leaves_it_unknown():
    async def main():
        image = ModelImage((1, 705), counts={"NCrv": 2, "NPt": 4})
        for name, value in {"V_SF": -1, "DeptRef_SF": -1, "RspTms_SF": 0, "Ena": 0, "AdptCrvRslt": 0}.items():
            image.set(f"705.{name}", value)
        image.set("705.Crv[1].ReadOnly", 0)
        device = SunSpecDevice(Wire(image))
        model = (await device.scan())[1]
        began_s = asyncio.get_running_loop().time()
        adopted = await adopt(device, model, VOLT_VAR, within_s=5.0)
        assert adopted.outcome is Outcome.UNKNOWN
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(5.0, abs=0.3)

    virtual.run(main())


def test_the_word_on_an_earlier_curve_is_not_taken_for_that_on_this_one():
    async def main():
        image = ModelImage((1, 705), counts={"NCrv": 2, "NPt": 4})
        for name, value in {"V_SF": -1, "DeptRef_SF": -1, "RspTms_SF": 0, "Ena": 0, "AdptCrvRslt": 1}.items():
            image.set(f"705.{name}", value)
        image.set("705.Crv[1].ReadOnly", 0)
        device = SunSpecDevice(Wire(image))
        model = (await device.scan())[1]
        adopted = await adopt(device, model, VOLT_VAR, within_s=2.0)
        assert adopted.outcome is Outcome.REJECTED
        assert "something else is in force" in adopted.detail
        assert adopted.differences["Crv[0].ActPt"] is None
        assert image.get("705.Ena") == 0

    virtual.run(main())


async def test_silence_while_a_curve_is_written_is_unknown():
    site = Site()
    model = await site.model(705)
    site.wire.deaf_from = 1
    assert (await adopt(site.device, model, VOLT_VAR)).outcome is Outcome.UNKNOWN


async def test_a_device_without_room_is_told_apart_before_anything_is_written():
    site = Site()
    with pytest.raises(SunSpecError, match="cannot return"):
        await adopt(site.device, await site.model(707), CURVES[2], reverts_s=60)
    with pytest.raises(SunSpecError, match=r"no Crv\[2\]\.Pt\[5\]"):
        await adopt(site.device, await site.model(705), Curve(705, tuple((90 + k, 0) for k in range(6))))
    assert not site.wire.written


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"model_id": 704}, "has no curves"),
        ({"model_id": 705, "points": ((98, 0), (92, 44))}, "goes back"),
        ({"model_id": 707, "points": ((50, 1), (50, 2))}, "not a part"),
        ({"model_id": 711, "points": ((50, 1), (50, 2))}, "do not make its curve"),
        ({"model_id": 705}, "do not make its curve"),
    ],
)
def test_what_could_not_be_meant_is_no_curve(asked, why):
    with pytest.raises(SunSpecError, match=why):
        Curve(**asked)
