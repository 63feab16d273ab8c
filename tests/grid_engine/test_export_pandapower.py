"""What pandapower can say comes back the same; what it cannot is refused by name."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandapower as pp
import pytest

from grid_engine.exporters.pandapower import convert, write
from grid_engine.importers import pandapower
from grid_engine.model import ABSENT, EARTH, Network, NetworkError, Units
from tests.grid_engine.r1 import build
from tests.grid_engine.same import differences
from tests.grid_engine.small import small

R1 = pandapower.convert(build(), "r1")


def close(one: Network, other: Network) -> list[str]:
    """Differences beyond rounding; of positive-sequence admittance, an ideal source has as much as it likes."""
    found = []
    for told in differences(one, other):
        *_, column = path = told.partition(":")[0].split(".")[1:]
        a, b = (np.asarray(reduce(getattr, path, network)) for network in (one, other))
        if a.shape != b.shape or not np.allclose(a, b, rtol=1e-9, atol=0 if column != "admittance_s" else 1e-3):
            found.append(told)
    return found


def put(table: str, **columns: Any) -> Network:
    return replace(R1, **{table: replace(getattr(R1, table), **columns)})


def test_r1_comes_back_the_same(tmp_path: Path) -> None:
    write(R1, tmp_path / "r1.json")
    assert close(R1, pandapower.load(tmp_path / "r1.json", "r1")) == []


def test_laws_connections_and_places_come_back_the_same() -> None:
    net = build()
    pp.create_load(net, 3, 0.3, 0.03, name="Z", const_z_p_percent=20, const_i_q_percent=30, type="delta")
    pp.create_asymmetric_load(net, 2, p_a_mw=0.3, p_b_mw=0.2, q_c_mvar=0.1, name="uneven", type="delta")
    pp.create_asymmetric_load(net, 4, p_b_mw=0.2, name="single", in_service=False)
    pp.create_switch(net, 0, 1, et="t", name="ST2", closed=False)
    pp.create_ext_grid(net, 5, name="TD2", va_degree=12.0)
    net.trafo["vector_group"], net.trafo["shift_degree"] = "Dyn", 30.0
    net.trafo["tap_side"], net.trafo["df"] = "lv", 0.9
    net.bus.loc[1, "geo"] = '{"coordinates": [1.5, -2.0], "type": "Point"}'
    net.bus["max_vm_pu"] = 1.06
    network = pandapower.convert(net, "r1")
    assert close(network, pandapower.convert(convert(network), "r1")) == []


def test_unit_becomes_a_static_generator() -> None:
    node = np.array([[[6, EARTH], [7, EARTH], [8, EARTH]], [[9, EARTH], [ABSENT] * 2, [ABSENT] * 2]])
    two = np.ones(2)
    units = Units(
        ("three", "one"), node, 9e5 * two + 0j, 1e6 * two, 0 * two, two, -two.astype(int), -two.astype(int), two > 0
    )
    net = convert(replace(R1, units=units))
    assert net.sgen.p_mw.tolist() == pytest.approx([0.9])
    assert net.asymmetric_sgen[["p_a_mw", "p_b_mw"]].to_numpy().tolist() == pytest.approx(np.array([[0.9, 0.0]]))


def test_every_element_without_a_counterpart_is_named() -> None:
    with pytest.raises(NetworkError) as caught:
        convert(small())
    for name in ("transformer ra", "regulator cb", "capacitor control cc1", "bus mid", "bus house"):
        assert any(fault.startswith(name) for fault in caught.value.faults), name


def unlike(matrix: np.ndarray) -> np.ndarray:
    return matrix * np.diag([1.0, 1.0, 1.1])


@pytest.mark.parametrize(
    ("network", "fault"),
    [
        (put("lines", impedance_ohm=unlike(R1.lines.impedance_ohm)), "line L11: its phases are not alike"),
        (put("lines", to_node=R1.lines.to_node[:, [1, 0, 2]]), "line L11: does not stand at phases a, b and c"),
        (put("sources", admittance_s=np.eye(3)[None] * 0.1j), "source TD1: its voltage gives way"),
        (put("sources", angle_deg=np.array([[0.0, 0.0, 0.0]])), "source TD1: its phases are not 120"),
        (put("shunts", admittance_s=unlike(R1.shunts.admittance_s)), "shunt C1: is not alike in all phases"),
        (put("loads", band_pu=np.tile([0.95, 1.05], (6, 1))), "load LD_B2: has an exponent or a band"),
        (put("loads", node=R1.loads.node[:, :, [0, 0]]), "load LD_B2: is neither a wye to earth nor a delta"),
    ],
)
def test_what_pandapower_cannot_say_is_refused_by_name(network: Network, fault: str) -> None:
    with pytest.raises(NetworkError) as caught:
        convert(network)
    assert any(found.startswith(fault) for found in caught.value.faults), caught.value.faults


def test_uneven_load_that_depends_on_voltage_is_refused() -> None:
    power = R1.loads.power_va.copy()
    power[0, 0] = 0
    with pytest.raises(NetworkError, match="load LD_B2: is uneven and depends on voltage"):
        convert(put("loads", power_va=power, zip_p=np.tile([1.0, 0.0, 0.0], (6, 1))))


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda net: net.trafo.__setitem__("tap_step_degree", 2.0), "trafo T1: tap_step_degree 2 not modelled"),
        (lambda net: net.trafo.__setitem__("tap_changer_type", "Ideal"), "trafo T1: tap changer Ideal not modelled"),
        (lambda net: net.trafo.__setitem__("xn_ohm", 5.0), "trafo T1: xn_ohm 5 not modelled"),
    ],
)
def test_importer_refuses_tap_changers_that_it_would_misread(change: Callable[[Any], None], fault: str) -> None:
    net = build()
    change(net)
    with pytest.raises(NetworkError, match=fault):
        pandapower.convert(net, "r1")


def test_position_without_tap_changer_has_no_effect() -> None:
    net = build()
    net.trafo["tap_pos"], net.trafo["tap_changer_type"] = 3, None
    assert pandapower.convert(net, "r1").sequence_transformers.tap.tolist() == [0, 0]
