"""One zone file on another: mappings merge, the rest is replaced, `null` removes, circles are refused."""

import pytest

from config.extends import read_extended
from config.faults import ConfigError


@pytest.fixture
def write(tmp_path):
    """Writes files by name and gives the path of the last."""

    def written(**texts: str):
        for name, text in texts.items():
            path = tmp_path / f"{name}.yaml"
            path.write_text(text)
        return path

    return written


def test_mappings_merge_lists_are_replaced_and_null_removes(write):
    top = write(
        base="a: {x: 1, y: {z: 2}}\nlist: [1, 2, 3]\ngone: {k: 1}\nkept: 1\n",
        top="extends: base.yaml\na: {y: {z: 3, w: 4}}\nlist: [9]\ngone: null\n",
    )
    assert read_extended(top).root.plain() == {"a": {"x": 1, "y": {"z": 3, "w": 4}}, "list": [9], "kept": 1}


def test_an_endpoint_of_another_protocol_replaces_the_whole_endpoint(write):
    top = write(
        base="a: {protocol: modbus, host: h, port: 1}\nb: {protocol: modbus, host: h, port: 1}\n",
        top="extends: base.yaml\na: {protocol: mqtt, host: i}\nb: {protocol: modbus, port: 2}\n",
    )
    assert read_extended(top).root.plain() == {
        "a": {"protocol": "mqtt", "host": "i"},
        "b": {"protocol": "modbus", "host": "h", "port": 2},
    }


def test_files_extend_in_chains(write):
    top = write(a="x: 1\ny: 1\nz: 1\n", b="extends: a.yaml\ny: 2\nz: 2\n", c="extends: b.yaml\nz: 3\n")
    assert read_extended(top).root.plain() == {"x": 1, "y": 2, "z": 3}


def test_a_value_keeps_the_place_where_it_was_written(write, tmp_path):
    entries = read_extended(write(base="\nx: 1\ny: 1\n", top="extends: base.yaml\n\n\ny: 2\n")).root.value
    assert str(entries["x"].place) == f"{tmp_path / 'base.yaml'}:2"
    assert str(entries["y"].place) == f"{tmp_path / 'top.yaml'}:4"


def test_a_null_for_what_is_not_below_stays_a_value_to_be_judged(write):
    assert read_extended(write(base="x: 1\n", top="extends: base.yaml\ny: null\n")).root.plain() == {"x": 1, "y": None}


def test_a_relative_path_counts_from_the_file_that_names_it(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "base.yaml").write_text("x: 1\n")
    (tmp_path / "deep" / "mid.yaml").write_text("extends: ../base.yaml\n")
    (tmp_path / "top.yaml").write_text("extends: deep/mid.yaml\n")
    assert read_extended(tmp_path / "top.yaml").root.plain() == {"x": 1}


def test_faults_of_form_of_every_file_are_kept(write):
    top = write(base="x: NO\n", top="extends: base.yaml\ny: 010\n")
    assert [fault.place.file.name for fault in read_extended(top).faults] == ["base.yaml", "top.yaml"]


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"a": "extends: a.yaml\n"}, "`extends` runs in a circle: a.yaml -> a.yaml"),
        (
            {"b": "extends: a.yaml\n", "a": "extends: b.yaml\n"},
            "`extends` runs in a circle: a.yaml -> b.yaml -> a.yaml",
        ),
        ({"a": "extends: [b.yaml]\n"}, "`extends` is not a path"),
        ({"a": "x: 1\nextends: none.yaml\n"}, "which is not a file"),
    ],
)
def test_what_cannot_be_extended_is_a_fault(write, texts, problem):
    with pytest.raises(ConfigError) as caught:
        read_extended(write(**texts))
    assert problem in caught.value.faults[0].problem
