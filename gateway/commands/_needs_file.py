"""Reads and writes what planners say of years to come: services and needs as CSV or JSON, every fault with its line."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from gateway.commands._entries import FileFaultsError, is_json, read_entries
from gateway.commands._moments import moment
from gateway.console.needs import LongTermNeedWord, ServiceWord

RECORD: Final = "record"
"""Column that says what a row is: `service` or `need`."""
SERVICE: Final = tuple(ServiceWord.model_fields)
"""Columns of a service; the operator's API calls them the same."""
NEED: Final = {
    "id": "id",
    "service": "service",
    "place": "place",
    "mw": "power_w",
    "from": "start_s",
    "until": "end_s",
    "hours": "hours",
    "price_cap": "price_cap_per_mwh",
    "horizon": "horizon",
}
"""Columns of a need, and what the operator's API calls them."""
COLUMNS: Final = tuple(dict.fromkeys((RECORD, *SERVICE, *NEED)))


@dataclass(frozen=True, slots=True)
class NeedsFile:
    """What a file says, as the operator's API takes it."""

    services: Sequence[Mapping[str, object]]
    needs: Sequence[Mapping[str, object]]
    lines: Mapping[tuple[str, str], str]
    """Where each record stands, by what it is and its id."""


def read_needs(path: Path) -> NeedsFile:
    """Every service and need of a file that ends in `.csv` or `.json`.

    Raises:
        FileFaultsError: with every fault found.
        OSError: it cannot be read.
    """
    made: dict[str, list[Mapping[str, object]]] = {"service": [], "need": []}
    lines: dict[tuple[str, str], str] = {}
    found: list[str] = []
    for where, entry in read_entries(path, COLUMNS, (RECORD, "id")):
        record = str(entry.get(RECORD, ""))
        if record not in made:
            found.append(f"{where}: {RECORD} is {record!r}; write service or need")
            continue
        members, faults = _read(record, {name: value for name, value in entry.items() if name != RECORD})
        found += [f"{where}: {fault}" for fault in faults]
        key = record, str(entry.get("id"))
        if key in lines:
            found.append(f"{where}: {record} {key[1]} stands twice, first in {lines[key]}")
        lines.setdefault(key, where)
        made[record].append(members)
    if found:
        raise FileFaultsError(path.name, found)
    return NeedsFile(made["service"], made["need"], lines)


def written(path: Path, services: Sequence[Mapping[str, object]], needs: Sequence[Mapping[str, object]]) -> str:
    """The text of a file that says the same, in the form that its name asks for."""
    entries: list[Mapping[str, object]] = [{RECORD: "service", **service} for service in services]
    entries += [{RECORD: "need", **{name: _shown(name, need[ours]) for name, ours in NEED.items()}} for need in needs]
    if is_json(path):
        told = [{name: value for name, value in entry.items() if value is not None} for entry in entries]
        return json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    stream = io.StringIO()
    rows = csv.DictWriter(stream, COLUMNS, restval="", lineterminator="\n")
    rows.writeheader()
    rows.writerows({n: str(v).lower() if isinstance(v, bool) else v for n, v in entry.items()} for entry in entries)
    return stream.getvalue()


def _read(record: str, entry: Mapping[str, object]) -> tuple[Mapping[str, object], list[str]]:
    """The members of the operator's API, and what is wrong with them."""
    names = NEED if record == "need" else {name: name for name in SERVICE}
    faults = [f"{name!r} is not known of a {record}; use {', '.join(names)}" for name in entry if name not in names]
    members: dict[str, object] = {}
    for name, value in entry.items():
        try:
            if name in names and value is not None:
                members[names[name]] = _SI.get(name, _itself)(value)
        except ValueError as error:
            faults.append(f"{name}: {error}")
    if faults:
        return members, faults
    theirs = {ours: name for name, ours in names.items()}
    try:
        word = (LongTermNeedWord if record == "need" else ServiceWord).model_validate(members)
    except ValidationError as error:
        return members, [f"{theirs.get(str(one['loc'][0]), one['loc'][0])}: {one['msg']}" for one in error.errors()]
    return word.model_dump(mode="json"), []


def _itself(value: object) -> object:
    return value


def _watts(value: object) -> float:
    try:
        return float(str(value)) * 1e6
    except ValueError as error:
        raise ValueError(f"{value!r} is no number of megawatts") from error


_SI: Final = {"mw": _watts, "from": lambda value: moment(str(value)), "until": lambda value: moment(str(value))}


def _shown(name: str, value: object) -> object:
    """A member of the operator's API as files have it."""
    if name == "mw":
        return float(f"{float(str(value)) / 1e6:.12g}")
    if name in ("from", "until"):
        return datetime.fromtimestamp(float(str(value)), UTC).isoformat()
    return value
