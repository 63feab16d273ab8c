"""Writes a network as a script that OpenDSS compiles to the same model, matrix by matrix.

Buses joined by closed switches are one bus there. Transformers given by sequence data become the branches
of their admittance matrix. What OpenDSS cannot say is refused by name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from grid_engine.exporters import dss_branches, dss_controls, dss_injections
from grid_engine.exporters.dss_words import Script, number, places
from grid_engine.model import Network, NetworkError


@dataclass(frozen=True, slots=True)
class Translation:
    """A network in the words of OpenDSS."""

    text: str
    """Commands, one per line; they compile the circuit and solve nothing."""
    places: tuple[str, ...]
    """By node of the network: `bus.number`."""
    elements: Mapping[tuple[str, str], tuple[str, ...]]
    """By table and id: the elements that it became, as `class.name`."""


def translate(network: Network) -> Translation:
    """The script of `network` in its state as loaded, controllers included.

    Raises:
        NetworkError: with every element that OpenDSS cannot say.
    """
    script = Script(network, places(network))
    script.lines += ["Clear", f"Set DefaultBaseFrequency={number(network.frequency_hz)}"]
    for write in (
        dss_injections.sources,
        dss_branches.lines,
        dss_branches.transformers,
        dss_branches.sequence_transformers,
        dss_injections.shunts,
        dss_injections.loads,
        dss_injections.units,
        dss_controls.regulators,
        dss_controls.capacitor_controls,
        dss_branches.open_switches,
    ):
        write(script)
    if script.refused:
        raise NetworkError(network.version, tuple(script.refused))
    _bases(script)
    return Translation("\n".join(script.lines) + "\n", script.places, MappingProxyType(script.elements))


def _bases(script: Script) -> None:
    """Nominal voltages and coordinates of the buses."""
    network = script.network
    _, first = np.unique(network.nodes.bus, return_index=True)
    script.lines.append("MakeBusList")
    for node in first:
        bus = network.nodes.bus[node]
        name = script.places[node].partition(".")[0]
        script.lines.append(f"SetkVBase Bus={name} kVLN={number(network.buses.phase_v[bus] / 1e3)}")
        x, y = network.buses.position[bus]
        if np.isfinite([x, y]).all():
            script.lines.append(f"SetBusXY Bus={name} X={number(x)} Y={number(y)}")
