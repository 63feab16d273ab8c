"""Needs of years to come at the desk: imported, shown beside those of the day, written back, refused by line."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway import record, tell
from gateway.__main__ import main
from gateway.coordination.events import Sent
from gateway.coordination.market import Program
from gateway.coordination.market_messages import Effect, NeedKind, NeedPost
from gateway.journal.entries import Kind
from gateway.journal.store import JournalReader
from tests.gateway.console.office import Office, book, facts, office
from tests.gateway.coordination.build import MW, T, message

pytestmark = pytest.mark.sockets

PLAN = """\
record,id,kind,direction,notice_s,stackable,service,place,mw,from,until,hours,price_cap
service,peak,capacity_reduction,up,1800,true,,,,,,,
need,N1,,,,,peak,L12,1.5,2028-06-01T00:00-05:00,2031-10-01T00:00-05:00,120,240
need,N2,,,,,DSO,B3,-0.8,2029-03-01T00:00Z,2029-06-01T00:00Z,60.5,
"""
OF_DAY = NeedPost("n1", 1, NeedKind.THERMAL, "L12", 0.4 * MW, T, T + 3_600, T + 30, (Effect("A", 1.0),))


@pytest.fixture
def room(tmp_path: Path):
    zone = facts()
    zone = replace(zone, market=replace(zone.market, programs={"DSO": Program("DSO")}))
    held = book()
    held.fold(Sent(message("DSO", "AGENT_A", OF_DAY), T))
    with office(tmp_path, zone, held) as room:
        yield room


def need(room: Office, *words: str) -> int:
    verb, *rest = words
    return main(["need", verb, str(room.directory), *rest])


def test_pr_1_services_and_long_term_needs_make_the_round_trip(room: Office, tmp_path: Path, capsys) -> None:
    first = tmp_path / "plan.csv"
    first.write_text(PLAN)
    assert need(room, "import", str(first)) == 0
    told = room.ground.book.topology.long_term
    assert told is not None
    assert [(n.id, n.service, n.place, n.power_w, n.hours, n.price_cap_per_mwh) for n in told.needs] == [
        ("N1", "peak", "L12", 1.5 * MW, 120, 240),
        ("N2", "DSO", "B3", -0.8 * MW, 60.5, None),
    ]
    assert (told.services[0].kind, told.services[0].notice_s, told.services[0].stackable) == (
        "capacity_reduction",
        1_800,
        True,
    )
    for name in ("again.csv", "again.json", "last.csv"):
        assert need(room, "export", str(tmp_path / name)) == 0
        assert need(room, "import", str(tmp_path / name), "--by", name) == 0
        again = room.ground.book.topology.long_term
        assert again is not None
        assert (again.services, again.needs, again.by) == (told.services, told.needs, name)
    assert (tmp_path / "last.csv").read_text() == (tmp_path / "again.csv").read_text()
    capsys.readouterr()
    assert need(room, "list") == 0
    shown = capsys.readouterr().out
    assert shown.index("Services that") < shown.index("peak") < shown.index("Needs of years") < shown.index("N1")
    assert shown.index("Needs of the day") < shown.index("n1 ")
    assert need(room, "list", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["horizon"] for one in listed["long_term"]] == ["long_term", "long_term"]
    assert [(one["id"], one["required_w"]) for one in listed["of_day"]] == [("n1", 0.4 * MW)]
    with closing(JournalReader.open(room.directory / "journal.sqlite")) as journal:
        kept = record.fact(journal.latest(Kind.NEEDS, 1)[0])
    assert kept == room.ground.book.topology.long_term
    assert tell.told(kept) == ("last.csv", "imported for years to come: services 1, needs 2")


def test_pr_1_a_faulty_file_is_refused_as_a_whole_with_its_lines(room: Office, tmp_path: Path, capsys) -> None:
    file = tmp_path / "plan.csv"
    head = "record,id,kind,direction,grace_pct,service,place,mw,from,until,hours\n"

    def said(*rows: str) -> str:
        file.write_text(head + "\n".join(rows) + "\n")
        assert need(room, "import", str(file)) == 1
        return capsys.readouterr().err

    times = "2028-06-01T00:00Z,2028-07-01T00:00Z"
    unread = said(
        "service,S,magic,up,120,,,,,,",
        f"need,N1,,,,DSO,L12,much,{times},10",
        "need,N2,,,,DSO,L12,1,soon,2028-07-01T00:00,10",
        f"need,N1,,,,DSO,L12,1,{times},-1",
        "wish,N3,,,,,,,,,",
        "need,N4,,,,DSO,,1,,,1",
    )
    for fault in (
        "plan.csv: line 2: kind: ",
        "plan.csv: line 2: grace_pct: ",
        "plan.csv: line 3: mw: 'much' is no number of megawatts",
        "plan.csv: line 4: from: 'soon' is no time",
        "plan.csv: line 4: until: '2028-07-01T00:00' does not say its offset",
        "plan.csv: line 5: hours: ",
        "plan.csv: line 5: need N1 stands twice, first in line 3",
        "plan.csv: line 6: record is 'wish'",
        "plan.csv: line 7: place: ",
    ):
        assert fault in unread
    unfit = said(
        "service,down,restore,down,,,,,,,",
        "service,DSO,restore,,,,,,,,",
        f"need,N1,,,,up,L12,1,{times},10",
        f"need,N2,,,,down,L99,1,{times},10",
        f"need,N3,,,,down,A,-1,{times},1000",
        "need,N4,,,,down,A,-1,2028-06-01T00:00Z,2028-06-01T00:00Z,1",
    )
    assert unfit.splitlines() == [
        f"ampacity need: plan.csv: line {line}: {fault}"
        for line, fault in (
            (3, "is a program of the zone file; give it another id"),
            (4, "there is no service 'up'; there are: down, DSO"),
            (5, "place 'L99' is not in the network"),
            (5, "it needs power up, and service down moves it down"),
            (6, "1000 hours do not fit between its start and its end"),
            (7, "it ends before it begins"),
        )
    ]
    file.write_text("record,id,when\n")
    assert need(room, "import", str(file)) == 1
    assert "line 1: column 'when' is not known" in capsys.readouterr().err
    assert room.ground.book.topology.long_term is None
    wrong = tmp_path / "plan.json"
    wrong.write_text('[{"record": "need", "id": "N1", "mw": true}, 5]')
    assert need(room, "import", str(wrong)) == 1
    assert "plan.json: entry 1: record is ''" in capsys.readouterr().err
    wrong.write_bytes(b"\xff\xfe\x00")
    assert need(room, "import", str(wrong)) == 1
    assert "no text in UTF-8" in capsys.readouterr().err
