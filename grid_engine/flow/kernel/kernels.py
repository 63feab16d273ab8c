"""The compiled loops to choose from."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

from grid_engine.flow.kernel import columns, lanes, native
from grid_engine.flow.kernel.network import Cases, Chord, Output, Triangles
from grid_engine.flow.kernel.vector import LANES
from grid_engine.model import ComplexArray

_Batch = Callable[[Chord, Cases, tuple[int, int], Output], None]
_Columns = Callable[[Triangles, tuple[int, int], ComplexArray], None]


@dataclass(frozen=True, slots=True)
class Kernel:
    """One way to run the loops; all give the same results but for rounding."""

    name: str
    """`numba` or `c`."""
    batch: _Batch
    """See `lanes.batch`."""
    solve_columns: _Columns
    solve_adjoint: _Columns


NUMBA = Kernel("numba", lanes.batch, columns.solve_columns, columns.solve_adjoint)


def choose(name: str = "") -> Kernel:
    """The kernel asked for, or the quickest that there is.

    Raises:
        LookupError: There is no such kernel; `c` needs a C compiler.
    """
    library = None if name == NUMBA.name else native.library()
    native_one = None if library is None else Kernel("c", library.batch, library.solve_columns, library.solve_adjoint)
    there = [kernel for kernel in (native_one, NUMBA) if kernel is not None]
    for kernel in there:
        if name in {"", kernel.name}:
            return kernel
    raise LookupError(f"there is no kernel {name!r} here; there is {', '.join(k.name for k in there)}")


def in_threads(work: Callable[[tuple[int, int]], None], span: tuple[int, int], threads: int) -> None:
    """Let `work` do all cases of `span`, in as many threads as asked for, each with whole groups of lanes."""
    first, last = span
    groups = -(-(last - first) // LANES)
    cuts = sorted({min(last, first + LANES * (groups * t // threads)) for t in range(threads)} | {last})
    spans = list(pairwise(cuts))
    if len(spans) <= 1:
        for part in spans:
            work(part)
        return
    with ThreadPoolExecutor(len(spans)) as pool:
        list(pool.map(work, spans))
