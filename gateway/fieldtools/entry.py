"""A device's entry for the zone file, from what a scan found: a file that extends the zone by one device."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from config.units import megawatts
from gateway.logs.line import harmless
from protocols.tool import Found, ToolError

_STORE, _GENERATOR = "bess", "pv"


@dataclass(frozen=True, slots=True)
class Asked:
    """What no device can tell of itself, and what a person may know better."""

    device_id: str
    bus: str
    owner: str
    kind: str | None = None
    """`None`: a store where it can absorb, else a solar park."""
    p_max_mw: float | None = None
    """`None`: the device's own nameplate."""
    p_min_mw: float | None = None
    static_mw: float | None = None
    """What the device falls back to when it no longer hears from us; `None`: nothing is promised."""


def entry(found: Found, endpoint: Mapping[str, object], asked: Asked, today: date) -> dict[str, object]:
    """The entry as the zone file has it.

    Args:
        found: what the scan found.
        endpoint: how the scan reached it, as the zone file writes it.
        asked: the rest.
        today: when it is connected.

    Raises:
        ToolError: the device does not tell its nameplate, and nobody else did.
    """
    high_mw = asked.p_max_mw if asked.p_max_mw is not None or found.p_max_w is None else megawatts(found.p_max_w)
    if high_mw is None:
        raise ToolError(f"{found.address} does not tell its nameplate; give --p-max-mw")
    low_mw = asked.p_min_mw if asked.p_min_mw is not None else megawatts(found.p_min_w or 0.0)
    kind = asked.kind or (_STORE if low_mw < 0 else _GENERATOR)
    energy = {"energy_mwh": megawatts(found.energy_wh)} if found.energy_wh else {}
    absorbs = {"import_mw": -low_mw} if low_mw < 0 else {}
    name = " ".join(filter(None, (found.identity.get("maker"), found.identity.get("model"))))
    return {
        **({"name": harmless(name)} if name else {}),
        "kind": kind,
        "connection": {"bus": asked.bus, "export_mw": max(high_mw, 0.0), **absorbs, "date": today},
        "nameplate": {"p_max_mw": high_mw, **({"p_min_mw": low_mw} if low_mw < 0 else {}), **energy},
        "controllable": "limit",
        "owner": asked.owner,
        "endpoint": {**_lasting(endpoint), **found.endpoint},
        **({} if asked.static_mw is None else {"static_p_max_mw": asked.static_mw}),
    }


def document(zone: str, device_id: str, made: Mapping[str, object], found: Found, at: str) -> str:
    """The text of a file that extends `zone` by the entry; its head says where the entry comes from."""
    told = ", ".join(f"{key} {harmless(value)}" for key, value in found.identity.items())
    head = f"# {device_id}, as it was found at {at}, {found.address}" + (f": {told}" if told else "") + "\n"
    head = head.replace("\n", " ").strip() + "\n"
    body = yaml.safe_dump({"extends": zone, "devices": {device_id: dict(made)}}, sort_keys=False, allow_unicode=True)
    return head + body


def _lasting(endpoint: Mapping[str, object]) -> dict[str, object]:
    """The same, with files named so that the entry may lie anywhere."""
    return {
        key: str(Path(str(value)).resolve()) if key.endswith("_file") or key == "trust" else value
        for key, value in endpoint.items()
    }
