"""Networks read from OpenDSS files, beside what OpenDSS itself finds for them."""

import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from grid_engine.flow.nodal import build
from grid_engine.flow.pairs import joined, load_pairs, load_power, unit_pairs, unit_power
from grid_engine.flow.powerflow import prepare
from grid_engine.importers.opendss import load, load_solved
from grid_engine.model import EARTH, Network, NetworkError, SwitchKind, Terminal
from grid_engine.results import NetworkState

dss = pytest.importorskip("dss", reason="needs the extra opendss")

DATA = Path(__file__).parents[1] / "data"
FILES = ("regulated", "neutral", "splitphase", "shapes", "spot")


def written(tmp_path: Path, elements: str, bases: str = "12.47, 4.16") -> Path:
    master = tmp_path / "master.dss"
    master.write_text(f"new circuit.c basekv=12.47 bus1=s\n{elements}\nset voltagebases=[{bases}]\ncalcv\nsolve")
    return master


def voltages(network: Network) -> np.ndarray:
    pairs = joined(load_pairs(network)[0], unit_pairs(network)[0])
    power = np.concatenate([load_power(network), unit_power(network)])
    flow = prepare(build(network, NetworkState()), pairs, power).solve(power[:, None])
    assert flow.converged.all()
    return np.asarray(flow.voltage[:, 0])


def assert_agrees(master: Path) -> None:
    solved = load_solved(master)
    off = np.abs(voltages(solved.network) - solved.voltage_pu)
    assert np.nanmax(off) < 1e-7


def bus(network: Network, name: str) -> list[Terminal]:
    at = network.nodes.bus == network.buses.ids.index(name)
    return [Terminal(terminal) for terminal in network.nodes.terminal[at]]


@pytest.mark.parametrize("name", FILES)
def test_node_voltages_are_those_of_opendss(name: str) -> None:
    assert_agrees(DATA / f"{name}.dss")


BANKS = {
    "wye-wye": "t buses=(n2 n3) conns=(wye wye)",
    "delta-wye": "t buses=(n2 n3) conns=(delta wye)",
    "delta-delta": "t buses=(n2 n3) conns=(delta delta)",
    "wye-delta": "t buses=(n2 n3) conns=(wye delta)",
    "floating wye-delta": "t buses=(n2.1.2.3.4 n3) conns=(wye delta)",
    "euro delta-wye": "t buses=(n2 n3) conns=(delta wye) leadlag=euro",
}
LOADS = {
    "wye": "bus1=n4.{0} kv=2.4",
    "delta": "bus1=n4.{0}.{1} kv=4.16 conn=delta",
}


@pytest.mark.parametrize(
    ("bank", "load_connection"),
    [(bank, kind) for bank in BANKS for kind in LOADS if kind == "delta" or not bank.endswith("delta")],
)
def test_unbalanced_loads_behind_any_bank(tmp_path: Path, bank: str, load_connection: str) -> None:
    elements = [
        "new line.l1 bus1=s bus2=n2 r1=0.1 x1=0.4 r0=0.3 x0=1.1 c1=8 c0=4 length=0.7",
        f"new transformer.{BANKS[bank]} kvs=(12.47 4.16) kvas=(5000 5000) xhl=6 %loadloss=1.2",
        "new line.l2 bus1=n3 bus2=n4 r1=0.1 x1=0.3 r0=0.3 x0=0.9 c1=8 c0=4 length=0.6",
    ]
    for first, second, kw in ((1, 2, 900), (2, 3, 1300), (3, 1, 1700)):
        where = LOADS[load_connection].format(first, second)
        elements.append(f"new load.x{first} phases=1 {where} kw={kw} pf=0.9 vminpu=0.7")
    assert_agrees(written(tmp_path, "\n".join(elements)))


@pytest.mark.parametrize("phases", [("1", "2"), ("2", "3"), ("3", "1")])
def test_an_open_wye_open_delta_bank_feeds_three_phases_from_two(tmp_path: Path, phases: tuple[str, str]) -> None:
    one, other = phases
    common = "phases=1 kvs=(7.2 4.16) kvas=(1000 1000) xhl=4 conns=(wye delta)"
    assert_agrees(
        written(
            tmp_path,
            f"new transformer.t1 {common} buses=(s.{one} n.1.2)\nnew transformer.t2 {common} buses=(s.{other} n.2.3)\n"
            "new load.l bus1=n kv=4.16 kw=700 pf=0.9 conn=delta vminpu=0.7",
        )
    )


def test_the_solution_is_that_of_opendss() -> None:
    master = DATA / "regulated.dss"
    solved = load_solved(master)
    engine = dss.DSS.NewContext()
    engine.AllowChangeDir = False
    engine.Text.Command = f'compile "{master}"'
    engine.Text.Commands("set tolerance=1e-10\nset controlmode=off\nsolve")
    magnitude = dict(zip(engine.ActiveCircuit.AllNodeNames, engine.ActiveCircuit.AllBusVmagPu, strict=True))
    nodes, buses = solved.network.nodes, solved.network.buses
    for n, voltage in enumerate(solved.voltage_pu):
        assert abs(voltage) == pytest.approx(magnitude[f"{buses.ids[nodes.bus[n]]}.{nodes.terminal[n] + 1}"], abs=1e-8)


def test_services_below_a_centre_tap_have_legs_as_far_as_lines_go() -> None:
    network = load(DATA / "splitphase.dss")
    for name in ("h1", "s1"):
        assert bus(network, name) == [Terminal.S1, Terminal.S2]
    assert bus(network, "b1") == [Terminal.C]
    assert network.buses.phase_v[network.buses.ids.index("s1")] == pytest.approx(120, rel=1e-2)


def test_neutrals_are_nodes_and_further_conductors_stand_at_a_bus_of_their_own() -> None:
    network = load(DATA / "neutral.dss")
    assert bus(network, "p2") == [Terminal.A, Terminal.B, Terminal.C, Terminal.N]
    assert bus(network, "p2.5") == [Terminal.N]
    assert bus(network, "c1") == [Terminal.N, Terminal.S1, Terminal.S2]


def test_buses_without_voltage_take_their_nominal_one_along_lines() -> None:
    network = load(DATA / "splitphase.dss")
    volts = dict(zip(network.buses.ids, network.buses.phase_v, strict=True))
    assert volts["a7"] == volts["a6"]


def test_taps_are_as_solved() -> None:
    master = DATA / "regulated.dss"
    moved = load(master).transformers
    chosen = [moved.ids.index(f"reg1{phase}") for phase in "abc"]
    assert (moved.tap_winding[chosen] == 1).all()
    assert moved.tap[chosen].all()
    assert (moved.tap_max[chosen] == 16).all()
    np.testing.assert_allclose(moved.tap_step_pct[chosen], 0.625)
    assert moved.tap_winding[moved.ids.index("subxf")] == -1


def test_without_solving_taps_are_as_the_files_leave_them(tmp_path: Path) -> None:
    master = tmp_path / "master.dss"
    text = (DATA / "regulated.dss").read_text().replace("\nsolve", "")
    master.write_text(text)
    assert not load(master, solve=False).transformers.tap.any()


def test_a_tap_between_steps_stays_there() -> None:
    transformers = load(DATA / "splitphase.dss").transformers
    row = transformers.ids.index("vreg")
    ratio = transformers.fixed_tap_pu[row, 1] + transformers.tap[row] * transformers.tap_step_pct[row] / 100
    assert ratio == pytest.approx(1.0123 + 0.00625 * round((ratio - 1.0123) / 0.00625), abs=1e-12)


def test_regulators_say_what_they_look_at() -> None:
    network = load(DATA / "splitphase.dss")
    regulators, transformers = network.regulators, network.transformers
    ltc, remote = regulators.ids.index("ltc"), regulators.ids.index("vreg")
    assert transformers.ids[regulators.transformer[ltc]] == "sub"
    assert (regulators.set_v[ltc], regulators.band_v[ltc], regulators.pt_ratio[ltc]) == (124, 2, 60)
    assert regulators.drop_v[ltc] == 1 + 3j
    assert regulators.ct_primary_a[ltc] == 700
    np.testing.assert_array_equal(regulators.node[ltc], transformers.node[regulators.transformer[ltc], 1, 0])
    measured = regulators.node[remote]
    assert network.buses.ids[network.nodes.bus[measured[0]]] == "a5"
    assert (network.nodes.terminal[measured[0]], measured[1]) == (Terminal.A, EARTH)


def test_capacitors_are_switched_step_by_step() -> None:
    network = load(DATA / "splitphase.dss")
    steps = {name: bool(live) for name, live in zip(network.shunts.ids, network.shunts.in_service, strict=True)}
    assert (steps["c2.1"], steps["c2.2"], steps["c2.3"]) == (True, False, True)
    controls = network.capacitor_controls
    by_var, by_voltage = controls.ids.index("c1"), controls.ids.index("c3")
    assert network.shunts.ids[controls.shunt[by_var]] == "c1"
    assert network.lines.ids[controls.line[by_var]] == "f3"
    assert (controls.on_at[by_var], controls.off_at[by_var]) == (150e3, -225e3)
    assert (controls.voltage_min_v[by_var], controls.voltage_max_v[by_var]) == (115, 128)
    assert (controls.on_at[by_voltage], controls.off_at[by_voltage]) == (119, 126)
    assert not np.isfinite(controls.voltage_max_v[by_voltage])
    assert network.nodes.terminal[controls.node[by_voltage, 0]] == Terminal.B


def test_switches_are_lines_that_open_at_one_end() -> None:
    network = load(DATA / "splitphase.dss")
    switches = network.switches
    closed = dict(zip(switches.ids, (bool(c) for c in switches.closed), strict=True))
    assert closed == {"sw1": True, "sw2": False, "sw3": True, "sw3.2": False, "lat1": True}
    assert set(switches.kind) == {SwitchKind.LINE}
    row = switches.ids.index("sw3.2")
    assert network.buses.ids[switches.bus[row]] == "a7"
    assert network.lines.ids[switches.element[row]] == "sw3"


def test_disabled_elements_are_out_of_service_or_nowhere() -> None:
    network = load(DATA / "splitphase.dss")
    assert not network.lines.in_service[network.lines.ids.index("dead")]
    assert not network.loads.in_service[network.loads.ids.index("off")]
    assert "elsewhere" not in network.lines.ids


def test_loads_follow_the_multiplier_unless_they_are_fixed() -> None:
    loads = load(DATA / "splitphase.dss").loads
    power = dict(zip(loads.ids, loads.power_va.sum(axis=1).real, strict=True))
    assert power["m1"] == pytest.approx(990e3)
    assert power["m5"] == pytest.approx(400e3)


def test_units_inject_what_the_solution_has() -> None:
    units = load(DATA / "splitphase.dss").units
    power = dict(zip(units.ids, units.power_va, strict=True))
    assert power["chp"].real == pytest.approx(500e3)
    assert power["bat"].real == pytest.approx(-4e3, rel=1e-6)
    assert units.energy_wh[units.ids.index("bat")] == 13500
    assert units.rated_va[units.ids.index("pv1")] == 8000


def test_ratings_come_along() -> None:
    network = load(DATA / "splitphase.dss")
    line, service = network.lines.ids.index("f1"), network.transformers.ids.index("h1")
    assert (network.lines.ratings.normal[line], network.lines.ratings.emergency[line]) == (600, 700)
    assert (network.transformers.ratings.normal[service], network.transformers.ratings.emergency[service]) == (
        27e3,
        37e3,
    )


LAWS = (
    "model=1 vminpu=0.3",
    "model=1 vminpu=0.95 vlowpu=0.7",
    "model=3",
    "model=4 cvrwatts=0.7 cvrvars=2.5",
    "model=5 vminpu=0.6",
    "model=8 zipv=[0.1 0.3 0.6 0.5 0.3 0.2 0]",
)
LAWS_ABOVE_LOW = ("model=6 status=fixed", "model=7", "model=8 vminpu=0.7 zipv=[0.1 0.3 0.6 0.5 0.3 0.2 0.9]")


@pytest.mark.parametrize(
    ("source_pu", "law"),
    [*product((0.4, 0.8, 1.0, 1.1), LAWS), *product((0.8, 1.0, 1.1), LAWS_ABOVE_LOW)],
)
def test_loads_follow_their_law_in_and_out_of_their_band(tmp_path: Path, source_pu: float, law: str) -> None:
    elements = (
        f"edit vsource.source pu={source_pu}\nnew line.l bus1=s bus2=b r1=1 x1=2 r0=2 x0=5 length=1 c1=0 c0=0\n"
        f"new load.l bus1=b kv=12.47 kw=700 kvar=300 {law}"
    )
    assert_agrees(written(tmp_path, elements))


def test_the_end_of_a_single_open_phase_hangs_free() -> None:
    network = load(DATA / "shapes.dss")
    assert bus(network, "m5.broken") == [Terminal.C]


def test_names_that_two_classes_use_have_their_class_in_front(tmp_path: Path) -> None:
    network = load(
        written(tmp_path, "new line.x bus1=s bus2=b\nnew load.x bus1=b kv=12.47 kw=10\nnew load.y bus1=b kv=12.47 kw=1")
    )
    assert (network.lines.ids, network.loads.ids) == (("line.x",), ("load.x", "y"))


def test_files_without_voltage_bases_get_those_of_their_transformers(tmp_path: Path) -> None:
    master = tmp_path / "master.dss"
    master.write_text(
        "new circuit.c basekv=34.5 bus1=s\nnew transformer.t buses=(s b) kvs=(34.5 9.87) kvas=(100 100)\n"
        "new load.l bus1=b kv=9.87 kw=50\nsolve"
    )
    buses = load(master).buses
    np.testing.assert_allclose(buses.phase_v * np.sqrt(3), [34500, 9870], rtol=1e-6)


def test_inverters_bring_their_curves(tmp_path: Path) -> None:
    network = load(
        written(
            tmp_path,
            "new line.l bus1=s bus2=b r1=1 x1=3 r0=2 x0=6 length=1\n"
            "new pvsystem.p bus1=b kv=12.47 pmpp=900 kva=1000 kvarmax=440\n"
            "new xycurve.vv npts=4 xarray=[0.92 0.98 1.02 1.08] yarray=[1 0 0 -1]\n"
            "new xycurve.vw npts=2 xarray=[1.06 1.1] yarray=[1 0.2]\n"
            "new invcontrol.i mode=voltvar vvc_curve1=vv derlist=(pvsystem.p) refreactivepower=varmax\n"
            "new invcontrol.w mode=voltwatt voltwatt_curve=vw derlist=(pvsystem.p)",
        )
    )
    units = network.units
    np.testing.assert_allclose(network.curves[units.volt_var[0]].y, [0.44, 0, 0, -0.44])
    np.testing.assert_allclose(network.curves[units.volt_watt[0]].y, [0.9, 0.18])


REFUSED = {
    "isource i": "new isource.i bus1=s amps=10",
    "upfc u": "new upfc.u bus1=s bus2=b refkv=7.2 phases=1",
    "load z: cvrcurve": "new loadshape.k npts=2 interval=1 mult=(1 1)\n"
    "new load.z bus1=s kv=12.47 kw=10 model=4 cvrcurve=k",
    "load f: nothing but loads": "new load.f bus1=s.1.2.3.4 kv=12.47 kw=10",
    "generator g: its current": "new load.u phases=1 bus1=s.1 kv=7.2 kw=900\n"
    "new generator.g bus1=s kv=12.47 kw=10 model=2\nedit vsource.source mvasc3=10 mvasc1=10",
    "vsource v": "new vsource.v bus1=s bus2=b basekv=1",
    "capcontrol c: control by time": "new line.l bus1=s bus2=b\nnew capacitor.c bus1=b kv=12.47 kvar=10\n"
    "new capcontrol.c capacitor=c element=line.l type=time onsetting=9 offsetting=17",
    "regcontrol r: reversible": "new transformer.t buses=(s b) kvs=(12.47 4.16)\n"
    "new regcontrol.r transformer=t winding=2 vreg=120 band=3 ptratio=20 reversible=yes",
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_has_no_words_in_the_model_is_refused_by_name(tmp_path: Path, fault: str) -> None:
    with pytest.raises(NetworkError) as raised:
        load(written(tmp_path, REFUSED[fault]), hold=False)
    assert any(said.startswith(fault) for said in raised.value.faults)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    elements = "\n".join((REFUSED["load z: cvrcurve"], REFUSED["load f: nothing but loads"]))
    with pytest.raises(NetworkError) as raised:
        load(written(tmp_path, elements))
    assert len(raised.value.faults) == 2


def test_controllers_without_words_may_be_held(tmp_path: Path) -> None:
    network = load(written(tmp_path, REFUSED["regcontrol r: reversible"]))
    assert not network.regulators.in_service.any()


def test_a_file_that_opendss_refuses_is_refused_in_its_words(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="OpenDSS"):
        load(written(tmp_path, "new line.l bus1=s bus2=b linecode=nowhere"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match="no file"):
        load(tmp_path / "nothing.dss")


def test_without_the_extra_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dss", None)
    with pytest.raises(NetworkError, match="dss-python"):
        load(written(tmp_path, ""))


def test_the_working_directory_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    load(DATA / "regulated.dss")
    assert Path.cwd() == tmp_path


def test_reports_that_files_ask_for_are_written_nowhere(tmp_path: Path) -> None:
    master = written(tmp_path, "new load.l bus1=s kv=12.47 kw=10")
    master.write_text(master.read_text() + "\nshow voltages\nexport voltages\n")
    load(master)
    assert list(tmp_path.iterdir()) == [master]


def test_a_solve_of_the_files_own_may_leave_controllers_unsettled(tmp_path: Path) -> None:
    network = load(
        written(
            tmp_path,
            "new transformer.t buses=(s b) kvs=(12.47 4.16) kvas=(5e3 5e3) xhl=2\n"
            "new regcontrol.r transformer=t winding=2 vreg=126 band=1 ptratio=20 maxtapchange=1\nset maxcontroliter=1",
        )
    )
    assert network.transformers.tap[0] == 8


def test_loads_may_be_told_by_what_was_allocated_or_metered(tmp_path: Path) -> None:
    assert_agrees(
        written(
            tmp_path,
            "new line.l bus1=s bus2=b r1=1 x1=3 r0=2 x0=6 length=1\n"
            "new load.l bus1=b kv=12.47 xfkva=1000 allocationfactor=0.6 pf=0.8\n"
            "new load.m bus1=b kv=12.47 kwh=200000 kwhdays=30 cfactor=3 pf=0.95",
        )
    )


def test_the_version_tells_what_the_file_redirects_to(tmp_path: Path) -> None:
    part = tmp_path / "part.dss"
    versions = []
    for kw in (10, 20):
        part.write_text(f"new load.l bus1=s kv=12.47 kw={kw}")
        versions += [load(written(tmp_path, "redirect part.dss")).version for _ in range(2)]
    assert versions[0] == versions[1] != versions[2] == versions[3]


def test_a_generator_that_holds_voltage_injects_what_balances_its_bus(tmp_path: Path) -> None:
    master = written(
        tmp_path,
        "new line.l bus1=s bus2=b r1=1 x1=3 r0=2 x0=6 length=1\nnew load.l bus1=b kv=12.47 kw=900 pf=0.9\n"
        "new generator.g bus1=b kv=12.47 kw=500 model=3 vpu=1.0 maxkvar=900 minkvar=-900 kva=1000",
    )
    solved = load_solved(master)
    assert solved.network.units.power_va[0].real == pytest.approx(500e3, rel=1e-6)
    assert np.abs(voltages(solved.network) - solved.voltage_pu).max() < 1e-5
