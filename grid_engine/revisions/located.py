"""A network with the places of its buses from a geographic information system, and where the two disagree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid_engine.importers.gis import Asset
from grid_engine.model import ABSENT, IntArray, Network


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """What the two together say."""

    network: Network
    """With the position of every bus that the other has a place of."""
    placed: int
    """Buses that have a position now."""
    disagreements: tuple[str, ...]
    """For people: what is missing on either side, and branches that end elsewhere."""


def located(network: Network, assets: Sequence[Asset]) -> Located:
    """Joins by id: places to buses, and what connects places to lines, transformers and switches."""
    places = {asset.id: asset for asset in assets if asset.is_place}
    position = np.array(network.buses.position, dtype=np.float64)
    for n, bus in enumerate(network.buses.ids):
        if bus in places:
            position[n] = (places[bus].x, places[bus].y)
    found = replace(network, buses=replace(network.buses, position=position))
    placed = int(np.isfinite(position).all(axis=1).sum())
    return Located(found, placed, tuple(_disagreements(network, assets, places)))


def _disagreements(network: Network, assets: Sequence[Asset], places: dict[str, Asset]) -> Iterator[str]:
    lines = dict(zip(network.lines.ids, _ends(network), strict=True))
    named = {*network.buses.ids, *network.branch_ids, *network.switches.ids, *network.loads.ids, *network.shunts.ids}
    for asset in assets:
        if asset.id in lines and len(asset.ends) == 2 and set(asset.ends) != set(lines[asset.id]):
            here = " and ".join(lines[asset.id])
            yield f"{asset.at}: {asset.id} connects {' and '.join(asset.ends)}, in the network {here}"
        if asset.id not in named and asset.id not in network.units.ids:
            yield f"{asset.at}: {asset.kind} {asset.id} is not in the network"
    yield from (f"bus {bus} of the network has no place" for bus in network.buses.ids if bus not in places)


def _ends(network: Network) -> list[tuple[str, str]]:
    """Buses at both ends of each line."""

    def bus(nodes: IntArray) -> str:
        real = nodes[nodes > ABSENT]
        return network.buses.ids[int(network.nodes.bus[int(real[0])])] if len(real) and real[0] >= 0 else ""

    table = network.lines
    return [(bus(a), bus(b)) for a, b in zip(table.from_node, table.to_node, strict=True)]
