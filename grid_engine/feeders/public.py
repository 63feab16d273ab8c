"""The five public test feeders in the project's own format, each with what OpenDSS found for its original.

The originals are test feeders of the IEEE PES Test Feeder Working Group as distributed with OpenDSS (NOTICE has
its licence); `grid_engine.feeders.build` made these files from them. Taps and capacitors stand where OpenDSS's
controllers left them.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from grid_engine.importers import json as own
from grid_engine.model import TERMINAL_NAMES, ComplexArray, IntArray, Network

NAMES = ("ieee13", "ieee37", "ieee123", "european_lv", "ieee8500", "ieee8500_unbalanced")
"""What can be loaded; the last two differ in their loads alone."""

NETWORKS = Path(__file__).parent / "networks"


@dataclass(frozen=True, slots=True, eq=False)
class ShortCircuit:
    """The impedance of a network behind the nodes of one bus, loads and generation off."""

    node: IntArray
    """Shape (n,)."""
    impedance_ohm: ComplexArray
    """Shape (n, n)."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What OpenDSS found for the original."""

    voltage_pu: ComplexArray
    """Shape (n_node,): to earth, of each node's own nominal voltage; to 1e-10 of convergence, rounded to 1e-12."""
    short_circuits: tuple[ShortCircuit, ...]
    """At buses spread over the feeder."""


@cache
def load(name: str) -> Network:
    """One of `NAMES`."""
    return own.load(_file(name, ""))


@cache
def reference(name: str) -> Reference:
    """What OpenDSS found for the original of one of `NAMES`."""
    told = json.loads(gzip.decompress(_file(name, ".reference").read_bytes()))
    position = {place: n for n, place in enumerate(node_names(load(name)))}
    voltage = np.zeros(len(position), dtype=np.complex128)
    for place, pair in told["voltage_pu"].items():
        voltage[position[place]] = complex(*pair)
    return Reference(voltage, tuple(_short_circuit(entry, position) for entry in told["short_circuits"]))


def node_names(network: Network) -> tuple[str, ...]:
    """`BUS.TERMINAL` by node."""
    rows = zip(network.nodes.bus.tolist(), network.nodes.terminal.tolist(), strict=True)
    return tuple(f"{network.buses.ids[bus]}.{TERMINAL_NAMES[terminal]}" for bus, terminal in rows)


def _file(name: str, what: str) -> Path:
    if name not in NAMES:
        raise KeyError(f"no feeder {name!r}; there are {', '.join(NAMES)}")
    return NETWORKS / f"{name}{what}.json.gz"


def _short_circuit(entry: Mapping[str, Any], position: Mapping[str, int]) -> ShortCircuit:
    node = np.array([position[place] for place in entry["nodes"]])
    return ShortCircuit(node, np.array(entry["impedance_ohm"]) @ np.array([1, 1j]))
