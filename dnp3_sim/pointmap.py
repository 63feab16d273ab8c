"""The point map of a simulated RTU: YAML (and CSV for long lists of points) to values that cannot be wrong."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml

from protocols.dnp3.database import PointConfig
from protocols.dnp3.layouts import Kind
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.settings import Tls


class MapError(ValueError):
    """The point map is at fault; the message says where and what is expected."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A value that swings: `mean` + `amplitude` x sin(2 pi t / `period_s`)."""

    mean: float
    amplitude: float
    period_s: float


@dataclass(frozen=True, slots=True)
class SimPoint:
    """One point and what moves it."""

    config: PointConfig
    name: str = ""
    wave: Wave | None = None
    mirrors: tuple[int, ...] = ()
    """Outputs only: inputs of the same sort (analog or binary) that show what the output holds."""
    reverts_after: int | None = None
    """Binary outputs only: the analog output that holds the seconds after which a latched output drops again."""


@dataclass(frozen=True, slots=True)
class PointMap:
    """A simulated RTU."""

    outstation: OutstationSettings
    points: tuple[SimPoint, ...]
    host: str = "127.0.0.1"
    port: int = 20_000
    tls: Tls | None = None
    event_capacity: int = 1000


MAPS = Path(__file__).parent / "maps"
"""Maps that come with the simulator, to be named without path and suffix: `der`."""

_SECTIONS = {
    "analog_inputs": Kind.ANALOG_INPUT,
    "analog_outputs": Kind.ANALOG_OUTPUT,
    "binary_inputs": Kind.BINARY_INPUT,
    "binary_outputs": Kind.BINARY_OUTPUT,
    "double_bit_inputs": Kind.DOUBLE_BIT_INPUT,
    "counters": Kind.COUNTER,
    "frozen_counters": Kind.FROZEN_COUNTER,
    "octet_strings": Kind.OCTET_STRING,
}
_POINT_KEYS = {
    "index", "name", "value", "class", "deadband", "class_0", "variation", "event_variation",
    "wave", "mirrors", "reverts_after",
}  # fmt: skip
_TOP_KEYS = {"outstation", "listen", "csv", *_SECTIONS}
_LISTEN_KEYS = {"host", "port", "tls", "event_capacity"}
_OUTSTATION_KEYS = {field.name for field in fields(OutstationSettings)}


def find(name: str) -> Path:
    """A map that comes with the simulator, or a file of one's own."""
    shipped = MAPS / f"{name}.yaml"
    return shipped if shipped.is_file() else Path(name)


def load(path: Path) -> PointMap:
    """Read a point map and the CSV files it names, relative to it.

    Raises:
        MapError: A file is missing or not well formed, or a key, kind or value is not what is expected.
    """
    try:
        document = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise MapError(f"{path}: {error}") from error
    top = _mapping(document, str(path), _TOP_KEYS)
    points: list[SimPoint] = []
    for section, kind in _SECTIONS.items():
        for position, row in enumerate(_sequence(top.get(section, []), f"{path}: {section}")):
            points.append(_point(kind, row, f"{path}: {section}[{position}]"))
    for name in _sequence(top.get("csv", []), f"{path}: csv"):
        points += _table(path.parent / str(name))
    _check_unique(points, path)
    return _assemble(top, points, path)


def _assemble(top: Mapping[str, Any], points: list[SimPoint], path: Path) -> PointMap:
    listen = _mapping(top.get("listen", {}), f"{path}: listen", _LISTEN_KEYS)
    outstation = _mapping(top.get("outstation", {}), f"{path}: outstation", _OUTSTATION_KEYS)
    try:
        tls = Tls(**{k: str(path.parent / v) for k, v in listen["tls"].items()}) if "tls" in listen else None
        return PointMap(
            OutstationSettings(**outstation),
            tuple(points),
            host=str(listen.get("host", "127.0.0.1")),
            port=int(listen.get("port", 20_000)),
            tls=tls,
            event_capacity=int(listen.get("event_capacity", 1000)),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise MapError(f"{path}: {error}") from error


def _table(path: Path) -> list[SimPoint]:
    """Points of a CSV file: a header line with `kind` (as the sections are called) and the keys of a point."""
    try:
        with path.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
    except (OSError, csv.Error) as error:
        raise MapError(f"{path}: {error}") from error
    points = []
    for number, row in enumerate(rows, start=2):
        where = f"{path}:{number}"
        cells = {key: yaml.safe_load(cell) for key, cell in row.items() if key and cell}
        kind = _SECTIONS.get(str(cells.pop("kind", "")))
        if kind is None:
            raise MapError(f"{where}: kind must be one of {', '.join(_SECTIONS)}")
        points.append(_point(kind, cells, where))
    return points


def _point(kind: Kind, row: object, where: str) -> SimPoint:
    keys = _mapping(row, where, _POINT_KEYS)
    if "index" not in keys:
        raise MapError(f"{where}: index is missing")
    value = keys.get("value", 0)
    try:
        config = PointConfig(
            kind,
            int(keys["index"]),
            event_class=int(keys.get("class", 0)),
            deadband=float(keys.get("deadband", 0.0)),
            in_class_0=bool(keys.get("class_0", True)),
            static_variation=keys.get("variation"),
            event_variation=keys.get("event_variation"),
            value=str(value).encode() if kind is Kind.OCTET_STRING else float(value),
        )
        wave = Wave(**keys["wave"]) if "wave" in keys else None
        mirrors = tuple(int(index) for index in _sequence(keys.get("mirrors", []), where))
        return SimPoint(config, str(keys.get("name", "")), wave, mirrors, keys.get("reverts_after"))
    except (TypeError, ValueError) as error:
        raise MapError(f"{where}: {error}") from error


def _check_unique(points: Sequence[SimPoint], path: Path) -> None:
    seen: set[tuple[Kind, int]] = set()
    for point in points:
        key = (point.config.kind, point.config.index)
        if key in seen:
            raise MapError(f"{path}: {key[0]} {key[1]} is given twice")
        seen.add(key)


def _mapping(value: object, where: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MapError(f"{where}: expected keys and values")
    unknown = set(value) - known
    if unknown:
        names = ", ".join(sorted(map(str, unknown)))
        raise MapError(f"{where}: unknown {names}; known are {', '.join(sorted(known))}")
    return value


def _sequence(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise MapError(f"{where}: expected a list")
    return value


def at(point_map: PointMap, host: str | None, port: int | None) -> PointMap:
    """The same map listening elsewhere."""
    return replace(point_map, host=host or point_map.host, port=point_map.port if port is None else port)
