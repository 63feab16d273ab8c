"""The exact nonlinear optimum by IPOPT: who may inject how much in all, every current and voltage within its limit.

Current-voltage formulation (IVR) over rectangular voltages and branch currents: Kirchhoff's laws are linear,
only power is bilinear. Buses without injection and with at most two neighbours are eliminated beforehand,
which is exact; limits hold at the others, so that what is found is never below the true optimum.
"""

from dataclasses import dataclass, replace

import casadi as ca
import numpy as np
from scipy.sparse import block_diag, coo_array, csc_array, csr_array
from scipy.sparse.linalg import splu

EARTH = -1


@dataclass(frozen=True)
class Optimum:
    """What IPOPT found."""

    power_w: np.ndarray
    """Shape (n_der,), injection."""
    status: str
    iterations: int

    @property
    def total_w(self) -> float:
        """Sum of the magnitudes."""
        return float(np.abs(self.power_w).sum())


@dataclass(frozen=True)
class Grid:
    """A network as arrays; per unit of `base_va` and each node's own nominal voltage."""

    admittance: csc_array
    """Shape (n, n)."""
    source: np.ndarray
    """Shape (n,): Norton currents."""
    bus: np.ndarray
    """Shape (n,): which nodes are eliminated together."""
    ends: np.ndarray
    """Shape (n_pair, 2): nodes of loads, then of DERs; `EARTH` may be one."""
    base_v: np.ndarray
    """Shape (n,): so that the voltage across a pair may be told from those of its nodes."""
    load_va: np.ndarray
    """Shape (n_load,): injection, constant power."""
    current: csr_array
    """Shape (n_row, n): currents over their limits."""
    voltage_pu: tuple[float, float]
    base_va: float = 1e6

    @property
    def n_der(self) -> int:
        return len(self.ends) - len(self.load_va)

    def incidence(self) -> csr_array:
        """Shape (n_pair, n): volts across the pairs over the first end's nominal voltage."""
        rows, columns = np.nonzero(self.ends != EARTH)
        nodes = self.ends[rows, columns]
        weight = np.where(columns == 0, 1.0, -1.0) * self.base_v[nodes] / self._pair_v()[rows]
        return csr_array(coo_array((weight, (rows, nodes)), shape=(len(self.ends), len(self.source))))

    def _pair_v(self) -> np.ndarray:
        return self.base_v[np.where(self.ends[:, 0] == EARTH, self.ends[:, 1], self.ends[:, 0])]


def most_power(
    grid: Grid,
    cap_w: np.ndarray,
    direction: float,
    start: np.ndarray,
    uses: np.ndarray | None = None,
) -> Optimum:
    """The largest sum of DER powers between 0 and `cap_w` (n_der,), injected (1) or consumed (-1).

    `start` (n,) is a solved voltage without DERs. With `uses` (n_use, n_der) the network must stand every one of
    those parts of the powers, otherwise all of them at once.
    """
    kept, small = reduced(grid)
    small = replace(small, current=_distinct(small.current))
    at = start[kept]
    drawn = _currents(small, at)
    p = ca.MX.sym("p", small.n_der)
    cases = [_case(small, direction * ca.DM(use) * p) for use in (np.ones((1, small.n_der)) if uses is None else uses)]
    held = [row for _, rows in cases for row in rows]
    low, high = (np.concatenate([np.full(row[0].shape[0], row[side]) for row in held]) for side in (1, 2))
    unknowns = [x for case, _ in cases for x in case]
    problem = {"x": ca.vertcat(*unknowns, p), "f": -ca.sum1(p), "g": ca.vertcat(*(row[0] for row in held))}
    options = {"print_level": 0, "sb": "yes", "max_cpu_time": 600.0, "tol": 1e-7, "max_iter": 1000}
    solver = ca.nlpsol("solver", "ipopt", problem, {"ipopt": options, "print_time": False})
    first = np.tile(np.concatenate([at.real, at.imag, drawn.real, drawn.imag]), len(cases))
    found = solver(
        x0=np.concatenate([first, np.zeros(small.n_der)]),
        lbx=np.concatenate([np.full(len(first), -np.inf), np.zeros(small.n_der)]),
        ubx=np.concatenate([np.full(len(first), np.inf), cap_w / small.base_va]),
        lbg=low,
        ubg=high,
    )
    stats = solver.stats()
    power_w = np.array(direction).ravel() * small.base_va * np.array(found["x"]).ravel()[len(first) :]
    return Optimum(power_w, stats["return_status"], stats["iter_count"])


def _case(grid: Grid, injected: ca.MX) -> tuple[tuple[ca.MX, ca.MX], tuple[tuple[ca.MX, float, float], ...]]:
    """Unknowns of one power flow with DERs injecting so much, and what holds, each with its bounds."""
    n, m, n_row = len(grid.source), len(grid.ends), grid.current.shape[0]
    across, shunt = _real(grid.incidence()), _real(grid.admittance)
    v, i = ca.MX.sym("v", 2 * n), ca.MX.sym("i", 2 * m)
    power = ca.vertcat(grid.load_va.real / grid.base_va, injected)
    reactive = ca.vertcat(grid.load_va.imag / grid.base_va, ca.DM.zeros(grid.n_der))
    source = np.concatenate([grid.source.real, grid.source.imag])
    scale = ca.DM(1 / np.abs(np.tile(grid.admittance.diagonal(), 2)))
    u, flows = _dm(across) @ v, _dm(_real(grid.current)) @ v
    ur, ui, ir, ii = u[:m], u[m:], i[:m], i[m:]
    return (v, i), (
        (scale * (_dm(shunt) @ v - source - _dm(csr_array(across.T)) @ i), 0.0, 0.0),
        (ur * ir + ui * ii - power, 0.0, 0.0),
        (ui * ir - ur * ii - reactive, 0.0, 0.0),
        (v[:n] ** 2 + v[n:] ** 2, grid.voltage_pu[0] ** 2, grid.voltage_pu[1] ** 2),
        (flows[:n_row] ** 2 + flows[n_row:] ** 2, -np.inf, 1.0),
    )


def reduced(grid: Grid) -> tuple[np.ndarray, Grid]:
    """Nodes that stay (n,), and the network over them."""
    busy = np.zeros(len(grid.source), dtype=bool)
    busy[grid.ends[grid.ends != EARTH]] = True
    busy |= grid.source != 0
    gone = _removable(grid, busy)
    kept, out = np.flatnonzero(~gone), np.flatnonzero(gone)
    rows = csr_array(grid.admittance)
    if not len(out):
        return kept, grid
    factor = splu(csc_array(rows[out][:, out]))
    spread = csc_array(-factor.solve(rows[out][:, kept].toarray()))
    spread.data[np.abs(spread.data) < 1e-14] = 0
    spread.eliminate_zeros()
    admittance = csc_array(rows[kept][:, kept] + rows[kept][:, out] @ spread)
    current = csr_array(grid.current[:, kept] + grid.current[:, out] @ spread)
    place = np.append(np.cumsum(~gone) - 1, EARTH)
    return kept, replace(
        grid,
        admittance=admittance,
        source=grid.source[kept],
        bus=grid.bus[kept],
        ends=place[grid.ends],
        base_v=grid.base_v[kept],
        current=current,
    )


def _distinct(current: csr_array) -> csr_array:
    """One of those rows that say the same, currents along a line without loads; none of those that say nothing."""
    rng = np.random.default_rng(0)
    probe = np.abs(current @ (rng.random((current.shape[1], 3)) + 1j * rng.random((current.shape[1], 3))))
    digits = np.round(np.log(np.maximum(probe, 1e-30)), 7)
    found = np.sort(np.unique(digits, axis=0, return_index=True)[1])
    return current[found[probe[found].max(axis=1) > 1e-9]]


def _removable(grid: Grid, busy: np.ndarray) -> np.ndarray:
    """Shape (n,): nodes of buses that nothing injects at and that have, when their turn comes, two neighbours."""
    entries = coo_array(grid.admittance)
    near: dict[int, set[int]] = {int(b): set() for b in np.unique(grid.bus)}
    for a, b in zip(grid.bus[entries.coords[0]].tolist(), grid.bus[entries.coords[1]].tolist(), strict=True):
        if a != b:
            near[a].add(b)
            near[b].add(a)
    fixed = set(grid.bus[busy].tolist())
    waiting, gone = [b for b in near if b not in fixed], set()
    while waiting:
        b = waiting.pop()
        if b in gone or len(near[b]) > 2:
            continue
        gone.add(b)
        neighbours = near.pop(b)
        for a in neighbours:
            near[a] |= neighbours
            near[a] -= {a, b}
            if a not in fixed:
                waiting.append(a)
    return np.isin(grid.bus, np.array(sorted(gone), dtype=np.int64))


def _currents(grid: Grid, voltage: np.ndarray) -> np.ndarray:
    across = grid.incidence() @ voltage
    power = np.concatenate([grid.load_va, np.zeros(grid.n_der)]) / grid.base_va
    return np.conj(power / across)


def _real(matrix: csr_array) -> csr_array:
    """The same acting on real parts, then imaginary parts."""
    both = block_diag([matrix.real, matrix.real], format="coo")
    n, m = matrix.shape
    imaginary = coo_array(matrix.imag)
    row, column = imaginary.coords
    crossed = coo_array(
        (
            np.concatenate([-imaginary.data, imaginary.data]),
            (np.concatenate([row, row + n]), np.concatenate([column + m, column])),
        ),
        shape=(2 * n, 2 * m),
    )
    return csr_array(both + crossed)


def _dm(matrix: csr_array) -> ca.DM:
    columns = csc_array(matrix)
    columns.sum_duplicates()
    pattern = ca.Sparsity(*columns.shape, columns.indptr.tolist(), columns.indices.tolist())
    return ca.DM(pattern, columns.data.tolist())
