"""Where each bus hangs in one state of a network: station, feeder, segment, transformer, from coarse to fine."""

from collections import deque
from dataclasses import dataclass, replace
from enum import StrEnum
from math import sqrt

from grid_engine.dispatch.topology import Links, Shape, links, shape
from grid_engine.model import Network
from grid_engine.results import NetworkState

_SAME_VOLTAGE = 1.2
"""A transformer whose sides differ by less is a regulator: it begins no other level."""
_LOW_V = 1_000 / sqrt(3)
"""Low voltage against earth ends here: a transformer to less serves customers, one to more is a station."""


class Tier(StrEnum):
    """The levels, from coarse to fine."""

    SUBSTATION = "substation"
    """By the bus from which the feeders leave: behind the station's transformer, or that of the source."""
    FEEDER = "feeder"
    """By the first line that leaves the station; lines above the last station belong to none."""
    SEGMENT = "segment"
    """By the last switch on the way."""
    SERVICE_TRANSFORMER = "service_transformer"
    """By the last transformer on the way."""
    SERVICE_POINT = "service_point"
    """The bus itself."""


@dataclass(frozen=True, slots=True)
class Way:
    """What lies on the way from the source to a bus; empty where it has no such level."""

    substation: str = ""
    feeder: str = ""
    segment: str = ""
    service_transformer: str = ""
    service_point: str = ""

    def levels(self) -> tuple[tuple[Tier, str], ...]:
        """Those that there are, from coarse to fine."""
        return tuple((tier, name) for tier in Tier if (name := getattr(self, tier.value)))


def ways(network: Network, state: NetworkState) -> dict[str, Way]:
    """The way to each bus that is supplied in `state`; the shortest one where a network is meshed."""
    graph = links(network)
    now = shape(network, graph, state)
    neighbours = _neighbours(graph, now)
    earth = graph.n_bus - 1
    found: dict[int, Way] = {earth: Way()}
    waiting = deque([earth])
    while waiting:
        here = waiting.popleft()
        for link, there in neighbours.get(here, ()):
            if there not in found:
                found[there] = _beyond(network, graph, found[here], link, (here, there))
                waiting.append(there)
    del found[earth]
    return {network.buses.ids[bus]: way for bus, way in found.items()}


def _neighbours(graph: Links, now: Shape) -> dict[int, list[tuple[int, int]]]:
    result: dict[int, list[tuple[int, int]]] = {}
    for link in now.live.nonzero()[0].tolist():
        one, other = int(graph.first[link]), int(graph.second[link])
        result.setdefault(one, []).append((link, other))
        result.setdefault(other, []).append((link, one))
    return result


def _beyond(network: Network, graph: Links, way: Way, link: int, hop: tuple[int, int]) -> Way:
    """The way to the bus at the other end of a link."""
    here, there = hop
    name, branch = network.buses.ids[there], int(graph.branch[link])
    further = replace(way, service_point=name)
    is_line = 0 <= branch < len(network.lines.ids)
    if branch >= 0 and not is_line and _transforms(network, here, there):
        if network.buses.phase_v[there] > _LOW_V:
            return Way(substation=name, service_point=name)
        further = replace(further, service_transformer=network.branch_ids[branch])
    if not way.substation:
        further = replace(further, substation=name)
    elif is_line and not way.feeder:
        further = replace(further, feeder=network.lines.ids[branch])
    if further.feeder and graph.switches[link]:
        further = replace(further, segment=network.switches.ids[graph.switches[link][-1]])
    return further


def _transforms(network: Network, here: int, there: int) -> bool:
    one, other = sorted((float(network.buses.phase_v[here]), float(network.buses.phase_v[there])))
    return other > _SAME_VOLTAGE * one
