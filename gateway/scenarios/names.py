"""Names in a scenario that its zone does not have, each with the line where it stands."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from config.faults import Fault, Place, listed, suggestion
from config.settings import ZoneFile
from gateway.scenarios.script import Check, Given, Happening, Script

At = Callable[..., Place]

_DEVICE, _PARTY, _INTERFACE, _FAULTY, _DISPATCHED = "device", "party", "interface", "device or station", "resource"

_GIVEN = {
    "power_mw": _DEVICE,
    "available_mw": _DEVICE,
    "state_of_charge_pct": _DEVICE,
    "limits_mw": _DEVICE,
}
_WHEN = {
    "dispatch.resource": _DISPATCHED,
    "schedule.resource": _DISPATCHED,
    "outage.resource": _DEVICE,
    "habit.party": _PARTY,
    "host_limit.interface": _INTERFACE,
    "fault.resource": _FAULTY,
    "available_mw": _DEVICE,
    "power_mw": _DEVICE,
    "deaf": _PARTY,
    "delay_of_s": _PARTY,
    "copies_of": _PARTY,
    "clock_ahead_s": _DEVICE,
    "offer.agent": _PARTY,
    "say.sender": _PARTY,
    "meter_import.resource": _DEVICE,
    "dispute.party": _PARTY,
}
_THEN = {
    "limit.resource": _DEVICE,
    "no_limit": _DEVICE,
    "power_mw": _DEVICE,
    "ceiling_mw": _DEVICE,
    "assumed_mw": _DEVICE,
    "schedule_mw": _DEVICE,
    "envelope_mw": _DEVICE,
    "instruction_mw": _DEVICE,
    "state_of_charge_pct": _DEVICE,
    "price": _DEVICE,
    "congestion": _DEVICE,
    "outcome": _DEVICE,
    "settlement.resource": _DEVICE,
    "statement.party": _PARTY,
}
_MESSAGES = {"sender": _PARTY, "recipient": _PARTY}
"""Whom each word of a scenario is about; a word that is a mapping by its keys."""


def name_faults(script: Script, zone: ZoneFile, at: At) -> list[Fault]:
    """Every name that stands for something the zone has not."""
    known = _known(zone)
    found = list(_looked(_GIVEN, script.given, ("given",), known, at))
    for number, happening in enumerate(script.when):
        found += _looked(_WHEN, happening, ("when", number), known, at)
    for number, check in enumerate(script.then):
        found += _looked(_THEN, check, ("then", number), known, at)
        for key in ("message", "no_message"):
            message = getattr(check, key)
            if message is not None:
                found += _looked(_MESSAGES, message, ("then", number, key), known, at)
        for key in ("messages", "no_messages"):
            for place, message in enumerate(getattr(check, key)):
                found += _looked(_MESSAGES, message, ("then", number, key, place), known, at)
    return found


def _known(zone: ZoneFile) -> Mapping[str, frozenset[str]]:
    devices, parties = frozenset(zone.devices), frozenset(zone.parties)
    return {
        _DEVICE: devices,
        _DISPATCHED: devices | frozenset(zone.market.nodes),
        _PARTY: parties | {"DSO"},
        _INTERFACE: frozenset(zone.interfaces),
        _FAULTY: devices | frozenset(zone.stations),
    }


def _looked(
    words: Mapping[str, str],
    said: Given | Happening | Check | Any,  # noqa: ANN401 - any part of a script
    where: tuple[str | int, ...],
    known: Mapping[str, frozenset[str]],
    at: At,
) -> Iterator[Fault]:
    for word, kind in words.items():
        steps = word.split(".")
        for name in _names(said, steps):
            if name not in known[kind]:
                remedy = suggestion(name, known[kind], f"use one of: {listed(known[kind])}")
                yield Fault(at(*where, *steps, name), f"`{word}` names {name}, which is no {kind} of the zone", remedy)


def _names(said: object, steps: Iterable[str]) -> tuple[str, ...]:
    for step in steps:
        said = getattr(said, step, None)
    if isinstance(said, Mapping):
        return tuple(said)
    return (said,) if isinstance(said, str) else ()
