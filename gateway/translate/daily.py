"""The day of a zone's customers as decisions read it, and what else only the network's names can tell."""

from pathlib import Path

from config.network_names import NetworkNames, joined, read_network_names
from config.settings import Day, Network, ZoneFile
from gateway.coordination.daily import Daily, DayClock, Member
from gateway.translate.points import point_of
from grid_engine.importers import day as day_file
from protocols.points import Quantity

HOUR_S = 3_600.0
_VOLTAGES = (Quantity.VOLTAGE_PU, Quantity.VOLTAGE_V)


def day_clock(day: Day) -> DayClock:
    """Which time of day it is when."""
    return DayClock(day.utc_offset_h * HOUR_S, day.from_h * HOUR_S, day.to_h * HOUR_S, day.speed)


def daily(network: Network) -> Daily | None:
    """Expected powers of loads and units; nothing where the network has no day.

    Raises:
        grid_engine.importers.day.DayError: its file is no day.
        config.network_names.NetworkSourceError: the network's file cannot be read.
    """
    if network.day is None:
        return None
    found, names = day_file.load(network.day.source), _names(network)
    members = {
        name: Member(kind, size_w)
        for name, kind, size_w in zip(found.ids, found.kind, found.size_w.tolist(), strict=True)
    }
    return Daily(
        clock=day_clock(network.day),
        step_s=found.step_s,
        shares={name: tuple(kind.share.tolist()) for name, kind in found.kinds.items()},
        loads={name: member for name, member in members.items() if name in names.by_kind["load"]},
        units={name: member for name, member in members.items() if name in names.by_kind["unit"]},
    )


def capacitors(zone: ZoneFile) -> frozenset[str]:
    """Capacitors of the network whose switch some station reports.

    Raises:
        config.network_names.NetworkSourceError: the network's file cannot be read.
    """
    points = (point_of(mapped.point) for station in zone.stations.values() for mapped in station.points)
    switched = {point.resource for point in points if point.quantity is Quantity.SWITCH_CLOSED}
    return frozenset(switched & _names(zone.network).by_kind["shunt"]) if switched else frozenset()


def observed(zone: ZoneFile) -> frozenset[str]:
    """Buses of the network whose voltage some station measures.

    Raises:
        config.network_names.NetworkSourceError: the network's file cannot be read.
    """
    points = (point_of(mapped.point) for station in zone.stations.values() for mapped in station.points)
    metered = {point.resource for point in points if point.quantity in _VOLTAGES}
    return frozenset(metered & _names(zone.network).buses) if metered else frozenset()


def _names(network: Network) -> NetworkNames:
    return joined({feeder: read_network_names(Path(source)) for feeder, source in network.sources.items()})
