"""Market, control room and neighbours: what is named there is there, and fits the zone's model."""

from collections.abc import Iterator

from config.checks.finding import Finding, Subject
from config.faults import listed, suggestion


def models_have_what_they_need(subject: Subject) -> Iterator[Finding]:
    """A total DSO has a node, and whoever dispatches or operates has one network."""
    zone = subject.zone
    model = zone.zone.dso_model.value
    if model == "T" and not zone.market.nodes:
        yield Finding(
            ("zone", "dso_model"),
            "a total DSO offers and is dispatched at a node, and the zone has none",
            "add `market: {nodes: [NAME]}` with the name that the system operator uses",
        )
    if model != "DP" and zone.network.feeders:
        yield Finding(
            ("network", "feeders"),
            f"model {model} dispatches or operates one network, and the zone has {len(zone.network.feeders)}",
            "make one zone of each feeder, or give `network.source`",
        )


def operated_devices_are_seen(subject: Subject) -> Iterator[Finding]:
    """Whatever may be operated is measured by a station, which takes commands for it."""
    adms = subject.zone.adms
    if adms is None:
        return
    wanted: list[tuple[tuple[str | int, ...], str]] = [
        (("adms", "tap_changers", name, "transformers", n), f"{transformer}.tap_position")
        for name, tap in adms.tap_changers.items()
        for n, transformer in enumerate(tap.transformers)
    ]
    for kind, devices in (("capacitors", adms.capacitors), ("switches", adms.switches)):
        wanted += [(("adms", kind, name), f"{name}.switch_closed") for name in devices]
    points = {
        mapped.point: (station, mapped) for station in subject.zone.stations.values() for mapped in station.points
    }
    for at, point in wanted:
        station, mapped = points.get(point, (None, None))
        if station is None or mapped is None:
            remedy = suggestion(point, points, "add it to the points of a station")
            yield Finding(at, f"no station measures `{point}`: nobody would see whether it was operated", remedy)
        elif station.endpoint.protocol != "opcua" or not mapped.command:
            yield Finding(
                at,
                f"no command can be given for `{point}`",
                "give its point a `command`, the NodeId of an OPC UA station that it is written to",
            )


def neighbours_are_parties(subject: Subject) -> Iterator[Finding]:
    """Interfaces and platform name parties of their role, and devices that are there."""
    zone, parties = subject.zone, subject.zone.parties
    hosts = [name for name, party in parties.items() if party.role == "host"]
    for name, interface in zone.interfaces.items():
        if interface.party not in hosts:
            at = ("interfaces", name, "party")
            remedy = suggestion(interface.party, hosts, f"use one of: {listed(hosts) or 'none yet'}, or add a party")
            yield Finding(at, f"`{interface.party}` is not a party with the role host", remedy)
        for n, device in enumerate(interface.devices):
            if device not in subject.declared["devices"]:
                known = subject.declared["devices"]
                remedy = suggestion(device, known, f"use one of: {listed(known)}")
                yield Finding(("interfaces", name, "devices", n), f"`{device}` is not a device", remedy)
    platforms = [name for name, party in parties.items() if party.role == "platform"]
    if zone.platform is not None and zone.platform not in platforms:
        remedy = suggestion(zone.platform, platforms, "add a party with the role platform, or remove it")
        yield Finding(("platform",), f"`{zone.platform}` is not a party with the role platform", remedy)


def programs_can_be_settled(subject: Subject) -> Iterator[Finding]:
    """Steps of payment rise, and control groups are devices."""
    devices = subject.declared["devices"]
    for name, program in subject.zone.market.programs.items():
        at = ("market", "programs", name)
        ratios = [ratio for ratio, _ in program.payment_scale]
        shares = [share for _, share in program.payment_scale]
        if ratios != sorted(set(ratios)) or not all(0 <= x <= 1 for x in (*ratios, *shares)):
            problem = "its pairs do not rise, or leave the range from 0 to 1"
            yield Finding((*at, "payment_scale"), problem, "write for example [[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]")
        for n, device in enumerate(program.control_group):
            if device not in devices:
                remedy = suggestion(device, devices, f"use one of: {listed(devices)}")
                yield Finding((*at, "control_group", n), f"`{device}` is not a device", remedy)
        if program.baseline == "control_group" and not program.control_group:
            remedy = "add `control_group: [DEVICE]`, or choose another baseline"
            yield Finding((*at, "baseline"), "there is no control group to compare with", remedy)
