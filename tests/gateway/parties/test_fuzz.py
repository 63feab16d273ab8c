"""Whatever is sent to the parties' interface, it answers as its OpenAPI document says, and never with a 5xx."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.coordination.zone import Role
from gateway.parties.openapi import KINDS, document
from tests.gateway.parties.office import in_background, token, zone_of

pytestmark = pytest.mark.sockets

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
PARTIES = {Role.SYSTEM_OPERATOR: "IESO", Role.DERA: "AGENT_A", Role.HOST: "HOST", Role.PLATFORM: "MSP"}
OPERATIONS = sorted(
    ((role, path, method) for role in KINDS for path, item in document(role)["paths"].items() for method in item),
    key=lambda one: one[2] != "post",  # so that there is something to read
)
EXAMPLES = {"post": 25}


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    directory = tmp_path_factory.mktemp("office")
    with in_background(zone_of(directory / "T", "T")) as total, in_background(zone_of(directory / "MF", "MF")) as other:
        yield {"T": total, "MF": other}


def own(message: dict[str, Any], party: str, model: str, resource: str) -> dict[str, Any]:
    """What was made up, as the party itself would say it, about a resource that is there."""
    body = message.get("body")
    if isinstance(body, dict) and "resource" in body:
        message["body"] = {**body, "resource": resource}
    return {**message, "sender": party, "recipient": "DSO", "zone": "R1", "model": model}


@pytest.mark.parametrize(("role", "path", "method"), OPERATIONS, ids=str)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_document_describes(
    urls: dict[str, str], role: Role, path: str, method: str, mode: GenerationMode
) -> None:
    operation = from_dict(document(role))[path][method]
    party = PARTIES[role]

    @settings(
        max_examples=EXAMPLES.get(method, 6),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        model=st.sampled_from(sorted(urls)),
        resource=st.sampled_from(["A", "B", "TD1", "nowhere"]),
        honest=st.booleans(),
    )
    def asked(case: Case, model: str, resource: str, honest: bool) -> None:
        if isinstance(case.body, dict) and honest:
            case.body = own(case.body, party, model, resource)
        if case.query:
            case.query.pop("wait_s", None)  # nobody has so much time
        response = case.call(base_url=urls[model], headers={"Authorization": f"Bearer {token(party)}"})
        case.validate_response(response, checks=CHECKS)

    asked()
