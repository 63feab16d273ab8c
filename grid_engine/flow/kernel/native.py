"""The loops of `lanes.c`, compiled where there is a C compiler and kept in the user's cache directory."""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from grid_engine.flow.kernel.network import Cases, Chord, Output, Tail, Triangles
from grid_engine.model import ComplexArray

_SOURCE = Path(__file__).with_name("lanes.c")
_COMPILERS = ("cc", "gcc", "clang")
_FLAGS = ("-O3", "-std=gnu11", "-shared", "-fPIC")
_TUNED = "-march=native"
"""Tried first; some compilers do not know it for their machine."""
_SECONDS = 60.0


class _Triangles(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in Triangles._fields]


class _Tail(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in Tail._fields]


class _Chord(ctypes.Structure):
    _fields_ = [
        ("factors", _Triangles),
        ("tail", _Tail),
        *((name, ctypes.c_void_p) for name in Chord._fields[2:]),
    ]


class _Counts(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("row", "tail", "entries", "pair", "choice", "node", "columns")]


class _Cases(ctypes.Structure):
    _fields_ = [
        ("power", ctypes.c_void_p),
        ("choice", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
        ("tolerance", ctypes.c_double),
        ("limit", ctypes.c_int64),
    ]


class _Output(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in Output._fields]


class Library:
    """The compiled loops, to be called as those of `lanes.py`."""

    def __init__(self, path: Path) -> None:
        library = ctypes.CDLL(str(path))
        size, pointer = ctypes.c_int64, ctypes.c_void_p
        self._batch = library.batch
        self._batch.argtypes = [pointer, pointer, pointer, size, size, pointer]
        self._columns = library.solve_columns
        self._columns.argtypes = [pointer, pointer, size, size, ctypes.c_int, pointer]

    def batch(self, chord: Chord, cases: Cases, span: tuple[int, int], output: Output) -> None:
        """See `lanes.batch`."""
        tail = _Tail(*(_address(np.asarray(array)) for array in chord.tail))
        given = _Chord(_triangles(chord.factors), tail, *(_address(np.asarray(array)) for array in chord[2:]))
        counts = _Counts(
            row=len(chord.source),
            tail=len(chord.tail.diagonal),
            entries=len(chord.tail.block),
            pair=len(chord.first),
            choice=len(cases.choice),
            node=len(chord.node_start) - 1,
            columns=cases.power.shape[1],
        )
        asked = _Cases(
            _present(cases.power), _present(cases.choice), _present(cases.start), cases.tolerance, cases.limit
        )
        wanted = _Output(*(_present(np.asarray(array)) for array in output))
        pointers = [ctypes.byref(part) for part in (given, counts, asked, wanted)]
        if self._batch(*pointers[:3], *span, pointers[3]):
            raise MemoryError

    def solve_columns(self, factors: Triangles, span: tuple[int, int], columns: ComplexArray) -> None:
        """See `columns.solve_columns`."""
        self._solve(factors, span, columns, transposed=0)

    def solve_adjoint(self, factors: Triangles, span: tuple[int, int], columns: ComplexArray) -> None:
        """See `columns.solve_adjoint`."""
        self._solve(factors, span, columns, transposed=1)

    def _solve(self, factors: Triangles, span: tuple[int, int], columns: ComplexArray, *, transposed: int) -> None:
        given, counts = _triangles(factors), _Counts(row=len(columns), columns=columns.shape[1])
        if self._columns(ctypes.byref(given), ctypes.byref(counts), *span, transposed, _address(columns)):
            raise MemoryError


@lru_cache(maxsize=1)
def library() -> Library | None:
    """The loops in C, or none where they cannot be compiled here."""
    compiler = next((found for name in _COMPILERS if (found := shutil.which(name))), None)
    if compiler is None or os.name != "posix":
        return None
    for flags in ((*_FLAGS, _TUNED), _FLAGS):
        try:
            return _loaded(compiler, flags)
        except (OSError, subprocess.SubprocessError):
            continue
    return None


def _loaded(compiler: str, flags: tuple[str, ...]) -> Library:
    """From the cache, or compiled into it, or into a passing directory where there is no cache."""
    name = f"lanes-{_digest(compiler, flags)}.so"
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ampacity"
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (home / name).exists():
            with tempfile.TemporaryDirectory(dir=home) as passing:
                _compile(compiler, flags, Path(passing) / name).replace(home / name)
        return Library(home / name)
    except OSError:
        with tempfile.TemporaryDirectory() as passing:
            return Library(_compile(compiler, flags, Path(passing) / name))


def _compile(compiler: str, flags: tuple[str, ...], target: Path) -> Path:
    command = [compiler, *flags, "-o", str(target), str(_SOURCE), "-lm"]
    subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)  # noqa: S603
    return target


def _digest(compiler: str, flags: tuple[str, ...]) -> str:
    """Of everything that the machine code depends on; the processor is known by its features, where it tells them."""
    processor = Path("/proc/cpuinfo")
    features = (
        [line for line in processor.read_text().splitlines() if line.startswith(("flags", "Features"))][:1]
        if processor.exists()
        else []
    )
    words = (_SOURCE.read_text(), compiler, *flags, platform.machine(), platform.system(), *features)
    return hashlib.sha256("\0".join(words).encode()).hexdigest()[:16]


def _triangles(factors: Triangles) -> _Triangles:
    return _Triangles(*(_address(array) for array in factors))


def _present(array: NDArray[np.generic]) -> int | None:
    """The address, or none of an array without rows."""
    return _address(array) if len(array) else None


def _address(array: NDArray[np.generic]) -> int:
    return array.ctypes.data
