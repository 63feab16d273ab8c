"""Names are read from a pandapower file without pandapower."""

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from config.network_names import NetworkSourceError, read_network_names

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


def test_a_name_twice_is_told(tmp_path):
    tables = {"bus": {"_object": json.dumps({"columns": ["name"], "data": [["X"], ["X"], [None]]})}}
    (tmp_path / "net.json").write_text(json.dumps({"_object": tables}))
    names = read_network_names(tmp_path / "net.json")
    assert names.buses == names.repeated == {"X"}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"_object": {}}', '{"_object": {"bus": 1}}', "\x00", "[" * 100_000])
def test_any_other_file_is_refused(tmp_path, text):
    (tmp_path / "net.json").write_text(text)
    with pytest.raises(NetworkSourceError, match="is not a pandapower JSON network"):
        read_network_names(tmp_path / "net.json")


def test_checking_a_zone_loads_no_solver():
    code = "import sys, gateway.commands.check; print({'pandapower', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"
