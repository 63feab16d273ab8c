"""Whatever the request, the answer's limits hold in pandapower, and are not needlessly tight."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid_engine.results import Answer, Purpose, Rating, Status
from tests.grid_engine.r1 import LINES, Oracle
from tests.grid_engine.studies import CAPABILITY_MW, ask, der

TOLERANCE = {"A": 1.1e-3, "pu": 1.1e-4}
STEP_MW = 0.01
FEW = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


def power(name: str) -> st.SearchStrategy[float]:
    low, high = CAPABILITY_MW[name]
    return st.integers(round(low * 10), round(high * 10)).map(lambda tenths: tenths / 10)


def powers(names: str) -> st.SearchStrategy[dict[str, float]]:
    return st.fixed_dictionaries({name: power(name) for name in names})


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


def excess(oracle: Oracle, ratings_a: dict[str, float]) -> dict[str, float]:
    """Per asset how far beyond its limit, in tolerances; transformers by percent."""
    found = {
        name: (oracle.amperes(name) / limit - 1) / TOLERANCE["A"]
        for name, limit in ({n: v[3] for n, v in LINES.items()} | ratings_a).items()
    }
    for n in range(1, 8):
        volts = oracle.voltage(f"B{n}")
        found[f"B{n}"] = max(volts - 1.05, 0.95 - volts) / TOLERANCE["pu"]
    for name in ("T1", "T2"):
        found[name] = (oracle.transformer_pct(name) / 100 - 1) / TOLERANCE["A"]
    return found


def obeyed(result: Answer, wanted_mw: dict[str, float]) -> dict[str, float]:
    allowed = dict(wanted_mw)
    for e in result.envelopes:
        allowed[e.resource] = min(max(allowed[e.resource], e.floor_w / 1e6), e.ceiling_w / 1e6)
    return allowed


@given(
    held=powers("ABCG"),
    requested=powers("ABCG"),
    scale=st.sampled_from([0.3, 0.8, 1.0, 1.2]),
    tap=st.integers(-3, 1),
    rating_a=st.sampled_from([90.0, 120.0, 154.2, 300.0]),
)
@FEW
def test_obeyed_limits_leave_no_violation_that_was_not_there(
    *, oracle: Oracle, held: dict[str, float], requested: dict[str, float], scale: float, tap: int, rating_a: float
) -> None:
    members = [der(name, held[name], requested[name]) for name in held]
    rated = {"L12": rating_a}
    result = ask(*members, load_scale=(scale,), taps=tap, ratings={"L12": Rating(ampacity_a=rating_a)})
    assert result.status is Status.SOLVED
    taps = {"T1": tap, "T2": tap}

    def beyond(der_mw: dict[str, float]) -> dict[str, float]:
        return excess(oracle.solve(der_mw, scale=scale, taps=taps), rated)

    limited = {e.resource for e in result.envelopes}
    without = {name: 0.0 if name in limited else p_mw for name, p_mw in requested.items()}
    unavoidable = [beyond(held), beyond(dict.fromkeys(held, 0.0)), beyond(without)]
    after = beyond(obeyed(result, requested))
    for asset, tolerances in after.items():
        assert tolerances <= max(1.0, *(before[asset] + 1 for before in unavoidable)), asset
    before = beyond(requested)
    assert {v.asset_id for v in result.violations} == {asset for asset, n in before.items() if n > 1}


@given(
    held=powers("ABG"),
    scale=st.sampled_from([0.3, 0.8, 1.0]),
    tap=st.integers(-3, -1),
    rating_a=st.sampled_from([120.0, 154.2, 300.0]),
)
@FEW
def test_residual_envelope_reaches_exactly_to_the_limit(
    oracle: Oracle, held: dict[str, float], scale: float, tap: int, rating_a: float
) -> None:
    rated = {"L12": rating_a}
    ratings = {"L12": Rating(ampacity_a=rating_a)}
    members = [der(name, p) for name, p in held.items()]
    taps = {"T1": tap, "T2": tap}
    if max(excess(oracle.solve(held, scale=scale, taps=taps), rated).values()) > 0:
        return
    result = ask(*members, purpose=Purpose.ENVELOPE, load_scale=(scale,), taps=tap, ratings=ratings)
    for e in result.envelopes:
        low, high = CAPABILITY_MW[e.resource]
        for limit_mw, outward, end in ((e.ceiling_w / 1e6, STEP_MW, high), (e.floor_w / 1e6, -STEP_MW, low)):
            at = excess(oracle.solve(held | {e.resource: limit_mw}, scale=scale, taps=taps), rated)
            if limit_mw:  # nothing is always inside, whatever it does to the network
                assert max(at.values()) <= 1, (e.resource, limit_mw)
            if abs(limit_mw - end) > 1e-9:
                further = excess(oracle.solve(held | {e.resource: limit_mw + outward}, scale=scale, taps=taps), rated)
                assert max(further.values()) > 0, (e.resource, limit_mw)
