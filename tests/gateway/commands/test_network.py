"""`ampacity network`: faults and differences for people, exit codes for scripts, and files of other formats."""

import json
from argparse import ArgumentParser
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.commands import network
from grid_engine import feeders
from grid_engine.exporters.json import write
from grid_engine.importers.any import load

R1 = Path(str(files("config.zones"))) / "networks" / "r1.json"


@pytest.fixture
def command(capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        parser = ArgumentParser()
        network.add_arguments(parser)
        code = network.run(parser.parse_args([str(argument) for argument in arguments]))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_good_network_is_summarised(command):
    code, out, err = command(R1, "--version", "r1-1")
    assert (code, err) == (0, "")
    assert "is good: version r1-1, 60 Hz" in out
    assert [line.split() for line in out.splitlines()[1:3]] == [["buses", "8", "with", "24", "nodes"], ["lines", "7"]]


def test_every_fault_of_a_bad_network_is_listed(command, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps({"format": "ampacity-network", "format_version": 1, "lines": [{}]}))
    code, out, err = command(path)
    assert (code, out) == (1, "")
    assert "lines entry 0: must be an object with an id" in err
    assert err.endswith("bad.json: 2 faults\n")


def test_networks_are_compared(command, tmp_path):
    feeder = feeders.load("ieee13")
    own = feeder.transformers
    moved = replace(own, tap=own.tap - (own.tap_winding >= 0))
    write(replace(feeder, version="b", transformers=moved), tmp_path / "b.json")
    write(feeder, tmp_path / "a.json.gz")
    code, out, _ = command(tmp_path / "b.json", "--since", tmp_path / "a.json.gz")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()] == [
        "transformer reg1",
        "transformer reg2",
        "transformer reg3",
    ]
    assert "transformer reg1: tap 9 -> 8" in out


@pytest.mark.parametrize("name", ["r1.json", "r1.json.gz", "r1.dss"])
def test_a_network_is_written_in_the_format_of_its_name(command, tmp_path, name):
    assert command(R1, "--write", tmp_path / name)[0] == 0
    if not name.endswith("dss"):
        assert load(tmp_path / name).sequence_transformers.ids == ("T1", "T2")
    else:
        assert "New Line.l12" in (tmp_path / name).read_text()


def test_pandapower_gets_what_it_can_take_and_the_rest_is_refused(command, tmp_path):
    assert command(R1, "--write", tmp_path / "r1.json", "--pandapower")[0] == 0
    assert load(tmp_path / "r1.json").lines.ids == load(R1).lines.ids
    write(feeders.load("ieee13"), tmp_path / "ieee13.json")
    code, _, err = command(tmp_path / "ieee13.json", "--write", tmp_path / "out.json", "--pandapower")
    assert code == 1
    assert "regulator reg1: pandapower has none like it" in err


def test_the_schema_is_printed(command):
    code, out, _ = command("--schema")
    assert (code, json.loads(out)["title"]) == (0, "ampacity-network")


def test_nothing_to_do_is_said(command):
    code, out, err = command()
    assert (code, out) == (2, "")
    assert "name a network file" in err


def test_gis_places_go_into_the_network_file(command, tmp_path):
    gis = tmp_path / "gis.csv"
    gis.write_text("id,kind,x,y,from,to\n" + "".join(f"B{n},bus,{n},{n},,\n" for n in range(8)) + "L12,line,,,B2,B3\n")
    assert command("--gis", gis) == (0, f"{gis} is good: 9 assets\n", "")
    code, out, err = command(R1, "--gis", gis, "--write", tmp_path / "placed.json")
    assert (code, err) == (0, "")
    assert "places                      8 of 8 buses, from 9 assets" in out
    assert load(tmp_path / "placed.json").buses.position[3].tolist() == [3.0, 3.0]
    gis.write_text("id,kind,x,y,from,to\nB1,bus,1,1,,\nL1,line,,,B1,B9\n")
    code, out, err = command(R1, "--gis", gis)
    assert (code, out) == (1, "")
    assert err == f"line 3: L1 ends at B9, which is not in the file\n{gis}: 1 fault\n"
