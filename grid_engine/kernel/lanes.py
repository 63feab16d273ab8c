"""Batches with a constant Jacobian, eight cases side by side: the loops that all speed depends on, for numba.

Every case iterates v = J⁻¹ (source + i(v) - i'(base)·v), Newton's method with the Jacobian J of the base
case held fast (the chord method). `lanes.c` says the same in C; both must change together. Rows of work
arrays hold eight real parts, then eight imaginary ones.
"""

import numpy as np

from grid_engine.kernel.jit import compiled
from grid_engine.kernel.law import ABOVE, HIGHEST, LOW, LOWEST, RISE, factor
from grid_engine.kernel.network import Cases, Chord, IndexArray, Output, Tail
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
    tail = np.zeros((len(chord.tail.block), 4 * LANES))
    error, before, total = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    for case in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - case)
        _load(chord.scale, cases.power, case, width, s)
        _set(chord.tail, cases.choice[:, case : case + width], tail)
        _factorise(chord.tail, tail)
        _start(chord.base, cases.start, case, width, v)
        before[:] = np.inf
        for count in range(1, cases.limit + 1):
            _inject(chord, s, v, x)
            error[:], total[:] = 0.0, 0.0
            _substitute(chord, tail, x, v, (error, total))
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
        slow = 1.0 - length / before[w]
        if not slow > _LEAST:  # nor where it is not a number
            slow = _LEAST
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
def _start(base: FloatArray, start: ComplexArray, case: int, width: int, v: FloatArray) -> None:
    for i in range(len(base)):
        for w in range(LANES):
            v[i, w], v[i, LANES + w] = base[i, 0], base[i, 1]
    for i in range(len(start)):
        for w in range(width):
            v[i, w], v[i, LANES + w] = start[i, case + w].real, start[i, case + w].imag


@compiled
def _set(tail: Tail, choice: IndexArray, block: FloatArray) -> None:
    """Blocks (n_entry, 4 * LANES) of the tail with every case's elements as chosen."""
    for p in range(len(block)):
        for part in range(4):
            for w in range(LANES):
                block[p, part * LANES + w] = tail.block[p, part]
    for i in range(len(choice)):
        first, places = tail.slot_start[i], tail.slot_start[i + 1] - tail.slot_start[i]
        for w in range(choice.shape[1]):
            state = tail.table[i] + choice[i, w] * places
            for p in range(places):
                g, s = tail.change[state + p, 0], tail.change[state + p, 1]
                row = block[tail.slot[first + p]]
                row[w] += g
                row[LANES + w] -= s
                row[2 * LANES + w] += s
                row[3 * LANES + w] += g


@compiled
def _factorise(tail: Tail, block: FloatArray) -> None:
    """Replace the blocks by their factors, the diagonal ones by their inverses."""
    n = len(tail.diagonal)
    place = np.zeros(n, dtype=np.int32)
    for i in range(n):
        for p in range(tail.start[i], tail.start[i + 1]):
            place[tail.column[p]] = p
        for p in range(tail.start[i], tail.diagonal[i]):
            k = tail.column[p]
            _multiply(block[p], block[tail.diagonal[k]])
            for q in range(tail.diagonal[k] + 1, tail.start[k + 1]):
                _eliminate(block[p], block[q], block[place[tail.column[q]]])
        _invert(block[tail.diagonal[i]])


@compiled
def _multiply(a: FloatArray, b: FloatArray) -> None:
    for w in range(LANES):
        a0, a1, a2, a3 = a[w], a[LANES + w], a[2 * LANES + w], a[3 * LANES + w]
        b0, b1, b2, b3 = b[w], b[LANES + w], b[2 * LANES + w], b[3 * LANES + w]
        a[w], a[LANES + w] = a0 * b0 + a1 * b2, a0 * b1 + a1 * b3
        a[2 * LANES + w], a[3 * LANES + w] = a2 * b0 + a3 * b2, a2 * b1 + a3 * b3


@compiled
def _eliminate(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    for w in range(LANES):
        a0, a1, a2, a3 = a[w], a[LANES + w], a[2 * LANES + w], a[3 * LANES + w]
        b0, b1, b2, b3 = b[w], b[LANES + w], b[2 * LANES + w], b[3 * LANES + w]
        out[w] -= a0 * b0 + a1 * b2
        out[LANES + w] -= a0 * b1 + a1 * b3
        out[2 * LANES + w] -= a2 * b0 + a3 * b2
        out[3 * LANES + w] -= a2 * b1 + a3 * b3


@compiled
def _invert(a: FloatArray) -> None:
    for w in range(LANES):
        a0, a1, a2, a3 = a[w], a[LANES + w], a[2 * LANES + w], a[3 * LANES + w]
        determinant = a0 * a3 - a1 * a2
        a[w], a[LANES + w] = a3 / determinant, -a1 / determinant
        a[2 * LANES + w], a[3 * LANES + w] = -a2 / determinant, a0 / determinant


@compiled
def _substitute(
    chord: Chord, tail: FloatArray, x: FloatArray, v: FloatArray, steps: tuple[FloatArray, FloatArray]
) -> None:
    """Solve for new voltages in `v`, and note the longest step squared, and the sum of all, of every case."""
    factors, places = chord.factors, chord.tail
    n, first = len(chord.source), len(factors.inverse)
    for i in range(n):
        for p in range(factors.lower_start[i], factors.lower_start[i + 1]):
            subtract(factors.lower_block[p], x[factors.lower[p]], x[i])
    for i in range(n - first):
        for p in range(places.start[i], places.diagonal[i]):
            _subtract_each(tail[p], x[first + places.column[p]], x[first + i])
    for i in range(n - first - 1, -1, -1):
        for p in range(places.diagonal[i] + 1, places.start[i + 1]):
            _subtract_each(tail[p], v[first + places.column[p]], x[first + i])
        m = tail[places.diagonal[i]]
        for w in range(LANES):
            real, imaginary = x[first + i, w], x[first + i, LANES + w]
            x[first + i, w] = m[w] * real + m[LANES + w] * imaginary
            x[first + i, LANES + w] = m[2 * LANES + w] * real + m[3 * LANES + w] * imaginary
        _move(x[first + i], v[first + i], steps)
    for i in range(first - 1, -1, -1):
        for p in range(factors.upper_start[i], factors.upper_start[i + 1]):
            subtract(factors.upper_block[p], v[factors.upper[p]], x[i])
        apply(factors.inverse[i], x[i])
        _move(x[i], v[i], steps)


@compiled
def _move(x: FloatArray, v: FloatArray, steps: tuple[FloatArray, FloatArray]) -> None:
    error, total = steps
    for w in range(LANES):
        r, i = x[w] - v[w], x[LANES + w] - v[LANES + w]
        step = r * r + i * i
        error[w] = max(error[w], step)
        total[w] += step
        v[w], v[LANES + w] = x[w], x[LANES + w]


@compiled
def _subtract_each(block: FloatArray, a: FloatArray, out: FloatArray) -> None:
    for w in range(LANES):
        out[w] -= block[w] * a[w] + block[LANES + w] * a[LANES + w]
        out[LANES + w] -= block[2 * LANES + w] * a[w] + block[3 * LANES + w] * a[LANES + w]


@compiled
def apply(block: FloatArray, x: FloatArray) -> None:
    """Replace a row by its product with a block."""
    m0, m1, m2, m3 = block[0], block[1], block[2], block[3]
    for w in range(LANES):
        real, imaginary = m0 * x[w] + m1 * x[LANES + w], m2 * x[w] + m3 * x[LANES + w]
        x[w], x[LANES + w] = real, imaginary


@compiled
def subtract(block: FloatArray, a: FloatArray, out: FloatArray) -> None:
    """Take the product of a block with a row from another row."""
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
