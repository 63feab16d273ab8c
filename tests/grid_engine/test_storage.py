"""Energy of stores, on numbers worked out by hand."""

import pytest

from grid_engine.dispatch.storage import reach_w, schedule
from grid_engine.dispatch.words import Store

STORE = Store(capacity_wh=5e6, charge_wh=2e6, charge_min_wh=0.5e6, efficiency_in=0.95, efficiency_out=0.95)


def test_store_holds_its_power_until_its_energy_ends() -> None:
    held = schedule(STORE, [1.2e6] * 17, 300.0)
    assert [round(h.power_w) for h in held] == [*[1_200_000] * 14, 300_000, 0, 0]
    assert held[-1].charge_wh == pytest.approx(0.5e6)


def test_store_takes_in_until_it_is_full() -> None:
    held = schedule(STORE, [-2e6] * 3, 3600.0)
    assert [h.power_w for h in held] == pytest.approx([-2e6, -1.1e6 / 0.95, 0.0])
    assert held[-1].charge_wh == pytest.approx(5e6)


def test_store_below_its_least_charge_gives_nothing() -> None:
    empty = Store(capacity_wh=5e6, charge_wh=0.2e6, charge_min_wh=0.5e6)
    assert [h.power_w for h in schedule(empty, [1e6, -0.4e6, 1e6], 3600.0)] == pytest.approx([0.0, -0.4e6, 0.1e6])


def test_reach_is_the_power_that_lasts() -> None:
    assert reach_w(STORE, 0.5) == pytest.approx((-3e6 / 0.95 / 0.5, 1.5e6 * 0.95 / 0.5))
    lasting = reach_w(STORE, 0.5)[1]
    assert [h.power_w for h in schedule(STORE, [lasting] * 6, 300.0)] == pytest.approx([lasting] * 6)
