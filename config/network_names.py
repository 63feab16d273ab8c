"""Reads which elements a network source has, by name only, so that a check need not load a solver."""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MAX_BYTES = 256 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_KINDS = ("bus", "line", "trafo", "trafo3w", "load", "unit", "switch", "shunt", "ext_grid")
_FORMAT = "ampacity-network"
_OWN_TABLES = {
    "bus": ("buses",),
    "line": ("lines",),
    "trafo": ("transformers", "sequence_transformers"),
    "load": ("loads",),
    "unit": ("units",),
    "switch": ("switches",),
    "shunt": ("shunts",),
    "ext_grid": ("sources",),
}
"""Tables of the project's own format by the kind that pandapower has for them."""


class NetworkSourceError(Exception):
    """The network source cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class NetworkNames:
    """Names of a network's elements by kind; the kinds are pandapower's tables, and `unit` for generation."""

    by_kind: dict[str, frozenset[str]]
    repeated: frozenset[str] = frozenset()
    """Names that more than one element bears, so that a reference to them is ambiguous."""
    terminals: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Conductors of each bus where the format says so: some of a, b, c, n, s1, s2. Otherwise all have a, b and c."""

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
        {
            f"{feeder}:{bus}" if feeder else bus: own
            for feeder, names in feeders.items()
            for bus, own in names.terminals.items()
        },
    )


def read_network_names(source: Path) -> NetworkNames:
    """Names in a network file of the project's own format, compressed or not, or in a pandapower JSON file.

    Raises:
        NetworkSourceError: the file is missing or is no such network.
    """
    try:
        document = json.loads(_content(source))
        if isinstance(document, dict) and document.get("format") == _FORMAT:
            return _own(document)
        return _pandapower(document)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise NetworkSourceError(f"{source} cannot be read ({reason})") from error
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise NetworkSourceError(f"{source} is no network in Ampacity's or in pandapower's JSON format") from error


def _content(source: Path) -> bytes:
    """The bytes of a file, unpacked; the end is missing where there are too many."""
    with source.open("rb") as file:
        packed = file.read(len(_GZIP)) == _GZIP
    if packed:
        with gzip.open(source) as unpacked:
            return unpacked.read(MAX_BYTES)
    with source.open("rb") as file:
        return file.read(MAX_BYTES)


def _own(document: dict[str, list[dict[str, object]]]) -> NetworkNames:
    columns = {
        kind: [str(entry["id"]) for table in _OWN_TABLES.get(kind, ()) for entry in document.get(table, [])]
        for kind in _KINDS
    }
    terminals = {str(bus["id"]): frozenset(_words(bus["terminals"])) for bus in document["buses"]}
    return NetworkNames(*_counted(columns), terminals)


def _words(value: object) -> Iterable[str]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return (str(word) for word in value)


def _pandapower(document: dict[str, dict[str, dict[str, str]]]) -> NetworkNames:
    """Tables as pandas writes them with orient `split`."""
    tables = document["_object"]
    return NetworkNames(*_counted({kind: _names(tables, kind) for kind in _KINDS}))


def _counted(columns: Mapping[str, list[str]]) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    counts = Counter(name for names in columns.values() for name in names)
    by_kind = {kind: frozenset(names) for kind, names in columns.items()}
    return by_kind, frozenset(name for name, count in counts.items() if count > 1)


def _names(tables: dict[str, dict[str, str]], kind: str) -> list[str]:
    """The column `name` of one table; nameless elements are left out, an absent table is empty."""
    if kind != "bus" and kind not in tables:
        return []
    frame = json.loads(tables[kind]["_object"])
    column = frame["columns"].index("name")
    return [str(row[column]) for row in frame["data"] if row[column] not in (None, "")]
