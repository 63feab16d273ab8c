"""Point maps: the example in the help, CSV, and faults told with their place."""

import pytest

from dnp3_sim.__main__ import _EPILOG, main
from dnp3_sim.pointmap import MapError, find, load
from protocols.dnp3.layouts import Kind
from protocols.dnp3.plan import outputs as named_outputs
from protocols.dnp3.plan import place_of
from protocols.dnp3.profile import der_inputs, der_points
from protocols.points import Quantity

EXAMPLE = _EPILOG.split("complete:")[1].split("kinds:")[0]


@pytest.fixture
def example(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(EXAMPLE)
    (tmp_path / "more_points.csv").write_text(
        "kind,index,name,value,class,deadband\ncounters,0,kWh,12,3,\nbinary_inputs,4,door,1,1,\n"
    )
    return path


def test_the_example_of_the_help_loads(example):
    found = load(example)
    assert found.outstation.unsolicited
    assert {(p.config.kind, p.config.index) for p in found.points} >= {
        (Kind.ANALOG_INPUT, 0),
        (Kind.BINARY_OUTPUT, 17),
        (Kind.COUNTER, 0),
        (Kind.BINARY_INPUT, 4),
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("analog_input: []", "unknown analog_input"),
        ("analog_inputs: [{name: x}]", "analog_inputs[0]: index is missing"),
        ("analog_inputs: [{index: 1}, {index: 1}]", "given twice"),
        ("analog_inputs: [{index: 1, class: 7}]", "analog_inputs[0]"),
        ("analog_inputs: [{index: 1, variation: 9}]", "no variation 9"),
        ("analog_inputs: [{index: 1, vlaue: 9}]", "unknown vlaue"),
        ("outstation: {lokal: 3}", "unknown lokal"),
        ("listen: {port: x}", "invalid literal"),
        ("csv: [missing.csv]", "missing.csv"),
        ("[1]", "expected keys and values"),
        ("a: [", "map.yaml"),
    ],
)
def test_faults_are_told_with_their_place(tmp_path, text, expected):
    path = tmp_path / "map.yaml"
    path.write_text(text)
    with pytest.raises(MapError) as caught:
        load(path)
    assert expected in str(caught.value)


def test_a_wrong_row_of_a_table_is_told_with_its_line(tmp_path):
    (tmp_path / "p.csv").write_text("kind,index\nanalog_inputs,1\nlamps,2\n")
    path = tmp_path / "map.yaml"
    path.write_text("csv: [p.csv]")
    with pytest.raises(MapError, match=r"p\.csv:3: kind must be one of"):
        load(path)


def test_the_command_checks_a_map(example, tmp_path, capsys):
    assert main([str(example), "--check"]) == 0
    assert "7 points" in capsys.readouterr().out
    assert main([str(tmp_path / "none.yaml"), "--check"]) == 2
    assert "none.yaml" in capsys.readouterr().err


def test_the_help_shows_a_whole_map(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert "a map, complete:" in capsys.readouterr().out


def test_the_map_of_a_der_comes_with_the_simulator_and_shows_every_output_on_an_input():
    found = load(find("der"))
    places = {(p.config.kind, p.config.index) for p in found.points}
    shown = {Kind.ANALOG_OUTPUT: Kind.ANALOG_INPUT, Kind.BINARY_OUTPUT: Kind.BINARY_INPUT}
    outputs = [p for p in found.points if p.config.kind in shown]
    assert len(outputs) > 90
    for output in outputs:
        (mirror,) = output.mirrors
        assert (shown[output.config.kind], mirror) in places
        assert not output.config.in_class_0
    needed = der_points("A", 1.0, -1.0)
    assert {(k, i) for k, i in map(place_of, named_outputs(needed).values())} <= places
    assert {(i.kind, i.index) for i in der_inputs("A", frozenset(Quantity))} <= places
    assert main(["der", "--check"]) == 0
