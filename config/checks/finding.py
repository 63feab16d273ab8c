"""What a check looks at, and what it reports."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from config.day_names import DayNames
from config.network_names import NetworkNames
from config.settings import ZoneFile


@dataclass(frozen=True, slots=True)
class Subject:
    """A zone as far as it could be read."""

    zone: ZoneFile
    """Without the entries that are faulty in themselves."""
    declared: Mapping[str, frozenset[str]]
    """Ids of devices, stations and parties in the file, faulty ones included, and the keys of `network`."""
    names: NetworkNames | None = None
    """`None` where the network source cannot be read, which is a finding of its own."""
    day: DayNames | None = None
    """`None` where there is none, or where it cannot be read, which is a finding of its own."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault that has not been given its line yet."""

    path: tuple[str | int, ...]
    """Where in the document; as much of it as exists is looked up."""
    problem: str
    remedy: str


Check = Callable[[Subject], Iterator[Finding]]
