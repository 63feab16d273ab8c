"""Groups of devices: the levels of the network that share programs, and whatever else an operator puts together."""

from dataclasses import dataclass, field
from enum import StrEnum


class GroupKind(StrEnum):
    """Level of a group in the network, from coarse to fine, as the CSIP guide names them."""

    SYSTEM = "system"
    SUB_TRANSMISSION = "sub_transmission"
    SUBSTATION = "substation"
    FEEDER = "feeder"
    SEGMENT = "segment"
    SERVICE_TRANSFORMER = "service_transformer"
    SERVICE_POINT = "service_point"
    OTHER = "other"
    """Not part of the topology."""


BASE = "1"
"""The assignment that holds every program for which nobody has asked for another one."""


@dataclass(slots=True)
class Group:
    """Devices that share programs: those in it and those in the groups below it."""

    name: str
    kind: GroupKind
    parent: str | None = None
    description: str = ""
    programs: list[str] = field(default_factory=list)
    """Slugs of the programs made for this group."""
    assignments: dict[str, str] = field(default_factory=dict)
    """Descriptions of the FunctionSetAssignments made for this group, by name."""
    members: set[str] = field(default_factory=set)
    """Slugs of the devices that are in this very group."""
    children: set[str] = field(default_factory=set)
    version: int = 0
    """Counts the changes of its programs and assignments."""


def own_group(slug: str) -> str:
    """Name of the group of one that holds what is made for a single device."""
    return f"@{slug}"
