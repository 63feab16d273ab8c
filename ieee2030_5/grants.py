"""The life of granted flow reservations, as pure functions of the grants and the time; they supersede nothing."""

from collections.abc import Mapping
from dataclasses import replace

from ieee2030_5.events import LINGER_S, Status
from ieee2030_5.resources import FlowReservationResponse
from ieee2030_5.settings import Edition

Grants = Mapping[str, FlowReservationResponse]
"""By the last part of their URI."""


def advance(grants: Grants, now: int, edition: Edition) -> dict[str, FlowReservationResponse]:
    """The grants at `now`: begun, completed, and without those that have left the list."""
    aged = {name: _aged(held, now) for name, held in grants.items()}
    return {name: held for name, held in aged.items() if _gone(held, edition) > now}


def next_change(grants: Grants, now: int, edition: Edition) -> int | None:
    """When the next grant begins, ends or leaves the list; `None` without any."""
    changes = (due for held in grants.values() for due in (held.interval.start, end_of(held), _gone(held, edition)))
    return min((due for due in changes if due > now), default=None)


def is_live(held: FlowReservationResponse) -> bool:
    """Scheduled or active."""
    return held.status.currentStatus in (Status.SCHEDULED, Status.ACTIVE)


def cancelled(held: FlowReservationResponse, at_s: int) -> FlowReservationResponse:
    """The same, cancelled; it stays listed to its end, so that its client learns of it."""
    return _with(held, Status.CANCELLED, at_s) if is_live(held) else held


def end_of(held: FlowReservationResponse) -> int:
    """The second in which it is over."""
    return held.interval.start + held.interval.duration


def _aged(held: FlowReservationResponse, now: int) -> FlowReservationResponse:
    if held.status.currentStatus == Status.SCHEDULED and held.interval.start <= now:
        held = _with(held, Status.ACTIVE, max(held.interval.start, held.status.dateTime))
    if held.status.currentStatus == Status.ACTIVE and end_of(held) <= now:
        held = _with(held, Status.COMPLETED, end_of(held))
    return held


def _gone(held: FlowReservationResponse, edition: Edition) -> int:
    """When it leaves the list: at its end, but for what clients of 2023 are shown as completed."""
    lingers = edition is Edition.S2 and held.status.currentStatus != Status.CANCELLED
    return end_of(held) + (LINGER_S if lingers else 0)


def _with(held: FlowReservationResponse, status: Status, at_s: int) -> FlowReservationResponse:
    changed = replace(held.status, currentStatus=int(status), dateTime=at_s)
    return replace(held, status=changed, version=((held.version or 0) + 1) % 65_536)
