"""Batches with a constant Jacobian, eight cases side by side: the loops that all speed depends on, for numba.

Every case iterates v = J⁻¹ (source + i(v) - i'(base)·v), Newton's method with the Jacobian J of the base
case held fast (the chord method). Rows where elements differ from case to case come last; what is left
there is factorised for every case. `lanes.c` says the same in C; both must change together. Work arrays
are flat: row k of complex numbers is 2k (real parts of eight cases) and 2k + 1 (imaginary parts) in them.
"""

import numpy as np

from grid_engine.flow.kernel.jit import compiled
from grid_engine.flow.kernel.law import ABOVE, HIGHEST, LOW, LOWEST, RISE, factor
from grid_engine.flow.kernel.network import Cases, Chord, IndexArray, Output, Tail, Triangles
from grid_engine.flow.kernel.vector import LANES, Lanes, any_below, every, load, root, store, where_above
from grid_engine.model import ComplexArray, FloatArray

CONSTANT_POWER, PARTS, GENERAL = 0, 1, 2
"""Kinds of law: no exponents and only power; no exponents; anything."""

_PATIENCE = 8
"""Iterations before a case is left to others that would not converge in all the rest at the rate it has."""
_LEAST = 1e-3
"""Of the tolerance: a step this short counts as converged however slowly steps shrink; they may be rounding."""


@compiled
def batch(chord: Chord, cases: Cases, span: tuple[int, int], output: Output) -> None:
    """Solve the cases from the first of `span` to the one before the last."""
    n = len(chord.source)
    v, x = np.zeros(2 * (n + 1) * LANES), np.zeros(2 * (n + 1) * LANES)
    s = np.zeros(2 * len(chord.first) * LANES)
    tail = np.zeros(4 * len(chord.tail.block) * LANES)
    before = np.zeros(LANES)
    for case in range(span[0], span[1], LANES):
        width = min(LANES, span[1] - case)
        s[:] = 0.0
        pack(cases.power, case, width, s)
        for k in range(len(chord.scale)):
            store(s, 2 * k, chord.scale[k] * load(s, 2 * k))
            store(s, 2 * k + 1, chord.scale[k] * load(s, 2 * k + 1))
        _set(chord.tail, cases.choice[:, case : case + width], tail)
        _factorise(chord.tail, tail)
        for i in range(n):
            store(v, 2 * i, every(chord.base[i, 0]))
            store(v, 2 * i + 1, every(chord.base[i, 1]))
        pack(cases.start, case, width, v)
        before[:] = np.inf
        for count in range(1, cases.limit + 1):
            _inject(chord, s, v, x)
            error, total = _substitute(chord, tail, x, v)
            if not _waiting((error, total), before, (case, width, count), cases, output):
                break
        _recover(chord, v, case, width, output)


@compiled
def pack(columns: ComplexArray, first: int, width: int, x: FloatArray) -> None:
    """Columns of complex numbers as rows of lanes; what is not there is left as it was."""
    for i in range(len(columns)):
        for w in range(width):
            x[2 * i * LANES + w] = columns[i, first + w].real
            x[(2 * i + 1) * LANES + w] = columns[i, first + w].imag


@compiled
def _waiting(
    steps: tuple[Lanes, Lanes], before: FloatArray, at: tuple[int, int, int], cases: Cases, output: Output
) -> bool:
    """Whether any case needs another iteration; takes down what was reached."""
    case, width, count = at
    tolerance, limit = cases.tolerance, cases.limit
    error, total = np.empty(LANES), np.empty(LANES)
    store(error, 0, steps[0])
    store(total, 0, steps[1])
    result = False
    for w in range(width):
        if output.converged[case + w] and count > 1:
            continue
        length = np.sqrt(error[w])
        rate = length / before[w]
        slow = 1.0 - rate
        if not slow > _LEAST:  # nor where it is not a number
            slow = _LEAST
        before[w] = length
        output.iterations[case + w] = count
        output.converged[case + w] = np.isfinite(total[w]) and length < tolerance * slow
        hopeless = count >= _PATIENCE and length * rate ** (limit - count) > tolerance
        result |= np.isfinite(total[w]) and not output.converged[case + w] and not hopeless
    return result


@compiled
def _inject(chord: Chord, s: FloatArray, v: FloatArray, x: FloatArray) -> None:
    """What sources and pairs inject beyond what the Jacobian contains."""
    for i in range(len(chord.source)):
        store(x, 2 * i, every(chord.source[i, 0]))
        store(x, 2 * i + 1, every(chord.source[i, 1]))
    for k in range(len(chord.first)):
        a, b, one, two = 2 * chord.first[k], 2 * chord.second[k], chord.weight[k, 0], chord.weight[k, 1]
        r = one * load(v, a) - two * load(v, b)
        i = one * load(v, a + 1) - two * load(v, b + 1)
        active, reactive = _drive(chord.law[k], chord.kind[k], r * r + i * i)
        p, q = active * load(s, 2 * k), reactive * load(s, 2 * k + 1)
        d = chord.slope[k]
        real = p * r + q * i - (d[0] * r + d[1] * i)
        imaginary = p * i - q * r - (d[2] * r + d[3] * i)
        store(x, a, load(x, a) + one * real)
        store(x, a + 1, load(x, a + 1) + one * imaginary)
        store(x, b, load(x, b) - two * real)
        store(x, b + 1, load(x, b + 1) - two * imaginary)


@compiled
def _drive(law: FloatArray, kind: int, square: Lanes) -> tuple[Lanes, Lanes]:
    """Factors of active and of reactive power at squares of voltages over nominal."""
    lowest, highest = every(law[LOWEST] ** 2), every(law[HIGHEST] ** 2)
    if kind == GENERAL or (law[LOW] > 0.0 and any_below(square, lowest)):
        return _drive_each(law, square)
    active = every(1.0) / square
    reactive = active
    if kind == PARTS:
        inverse = root(active)
        reactive = every(law[3]) + law[4] * inverse + law[5] * active
        active = every(law[0]) + law[1] * inverse + law[2] * active
    active = where_above(lowest, square, every(law[RISE]), active)
    reactive = where_above(lowest, square, every(law[RISE + 1]), reactive)
    return (
        where_above(square, highest, every(law[ABOVE]), active),
        where_above(square, highest, every(law[ABOVE + 1]), reactive),
    )


@compiled
def _drive_each(law: FloatArray, square: Lanes) -> tuple[Lanes, Lanes]:
    """The same case by case, where the law bends in ways of its own."""
    sizes, factors = np.empty(LANES), np.empty(2 * LANES)
    store(sizes, 0, root(square))
    for w in range(LANES):
        factors[w], factors[LANES + w] = factor(law, 0, sizes[w]), factor(law, 1, sizes[w])
    return load(factors, 0), load(factors, 1)


@compiled
def _set(tail: Tail, choice: IndexArray, block: FloatArray) -> None:
    """Blocks of the tail, four rows each, with every case's elements as chosen."""
    for p in range(len(tail.block)):
        for part in range(4):
            store(block, 4 * p + part, every(tail.block[p, part]))
    for i in range(len(choice)):
        first, places = tail.slot_start[i], tail.slot_start[i + 1] - tail.slot_start[i]
        for w in range(choice.shape[1]):
            state = tail.table[i] + choice[i, w] * places
            for p in range(places):
                g, s = tail.change[state + p, 0], tail.change[state + p, 1]
                entry = 4 * tail.slot[first + p] * LANES + w
                block[entry] += g
                block[entry + LANES] -= s
                block[entry + 2 * LANES] += s
                block[entry + 3 * LANES] += g


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
            a = _product(_block(block, p), _block(block, tail.diagonal[k]))
            _keep(block, p, a)
            for q in range(tail.diagonal[k] + 1, tail.start[k + 1]):
                to = place[tail.column[q]]
                less, now = _product(a, _block(block, q)), _block(block, to)
                _keep(block, to, (now[0] - less[0], now[1] - less[1], now[2] - less[2], now[3] - less[3]))
        d = _block(block, tail.diagonal[i])
        determinant = d[0] * d[3] - d[1] * d[2]
        one, two = every(0.0) - d[1], every(0.0) - d[2]
        inverse = (d[3] / determinant, one / determinant, two / determinant, d[0] / determinant)
        _keep(block, tail.diagonal[i], inverse)


_Block = tuple[Lanes, Lanes, Lanes, Lanes]


@compiled
def _block(block: FloatArray, p: int) -> _Block:
    return load(block, 4 * p), load(block, 4 * p + 1), load(block, 4 * p + 2), load(block, 4 * p + 3)


@compiled
def _keep(block: FloatArray, p: int, value: _Block) -> None:
    store(block, 4 * p, value[0])
    store(block, 4 * p + 1, value[1])
    store(block, 4 * p + 2, value[2])
    store(block, 4 * p + 3, value[3])


@compiled
def _product(a: _Block, b: _Block) -> _Block:
    return a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3], a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3]


@compiled
def _substitute(chord: Chord, tail: FloatArray, x: FloatArray, v: FloatArray) -> tuple[Lanes, Lanes]:
    """Solve for new voltages in `v`; the longest step squared, and the sum of all, of every case."""
    factors, places = chord.factors, chord.tail
    n, first = len(chord.source), len(factors.inverse)
    forward(factors, x)
    for i in range(n - first):
        row = 2 * (first + i)
        for p in range(places.start[i], places.diagonal[i]):
            _subtract_each(_block(tail, p), x, 2 * (first + places.column[p]), x, row)
    longest, total = every(0.0), every(0.0)
    for i in range(n - first - 1, -1, -1):
        row = 2 * (first + i)
        for p in range(places.diagonal[i] + 1, places.start[i + 1]):
            _subtract_each(_block(tail, p), v, 2 * (first + places.column[p]), x, row)
        d, real, imaginary = _block(tail, places.diagonal[i]), load(x, row), load(x, row + 1)
        step = _move(d[0] * real + d[1] * imaginary, d[2] * real + d[3] * imaginary, v, row)
        longest, total = where_above(step, longest, step, longest), total + step
    for i in range(first - 1, -1, -1):
        real, imaginary = backward(factors, i, x, v)
        step = _move(real, imaginary, v, 2 * i)
        longest, total = where_above(step, longest, step, longest), total + step
    return longest, total


@compiled
def forward(factors: Triangles, x: FloatArray) -> None:
    """Replace right-hand sides by what the lower factor leaves of them."""
    for i in range(len(factors.lower_start) - 1):
        real, imaginary = load(x, 2 * i), load(x, 2 * i + 1)
        for p in range(factors.lower_start[i], factors.lower_start[i + 1]):
            m, j = factors.lower_block[p], 2 * factors.lower[p]
            r, k = load(x, j), load(x, j + 1)
            real = real - (m[0] * r + m[1] * k)
            imaginary = imaginary - (m[2] * r + m[3] * k)
        store(x, 2 * i, real)
        store(x, 2 * i + 1, imaginary)


@compiled
def backward(factors: Triangles, i: int, x: FloatArray, v: FloatArray) -> tuple[Lanes, Lanes]:
    """Row i of solutions from what `forward` left and the rows `v` after it."""
    real, imaginary = load(x, 2 * i), load(x, 2 * i + 1)
    for p in range(factors.upper_start[i], factors.upper_start[i + 1]):
        m, j = factors.upper_block[p], 2 * factors.upper[p]
        r, k = load(v, j), load(v, j + 1)
        real = real - (m[0] * r + m[1] * k)
        imaginary = imaginary - (m[2] * r + m[3] * k)
    d = factors.inverse[i]
    return d[0] * real + d[1] * imaginary, d[2] * real + d[3] * imaginary


@compiled
def _move(real: Lanes, imaginary: Lanes, v: FloatArray, row: int) -> Lanes:
    """Keep new voltages; how far they moved, squared."""
    r, i = real - load(v, row), imaginary - load(v, row + 1)
    store(v, row, real)
    store(v, row + 1, imaginary)
    return r * r + i * i


@compiled
def _subtract_each(block: _Block, a: FloatArray, of: int, out: FloatArray, to: int) -> None:
    real, imaginary = load(a, of), load(a, of + 1)
    store(out, to, load(out, to) - (block[0] * real + block[1] * imaginary))
    store(out, to + 1, load(out, to + 1) - (block[2] * real + block[3] * imaginary))


@compiled
def _recover(chord: Chord, v: FloatArray, case: int, width: int, output: Output) -> None:
    """Voltages of all nodes from those of the rows."""
    found = np.empty(3 * LANES)
    for node in range(len(chord.node_start) - 1):
        real, imaginary = every(0.0), every(0.0)
        for p in range(chord.node_start[node], chord.node_start[node + 1]):
            j, g, s = 2 * chord.node_column[p], chord.node_value[p, 0], chord.node_value[p, 1]
            r, i = load(v, j), load(v, j + 1)
            real = real + (g * r - s * i)
            imaginary = imaginary + (s * r + g * i)
        if len(output.voltage) > 0:
            store(found, 0, real)
            store(found, 1, imaginary)
            for w in range(width):
                output.voltage[node, case + w] = complex(found[w], found[LANES + w])
        if len(output.magnitude) > 0:
            store(found, 2, root(real * real + imaginary * imaginary))
            for w in range(width):
                output.magnitude[node, case + w] = found[2 * LANES + w]
