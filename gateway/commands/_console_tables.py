"""Tables of what the gateway tells its operator: powers in MW, times as time of day UTC."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.commands._der_tables import Column, Row, at, table
from gateway.tell import clock, day, number


def mw(name: str) -> Column:
    """A power in MW."""
    return name, lambda row: megawatts(row[_POWERS[name]])


_POWERS = {
    "measured": "measured_w",
    "asked": "asked_w",
    "min": "floor_w",
    "max": "ceiling_w",
    "MW": "power_w",
    "effective": "effective_w",
    "committed": "committed_w",
    "most": "most_w",
    "target": "target_w",
    "answered MW": "answered_w",
    "required": "required_w",
}


def megawatts(power_w: float | None) -> str:
    """Watts as megawatts; nothing where there is none."""
    return "" if power_w is None else f"{power_w / 1e6:.3f}"


def time_of(name: str) -> Callable[[Row], object]:
    """Time of day of a member."""
    return lambda row: "" if row[name] is None else clock(row[name])[:-2]


def _age(row: Row) -> str:
    return "" if row["age_s"] is None else f"{row['age_s']:.0f} s {row['quality']}"


DERS: Sequence[Column] = (
    ("DER", at("id")),
    ("link", at("link")),
    mw("measured"),
    ("age", _age),
    mw("asked"),
    mw("min"),
    mw("max"),
    ("constraint", at("constraint")),
    ("because of", at("because")),
    ("control", at("control")),
    ("outcome", at("outcome")),
)
TOLD: Sequence[Column] = (("at", time_of("at_s")), ("who", at("who")), ("what", at("what")))
WAITING: Sequence[Column] = (
    ("id", at("id")),
    ("to whom", lambda row: "\n".join(step["who"] for step in row["steps"])),
    ("what", lambda row: "\n".join(step["what"] for step in row["steps"])),
    ("why", at("why")),
    ("since", time_of("since_s")),
    ("until", time_of("deadline_s")),
)
EMERGENCIES: Sequence[Column] = (
    ("id", at("id")),
    ("level", at("level")),
    ("scope", at("scope")),
    ("because", at("because")),
    ("since", time_of("since_s")),
    ("cleared", time_of("cleared_s")),
    ("resources", at("resources")),
)
OFFERS: Sequence[Column] = (
    ("offer", at("id")),
    ("resource", at("resource")),
    ("market", at("market")),
    ("state", at("state")),
    mw("most"),
    ("price per MWh", lambda row: ", ".join(f"to {megawatts(mw_)} at {price:.2f}" for mw_, price in row["blocks"])),
    ("from", time_of("start_s")),
    ("to", time_of("end_s")),
)
INSTANCES: Sequence[Column] = (
    ("id", at("id")),
    ("kind", at("kind")),
    ("resource", at("resource")),
    ("state", at("state")),
    mw("MW"),
    mw("effective"),
    mw("committed"),
    ("price per MWh", lambda row: f"{row['price_per_mwh']:.2f}" if row["price_per_mwh"] else ""),
    ("from", time_of("start_s")),
    ("to", time_of("end_s")),
)
DISPATCHES: Sequence[Column] = (
    ("dispatch", at("id")),
    ("of", at("of")),
    mw("MW"),
    ("from", time_of("start_s")),
    ("to", time_of("end_s")),
    ("in force", at("in_force")),
    ("answered", at("answered")),
    mw("answered MW"),
)
NEEDS: Sequence[Column] = (
    ("need", at("id")),
    ("kind", at("kind")),
    ("constraint", at("constraint")),
    mw("required"),
    ("effect", lambda row: f"{row['effect']:.2f}"),
    ("state", at("state")),
    ("closes", time_of("closes_s")),
)
LIMITS: Sequence[Column] = (
    ("limit", at("id")),
    mw("min"),
    mw("max"),
    ("reason", at("reason")),
    ("constraint", at("constraint")),
    ("loading before", lambda row: f"{row['loading_before_pct']:.1f} %"),
    ("from", time_of("start_s")),
    ("expires", time_of("expires_s")),
    ("in force", at("in_force")),
    ("owner", at("status")),
)
READINGS: Sequence[Column] = (
    ("point", at("point")),
    ("value", lambda row: "" if row["value"] is None else number(row["value"])),
    ("quality", at("quality")),
    ("age", lambda row: f"{row['age_s']:.0f} s"),
)
_MARKETS: Sequence[tuple[str, str, str, Sequence[Column]]] = (
    ("wholesale", "dispatches", "Wholesale dispatches", DISPATCHES),
    ("wholesale", "instructions", "What became of them", INSTANCES),
    ("wholesale", "offers", "Wholesale offers", OFFERS),
    ("local", "needs", "Local needs", NEEDS),
    ("local", "offers", "Local offers", OFFERS),
    ("local", "orders", "Local orders", INSTANCES),
)


def titled(title: str, columns: Sequence[Column], rows: Sequence[Row]) -> Iterator[RenderableType]:
    """A table under its title; nothing where it has no rows."""
    if rows:
        yield Text(f"\n{title}", style="bold")
        yield table(columns, rows)


def status(found: Mapping[str, Any]) -> Group:
    """The zone at a glance."""
    solved = "never solved" if found["solved_s"] is None else f"solved {clock(found['solved_s'])[:-2]}"
    failing = "" if found["solved"] or found["solved_s"] is None else ", the newest study failed"
    head = (
        f"{found['zone']} {found['model']}  {day(found['at_s'])} {clock(found['at_s'])[:-2]} UTC  network "
        f"{found['network']}, {solved}{failing}  coverage {found['coverage_pct']:.0f} %  {found['alert']}  "
        f"approval {found['approval']}, {found['waiting']} waiting"
    )
    return Group(
        Text(head, style="bold"),
        table(DERS, found["ders"]),
        *(Text(f"without limits: {one}", style="red") for one in found["violations"]),
        *titled("Decisions", TOLD, found["decisions"]),
        *titled("Messages of this interval", TOLD, found["messages"]),
    )


def view(found: Mapping[str, Any]) -> Group:
    """Everything about one resource."""
    markets = (part for side, what, title, columns in _MARKETS for part in titled(title, columns, found[side][what]))
    return Group(
        _facts(found),
        *titled("Limits of the DSO", LIMITS, found["limits"]),
        *markets,
        *titled("Measured", READINGS, found["readings"]),
    )


def _facts(found: Mapping[str, Any]) -> Table:
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in _lines(found):
        made.add_row(name, value)
    return made


def _lines(found: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    link, control, asked = found["link"], found["control"], found["operator"]
    yield (
        found["id"],
        f"of {found['owner']}, at {found['bus']} on {found['phases']}, zone {found['zone']} {found['model']}",
    )
    yield "capable of", f"{box(found)}, controllable: {found['controllable']}"
    yield "link", f"{link['state']} over {link['protocol']}  {link['detail']}".rstrip()
    if found["effective"] is not None:
        holds = found["effective"]
        notes = " (emergency)" * holds["urgent"] + " (boxes have nothing in common)" * holds["conflict"]
        yield "holds now", f"{box(holds)} because of {holds['because']}{notes}"
    if control is not None:
        what = ("released" if control["release"] else box(control)) + ", off the grid" * control["off_grid"]
        lease = "" if control["leased_until_s"] is None else f", leased until {clock(control['leased_until_s'])[:-2]}"
        yield "control", f"{control['id']}: {what}, {control['outcome']}{lease}"
        for name in ("requested", "read_back"):
            if control[name]:
                yield f"  {name.replace('_', ' ')}", ", ".join(f"{k}={number(v)}" for k, v in control[name].items())
    if asked is not None:
        yield "operator", f"{box(asked)} until {clock(asked['until_s'])[:-2]}, asked by {asked['source']}"
    if found["emergency"] is not None:
        yield "emergency", f"{found['emergency']['id']}: {found['emergency']['because']}"
    if found["outage"] is not None:
        outage = found["outage"]
        yield "outage", f"{outage['id']}: {megawatts(outage['available_w'])} MW until {clock(outage['end_s'])[:-2]}"


def box(found: Mapping[str, Any]) -> str:
    """Powers in words."""
    parts = [("at least", "floor_w"), ("at most", "ceiling_w"), ("target", "target_w")]
    said = [f"{word} {megawatts(found[name])} MW" for word, name in parts if found.get(name) is not None]
    return ", ".join(said) or "no limit"
