"""The committed network of R1 is what its script builds, and has the flows that define it."""

from copy import deepcopy

import pandapower as pp
import pytest

from config.zones.build_r1 import TARGET, write


@pytest.fixture(scope="module")
def committed():
    return pp.from_json(str(TARGET))


def solve(net, tap=0, load_scale=1.0, **der_mw):
    """Solve with DERs at their buses; powers in MW, positive for injection."""
    at = {"A": "B3", "B": "B4", "C": "B6", "E": "B2"}
    net = deepcopy(net)
    for name, power_mw in der_mw.items():
        pp.create_sgen(net, net.bus.index[net.bus.name == at[name]][0], p_mw=power_mw, name=name)
    net.trafo["tap_pos"] = tap
    net.load["scaling"] = load_scale
    pp.runpp(net, init="flat", calculate_voltage_angles=True, tolerance_mva=1e-8, numba=False)
    return net


def loading_pct(net, line):
    row = net.line.index[net.line.name == line][0]
    return net.res_line.at[row, "i_ka"] / net.line.at[row, "max_i_ka"] * 100


def voltage_pu(net, bus):
    return net.res_bus.at[net.bus.index[net.bus.name == bus][0], "vm_pu"]


def test_the_committed_file_is_what_the_script_builds(committed, tmp_path):
    write(tmp_path / "r1.json")
    assert pp.toolbox.nets_equal(committed, pp.from_json(str(tmp_path / "r1.json")), tol=1e-12)


@pytest.mark.parametrize(
    ("case", "line", "percent"),
    [
        ({"A": 2.0, "B": 4.0}, "L12", 120.8),
        ({"A": 1.2, "B": 4.0}, "L12", 100.0),
        ({"A": 1.0, "B": 4.0}, "L12", 94.8),
        ({"B": 5.0}, "L12", 94.6),
        ({"A": 0.5, "B": 1.5, "load_scale": 0.2}, "L12", 44.9),
    ],
)
def test_loadings(committed, case, line, percent):
    tolerance_pct = 0.5
    assert loading_pct(solve(committed, **case), line) == pytest.approx(percent, abs=tolerance_pct)


@pytest.mark.parametrize(
    ("case", "bus", "expected_pu"),
    [
        ({"B": 5.0, "tap": -3}, "B4", 1.057),
        ({"B": 5.0, "tap": -2}, "B4", 1.043),
        ({"A": 0.5, "B": 1.5, "load_scale": 0.2}, "B4", 1.030),
        ({"load_scale": 1.2}, "B4", 0.9498),
    ],
)
def test_voltages(committed, case, bus, expected_pu):
    tolerance_pu = 0.002
    assert voltage_pu(solve(committed, **case), bus) == pytest.approx(expected_pu, abs=tolerance_pu)


def test_the_network_has_no_ders_and_an_open_tie(committed):
    assert committed.sgen.empty
    assert dict(zip(committed.switch.name, committed.switch.closed, strict=True)) == {"SW12": True, "SWT": False}
    assert not committed.shunt.in_service.any()
