"""What is known before meters are asked: means and covariances by hand."""

from dataclasses import replace

import numpy as np
import pytest

from grid_engine.estimation.prior import Customers, customers, read, spread, told
from grid_engine.estimation.words import Doubt, Expected
from grid_engine.flow.pairs import constant_power
from grid_engine.results import Participant
from tests.grid_engine.small import small

DOUBT = Doubt(load=0.5, common=0.3, split=0.1)


def known(**changes):
    """One load of one branch and one of three, 10 kW + 4 kvar and 30 kW + 15 kvar."""
    made = Customers(
        ids=("one", "three"),
        pairs=constant_power(np.arange(4), np.full(4, -1)),
        owner=np.array([0, 1, 1, 1]),
        sign=np.array([-1.0, -1.0]),
        share=np.array([[1, 0.5, 0.25, 0.25], [1, 0.2, 0.4, 0.4]]),
        power=np.array([[-10e3, -30e3], [-4e3, -15e3]]),
        sigma=np.array([[5e3, 12e3], [1e3, 2e3]]),
        metered=np.zeros((2, 2), dtype=bool),
    )
    return replace(made, **changes)


def covariance(of, doubt=DOUBT, region=(0, 0)):
    """Of both customers' watts, then vars."""
    part = spread(of, doubt, np.array(region)).toarray()
    total = np.zeros((4, 8))
    for half in range(2):
        total[2 * half + of.owner, 4 * half + np.arange(4)] = 1
    return total @ part @ part.T @ total.T


def test_active_powers_err_by_themselves_and_together():
    found = covariance(known())
    assert found[0, 0] == pytest.approx(5e3**2 + (0.3 * 10e3) ** 2)
    assert found[1, 1] == pytest.approx(12e3**2 + (0.3 * 30e3) ** 2)
    assert found[0, 1] == pytest.approx(0.3**2 * 10e3 * 30e3)


def test_customers_of_different_regions_do_not_err_together():
    assert covariance(known(), region=(0, 1))[0, 1] == 0


def test_reactive_power_follows_the_error_of_active_power():
    found = covariance(known())
    assert found[2, 2] == pytest.approx((0.4 * 5e3) ** 2 + 1e3**2 + (0.3 * 4e3) ** 2)
    assert found[0, 2] == pytest.approx(0.4 * 5e3**2 + 0.3**2 * 10e3 * 4e3)


def test_branches_differ_without_moving_the_whole():
    quiet = Doubt(load=0.0, common=0.0, split=0.1)
    still = known(sigma=np.full((2, 2), 1e-6))
    assert np.abs(covariance(still, quiet)).max() < 1e-3
    part = spread(still, quiet, np.zeros(2, dtype=int)).toarray()
    moved = part @ part.T
    assert moved[0, 0] < 1e-3
    own = 0.1 * 30e3 * np.array([0.5, 0.25, 0.25])
    shares = np.array([0.5, 0.25, 0.25])
    by_hand = (np.eye(3) - np.outer(shares, np.ones(3))) @ np.diag(own)
    np.testing.assert_allclose(moved[1:4, 1:4], by_hand @ by_hand.T, atol=1e-3)


def test_a_meter_stands_in_place_of_what_is_expected():
    value, sigma = np.array([[-12e3, np.nan], [np.nan, np.nan]]), np.full((2, 2), 200.0)
    metered = read(known(), value, sigma)
    assert metered.power[0].tolist() == [-12e3, -30e3]
    assert metered.power[1, 0] == pytest.approx(-12e3 * 0.4)
    found = covariance(metered)
    assert found[0, 0] == pytest.approx(200**2)
    assert found[0, 1] == 0


def test_a_metered_reactive_power_follows_nothing():
    value, sigma = np.array([[-12e3, np.nan], [-1e3, np.nan]]), np.full((2, 2), 200.0)
    found = covariance(read(known(), value, sigma))
    assert found[2, 2] == pytest.approx(200**2)
    assert found[0, 2] == 0


def test_what_is_told_replaces_what_the_network_says():
    word = {"one": Expected(20e3, 3e3), "three": Expected(3e3, 1e3, 1e3, 500.0), "else": Expected(1.0, 1.0)}
    found = told(known(), word)
    np.testing.assert_allclose(found.power, [[-20e3, -3e3], [-8e3, -1e3]])
    np.testing.assert_allclose(found.sigma, [[3e3, 1e3], [0.1 * np.hypot(20e3, 8e3), 500]])


def test_everybody_is_there_with_the_network_s_powers():
    network = small()
    pv = Participant("pv", "", (5e3,), (5e3,), 0.0, 1e4, unit="roof")
    found = customers(network, (pv,), DOUBT)
    assert found.ids == (*network.loads.ids, *network.units.ids, "pv")
    assert found.sign.tolist() == [-1, -1, -1, 1, 1]
    np.testing.assert_allclose(found.power[0, :3], -network.loads.power_va.real.sum(axis=1) * network.loads.in_service)
    assert found.power[:, 3:].tolist() == [[0, 0], [0, 0]]
    for part in range(2):
        np.testing.assert_allclose(np.bincount(found.owner, found.share[part]), 1)
    assert (found.sigma >= 1).all()
