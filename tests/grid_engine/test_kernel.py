"""Compiled code against plain linear algebra, and its two twins against each other."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from grid_engine.feeders import public
from grid_engine.flow.kernel import blocks, native
from grid_engine.flow.kernel.elimination import fill_order, pattern, rows_of, series_order
from grid_engine.flow.kernel.kernels import choose
from grid_engine.flow.nodal import build
from grid_engine.flow.pairs import joined, load_pairs, load_power, unit_pairs, unit_power
from grid_engine.flow.powerflow import Solver, prepare
from grid_engine.flow.variants import joined_variants, shunt_variants, tap_variants
from grid_engine.model import Network
from grid_engine.results import NetworkState

needs_compiler = pytest.mark.skipif(native.library() is None, reason="no C compiler here")


def symmetric(n: int, seed: int) -> csr_array:
    """A complex matrix of symmetric pattern with a large diagonal."""
    rng = np.random.default_rng(seed)
    some = np.where(rng.random((n, n)) < 1.5 / n, rng.normal(size=(n, n)) + 1j * rng.normal(size=(n, n)), 0)
    result = csr_array(some + 0.5j * some.T + 9 * np.eye(n))
    result.sort_indices()
    return result


@pytest.mark.parametrize("pivots", [0, 17, 40])
def test_partial_elimination_leaves_the_schur_complement(pivots: int) -> None:
    matrix = symmetric(40, pivots)
    plan = pattern(rows_of(matrix), pivots)
    factors = blocks.factorised(plan, rows_of(matrix), blocks.as_blocks(matrix.data))
    dense = matrix.toarray()
    a, b, c, d = dense[:pivots, :pivots], dense[:pivots, pivots:], dense[pivots:, :pivots], dense[pivots:, pivots:]
    expected = d - c @ np.linalg.solve(a, b) if pivots else d
    found = np.zeros_like(expected)
    row = np.repeat(np.arange(40 - pivots), np.diff(plan.rest.start))
    found[row, plan.rest.column - pivots] = factors.rest[:, 0] + 1j * factors.rest[:, 2]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_factors_solve_real_linear_systems() -> None:
    """Blocks need not stand for complex numbers."""
    rng = np.random.default_rng(1)
    matrix = symmetric(30, 2)
    block = blocks.as_blocks(matrix.data) + rng.normal(size=(matrix.nnz, 4))
    dense = np.zeros((60, 60))
    for row in range(30):
        for p in range(matrix.indptr[row], matrix.indptr[row + 1]):
            column = matrix.indices[p]
            dense[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = block[p].reshape(2, 2)
    plan = pattern(rows_of(matrix), 30)
    x = rng.normal(size=(30, 2))
    expected = np.linalg.solve(dense, x.ravel())
    blocks.solve(plan, blocks.factorised(plan, rows_of(matrix), block), x)
    np.testing.assert_allclose(x.ravel(), expected, rtol=1e-10, atol=1e-12)


def chained(*edges: tuple[int, int]) -> csr_array:
    n = max(max(edge) for edge in edges) + 1
    dense = np.eye(n, dtype=np.complex128) * 4
    for a, b in edges:
        dense[a, b] = dense[b, a] = -1
    return csr_array(dense)


def test_only_free_buses_with_two_neighbours_are_eliminated_ahead() -> None:
    """Bus 2 has three neighbours until the dead end behind 5 is gone."""
    matrix = chained((0, 1), (1, 2), (2, 3), (3, 4), (2, 5), (5, 6))
    free = np.array([False, True, True, True, False, True, True])
    assert sorted(series_order(matrix, np.arange(7), free).tolist()) == [1, 2, 3, 5, 6]
    free[6] = False
    assert sorted(series_order(matrix, np.arange(7), free).tolist()) == [1, 3, 5]


def test_a_ring_of_free_buses_is_eliminated_to_its_end() -> None:
    matrix = chained((0, 1), (1, 2), (2, 3), (3, 0))
    assert len(series_order(matrix, np.arange(4), np.array([False, True, True, True]))) == 3


def test_the_reduced_network_gives_back_all_voltages() -> None:
    matrix = chained((0, 1), (1, 2), (2, 3), (3, 4), (2, 5), (5, 6), (6, 7))
    keep = np.isin(np.arange(8), [0, 4])
    reduction = blocks.reduced(matrix, np.arange(8), keep, keep & (np.arange(8) == 4))
    assert reduction.kept.tolist() == [0, 4]
    current = np.zeros(8, dtype=np.complex128)
    current[[0, 4]] = 1, 2 - 1j
    expected = np.linalg.solve(matrix.toarray(), current)
    small = np.linalg.solve(reduction.matrix.toarray(), current[reduction.kept])
    np.testing.assert_allclose(reduction.recovery @ small, expected, rtol=1e-12)


def test_orders_are_permutations() -> None:
    assert sorted(fill_order(symmetric(25, 3)).tolist()) == list(range(25))


def solvers(network: Network, *, with_variants: bool) -> tuple[Solver, Solver, Any]:
    """The same in C and numba, and the network's powers."""
    system = build(network, NetworkState())
    pairs = joined(load_pairs(network)[0], unit_pairs(network)[0])
    power_va = np.concatenate([load_power(network), unit_power(network)])
    variants = None
    if with_variants:
        names = [network.transformers.ids[n] for n in network.regulators.transformer]
        banks = [network.shunts.ids[n] for n in network.capacitor_controls.shunt]
        variants = joined_variants(tap_variants(system, names), shunt_variants(system, banks))
    first, second = (prepare(system, pairs, 0.7 * power_va, variants, kernel=name) for name in ("c", "numba"))
    return first, second, power_va


@needs_compiler
@pytest.mark.parametrize("name", public.NAMES)
def test_both_kernels_give_the_same_voltages(name: str) -> None:
    native_one, numba_one, power_va = solvers(public.load(name), with_variants=True)
    assert (native_one.kernel.name, numba_one.kernel.name) == ("c", "numba")
    n_variant = len(native_one.variants.ids)
    states = np.repeat(native_one.variants.state[:, None], 13, axis=1)
    states -= np.arange(13) % 2 * (np.arange(n_variant) % 2)[:, None] * (states > 0)
    shares = np.linspace(0.4, 1.0, 13)
    flows = [solver.solve(power_va[:, None] * shares, states) for solver in (native_one, numba_one)]
    assert flows[0].converged.all()
    assert np.abs(flows[0].voltage - flows[1].voltage).max() < 1e-12
    np.testing.assert_array_equal(flows[0].iterations, flows[1].iterations)
    sizes = [solver.magnitudes(power_va[:, None] * shares, states).voltage_pu for solver in (native_one, numba_one)]
    assert np.abs(sizes[0] - sizes[1]).max() < 1e-12


@needs_compiler
def test_both_kernels_give_the_same_derivatives() -> None:
    native_one, numba_one, power_va = solvers(public.load("ieee123"), with_variants=False)
    voltage = native_one.solve(power_va[:, None]).voltage[:, 0]
    gradient = np.random.default_rng(0).normal(size=(len(voltage), 11)) + 0j
    rows = [solver.linearise(power_va, voltage).adjoint(gradient) for solver in (native_one, numba_one)]
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-9, atol=1e-18)
    columns = [
        solver.linearise(power_va, voltage).forward(np.eye(len(power_va)) + 0j) for solver in (native_one, numba_one)
    ]
    np.testing.assert_allclose(columns[0], columns[1], rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("kernel", ["numba", pytest.param("c", marks=needs_compiler)])
def test_cases_in_other_states_are_as_if_built_so(kernel: str) -> None:
    network = public.load("ieee123")
    names = [network.transformers.ids[n] for n in network.regulators.transformer]
    system = build(network, NetworkState())
    pairs, power_va = load_pairs(network)[0], load_power(network)
    solver = prepare(system, pairs, power_va, tap_variants(system, names), kernel=kernel)
    states = np.random.default_rng(5).integers(-16, 17, size=(len(names), 10))
    flow = solver.solve(np.repeat(power_va[:, None], 10, axis=1), states)
    assert flow.converged.all()
    for case in range(10):
        other = build(network, NetworkState(taps=dict(zip(names, states[:, case].tolist(), strict=True))))
        expected = prepare(other, pairs, power_va).solve(power_va[:, None]).voltage[:, 0]
        np.testing.assert_allclose(flow.voltage[:, case], expected, atol=5e-9)


def test_unknown_kernels_are_refused() -> None:
    with pytest.raises(LookupError, match="fortran"):
        choose("fortran")


WITHOUT_COMPILER = """
from grid_engine.flow.kernel.kernels import choose
print(choose().name)
"""


def test_without_a_compiler_numba_does_the_work(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER],
        env={"PATH": str(tmp_path), "PYTHONPATH": str(Path.cwd()), "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
    )
    assert found.stdout.strip() == "numba"


@needs_compiler
def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(taken))
    native.library.cache_clear()
    assert native.library() is not None
    native.library.cache_clear()
