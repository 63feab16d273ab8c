"""The update beside textbook weighted least squares over errors and readings as one overdetermined system."""

import numpy as np
import pytest

from grid_engine.estimation.update import evidence, normalised, update

RNG = np.random.default_rng(4)
M, N = 7, 12
SLOPES = RNG.standard_normal((M, N))
VALUE = 3 * RNG.standard_normal(M)
ALL = np.concatenate([np.eye(N), SLOPES])
"""Errors are readings of 0 with variance 1; then the readings themselves."""
COVARIANCE = np.linalg.inv(ALL.T @ ALL)
RESIDUAL_COVARIANCE = np.eye(N + M) - ALL @ COVARIANCE @ ALL.T


def test_it_is_least_squares():
    best, *_ = np.linalg.lstsq(ALL, np.concatenate([np.zeros(N), VALUE]), rcond=None)
    found = update(SLOPES, VALUE)
    np.testing.assert_allclose(found.errors, best)
    np.testing.assert_allclose(found.disagreement, VALUE - SLOPES @ best)


def test_what_readings_explain_and_check_are_those_of_the_residuals_covariance():
    found = update(SLOPES, VALUE)
    np.testing.assert_allclose(found.explained(), np.diag(RESIDUAL_COVARIANCE)[:N])
    np.testing.assert_allclose(found.checked(), np.diag(RESIDUAL_COVARIANCE)[N:])


def test_normalised_residuals_of_pure_noise_have_variance_one():
    many = [update(SLOPES, SLOPES @ RNG.standard_normal(N) + RNG.standard_normal(M)) for _ in range(4000)]
    sizes = np.array([normalised(one.disagreement, one.checked()) for one in many])
    np.testing.assert_allclose(np.mean(sizes**2, axis=0), 1, rtol=0.12)
    of_errors = np.array([normalised(one.errors, one.explained()) for one in many])
    np.testing.assert_allclose(np.mean(of_errors**2, axis=0), 1, rtol=0.12)


def test_the_largest_normalised_residual_is_that_of_a_single_gross_error():
    for bad in range(M):
        value = np.zeros(M)
        value[bad] = 30
        found = update(SLOPES, value)
        assert np.argmax(normalised(found.disagreement, found.checked())) == bad
        assert np.argmax(evidence(found.disagreement, found.checked())) == bad


def test_of_equal_residuals_the_smaller_error_explains_better():
    """Both are 8 times their deviation; one is checked to a quarter and wrong by 16, the other by 800 sigmas."""
    weight = evidence(np.array([4.0, 0.08]), np.array([0.25, 1e-4]))
    assert weight[0] > weight[1]
    assert normalised(np.array([4.0, 0.08]), np.array([0.25, 1e-4])) == pytest.approx([8, 8])


def test_what_nothing_checks_is_never_bad():
    assert normalised(np.array([5.0]), np.array([1e-9])).tolist() == [0]


def test_samples_have_the_covariance_of_the_estimate():
    before, after = update(SLOPES, VALUE).sampled(40_000, np.random.default_rng(1))
    np.testing.assert_allclose(before @ before.T / 40_000, np.eye(N), atol=0.04)
    np.testing.assert_allclose(after @ after.T / 40_000, COVARIANCE, atol=0.03)


def test_without_readings_nothing_is_learnt():
    found = update(np.zeros((0, N)), np.zeros(0))
    assert not found.errors.any()
    assert not found.explained().any()
    before, after = found.sampled(3, np.random.default_rng(1))
    np.testing.assert_array_equal(before, after)
