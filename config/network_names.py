"""Reads which elements a network source has, by name only, so that a check need not load a solver."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TABLES = ("bus", "line", "trafo", "trafo3w", "load", "switch", "shunt", "ext_grid")


class NetworkSourceError(Exception):
    """The network source cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class NetworkNames:
    """Names of a network's elements by kind; the kinds are pandapower's tables."""

    by_kind: dict[str, frozenset[str]]
    repeated: frozenset[str] = frozenset()
    """Names that more than one element bears, so that a reference to them is ambiguous."""

    @property
    def buses(self) -> frozenset[str]:
        """Where a device may be connected."""
        return self.by_kind["bus"]

    @property
    def assets(self) -> frozenset[str]:
        """What may carry a rating: lines, transformers and buses."""
        return self.lines | self.transformers | self.buses

    @property
    def lines(self) -> frozenset[str]:
        """Lines and cables."""
        return self.by_kind["line"]

    @property
    def transformers(self) -> frozenset[str]:
        """Transformers with two or three windings."""
        return self.by_kind["trafo"] | self.by_kind["trafo3w"]

    @property
    def elements(self) -> frozenset[str]:
        """Everything that a measured point may refer to."""
        return frozenset[str]().union(*self.by_kind.values())


def joined(feeders: Mapping[str, NetworkNames]) -> NetworkNames:
    """The names of a zone of several feeders: each `feeder:element`; as they are where the feeder has no name."""
    kinds = {kind for names in feeders.values() for kind in names.by_kind}

    def full(feeder: str, names: frozenset[str]) -> frozenset[str]:
        return frozenset(f"{feeder}:{name}" for name in names) if feeder else names

    return NetworkNames(
        {k: frozenset[str]().union(*(full(f, n.by_kind[k]) for f, n in feeders.items())) for k in kinds},
        frozenset[str]().union(*(full(f, n.repeated) for f, n in feeders.items())),
    )


def read_network_names(source: Path) -> NetworkNames:
    """Names in a pandapower JSON file (tables as pandas writes them with orient `split`).

    Raises:
        NetworkSourceError: the file is missing or is no such network.
    """
    try:
        tables = json.loads(source.read_bytes())["_object"]
        columns = {kind: _names(tables, kind) for kind in _TABLES}
    except OSError as error:
        raise NetworkSourceError(f"{source} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise NetworkSourceError(f"{source} is not a pandapower JSON network") from error
    counts = Counter(name for names in columns.values() for name in names)
    return NetworkNames(
        by_kind={kind: frozenset(names) for kind, names in columns.items()},
        repeated=frozenset(name for name, count in counts.items() if count > 1),
    )


def _names(tables: dict[str, dict[str, str]], kind: str) -> list[str]:
    """The column `name` of one table; nameless elements are left out, an absent table is empty."""
    if kind != "bus" and kind not in tables:
        return []
    frame = json.loads(tables[kind]["_object"])
    column = frame["columns"].index("name")
    return [str(row[column]) for row in frame["data"] if row[column] not in (None, "")]
