"""Reads what an outage management system exports: works on the network as CSV or JSON, every fault with its line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.commands._entries import FileFaultsError, is_json, read_entries
from gateway.commands._moments import moment

LISTS: Final = {
    "open": "opened",
    "close": "closed",
    "out_of_service": "out_of_service",
    "into_service": "into_service",
}
"""Columns that name elements, separated by blanks in CSV, and what the operator's API calls them."""
COLUMNS: Final = ("id", "kind", "start", "end", *LISTS, "because")
_NEEDED: Final = ("id", "start", "end")
_KINDS: Final = ("planned", "forced")


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """A work as the operator's API takes it."""

    id: str
    body: Mapping[str, object]


def read_works(path: Path) -> list[PlannedWork]:
    """Every work of a file that ends in `.csv` or `.json`.

    Raises:
        FileFaultsError: with every fault found.
        OSError: it cannot be read.
    """
    found = read_entries(path, COLUMNS, _NEEDED)
    entries = found if is_json(path) else [(where, _lists(entry)) for where, entry in found]
    faults = [f"{where}: {fault}" for where, entry in entries for fault in _faults(entry)]
    ids = [str(entry.get("id")) for _, entry in entries]
    faults += [
        f"{where}: id {name} stands twice"
        for n, ((where, _), name) in enumerate(zip(entries, ids, strict=True))
        if name in ids[:n]
    ]
    if faults:
        raise FileFaultsError(path.name, faults)
    return [PlannedWork(str(entry["id"]), _body(entry)) for _, entry in entries]


def _lists(entry: Mapping[str, object]) -> Mapping[str, object]:
    """A row of CSV with its names of elements as lists."""
    return {name: str(value).split() if name in LISTS else value for name, value in entry.items()}


def _faults(entry: Mapping[str, object]) -> Iterator[str]:
    yield from (f"{name!r} is not known; use {', '.join(COLUMNS)}" for name in entry if name not in COLUMNS)
    yield from (f"{name} is missing" for name in _NEEDED if not entry.get(name))
    if entry.get("kind", "planned") not in _KINDS:
        yield f"kind {entry['kind']!r} is not one of {', '.join(_KINDS)}"
    for name in ("start", "end"):
        try:
            moment(str(entry.get(name) or 0))
        except ValueError as error:
            yield f"{name}: {error}"
    for name in LISTS:
        elements = entry.get(name, [])
        if not isinstance(elements, list) or not all(isinstance(one, str) and one for one in elements):
            yield f"{name} is no list of names"
    if not any(entry.get(name) for name in LISTS):
        yield f"it changes nothing; name elements under {', '.join(LISTS)}"


def _body(entry: Mapping[str, object]) -> Mapping[str, object]:
    return {
        "kind": entry.get("kind", "planned"),
        "start_s": moment(str(entry["start"])),
        "end_s": moment(str(entry["end"])),
        **{ours: entry.get(theirs, []) for theirs, ours in LISTS.items()},
        "because": str(entry.get("because") or "told by the outage management system"),
    }
