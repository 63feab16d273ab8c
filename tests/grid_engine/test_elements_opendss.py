"""Admittances of single elements against those of OpenDSS, entry by entry between nodes."""

from collections import defaultdict
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from grid_engine.elements.lines import line_primitives
from grid_engine.elements.primitive import Primitives
from grid_engine.elements.shunts import shunt_primitives
from grid_engine.elements.sources import source_primitives
from grid_engine.elements.windings import winding_primitives
from grid_engine.importers.opendss import load
from grid_engine.model import Network, Terminal

dss = pytest.importorskip("dss", reason="needs the extra opendss")

NUMBER = {Terminal.A: 1, Terminal.B: 2, Terminal.C: 3, Terminal.N: 4, Terminal.S1: 1, Terminal.S2: 2}
Entries = dict[tuple[str, str], complex]
"""Siemens by pair of nodes, each written bus.number."""


def built(network: Network, table: Primitives, element: int) -> Entries:
    names = [
        f"{network.buses.ids[bus]}.{NUMBER[Terminal(terminal)]}"
        for bus, terminal in zip(network.nodes.bus, network.nodes.terminal, strict=True)
    ]
    ends = [names[node] if node >= 0 else "" for node in table.node[element]]
    return summed(ends, table.admittance_s[element])


def of_opendss(text: str, element: str) -> Entries:
    engine = dss.DSS.NewContext()
    engine.Text.Commands(text)
    engine.Text.Commands("set controlmode=off\nsolve")
    engine.ActiveCircuit.SetActiveElement(element)
    active = engine.ActiveCircuit.ActiveCktElement
    ends = [
        f"{bus.split('.')[0]}.{number}" if number else ""
        for bus, numbers in zip(active.BusNames, np.split(active.NodeOrder, active.NumTerminals), strict=True)
        for number in numbers
    ]
    return summed(ends, np.asarray(active.Yprim).view(np.complex128).reshape(len(ends), len(ends), order="F"))


def summed(ends: list[str], matrix: np.ndarray) -> Entries:
    entries: Entries = defaultdict(complex)
    for (i, row), (j, column) in product(enumerate(ends), enumerate(ends)):
        if row and column:
            entries[row, column] += matrix[i, j]
    return entries


def assert_same(ours: Entries, theirs: Entries) -> None:
    """To 1e-9 of what stands on the diagonal."""
    assert any(theirs.values())
    for row, column in ours.keys() | theirs.keys():
        size = np.sqrt(abs(theirs[row, row] * theirs[column, column]))
        assert abs(ours[row, column] - theirs[row, column]) <= 1e-9 * size, (row, column)


def read(tmp_path: Path, elements: str, base_kv: float = 12.47) -> tuple[Network, str]:
    text = f"new circuit.c basekv={base_kv} bus1=s\n{elements}\nset voltagebases=[{base_kv}, 4.16, 0.208]\ncalcv\nsolve"
    master = tmp_path / "master.dss"
    master.write_text(text)
    return load(master), text


def check_transformer(tmp_path: Path, properties: str) -> None:
    """With resistors on its secondary, for OpenDSS solves no floating circuit."""
    network, text = read(
        tmp_path, f"new transformer.t {properties}\nnew reactor.r bus1=b r=1e4\nnew reactor.n bus1=b.4 phases=1 r=1e4"
    )
    ours = built(network, winding_primitives(network.transformers, network.transformers.tap), 0)
    for bank, name in enumerate(network.shunts.ids):
        if name.startswith("t."):
            for pair, admittance in built(network, shunt_primitives(network.shunts), bank).items():
                ours[pair] += admittance
    assert_same(ours, of_opendss(text, "transformer.t"))


CONNECTIONS = tuple(product(("wye", "delta"), ("wye", "delta"), (1, 2, 3)))
EXTRAS = (
    "",
    "leadlag=euro",
    "%imag=0.7 %noloadloss=0.3 taps=(1.05 0.94)",
    "ppm_antifloat=5 wdg=2 tap=1.1",
    "ppm_antifloat=0 %loadloss=1",
)


@pytest.mark.parametrize(("first", "second", "phases"), CONNECTIONS)
@pytest.mark.parametrize("extra", EXTRAS)
def test_transformers_of_two_windings(tmp_path: Path, first: str, second: str, phases: int, extra: str) -> None:
    nodes = {1: ".1.2", 2: ".1.2.3"}
    one, other = [nodes.get(phases, ".1.2.3.4" if kind == "wye" else ".1.2.3") for kind in (first, second)]
    shape = f"phases={phases} conns=({first} {second}) kvas=(3000 2000) xhl=5 %rs=(1 2)"
    check_transformer(tmp_path, f"{shape} buses=(s{one} b{other}) kvs=(12.47 4.16) {extra}")
    check_transformer(tmp_path, f"{shape} buses=(b{one} s{other}) kvs=(4.16 12.47) {extra}")


SHAPES = {
    "tertiary": "phases=3 windings=3 buses=(s b d) conns=(wye delta wye) kvs=(12.47 4.16 0.48) kvas=(3e3 2e3 1e3) "
    "xhl=5 xht=7 xlt=3 %rs=(1 2 0.4) %imag=0.5",
    "centre tap": "phases=1 windings=3 buses=(s.1.0 b.1.0 b.0.2) kvs=(7.2 0.12 0.12) kvas=(25 25 25) "
    "xhl=2.04 xht=2.1 xlt=1.36 %rs=(0.6 1.2 1.3) %imag=0.5 %noloadloss=0.2",
    "centre tap with neutral": "phases=1 windings=3 buses=(s.2.4 b.1.4 b.4.2) kvs=(7.2 0.12 0.12) kvas=(25 25 25) "
    "xhl=2.04 xht=2.1 xlt=1.36",
    "four windings": "phases=3 windings=4 buses=(s b d e) conns=(wye delta wye delta) kvs=(12.47 4.16 2.4 0.48) "
    "kvas=(3e3 2e3 1e3 500) xscarray=(5 7 9 4 6 3) %rs=(1 2 0.4 0.3) %imag=0.5",
    "impedance at the neutrals": "phases=3 buses=(s.1.2.3.4 b.1.2.3.4) conns=(wye wye) kvs=(12.47 4.16) kvas=(3e3 3e3) "
    "xhl=5 wdg=1 rneut=2 xneut=1 wdg=2 rneut=0",
    "booster": "phases=1 buses=(s.1.0 s.1.2) kvs=(7.2 0.72) kvas=(500 500) xhl=1 wdg=2 tap=1.025",
    "open delta": "phases=1 buses=(s.1.2 b.1.2) conns=(delta delta) kvs=(12.47 12.47) kvas=(2e3 2e3) xhl=0.01 "
    "%loadloss=0.01",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_transformers_of_other_shapes(tmp_path: Path, shape: str) -> None:
    check_transformer(tmp_path, SHAPES[shape])


AUTOTRANSFORMERS = {
    "one phase": "phases=1 buses=(s.1.0 b.1.0) kvs=(12.47 6)",
    "three phases": "phases=3 buses=(s b) kvs=(12.47 4.16) taps=(1.03 0.98)",
    "delta tertiary": "phases=3 windings=3 buses=(s b d) conns=(series wye delta) kvs=(12.47 4.16 2) "
    "kvas=(1e3 1e3 500) xht=20 xxt=15 %rs=(0.2 0.4 0.7)",
    "wye tertiary": "phases=3 windings=3 buses=(s b d) conns=(series wye wye) kvs=(12.47 4.16 2) kvas=(1e3 1e3 500) "
    "xht=20 xxt=15",
}


@pytest.mark.parametrize("leadlag", ["lag", "lead"])
@pytest.mark.parametrize("shape", AUTOTRANSFORMERS)
def test_autotransformers(tmp_path: Path, shape: str, leadlag: str) -> None:
    element = f"new autotrans.t {AUTOTRANSFORMERS[shape]} xhx=10 %imag=0.4 %noloadloss=0.1 leadlag={leadlag}"
    network, text = read(tmp_path, f"{element}\nnew reactor.r bus1=b r=1e4")
    ours = built(network, winding_primitives(network.transformers, network.transformers.tap), 0)
    assert_same(ours, of_opendss(text, "autotrans.t"))


def test_a_regulated_phase_is_only_another_order_of_coils(tmp_path: Path) -> None:
    network, text = read(
        tmp_path,
        "new transformer.t buses=(s b) conns=(delta wye) kvs=(12.47 4.16) kvas=(3e3 3e3) xhl=5\n"
        "new load.l bus1=b kv=4.16 kw=2000\n"
        "new regcontrol.r transformer=t winding=2 vreg=125 band=2 ptratio=20 ptphase=2",
    )
    assert network.transformers.tap[0] > 0
    settled = f"{text}\nset controlmode=static\nset maxcontroliter=100\nsolve"
    ours = built(network, winding_primitives(network.transformers, network.transformers.tap), 0)
    assert_same(ours, of_opendss(settled, "transformer.t"))


GEOMETRY = """
new wiredata.w gmr=0.0255 diam=0.741 rac=0.306 runits=mi radunits=in gmrunits=ft normamps=530
new wiredata.n gmr=0.00814 diam=0.563 rac=0.592 runits=mi radunits=in gmrunits=ft normamps=340
new linegeometry.g nconds=4 nphases={phases} reduce={reduce}
~ cond=1 wire=w x=-4 h=28 units=ft cond=2 wire=w x=-1.5 h=28 units=ft
~ cond=3 wire=w x=3 h=28 units=ft cond=4 wire=n x=0 h=24 units=ft
"""
CODE = "new linecode.c nphases=3 r1=0.1 x1=0.3 r0=0.4 x0=1.1 c1=12 c0=5 units=km\n"


@pytest.mark.parametrize(
    "elements",
    [
        "new line.l bus1=s.2 bus2=b.2 phases=1 r1=0.1 x1=0.3 r0=0.4 x0=1.1 c1=12 c0=5 length=2",
        "new line.l bus1=s.1.3 bus2=b.1.3 phases=2 rmatrix=[0.3|0.1 0.4] xmatrix=[0.9|0.3 1] cmatrix=[9|-3 8] length=3",
        CODE + "new line.l bus1=s bus2=b linecode=c length=1234 units=ft",
        GEOMETRY.format(phases=3, reduce="y") + "new line.l bus1=s bus2=b geometry=g length=700 units=m",
        GEOMETRY.format(phases=4, reduce="n") + "new line.l bus1=s.1.2.3.4 bus2=b.1.2.3.4 geometry=g length=2 units=mi",
        "new line.l bus1=s bus2=b switch=yes",
        CODE.replace("units", "basefreq=50 units") + "new line.l bus1=s bus2=b linecode=c length=2 units=km",
        "new reactor.l bus1=s bus2=b r=0.2 x=1.5",
        "new reactor.l bus1=s bus2=b z1=[0.1 1] z0=[0.3 2]",
        "new capacitor.l bus1=s bus2=b kv=12.47 kvar=40000",
    ],
    ids=["one", "two", "code", "geometry", "neutral", "switch", "50 Hz", "reactor", "sequences", "series capacitor"],
)
def test_lines_and_what_else_is_in_series(tmp_path: Path, elements: str) -> None:
    network, text = read(tmp_path, elements)
    kind = elements.splitlines()[-1].split()[1]
    assert_same(built(network, line_primitives(network.lines), 0), of_opendss(text, kind))


@pytest.mark.parametrize(
    "element",
    [
        "capacitor.x bus1=s kv=12.47 kvar=600",
        "capacitor.x bus1=s.3 phases=1 kv=7.2 kvar=100",
        "capacitor.x bus1=s.1.2 phases=2 kv=12.47 kvar=200",
        "capacitor.x bus1=s kv=12.47 kvar=600 conn=delta",
        "capacitor.x bus1=s.1.3 phases=1 kv=12.47 kvar=100 conn=delta",
        "capacitor.x bus1=s bus2=s.4.4.4 kv=12.47 kvar=600",
        "capacitor.x bus1=s kv=12.47 cuf=8",
        "capacitor.x bus1=s kv=12.47 kvar=600 r=1 xl=20",
        "capacitor.x bus1=s phases=2 cmatrix=[5 | -1 6]",
        "reactor.x bus1=s kv=12.47 kvar=600",
        "reactor.x bus1=s kv=12.47 kvar=600 conn=delta",
        "reactor.x bus1=s.1 phases=1 r=3 x=40",
        "reactor.x bus1=s r=3 x=40 parallel=yes",
    ],
)
def test_shunts(tmp_path: Path, element: str) -> None:
    network, text = read(tmp_path, f"new {element}")
    assert_same(built(network, shunt_primitives(network.shunts), 0), of_opendss(text, element.split(maxsplit=1)[0]))


@pytest.mark.parametrize(
    "properties",
    ["mvasc3=200 mvasc1=210", "r1=0.1 x1=1 r0=0.3 x0=2", "isc3=9000 isc1=8000", "z1=[0.1 1] z2=[0.2 0.8] z0=[1 3]"],
)
def test_sources(tmp_path: Path, properties: str) -> None:
    network, text = read(tmp_path, f"edit vsource.source {properties}")
    assert_same(built(network, source_primitives(network.sources), 0), of_opendss(text, "vsource.source"))


def test_a_source_of_one_phase(tmp_path: Path) -> None:
    network, text = read(tmp_path, "edit vsource.source phases=1 bus1=s.2 r1=0.1 x1=1 r0=0.3 x0=2", base_kv=7.2)
    assert_same(built(network, source_primitives(network.sources), 0), of_opendss(text, "vsource.source"))
