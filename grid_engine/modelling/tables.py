"""The shape of every table of the model, said once: empty tables, ratings without limit, and columns for readers.

Trailing dimensions are numbers or letters: `k` conductors of lines, `s` nodes of shunts, `w` windings.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeVar, get_type_hints

import numpy as np
from numpy.typing import NDArray

from grid_engine.model import (
    BoolArray,
    Buses,
    CapacitorControls,
    ComplexArray,
    FloatArray,
    IntArray,
    Lines,
    Loads,
    Network,
    Nodes,
    Ratings,
    Regulators,
    Season,
    SequenceTransformers,
    Shunts,
    Sources,
    Switches,
    Transformers,
    Units,
)

Table = (
    Buses
    | Nodes
    | Ratings
    | Lines
    | Transformers
    | SequenceTransformers
    | Shunts
    | Loads
    | Units
    | Regulators
    | CapacitorControls
    | Switches
    | Sources
)
_T = TypeVar("_T")

Kind = Literal["int", "float", "complex", "bool"]
_KINDS: Mapping[object, Kind] = {IntArray: "int", FloatArray: "float", ComplexArray: "complex", BoolArray: "bool"}
_DTYPES = {"int": np.int64, "float": np.float64, "complex": np.complex128, "bool": np.bool_}
_COIL = ("w", 3, 2)
_BRANCH = (3, 2)
_TRAILING: Mapping[tuple[type, str], tuple[int | str, ...]] = {
    (Buses, "position"): (2,),
    (Ratings, "seasonal"): (len(Season),),
    **dict.fromkeys([(Lines, "from_node"), (Lines, "to_node")], ("k",)),
    **dict.fromkeys([(Lines, "impedance_ohm"), (Lines, "shunt_s")], ("k", "k")),
    (Transformers, "node"): _COIL,
    **dict.fromkeys([(Transformers, c) for c in ("rated_v", "resistance_pu", "fixed_tap_pu")], ("w",)),
    (Transformers, "reactance_pu"): ("w", "w"),
    (Transformers, "float_va"): ("w", 2),
    **dict.fromkeys([(SequenceTransformers, "hv_node"), (SequenceTransformers, "lv_node")], (3,)),
    (Shunts, "node"): ("s",),
    (Shunts, "admittance_s"): ("s", "s"),
    **dict.fromkeys([(Loads, "node"), (Units, "node")], _BRANCH),
    **dict.fromkeys([(Loads, "power_va"), (Loads, "zip_p"), (Loads, "zip_q")], (3,)),
    **dict.fromkeys([(Loads, "exponent"), (Loads, "band_pu")], (2,)),
    (Loads, "edge_pu"): (2, 2),
    **dict.fromkeys([(Regulators, "node"), (CapacitorControls, "node")], (2,)),
    **dict.fromkeys([(Sources, "node"), (Sources, "angle_deg")], (3,)),
    (Sources, "admittance_s"): (3, 3),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One array of a table."""

    kind: Kind
    trailing: tuple[int | str, ...]
    """Shape of one entry; letters stand for what differs from network to network."""

    def empty(self, n: int, sizes: Mapping[str, int]) -> NDArray[np.generic]:
        """Zeros for `n` entries."""
        trailing = tuple(sizes[d] if isinstance(d, str) else d for d in self.trailing)
        return np.zeros((n, *trailing), dtype=_DTYPES[self.kind])


def _columns(table: type) -> Mapping[str, Column]:
    hints = get_type_hints(table)
    names = [field.name for field in dataclasses.fields(table)]
    kinds = {name: _KINDS[hints[name]] for name in names if hints[name] in _KINDS}
    return MappingProxyType({name: Column(kind, _TRAILING.get((table, name), ())) for name, kind in kinds.items()})


COLUMNS: Mapping[type, Mapping[str, Column]] = MappingProxyType({table: _columns(table) for table in Table.__args__})
"""Arrays of every table, in the model's order; `ids` and `ratings` are not among them."""


def unlimited(n: int) -> Ratings:
    """Ratings of `n` assets that nothing limits."""
    endless = np.full(n, np.inf)
    return Ratings(
        normal=endless,
        emergency=endless,
        seasonal=np.ones((n, len(Season))),
        derate_pct=np.zeros(n),
        condition_score=np.full(n, 100.0),
        neutral_a=np.full(n, np.nan),
        reverse_power_w=endless,
        withstand_a=endless,
    )


def rated(normal: FloatArray) -> Ratings:
    """Ratings of which only the normal one is known; it holds after a contingency too."""
    return dataclasses.replace(unlimited(len(normal)), normal=normal, emergency=normal)


def no_lines(k: int = 3) -> Lines:
    """No line, `k` conductors wide."""
    return _none(Lines, ids=(), ratings=unlimited(0), k=k)


def no_transformers(w: int = 2) -> Transformers:
    """No transformer, `w` windings wide."""
    return _none(Transformers, ids=(), ratings=unlimited(0), w=w)


def no_sequence_transformers() -> SequenceTransformers:
    """No transformer given by sequence data."""
    return _none(SequenceTransformers, ids=(), ratings=unlimited(0))


def no_shunts(s: int = 3) -> Shunts:
    """No capacitor or reactor, `s` nodes wide."""
    return _none(Shunts, ids=(), s=s)


def no_loads() -> Loads:
    """No load."""
    return _none(Loads, ids=())


def no_units() -> Units:
    """No generation or storage."""
    return _none(Units, ids=())


def no_regulators() -> Regulators:
    """No controller of a tap changer."""
    return _none(Regulators, ids=())


def no_capacitor_controls() -> CapacitorControls:
    """No controller of a capacitor."""
    return _none(CapacitorControls, ids=())


def no_switches() -> Switches:
    """No switch."""
    return _none(Switches, ids=())


def no_sources() -> Sources:
    """No source; a network needs at least one."""
    return _none(Sources, ids=())


def empty_network(version: str, frequency_hz: float, *, k: int = 3, w: int = 2, s: int = 3) -> Network:
    """A network of nothing, to replace tables of."""
    return Network(
        version=version,
        frequency_hz=frequency_hz,
        buses=_none(Buses, ids=()),
        nodes=_none(Nodes),
        lines=no_lines(k),
        transformers=no_transformers(w),
        sequence_transformers=no_sequence_transformers(),
        shunts=no_shunts(s),
        loads=no_loads(),
        units=no_units(),
        curves=(),
        regulators=no_regulators(),
        capacitor_controls=no_capacitor_controls(),
        switches=no_switches(),
        sources=no_sources(),
    )


def _none(
    table: Callable[..., _T], ids: tuple[str, ...] | None = None, ratings: Ratings | None = None, **sizes: int
) -> _T:
    given = {name: value for name, value in (("ids", ids), ("ratings", ratings)) if value is not None}
    columns = COLUMNS[table] if isinstance(table, type) else {}
    return table(**given, **{name: column.empty(0, sizes) for name, column in columns.items()})
