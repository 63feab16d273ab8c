"""What in a pandapower net this engine does not model: refused by name, for nothing may be misread silently."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from grid_engine.importers.frames import column, ids, tap_changers

if TYPE_CHECKING:
    from pandapower import pandapowerNet

READ = ("bus", "line", "trafo", "shunt", "load", "asymmetric_load", "switch", "ext_grid")
"""Tables that are read."""

_DERS = ("sgen", "asymmetric_sgen", "storage")
_REFUSED = (
    *("gen", "motor", "ward", "xward", "trafo3w", "impedance", "dcline"),
    *("tcsc", "svc", "ssc", "vsc", "b2b_vsc", "line_dc", "bus_dc", "load_dc", "source_dc"),
)
_ZERO_SEQUENCE = {
    "line": ("r0_ohm_per_km", "x0_ohm_per_km", "c0_nf_per_km"),
    "trafo": ("vector_group", "vk0_percent", "vkr0_percent", "mag0_percent", "mag0_rx", "si0_hv_partial"),
}
_VECTOR_GROUPS = ("ynyn", "dyn")
_TAP_CHANGERS = ("", "Ratio", "Symmetrical")
_TRAFO_EXTRAS = ("tap_step_degree", "tap_dependency_table", "tap2_pos", "tap_at_star_point", "xn_ohm", "rn_ohm")
"""Columns that must be zero or empty."""


def refusals(net: pandapowerNet) -> tuple[str, ...]:
    """Every fault of that kind."""
    found = [
        f"{table} {', '.join(ids(net[table]))}: "
        + ("a DER belongs to the zone's devices" if table in _DERS else "not modelled")
        for table in (*_DERS, *_REFUSED)
        if table in net and len(net[table])
    ]
    for table in READ:
        found += [f"{table} {name!r}: {n} of that name" for name, n in Counter(ids(net[table])).items() if n > 1]
    found += [
        f"{table}: no column {needed}, so no zero sequence"
        for table, columns in _ZERO_SEQUENCE.items()
        for needed in columns
        if len(net[table]) and needed not in net[table]
    ]
    if "vector_group" in net.trafo:
        odd = [str(g) for g in net.trafo.vector_group if str(g).lower() not in _VECTOR_GROUPS]
        found += [f"trafo: vector group {group} not modelled" for group in odd]
    return (*found, *_load_refusals(net), *_switch_refusals(net), *_tap_refusals(net))


def _load_refusals(net: pandapowerNet) -> list[str]:
    """Loads with a law of voltage where pandapower itself has none."""
    frame = net.asymmetric_load
    return [
        f"asymmetric_load {name}: {law} is not 0, only constant power is modelled"
        for law in frame.columns
        if law.startswith("const_")
        for name, share in zip(ids(frame), frame[law], strict=True)
        if share
    ]


def _tap_refusals(net: pandapowerNet) -> list[str]:
    """Tap changers that turn the phase or follow a table, second ones, and star points behind an impedance."""
    frame = net.trafo
    odd = [f"tap changer {kind}" if kind not in _TAP_CHANGERS else "" for kind in tap_changers(frame)]
    found = [f"trafo {name}: {what} not modelled" for name, what in zip(ids(frame), odd, strict=True) if what]
    for extra in _TRAFO_EXTRAS:
        rows = zip(ids(frame), column(frame, extra, 0.0), strict=True)
        found += [f"trafo {name}: {extra} {value:g} not modelled" for name, value in rows if value]
    return found


def _switch_refusals(net: pandapowerNet) -> list[str]:
    rows = zip(ids(net.switch), net.switch.et, column(net.switch, "z_ohm", 0.0), strict=True)
    return [f"switch {name}: kind {kind} or impedance {z} not modelled" for name, kind, z in rows if kind == "t3" or z]
