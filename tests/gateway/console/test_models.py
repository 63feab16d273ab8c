"""Network models at the desk: uploaded with boundaries, told apart, approved, in force, and rolled back."""

import json
from pathlib import Path

import pytest

from gateway.__main__ import main
from tests.gateway.console.office import R1, office

pytestmark = pytest.mark.sockets


def test_sys_16_a_model_is_uploaded_approved_and_rolled_back_by_commands(tmp_path: Path, capsys) -> None:
    rebuilt = tmp_path / "rebuilt.json"
    rebuilt.write_text(R1.read_text())
    boundaries = tmp_path / "boundaries.json"
    boundaries.write_text(json.dumps({"td_interfaces": {"TD1": "B0"}, "connections": {"A": "B3", "B": "B4"}}))
    with office(tmp_path) as room:

        def model(verb: str, *words: str) -> int:
            return main(["model", verb, str(room.directory), *words])

        upload = ("upload", str(rebuilt), "--version", "r1-2", "--because", "rebuilt")
        assert model(*upload, "--boundaries", str(boundaries)) == 0
        assert "proposed" in capsys.readouterr().out
        assert model("list") == 0
        assert "in force: r1-1" in capsys.readouterr().out
        assert model("approve", "r1-2") == 0
        assert model("list") == 0
        assert "in force: r1-2" in capsys.readouterr().out
        assert model("approve", "r1-2") == 1
        told = capsys.readouterr().err
        assert "does not wait for approval" in told
        assert "`ampacity model list` shows what waits" in told
        assert model("rollback") == 0
        assert "in force: r1-1" in capsys.readouterr().out
        assert model("rollback") == 1
        told = capsys.readouterr().err
        assert "nothing is before it" in told
        assert "upload the network that is to hold instead" in told
        boundaries.write_text(json.dumps({"td_interfaces": {"TD1": "B1"}, "connections": {"A": "B3", "B": "B9"}}))
        again = ("upload", str(rebuilt), "--version", "r1-3", "--because", "x", "--boundaries", str(boundaries))
        assert model(*again) == 1
        assert "connection B: is at B4 in the zone file, at B9 in the upload" in capsys.readouterr().err
        boundaries.write_text(json.dumps({"td_interfaces": {"TD1": "B1"}, "connections": {"A": "B3", "B": "B4"}}))
        assert model(*again) == 1
        assert "no source of the network is at bus B1; sources are at B0" in capsys.readouterr().err
        assert model("upload", str(tmp_path / "none.json"), "--version", "x", "--because", "x") == 1
        assert "nothing was uploaded" in capsys.readouterr().err
