"""Disputes at the operator's desk: by command, over a real socket."""

from pathlib import Path

import pytest

from gateway.__main__ import main
from gateway.coordination.book import Book
from gateway.coordination.events import Assessed, Stated
from gateway.coordination.messages import Header, Message
from gateway.coordination.settlement_messages import MeterReport
from gateway.settlement.assessment import Contract, assessed
from gateway.settlement.schedule import Asked, AskedBy, Circumstances
from gateway.settlement.statements import statements
from gateway.settlement.words import MeterInterval, Terms
from tests.gateway.console.office import Office, book, office
from tests.gateway.coordination.build import MW, T

pytestmark = pytest.mark.sockets


def settled() -> Book:
    """An order of 2 MW of which our meter saw one, and the participant's two."""
    asked = Asked("o1", 1, "A", AskedBy.ORDER, 2 * MW, T - 7200, T - 3600, T - 9000)
    contract = Contract("DSO", "AGENT_A", Terms(7, 11))
    meter = [MeterInterval("m", T - 7200, 3600.0, 1 * MW)]
    found = assessed(asked, Circumstances(interval_s=3600.0), contract, [0.0], meter)
    made = statements("R1", "DSO", found.lines, (T - 7200, T - 3600), found.inputs)
    result = book()
    result.fold(Assessed((found,), T - 3600))
    result.fold(Stated(made, T - 3600, (found.key,), T - 3600))
    body = MeterReport("p", "A", "MP", T - 7200, 60.0, (2.0,))
    result.accounts.received(Message(Header("m1", "p", "AGENT_A", "DSO", T, "R1", "DP"), body), T)
    return result


@pytest.fixture
def room(tmp_path: Path):
    with office(tmp_path, of=settled()) as room:
        yield room


def dispute(room: Office, verb: str, *rest: str) -> int:
    return main(["dispute", verb, str(room.directory), *rest])


def test_s36_a_dispute_is_opened_and_resolved_for_the_participants_meter(room: Office, capsys) -> None:
    (name,) = room.ground.book.accounts.statements
    assert dispute(room, "list") == 0
    assert f"{name}" in capsys.readouterr().out
    assert dispute(room, "open", name, "--party", "AGENT_A", "--id", "d-1", "--claim", "our meter shows 2 MW") == 0
    assert dispute(room, "answer", "d-1", "--text", "we compare them") == 0
    assert dispute(room, "resolve", "d-1", "--meter", "mp", "--because", "ours was swapped") == 0
    shown = capsys.readouterr().out
    assert "RESOLVED" in shown
    versions = room.ground.book.accounts.statements[name]
    assert [(one.version, round(one.net, 2)) for one in versions] == [(1, -4.0), (2, 14.0)]
    assert dispute(room, "resolve", "d-1", "--meter", "mp", "--because", "again") == 1
    assert "is RESOLVED" in capsys.readouterr().err


def test_resolved_for_our_meter_the_statement_stays(room: Office, capsys) -> None:
    (name,) = room.ground.book.accounts.statements
    assert dispute(room, "open", name, "--party", "AGENT_A", "--id", "d-2", "--claim", "too little") == 0
    assert dispute(room, "resolve", "d-2", "--meter", "ldc", "--because", "the test set agrees with ours") == 0
    assert [one.version for one in room.ground.book.accounts.statements[name]] == [1]
    capsys.readouterr()


def test_what_cannot_be_contested_is_refused_with_a_reason(room: Office, capsys) -> None:
    (name,) = room.ground.book.accounts.statements
    assert dispute(room, "open", "no-such", "--party", "AGENT_A", "--id", "d-3", "--claim", "x") == 1
    assert dispute(room, "open", name, "--party", "AGENT_B", "--id", "d-3", "--claim", "x") == 1
    assert "AGENT_B has no line in it" in capsys.readouterr().err
    assert dispute(room, "resolve", "d-3", "--meter", "mp", "--because", "x") == 1
    assert room.ground.book.accounts.disputes == {}
