"""The life of events that supersede nothing, as pure functions of them and the time: granted flows, and prices."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from ieee2030_5.events import LINGER_S, Status
from ieee2030_5.resources import Event
from ieee2030_5.settings import Edition

E = TypeVar("E", bound=Event)


def advance(grants: Mapping[str, E], now: int, edition: Edition) -> dict[str, E]:
    """Events by the last part of their URI at `now`: begun, completed, and without those that have left the list."""
    aged = {name: _aged(held, now) for name, held in grants.items()}
    return {name: held for name, held in aged.items() if _gone(held, edition) > now}


def next_change(grants: Mapping[str, E], now: int, edition: Edition) -> int | None:
    """When the next one begins, ends or leaves the list; `None` without any."""
    changes = (due for held in grants.values() for due in (held.interval.start, end_of(held), _gone(held, edition)))
    return min((due for due in changes if due > now), default=None)


def is_live(held: Event) -> bool:
    """Scheduled or active."""
    return held.status.currentStatus in (Status.SCHEDULED, Status.ACTIVE)


def cancelled(held: E, at_s: int) -> E:
    """The same, cancelled; it stays listed to its end, so that its client learns of it."""
    return _with(held, Status.CANCELLED, at_s) if is_live(held) else held


def end_of(held: Event) -> int:
    """The second in which it is over."""
    return held.interval.start + held.interval.duration


def _aged(held: E, now: int) -> E:
    if held.status.currentStatus == Status.SCHEDULED and held.interval.start <= now:
        held = _with(held, Status.ACTIVE, max(held.interval.start, held.status.dateTime))
    if held.status.currentStatus == Status.ACTIVE and end_of(held) <= now:
        held = _with(held, Status.COMPLETED, end_of(held))
    return held


def _gone(held: Event, edition: Edition) -> int:
    """When it leaves the list: at its end, but for what clients of 2023 are shown as completed."""
    lingers = edition is Edition.S2 and held.status.currentStatus != Status.CANCELLED
    return end_of(held) + (LINGER_S if lingers else 0)


def _with(held: E, status: Status, at_s: int) -> E:
    changed = replace(held.status, currentStatus=int(status), dateTime=at_s)
    return replace(held, status=changed, version=((held.version or 0) + 1) % 65_536)
