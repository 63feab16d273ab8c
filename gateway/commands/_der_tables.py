"""Tables of what the operator asked for."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

Row = Mapping[str, Any]
Column = tuple[str, Callable[[Row], object]]


def table(columns: Sequence[Column], rows: Iterable[Row]) -> Table:
    """One line per row."""
    made = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name, _ in columns:
        made.add_column(name, overflow="fold")
    for row in rows:
        made.add_row(*(said(value(row)) for _, value in columns))
    return made


def pairs(row: Row) -> Table:
    """One line per member of an object; what is empty is left out."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in row.items():
        if value is not None and value not in ([], {}, ""):
            made.add_row(name.removesuffix("_s"), moment(value) if name.endswith("ed_s") else said(value))
    return made


def said(value: object) -> str:
    """A value as a person reads it."""
    return _SAID.get(type(value), str)(value)


def _program_or_members(value: Row) -> str:
    if "primacy" in value:
        return f"{value['name']} ({value['primacy']})"
    return ", ".join(f"{name}={said(one)}" for name, one in value.items() if one is not None)


_SAID: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    bool: lambda value: "yes" if value else "no",
    float: lambda value: f"{value:.0f}" if value.is_integer() else f"{value}",
    list: lambda value: ", ".join(map(said, value)),
    dict: _program_or_members,
}


def moment(at_s: object) -> str:
    """Unix seconds as a date and time, UTC."""
    return "" if not isinstance(at_s, int) else datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def at(name: str) -> Callable[[Row], object]:
    """The value of a member."""
    return lambda row: row[name]


def time_at(name: str) -> Callable[[Row], object]:
    """The time in a member."""
    return lambda row: moment(row[name])


def modes(row: Row) -> str:
    """What a control asks for."""
    given = {name: value for name, value in row["modes"].items() if value is not None}
    return ", ".join(
        f"{name}={said(value) if not isinstance(value, dict) else json.dumps(value)}" for name, value in given.items()
    )


DEVICES: Sequence[Column] = (
    ("name", at("name")),
    ("LFDI", at("lfdi")),
    ("kind", lambda row: "aggregator" if row["aggregator"] else "device"),
    ("zone", at("of_zone")),
    ("profile", lambda row: f"{row['profile']} {row['edition']}"),
    ("registered", time_at("registered_s")),
    ("groups", at("groups")),
)
GROUPS: Sequence[Column] = (
    ("name", at("name")),
    ("kind", at("kind")),
    ("parent", at("parent")),
    ("devices", at("devices")),
    ("programs", at("programs")),
    ("description", at("description")),
)
PROGRAMS: Sequence[Column] = (
    ("name", at("name")),
    ("primacy", at("primacy")),
    ("of", lambda row: row["group"] or row["device"]),
    ("FSA", at("assignment")),
    ("controls by", lambda row: "gateway" if row["of_gateway"] else "operator"),
    ("active", at("active")),
    ("listed", at("controls")),
    ("description", at("description")),
)
CURVES: Sequence[Column] = (
    ("id", at("id")),
    ("mode", at("mode")),
    ("points", lambda row: " ".join(f"{point['x']},{point['y']}" for point in row["points"])),
    ("multipliers", lambda row: f"x {row['x_multiplier']}, y {row['y_multiplier']}"),
    ("y of", at("y_reference")),
    ("in use", at("in_use")),
    ("description", at("description")),
)
CONTROLS: Sequence[Column] = (
    ("mRID", at("mrid")),
    ("status", at("status")),
    ("start", time_at("start_s")),
    ("duration", lambda row: f"{row['duration_s']} s"),
    ("modes", modes),
    ("description", at("description")),
)
ANSWERS: Sequence[Column] = (
    ("device", at("device")),
    ("last answer", at("meaning")),
    ("at", time_at("at_s")),
    ("LFDI", at("lfdi")),
)
ACCESS: Sequence[Column] = (
    ("LFDI", at("lfdi")),
    ("device", at("device")),
    ("access", at("state")),
    ("until", time_at("until_s")),
)
RATES: Sequence[Column] = (("rate", at("rate")), ("of", at("of")), ("every", lambda row: f"{row['seconds']} s"))


def rates(row: Row) -> list[Row]:
    """Every rate that was set, and the defaults."""
    found = [
        {"rate": rate, "of": kind, "seconds": seconds}
        for rate in ("poll", "post")
        for kind, seconds in row[rate].items()
    ]
    return [*found, *({"rate": f, "of": "all others", "seconds": row[f"default_{f}_s"]} for f in ("poll", "post"))]
