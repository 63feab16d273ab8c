"""Where a zone ends: its interfaces to others and its points of interconnection, held against a network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from grid_engine.flow.nodal import build
from grid_engine.model import Network
from grid_engine.results import NetworkState


@dataclass(frozen=True, slots=True)
class Boundaries:
    """By the names that the market uses."""

    td_interfaces: Mapping[str, str] = field(default_factory=dict)
    """Bus at which the transmission system supplies the zone, by interface."""
    interfaces: Mapping[str, str] = field(default_factory=dict)
    """Branch that all power to another utility goes through, by interface."""
    connections: Mapping[str, str] = field(default_factory=dict)
    """Bus by resource."""


def faults(network: Network, boundaries: Boundaries) -> tuple[str, ...]:
    """What of the boundaries the network does not have."""
    return (*_sources(network, boundaries), *_branches(network, boundaries), *_connections(network, boundaries))


def _sources(network: Network, boundaries: Boundaries) -> Iterator[str]:
    fed = {network.buses.ids[int(network.nodes.bus[n])] for n in network.sources.node[:, 0].tolist() if n >= 0}
    for name, bus in boundaries.td_interfaces.items():
        if bus not in network.buses.ids:
            yield f"interface {name}: the network has no bus {bus}"
        elif bus not in fed:
            yield f"interface {name}: no source of the network is at bus {bus}; sources are at {', '.join(sorted(fed))}"
    if boundaries.td_interfaces:
        for bus in sorted(fed - set(boundaries.td_interfaces.values())):
            yield f"bus {bus}: a source that no interface to the transmission system names"


def _branches(network: Network, boundaries: Boundaries) -> Iterator[str]:
    known = set(network.branch_ids)
    for name, branch in boundaries.interfaces.items():
        if branch not in known:
            yield f"interface {name}: the network has no line or transformer {branch}"


def _connections(network: Network, boundaries: Boundaries) -> Iterator[str]:
    supplied = dict(zip(network.buses.ids, build(network, NetworkState()).supplied_buses.tolist(), strict=True))
    for name, bus in boundaries.connections.items():
        if bus not in supplied:
            yield f"connection of {name}: the network has no bus {bus}"
        elif not supplied[bus]:
            yield f"connection of {name}: nothing connects bus {bus} to a source"
