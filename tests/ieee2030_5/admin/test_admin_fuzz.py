"""Whatever is sent to the admin API, it answers as its OpenAPI document says, and never with a 5xx."""

from collections.abc import Iterator

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

from ieee2030_5.admin.api import Endpoint
from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.endpoints import ADMIN, ENDPOINTS
from ieee2030_5.admin.openapi import document
from ieee2030_5.enrolment import build
from ieee2030_5.settings import AdminSettings
from ieee2030_5.tree import Tree
from tests.ieee2030_5.admin.background import serving
from tests.ieee2030_5.admin.conftest import T0, TOKEN
from tests.ieee2030_5.conftest import Laboratory

pytestmark = pytest.mark.sockets

SCHEMA = from_dict(document("1", ADMIN))
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture(scope="module")
def url(laboratory: Laboratory) -> Iterator[str]:
    tree = Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), lambda _: None)
    with serving(lambda: Desk(tree, frozenset({"A"}), T0), AdminSettings(TOKEN)) as url:
        yield url


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_one_that_the_document_describes(url: str, row: Endpoint[Desk], mode: GenerationMode) -> None:
    operation = SCHEMA[f"/v1{row.path}"][row.method]

    @settings(max_examples=6, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case: Case) -> None:
        response = case.call(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"})
        case.validate_response(response, checks=CHECKS)

    asked()
