"""Every fault of a network is found, all at once and by name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandapower as pp
import pytest

from grid_engine.importers.pandapower import convert, load
from grid_engine.model import NetworkError
from tests.grid_engine.r1 import build, row


def put(table: str, name: str, column: str, value: Any) -> Callable[[Any], None]:
    def change(net: Any) -> None:
        net[table].at[row(net, table, name), column] = value

    return change


def lonely_bus(net: Any) -> None:
    pp.create_bus(net, 13.8, name="B9")


def resource(net: Any) -> None:
    pp.create_sgen(net, 3, p_mw=1.0, name="A")


def twin(net: Any) -> None:
    pp.create_load(net, 3, p_mw=1.0, name="LD_B2")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (put("line", "L13", "length_km", 0.0), "line L13: no impedance"),
        (put("line", "L13", "r_ohm_per_km", float("nan")), "line L13: not a number"),
        (put("line", "L13", "max_i_ka", -0.1), "line L13: rating not positive"),
        (put("line", "L13", "to_bus", 0), "line L13: joins two voltage levels"),
        (put("line", "L13", "to_bus", 77), "line L13: connected to a bus that is not in the model"),
        (put("trafo", "T2", "tap_pos", 11), "transformer T2: tap position out of its range"),
        (put("trafo", "T2", "mag0_percent", 0.0), "transformer T2: no impedance"),
        (put("trafo", "T2", "vector_group", "Yy"), "vector group Yy not modelled"),
        (put("load", "LD_B5", "p_mw", float("nan")), "load LD_B5: not a number"),
        (lonely_bus, "bus B9: not connected to the source even with every switch closed"),
        (resource, "sgen A: a DER belongs to the zone's devices"),
        (twin, "load 'LD_B2': 2 of that name"),
    ],
)
def test_faulty_network_is_refused_with_the_fault(change: Callable[[Any], None], fault: str) -> None:
    net = build()
    change(net)
    with pytest.raises(NetworkError) as caught:
        convert(net, "test")
    assert any(fault in found for found in caught.value.faults), caught.value.faults


def test_all_faults_are_told_at_once() -> None:
    net = build()
    for change in (put("line", "L13", "length_km", 0.0), put("line", "L21", "max_i_ka", 0.0), lonely_bus):
        change(net)
    with pytest.raises(NetworkError) as caught:
        convert(net, "test")
    assert len(caught.value.faults) == 3


def test_file_is_read_under_its_own_digest(tmp_path: Path) -> None:
    path = tmp_path / "r1.json"
    pp.to_json(build(), str(path))
    network = load(path)
    assert network.buses.ids == ("B0", "B1", "B2", "B3", "B4", "B5", "B6", "B7")
    assert network.sources.ids == ("TD1",)
    assert len(network.version) == 12
    assert load(path, "r1-1").version == "r1-1"
