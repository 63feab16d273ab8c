"""`ampacity check`: faults for editors and people, exit codes for scripts, a summary for a good file."""

import json
from argparse import ArgumentParser
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.commands import check

ZONES = Path(str(files("config.zones")))


@pytest.fixture
def command(capsys):
    """Runs the command and gives exit code, standard output and standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        parser = ArgumentParser()
        check.add_arguments(parser)
        code = check.run(parser.parse_args([str(argument) for argument in arguments]))
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_good_file_is_summarised(command):
    code, out, err = command(ZONES / "r1_short.yaml")
    assert (code, err) == (0, "")
    assert "Reference zone R1, ten times as fast" in out
    assert "DP, dual participation; policy incremental" in out
    assert "interval 300 s, tick 10 s, limit by 35 s, notice by 60 s, run 10 times as fast" in out
    assert "modbus 127.0.0.1:15021 unit 1" in out
    assert "L12 154.2 A" in out


def test_a_bad_file_gives_every_fault_in_editors_form(command, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text(f"extends: {ZONES / 'r1.yaml'}\nzone: {{dso_model: DPP}}\ntestbed: {{initial_mw: {{Q: 1}}}}\n")
    code, out, err = command(bad)
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        f"{bad}:2: `zone.dso_model` is 'DPP' but should be 'DP', 'T' or 'MF'; did you mean `DP`?",
        f"{bad}:3: `Q` is not a device; use one of: A, B, C, D, E",
        f"{bad}: 2 faults",
    ]


def test_one_bad_file_among_good_ones_fails_and_all_are_reported(command, tmp_path):
    bad = tmp_path / "bad.yaml"
    bad.write_text("")
    code, out, err = command(bad, ZONES / "r1.yaml")
    assert code == 1
    assert "is good" in out
    assert f"{bad}:1: the file is empty" in err


def test_a_missing_file_is_a_fault_and_no_traceback(command, tmp_path):
    code, _, err = command(tmp_path / "none.yaml")
    assert code == 1
    assert "cannot be read (No such file or directory); check the path" in err


def test_markup_in_a_name_is_only_text(command, tmp_path):
    odd = tmp_path / "odd.yaml"
    odd.write_text(f"extends: {ZONES / 'r1.yaml'}\nzone: {{name: '[/b] odd :smile:'}}\n")
    code, out, _ = command(odd)
    assert code == 0
    assert "[/b] odd :smile:" in out


def test_the_schema_is_printed_and_allows_extends(command):
    code, out, _ = command("--schema")
    schema = json.loads(out)
    assert code == 0
    assert {"extends", "zone", "devices"} <= set(schema["properties"])
    assert schema["$defs"]["Device"]["properties"]["lease_s"]["description"].startswith("Native reversion time")


def test_nothing_to_check_is_an_error_of_usage(command):
    assert command()[0] == 2
