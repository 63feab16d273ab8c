"""The documents list what each kind of party may do, with valid schemas, and the documentation holds them."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gateway.coordination.routing import MATRIX
from gateway.coordination.zone import DsoModel, Role
from gateway.parties.openapi import KINDS, document, said, written
from tests.gateway.parties.office import running, zone_of

DOCS = Path(__file__).parents[3] / "docs" / "parties"


@pytest.mark.parametrize("role", KINDS)
def test_the_documentation_holds_the_document_as_it_is(role: Role) -> None:
    assert (DOCS / f"{role.value}.json").read_bytes() == written(role), "python -m gateway.parties.openapi docs/parties"


@pytest.mark.parametrize("role", KINDS)
def test_every_schema_is_valid_and_every_reference_leads_somewhere(role: Role) -> None:
    made = json.loads(written(role))
    assert made["openapi"] == "3.1.0"
    for schema in made["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for group, name in re.findall(r'"#/components/(\w+)/([\w.]+)"', json.dumps(made)):
        assert name in made["components"][group]
    names = [operation["operationId"] for item in made["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("model", DsoModel)
@pytest.mark.parametrize("role", [Role.SYSTEM_OPERATOR, Role.DERA, Role.HOST])
def test_a_party_is_offered_what_the_matrix_lets_it_say_and_no_more(role: Role, model: DsoModel) -> None:
    made = document(role, (model,))
    body = made["paths"]["/v1/messages"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    offered = {one["$ref"].rpartition("/")[2] for one in body["oneOf"]}
    allowed = {code for code, routes in MATRIX.items() if model in routes.get((role, Role.DSO), frozenset())}
    assert offered == allowed == set(said(role, (model,)))


def test_under_dual_participation_no_limit_is_ever_told_to_the_system_operator() -> None:
    made = document(Role.SYSTEM_OPERATOR, (DsoModel.DUAL_PARTICIPATION,))
    assert not any(code.startswith("LIMIT.") for code in made["components"]["schemas"])


def test_a_platform_hands_over_what_it_carries_and_nothing_else() -> None:
    made = document(Role.PLATFORM)
    body = made["paths"]["/v1/messages"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    offered = {one["$ref"].rpartition("/")[2] for one in body["oneOf"]}
    assert {"LIMIT.Ack", "OFFER.Submit", "DISPATCH.Copy"} <= offered
    assert not {"LIMIT.Issue", "HOST.Limit", "METER.Report"} & offered
    assert "LIMIT.Issue" in made["components"]["schemas"]


@pytest.mark.sockets
async def test_a_party_is_given_its_own_document(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "T")) as office:
        for party, role in (("AGENT_A", Role.DERA), ("IESO", Role.SYSTEM_OPERATOR)):
            status, made = await office.ask(party, "/v1/openapi.json")
            assert (status, made) == (200, document(role, (DsoModel.TOTAL_DSO,)))
