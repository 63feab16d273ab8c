"""Generators, PV systems and storage of OpenDSS as constant power, as the solution has it."""

import numpy as np

from grid_engine.importers.opendss import columns
from grid_engine.importers.opendss.branches import branch_faults, branch_nodes, floating
from grid_engine.importers.opendss.ids import Ids
from grid_engine.importers.opendss.inverters import functions
from grid_engine.importers.opendss.layout import Layout
from grid_engine.importers.opendss.record import Circuit, Record
from grid_engine.model import Units

UNITS = ("generator", "pvsystem", "storage")


def units(circuit: Circuit, layout: Layout, ids: Ids) -> tuple[Units, tuple[Record, ...]]:
    """All units, and the record that each comes from; none may be among `unit_faults`."""
    records = tuple(record for record in circuit.of(*UNITS) if layout.knows(record))
    follows = functions(circuit)
    keys = [(record.kind, record.name) for record in records]
    table = Units(
        ids=tuple(ids[record.kind, record.name] for record in records),
        node=np.array([branch_nodes(record, layout) for record in records], dtype=np.int64).reshape(-1, 3, 2),
        power_va=np.array([_power(record, circuit) for record in records], dtype=np.complex128),
        rated_va=np.array([record.number("kva") * 1e3 for record in records]),
        energy_wh=np.array(
            [record.number("kwhrated") * 1e3 if record.kind == "storage" else 0.0 for record in records]
        ),
        fault_current_pu=np.array([_fault_current(record) for record in records]),
        volt_var=np.array([follows.volt_var.get(key, -1) for key in keys], dtype=np.int64),
        volt_watt=np.array([follows.volt_watt.get(key, -1) for key in keys], dtype=np.int64),
        in_service=columns.flags([record.enabled and not record.opened.any() for record in records]),
    )
    return table, records


def unit_faults(circuit: Circuit) -> list[str]:
    """Units that the model has no words for."""
    return floating(circuit, *UNITS) + [fault for record in circuit.of(*UNITS) for fault in branch_faults(record)]


def _power(record: Record, circuit: Circuit) -> complex:
    """Injected in the solution; nothing where out of service."""
    if not record.enabled:
        return 0j
    volts = np.array([circuit.voltage.get(place, 0j) for place in record.conductors])
    return complex(-volts @ record.current.conj())


def _fault_current(record: Record) -> float:
    """Behind the reactance or impedance that OpenDSS has for dynamics and faults, of rated current."""
    if record.kind == "generator":
        return 1 / record.number("xdpp")
    return 100 / abs(complex(record.number("pctr"), record.number("pctx")))
