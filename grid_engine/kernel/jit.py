"""One way to compile a function with numba, which is imported nowhere else but in this package."""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """The function in machine code, kept on disk for the next process where a cache directory can be written.

    Division by zero gives infinity. Products and sums may be fused, but nothing assumes that numbers are finite.
    """
    try:
        return _made(function, cache=True)
    except RuntimeError:  # numba finds no directory that it could write to
        return _made(function, cache=False)


def _made(function: _Function, *, cache: bool) -> _Function:
    fuse = {"contract"}
    return cast("_Function", njit(function, cache=cache, error_model="numpy", nogil=True, fastmath=fuse))
