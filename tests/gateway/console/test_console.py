"""The operator's API: what waits, what holds and why, and what he may do about it."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from gateway.console.endpoints import ENDPOINTS, OPERATOR
from gateway.coordination.market import Mode
from gateway.coordination.messages import LimitIssue
from gateway.coordination.operation_messages import EmergencyClear, EmergencyControl
from gateway.journal.entries import Kind
from gateway.journal.store import JournalReader
from gateway.record import Acted, fact
from ieee2030_5.admin import token
from ieee2030_5.admin.openapi import printed
from tests.gateway.console.office import NOW, Office, facts, office
from tests.gateway.coordination.build import MW, T

pytestmark = pytest.mark.sockets

BY = {"by": "ada"}


class Operator:
    """Asks with the token."""

    def __init__(self, room: Office) -> None:
        self.room, self.headers = room, {"Authorization": f"Bearer {token.read(room.directory, {})}"}

    def do(self, what: str, body: Mapping[str, object] | None = None, status: int = 200) -> Any:
        method, path = what.split()
        answer = requests.request(method, f"{self.room.url}/v1{path}", json=body, headers=self.headers, timeout=30)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None


@pytest.fixture
def operator(tmp_path: Path) -> Iterator[Operator]:
    with office(tmp_path) as room:
        yield Operator(room)


def acts(operator: Operator) -> list[Acted]:
    reader = JournalReader.open(operator.room.directory / "journal.sqlite")
    found = [fact(entry) for entry in reader.entries_of(Kind.ACTED)]
    reader.close()
    return [one for one in found if isinstance(one, Acted)]


def test_nothing_is_answered_without_the_token(operator: Operator) -> None:
    for path in ("/v1/status", "/metrics", "/openapi.json", "/v1/nothing"):
        assert requests.get(operator.room.url + path, timeout=30).status_code == 401
    assert operator.room.posted.empty()


def test_what_waits_says_who_what_why_since_and_until(operator: Operator) -> None:
    found = operator.do("GET /approvals")
    (one,) = found["waiting"]
    assert (found["mode"], one["id"], one["since_s"], one["deadline_s"]) == ("manual", "R1-tighter", NOW - 5, NOW + 295)
    assert one["steps"][0]["who"] == "DSO → AGENT_A"
    assert "LIMIT.Issue  A -2.50 MW … 0.80 MW" in one["steps"][0]["what"]
    assert one["why"] == "THERMAL L12: 120.8 % at the requested powers"
    assert one["cause"] == "k0"


def test_what_is_approved_leaves_and_what_is_rejected_does_not(operator: Operator) -> None:
    assert operator.do("POST /approvals/R1-tighter", {**BY, "approved": False})["waiting"] == []
    assert operator.room.posted.empty()
    assert operator.do("POST /approvals/R1-tighter", {**BY, "approved": True}, 404)["where"] == "action"


def test_an_approval_sends_the_message_and_names_its_operator(operator: Operator) -> None:
    operator.do("POST /approvals/R1-tighter", {**BY, "approved": True})
    (sent,) = operator.room.told(1)
    assert isinstance(sent.body, LimitIssue)
    assert sent.body.ceiling_w == 0.8 * MW
    told = operator.do("GET /status")["decisions"]
    assert "R1-tighter approved by ada" in [line["what"] for line in told]


def test_of_many_who_decide_at_once_one_does(operator: Operator) -> None:
    def approve(_: int) -> int:
        url = f"{operator.room.url}/v1/approvals/R1-tighter"
        return requests.post(url, json={**BY, "approved": True}, headers=operator.headers, timeout=30).status_code

    with ThreadPoolExecutor(8) as many:
        answers = Counter(many.map(approve, range(8)))
    assert answers[200] == 1
    assert set(answers) <= {200, 404, 409}
    assert operator.room.told(1)[0].code == "LIMIT.Issue"
    assert operator.room.posted.empty()


def test_emergencies_declared_at_once_are_different_ones(operator: Operator) -> None:
    def declare(resource: str) -> str:
        said = {**BY, "level": 2, "scope": resource, "because": f"line of {resource}"}
        return str(operator.do("POST /emergencies", said, 201)["id"])

    with ThreadPoolExecutor(8) as many:
        ids = list(many.map(declare, "ABABABAB"))
    assert sorted(ids) == [f"R1-emergency-{number}" for number in range(1, 9)]
    found = operator.do("GET /emergencies")["emergencies"]
    assert all(one["resources"] == [one["scope"]] for one in found)


def test_an_emergency_keeps_everybody_off_until_it_is_cleared(operator: Operator) -> None:
    made = operator.do("POST /emergencies", {**BY, "level": 2, "scope": "zone", "because": "line down at B3"}, 201)
    assert (made["resources"], made["because"], made["cleared_s"]) == (["A", "B"], "line down at B3", None)
    told = operator.room.told(4)
    assert {m.body.resource for m in told if isinstance(m.body, EmergencyControl)} == {"A", "B"}
    seen = operator.do("GET /der/B/view")
    assert (seen["effective"]["ceiling_w"], seen["effective"]["urgent"]) == (0.0, True)
    assert seen["emergency"]["id"] == made["id"]
    assert operator.do("GET /status")["alert"] == "EMERGENCY"
    over = operator.do(f"POST /emergencies/{made['id']}/clear", BY)
    assert over["cleared_s"] == NOW
    assert {type(m.body) for m in operator.room.told(2)} == {EmergencyClear}
    assert operator.do("GET /der/A/view")["effective"]["ceiling_w"] == 1.2 * MW, "the limit holds, not the dispatch"
    assert operator.do("GET /der/B/view")["effective"] is None
    operator.do("POST /emergencies", {**BY, "level": 2, "scope": "B9", "because": "x"}, 409)
    assert [(a.by, a.subject, a.because) for a in acts(operator)] == [
        ("ada", made["id"], "line down at B3"),
        ("ada", made["id"], ""),
    ]
    operator.do(f"POST /emergencies/{made['id']}/clear", BY, 409)
    operator.do("POST /emergencies", {**BY, "level": 2, "scope": "nowhere", "because": "x"}, 409)
    assert operator.do("GET /emergencies")["emergencies"][0]["id"] == made["id"]


def test_an_offer_is_ordered_and_the_order_taken_back(operator: Operator) -> None:
    assert [one["id"] for one in operator.do("GET /orders")["offers"]] == ["o1"]
    operator.do("POST /orders", {**BY, "offer": "o1", "power_w": 9e6}, 409)
    made = operator.do("POST /orders", {**BY, "offer": "o1", "power_w": 1.5e6}, 201)
    assert (made["resource"], made["power_w"], made["price_per_mwh"]) == ("B", 1.5e6, 65.0)
    assert [one["id"] for one in operator.do("GET /der/B/view")["local"]["orders"]] == [made["id"]]
    assert operator.do("GET /orders")["offers"] == []
    over = operator.do(f"POST /orders/{made['id']}/revoke", {**BY, "because": "not needed"})
    assert over["state"] == "REVOKED_BY_DSO"
    assert [one["state"] for one in operator.do("GET /orders")["orders"]] == ["REVOKED_BY_DSO"]
    operator.do("POST /orders/none/revoke", {**BY, "because": "x"}, 404)


def test_one_view_holds_both_markets_limits_control_instruction_and_quality(operator: Operator) -> None:
    operator.do("PUT /der/A/instruction", {**BY, "ceiling_w": 1e6, "lasts_s": 600})
    seen = operator.do("GET /der/A/view")
    assert (seen["link"]["state"], seen["link"]["protocol"], seen["owner"]) == ("online", "modbus", "AGENT_A")
    assert [(d["power_w"], d["in_force"]) for d in seen["wholesale"]["dispatches"]] == [(2e6, True)]
    (limit,) = seen["limits"]
    assert (limit["ceiling_w"], limit["constraint"], limit["status"], limit["in_force"]) == (
        1.2e6,
        "L12",
        "ACCEPT",
        True,
    )
    assert (seen["control"]["outcome"], seen["control"]["read_back"]) == ("verified", {"x": 48.0})
    assert (seen["operator"]["source"], seen["operator"]["ceiling_w"]) == ("ada at the console", 1e6)
    assert seen["effective"]["ceiling_w"] == 1e6
    qualities = {one["point"]: (one["quality"], one["age_s"]) for one in seen["readings"]}
    assert qualities == {"A.active_power_w": ("good", 1.0), "A.state_of_charge_pu": ("stale", 90.0)}
    assert [o["id"] for o in operator.do("GET /der/B/view")["local"]["offers"]] == ["o1"]
    operator.do("POST /der/A/withdrawal", BY, 204)
    assert operator.do("GET /der/A/view")["operator"] is None


def test_what_cannot_be_asked_is_refused_with_what_to_do(operator: Operator) -> None:
    for asked, body, status, where in (
        ("GET /der/nobody/view", None, 404, "der"),
        ("PUT /der/A/instruction", {**BY, "lasts_s": 60}, 400, "body"),
        ("PUT /der/A/instruction", {**BY, "lasts_s": 60, "floor_w": 1, "ceiling_w": 0}, 400, "floor_w"),
        ("PUT /der/B/instruction", {**BY, "lasts_s": 60, "target_w": 1}, 409, "der"),
        ("PUT /der/A/instruction", {**BY, "lasts_s": -1, "target_w": 1}, 400, "lasts_s"),
        ("POST /emergencies", {"level": 2, "because": "x"}, 400, "by"),
        ("POST /emergencies", {**BY, "level": 4, "because": "x"}, 400, "level"),
        ("POST /emergencies/none/clear", BY, 404, "emergency"),
    ):
        refused = operator.do(asked, body, status)
        assert refused["where"] == where, asked
        assert refused["what_to_do"]


def test_the_status_has_a_line_for_every_resource_and_who_said_what(operator: Operator) -> None:
    operator.do("POST /approvals/R1-tighter", {**BY, "approved": True})
    found = operator.do("GET /status")
    a, b = found["ders"]
    assert (a["measured_w"], a["asked_w"], a["ceiling_w"], a["constraint"]) == (1.19e6, 2e6, 0.8e6, "THERMAL L12")
    assert (b["measured_w"], b["ceiling_w"], b["outcome"]) == (4e6, None, "")
    assert (found["waiting"], found["coverage_pct"], found["approval"]) == (0, 100.0, "manual")
    assert [(m["who"], m["what"][:11]) for m in found["messages"]] == [("DSO → AGENT_A", "LIMIT.Issue")]


def test_metrics_are_what_prometheus_reads(operator: Operator) -> None:
    text = requests.get(f"{operator.room.url}/metrics", headers=operator.headers, timeout=30).text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'ampacity_[a-z_]+\{([a-z]+="[^"]*",?)+\} -?[0-9.e+]+', line) for line in lines), lines
    value = dict(line.rsplit(" ", 1) for line in lines)
    common = 'zone="R1",model="DP"'
    assert value[f'ampacity_controls{{{common},outcome="verified"}}'] == "1"
    assert value[f'ampacity_links{{{common},state="online"}}'] == "2"
    assert value[f'ampacity_link_up{{{common},resource="A",state="online"}}'] == "1"
    assert value[f'ampacity_point_age_seconds{{{common},point="A.state_of_charge_pu",quality="stale"}}'] == "90"
    assert value[f"ampacity_coverage_percent{{{common}}}"] == "100"
    assert value[f"ampacity_approvals_waiting{{{common}}}"] == "1"
    assert f"ampacity_psa_duration_seconds{{{common}}}" in value
    assert f"ampacity_cycle_duration_seconds{{{common}}}" in value


def test_in_automatic_mode_it_is_said_why_nothing_waits(tmp_path: Path) -> None:
    with office(tmp_path, facts(Mode.AUTO)) as room:
        refused = Operator(room).do("POST /approvals/none", {**BY, "approved": True}, 404)
    assert "in mode auto nothing ever waits" in refused["what_to_do"]


def test_the_openapi_document_is_whole_valid_and_kept_in_the_documentation() -> None:
    kept = (Path(__file__).parents[3] / "docs" / "operator_api.json").read_text()
    assert kept == printed(OPERATOR), "python -m gateway.console > docs/operator_api.json"
    document = json.loads(kept)
    described = {(method, path) for path, item in document["paths"].items() for method in item}
    assert described == {(row.method.lower(), f"/v1{row.path}") for row in ENDPOINTS} | {("get", "/metrics")}
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_offer_is_still_ahead() -> None:
    assert T < NOW < T + 300, "the zone of these tests stands inside one market interval"
