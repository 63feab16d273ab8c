"""Windings of transformers and autotransformers of OpenDSS: where their coils stand, and what lies between them."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from grid_engine.importers.opendss.record import Place, Record
from grid_engine.model import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Windings:
    """Of one transformer with w windings."""

    coils: tuple[tuple[tuple[Place, Place], ...], ...]
    """Both ends of every coil, by winding, then phase."""
    rated_v: FloatArray
    """Shape (w,): across a coil."""
    resistance_pu: FloatArray
    """Shape (w,): two of them add up to what a pair of windings has."""
    reactance_pu: FloatArray
    """Shape (w, w)."""
    pinned_twice: FloatArray
    """Shape (w,): part of the anti-float shunt at far ends that each coil has once more, for star points."""


def windings(record: Record) -> Windings:
    """Of a transformer or an autotransformer."""
    return _auto(record) if record.kind == "autotrans" else _ordinary(record)


def _ordinary(record: Record) -> Windings:
    """Coils of a wye run to its neutral, those of a delta from each phase to the next or to the one before."""
    connections, phases = record.texts("conns"), record.phases
    wye = np.array(connections) == "wye"
    step = _delta_direction(record)
    return Windings(
        coils=tuple(
            tuple((places[phase], places[_far_end(record, connection, phase, step)]) for phase in range(phases))
            for places, connection in zip(record.places, connections, strict=True)
        ),
        rated_v=record.numbers("kvs") * 1e3 / np.where(wye & (phases > 1), np.sqrt(3), 1),
        resistance_pu=record.numbers("pctrs") / 100,
        reactance_pu=_leakages(record),
        pinned_twice=wye * (record.numbers("rneut") < 0) / phases,
    )


def _auto(record: Record) -> Windings:
    """Winding 0 is the coil in series between both voltages, winding 1 the common one, winding 2 a tertiary.

    Leakages are told between the voltages; those between coils follow H. W. Dommel, EMTP Theory Book, on
    autotransformers. Resistances are told by coil, but the short circuit between both voltages has them larger.
    """
    connections, phases = record.texts("conns"), record.phases
    high, low = record.numbers("kvs")[:2]
    whole, part = high / (high - low), low / (high - low)
    leakage, resistance = _leakages(record), record.numbers("pctrs") / 100
    pairs = resistance[:, None] + resistance
    pairs[0, 1] *= whole**2
    leakage[0, 1] = leakage[1, 0] = between = leakage[0, 1] * whole**2
    if len(record.places) == 3:
        series = leakage[0, 2] * whole + between * part / whole - leakage[1, 2] * part
        leakage[0, 2] = leakage[2, 0] = series
        resistance = np.array([[1, 1, -1], [1, -1, 1], [-1, 1, 1]]) @ [pairs[0, 1], pairs[0, 2], pairs[1, 2]] / 2
    else:
        resistance = np.full(2, pairs[0, 1] / 2)
    rated_v = record.numbers("kvs") * 1e3
    rated_v[0] -= rated_v[1]
    return Windings(
        coils=tuple(
            tuple((places[phase], places[_other_end(connection, phase, phases)]) for phase in range(phases))
            for places, connection in zip(record.places, connections, strict=True)
        ),
        rated_v=rated_v / np.where((np.array(connections) != "delta") & (phases > 1), np.sqrt(3), 1),
        resistance_pu=resistance,
        reactance_pu=leakage,
        pinned_twice=np.zeros(len(connections)),
    )


def _leakages(record: Record) -> FloatArray:
    count = len(record.places)
    table = np.zeros((count, count))
    for (i, j), leakage in zip(combinations(range(count), 2), record.numbers("xscarray"), strict=True):
        table[i, j] = table[j, i] = leakage / 100
    return table


def _delta_direction(record: Record) -> int:
    """1 to the next phase, -1 to the one before.

    Where a delta and a wye are joined, the higher voltage leads by 30° with `leadlag` at lag (ANSI), and lags with
    lead (Euro).
    """
    connections, volts = record.texts("conns"), record.numbers("kvs")
    if connections[0] == connections[1]:
        return 1
    high = 0 if volts[0] >= volts[1] else 1
    leads = record.text("leadlag") in ("lead", "euro")
    return 1 if (connections[high] == "delta") == leads else -1


def _far_end(record: Record, connection: str, phase: int, step: int) -> int:
    if connection == "wye":
        return record.phases
    return 1 if record.phases == 1 else (phase + step) % 3


def _other_end(connection: str, phase: int, phases: int) -> int:
    return (phase + 1) % phases if connection == "delta" and phases > 1 else phases + phase
