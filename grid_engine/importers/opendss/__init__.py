"""Reads a network from OpenDSS files through dss-python: what OpenDSS compiles and solves is what the network says.

Taps, capacitor steps and powers of generation are those of its snapshot solution. Every element is compared
with the admittances and currents of OpenDSS; what differs, or has no words in the model, is a named fault.
Elements that are disabled are out of service, or left out where nothing in service stands at their bus.
"""

import hashlib
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path

import numpy as np

from grid_engine.importers.opendss.controls import (
    capacitor_controls,
    control_faults,
    regulators,
    switches,
    tap_changers,
)
from grid_engine.importers.opendss.ids import repeated, unique_ids
from grid_engine.importers.opendss.inverters import functions, inverter_faults
from grid_engine.importers.opendss.layout import Layout, laid_out
from grid_engine.importers.opendss.lines import line_faults, lines
from grid_engine.importers.opendss.loads import load_faults, loads
from grid_engine.importers.opendss.process import read
from grid_engine.importers.opendss.proof import Claims, differences
from grid_engine.importers.opendss.record import Circuit
from grid_engine.importers.opendss.shunts import shunt_faults, shunts
from grid_engine.importers.opendss.sources import source_faults, sources
from grid_engine.importers.opendss.transformers import transformer_faults, transformers
from grid_engine.importers.opendss.units import unit_faults, units
from grid_engine.model import ComplexArray, Network, NetworkError
from grid_engine.modelling.tables import empty_network

__all__ = ["Solved", "load", "load_solved"]


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A network and what OpenDSS itself finds for it."""

    network: Network
    voltage_pu: ComplexArray
    """Shape (n_node,): to earth, of each node's own nominal voltage; not a number at the free ends of open phases."""


def load(path: Path | str, version: str = "", *, solve: bool = True, hold: bool = True) -> Network:
    """The network of the master file `path`.

    Args:
        path: What OpenDSS would compile.
        version: Defaults to a digest of the network, for what the file redirects to counts too.
        solve: Let OpenDSS's controllers act until they are content; otherwise taps and capacitor steps are those
            that the files leave.
        hold: Leave out of service what controllers the model has no words for, with what they control as solved;
            otherwise each of them is a fault.

    Raises:
        NetworkError: dss-python is not installed, or with every fault found.
    """
    return load_solved(path, version, solve=solve, hold=hold).network


def load_solved(path: Path | str, version: str = "", *, solve: bool = True, hold: bool = True) -> Solved:
    """The same, with the voltages of OpenDSS's solution."""
    source = Path(path)
    if not source.is_file():
        raise NetworkError(source.name, (f"no file {source}",))
    circuit = read(source, solve=solve)
    looks = _LOOKS if hold else _LOOKS + _CONTROL_LOOKS
    found = [fault for look in looks for fault in look(circuit)]
    if found:
        raise NetworkError(source.name, tuple(found))
    layout = laid_out(circuit)
    network, claims = _network(circuit, layout)
    network = replace(network, version=version or _digest(network))
    found = differences(circuit, layout, network, claims)
    if found:
        raise NetworkError(source.name, tuple(found))
    volts = np.full(len(network.nodes.bus), np.nan, dtype=np.complex128)
    for place, node in layout.node.items():
        volts[node] = circuit.voltage.get(place, np.nan)
    return Solved(network, volts / network.buses.phase_v[network.nodes.bus])


_LOOKS = (
    repeated,
    source_faults,
    line_faults,
    shunt_faults,
    transformer_faults,
    load_faults,
    unit_faults,
)
_CONTROL_LOOKS = (control_faults, inverter_faults)


def _digest(network: Network) -> str:
    digest = hashlib.sha256()
    waiting: list[object] = [network]
    while waiting:
        value = waiting.pop()
        if is_dataclass(value):
            waiting += [getattr(value, field.name) for field in fields(value)]
        else:
            digest.update(value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode())
    return digest.hexdigest()[:12]


def _network(circuit: Circuit, layout: Layout) -> tuple[Network, Claims]:
    """The network, and which record every row of its tables comes from."""
    ids = unique_ids(circuit)
    changers = tap_changers(circuit)
    line_table, line_records = lines(circuit, layout, ids)
    transformer_table, transformer_records = transformers(circuit, layout, ids, changers)
    shunt_table, shunt_records = shunts(circuit, layout, ids)
    load_table, load_records = loads(circuit, layout, ids)
    unit_table, unit_records = units(circuit, layout, ids)
    source_table, source_records = sources(circuit, layout, ids)
    network = replace(
        empty_network("", circuit.frequency_hz),
        buses=layout.buses,
        nodes=layout.nodes,
        lines=line_table,
        transformers=transformer_table,
        shunts=shunt_table,
        loads=load_table,
        units=unit_table,
        curves=functions(circuit).curves,
        sources=source_table,
        regulators=regulators(circuit, layout, transformer_records),
        capacitor_controls=capacitor_controls(circuit, layout, shunt_records, line_records),
        switches=switches(circuit, layout, line_records, transformer_records, ids),
    )
    claims = Claims(line_records, transformer_records, shunt_records, load_records, unit_records, source_records)
    return network, claims
