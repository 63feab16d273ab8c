"""`ampacity status, view, approve, emergency, order, instruct` against the operator's API over a loopback socket."""

import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.__main__ import main
from tests.gateway.console.office import Office, office

pytestmark = pytest.mark.sockets

Call = Callable[..., str]
LOG = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[")
"""What the gateway of the test says beside what the command shows."""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Office]:
    with office(tmp_path) as room:
        yield room


@pytest.fixture
def call(room: Office, capsys: pytest.CaptureFixture[str]) -> Call:
    def call(command: str, *words: str, status: int = 0) -> str:
        got = main([*command.split(), str(room.directory), *words])
        told = capsys.readouterr()
        assert got == status, told
        lines = (line.rstrip() for line in (told.err if status else told.out).splitlines())
        return "\n".join(line for line in lines if not LOG.match(line))

    return call


def test_what_waits_is_shown_with_its_cause_and_approved(call: Call, room: Office) -> None:
    shown = call("approve")
    assert re.search(r"^R1-tighter +DSO → AGENT_A +LIMIT\.Issue +A -2\.50 MW … 0\.80 MW", shown, re.M)
    assert "THERMAL L12: 120.8 % at the requested powers" in shown
    assert "does not wait" not in shown
    assert call("approve", "R1-tighter", "--by", "ada") == "R1-tighter approved by ada; 0 waiting"
    assert room.told(1)[0].code == "LIMIT.Issue"
    assert call("approve") == "nothing waits; approval mode manual"
    assert "there is no action 'R1-tighter'" in call("approve", "R1-tighter", status=1)


def test_everything_is_rejected_at_once(call: Call, room: Office) -> None:
    assert "say what to reject" in call("approve", "--reject", status=1)
    assert call("approve", "--all", "--reject", "--by", "ada") == "R1-tighter rejected by ada; 0 waiting"
    assert room.posted.empty()
    assert call("approve", "--all") == "nothing waits; approval mode manual"


@pytest.mark.parametrize(("said", "left"), [("y\n", 0), ("n\n", 0), ("\n", 1), ("", 1)])
def test_it_asks_about_each(call: Call, monkeypatch: pytest.MonkeyPatch, said: str, left: int) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(said))
    told = call("approve", "--ask").splitlines()[-1]
    assert told.endswith("1 waiting" if left else "nothing waits; approval mode manual")


def test_an_emergency_is_declared_listed_and_cleared(call: Call, room: Office) -> None:
    assert "no emergency lasts" in call("emergency clear", status=1)
    shown = call("emergency declare", "--level", "2", "--scope", "B3", "--because", "line down", "--by", "ada")
    assert re.search(r"^R1-emergency-1 +2 +B3 +line down +\d\d:\d\d:\d\d +A$", shown, re.M)
    seen = call("view", "A")
    assert re.search(
        r"^holds now +at least -2\.500 MW, at most 0\.000 MW because of R1-emergency-1 \(emergency\)$", seen, re.M
    )
    assert "EMERGENCY" in call("status").splitlines()[0]
    call("emergency clear", "--by", "ada")
    assert json.loads(call("emergency list", "--json"))["emergencies"][0]["cleared_s"] is not None
    assert "scope 'nowhere'" in call(
        "emergency declare", "--level", "1", "--scope", "nowhere", "--because", "x", status=1
    )


def test_the_status_is_a_readable_table_of_all_resources(call: Call) -> None:
    lines = call("status").splitlines()
    assert lines[0].startswith("R1 DP  2027-01-15 08:00:20 UTC  network r1-1, never solved")
    assert lines[0].endswith("approval manual, 1 waiting")
    assert lines[1].split()[:7] == ["DER", "link", "measured", "age", "asked", "min", "max"]
    assert re.fullmatch(
        r"A +online +1\.190 +1 s good +2\.000 +-2\.500 +1\.200 +THERMAL L12 +R1-A-1 +A-c1 +verified", lines[2]
    )
    assert re.fullmatch(r"B +online +4\.000 +1 s good", lines[3])
    assert json.loads(call("status", "--json"))["ders"][0]["ceiling_w"] == 1.2e6


def test_one_view_shows_both_markets_limits_and_measurements(call: Call) -> None:
    shown = call("view", "A")
    for wanted in (
        r"^A +of AGENT_A, at B3 on abc, zone R1 DP$",
        r"^link +online over modbus",
        r"^control +A-c1: at most 1\.200 MW, verified, leased until 08:15:02$",
        r"^  read back +x=48$",
        r"^Limits of the DSO$",
        r"^R1-A-1 +-2\.500 +1\.200 +THERMAL +L12 +120\.8 %",
        r"^Wholesale dispatches$",
        r"^A\.state_of_charge_pu +0\.61 +stale +90 s$",
    ):
        assert re.search(wanted, shown, re.M), (wanted, shown)
    assert re.search(r"^Local offers$\n^offer .*\n^o1 +B +distribution +OFFERED +2\.000", call("view", "B"), re.M)
    assert "there is no der 'Z'" in call("view", "Z", status=1)


def test_an_order_is_placed_listed_and_revoked(call: Call) -> None:
    assert "o1:order" in call("order place", "o1", "1.5", "--by", "ada")
    assert re.search(r"^o1:order +order +B +\w+ +1\.500", call("order list"), re.M)
    assert "REVOKED_BY_DSO" in call("order revoke", "o1:order", "--because", "not needed")
    assert "offer 'o1' is" in call("order place", "o1", "1.5", status=1)


def test_a_der_is_asked_by_hand_and_left_alone_again(call: Call) -> None:
    told = call("instruct", "A", "--max", "0.5", "--for", "30m", "--by", "ada")
    assert told == "A-o1: at most 0.500 MW until 08:30:20"
    assert "asked by ada at the console" in call("view", "A")
    assert call("instruct", "A", "--withdraw") == "nothing is asked of A any more"
    assert "say --max, --min or --target" in call("instruct", "A", status=1)


def test_where_no_gateway_runs_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", str(tmp_path)]) == 1
    assert "start one with `ampacity run ZONE`" in capsys.readouterr().err
    assert main(["status", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
