"""Reads the assets of a geographic information system: where each is and what it ends at, from CSV or GeoJSON.

CSV has the columns id, kind, x, y, from, to: a place (bus, pole, substation) has x and y; whatever connects two places
(line, cable, transformer, switch) has from and to; what stands at one (load, capacitor) has from alone. GeoJSON is a
feature collection with the same names among the properties, x and y from points, and `at` counting its features.
"""

import csv
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 256 * 1024 * 1024
_NEEDED = ("id", "kind")
_KNOWN = (*_NEEDED, "x", "y", "from", "to")
GEOJSON_SUFFIXES = (".geojson", ".json")


class GisError(Exception):
    """The file cannot be used; `faults` says everything that is wrong with it, by line."""

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.source = source
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset."""

    id: str
    kind: str
    x: float | None
    """East, or longitude; nothing where the asset is no place."""
    y: float | None
    ends: tuple[str, ...]
    """Places that it is at: none of a place itself, one, or two that it connects."""
    at: str
    """Where it stands in the file, for people."""

    @property
    def is_place(self) -> bool:
        """Whether others may end at it."""
        return self.x is not None


def read_assets(path: Path | str) -> tuple[Asset, ...]:
    """Every asset of the file, all of whose ends are there.

    Raises:
        GisError: with every fault found.
    """
    source = Path(path)
    try:
        if source.stat().st_size > MAX_BYTES:
            raise GisError(source.name, (f"is larger than {MAX_BYTES // 2**20} MiB",))
        text = source.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GisError(source.name, (f"cannot be read: {error}",)) from error
    rows = _features(source.name, text) if source.suffix.lower() in GEOJSON_SUFFIXES else _rows(source.name, text)
    faults: list[str] = []
    assets = [asset for at, row in rows if (asset := _asset(at, row, faults)) is not None]
    faults += _doubles(assets)
    faults += _dangling(assets)
    if faults or not assets:
        raise GisError(source.name, faults or ("it has no assets",))
    return tuple(assets)


Row = tuple[str, Mapping[str, str]]


def _rows(source: str, text: str) -> Iterator[Row]:
    rows = csv.DictReader(text.splitlines())
    header = rows.fieldnames or ()
    missing = [
        f"line 1: there is no column {name!r}; needed are {', '.join(_KNOWN)}" for name in _NEEDED if name not in header
    ]
    if missing:
        raise GisError(source, missing)
    for row in rows:
        yield f"line {rows.line_num}", {name: value.strip() for name, value in row.items() if isinstance(value, str)}


def _features(source: str, text: str) -> Iterator[Row]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise GisError(source, (f"not JSON: {error}",)) from error
    features = document.get("features") if isinstance(document, Mapping) else None
    if not isinstance(features, list):
        raise GisError(source, ("not a GeoJSON feature collection",))
    for n, feature in enumerate(features):
        yield f"feature {n}", _feature(feature) if isinstance(feature, Mapping) else {}


def _feature(feature: Mapping[str, object]) -> Mapping[str, str]:
    properties, geometry = feature.get("properties"), feature.get("geometry")
    given = {k: str(v) for k, v in properties.items() if v is not None} if isinstance(properties, Mapping) else {}
    if "id" not in given and feature.get("id") is not None:
        given["id"] = str(feature["id"])
    if isinstance(geometry, Mapping) and geometry.get("type") == "Point":
        place = geometry.get("coordinates")
        if isinstance(place, list) and len(place) >= 2:
            given |= {"x": str(place[0]), "y": str(place[1])}
    return given


def _asset(at: str, row: Mapping[str, str], faults: list[str]) -> Asset | None:
    missing = [name for name in _NEEDED if not row.get(name)]
    if missing:
        faults += [f"{at}: {name} is missing" for name in missing]
        return None
    x, y = (_number(at, name, row.get(name, ""), faults) for name in ("x", "y"))
    ends = tuple(row[name] for name in ("from", "to") if row.get(name))
    if row.get("to") and not row.get("from"):
        faults.append(f"{at}: {row['id']} ends at {row['to']} and begins nowhere; name a place under from")
    if len(ends) > len(set(ends)):
        faults.append(f"{at}: {row['id']} begins and ends at {ends[0]}")
    if (x is None) is not (y is None):
        faults.append(f"{at}: {row['id']} has one coordinate; give x and y, or neither")
    elif x is None and not ends:
        faults.append(f"{at}: {row['id']} is nowhere: it has neither coordinates nor ends")
    return Asset(row["id"], row["kind"], x, y, ends, at)


def _number(at: str, name: str, text: str, faults: list[str]) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        faults.append(f"{at}: {name} {text!r} is no number")
        return None
    return value


def _doubles(assets: Sequence[Asset]) -> Iterator[str]:
    first: dict[str, str] = {}
    for asset in assets:
        if asset.id in first:
            yield f"{asset.at}: {asset.id} is on {first[asset.id]} already"
        first.setdefault(asset.id, asset.at)


def _dangling(assets: Sequence[Asset]) -> Iterator[str]:
    """Ends that are no place of the file."""
    known = {asset.id: asset for asset in assets}
    for asset in assets:
        for end in asset.ends:
            if end not in known:
                yield f"{asset.at}: {asset.id} ends at {end}, which is not in the file"
            elif not known[end].is_place:
                yield f"{asset.at}: {asset.id} ends at {end}, a {known[end].kind} without coordinates"
