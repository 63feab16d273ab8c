"""One way to compile a function with numba, and to keep the machine code for the next process."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TypeVar, cast

from numba import njit
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """The function in machine code, kept on disk where a cache directory can be written.

    Division by zero gives infinity. Products and sums may be fused, but nothing assumes that numbers are finite.
    """
    made = njit(function, error_model="numpy", nogil=True, fastmath={"contract"})
    with suppress(RuntimeError):  # numba finds no directory that it could write to
        made._cache = _Cache(function)  # noqa: SLF001
    return cast("_Function", made)


@cache
def _package() -> str:
    """Digest of all sources here: machine code contains what its function calls, and numba looks at one file alone."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()


class _Stamped:
    def get_source_stamp(self) -> str:
        return _package()


class _UserProvided(_Stamped, UserProvidedCacheLocator):
    pass


class _InTree(_Stamped, InTreeCacheLocator):
    pass


class _UserWide(_Stamped, UserWideCacheLocator):
    pass


class _Implementation(CompileResultCacheImpl):
    _locator_classes: list[type[object]] = [_UserProvided, _InTree, _UserWide]  # noqa: RUF012


class _Cache(FunctionCache):
    _impl_class = _Implementation
