"""A device with OpenDER's physics, set through its registers, against OpenDER's own library set and run directly."""

from importlib.resources import files
from math import pi, sqrt
from pathlib import Path

import pytest

pytest.importorskip("opender")

from opender import DER_BESS, DER_PV, DERCommonFileFormat, DERCommonFileFormatBESS

from config.checks.parties import OPENDER_KINDS
from gateway.testbed.device import DeviceSpec
from gateway.testbed.devices import device_of
from gateway.testbed.opender import KINDS, NOMINAL_V, STEP_S, OpenDerDevice
from gateway.testbed.opender_face import OpenDerFace
from gateway.testbed.plant import Attachment
from gateway.testbed.plants import plant_of
from gateway.testbed.world import World
from protocols.modbus.codec import encode_text
from protocols.modbus.server import RefusedError
from protocols.modbus.sunspec import ModelImage
from protocols.points import Point, Quantity
from protocols.signals import Bounds

SOLAR = DeviceSpec("B", 6e6, kind="pv", initial_w=6e6, ramp_w_per_s=6e6 / 15, physics="opender")
"""OpenDER's own ramp: 15 s over the whole range."""
BATTERY = DeviceSpec("A", 2.5e6, -2.5e6, kind="bess", energy_wh=5e6, initial_w=1e6, physics="opender")
R1 = Path(str(files("config.zones")))
ANGLES = [0, -2 * pi / 3, 2 * pi / 3]


class Rig:
    """A device with its registers, as a test bench has it."""

    def __init__(self, spec: DeviceSpec) -> None:
        self.device = device_of(spec, 0.0)
        assert isinstance(self.device, OpenDerDevice)
        self.face = OpenDerFace(self.device)
        self.steps = 0

    def write(self, **points: float) -> None:
        """`_704_WMaxLimPct=50`; in a repeating group with the path's own punctuation as a key of a mapping."""
        self.put({name[1:].replace("_", ".", 1): value for name, value in points.items()})

    def put(self, points: dict[str, float | str]) -> None:
        image = self.face._image
        for name, value in points.items():
            model_id, _, path = name.partition(".")
            model = image.models[int(model_id)]
            point = model.points[path]
            if isinstance(value, str):
                registers = list(encode_text(point, value))
            else:
                scratch = ModelImage(list(image.models), image.base, image.counts)
                scratch.registers[:] = image.registers
                scratch.set(name, value)
                registers = scratch.read(model.address + point.offset, point.size)
            self.face.write(model.address + point.offset, registers)

    def get(self, name: str) -> float | None:
        self.face.read(self.face.base, 1)
        return self.face._image.get(name)

    def step(self) -> tuple[float, float]:
        self.steps += 1
        self.device.advance(self.steps * STEP_S)
        return self.device.power_w, self.device.reactive_var


def reference(spec: DeviceSpec, **settings):
    """OpenDER itself, with the same nameplate."""
    plate = {"NP_V_DC": 1000, "NP_VA_MAX": spec.p_max_w, "NP_P_MAX": spec.p_max_w, "NP_AC_V_NOM": NOMINAL_V}
    plate |= {"NP_Q_MAX_INJ": 0.44 * spec.p_max_w, "NP_Q_MAX_ABS": 0.44 * spec.p_max_w}
    # As the registers of the device leave the factory.
    plate |= {"UV2_TRIP_V": 0.45, "UV2_TRIP_T": 0.16, "UV1_TRIP_V": 0.7, "UV1_TRIP_T": 10}
    if spec.kind == "bess":
        plate |= {"NP_P_MAX_CHARGE": -spec.p_min_w, "NP_APPARENT_POWER_CHARGE_MAX": spec.p_max_w}
        der = DER_BESS(DERCommonFileFormatBESS(**plate, **settings))
        der.update_der_input(p_dem_w=spec.initial_w, v_pu=[1, 1, 1], theta=ANGLES, f=60)
    else:
        der = DER_PV(DERCommonFileFormat(**plate, **settings))
        der.update_der_input(p_dc_w=spec.initial_w, v_pu=[1, 1, 1], theta=ANGLES, f=60)
    der.run()
    return der


def same(rig: Rig, der, seconds: float) -> None:
    """Both take the same course, step by step."""
    for _ in range(round(seconds / STEP_S)):
        ours, theirs = rig.step(), der.run()
        assert ours == pytest.approx((float(theirs[0]), float(theirs[1])), rel=2e-5, abs=50), rig.steps


def test_a_limit_is_approached_along_the_models_ramp_and_released():
    rig, der = Rig(SOLAR), reference(SOLAR)
    rig.write(_704_WMaxLimPct=50, _704_WMaxLimPctEna=1)
    der.der_file.AP_LIMIT, der.der_file.AP_LIMIT_ENABLE = 0.5, True
    same(rig, der, 4)
    assert 4e6 < rig.device.power_w < 5e6, "on its way down"
    same(rig, der, 6)
    assert rig.device.power_w == pytest.approx(3e6)
    rig.write(_704_WMaxLimPctEna=0)
    der.der_file.AP_LIMIT_ENABLE = False
    same(rig, der, 1)
    assert rig.device.power_w == pytest.approx(6e6)


def test_volt_var_follows_an_adopted_curve():
    rig, der = Rig(SOLAR), reference(SOLAR)
    curve = ((90, 40), (96, 0), (104, 0), (110, -40))
    for place, (volts, var) in enumerate(curve):
        rig.put({f"705.Crv[1].Pt[{place}].V": volts, f"705.Crv[1].Pt[{place}].Var": var})
        setattr(der.der_file, f"_QV_CURVE_V{place + 1}", volts / 100)
        setattr(der.der_file, f"_QV_CURVE_Q{place + 1}", var / 100)
    rig.put({"705.Crv[1].RspTms": 3, "705.AdptCrvReq": 2, "705.Ena": 1, "64414.GridVoltageA": 1.08})
    assert rig.get("705.AdptCrvRslt") == 1
    rig.put({"64414.GridVoltageB": 1.08, "64414.GridVoltageC": 1.08})
    der.der_file.QV_OLRT, der.der_file.QV_MODE_ENABLE = 3, True
    der.update_der_input(v_pu=1.08)
    same(rig, der, 30)
    assert rig.device.reactive_var == pytest.approx(-4 / 6 * 0.4 * 6e6, rel=1e-3)
    assert rig.get("701.Var") == pytest.approx(rig.device.reactive_var, abs=1000)


def test_volt_watt_takes_power_back_at_high_voltage():
    rig, der = Rig(SOLAR), reference(SOLAR)
    rig.put({"706.Ena": 1, "64411.VSet": 1.08 * NOMINAL_V / sqrt(3)})
    der.der_file.PV_MODE_ENABLE = True
    der.update_der_input(v_pu=rig.device.voltage_pu[0])
    same(rig, der, 60)
    assert rig.device.power_w == pytest.approx(3e6, rel=0.02)


def test_it_rides_through_a_dip_trips_on_a_swell_and_comes_back_along_its_ramp():
    rig, der = Rig(SOLAR), reference(SOLAR)
    rig.write(_703_ESDlyTms=20, _703_ESRmpTms=30)
    der.der_file.ES_DELAY, der.der_file.ES_RAMP_RATE = 20, 30
    for volts, seconds, status in ((0.75, 3, None), (1.0, 5, "Continuous Operation"), (1.25, 1, "Trip")):
        rig.put({f"64414.GridVoltage{phase}": volts for phase in "ABC"})
        der.update_der_input(v_pu=volts)
        same(rig, der, seconds)
        assert status in (None, rig.device.status)
    assert (rig.device.power_w, rig.get("701.St"), rig.get("701.InvSt"), rig.get("701.ConnSt")) == (0, 0, 0, 0)
    rig.put({f"64414.GridVoltage{phase}": 1.0 for phase in "ABC"})
    der.update_der_input(v_pu=1.0)
    same(rig, der, 21)
    assert (rig.device.status, rig.get("701.InvSt")) == ("Entering Service", 2)
    same(rig, der, 40)
    assert (rig.device.power_w, rig.get("701.St")) == (pytest.approx(6e6), 1)


def test_frequency_droop_and_underfrequency_trip():
    rig, der = Rig(SOLAR), reference(SOLAR)
    for hertz in (60.5, 59.0, 56.0):
        rig.put({"64414.GridFrequency": hertz})
        der.update_der_input(f=hertz)
        same(rig, der, 15)
    assert rig.device.status == "Trip"
    assert rig.get("701.Hz") == pytest.approx(56)


def test_a_must_trip_curve_of_the_bench_is_obeyed():
    rig, der = Rig(SOLAR), reference(SOLAR)
    for place, (volts, seconds) in enumerate(((118, 0.5), (118, 3), (112, 3), (112, 21))):
        part = f"708.Crv[1].MustTrip.Pt[{place}]"
        rig.put({f"{part}.V": volts, f"{part}.Tms": seconds})
    rig.put({"708.AdptCrvReq": 2})
    assert rig.get("708.AdptCrvRslt") == 1
    for name, value in (("OV2_TRIP_V", 1.18), ("OV2_TRIP_T", 0.5), ("OV1_TRIP_V", 1.12), ("OV1_TRIP_T", 3)):
        setattr(der.der_file, f"_{name}", value)
    rig.put({f"64414.GridVoltage{phase}": 1.13 for phase in "ABC"})
    der.update_der_input(v_pu=1.13)
    same(rig, der, 2.5)
    assert rig.device.status != "Trip"
    same(rig, der, 1)
    assert rig.device.status == "Trip"


@pytest.mark.parametrize(
    ("points", "settings"),
    [
        (
            {"704.PFWInj.PF": 0.95, "704.PFWInj.Ext": 1, "704.PFWInjEna": 1},
            {"CONST_PF": 0.95, "CONST_PF_EXCITATION": "ABS", "CONST_PF_MODE_ENABLE": True},
        ),
        (
            {"704.VarSetMod": 4, "704.VarSet": 1.2e6, "704.VarSetEna": 1},
            {"CONST_Q": 0.2, "CONST_Q_MODE_ENABLE": True},
        ),
        (
            {"704.VarSetMod": 1, "704.VarSetPct": -50, "704.VarSetEna": 1},
            {"CONST_Q": -0.22, "CONST_Q_MODE_ENABLE": True},
        ),
        ({"712.Ena": 1}, {"QP_MODE_ENABLE": True, "QP_CURVE_P1_GEN": 0.25}),
    ],
)
def test_reactive_power_follows_factor_set_point_and_watts(points, settings):
    rig, der = Rig(SOLAR), reference(SOLAR)
    rig.put(points)
    for name, value in settings.items():
        setattr(der.der_file, f"_{name}", value)
    same(rig, der, 40)
    assert abs(rig.device.reactive_var) > 0.1 * 6e6


def test_out_of_permission_it_ceases_to_energise():
    rig, der = Rig(SOLAR), reference(SOLAR)
    rig.write(_703_ES=0)
    der.der_file.ES_PERMIT_SERVICE = False
    same(rig, der, 2)
    assert rig.device.power_w == 0


def test_the_sun_of_the_bench_gives_the_power_until_the_zone_has_it_back():
    rig, der = Rig(SOLAR), reference(SOLAR)
    rig.put({"64414.Irradiance": 400})
    der.update_der_input(p_dc_w=2.4e6)
    same(rig, der, 3)
    assert rig.device.power_w == pytest.approx(2.4e6)
    rig.device.set_available(5e6, rig.device.now_s)
    assert rig.device.available_w == pytest.approx(2.4e6)
    rig.put({"64414.IrradianceModelSource": "zone"})
    assert rig.device.available_w == 5e6


def test_the_grid_is_the_networks_until_a_bench_takes_it():
    rig = Rig(SOLAR)
    rig.device.feel((1.01, 1.02, 1.03))
    assert rig.get("64414.GridVoltageB") == pytest.approx(1.02)
    assert rig.get("64411.VC") == pytest.approx(1.03 * NOMINAL_V / sqrt(3), abs=0.1)
    rig.put({"64414.GridFrequency": 60.2})
    assert (rig.device.is_on_network, rig.device.voltage_pu) == (False, (1.01, 1.02, 1.03))
    rig.device.feel((0.9, 0.9, 0.9))
    assert rig.device.voltage_pu == (1.01, 1.02, 1.03)
    rig.put({"64411.Relay": 0})
    assert rig.device.voltage_pu == (0, 0, 0)
    rig.put({"64411.Relay": 1, "64414.GridModelSource": "network"})
    assert (rig.device.voltage_pu, rig.device.frequency_hz) == ((0.9, 0.9, 0.9), 60)


def test_a_battery_charges_and_obeys_a_limit_also_with_volt_watt_on():
    rig, der = Rig(BATTERY), reference(BATTERY)
    same(rig, der, 2)
    rig.write(_704_WSet=-1e6, _704_WSetEna=1)
    der.update_der_input(p_dem_w=-1e6)
    same(rig, der, 3)
    assert rig.device.power_w == pytest.approx(-1e6)
    assert rig.device.state_of_charge_pu > 0.5
    rig.put({"706.Ena": 1, "704.WMaxLimPct": 20, "704.WMaxLimPctEna": 1})
    for _ in range(100):
        rig.step()
    assert rig.device.power_w == pytest.approx(-1e6), "OpenDER alone would discharge up to the limit"
    rig.write(_704_WSet=2e6)
    for _ in range(300):
        rig.step()
    assert rig.device.power_w == pytest.approx(0.5e6)


@pytest.mark.parametrize(
    "points",
    [
        {"64414.GridModelSource": "csv"},
        {"64414.GridVoltageA": 3.0},
        {"64414.GridFrequency": 30.0},
        {"64411.Output": 2},
        {"64414.Temperature": 20.0},
        {"704.VarSetRvrt": 5},
        {"703.ESRndTms": 5},
        {"704.WMaxLimPct": 120},
    ],
)
def test_what_has_no_meaning_is_refused_and_changes_nothing(points):
    rig = Rig(SOLAR)
    before = list(rig.face._image.registers)
    with pytest.raises(RefusedError):
        rig.put(points)
    assert rig.device.is_on_network
    assert rig.face._image.registers == before


def test_a_curve_that_the_model_cannot_follow_is_turned_down():
    rig = Rig(SOLAR)
    for place, (volts, var) in enumerate(((92, 30), (104, 0), (108, -30))):
        rig.put({f"705.Crv[1].Pt[{place}].V": volts, f"705.Crv[1].Pt[{place}].Var": var})
    rig.put({"705.Crv[1].ActPt": 3, "705.AdptCrvReq": 2})
    assert rig.get("705.AdptCrvRslt") == 2
    assert rig.get("705.Crv[0].ActPt") == 4


def test_a_device_that_lies_ignores_its_limit_and_keeps_its_physics():
    rig, der = Rig(SOLAR), reference(SOLAR)
    rig.device.faults.lie = True
    rig.write(_704_WMaxLimPct=50, _704_WMaxLimPctEna=1)
    same(rig, der, 10)
    assert rig.device.limit == Bounds(None, 3e6)


def test_kinds_that_it_cannot_play_are_refused_and_known_to_the_zone_file():
    assert KINDS == OPENDER_KINDS
    with pytest.raises(ValueError, match="not load"):
        device_of(DeviceSpec("L", 1e6, kind="load", physics="opender"), 0.0)


def test_without_a_ramp_in_its_nameplate_it_follows_a_limit_at_its_next_step():
    rig = Rig(BATTERY)
    rig.write(_704_WMaxLimPct=20, _704_WMaxLimPctEna=1)
    rig.step()
    rig.step()
    assert rig.device.power_w == pytest.approx(0.5e6)


def test_its_reactive_power_reaches_the_network_and_the_network_its_terminals():
    to = {"B": Attachment("B4")}
    plant = plant_of(R1 / "networks" / "r1.json", to)
    world = World(plant, {"B": SOLAR}, {}, 0.0, terminals=to)
    device = world.devices["B"]
    assert isinstance(device, OpenDerDevice)
    voltage = Point("B4", Quantity.VOLTAGE_PU)
    world.advance(1.0)
    before = world.truth(voltage)
    world.advance(2.0)
    assert device.voltage_pu == pytest.approx((before,) * 3, abs=1e-4)
    device.configure({"CONST_Q": -0.44, "CONST_Q_MODE_ENABLE": True})
    for now_s in range(3, 40):
        world.advance(float(now_s))
    assert device.reactive_var == pytest.approx(-0.44 * 6e6, rel=1e-3)
    assert world.truth(voltage) < before - 0.01
    assert device.voltage_pu[0] == pytest.approx(world.truth(voltage), abs=1e-4)


@pytest.mark.parametrize("feeder", ["r1.json", "maple.json.gz"])
def test_both_solvers_take_reactive_power(feeder):
    bus, power_w = {"r1.json": ("B4", 1e6), "maple.json.gz": ("F2-12", 1e5)}[feeder]
    plant = plant_of(R1 / "networks" / feeder, {"X": Attachment(bus)})
    voltage, found = Point(bus, Quantity.VOLTAGE_PU), []
    for reactive_var in (-power_w, 0.0, power_w):
        plant.inject("X", power_w, reactive_var)
        found.append(plant.read(voltage))
    assert found[0] < found[1] < found[2]
