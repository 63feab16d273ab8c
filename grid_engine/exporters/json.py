"""Writes a network in the project's own format, one element per line; what is read back is the same."""

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from grid_engine.model import ABSENT, TERMINAL_NAMES, Network, NetworkError, Switches, SwitchKind
from grid_engine.modelling.document import (
    BUSES,
    EARTH_NAME,
    FORMAT,
    FORMAT_VERSION,
    LAYOUTS,
    RATINGS,
    SWITCHED,
    Field,
    Layout,
    Leaf,
)

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
_Array: TypeAlias = NDArray[Any]
_Write: TypeAlias = Callable[[Any], Json]


def write(network: Network, path: Path | str) -> None:
    """Put `network` into `path`; compressed where that ends in `.gz`, the same bytes for the same network.

    Raises:
        NetworkError: a field holds a number that the format cannot say; nothing is written then.
    """
    target = Path(path)
    content = text(network).encode()
    target.write_bytes(gzip.compress(content, 9, mtime=0) if target.suffix == ".gz" else content)


def text(network: Network) -> str:
    """The document of `network` as text."""
    lines = []
    for key, value in document(network).items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            entries = ",\n  ".join(json.dumps(entry, ensure_ascii=False, allow_nan=False) for entry in value)
            lines.append(f' "{key}": [\n  {entries}\n ]' if value else f' "{key}": []')
        else:
            lines.append(f' "{key}": {json.dumps(value, ensure_ascii=False, allow_nan=False)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def document(network: Network) -> dict[str, Json]:
    """The document of `network` as plain values.

    Raises:
        NetworkError: a field holds a number that the format cannot say, or nodes do not follow their buses.
    """
    faults = [*_order_faults(network), *_number_faults(network)]
    if faults:
        raise NetworkError(network.version, tuple(faults))
    nodes = _node_names(network)
    tables: dict[str, Json] = {layout.name: _table(network, layout, nodes) for layout in LAYOUTS}
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "version": network.version,
        "frequency_hz": network.frequency_hz,
        "buses": _buses(network),
        **tables,
        "curves": [{"x": curve.x.tolist(), "y": curve.y.tolist()} for curve in network.curves],
    }


def _order_faults(network: Network) -> Iterator[str]:
    nodes = network.nodes
    rank = nodes.bus * len(TERMINAL_NAMES) + nodes.terminal
    if (np.diff(rank) <= 0).any():
        first = int(np.argmax(np.diff(rank) <= 0)) + 1
        yield f"node {first}: nodes must follow the order of their buses and, within one, of their terminals"


def _number_faults(network: Network) -> Iterator[str]:
    parts: list[tuple[str, tuple[str, ...], object, tuple[Field, ...]]] = []
    parts.append(("buses", network.buses.ids, network.buses, BUSES))
    for layout in LAYOUTS:
        table = getattr(network, layout.name)
        parts.append((layout.name, table.ids, table, layout.fields))
        if layout.rated:
            parts.append((layout.name, table.ids, table.ratings, RATINGS))
    for name, ids, table, fields in parts:
        for field in fields:
            values = getattr(table, field.name)
            unsayable = ~np.isfinite(values) & ~_is(values, field.null)
            for n in np.flatnonzero(unsayable.any(axis=tuple(range(1, values.ndim)))):
                yield f"{name} {ids[n]}: {field.name} is {values[n]}, which the format cannot say"


def _is(values: _Array, number: object) -> NDArray[np.bool_]:
    """Where `values` are `number`, not-a-number included."""
    if number is None:
        return np.zeros(values.shape, dtype=np.bool_)
    both_nan = np.isnan(values) & np.isnan(np.asarray(number, dtype=np.float64))
    return np.asarray((values == number) | both_nan)


def _node_names(network: Network) -> list[str | None]:
    """By node; `EARTH` and `ABSENT` come last, so that their negative numbers find them."""
    nodes = zip(network.nodes.bus, network.nodes.terminal, strict=True)
    return [*(f"{network.buses.ids[bus]}.{TERMINAL_NAMES[terminal]}" for bus, terminal in nodes), None, EARTH_NAME]


def _buses(network: Network) -> list[Json]:
    first = np.searchsorted(network.nodes.bus, np.arange(len(network.buses.ids) + 1))
    rows: list[Json] = []
    for n, (name, own) in enumerate(zip(network.buses.ids, _rows(network.buses, BUSES, {}), strict=True)):
        terminals = [TERMINAL_NAMES[t] for t in network.nodes.terminal[first[n] : first[n + 1]]]
        rows.append({"id": name, "terminals": terminals, **own})
    return rows


def _table(network: Network, layout: Layout, nodes: list[str | None]) -> list[Json]:
    table = getattr(network, layout.name)
    writers = {field.name: _reference(network, table, field) for field in layout.fields if field.of}
    writers |= {field.name: nodes.__getitem__ for field in layout.fields if field.leaf is Leaf.NODE}
    rows = _rows(table, layout.fields, writers)
    ratings = _rows(table.ratings, RATINGS, {}) if layout.rated else [{}] * len(rows)
    return [
        {"id": name, **own, **({"ratings": rating} if rating else {})}
        for name, own, rating in zip(table.ids, rows, ratings, strict=True)
    ]


def _reference(network: Network, table: object, field: Field) -> _Write:
    """Position to id; for a switch's element, whose table its kind says, row to id."""
    if isinstance(table, Switches) and field.name == "element":
        of = [_ids(network, SWITCHED[SwitchKind(int(kind)).name.lower()]) for kind in table.kind]
        return lambda row: of[row][table.element[row]]
    ids = _ids(network, field.of)
    return lambda position: None if position < 0 else ids[position]


def _ids(network: Network, table: str) -> tuple[str, ...]:
    ids: tuple[str, ...] = getattr(network, table).ids
    return ids


def _rows(table: object, fields: tuple[Field, ...], writers: Mapping[str, _Write]) -> list[dict[str, Json]]:
    """One object per entry, without what is as by default."""
    arrays = {field.name: getattr(table, field.name) for field in fields}
    if isinstance(table, Switches):
        arrays["element"] = np.arange(len(table.ids))
    sizes = _sizes(arrays, fields)
    n = len(next(iter(arrays.values())))
    rows: list[dict[str, Json]] = [{} for _ in range(n)]
    for field in fields:
        values = arrays[field.name]
        write = writers.get(field.name) or _leaf(field)
        for row in np.flatnonzero(~_as_default(arrays, field)):
            own = {letter: int(size[row]) for letter, size in sizes.items()}
            rows[row][field.name] = _nested(values[row], field, field.dims, own, write)
    return rows


def _as_default(arrays: Mapping[str, _Array], field: Field) -> NDArray[np.bool_]:
    values = arrays[field.name]
    if field.default is None:
        return np.zeros(len(values), dtype=np.bool_)
    default = arrays[field.default] if isinstance(field.default, str) else field.default
    same = _is(values, default) if values.dtype.kind in "fc" else values == default
    return np.asarray(same.all(axis=tuple(range(1, values.ndim))))


def _sizes(arrays: Mapping[str, _Array], fields: tuple[Field, ...]) -> dict[str, _Array]:
    """Per letter, how many of the padded places each entry uses; nodes say so."""
    sizes: dict[str, _Array] = {}
    for field in fields:
        if field.leaf is not Leaf.NODE:
            continue
        there = arrays[field.name] != ABSENT
        for axis, letter in enumerate(field.dims, start=1):
            if isinstance(letter, str):
                used = there.any(axis=tuple(a for a in range(1, there.ndim) if a != axis))
                last = np.where(used.any(axis=1), used.shape[1] - np.argmax(used[:, ::-1], axis=1), 0)
                sizes[letter] = np.maximum(sizes.get(letter, last), last)
    return sizes


def _nested(value: _Array, field: Field, dims: tuple[int | str, ...], own: Mapping[str, int], write: _Write) -> Json:
    """Lists cut to the entry's own size; a symmetric matrix to its lower triangle; absent coils to null."""
    if not dims:
        return write(value)
    length = dims[0] if isinstance(dims[0], int) else own[dims[0]]
    if field.is_matrix and len(dims) == 2:
        whole = not np.array_equal(value, value.T)
        return [[write(v) for v in value[i, : length if whole else i + 1]] for i in range(length)]
    if field.leaf is Leaf.NODE and len(field.dims) > 1 and len(dims) == 1 and (value == ABSENT).all():
        return None
    return [_nested(value[i], field, dims[1:], own, write) for i in range(length)]


def _leaf(field: Field) -> _Write:
    if field.leaf is Leaf.CHOICE:
        return field.choices.__getitem__
    return _LEAVES[field.leaf]


def _number(value: float) -> Json:
    return float(value) if np.isfinite(value) else None


_LEAVES: Mapping[Leaf, _Write] = {
    Leaf.NUMBER: _number,
    Leaf.COMPLEX: lambda value: [float(value.real), float(value.imag)],
    Leaf.WHOLE: int,
    Leaf.FLAG: bool,
    Leaf.CURVE: lambda position: None if position < 0 else int(position),
}
