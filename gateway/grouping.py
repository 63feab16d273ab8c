"""Keeps the groups of IEEE 2030.5 devices true to the network: where each one hangs, as the switches stand."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Final, Protocol

import structlog

from config.settings import ZoneFile
from gateway.coordination.study import network_state
from gateway.models import Model
from gateway.snapshot import Snapshot
from gateway.translate.points import point_of
from grid_engine.dispatch.levels import Way, ways
from grid_engine.importers.any import load
from grid_engine.model import Network
from grid_engine.partition import SEPARATOR
from grid_engine.results import NetworkState
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.groups import GroupKind
from ieee2030_5.placing import network_group
from protocols.points import Quantity
from protocols.port import Adapter

PERIOD_S: Final = 10.0
"""How late a device may change its groups after a switch has moved."""
SETTLE_S: Final = 60.0
"""Longest wait after a start for the field to report its switches: until then devices stay where they were."""
TOLD: Final = 10
"""Devices named in one line of the log."""

Run = Callable[[], Coroutine[None, None, None]]
Failed = Callable[[str, float], None]
Freeze = Callable[[], Snapshot]


class Modelled(Protocol):
    """Who knows which network model is in force."""

    model: Model


def served(zone: ZoneFile, adapters: list[Adapter], engine: Modelled, freeze: Freeze) -> list[tuple[str, Run, Failed]]:
    """What keeps the groups true, where the zone has IEEE 2030.5 devices: name, task, who hears that it ended."""
    log = structlog.get_logger()

    def failed(why: str, restart_s: float) -> None:
        log.error("groups.failed", detail=why, restart_s=restart_s)

    return [
        ("groups", partial(follow, zone, server, engine, freeze), failed)
        for server in adapters
        if isinstance(server, UtilityServer) and server.resources
    ]


async def follow(
    zone: ZoneFile, server: UtilityServer, engine: Modelled, freeze: Freeze, period_s: float = PERIOD_S
) -> None:
    """Move devices whenever a switch has moved or the model is another one, until cancelled."""
    log = structlog.get_logger()
    buses = {name: zone.devices[name].connection.bus for name in sorted(server.resources)}
    model: Model | None = None
    networks: dict[str, Network] = {}
    known: NetworkState | None = None
    points = (point_of(mapped.point) for station in zone.stations.values() for mapped in station.points)
    awaited = {point.resource for point in points if point.quantity is Quantity.SWITCH_CLOSED}
    loop = asyncio.get_running_loop()
    settled_s = loop.time() + SETTLE_S
    while True:
        if engine.model != model:
            model, known = engine.model, None
            networks = await asyncio.to_thread(_networks, model)
        state = network_state(freeze())
        settled = awaited <= state.switches_closed.keys() or loop.time() >= settled_s
        if settled and (known is None or state.switches_closed != known.switches_closed):
            places = await asyncio.to_thread(where, zone.zone.id, buses, networks, state)
            moved = server.regroup(places)
            if moved:
                log.info("groups.changed", count=len(moved), detail=", ".join(moved[:TOLD]))
            known = state
        await asyncio.sleep(period_s)


def where(
    zone: str, buses: Mapping[str, str], networks: Mapping[str, Network], state: NetworkState
) -> dict[str, tuple[str, ...]]:
    """The groups of each device, coarse to fine; that of the system alone where its bus is not supplied.

    Args:
        zone: its id; the group of the system.
        buses: by resource, `feeder:bus` where the networks have names.
        networks: by feeder.
        state: switches as they stand, named likewise.
    """
    found: dict[str, tuple[str, Way]] = {}
    for feeder, network in networks.items():
        prefix = f"{feeder}{SEPARATOR}" if feeder else ""
        told = {f"{prefix}{name}": name for name in network.switches.ids}
        own = {told[name]: closed for name, closed in state.switches_closed.items() if name in told}
        here = ways(network, NetworkState(switches_closed=own))
        found.update((f"{prefix}{bus}", (prefix, way)) for bus, way in here.items())
    system = network_group(GroupKind.SYSTEM, zone)
    return {
        resource: ((system, *(_names(*found[bus]))) if bus in found else (system,)) for resource, bus in buses.items()
    }


def _names(prefix: str, way: Way) -> list[str]:
    return [network_group(GroupKind(tier.value), prefix + element) for tier, element in way.levels()]


def _networks(model: Model) -> dict[str, Network]:
    return {feeder: load(path, model.version) for feeder, path in model.sources.items()}
