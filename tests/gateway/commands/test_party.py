"""`ampacity party token` makes a token that is shown once and kept as its digest."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.__main__ import main

SMALL = Path(__file__).parents[2] / "config" / "zone.yaml"


@pytest.fixture
def zone(tmp_path):
    path = tmp_path / "zone.yaml"
    parties = "parties: {AGENT_A: {simulated: false, auth: {token_stored: true}}}"
    path.write_text(f"extends: {SMALL}\nstorage: {{directory: {tmp_path / 'run'}}}\n{parties}\n")
    return path


def test_the_token_is_told_and_its_digest_kept(zone, capsys):
    assert main(["party", "token", "AGENT_A", str(zone)]) == 0
    token = capsys.readouterr().out.split()[1]
    kept = (zone.parent / "run" / "party_tokens.json").read_text()
    assert json.loads(kept) == {"AGENT_A": sha256(token.encode()).hexdigest()}
    assert token not in kept


def test_a_party_that_is_not_asked_for_it_is_told_about(zone, capsys):
    assert main(["party", "token", "AGENT_B", str(zone)]) == 0
    assert "once parties.AGENT_B has auth: {token_stored: true}" in capsys.readouterr().out


def test_nothing_is_kept_where_only_the_digest_is_wanted(zone, capsys):
    assert main(["party", "token", "AGENT_A", str(zone), "--print"]) == 0
    _, token, _, digest, *_ = capsys.readouterr().out.split()
    assert digest == sha256(token.encode()).hexdigest()
    assert not (zone.parent / "run").exists()


def test_an_unknown_party_is_told_with_those_there_are(zone, capsys):
    assert main(["party", "token", "AGENT_X", str(zone)]) == 2
    assert "no AGENT_X in SMALL, but AGENT_A, AGENT_B, IESO" in capsys.readouterr().err
