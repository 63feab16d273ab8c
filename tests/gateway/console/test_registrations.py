"""Registering for an owner at the desk: judged like his own words, journalled, and shown."""

from pathlib import Path

import pytest

from gateway.__main__ import main
from ieee2030_5.pki import make_pki
from tests.gateway.console.office import office
from tests.gateway.coordination.build import MW, T

pytestmark = pytest.mark.sockets


def test_pr_2_a_resource_is_registered_by_command_and_rejected_with_the_criterion(tmp_path: Path, capsys) -> None:
    certificate = make_pki(tmp_path / "certs", ["B"], ["localhost"], T)[-1].certificate
    with office(tmp_path) as room:

        def register(*words: str) -> int:
            return main(["register", str(room.directory), *words])

        assert register("A", "--max", "2.6") == 1
        assert "EXCEEDS_CONNECTION" in capsys.readouterr().out
        assert register("A", "--max", "2.0", "--program", "DSO") == 0
        assert "A is registered" in capsys.readouterr().out
        assert room.ground.book.trade.registered["A"].ceiling_w == 2 * MW
        assert register("B", "--certificate", str(certificate)) == 1
        assert "UNKNOWN_CREDENTIAL" in capsys.readouterr().out
        assert register("B", "--credential", "3e4f45ab31edfe5b67e343e5e4562e31984e23e5", "--min", "0") == 0
        assert register("Z") == 1
        assert "there is no der 'Z'" in capsys.readouterr().err
        codes = [one.body.code for one in room.told(4)]
        assert codes == ["REG.Reject", "REG.Accept", "REG.Reject", "REG.Accept"]
        assert register() == 0
        assert "2.500" in capsys.readouterr().out
