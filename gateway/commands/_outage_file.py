"""Reads what an outage management system exports: works on the network as CSV or JSON, every fault with its line."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

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


class OutageFileError(Exception):
    """The file cannot be used; `faults` says everything that is wrong with it."""

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.faults = tuple(f"{source}: {fault}" for fault in faults)


@dataclass(frozen=True, slots=True)
class PlannedWork:
    """A work as the operator's API takes it."""

    id: str
    body: Mapping[str, object]


def read_works(path: Path) -> list[PlannedWork]:
    """Every work of a file that ends in `.csv` or `.json`.

    Raises:
        OutageFileError: with every fault found.
        OSError: it cannot be read.
    """
    text = path.read_text(encoding="utf-8-sig")
    entries = list(_json(path.name, text) if path.suffix.lower() == ".json" else _csv(path.name, text))
    faults = [f"{where}: {fault}" for where, entry in entries for fault in _faults(entry)]
    ids = [str(entry.get("id")) for _, entry in entries]
    faults += [
        f"{where}: id {name} stands twice"
        for n, ((where, _), name) in enumerate(zip(entries, ids, strict=True))
        if name in ids[:n]
    ]
    if faults:
        raise OutageFileError(path.name, faults)
    return [PlannedWork(str(entry["id"]), _body(entry)) for _, entry in entries]


Entry = tuple[str, Mapping[str, object]]
"""Where it stands, and its members."""


def _csv(source: str, text: str) -> Iterator[Entry]:
    rows = csv.DictReader(text.splitlines())
    header = rows.fieldnames or ()
    strange = [name for name in header if name not in COLUMNS]
    missing = [name for name in _NEEDED if name not in header]
    if strange or missing:
        faults = [f"line 1: column {name!r} is not known; use {', '.join(COLUMNS)}" for name in strange]
        raise OutageFileError(source, [*faults, *(f"line 1: there is no column {name!r}" for name in missing)])
    for row in rows:
        given = {name: value.strip() for name, value in row.items() if isinstance(value, str) and name}
        lists = {name: given[name].split() for name in LISTS if given.get(name)}
        plain = {name: value for name, value in given.items() if name not in LISTS and value}
        yield f"line {rows.line_num}", {**plain, **lists}


def _json(source: str, text: str) -> Iterator[Entry]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise OutageFileError(source, [f"not JSON: {error}"]) from error
    if not isinstance(document, list):
        raise OutageFileError(source, ["not a list of works"])
    for n, entry in enumerate(document):
        yield f"entry {n}", entry if isinstance(entry, dict) else {}


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
