"""Loads of OpenDSS as branches with a law of voltage."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from grid_engine.importers.opendss import columns
from grid_engine.importers.opendss.branches import branch_faults, branch_nodes, branch_v, floating
from grid_engine.importers.opendss.ids import Ids
from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Circuit, Record
from grid_engine.model import FloatArray, Loads

_Parts = tuple[float, float, float]
_POWER: _Parts = (0.0, 0.0, 1.0)
_CURRENT: _Parts = (0.0, 1.0, 0.0)
_IMPEDANCE: _Parts = (1.0, 0.0, 0.0)
_CVR, _ZIP = 4, 8
_CUT_OFF = 6
"""Position in `zipv` of the voltage below which the load switches off."""
_FIXED_REACTIVE = (6, 7)
"""Models whose reactive power the load multiplier leaves alone."""
_LAW, _NOMINAL, _NOMINAL_IMPEDANCE = None, 0, 2
"""Power outside the band: as the law goes on, or voltage to this power at the end of the band."""


@dataclass(frozen=True, slots=True)
class _Model:
    """One of the load models of OpenDSS, as swept in its solutions."""

    zip_p: _Parts
    zip_q: _Parts
    edge_p: int | None = _LAW
    edge_q: int | None = _LAW
    ramp: bool = True
    """Between `vlowpu` and `vminpu` the current is interpolated."""


_MODELS: Mapping[int, _Model] = MappingProxyType(
    {
        1: _Model(_POWER, _POWER),
        2: _Model(_IMPEDANCE, _IMPEDANCE),
        3: _Model(_POWER, _IMPEDANCE, _NOMINAL, _NOMINAL),
        _CVR: _Model(_POWER, _POWER, _NOMINAL, _NOMINAL),
        5: _Model(_CURRENT, _CURRENT),
        6: _Model(_POWER, _POWER, _NOMINAL, _NOMINAL_IMPEDANCE, ramp=False),
        7: _Model(_POWER, _IMPEDANCE, _NOMINAL, _NOMINAL_IMPEDANCE, ramp=False),
        _ZIP: _Model(_POWER, _POWER),
    }
)


@dataclass(frozen=True, slots=True)
class _Law:
    zip_p: _Parts
    zip_q: _Parts
    exponent: tuple[float, float]
    band_pu: tuple[float, float]
    edge_pu: FloatArray
    low_pu: float


def loads(circuit: Circuit, layout: Layout, ids: Ids) -> tuple[Loads, tuple[Record, ...]]:
    """All loads, and the record that each comes from; none may be among `load_faults`.

    Models 6 and 7 consume below `vlowpu` what goes on from above it; where model 8 cuts off between `vlowpu` and
    `vminpu`, the current below `vminpu` goes on all the same.
    """
    records = tuple(record for record in circuit.of("load") if layout.knows(record))
    laws = [_law(record) for record in records]
    table = Loads(
        ids=tuple(ids[record.kind, record.name] for record in records),
        node=np.array([branch_nodes(record, layout) for record in records], dtype=np.int64).reshape(-1, 3, 2),
        power_va=np.array([_power(record, circuit) for record in records], dtype=np.complex128).reshape(-1, 3),
        nominal_v=np.array([branch_v(record) for record in records]),
        zip_p=np.array([law.zip_p for law in laws]).reshape(-1, 3),
        zip_q=np.array([law.zip_q for law in laws]).reshape(-1, 3),
        exponent=np.array([law.exponent for law in laws]).reshape(-1, 2),
        band_pu=np.array([law.band_pu for law in laws]).reshape(-1, 2),
        edge_pu=np.array([law.edge_pu for law in laws]).reshape(-1, 2, 2),
        low_pu=np.array([law.low_pu for law in laws]),
        in_service=columns.flags([record.enabled and not record.opened.any() for record in records]),
    )
    return table, records


def load_faults(circuit: Circuit) -> list[str]:
    """Loads that the model has no words for."""
    found = floating(circuit, "load")
    for record in circuit.of("load"):
        found += branch_faults(record)
        model = int(record.number("model"))
        if model not in _MODELS:
            found.append(f"{record.title}: model {model}")
        if record.values["cvrcurve"]:
            found.append(f"{record.title}: cvrcurve")
    return found


def _power(record: Record, circuit: Circuit) -> list[complex]:
    """Shape (3,): per branch."""
    multiplier = circuit.load_multiplier if record.text("status") == "variable" else 1.0
    fixed_reactive = int(record.number("model")) in _FIXED_REACTIVE
    active, reactive = record.number("kw") * multiplier, record.number("kvar") * (1 if fixed_reactive else multiplier)
    each = complex(active, reactive) * 1e3 / record.phases
    return [each] * record.phases + [0j] * (3 - record.phases)


def _law(record: Record) -> _Law:
    number = int(record.number("model"))
    model, parts = _MODELS[number], record.numbers("zipv")
    lowest, highest, low = (record.number(key) for key in ("vminpu", "vmaxpu", "vlowpu"))
    edge = np.array([_edges(model.edge_p, lowest, highest), _edges(model.edge_q, lowest, highest)])
    start = max(lowest, low)
    if lowest <= low:
        edge[:, 0] = low**2
    if number == _ZIP and parts[_CUT_OFF] > start:
        start, low, edge[:, 0] = parts[_CUT_OFF], 0.0, 0.0
    zip_p, zip_q = (tuple(parts[:3]), tuple(parts[3:6])) if number == _ZIP else (model.zip_p, model.zip_q)
    return _Law(
        zip_p=zip_p,
        zip_q=zip_q,
        exponent=(record.number("cvrwatts"), record.number("cvrvars")) if number == _CVR else (np.nan, np.nan),
        band_pu=(start, highest),
        edge_pu=edge,
        low_pu=low if model.ramp and lowest > low else 0.0,
    )


def _edges(power: int | None, lowest: float, highest: float) -> list[float]:
    return [np.nan if power is _LAW else end**power for end in (lowest, highest)]
