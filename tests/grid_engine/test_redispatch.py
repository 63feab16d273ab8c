"""Network and offers together on R1: what enumeration over pandapower's states with the order of merit gives."""

import pytest

from grid_engine.dispatch.operation_words import CapacitorSwitch, Controls, MarketPlan, RemoteSwitch, TapChanger
from grid_engine.dispatch.redispatch import redispatch
from grid_engine.dispatch.words import Market, Outcome
from tests.grid_engine.markets import EVERYONE, LIMITS, offer, study
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import NETWORK

ALL = Controls(
    (TapChanger("LTC", ("T1", "T2")),), (CapacitorSwitch("C1"),), (RemoteSwitch("SW12"), RemoteSwitch("SWT"))
)


def plan(delivery_mw: float, **more: object) -> MarketPlan:
    return redispatch(NETWORK, Market(study(), EVERYONE, (delivery_mw * 1e6,), limits=LIMITS), ALL, **more)


def test_network_is_left_alone_where_redispatch_is_cheaper() -> None:
    result = plan(3.0)
    assert result.outcome is Outcome.DELIVERED
    assert result.options[0].operations == ()
    assert result.options[0].cost == pytest.approx(125.0 / 12)
    assert result.complete


def test_network_is_switched_where_that_is_cheaper_than_falling_short() -> None:
    result = plan(6.9)
    assert [operation.device for operation in result.options[0].operations] == ["SWT", "SW12"]
    assert result.outcome is Outcome.DELIVERED
    oracle = Oracle()
    moved = {"SW12": False, "SWT": True}
    room_mw = bisect(
        lambda p: oracle.solve({"A": p, "B": 4.0, "C": 2.0, "D": 1.4, "E": 1.0}, closed=moved).holds(), 0, 2.5
    )
    assert room_mw == pytest.approx(2.5, abs=1e-4)
    cost_per_h = 2.5 * 30 + 45 + 55 + 65 + 1.4 * 120
    assert result.options[0].cost == pytest.approx(20.0 + cost_per_h / 12)
    assert result.untouched is not None
    assert result.untouched.schedule.outcome is Outcome.SHORTFALL


def test_impossible_market_is_refused_with_the_reason() -> None:
    market = Market(study(), (offer("X", (1, 1)),), (1e6,))
    result = redispatch(NETWORK, market, ALL)
    assert result.outcome is Outcome.BAD_INPUT
    assert "X: not a participant" in result.detail
