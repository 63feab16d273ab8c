"""The law of one pair, for compiled code: what `pairs` says, number by number.

A law is a row of `LAW` numbers: parts of active power, parts of reactive power, two exponents, the band,
the low voltage, the factors above the band, then start and rise of the current below it; the last three
for active and reactive power. A factor is f(v) / v², that of a constant admittance.
"""

import numpy as np

from grid_engine.flow.kernel.jit import compiled
from grid_engine.model import FloatArray

LAW = 17
LOWEST, HIGHEST, LOW, ABOVE, START, RISE = 8, 9, 10, 11, 13, 15
"""Where the numbers stand that the band needs."""


@compiled
def factor(law: FloatArray, reactive: int, voltage: float) -> float:
    """At a voltage over nominal; 1 for `reactive` power, else 0."""
    if voltage > law[HIGHEST]:
        return float(law[ABOVE + reactive])
    if voltage >= law[LOWEST]:
        return inside(law, reactive, voltage)
    if voltage < law[LOW]:
        return 1.0
    return float(law[START + reactive] / voltage + law[RISE + reactive])


@compiled
def slope(law: FloatArray, reactive: int, voltage: float) -> float:
    """How the factor changes with the voltage."""
    if voltage > law[HIGHEST] or voltage < law[LOW]:
        return 0.0
    if voltage < law[LOWEST]:
        return float(-law[START + reactive] / voltage**2)
    exponent = law[6 + reactive]
    if not np.isnan(exponent):
        return float((exponent - 2.0) * voltage ** (exponent - 3.0))
    parts = 3 * reactive
    return float(-law[parts + 1] / voltage**2 - 2.0 * law[parts + 2] / voltage**3)


@compiled
def inside(law: FloatArray, reactive: int, voltage: float) -> float:
    """The factor at a voltage inside the band."""
    exponent = law[6 + reactive]
    if not np.isnan(exponent):
        return float(voltage ** (exponent - 2.0))
    parts = 3 * reactive
    return float(law[parts] + law[parts + 1] / voltage + law[parts + 2] / voltage**2)


@compiled
def factors(law: FloatArray, voltage: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Factors of active and of reactive power for laws (n, LAW) at voltages (n, n_case)."""
    active, reactive = np.empty_like(voltage), np.empty_like(voltage)
    for n in range(len(law)):
        for case in range(voltage.shape[1]):
            active[n, case] = factor(law[n], 0, voltage[n, case])
            reactive[n, case] = factor(law[n], 1, voltage[n, case])
    return active, reactive


@compiled
def slopes(law: FloatArray, voltage: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How `factors` change with the voltages."""
    active, reactive = np.empty_like(voltage), np.empty_like(voltage)
    for n in range(len(law)):
        for case in range(voltage.shape[1]):
            active[n, case] = slope(law[n], 0, voltage[n, case])
            reactive[n, case] = slope(law[n], 1, voltage[n, case])
    return active, reactive
