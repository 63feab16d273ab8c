"""Whatever is offered, the schedule holds in pandapower, and no exchange of power would be cheaper and hold too."""

from itertools import permutations

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from grid_engine.dispatch.words import Outcome
from grid_engine.results import Rating
from tests.grid_engine.markets import clear, megawatts, offer
from tests.grid_engine.r1 import LINES, Oracle
from tests.grid_engine.studies import CAPABILITY_MW, der

NAMES = "ABCEG"
STEP_MW = 0.05
FEW = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    return Oracle()


def excess(oracle: Oracle, rating_a: float) -> dict[str, float]:
    """Per asset how far beyond its limit, in tolerances."""
    limits = {name: line[3] for name, line in LINES.items()} | {"L12": rating_a}
    found = {name: (oracle.amperes(name) / limit - 1) / 1.1e-3 for name, limit in limits.items()}
    for n in range(1, 8):
        volts = oracle.voltage(f"B{n}")
        found[f"B{n}"] = max(volts - 1.05, 0.95 - volts) / 1.1e-4
    return found | {name: (oracle.transformer_pct(name) / 100 - 1) / 1.1e-3 for name in ("T1", "T2")}


@given(
    prices=st.permutations([10.0, 20.0, 30.0, 40.0, 50.0]),
    delivery_mw=st.integers(0, 24).map(lambda quarters: quarters / 4),
    scale=st.sampled_from([0.3, 0.8, 1.0]),
    tap=st.integers(-3, -1),
    rating_a=st.sampled_from([60.0, 90.0, 154.2, 300.0]),
)
@FEW
def test_schedule_holds_and_nothing_cheaper_does(
    *, oracle: Oracle, prices: list[float], delivery_mw: float, scale: float, tap: int, rating_a: float
) -> None:
    price = dict(zip(NAMES, prices, strict=True))
    top = {name: CAPABILITY_MW[name][1] for name in NAMES}
    offers = [offer(name, (top[name], price[name])) for name in NAMES]
    members = [der(name, 0.0) for name in NAMES]
    ratings = {"L12": Rating(ampacity_a=rating_a)}
    result = clear(
        delivery_mw, offers, members=members, load_scale=(scale,), taps=tap, ratings=ratings, limit_step_w=1.0
    )
    assert result.outcome in {Outcome.DELIVERED, Outcome.SHORTFALL}
    assume(not result.violations)  # that stand at rest already
    taps = {"T1": tap, "T2": tap}

    def worst(powers: dict[str, float]) -> float:
        return max(excess(oracle.solve(powers, scale=scale, taps=taps), rating_a).values())

    found = megawatts(result)
    assert worst(found) <= 1.0
    cheaper = [
        found | {up: found[up] + STEP_MW, down: found[down] - STEP_MW}
        for up, down in permutations(NAMES, 2)
        if price[up] < price[down] and found[up] + STEP_MW <= top[up] and found[down] >= STEP_MW
    ]
    if result.shortfall_w[0] > 1.0:
        cheaper += [found | {up: found[up] + STEP_MW} for up in NAMES if found[up] + STEP_MW <= top[up]]
    for powers in cheaper:
        assert worst(powers) > 0.0, powers
