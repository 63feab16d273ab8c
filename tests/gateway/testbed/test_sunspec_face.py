"""What a client sees and does in the registers, without sockets."""

from dataclasses import replace

import pytest

from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.sunspec_face import SunSpecFace
from protocols.modbus.server import RefusedError
from protocols.modbus.sunspec import IllegalAddressError, Model, Span, discover, encode
from protocols.signals import Bounds

BATTERY = DeviceSpec("A", p_max_w=2.5e6, p_min_w=-2.5e6, energy_wh=5e6)
SOLAR = DeviceSpec("B", p_max_w=6e6, kind="pv", initial_w=4e6)


class Client:
    """Finds the models as any SunSpec client does, then reads and writes points by name."""

    def __init__(self, spec: DeviceSpec, *, series: str = "700", phases: str = "abc") -> None:
        self.device = SimulatedDevice(spec, 0)
        self.face = SunSpecFace(self.device, lambda: 1.0, series=series, phases=phases)
        self.models = {model.model_id: model for model in self._discover()}

    def _discover(self) -> tuple[Model, ...]:
        search = discover()
        request = next(search)
        while True:
            try:
                answer = self.face.read(request.address, request.count)
            except IllegalAddressError:
                answer = None
            try:
                request = search.send(answer)
            except StopIteration as found:
                return found.value

    def get(self, model_id: int, *names: str) -> list[float | None]:
        values = []
        for name in names:
            span: Span = self.models[model_id].span([name])
            values.append(span.decode(self.face.read(span.address, span.count)).values[name])
        return values

    def put(self, model_id: int, **values: float) -> None:
        for name, value in values.items():
            model = self.models[model_id]
            point = model.points[name]
            exponent = -2 if name.startswith("WMaxLimPct") and point.scale else 0
            self.face.write(model.address + point.offset, encode(point, value, exponent))


def test_models_are_those_of_the_series() -> None:
    assert list(Client(BATTERY).models) == [1, *range(701, 716)]
    assert list(Client(SOLAR, series="legacy").models) == [1, 103, 120, 121, 122, 123, 160]


def test_measurements_follow_the_device() -> None:
    client = Client(BATTERY)
    client.device.set_target(-1.25e6, 0)
    assert client.get(701, "W", "WL1", "LLV", "Hz") == [-1.25e6, pytest.approx(-416_700, abs=100), 480.0, 60.0]
    assert client.get(702, "WMax", "WMaxRtg", "WChaRteMax") == [2.5e6, 2.5e6, 2.5e6]
    assert client.get(713, "SoC") == [50.0]


def test_a_percentage_limits_and_reverts_with_its_timer() -> None:
    client = Client(BATTERY)
    client.device.set_target(2e6, 0)
    client.put(704, WMaxLimPct=48, WMaxLimPctRvrt=20, WMaxLimPctEnaRvrt=1, WMaxLimPctRvrtTms=900, WMaxLimPctEna=1)
    assert (client.device.limit, client.device.power_w) == (Bounds(ceiling_w=1.2e6), 1.2e6)
    client.device.advance(100.5)
    assert client.get(704, "WMaxLimPct", "WMaxLimPctRvrtRem", "WMaxLimPctRvrtTms") == [48.0, 800.0, 900.0]
    client.device.advance(901)
    assert client.get(704, "WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrtRem") == [1.0, 20.0, 0.0]
    assert client.get(701, "W", "InvSt") == [0.5e6, 4.0]


def test_a_reversion_without_enable_leaves_no_limit() -> None:
    client = Client(BATTERY)
    client.device.set_target(2e6, 0)
    client.put(704, WMaxLimPct=48, WMaxLimPctRvrtTms=60, WMaxLimPctEna=1)
    client.device.advance(61)
    assert client.get(704, "WMaxLimPctEna") == [0.0]
    assert client.device.power_w == 2e6


def test_disabling_the_limit_opens_it() -> None:
    client = Client(BATTERY)
    client.put(704, WMaxLimPct=48, WMaxLimPctEna=1)
    client.put(704, WMaxLimPctEna=0)
    assert client.device.limit.is_open


def test_a_limit_that_was_there_before_shows() -> None:
    client = Client(BATTERY)
    client.device.set_limit(Bounds(ceiling_w=2e6), 0, None, Bounds())
    assert client.get(704, "WMaxLimPctEna", "WMaxLimPct") == [1.0, 80.0]


def test_a_set_point_beats_the_owner_until_it_reverts() -> None:
    client = Client(BATTERY)
    client.device.set_target(2e6, 0)
    client.put(704, WSetRvrtTms=30, WSetMod=1, WSet=-500_000, WSetEna=1)
    assert client.get(701, "W") == [-0.5e6]
    assert client.get(704, "WSetRvrtRem") == [30.0]
    client.device.advance(31)
    assert client.get(701, "W") == [2e6]
    assert client.get(704, "WSetEna") == [0.0]


@pytest.mark.parametrize(("name", "value"), [("WMaxLimPct", 120), ("WMaxLimPctEna", 7), ("WSetEnaRvrt", 3)])
def test_a_value_without_meaning_is_refused_and_changes_nothing(name: str, value: float) -> None:
    client = Client(BATTERY)
    before = client.face.read(client.face.base, client.face.size)
    with pytest.raises(RefusedError):
        client.put(704, **{name: value})
    assert client.face.read(client.face.base, client.face.size) == before


def test_solar_takes_no_set_point() -> None:
    client = Client(SOLAR)
    assert client.get(704, "WSetEna") == [None]
    with pytest.raises(RefusedError, match="no set point"):
        client.put(704, WSetEna=1)


def test_measurements_cannot_be_written() -> None:
    client = Client(BATTERY)
    with pytest.raises(IllegalAddressError):
        client.face.write(client.models[701].address + 2, [1])


def test_a_broken_meter_is_not_implemented() -> None:
    client = Client(BATTERY)
    client.device.faults.not_a_number = True
    assert client.get(701, "W") == [None]


def test_legacy_limits_in_percent_and_reverts_to_none() -> None:
    client = Client(replace(BATTERY, energy_wh=None), series="legacy")
    client.device.set_target(2e6, 0)
    client.put(123, WMaxLimPct=48, WMaxLimPct_RvrtTms=60, WMaxLim_Ena=1)
    assert client.get(103, "W", "St") == [1.2e6, 5.0]
    assert client.get(120, "WRtg") == [2.5e6]
    client.device.advance(61)
    assert client.get(123, "WMaxLim_Ena") == [0.0]
    assert client.get(103, "W") == [2e6]


@pytest.mark.parametrize(
    ("phases", "series", "model", "letters"),
    [
        ("a", "legacy", 101, "A"),
        ("s1s2", "legacy", 102, "AB"),
        ("abc", "legacy", 103, "ABC"),
        ("b", "legacy_float", 111, "A"),
        ("s1s2", "legacy_float", 112, "AB"),
        ("abc", "legacy_float", 113, "ABC"),
    ],
)
def test_an_inverter_has_the_model_and_the_conductors_of_its_phases(phases, series, model, letters) -> None:
    client = Client(SOLAR, series=series, phases=phases)
    assert model in client.models
    power_w, amperes = client.get(model, "W", "A")
    volts = client.get(model, *(f"PhVph{letter}" for letter in letters))
    assert power_w == pytest.approx(4e6, abs=500)
    assert sum(volts) * amperes == pytest.approx(4e6, rel=1e-3)
    absent = [f"PhVph{letter}" for letter in "ABC" if letter not in letters]
    assert client.get(model, *absent) == [None] * len(absent)


def test_a_battery_beside_floats_has_model_802_with_a_heart_that_beats() -> None:
    client = Client(BATTERY, series="legacy_float")
    assert list(client.models) == [1, 113, 120, 121, 122, 123, 802, 160]
    assert client.get(802, "SoC", "WHRtg", "Hb", "LocRemCtl") == [50, 5e6, 0, 0]
    client.device.advance(7)
    assert client.get(802, "Hb") == [7]
    client.put(802, CtrlHb=12)
    assert client.get(802, "CtrlHb") == [12]
    client.put(123, WMaxLimPct=20, WMaxLim_Ena=1)
    assert client.device.limit == Bounds(None, 0.5e6)
