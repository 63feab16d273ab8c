"""Transformers of OpenDSS coil by coil, with the tap changers that regulators work on."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from grid_engine.importers.opendss import columns
from grid_engine.importers.opendss.coils import windings
from grid_engine.importers.opendss.ids import Ids
from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Circuit, Record
from grid_engine.model import ABSENT, FloatArray, IntArray, Transformers

_FLOAT = 0.5e-6
"""Part of the rating of a coil that OpenDSS pins either end of it with, at 1 ppm."""
_ON_STEP = 1e-9
"""A tap ratio this close to a step stands on it."""


@dataclass(frozen=True, slots=True)
class TapChanger:
    """What a regulator works on."""

    winding: int
    """Counted from 0."""
    phase: int
    """The one that the regulator looks at, counted from 0; it becomes coil 0."""


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    node: IntArray
    rated_v: FloatArray
    resistance_pu: FloatArray
    reactance_pu: FloatArray
    float_va: FloatArray
    fixed_tap_pu: FloatArray
    tap: tuple[int, int, int, int]
    """Winding, position, lowest and highest position; neutral is 0."""
    tap_step_pct: float


def transformers(
    circuit: Circuit, layout: Layout, ids: Ids, changers: Mapping[str, TapChanger]
) -> tuple[Transformers, tuple[Record, ...]]:
    """All transformers and autotransformers, and the record that each comes from; `changers` by name."""
    records = tuple(record for record in circuit.of("transformer", "autotrans") if layout.knows(record))
    w = max((len(record.places) for record in records), default=2)
    rows = [
        _row(record, layout, w, changers.get(record.name) if record.kind == "transformer" else None)
        for record in records
    ]
    tap = np.array([row.tap for row in rows], dtype=np.int64).reshape(-1, 4)
    core = [record.number("pctnoloadloss") - 1j * record.number("pctimag") for record in records]
    table = Transformers(
        ids=tuple(ids[record.kind, record.name] for record in records),
        node=np.array([row.node for row in rows], dtype=np.int64).reshape(-1, w, 3, 2),
        rated_v=np.array([row.rated_v for row in rows]).reshape(-1, w),
        rated_va=np.array([record.numbers("kvas")[0] * 1e3 for record in records]),
        resistance_pu=np.array([row.resistance_pu for row in rows]).reshape(-1, w),
        reactance_pu=np.array([row.reactance_pu for row in rows]).reshape(-1, w, w),
        magnetising_pu=np.array(core, dtype=np.complex128) / 100,
        float_va=np.array([row.float_va for row in rows]).reshape(-1, w, 2),
        fixed_tap_pu=np.array([row.fixed_tap_pu for row in rows]).reshape(-1, w),
        tap_winding=tap[:, 0],
        tap=tap[:, 1],
        tap_neutral=np.zeros(len(rows), dtype=np.int64),
        tap_min=tap[:, 2],
        tap_max=tap[:, 3],
        tap_step_pct=np.array([row.tap_step_pct for row in rows]),
        in_service=columns.flags([record.enabled for record in records]),
        ratings=columns.ratings(records, "normhkva", "emerghkva", unit=1e3),
    )
    return table, records


def _row(record: Record, layout: Layout, w: int, changer: TapChanger | None) -> _Row:
    made, phases = windings(record), record.phases
    first = 0 if changer is None else changer.phase
    node = np.full((w, 3, 2), ABSENT, dtype=np.int64)
    for winding, by_phase in enumerate(made.coils):
        turned = by_phase[first:] + by_phase[:first]
        node[winding, :phases] = np.array([layout.of(ends) for ends in turned])
    count = len(made.coils)
    reactance = np.zeros((w, w))
    reactance[:count, :count] = made.reactance_pu
    per_coil_va = record.numbers("kvas")[0] * 1e3 / phases * _FLOAT * record.number("ppm_antifloat")
    fixed, tap, step = _taps(record, changer)
    return _Row(
        node=node,
        rated_v=_padded(made.rated_v, w),
        resistance_pu=_padded(made.resistance_pu, w),
        reactance_pu=reactance,
        float_va=per_coil_va * np.stack([_padded(np.ones(count), w), _padded(1 + made.pinned_twice, w)], axis=1),
        fixed_tap_pu=_padded(fixed, w, 1.0),
        tap=tap,
        tap_step_pct=step,
    )


def _taps(record: Record, changer: TapChanger | None) -> tuple[FloatArray, tuple[int, int, int, int], float]:
    """Ratios with the tap changer at neutral, its positions, and its step in per cent."""
    ratio = record.numbers("taps")
    if changer is None:
        return ratio, (-1, 0, 0, 0), 0.0
    lowest, highest, steps = (record.numbers(key)[changer.winding] for key in ("mintap", "maxtap", "numtaps"))
    step = (highest - lowest) / steps
    position = round((ratio[changer.winding] - 1) / step)
    neutral = ratio[changer.winding] - position * step
    ratio[changer.winding] = 1.0 if abs(neutral - 1) < _ON_STEP else neutral
    reach = (round((lowest - 1) / step), round((highest - 1) / step))
    return ratio, (changer.winding, position, *reach), step * 100


def _padded(values: FloatArray, width: int, filler: float = 0.0) -> FloatArray:
    return np.concatenate([values, np.full(width - len(values), filler)])


def transformer_faults(circuit: Circuit) -> list[str]:
    """Transformers that the model has no words for."""
    return [
        f"{record.title}: {record.phases} phases"
        for record in circuit.of("transformer", "autotrans")
        if record.phases > 3
    ]
