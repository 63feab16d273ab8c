"""`ampacity testbed` plays what it is asked to, and says which names it knows where it cannot."""

from pathlib import Path

import pytest

from gateway.__main__ import main

ZONE = Path(__file__).parents[3] / "config" / "zones" / "r1_short_host.yaml"


@pytest.mark.parametrize("option", ["--only", "--without"])
def test_a_name_of_nobody_is_told_with_those_that_there_are(option, capsys):
    assert main(["testbed", str(ZONE), option, "IESO, HOSTT"]) == 1
    told = capsys.readouterr().err
    assert "'HOSTT' is no party that the zone file marks as simulated" in told
    assert "AGENT_A" in told


def test_some_alone_and_all_but_some_exclude_each_other(capsys):
    with pytest.raises(SystemExit):
        main(["testbed", str(ZONE), "--only", "HOST", "--without", "IESO"])
    assert "not allowed with" in capsys.readouterr().err
