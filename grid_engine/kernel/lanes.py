"""Batches with a constant Jacobian, eight cases side by side: the loops that all speed depends on, for numba.

Every case iterates v = J⁻¹ (source + i(v) - i'(base)·v), Newton's method with the Jacobian J of the base
case held fast (the chord method). `lanes.c` says the same in C; both must change together. Rows of work
arrays hold eight real parts, then eight imaginary ones.
"""

import numpy as np

from grid_engine.kernel.jit import compiled
from grid_engine.kernel.law import ABOVE, HIGHEST, LOW, LOWEST, RISE, factor
from grid_engine.kernel.network import Cases, Chord, IndexArray, Output, Triangles
from grid_engine.model import ComplexArray, FloatArray

LANES = 8
CONSTANT_POWER, PARTS, GENERAL = 0, 1, 2
"""Kinds of law: no exponents and only power; no exponents; anything."""

_LEAST = 1e-3
"""Of the tolerance: a step this short counts as converged however slowly steps shrink; they may be rounding."""


@compiled
def batch(chord: Chord, cases: Cases, span: tuple[int, int], output: Output) -> None:
    """Solve the cases from the first of `span` to the one before the last."""
    n = len(chord.source)
    v, x = np.zeros((n + 1, 2 * LANES)), np.zeros((n + 1, 2 * LANES))
    s = np.zeros((len(chord.first), 2 * LANES))
    error, before, total = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    for case in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - case)
        _load(chord.scale, cases.power, case, width, s)
        for i in range(n):
            for w in range(LANES):
                v[i, w], v[i, LANES + w] = chord.base[i, 0], chord.base[i, 1]
        before[:] = np.inf
        for count in range(1, cases.limit + 1):
            _inject(chord, s, v, x)
            _vary(chord, cases.choice[:, case : case + width], v, x)
            error[:], total[:] = 0.0, 0.0
            _substitute(chord.factors, x, v, error, total)
            if not _waiting((error, total, before), (case, width, count), cases.tolerance, output):
                break
        _recover(chord, v, case, width, output)


@compiled
def _waiting(
    steps: tuple[FloatArray, FloatArray, FloatArray], at: tuple[int, int, int], tolerance: float, output: Output
) -> bool:
    """Whether any case needs another iteration; takes down what was reached."""
    error, total, before = steps
    case, width, count = at
    result = False
    for w in range(width):
        length = np.sqrt(error[w])
        slow = max(1.0 - length / before[w], _LEAST)
        before[w] = length
        output.converged[case + w] = np.isfinite(total[w]) and length < tolerance * slow
        if np.isfinite(total[w]):
            output.iterations[case + w] = count
            result |= not output.converged[case + w]
    return result


@compiled
def _load(scale: FloatArray, power: ComplexArray, case: int, width: int, s: FloatArray) -> None:
    for k in range(len(s)):
        for w in range(width):
            s[k, w] = power[k, case + w].real * scale[k]
            s[k, LANES + w] = power[k, case + w].imag * scale[k]
        for w in range(width, LANES):
            s[k, w], s[k, LANES + w] = 0.0, 0.0


@compiled
def _inject(chord: Chord, s: FloatArray, v: FloatArray, x: FloatArray) -> None:
    """What sources and pairs inject beyond what the Jacobian contains."""
    for i in range(len(chord.source)):
        for w in range(LANES):
            x[i, w], x[i, LANES + w] = chord.source[i, 0], chord.source[i, 1]
    drive = np.empty(2 * LANES)
    for k in range(len(s)):
        a, b, one, two = chord.first[k], chord.second[k], chord.weight[k, 0], chord.weight[k, 1]
        for w in range(LANES):
            r = one * v[a, w] - two * v[b, w]
            i = one * v[a, LANES + w] - two * v[b, LANES + w]
            drive[w] = r * r + i * i
        _drive(chord.law[k], chord.kind[k], drive)
        d0, d1, d2, d3 = chord.slope[k, 0], chord.slope[k, 1], chord.slope[k, 2], chord.slope[k, 3]
        for w in range(LANES):
            r = one * v[a, w] - two * v[b, w]
            i = one * v[a, LANES + w] - two * v[b, LANES + w]
            p, q = s[k, w] * drive[w], s[k, LANES + w] * drive[LANES + w]
            real = p * r + q * i - (d0 * r + d1 * i)
            imaginary = p * i - q * r - (d2 * r + d3 * i)
            x[a, w] += one * real
            x[a, LANES + w] += one * imaginary
            x[b, w] -= two * real
            x[b, LANES + w] -= two * imaginary


@compiled
def _drive(law: FloatArray, kind: int, drive: FloatArray) -> None:
    """From squares of voltages over nominal to factors of active, then of reactive power, by case."""
    lowest, highest = law[LOWEST] ** 2, law[HIGHEST] ** 2
    slow = kind == GENERAL
    for w in range(LANES):
        slow |= law[LOW] > 0.0 and drive[w] < lowest
    if slow:
        for w in range(LANES):
            size = np.sqrt(drive[w])
            drive[w], drive[LANES + w] = factor(law, 0, size), factor(law, 1, size)
        return
    for w in range(LANES):
        square = drive[w]
        active = reactive = 1.0 / square
        if kind == PARTS:
            inverse = np.sqrt(active)
            reactive = law[3] + inverse * law[4] + active * law[5]
            active = law[0] + inverse * law[1] + active * law[2]
        if square > highest:
            active, reactive = law[ABOVE], law[ABOVE + 1]
        elif square < lowest:
            active, reactive = law[RISE], law[RISE + 1]
        drive[w], drive[LANES + w] = active, reactive


@compiled
def _vary(chord: Chord, choice: IndexArray, v: FloatArray, x: FloatArray) -> None:
    """What elements in other states draw beyond what they do in the Jacobian's."""
    for i in range(len(choice)):
        first = chord.choice_start[i]
        m = chord.choice_start[i + 1] - first
        for w in range(choice.shape[1]):
            place = chord.choice_table[i] + choice[i, w] * m * m
            for a in range(m):
                row = chord.choice_row[first + a]
                for b in range(m):
                    other = chord.choice_row[first + b]
                    g, s = chord.choice_change[place + a * m + b, 0], chord.choice_change[place + a * m + b, 1]
                    x[row, w] -= g * v[other, w] - s * v[other, LANES + w]
                    x[row, LANES + w] -= s * v[other, w] + g * v[other, LANES + w]


@compiled
def _substitute(factors: Triangles, x: FloatArray, v: FloatArray, error: FloatArray, total: FloatArray) -> None:
    """Solve for new voltages in `v`, and note the longest step squared, and the sum of all, of every case."""
    n = len(factors.inverse)
    for i in range(n):
        for p in range(factors.lower_start[i], factors.lower_start[i + 1]):
            _subtract(factors.lower_block[p], x[factors.lower[p]], x[i])
    for i in range(n - 1, -1, -1):
        for p in range(factors.upper_start[i], factors.upper_start[i + 1]):
            _subtract(factors.upper_block[p], v[factors.upper[p]], x[i])
        m0, m1, m2, m3 = factors.inverse[i]
        for w in range(LANES):
            real, imaginary = m0 * x[i, w] + m1 * x[i, LANES + w], m2 * x[i, w] + m3 * x[i, LANES + w]
            r, j = real - v[i, w], imaginary - v[i, LANES + w]
            step = r * r + j * j
            error[w] = max(error[w], step)
            total[w] += step
            v[i, w], v[i, LANES + w] = real, imaginary


@compiled
def _subtract(block: FloatArray, a: FloatArray, out: FloatArray) -> None:
    m0, m1, m2, m3 = block[0], block[1], block[2], block[3]
    for w in range(LANES):
        out[w] -= m0 * a[w] + m1 * a[LANES + w]
        out[LANES + w] -= m2 * a[w] + m3 * a[LANES + w]


@compiled
def _recover(chord: Chord, v: FloatArray, case: int, width: int, output: Output) -> None:
    """Voltages of all nodes from those of the rows."""
    sums = np.empty(2 * LANES)
    for node in range(len(chord.node_start) - 1):
        sums[:] = 0.0
        for p in range(chord.node_start[node], chord.node_start[node + 1]):
            a, g, s = v[chord.node_column[p]], chord.node_value[p, 0], chord.node_value[p, 1]
            for w in range(LANES):
                sums[w] += g * a[w] - s * a[LANES + w]
                sums[LANES + w] += s * a[w] + g * a[LANES + w]
        if len(output.voltage) > 0:
            for w in range(width):
                output.voltage[node, case + w] = complex(sums[w], sums[LANES + w])
        if len(output.magnitude) > 0:
            for w in range(width):
                output.magnitude[node, case + w] = np.sqrt(sums[w] ** 2 + sums[LANES + w] ** 2)


@compiled
def solve_columns(factors: Triangles, span: tuple[int, int], columns: ComplexArray) -> None:
    """Replace right-hand sides (n, k) by solutions, from the first column of `span` to the last."""
    n = len(factors.inverse)
    x = np.empty((n, 2 * LANES))
    for column in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - column)
        _pack(columns, column, width, x)
        for i in range(n):
            for p in range(factors.lower_start[i], factors.lower_start[i + 1]):
                _subtract(factors.lower_block[p], x[factors.lower[p]], x[i])
        for i in range(n - 1, -1, -1):
            for p in range(factors.upper_start[i], factors.upper_start[i + 1]):
                _subtract(factors.upper_block[p], x[factors.upper[p]], x[i])
            m0, m1, m2, m3 = factors.inverse[i]
            _apply(m0, m1, m2, m3, x[i])
        _unpack(x, column, width, columns)


@compiled
def solve_adjoint(factors: Triangles, span: tuple[int, int], columns: ComplexArray) -> None:
    """The same with the transposed matrix, real and imaginary parts being numbers of their own."""
    n = len(factors.inverse)
    x = np.empty((n, 2 * LANES))
    for column in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - column)
        _pack(columns, column, width, x)
        for i in range(n):
            m0, m1, m2, m3 = factors.inverse[i]
            _apply(m0, m2, m1, m3, x[i])
            for p in range(factors.upper_start[i], factors.upper_start[i + 1]):
                _subtract_transposed(factors.upper_block[p], x[i], x[factors.upper[p]])
        for i in range(n - 1, -1, -1):
            for p in range(factors.lower_start[i], factors.lower_start[i + 1]):
                _subtract_transposed(factors.lower_block[p], x[i], x[factors.lower[p]])
        _unpack(x, column, width, columns)


@compiled
def _apply(m0: float, m1: float, m2: float, m3: float, x: FloatArray) -> None:
    for w in range(LANES):
        real, imaginary = m0 * x[w] + m1 * x[LANES + w], m2 * x[w] + m3 * x[LANES + w]
        x[w], x[LANES + w] = real, imaginary


@compiled
def _subtract_transposed(block: FloatArray, a: FloatArray, out: FloatArray) -> None:
    m0, m1, m2, m3 = block[0], block[2], block[1], block[3]
    for w in range(LANES):
        out[w] -= m0 * a[w] + m1 * a[LANES + w]
        out[LANES + w] -= m2 * a[w] + m3 * a[LANES + w]


@compiled
def _pack(columns: ComplexArray, first: int, width: int, x: FloatArray) -> None:
    x[:] = 0.0
    for i in range(len(x)):
        for w in range(width):
            x[i, w], x[i, LANES + w] = columns[i, first + w].real, columns[i, first + w].imag


@compiled
def _unpack(x: FloatArray, first: int, width: int, columns: ComplexArray) -> None:
    for i in range(len(x)):
        for w in range(width):
            columns[i, first + w] = complex(x[i, w], x[i, LANES + w])
