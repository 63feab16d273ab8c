"""Points that a station measures: of what, which quantity, at which address."""

from collections import Counter
from collections.abc import Iterator
from re import fullmatch

from config.checks.finding import Finding, Subject
from config.faults import listed, suggestion
from config.registers import MODEL_POINT, SIZES
from config.settings import MappedPoint, Station

QUANTITIES = frozenset(
    {
        "active_power_w",
        "reactive_power_var",
        "apparent_power_va",
        "current_a",
        "voltage_v",
        "voltage_pu",
        "frequency_hz",
        "state_of_charge_pu",
        "available_power_w",
        "rated_power_w",
        "ceiling_w",
        "floor_w",
        "switch_closed",
        "tap_position",
    }
)
"""The words of `protocols.points.Quantity`, which this room may not import; a test compares them."""

DNP3_POINT = r"(AI|BI|DBI|CTR|AO|BO)(\d{1,5})"
"""Kind and index, as `protocols.dnp3.settings` reads them; a test compares them."""


_REGISTER_OR_MODEL = "a register from 0 to 65535, or points of SunSpec models everywhere, as 203.W"


def points_are_known(subject: Subject) -> Iterator[Finding]:
    """Every point names an element or device, and a quantity, and is measured once per station."""
    for station_id, station in subject.zone.stations.items():
        seen = Counter[str]()
        for index, mapped in enumerate(station.points):
            at = ("stations", station_id, "points", index, "point")
            resource, quantity = mapped.point.split(".")[:2]
            seen[mapped.point] += 1
            if seen[mapped.point] == 2:
                yield Finding(at, f"{station_id} measures `{mapped.point}` twice", "remove one")
            if quantity not in QUANTITIES:
                remedy = suggestion(quantity, QUANTITIES, f"use one of: {listed(QUANTITIES, most=20)}")
                yield Finding(at, f"`{quantity}` is not a quantity", remedy)
            yield from _unknown_resource(subject, resource, at)


def addresses_fit(subject: Subject) -> Iterator[Finding]:
    """Every address is of the kind that the station's protocol has; registers do not overlap."""
    for station_id, station in subject.zone.stations.items():
        if station.endpoint.protocol == "ieee2030_5":
            yield Finding(
                ("stations", station_id, "endpoint", "protocol"),
                f"station {station_id} cannot be an IEEE 2030.5 client",
                "use modbus, opcua, mqtt, sparkplug or dnp3",
            )
        elif station.endpoint.protocol == "dnp3":
            yield from _dnp3_points(station_id, station)
        elif station.endpoint.protocol == "modbus":
            yield from _registers(station_id, station)
        else:
            for index, mapped in enumerate(station.points):
                if isinstance(mapped.address, int):
                    yield _address_fault(station_id, index, mapped, "a text: NodeId (OPC UA) or topic (MQTT)")


def _unknown_resource(subject: Subject, resource: str, at: tuple[str | int, ...]) -> Iterator[Finding]:
    if subject.names is None:
        return
    known = subject.names.elements | subject.declared["devices"]
    if resource not in known:
        remedy = suggestion(resource, known, "use the id of a device or of an element of the network")
        yield Finding(at, f"`{resource}` is neither in the network nor a device", remedy)


def _registers(station_id: str, station: Station) -> Iterator[Finding]:
    """Addresses that are no register, and registers claimed twice."""
    owner: dict[tuple[int, int], str] = {}
    if station.points and all(fullmatch(MODEL_POINT, str(mapped.address)) for mapped in station.points):
        return
    for index, mapped in enumerate(station.points):
        first, length = mapped.address, SIZES[mapped.encoding]
        if not isinstance(first, int) or not 0 <= first <= 65_536 - length:
            yield _address_fault(
                station_id,
                index,
                mapped,
                _REGISTER_OR_MODEL,
            )
            continue
        claimed = [(mapped.function, register) for register in range(first, first + length)]
        other = next((owner[register] for register in claimed if register in owner), None)
        if other is not None:
            yield Finding(
                ("stations", station_id, "points", index, "address"),
                f"{station_id}: `{mapped.point}` at {first} overlaps `{other}` ({mapped.encoding} takes {length})",
                "move one of them",
            )
        owner.update(dict.fromkeys(claimed, mapped.point))


def _dnp3_points(station_id: str, station: Station) -> Iterator[Finding]:
    """Addresses that are no kind and index, and inputs claimed twice."""
    owner: dict[tuple[str, int], str] = {}
    for index, mapped in enumerate(station.points):
        found = fullmatch(DNP3_POINT, str(mapped.address))
        if found is None or int(found[2]) > 65_535:
            wanted = "kind and index of a DNP3 point, as AI7, BI3, DBI2, CTR0, AO1 or BO1"
            yield _address_fault(station_id, index, mapped, wanted)
            continue
        place = found[1], int(found[2])
        if owner.setdefault(place, mapped.point) != mapped.point:
            yield Finding(
                ("stations", station_id, "points", index, "address"),
                f"{station_id}: `{mapped.point}` and `{owner[place]}` are both at {mapped.address}",
                "move one of them",
            )


def _address_fault(station_id: str, index: int, mapped: MappedPoint, wanted: str) -> Finding:
    return Finding(
        ("stations", station_id, "points", index, "address"),
        f"{station_id}: `{mapped.point}` has the address {mapped.address!r}",
        f"write {wanted}",
    )
