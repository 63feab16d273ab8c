"""Joint envelopes on R1 as an answer: what pandapower says to their corners, and that they repeat."""

from itertools import product

import pytest

from gateway.engine import timed
from grid_engine.joint import answer
from grid_engine.results import Purpose, Status, Study
from tests.grid_engine.r1 import Oracle
from tests.grid_engine.studies import NETWORK, der

MEMBERS = (der("A", 0), der("B", 0), der("C", 0))


def study(**more):
    return Study("ahead", Purpose.JOINT, 1, MEMBERS, margin_pct=0.0, **more)


@pytest.fixture(scope="module")
def found():
    return answer(NETWORK, study())


def test_every_corner_of_the_envelopes_holds(found):
    assert (found.status, found.proof_violations) == (Status.SOLVED, 0)
    assert found.proof_runs >= 200
    oracle = Oracle()
    box = {e.resource: (e.floor_w / 1e6, e.ceiling_w / 1e6) for e in found.envelopes}
    for corner in product(*box.values()):
        assert oracle.solve(dict(zip(box, corner, strict=True))).holds(), corner


def test_they_are_not_smaller_than_they_have_to_be(found):
    oracle = Oracle()
    more = {e.resource: e.ceiling_w / 1e6 + 0.05 for e in found.envelopes}
    assert not oracle.solve(more).holds()
    tight = [e for e in found.envelopes if e.binding is not None]
    assert "L12" in {e.binding.asset_id for e in tight}


def test_the_same_question_has_the_same_answer(found):
    assert answer(NETWORK, study()) == found


def test_without_time_the_equal_share_is_the_answer():
    late = timed(NETWORK, study(), deadline_s=0.0)
    assert (late.status, late.proof_violations) == (Status.SOLVED, 0)
    parts = [e.ceiling_w / p.ceiling_w for e, p in zip(late.envelopes, MEMBERS, strict=True)]
    assert max(parts) - min(parts) < 0.02
    assert min(parts) > 0.1


def test_a_rule_that_does_not_exist_is_a_failed_study_that_says_so():
    broken = timed(NETWORK, study(sharing="by beauty"))
    assert broken.status is Status.NOT_CONVERGED
    assert "by beauty" in broken.detail
