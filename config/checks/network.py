"""Ids that must exist in the network source, and ratings that must fit what they rate."""

from collections.abc import Iterator

from config.checks.finding import Finding, Subject
from config.faults import listed, suggestion
from config.network_names import NetworkNames
from config.settings import Asset

_PHASES = frozenset("abc")
_SPLIT = "s1s2"


def one_source(subject: Subject) -> Iterator[Finding]:
    """A zone has one network, or one for each of its feeders."""
    network = subject.zone.network
    if network.source and network.feeders:
        yield Finding(("network", "feeders"), "the network has both `source` and `feeders`", "remove one of them")
    if not network.source and not network.feeders and subject.declared["network"]:
        remedy = "name its file in `source`, or one file for each feeder in `feeders`"
        yield Finding(("network",), "the network has no source", remedy)


def buses_exist(subject: Subject) -> Iterator[Finding]:
    """Every device is connected to a bus of the network."""
    if subject.names is None:
        return
    buses = subject.names.buses
    for device_id, device in subject.zone.devices.items():
        bus = device.connection.bus
        if bus not in buses:
            remedy = suggestion(bus, buses, f"use one of: {listed(buses)}")
            yield Finding(
                ("devices", device_id, "connection", "bus"),
                f"device {device_id} is connected to bus `{bus}`, which the network does not have",
                remedy,
            )


def phases_exist(subject: Subject) -> Iterator[Finding]:
    """Every device is connected to conductors that its bus has, and in a way that they allow."""
    terminals = subject.names.terminals if subject.names else {}
    for device_id, device in subject.zone.devices.items():
        bus, phases = device.connection.bus, device.connection.phases
        at = ("devices", device_id, "connection")
        wanted = {"s1", "s2"} if phases == _SPLIT else set(phases)
        there = terminals.get(bus, _PHASES)
        if bus in terminals and not wanted <= there:
            yield Finding(
                (*at, "phases"),
                f"{device_id} is connected to phases `{phases}` of bus {bus}, which has {listed(sorted(there))}",
                f"write {_SPLIT if 's1' in there else ''.join(sorted(there & _PHASES))}, or name another bus",
            )
        if device.connection.wiring == "delta" and (phases == _SPLIT or len(phases) < 2):
            yield Finding((*at, "wiring"), f"{device_id}: `{phases}` cannot be in delta", "write wye, or two phases")


def days_fit(subject: Subject) -> Iterator[Finding]:
    """The day speaks of loads and units of the network, and its part begins before it ends."""
    day = subject.zone.network.day
    if day is not None and day.from_h >= day.to_h:
        at = ("network", "day", "to_h")
        yield Finding(at, f"the day is played from {day.from_h:g} h to {day.to_h:g} h", "exchange them")
    if subject.day is None or subject.names is None:
        return
    known = subject.names.by_kind["load"] | subject.names.by_kind["unit"]
    strangers = sorted(subject.day.members - known)
    if strangers:
        yield Finding(
            ("network", "day", "source"),
            f"the day has {len(strangers)} members that are no load or unit of the network: {listed(strangers)}",
            "take the day that was made with this network",
        )


def assets_exist(subject: Subject) -> Iterator[Finding]:
    """Every rated asset is a line, transformer or bus of the network."""
    if subject.names is None:
        return
    known = subject.names.assets
    for asset_id, asset in subject.zone.assets.items():
        if asset_id not in known:
            remedy = suggestion(asset_id, known, f"use a line, transformer or bus: {listed(known)}")
            yield Finding(("assets", asset_id), f"the network has no asset `{asset_id}`", remedy)
        else:
            yield from _unfit_ratings(asset_id, asset, subject.names)


def contingencies_exist(subject: Subject) -> Iterator[Finding]:
    """Every contingency is the loss of a line or transformer of the network."""
    if subject.names is None:
        return
    known = subject.names.lines | subject.names.transformers
    for index, branch in enumerate(subject.zone.network.contingencies):
        if branch not in known:
            remedy = suggestion(branch, known, f"use a line or transformer: {listed(known)}")
            yield Finding(("network", "contingencies", index), f"the network has no branch `{branch}`", remedy)


def ids_are_unique(subject: Subject) -> Iterator[Finding]:
    """A point such as `X.active_power_w` must have one owner: device or element of the network, not both."""
    names = subject.names
    for name in sorted(names.repeated if names else ()):
        yield Finding(
            ("network", "source"),
            f"the network source has more than one element named `{name}`",
            "rename all but one, for ids to mean one thing",
        )
    for device_id in subject.zone.devices:
        if names and device_id in names.elements:
            yield Finding(
                ("devices", device_id), f"`{device_id}` is also an element of the network", "give the device another id"
            )
        if device_id in subject.declared["stations"]:
            yield Finding(
                ("stations", device_id), f"`{device_id}` is also a device", "give the station or the device another id"
            )


def _unfit_ratings(asset_id: str, asset: Asset, names: NetworkNames) -> Iterator[Finding]:
    """Ratings that this kind of asset cannot have, or that contradict each other."""
    unfit: tuple[str, ...] = ()
    if asset_id in names.buses:
        unfit, kind = ("ampacity_a", "emergency_a", "rating_mva", "reverse_power_mw"), "a bus"
    elif asset_id in names.lines:
        unfit, kind = ("rating_mva",), "a line"
    for key in unfit:
        if getattr(asset, key) is not None:
            yield Finding(("assets", asset_id, key), f"{asset_id} is {kind} and has no `{key}`", "remove it")
    normal, emergency = asset.ampacity_a, asset.emergency_a
    if normal is not None and emergency is not None and emergency < normal:
        yield Finding(
            ("assets", asset_id, "emergency_a"),
            f"the emergency rating of {asset_id} ({emergency:g} A) is below its normal rating ({normal:g} A)",
            "exchange them, or correct one",
        )
