"""Reads a network in the project's own format (`modelling.document`); faults name their element and field."""

import difflib
import gzip
import hashlib
import io
import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from grid_engine.importers.fields import MisfitError, Names, listed, number, slot
from grid_engine.model import ABSENT, TERMINAL_NAMES, Buses, Curve, Network, NetworkError, Nodes, Ratings
from grid_engine.modelling.checks import faults
from grid_engine.modelling.document import (
    BUSES,
    FORMAT,
    FORMAT_VERSION,
    LAYOUTS,
    RATINGS,
    SIZE_LIMITS,
    Field,
    Layout,
    Leaf,
)
from grid_engine.modelling.tables import COLUMNS, empty_network

MAX_BYTES = 256 * 1024 * 1024
"""Longest document that is read, uncompressed."""
MAX_FAULTS = 100
"""Faults told at once."""

_GZIP = b"\x1f\x8b"
_MAX_ID = 200
_Object: TypeAlias = Mapping[str, object]


@dataclass(slots=True)
class _Reading:
    """What is known while one document is read."""

    found: list[str] = field(default_factory=list)
    """Faults so far."""
    names: Names = field(default_factory=Names)

    def fault(self, where: str, what: str) -> None:
        self.found.append(f"{where}: {what}")


@dataclass(frozen=True, slots=True)
class _Rows:
    """The elements of one table."""

    name: str
    entries: list[_Object]
    own: list[dict[str, int]]
    """Their own sizes, per letter of `SIZE_LIMITS`."""


def load(path: Path | str, version: str = "", max_bytes: int = MAX_BYTES) -> Network:
    """The network in `path`, compressed or not.

    Args:
        path: The file.
        version: Defaults to the document's own, then to a digest of it.
        max_bytes: Longest document that is read, uncompressed.

    Raises:
        NetworkError: with every fault found, in the file or in the network that it says.
    """
    source = Path(path)
    content = _content(source, max_bytes)
    digest = hashlib.sha256(content).hexdigest()[:12]
    return convert(_parsed(content, source.name), version, source.name, digest)


def convert(document: object, version: str = "", source: str = "network", digest: str = "unnamed") -> Network:
    """The same from a parsed document; `source` names it in the error."""
    reading = _Reading()
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise NetworkError(source, (f'not a network of this format: "format" must be "{FORMAT}"',))
    if document.get("format_version") != FORMAT_VERSION:
        found = document.get("format_version")
        raise NetworkError(source, (f"format_version {found!r} cannot be read, only {FORMAT_VERSION}",))
    network = _network(document, reading, version or _version(document, digest, reading))
    if not reading.found:
        reading.found += [str(fault) for fault in faults(network)]
    if reading.found:
        more = len(reading.found) - MAX_FAULTS
        told = (*reading.found[:MAX_FAULTS], *([f"and {more} more"] if more > 0 else []))
        raise NetworkError(source, told)
    return network


def _content(source: Path, max_bytes: int) -> bytes:
    """The bytes of a file, decompressed, never more than allowed."""
    try:
        with source.open("rb") as file:
            raw = file.read(max_bytes + 1)
        if raw.startswith(_GZIP):
            with gzip.GzipFile(fileobj=io.BytesIO(raw)) as packed:
                raw = packed.read(max_bytes + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise NetworkError(source.name, (f"cannot be read: {error}",)) from error
    if len(raw) > max_bytes:
        raise NetworkError(source.name, (f"longer than the {max_bytes} bytes that are read",))
    return raw


def _parsed(content: bytes, source: str) -> object:
    try:
        return json.loads(content, object_pairs_hook=_unique, parse_constant=_no_constant)
    except ValueError as error:
        raise NetworkError(source, (f"not JSON: {error}",)) from error
    except RecursionError as error:
        raise NetworkError(source, ("not JSON that a network needs: nested too deeply",)) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    parsed = dict(pairs)
    if len(parsed) < len(pairs):
        twice = next(key for key, n in Counter(key for key, _ in pairs).items() if n > 1)
        raise ValueError(f"field {twice!r} is there twice in one object")
    return parsed


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not a number of JSON; write null where the field allows it")


def _version(document: _Object, digest: str, reading: _Reading) -> str:
    version = document.get("version", digest)
    if not isinstance(version, str) or not version:
        reading.fault("version", "must be text")
        return digest
    return version


def _network(document: _Object, reading: _Reading, version: str) -> Network:
    known = ["format", "format_version", "version", "frequency_hz", "buses", "curves", *(x.name for x in LAYOUTS)]
    _unknown_keys(document, known, "document", reading)
    entries = {name: _entries(document, name, reading) for name in ("buses", *(x.name for x in LAYOUTS))}
    for name, rows in entries.items():
        reading.names.positions[name] = {str(entry["id"]): n for n, entry in enumerate(rows)}
    buses, nodes = _buses(entries["buses"], reading)
    curves = _curves(document.get("curves", []), reading)
    reading.names.curves = len(curves)
    return replace(
        empty_network(version, _frequency(document, reading)),
        buses=buses,
        nodes=nodes,
        curves=curves,
        **{layout.name: _table(layout, entries[layout.name], reading) for layout in LAYOUTS if entries[layout.name]},
    )


def _frequency(document: _Object, reading: _Reading) -> float:
    try:
        return number(document.get("frequency_hz"))
    except MisfitError as misfit:
        reading.fault("frequency_hz", str(misfit))
        return math.nan


def _entries(document: _Object, name: str, reading: _Reading) -> list[_Object]:
    """The elements of one table that have an id; the others are faults."""
    rows = document.get(name, [])
    if not isinstance(rows, list):
        reading.fault(name, "must be a list of objects")
        return []
    good: list[_Object] = []
    for n, row in enumerate(rows):
        own = row.get("id") if isinstance(row, dict) else None
        if isinstance(own, str) and 0 < len(own) <= _MAX_ID and own.isprintable():
            good.append(row)
        else:
            reading.fault(f"{name} entry {n}", f"must be an object with an id of 1 to {_MAX_ID} printable characters")
    for own, times in Counter(str(row["id"]) for row in good).items():
        if times > 1:
            reading.fault(f"{name} {own}", f"{times} of that id")
    return good


def _unknown_keys(entry: _Object, known: Sequence[str], where: str, reading: _Reading) -> None:
    for key in entry.keys() - set(known):
        near = difflib.get_close_matches(key, known, 1)
        reading.fault(where, f"unknown field {key!r}" + (f", meant {near[0]}?" if near else ""))


def _buses(entries: list[_Object], reading: _Reading) -> tuple[Buses, Nodes]:
    terminals = [_terminals(entry, reading) for entry in entries]
    bus = np.repeat(np.arange(len(entries)), [len(own) for own in terminals])
    flat = [terminal for own in terminals for terminal in own]
    names = [str(entry["id"]) for entry in entries]
    places = zip(bus, flat, strict=True)
    reading.names.nodes |= {f"{names[b]}.{TERMINAL_NAMES[t]}": n for n, (b, t) in enumerate(places)}
    for entry in entries:
        _unknown_keys(entry, ["id", "terminals", *(f.name for f in BUSES)], f"buses {entry['id']}", reading)
    columns = _columns(Buses, BUSES, _Rows("buses", entries, [{}] * len(entries)), reading)
    return Buses(ids=tuple(names), **columns), Nodes(bus=bus, terminal=np.array(flat, dtype=np.int64))


def _terminals(entry: _Object, reading: _Reading) -> list[int]:
    own = entry.get("terminals")
    if isinstance(own, list) and own and own == [name for name in TERMINAL_NAMES if name in own]:
        return [TERMINAL_NAMES.index(name) for name in own]
    reading.fault(f"buses {entry['id']}", f"terminals: must be some of {', '.join(TERMINAL_NAMES)}, in this order")
    return []


def _curves(raw: object, reading: _Reading) -> tuple[Curve, ...]:
    curves = []
    for n, entry in enumerate(raw if isinstance(raw, list) else [raw]):
        try:
            curves.append(_curve(entry))
        except MisfitError as misfit:
            reading.fault(f"curves entry {n}", str(misfit))
    return tuple(curves)


def _curve(entry: object) -> Curve:
    if not isinstance(entry, dict) or entry.keys() != {"x", "y"}:
        raise MisfitError("must be an object with x and y")
    x, y = ([number(value) for value in listed(entry[axis])] for axis in "xy")
    if len(x) != len(y) or not x:
        raise MisfitError(f"x has {len(x)} values and y {len(y)}; both need the same number, at least one")
    return Curve(x=np.array(x), y=np.array(y))


def _table(layout: Layout, entries: list[_Object], reading: _Reading) -> Any:  # noqa: ANN401 - the layout's table
    keys = ["id", *(f.name for f in layout.fields), *(["ratings"] if layout.rated else [])]
    for entry in entries:
        _unknown_keys(entry, keys, f"{layout.name} {entry['id']}", reading)
    own = [_own_sizes(layout, entry, reading) for entry in entries]
    columns = _columns(layout.table, layout.fields, _Rows(layout.name, entries, own), reading)
    ratings = {"ratings": _ratings(layout.name, entries, reading)} if layout.rated else {}
    return layout.table(ids=tuple(str(entry["id"]) for entry in entries), **columns, **ratings)


def _ratings(table: str, entries: list[_Object], reading: _Reading) -> Ratings:
    rows: list[_Object] = []
    for entry in entries:
        row = entry.get("ratings", {})
        if not isinstance(row, dict):
            reading.fault(f"{table} {entry['id']}", "ratings: must be an object")
            row = {}
        _unknown_keys(row, [f.name for f in RATINGS], f"{table} {entry['id']} ratings", reading)
        rows.append({**row, "id": entry["id"]})
    return Ratings(**_columns(Ratings, RATINGS, _Rows(table, rows, [{}] * len(rows)), reading))


def _own_sizes(layout: Layout, entry: _Object, reading: _Reading) -> dict[str, int]:
    """How many conductors, windings, branches or nodes an element has: the length of its lists of nodes."""
    own: dict[str, int] = {}
    for f in layout.fields:
        raw, letter = entry.get(f.name), f.dims[0] if f.dims else 0
        if f.leaf is Leaf.NODE and isinstance(letter, str) and isinstance(raw, list):
            if not 0 < len(raw) <= SIZE_LIMITS[letter]:
                reading.fault(
                    f"{layout.name} {entry['id']}", f"{f.name}: 1 to {SIZE_LIMITS[letter]} of them are possible"
                )
            own.setdefault(letter, min(max(len(raw), 1), SIZE_LIMITS[letter]))
    return own


def _columns(table: type, fields: tuple[Field, ...], rows: _Rows, reading: _Reading) -> dict[str, Any]:
    """Every field of all elements, as arrays; faulty values stay at zero."""
    sizes = {letter: max((size.get(letter, 1) for size in rows.own), default=1) for letter in SIZE_LIMITS}
    columns: dict[str, Any] = {}
    for spec in fields:
        values = COLUMNS[table][spec.name].empty(len(rows.entries), sizes)
        values[...] = columns[spec.default] if isinstance(spec.default, str) else _unset(spec)
        for n, (entry, own) in enumerate(zip(rows.entries, rows.own, strict=True)):
            if spec.name in entry or spec.required:
                try:
                    slot(spec, own, reading.names, entry).place(values, n, _given(entry, spec.name))
                except MisfitError as misfit:
                    reading.fault(f"{rows.name} {entry['id']}", f"{spec.name}: {misfit}")
        columns[spec.name] = values
    return columns


def _unset(spec: Field) -> float | tuple[float, ...]:
    if spec.leaf is Leaf.NODE:
        return ABSENT
    return 0 if spec.default is None or isinstance(spec.default, str) else spec.default


def _given(entry: _Object, name: str) -> object:
    if name not in entry:
        raise MisfitError("is missing")
    return entry[name]
