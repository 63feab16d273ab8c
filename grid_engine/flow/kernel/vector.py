"""Eight numbers as one value of compiled code, which numba keeps in the vector registers of the processor.

Left to itself, numba works on eight neighbouring numbers one after the other, for it cannot know that rows of
an array do not overlap; what is loaded into such a value has no memory that could. The functions here exist in
compiled code alone: what they do is said in LLVM's words in the second half.
"""

import operator
from collections.abc import Callable
from typing import Any, Protocol

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import models, register_model

from grid_engine.model import FloatArray

LANES = 8

_OUTSIDE = "lanes exist in compiled code alone"


class Lanes(Protocol):
    """Eight numbers, one per case; whatever is done is done to each."""

    def __add__(self, other: "Lanes") -> "Lanes": ...
    def __sub__(self, other: "Lanes") -> "Lanes": ...
    def __mul__(self, other: "Lanes") -> "Lanes": ...
    def __rmul__(self, other: float) -> "Lanes": ...
    def __truediv__(self, other: "Lanes") -> "Lanes": ...


def load(array: FloatArray, row: int) -> Lanes:
    """Numbers 8 * row to 8 * row + 7 of an array of one dimension."""
    raise TypeError(_OUTSIDE)


def store(array: FloatArray, row: int, value: Lanes) -> None:
    """Put them back."""
    raise TypeError(_OUTSIDE)


def every(value: float) -> Lanes:
    """The same number eight times."""
    raise TypeError(_OUTSIDE)


def where_above(value: Lanes, bound: Lanes, one: Lanes, other: Lanes) -> Lanes:
    """`one` where `value` is above `bound`, else `other`."""
    raise TypeError(_OUTSIDE)


def any_below(value: Lanes, bound: Lanes) -> bool:
    """Whether one of `value` is below `bound`."""
    raise TypeError(_OUTSIDE)


def root(value: Lanes) -> Lanes:
    """Square roots."""
    raise TypeError(_OUTSIDE)


class _Type(types.Type):
    """In numba's terms."""


_LANES = _Type("Lanes")
_NUMBERS = ir.VectorType(ir.DoubleType(), LANES)
_ZEROS = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
_SIZE = ir.IntType(64)
_ALIGNMENT = 8
"""Of arrays, in bytes: that of one number."""
_FUSE = ("contract",)


@register_model(_Type)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _Type) -> None:
        super().__init__(manager, kind, _NUMBERS)


def _row(context: Any, builder: Any, given: Any, values: Any) -> Any:
    """Pointer to a row of an array."""
    data = context.make_array(given.args[0])(context, builder, values[0]).data
    at = builder.mul(builder.sext(values[1], _SIZE), ir.Constant(_SIZE, LANES))
    return builder.bitcast(builder.gep(data, [at]), _NUMBERS.as_pointer())


def _load(context: Any, builder: Any, given: Any, values: Any) -> Any:
    return builder.load(_row(context, builder, given, values), align=_ALIGNMENT)


def _store(context: Any, builder: Any, given: Any, values: Any) -> Any:
    builder.store(values[2], _row(context, builder, given, values), align=_ALIGNMENT)
    return context.get_dummy_value()


def _every(_context: Any, builder: Any, _given: Any, values: Any) -> Any:
    nothing = ir.Constant(_NUMBERS, ir.Undefined)
    first = builder.insert_element(nothing, values[0], ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, nothing, _ZEROS)


def _where_above(_context: Any, builder: Any, _given: Any, values: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", values[0], values[1]), values[2], values[3])


def _any_below(_context: Any, builder: Any, _given: Any, values: Any) -> Any:
    below = builder.bitcast(builder.fcmp_ordered("<", *values), ir.IntType(LANES))
    return builder.icmp_unsigned("!=", below, ir.Constant(ir.IntType(LANES), 0))


def _root(_context: Any, builder: Any, _given: Any, values: Any) -> Any:
    kind = ir.FunctionType(_NUMBERS, [_NUMBERS])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f64")
    return builder.call(function, values)


def _operation(name: str) -> Callable[..., Any]:
    """A number before an operator stands for eight of them."""

    def code(context: Any, builder: Any, given: Any, values: Any) -> Any:
        single = isinstance(given.args[0], types.Float)
        one = _every(context, builder, given, values[:1]) if single else values[0]
        return getattr(builder, name)(one, values[1], flags=_FUSE)

    return code


_CODES: tuple[tuple[Callable[..., object], Callable[..., Any], types.Type, tuple[Any, ...]], ...] = (
    (load, _load, _LANES, (types.Array, types.Integer)),
    (store, _store, types.none, (types.Array, types.Integer, _LANES)),
    (every, _every, _LANES, (types.float64,)),
    (where_above, _where_above, _LANES, (_LANES,) * 4),
    (any_below, _any_below, types.boolean, (_LANES, _LANES)),
    (root, _root, _LANES, (_LANES,)),
    (operator.add, _operation("fadd"), _LANES, (_LANES, _LANES)),
    (operator.sub, _operation("fsub"), _LANES, (_LANES, _LANES)),
    (operator.mul, _operation("fmul"), _LANES, (_LANES, _LANES)),
    (operator.mul, _operation("fmul"), _LANES, (types.float64, _LANES)),
    (operator.truediv, _operation("fdiv"), _LANES, (_LANES, _LANES)),
)


def _register(
    function: Callable[..., object], code: Callable[..., Any], result: types.Type, of: tuple[Any, ...]
) -> None:
    class Template(AbstractTemplate):
        def generic(self, given: tuple[types.Type, ...], _named: object) -> object:
            fits = len(given) == len(of) and all(_fits(one, asked) for one, asked in zip(given, of, strict=True))
            return signature(result, *given) if fits else None

    infer_global(function)(Template)
    lower_builtin(function, *of)(code)


def _fits(given: types.Type, asked: Any) -> bool:
    return isinstance(given, asked) if isinstance(asked, type) else bool(given == asked)


for _entry in _CODES:
    _register(*_entry)
