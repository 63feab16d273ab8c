"""Newton's method for one case, with the Jacobian factorised anew at every step and steps damped."""

import numpy as np

from grid_engine.flow.kernel import blocks
from grid_engine.flow.kernel.jit import compiled
from grid_engine.flow.kernel.law import factor, slope
from grid_engine.flow.kernel.network import IndexArray, Reduced
from grid_engine.model import FloatArray

_STEPS = 40
_SHORTEST = 1 / 512
_ROUNDING = 1e-8
"""Per unit: a step this short that does not get shorter is rounding, as beside sources of very large admittance."""


@compiled
def newton(
    net: Reduced, power: FloatArray, choice: IndexArray, v: FloatArray, tolerance: float
) -> tuple[int, FloatArray]:
    """Replace the start `v`, shape (n, 2), by the solution.

    Steps are halved until the next step would be shorter, measured in the same Jacobian: P. Deuflhard,
    Newton Methods for Nonlinear Problems, 2004.

    Args:
        net: The network.
        power: Shape (n_pair, 2): injection per unit, active and reactive.
        choice: Shape (n_choice,): state of each element that has several.
        v: Where to start; where it ended if it did not converge.
        tolerance: Length of the last step, in per unit.

    Returns:
        The number of steps, negative if it did not converge, and the length of the last one at each row (n,).
    """
    moved = np.zeros(len(v))
    for count in range(1, _STEPS + 1):
        step, block = mismatch(net, power, choice, v), jacobian(net, power, choice, v)
        factors = blocks.factorised(net.plan, net.places, block)
        blocks.solve(net.plan, factors, step)
        length, longest = _lengths(step, moved)
        if not np.isfinite(length):
            return -count, _stuck(net, block, factors.inverse, moved)
        share = 1.0
        while longest >= tolerance:
            then = mismatch(net, power, choice, _ahead(v, step, share))
            blocks.solve(net.plan, factors, then)
            if _lengths(then, np.empty(len(v)))[0] <= (1.0 - share / 2) * length:
                break
            share /= 2
            if share < _SHORTEST:
                if longest < _ROUNDING:
                    return count, moved
                return -count, _stuck(net, block, factors.inverse, moved)
        _keep(v, _ahead(v, step, share))
        if longest < tolerance:
            return count, moved
    return -_STEPS, moved


@compiled
def _lengths(step: FloatArray, moved: FloatArray) -> tuple[float, float]:
    """Length of a step and of its longest part; fills in those of all parts."""
    total, longest = 0.0, 0.0
    for i in range(len(step)):
        square = step[i, 0] ** 2 + step[i, 1] ** 2
        moved[i] = np.sqrt(square)
        longest = max(longest, moved[i])
        total += square
    return np.sqrt(total), longest


@compiled
def _ahead(v: FloatArray, step: FloatArray, share: float) -> FloatArray:
    result = np.empty_like(v)
    for i in range(len(v)):
        for part in range(2):
            result[i, part] = v[i, part] - share * step[i, part]
    return result


@compiled
def _keep(v: FloatArray, value: FloatArray) -> None:
    for i in range(len(v)):
        v[i, 0], v[i, 1] = value[i, 0], value[i, 1]


@compiled
def unpinned(net: Reduced, block: FloatArray, inverse: FloatArray) -> int:
    """The first row whose voltage nothing but rounding pins in a matrix and its factors' inverses, or -1."""
    for i in range(len(net.source)):
        size = 0.0
        for p in range(net.places.start[i], net.places.start[i + 1]):
            if net.places.column[p] == i:
                size = abs(block[p, 0]) + abs(block[p, 1])
        left = 1.0 / (abs(inverse[i, 0]) + abs(inverse[i, 1]))
        if not left > blocks.UNPINNED * size:
            return i
    return -1


@compiled
def _stuck(net: Reduced, block: FloatArray, inverse: FloatArray, moved: FloatArray) -> FloatArray:
    """Infinite at a row that nothing pins, or else where the step is no number; else as it moved."""
    n = len(moved)
    loose = unpinned(net, block, inverse)
    if loose >= 0:
        return _only(loose, n)
    for i in range(n):
        if not np.isfinite(moved[i]):
            return _only(i, n)
    return moved


@compiled
def _only(row: int, n: int) -> FloatArray:
    result = np.zeros(n)
    result[row] = np.inf
    return result


@compiled
def mismatch(net: Reduced, power: FloatArray, choice: IndexArray, v: FloatArray) -> FloatArray:
    """Shape (n, 2): current that the network draws at each row, less what sources and pairs inject."""
    n = len(v)
    result = np.zeros((n + 1, 2))
    for i in range(n):
        real, imaginary = -net.source[i, 0], -net.source[i, 1]
        for p in range(net.places.start[i], net.places.start[i + 1]):
            m, a = net.block[p], v[net.places.column[p]]
            real += m[0] * a[0] + m[1] * a[1]
            imaginary += m[2] * a[0] + m[3] * a[1]
        result[i, 0], result[i, 1] = real, imaginary
    pairs = net.branches
    for k in range(len(power)):
        a, b, weight = pairs.first[k], pairs.second[k], pairs.weight[k]
        real, imaginary = _across(v, a, b, weight)
        active, reactive = _drive(pairs.law[k], power[k], np.hypot(real, imaginary))
        current = (active * real + reactive * imaginary, active * imaginary - reactive * real)
        for part in range(2):
            result[a, part] -= weight[0] * current[part]
            result[b, part] += weight[1] * current[part]
    _vary(net, choice, v, result)
    return result[:n]


@compiled
def jacobian(net: Reduced, power: FloatArray, choice: IndexArray, v: FloatArray) -> FloatArray:
    """Shape (n_entry, 4): how the mismatch changes with the voltages."""
    return _with_slopes(net, pair_slopes(net, power, v), choice)


@compiled
def first_guess(net: Reduced, power: FloatArray, choice: IndexArray) -> FloatArray:
    """Shape (n, 2): voltages if every pair were the impedance that takes its power at nominal voltage."""
    pairs = net.branches
    slopes = np.zeros((len(power), 4))
    for k in range(len(power)):
        weight = max(pairs.weight[k, 0], pairs.weight[k, 1])
        if weight > 0.0:
            active, reactive = power[k, 0] / weight**2, power[k, 1] / weight**2
            slopes[k, 0], slopes[k, 1], slopes[k, 2], slopes[k, 3] = active, reactive, -reactive, active
    v = net.source.copy()
    blocks.solve(net.plan, blocks.factorised(net.plan, net.places, _with_slopes(net, slopes, choice)), v)
    return v


@compiled
def _with_slopes(net: Reduced, slopes: FloatArray, choice: IndexArray) -> FloatArray:
    """Blocks of the matrix with elements as chosen, less slopes (n_pair, 4) of the pairs' currents."""
    block = net.block.copy()
    pairs = net.branches
    for k in range(len(slopes)):
        w = pairs.weight[k]
        for place, by in ((0, w[0] * w[0]), (1, -w[0] * w[1]), (2, -w[0] * w[1]), (3, w[1] * w[1])):
            if pairs.slot[k, place] >= 0:
                block[pairs.slot[k, place]] -= by * slopes[k]
    choices = net.choices
    for i in range(len(choice)):
        m = choices.start[i + 1] - choices.start[i]
        state = choices.table[i] + choice[i] * m * m
        for p in range(m * m):
            real, imaginary = choices.change[state + p]
            entry = block[choices.slot[choices.slot_start[i] + p]]
            entry[0] += real
            entry[1] -= imaginary
            entry[2] += imaginary
            entry[3] += real
    return block


@compiled
def pair_slopes(net: Reduced, power: FloatArray, v: FloatArray) -> FloatArray:
    """Shape (n_pair, 4): how each pair's current changes with the voltage across it over nominal."""
    pairs = net.branches
    result = np.zeros((len(power), 4))
    for k in range(len(power)):
        if power[k, 0] == 0.0 and power[k, 1] == 0.0:
            continue
        real, imaginary = _across(v, pairs.first[k], pairs.second[k], pairs.weight[k])
        size = np.hypot(real, imaginary)
        active, reactive = _drive(pairs.law[k], power[k], size)
        more = power[k, 0] * slope(pairs.law[k], 0, size) / size
        turn = power[k, 1] * slope(pairs.law[k], 1, size) / size
        by_real, by_imaginary = more * real + turn * imaginary, more * imaginary - turn * real
        result[k, 0] = active + by_real * real
        result[k, 1] = reactive + by_real * imaginary
        result[k, 2] = -reactive + by_imaginary * real
        result[k, 3] = active + by_imaginary * imaginary
    return result


@compiled
def _across(v: FloatArray, a: int, b: int, weight: FloatArray) -> tuple[float, float]:
    """Voltage across a pair over nominal; one end may be the earth, row n."""
    real, imaginary = 0.0, 0.0
    if a < len(v):
        real, imaginary = weight[0] * v[a, 0], weight[0] * v[a, 1]
    if b < len(v):
        real, imaginary = real - weight[1] * v[b, 0], imaginary - weight[1] * v[b, 1]
    return real, imaginary


@compiled
def _drive(law: FloatArray, power: FloatArray, voltage: float) -> tuple[float, float]:
    """Conductance and susceptance, less its sign, that stand for the pair at this voltage."""
    if power[0] == 0.0 and power[1] == 0.0:
        return 0.0, 0.0
    return power[0] * factor(law, 0, voltage), power[1] * factor(law, 1, voltage)


@compiled
def _vary(net: Reduced, choice: IndexArray, v: FloatArray, result: FloatArray) -> None:
    choices = net.choices
    for i in range(len(choice)):
        first = choices.start[i]
        m = choices.start[i + 1] - first
        place = choices.table[i] + choice[i] * m * m
        for a in range(m):
            row = choices.row[first + a]
            for b in range(m):
                real, imaginary = choices.change[place + a * m + b]
                other = v[choices.row[first + b]]
                result[row, 0] += real * other[0] - imaginary * other[1]
                result[row, 1] += imaginary * other[0] + real * other[1]
