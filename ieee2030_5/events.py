"""The life of DERControls in one program, as pure functions of the events and the time (edition 2018).

A program's events are a tuple, the newest last. Only the EventStatus of an event ever changes: its
interval and its modes are never edited, a change is a new event.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from enum import IntEnum
from functools import lru_cache

from ieee2030_5.resources import DERControl, DERControlBase, EventStatus

Events = tuple[DERControl, ...]


class Status(IntEnum):
    """EventStatus.currentStatus."""

    SCHEDULED = 0
    ACTIVE = 1
    CANCELLED = 2
    CANCELLED_RANDOMIZED = 3
    SUPERSEDED = 4
    """2018 only: the 2023 edition dropped it."""


_LIVE = frozenset({Status.SCHEDULED, Status.ACTIVE})


def earliest_start(event: DERControl) -> int:
    """When the first device may begin: the start, or before it by a negative randomizeStart."""
    return event.interval.start + min(0, event.randomizeStart or 0)


def latest_end(event: DERControl) -> int:
    """When the last device has ended; the event is listed until then."""
    late = max(0, event.randomizeStart or 0) + max(0, event.randomizeDuration or 0)
    return event.interval.start + event.interval.duration + late


@lru_cache(maxsize=4096)
def modes(base: DERControlBase) -> frozenset[str]:
    """Names of the modes that a control drives; `rampTms` only shapes them."""
    return frozenset(
        item.name for item in fields(base) if item.name != "rampTms" and getattr(base, item.name) is not None
    )


def is_live(event: DERControl) -> bool:
    """Scheduled or active: neither cancelled nor superseded."""
    return event.status.currentStatus in _LIVE


def publish(events: Events, event: DERControl, now: int) -> Events:
    """Add a new event; its status follows from the time, and what it supersedes is marked at its start."""
    status = EventStatus(currentStatus=Status.SCHEDULED, dateTime=event.creationTime, potentiallySuperseded=False)
    return advance((*events, replace(event, status=status, version=0)), now)


def cancel(events: Events, mrids: Iterable[str], now: int) -> Events:
    """Cancel live events at `now`; they stay listed to their end, so that clients see it."""
    wanted = frozenset(mrids)
    changed = tuple(_cancelled(event, now) if event.mRID in wanted and is_live(event) else event for event in events)
    return _flag(changed, now)


def advance(events: Events, now: int) -> Events:
    """Carry out every change that is due by `now`, in the order of their times."""
    while True:
        due = next_change(events)
        if due is None or due > now:
            return _flag(events, now)
        events = _step(events, due)


def next_change(events: Events) -> int | None:
    """When the next status changes or the next event leaves the list; `None` without events."""
    changes = [latest_end(event) for event in events]
    changes += [earliest_start(event) for event in events if event.status.currentStatus == Status.SCHEDULED]
    return min(changes, default=None)


def active(events: Events) -> Events:
    """The events in force."""
    return tuple(event for event in events if event.status.currentStatus == Status.ACTIVE)


def _step(events: Events, due: int) -> Events:
    events = tuple(event for event in events if latest_end(event) > due)
    for event in events:
        if event.status.currentStatus == Status.SCHEDULED and earliest_start(event) <= due:
            events = _activate(events, event, max(due, event.creationTime))
    return events


def _activate(events: Events, newer: DERControl, at: int) -> Events:
    """Bring one event into force and supersede the older ones that drive exactly the same modes at the same time."""
    position = next(i for i, event in enumerate(events) if event.mRID == newer.mRID)
    if events[position].status.currentStatus != Status.SCHEDULED:
        return events
    changed = list(events)
    changed[position] = _with(newer, Status.ACTIVE, at)
    for i, event in enumerate(events[:position]):
        if is_live(event) and _overlap(event, newer) and _same(event, newer):
            changed[i] = _with(event, Status.SUPERSEDED, at)
    return tuple(changed)


def _flag(events: Events, now: int) -> Events:
    """Keep `potentiallySuperseded` true exactly while a newer live event shares time and modes."""
    threatened = _threatened(events)
    changed = list(events)
    for i, event in enumerate(events):
        if is_live(event) and (i in threatened) != event.status.potentiallySuperseded:
            status = replace(
                event.status,
                potentiallySuperseded=i in threatened,
                potentiallySupersededTime=now if i in threatened else None,
            )
            changed[i] = replace(event, status=status, version=_next(event.version))
    return tuple(changed)


def _threatened(events: Events) -> frozenset[int]:
    """Positions of live events that share time and modes with a newer live one; compares neighbours in time only."""
    live = sorted((earliest_start(event), latest_end(event), i) for i, event in enumerate(events) if is_live(event))
    found = set()
    for place, (_, end, one) in enumerate(live):
        for start, _, other in live[place + 1 :]:
            if start >= end:
                break
            if modes(events[one].base) & modes(events[other].base):
                found.add(min(one, other))
    return frozenset(found)


def _cancelled(event: DERControl, now: int) -> DERControl:
    randomized = bool(event.randomizeStart or event.randomizeDuration)
    return _with(event, Status.CANCELLED_RANDOMIZED if randomized else Status.CANCELLED, now)


def _with(event: DERControl, status: Status, at: int) -> DERControl:
    changed = replace(event.status, currentStatus=int(status), dateTime=at)
    return replace(event, status=changed, version=_next(event.version))


def _next(version: int | None) -> int:
    return ((version or 0) + 1) % 65_536


def _overlap(one: DERControl, other: DERControl) -> bool:
    return earliest_start(one) < latest_end(other) and earliest_start(other) < latest_end(one)


def _same(one: DERControl, other: DERControl) -> bool:
    return modes(one.base) == modes(other.base) and one.deviceCategory == other.deviceCategory
