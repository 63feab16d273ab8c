"""Voltage sources of OpenDSS."""

import numpy as np

from grid_engine.importers.opendss import columns
from grid_engine.importers.opendss.ids import Ids
from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Circuit, Record
from grid_engine.model import Sources

_TURN_DEG = {"positive": -120.0, "zero": 0.0, "negative": 120.0}


def sources(circuit: Circuit, layout: Layout, ids: Ids) -> tuple[Sources, tuple[Record, ...]]:
    """All sources in service, with impedances as OpenDSS has them, and the record that each comes from."""
    records = tuple(record for record in circuit.of("vsource") if record.enabled)
    turns = np.arange(3)
    table = Sources(
        ids=tuple(ids[record.kind, record.name] for record in records),
        node=columns.nodes([layout.of(record.places[0]) for record in records], 3),
        voltage_pu=np.array([_volts(record) / _bus_v(record, layout) for record in records]),
        angle_deg=np.array([record.number("angle") + turns * _TURN_DEG[record.text("sequence")] for record in records]),
        admittance_s=columns.squares([record.admittance[: record.phases, : record.phases] for record in records], 3),
    )
    return table, records


def source_faults(circuit: Circuit) -> list[str]:
    """Sources that are not up to three phases against earth."""
    return [
        f"{record.title}: not one or three phases between a bus and earth"
        for record in circuit.of("vsource")
        if record.enabled and (record.phases not in (1, 3) or any(number for _, number in record.places[1]))
    ]


def _volts(record: Record) -> float:
    """Behind the impedance, between a phase and earth."""
    return record.number("basekv") * 1e3 * record.number("pu") / (np.sqrt(3) if record.phases == 3 else 1)


def _bus_v(record: Record, layout: Layout) -> float:
    return float(layout.buses.phase_v[layout.bus[record.places[0][0][0]]])
