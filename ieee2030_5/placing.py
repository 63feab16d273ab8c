"""The zone's devices in the groups of its network; what the operator has grouped himself stays as it is."""

from collections.abc import Mapping, Sequence

from ieee2030_5.arrangements import Grouped, Placed, arranged, together
from ieee2030_5.groups import GroupKind
from ieee2030_5.records import Arranged
from ieee2030_5.tree import Tree


def network_group(kind: GroupKind, element: str) -> str:
    """Name of the group of a part of the network; it can be written into the URIs of the admin API."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "_.-") else "-" for letter in element)
    return f"{kind.value}:{plain}"[:64]


def kind_of(name: str) -> GroupKind | None:
    """The kind of a group that stands for a part of the network; `None` for one of the operator."""
    kind, colon, _ = name.partition(":")
    return GroupKind(kind) if colon and kind in {item.value for item in GroupKind} else None


def regroup(tree: Tree, places: Mapping[str, Sequence[str]], now: int) -> list[str]:
    """Put devices into the groups of the network as it is now.

    Args:
        tree: of the server.
        places: names by `network_group`, of each resource.
        now: Unix seconds UTC.

    Returns:
        Resources that have moved.
    """
    moved: list[str] = []
    missing: dict[str, Arranged] = {}
    placed: list[Arranged] = []
    for resource, wanted in places.items():
        device = tree.utility.by_resource(resource)
        if device is None or device.settings.is_aggregator:
            continue
        groups = (*wanted, *(name for name in device.groups if kind_of(name) is None))
        if groups == device.groups:
            continue
        for name in wanted:
            kind = kind_of(name)
            if kind is not None and name not in tree.utility.groups:
                missing[name] = arranged(Grouped(name, kind), now)
        placed.append(arranged(Placed(resource, groups), now))
        moved.append(resource)
    if placed:
        tree.arrange(together([*missing.values(), *placed], now))
    return moved
