"""Seeded consumption and sunshine, made up: a shape of the day and the week, days that differ, and noise that lasts."""

import numpy as np
from scipy.signal import lfilter

from grid_engine.forecasting.profiles import Readings

MONDAY_S = 1_704_067_200
"""2024-01-01 UTC."""
DAY_S = 86_400


def lasting(rng, shape, step_s, memory_s):
    """Noise of variance 1 whose correlation falls with e over `memory_s`."""
    rho = np.exp(-step_s / memory_s)
    noise = rng.standard_normal(shape)
    noise[..., 1:] *= np.sqrt(1 - rho**2)
    return lfilter([1.0], [1, -rho], noise, axis=-1)


def households(count, days, step_s=300, seed=0, noise=0.15):
    rng = np.random.default_rng(seed)
    times = MONDAY_S + step_s * np.arange(days * DAY_S // step_s)
    hour = times % DAY_S / 3600
    off = (times // DAY_S + 3) % 7 > 4
    size, morning, evening, leisure = (
        rng.uniform(low, high, (count, 1)) for low, high in ((500, 5000), (0.3, 1), (0.3, 1.5), (0.7, 1.3))
    )
    shape = 0.4 + morning * np.exp(-(((hour - 8) / 1.5) ** 2)) + evening * np.exp(-(((hour - 19) / 2.2) ** 2))
    mood = np.exp(0.12 * lasting(rng, (count, days), DAY_S, 2 * DAY_S)).repeat(DAY_S // step_s, axis=1)
    value = size * shape * np.where(off, leisure, 1) * mood * np.exp(noise * lasting(rng, shape.shape, step_s, 7200))
    return Readings(tuple(f"L{n}" for n in range(count)), MONDAY_S, step_s, value)


def cloudiness(count, days, step_s=300, seed=0):
    """Shares of clear-sky power between 0.1 and 1, shape (count, n_step): fair or grey by the day, and by the hour."""
    rng = np.random.default_rng(seed)
    steps = days * DAY_S // step_s
    daily = lasting(rng, (count, days), DAY_S, 2 * DAY_S).repeat(DAY_S // step_s, axis=1)
    return 0.1 + 0.9 / (1 + np.exp(-(0.5 + 1.2 * daily + 0.8 * lasting(rng, (count, steps), step_s, 5400))))
