"""The network's schedule at the operator's desk: by request, by command, and from the outage management system."""

from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.coordination.situation import Situation
from gateway.snapshot import Snapshot
from tests.gateway.console.office import NOW, Office, office
from tests.gateway.coordination.build import T

pytestmark = pytest.mark.sockets


@pytest.fixture
def room(tmp_path: Path):
    with office(tmp_path) as room:
        yield room


def outage(room: Office, *words: str) -> int:
    verb, *rest = words
    return main(["outage", verb, str(room.directory), *rest])


def test_oms_planned_work_is_taken_shown_and_cancelled(room: Office, capsys) -> None:
    times = ("--from", f"{T + 3600:.0f}", "--to", "2027-01-15T12:00-00:00")
    assert outage(room, "plan", "W-17", *times, "--open", "SW12", "--close", "SWT", "--because", "painting") == 0
    work = room.ground.book.topology.works["W-17"]
    assert (dict(work.state.switches_closed), work.start_s) == ({"SW12": False, "SWT": True}, T + 3600)
    assert outage(room, "list") == 0
    assert "SW12 open, SWT closed" in capsys.readouterr().out
    assert outage(room, "cancel", "W-17") == 0
    assert room.ground.book.topology.works == {}
    assert outage(room, "cancel", "W-17") == 1
    assert "there is no work 'W-17'" in capsys.readouterr().err


def test_oms_forced_outage_names_the_resources_that_it_cuts_off(room: Office, capsys) -> None:
    assert outage(room, "forced", "F-3", "--for", "4h", "--out-of-service", "L12", "--because", "tree") == 0
    assert "without supply meanwhile: A" in capsys.readouterr().out
    assert room.ground.book.topology.works["F-3"].end_s == NOW + 4 * 3600


def test_n6_override_is_one_command_and_has_a_time_to_live(room: Office, capsys) -> None:
    assert outage(room, "override", "--for", "30m", "--open", "SW12", "--because", "its report is wrong") == 0
    topology = room.ground.book.topology
    assert [work.id for work in topology.at(NOW)] == ["override"]
    assert topology.at(NOW + 1800) == ()
    at = Situation(room.ground.zone, room.ground.book, Snapshot(NOW))
    assert at.citing("r1-1").zone.model_version == "r1-1+override"


def test_oms_file_is_taken_as_csv_and_as_json(room: Office, tmp_path: Path, capsys) -> None:
    table = tmp_path / "oms.csv"
    table.write_text(f"id,start,end,open,close,because\nW1,{T + 3600:.0f},{T + 7200:.0f},SW12,SWT,painting\n")
    assert outage(room, "import", str(table)) == 0
    listed = tmp_path / "oms.json"
    listed.write_text(
        '[{"id": "F1", "kind": "forced", "start": "2027-01-15T08:00Z", "end": "2027-01-15T09:00Z",'
        ' "out_of_service": ["L22"]}]'
    )
    assert outage(room, "import", str(listed)) == 0
    assert {name: work.kind.value for name, work in room.ground.book.topology.works.items()} == {
        "W1": "planned",
        "F1": "forced",
    }


def test_oms_file_with_faults_is_refused_as_a_whole_with_their_lines(room: Office, tmp_path: Path, capsys) -> None:
    table = tmp_path / "oms.csv"
    table.write_text("id,start,end,open,close\nW1,soon,2027-01-15T10:00Z,SW12,\n,5,6,,\nW1,7200,10800,SW12,\n")
    assert outage(room, "import", str(table)) == 1
    said = capsys.readouterr().err
    assert "oms.csv: line 2: start: 'soon' is no time" in said
    assert "oms.csv: line 3: id is missing" in said
    assert "oms.csv: line 3: it changes nothing" in said
    assert "oms.csv: line 4: id W1 stands twice" in said
    table.write_text("id,start,end,when\nW,1,2,3\n")
    assert outage(room, "import", str(table)) == 1
    assert "line 1: column 'when' is not known" in capsys.readouterr().err
    assert room.ground.book.topology.works == {}


def test_what_the_network_does_not_have_is_refused(room: Office, capsys) -> None:
    assert outage(room, "override", "--for", "30m", "--open", "SW99", "--because", "x") == 1
    assert "switch SW99: not in the network" in capsys.readouterr().err
    assert outage(room, "override", "--for", "30m", "--open", "SW1", "--close", "SW1", "--because", "x") == 1
    assert "SW1 is to be both" in capsys.readouterr().err
