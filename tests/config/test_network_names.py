"""Names are read from a pandapower file without pandapower."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from config.day_names import DaySourceError, read_day_names
from config.network_names import NetworkSourceError, read_network_names
from grid_engine.exporters import day as day_file
from grid_engine.exporters import json as network_file
from grid_engine.feeders.maple.network import build
from grid_engine.feeders.maple.profiles import build_day

R1 = Path(str(files("config.zones"))) / "networks" / "r1.json"


def test_the_names_of_r1():
    names = read_network_names(R1)
    assert names.buses == {"B0", "B1", "B2", "B3", "B4", "B5", "B6", "B7"}
    assert names.lines == {"L11", "L12", "L13", "L21", "L22", "L31", "LT"}
    assert names.transformers == {"T1", "T2"}
    assert names.by_kind["switch"] == {"SW12", "SWT"}
    assert names.by_kind["load"] == {"LD_B2", "LD_B3", "LD_B4", "LD_B5", "LD_B6", "LD_B7"}
    assert {"C1", "TD1"} <= names.elements
    assert names.assets == names.buses | names.lines | names.transformers
    assert names.repeated == frozenset()


def test_the_names_of_a_network_of_our_own(tmp_path):
    network_file.write(build(), tmp_path / "maple.json.gz")
    network_file.write(build(), tmp_path / "maple.json")
    for name in ("maple.json.gz", "maple.json"):
        names = read_network_names(tmp_path / name)
        assert {"HV", "F1-08R", "FARM1S"} <= names.buses
        assert {"T1", "VR1A", "TX-FARM1"} <= names.transformers
        assert {"L-TIE", "L-F1-03A1"} <= names.lines
        assert names.by_kind["switch"] == {"SW-F1", "SW-F1M", "SW-F2", "SW-F2M", "SW-TIE"}
        assert names.by_kind["shunt"] == {"CAP1", "CAP2"}
        assert any(unit.endswith("-PV") for unit in names.by_kind["unit"])
        assert names.terminals["F1-08R"] == {"a", "b", "c"}
        assert names.terminals["FARM1S"] == {"s1", "s2"}
        assert names.repeated == frozenset()


@pytest.mark.parametrize(
    "document",
    [
        {"format": "ampacity-network"},
        {"format": "ampacity-network", "buses": [{"id": "B"}]},
        {"format": "ampacity-network", "buses": [{"id": "B", "terminals": 3}]},
        {"format": "ampacity-network", "buses": {"id": "B"}},
    ],
)
def test_a_network_of_our_own_that_is_none_is_refused(tmp_path, document):
    (tmp_path / "net.json").write_text(json.dumps(document))
    with pytest.raises(NetworkSourceError, match="is no network in Ampacity's"):
        read_network_names(tmp_path / "net.json")


def test_the_names_of_a_day(tmp_path):
    day_file.write(build_day(), tmp_path / "day.json.gz")
    names = read_day_names(tmp_path / "day.json.gz")
    assert names.members == set(build_day().ids)
    assert {"house", "sun"} <= names.kinds
    (tmp_path / "day.json").write_text('{"format": "else", "members": [], "kinds": {}}')
    with pytest.raises(DaySourceError, match="is not a day of customers, but 'else'"):
        read_day_names(tmp_path / "day.json")
    (tmp_path / "day.json").write_text('{"format": "ampacity-network"}')
    with pytest.raises(DaySourceError, match="is not a day of customers"):
        read_day_names(tmp_path / "day.json")
    with pytest.raises(DaySourceError, match="cannot be read"):
        read_day_names(tmp_path / "none.json")


def test_a_name_twice_is_told(tmp_path):
    tables = {"bus": {"_object": json.dumps({"columns": ["name"], "data": [["X"], ["X"], [None]]})}}
    (tmp_path / "net.json").write_text(json.dumps({"_object": tables}))
    names = read_network_names(tmp_path / "net.json")
    assert names.buses == names.repeated == {"X"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"_object": {}}', '{"_object": {"bus": 1}}', "\x00", "[" * 100_000])
def test_any_other_file_is_refused(tmp_path, text):
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(NetworkSourceError, match="is no network in Ampacity's or in pandapower's JSON format"):
        read_network_names(tmp_path / "net.json")


def test_checking_a_zone_loads_no_solver():
    code = "import sys, gateway.commands.check; print({'pandapower', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
