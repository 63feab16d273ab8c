"""What the suites of the tools share."""

import json

import pytest

from gateway.__main__ import main


@pytest.fixture
def json_of(capsys):
    """The JSON that a command prints."""

    def call(*argv: str, status: int = 0) -> object:
        assert main([*argv, "--json"]) == status, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return call
