"""Whatever is sent to the operator's API, it answers as its OpenAPI document says, and never with a 5xx."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.openapi import from_dict
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from gateway.console.endpoints import ENDPOINTS, OPERATOR
from gateway.console.seat import Seat
from ieee2030_5.admin import token
from ieee2030_5.admin.api import Endpoint
from ieee2030_5.admin.openapi import document
from tests.gateway.console.office import Office, office

pytestmark = pytest.mark.sockets

SCHEMA = from_dict(document("1", OPERATOR))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    directory: Path = tmp_path_factory.mktemp("console")
    with office(directory) as room:
        yield room


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_document_describes(
    room: Office, row: Endpoint[Seat], mode: GenerationMode
) -> None:
    operation = SCHEMA[f"/v1{row.path}"][row.method]
    secret = token.read(room.directory, {})

    @settings(max_examples=6, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case: Case) -> None:
        response = case.call(base_url=room.url, headers={"Authorization": f"Bearer {secret}"}, timeout=120)
        case.validate_response(response, checks=CHECKS)

    asked()
