"""What the tools found, as tables for a terminal or as JSON for programs."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

import orjson
from rich.console import Console
from rich.table import Table

from gateway.logs.line import harmless, stamp
from protocols.signals import Quality
from protocols.tool import Found, Item, Value, Written

_PLAIN_WIDTH = 160
"""Columns where the output is not a terminal."""
_ACCESS = {True: "rw", False: "r", None: ""}
_IDENTITY = ("maker", "model", "version", "serial")


def console() -> Console:
    """Standard output; nothing in it is markup, as devices have a say in it."""
    width = None if sys.stdout.isatty() else _PLAIN_WIDTH
    return Console(width=width, highlight=False, markup=False, emoji=False)


def found_table(found: Sequence[Found]) -> Iterable[Table | str]:
    """Devices with what they say of themselves, then what each offers."""
    yield _filled(
        {
            "at": [harmless(one.address) for one in found],
            **{key: [harmless(one.identity.get(key, "")) for one in found] for key in _IDENTITY},
            "power kW": [_power(one) for one in found],
            "energy kWh": ["" if one.energy_wh is None else f"{one.energy_wh / 1e3:g}" for one in found],
            "": [harmless("; ".join(v for key, v in one.identity.items() if key not in _IDENTITY)) for one in found],
        }
    )
    for one in found:
        if one.offers:
            yield f"\n{one.address} offers"
            yield from (f"  {harmless(offer)}" for offer in one.offers)


def item_table(items: Sequence[Item]) -> Table:
    """Values, with the columns that any of them fills."""
    columns: dict[str, list[str]] = {
        "address": [harmless(item.address) for item in items],
        "value": [text_of(item.value) for item in items],
        "unit": [item.unit for item in items],
        "": [_remark(item) for item in items],
        "rw": [_ACCESS[item.writable] for item in items],
        "taken at": ["" if item.time_s is None else stamp(item.time_s) for item in items],
        "name": [harmless(item.name) for item in items],
    }
    return _filled(columns, right="value")


def line_of(at_s: float, item: Item) -> str:
    """One value as it came, for a watch."""
    remark = _remark(item)
    name = f"  {harmless(item.name)}" if item.name else ""
    return f"{stamp(at_s)[11:]}  {harmless(item.address):<24} {text_of(item.value):>14} {item.unit:<6}{remark}{name}"


def json_of(value: Found | Item | Written | Mapping[str, object] | Sequence[Found] | Sequence[Item]) -> str:
    """The same for programs."""
    plain = list(value) if isinstance(value, Sequence) else value
    return orjson.dumps(plain, default=_plain).decode()


def text_of(value: Value) -> str:
    """A value as people read it."""
    match value:
        case None:
            return "-"
        case str():
            return harmless(value)
        case _:
            return f"{value:.10g}"


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else asdict(value)  # type: ignore[call-overload]


def _remark(item: Item) -> str:
    quality = "" if item.quality is Quality.GOOD else item.quality.value
    return harmless(", ".join(filter(None, (quality, item.note))))


def _power(found: Found) -> str:
    if found.p_max_w is None:
        return ""
    low = 0.0 if found.p_min_w is None else found.p_min_w
    return f"{low / 1e3:g} to {found.p_max_w / 1e3:g}"


def _filled(columns: Mapping[str, Sequence[str]], right: str = "") -> Table:
    """A table of the columns that say anything; the first always stands."""
    first = next(iter(columns))
    filled = {head: cells for head, cells in columns.items() if head in (first, right) or any(cells)}
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for head in filled:
        table.add_column(head, justify="right" if head == right else "left")
    for row in zip(*filled.values(), strict=True):
        table.add_row(*row)
    return table
