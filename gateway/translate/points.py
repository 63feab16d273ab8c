"""Names of points in the zone file as points."""

from protocols.points import Phase, Point, Quantity


def point_of(text: str) -> Point:
    """`L12.current_a` or `B4.voltage_pu.a` as a point; the loader has checked its form."""
    resource, quantity, *phase = text.split(".")
    return Point(resource, Quantity(quantity), Phase(phase[0]) if phase else Phase.TOTAL)
