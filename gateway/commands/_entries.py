"""Files of entries, CSV with a header or a JSON list: each entry with where it stands, and faults told there."""

import csv
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

Entry = tuple[str, Mapping[str, object]]
"""Where it stands, and its members; those of CSV are texts, and empty ones are left out."""

BEYOND: Final = "a cell beyond the last column"
"""Name of the member that holds what a row of CSV has too much."""


class FileFaultsError(Exception):
    """The file cannot be used; `faults` says everything that is wrong with it."""

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.faults = tuple(f"{source}: {fault}" for fault in faults)


def is_json(path: Path) -> bool:
    """Whether the name of a file says so; otherwise it is CSV."""
    return path.suffix.lower() == ".json"


def read_entries(path: Path, columns: Collection[str], needed: Collection[str]) -> list[Entry]:
    """Every entry of a file; what its members say is for the caller to judge.

    Args:
        path: of the file.
        columns: those that CSV may have.
        needed: those that it must have.

    Raises:
        FileFaultsError: it is no text, no JSON list, or has other columns.
        OSError: it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileFaultsError(path.name, [f"it is no text in UTF-8: {error}"]) from error
    return list(_json(path.name, text) if is_json(path) else _csv(path.name, text, columns, needed))


def _csv(source: str, text: str, columns: Collection[str], needed: Collection[str]) -> Iterator[Entry]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        header = rows.fieldnames or ()
        faults = [
            f"line 1: column {name!r} is not known; use {', '.join(columns)}" for name in header if name not in columns
        ]
        faults += [f"line 1: there is no column {name!r}" for name in needed if name not in header]
        if faults:
            raise FileFaultsError(source, faults)
        for row in rows:
            extra = row.pop(None, None)  # where DictReader puts it
            given = {name: value.strip() for name, value in row.items() if value and value.strip()}
            yield f"line {rows.line_num}", {**given, **({BEYOND: extra} if extra else {})}
    except csv.Error as error:
        raise FileFaultsError(source, [f"line {rows.line_num + 1}: {error}"]) from error


def _json(source: str, text: str) -> Iterator[Entry]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFaultsError(source, [f"not JSON: {error}"]) from error
    if not isinstance(document, list):
        raise FileFaultsError(source, ["not a list of entries"])
    for n, entry in enumerate(document):
        yield f"entry {n}", entry if isinstance(entry, dict) else {}
