"""The project's own network format as a table: what each element is called and how each of its fields is written.

A document is one JSON object with the tables of the model, one object per element. Nodes are written
`BUS.TERMINAL` (`650.a`), the reference as `earth`, what is absent as null; elements name each other by id;
complex numbers are `[real, imaginary]`; a matrix is its lower triangle, row by row, or all of it where it is
not symmetric. Lists follow the element's own conductors, windings and branches. Infinity and not-a-number do
not exist in it: null stands for the one that the field allows. A field left out has its default.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from grid_engine.model import (
    CapacitorControlKind,
    CapacitorControls,
    Lines,
    Loads,
    Ratings,
    Regulators,
    SequenceTransformers,
    Shunts,
    Sources,
    Switches,
    SwitchKind,
    Transformers,
    Units,
)
from grid_engine.modelling.tables import COLUMNS

FORMAT = "ampacity-network"
FORMAT_VERSION = 1
EARTH_NAME = "earth"

SIZE_LIMITS: Mapping[str, int] = MappingProxyType({"k": 24, "s": 24, "w": 12, "p": 3, "b": 3})
"""Longest list per letter: conductors, shunt nodes, windings, phases, branches."""

Default = float | bool | str | tuple[float, ...]


class Leaf(StrEnum):
    """What one value is."""

    NUMBER = "number"
    COMPLEX = "complex"
    WHOLE = "whole"
    FLAG = "flag"
    NODE = "node"
    ELEMENT = "element"
    """The id of another element; null for none."""
    CURVE = "curve"
    """A position in `curves`; null for none."""
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an element, of the same name as the model's."""

    name: str
    leaf: Leaf
    dims: tuple[int | str, ...] = ()
    """Of one entry: numbers, or letters of `SIZE_LIMITS` for the element's own size; twice the same is a matrix."""
    default: Default | None = None
    """Of every value in it, or of all, where the field is left out; another field's name: as that; None: required."""
    null: float | None = None
    """The number that null stands for."""
    of: str = ""
    """The table that an element's id is of, or the field that says so."""
    choices: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """True where it may not be left out."""
        return self.default is None

    @property
    def is_matrix(self) -> bool:
        """True where it is written as a triangle."""
        return len(self.dims) == 2 and isinstance(self.dims[0], str) and self.dims[0] == self.dims[1]


@dataclass(frozen=True, slots=True)
class Layout:
    """One table of the document."""

    name: str
    table: type
    fields: tuple[Field, ...]

    @property
    def rated(self) -> bool:
        """True where its elements have ratings."""
        return self.table in {Lines, Transformers, SequenceTransformers}


_LETTERS: Mapping[tuple[type, str], tuple[int | str, ...]] = {
    (Transformers, "node"): ("w", "p", 2),
    **dict.fromkeys([(Loads, "node"), (Units, "node")], ("b", 2)),
    **dict.fromkeys([(Loads, "power_va"), (Sources, "node"), (Sources, "angle_deg")], ("b",)),
    (Sources, "admittance_s"): ("b", "b"),
}
"""Where the model pads to a fixed size and the document does not."""

_NODES = {"from_node", "to_node", "node", "hv_node", "lv_node"}

_SPECIAL: Mapping[tuple[type, str], Field] = {
    (Units, "volt_var"): Field("volt_var", Leaf.CURVE, default=-1),
    (Units, "volt_watt"): Field("volt_watt", Leaf.CURVE, default=-1),
    (Regulators, "transformer"): Field("transformer", Leaf.ELEMENT, of="transformers"),
    (CapacitorControls, "shunt"): Field("shunt", Leaf.ELEMENT, of="shunts"),
    (CapacitorControls, "line"): Field("line", Leaf.ELEMENT, of="lines", default=-1),
    (CapacitorControls, "kind"): Field(
        "kind", Leaf.CHOICE, choices=tuple(kind.name.lower() for kind in CapacitorControlKind)
    ),
    (Switches, "kind"): Field("kind", Leaf.CHOICE, choices=tuple(kind.name.lower() for kind in SwitchKind)),
    (Switches, "bus"): Field("bus", Leaf.ELEMENT, of="buses"),
    (Switches, "element"): Field("element", Leaf.ELEMENT, of="kind"),
}

SWITCHED: Mapping[str, str] = MappingProxyType(
    {kind.name.lower(): f"{kind.name.lower()}{'es' if kind is SwitchKind.BUS else 's'}" for kind in SwitchKind}
)
"""By kind of switch, the table that its element is of."""

_DEFAULTS: Mapping[type, Mapping[str, Default]] = {
    Ratings: {
        "normal": math.inf,
        "emergency": "normal",
        "seasonal": 1.0,
        "derate_pct": 0.0,
        "condition_score": 100.0,
        "neutral_a": math.nan,
        "reverse_power_w": math.inf,
        "withstand_a": math.inf,
    },
    Lines: {"shunt_s": 0.0},
    Transformers: {
        "magnetising_pu": 0.0,
        "float_va": 0.0,
        "fixed_tap_pu": 1.0,
        "tap_winding": -1,
        "tap": 0,
        "tap_neutral": 0,
        "tap_min": 0,
        "tap_max": 0,
        "tap_step_pct": 0.0,
    },
    SequenceTransformers: {
        "tap_on_hv": True,
        "tap": 0,
        "tap_neutral": 0,
        "tap_min": 0,
        "tap_max": 0,
        "tap_step_pct": 0.0,
        "delta_hv": False,
        "shift_deg": 0.0,
        "magnetising_pu": 0.0,
    },
    Loads: {
        "zip_p": (0.0, 0.0, 1.0),
        "zip_q": (0.0, 0.0, 1.0),
        "exponent": math.nan,
        "band_pu": (0.0, math.inf),
        "edge_pu": math.nan,
        "low_pu": 0.0,
    },
    Units: {"energy_wh": 0.0},
    Regulators: {"ct_primary_a": 1.0, "drop_v": 0.0, "delay_s": 0.0, "winding": 1},
    CapacitorControls: {
        "pt_ratio": 1.0,
        "ct_ratio": 1.0,
        "voltage_min_v": -math.inf,
        "voltage_max_v": math.inf,
        "delay_s": 0.0,
        "delay_off_s": 0.0,
        "dead_time_s": 0.0,
    },
    Switches: {"closed": True},
}

_NULLS: Mapping[type, Mapping[str, float]] = {
    Ratings: {
        "normal": math.inf,
        "emergency": math.inf,
        "neutral_a": math.nan,
        "reverse_power_w": math.inf,
        "withstand_a": math.inf,
    },
    Loads: {"exponent": math.nan, "band_pu": math.inf, "edge_pu": math.nan},
    CapacitorControls: {"voltage_min_v": -math.inf, "voltage_max_v": math.inf},
}


def _fields(table: type) -> tuple[Field, ...]:
    return tuple(_field(table, name) for name in COLUMNS[table])


def _field(table: type, name: str) -> Field:
    special = _SPECIAL.get((table, name))
    if special:
        return special
    column = COLUMNS[table][name]
    leaves = {"float": Leaf.NUMBER, "complex": Leaf.COMPLEX, "int": Leaf.WHOLE, "bool": Leaf.FLAG}
    default = _DEFAULTS.get(table, {}).get(name, True if name == "in_service" else None)
    return Field(
        name=name,
        leaf=Leaf.NODE if name in _NODES else leaves[column.kind],
        dims=_LETTERS.get((table, name), column.trailing),
        default=default,
        null=_NULLS.get(table, {}).get(name),
    )


RATINGS = _fields(Ratings)
"""Of the object `ratings` in an element; all of them may be left out."""

BUSES = (
    Field("phase_v", Leaf.NUMBER),
    Field("voltage_min_pu", Leaf.NUMBER, default=math.nan, null=math.nan),
    Field("voltage_max_pu", Leaf.NUMBER, default=math.nan, null=math.nan),
    Field("position", Leaf.NUMBER, (2,), default=math.nan, null=math.nan),
)
"""A bus also has `terminals`, the names of its nodes in order."""

LAYOUTS: tuple[Layout, ...] = tuple(
    Layout(name, table, _fields(table))
    for name, table in (
        ("lines", Lines),
        ("transformers", Transformers),
        ("sequence_transformers", SequenceTransformers),
        ("shunts", Shunts),
        ("loads", Loads),
        ("units", Units),
        ("regulators", Regulators),
        ("capacitor_controls", CapacitorControls),
        ("switches", Switches),
        ("sources", Sources),
    )
)
"""Every table but `buses` and `curves`."""
