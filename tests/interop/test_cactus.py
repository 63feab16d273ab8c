"""cactus-client, the CSIP-AUS conformance harness, against gateways of ours: one test per procedure of its suite.

Every procedure runs with `--strict`, so that a warning fails it, but for one that always warns. All of them run
in the fixture, on several gateways at once; a test looks at the verdict on one.
"""

import asyncio
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.interop.cactus.runs import Procedure, Verdict, run_all
from tests.interop.cactus.site import AGGREGATOR, DIRECT, OTHER_DIRECT
from tests.interop.environments import need

pytestmark = [pytest.mark.interop, pytest.mark.sockets]

LONG = ("S-ALL-41", "S-ALL-46", "S-ALL-04", "S-ALL-06", "S-ALL-42")
WARNS = "S-ALL-49"
"""It looks for one of two programs by primacy and warns of the other, which it has asked for itself."""
THREE_DAYS = "S-ALL-50"
SHORTENED = (("AMPACITY_SIMULATIONS", "4"), ("AMPACITY_SIMULATION_S", "10"))
"""Four rounds, ten seconds apart, instead of 4,320 a minute apart."""
TOGETHER = {"S-ALL-04": (DIRECT, OTHER_DIRECT), "S-ALL-05": (DIRECT, OTHER_DIRECT), "S-ALL-52": (DIRECT, OTHER_DIRECT)}
AGGREGATED = frozenset(f"S-ALL-{number:02}" for number in (3, *range(25, 41), 46, 57))
"""For an aggregator; every other procedure is for a direct client or leaves the choice."""
NAMES = (
    *(f"S-ALL-{number:02}" for number in range(1, 58) if number != 54),
    *(f"S-OPT-{number:02}" for number in range(1, 6)),
)


def _procedure(name: str) -> Procedure:
    clients = TOGETHER.get(name, (AGGREGATOR if name in AGGREGATED else DIRECT,))
    shortened = SHORTENED if name == THREE_DAYS else ()
    return Procedure(name, clients, strict=name != WARNS, environment=shortened, long=name in LONG)


@pytest.fixture(scope="module")
def programs() -> Path:
    """Where cactus-client lies."""
    return need("cactus")


@pytest.fixture(scope="module")
def verdicts(
    programs: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Mapping[str, Verdict]:
    """Of the procedures whose tests have been chosen."""
    chosen = {item.callspec.params["name"] for item in request.session.items if "name" in _params(item)}
    procedures = [_procedure(name) for name in NAMES if name in chosen]
    return asyncio.run(run_all(programs, tmp_path_factory.mktemp("cactus"), procedures))


def _params(item: pytest.Item) -> Mapping[str, object]:
    callspec = getattr(item, "callspec", None)
    return {} if callspec is None else callspec.params


def test_these_are_all_the_procedures_that_there_are(programs: Path):
    listing = (
        "import json; from cactus_test_definitions.server import test_procedures as t;"
        "print(json.dumps([[p.value, [c.client_type for c in t.get_test_procedure(p).preconditions.required_clients]]"
        " for p in t.TestProcedureId]))"
    )
    done = subprocess.run([programs / "python", "-c", listing], capture_output=True, text=True, check=True)
    wanted = dict(json.loads(done.stdout))
    assert sorted(wanted) == sorted(NAMES)
    assert {name for name, clients in wanted.items() if "aggregator" in clients} == AGGREGATED
    assert {name for name, clients in wanted.items() if len(clients) > 1} == set(TOGETHER)


@pytest.mark.parametrize("name", NAMES)
def test_a_procedure_passes(verdicts: Mapping[str, Verdict], name: str):
    verdict = verdicts[name]
    assert verdict.status == 0, verdict.report
    if name == WARNS:
        assert verdict.warnings
        assert all("Skipping DERProgram" in warning for warning in verdict.warnings), verdict.warnings
