"""The life of the events of one program, as pure functions of the events and the time.

A program's events are a tuple, the newest last. Only the EventStatus of an event ever changes: its
interval and its modes are never edited, a change is a new event. What stands here is what both editions
need: `listed` tells what a client of one of them sees. A status once reached is never taken back, also not
by a clock that has been set back: clients have acted on it.
"""

from collections.abc import Iterable
from dataclasses import fields, replace
from enum import IntEnum
from functools import lru_cache

from ieee2030_5.resources import DERControl, DERControlBase, EventStatus
from ieee2030_5.settings import Edition

Events = tuple[DERControl, ...]
LINGER_S = 900
"""How long an event that has run to its end is still shown to clients of 2023, which know the status
Completed: the poll rate that the schema assumes, so that whoever polls sees it once.
"""


class Status(IntEnum):
    """EventStatus.currentStatus."""

    SCHEDULED = 0
    ACTIVE = 1
    CANCELLED = 2
    CANCELLED_RANDOMIZED = 3
    SUPERSEDED = 4
    """2018 only: the 2023 edition leaves it to its clients to see which event is newer."""
    COMPLETED = 5
    """2023 only: in the 2018 edition an event leaves the list at its end."""


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
    status = EventStatus(currentStatus=Status.SCHEDULED, dateTime=now, potentiallySuperseded=False)
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
    """When the next status changes or the next event is forgotten; `None` without events."""
    changes = [
        _forgotten(event) if event.status.currentStatus == Status.COMPLETED else latest_end(event) for event in events
    ]
    changes += [earliest_start(event) for event in events if event.status.currentStatus == Status.SCHEDULED]
    return min(changes, default=None)


def listed(events: Events, edition: Edition, now: int) -> Events:
    """The events as a client of this edition is to see them."""
    if edition is Edition.S1:
        return tuple(event for event in events if event.status.currentStatus != Status.COMPLETED)
    return tuple(_as_2023(event, now) for event in events)


def active(events: Events) -> Events:
    """The events in force."""
    return tuple(event for event in events if event.status.currentStatus == Status.ACTIVE)


def _as_2023(event: DERControl, now: int) -> DERControl:
    """Without the status Superseded; both elements about superseding are deprecated, and one of them required."""
    status = replace(event.status, potentiallySuperseded=True, potentiallySupersededTime=None)
    if status.currentStatus == Status.SUPERSEDED:
        begun, start = earliest_start(event) <= now, earliest_start(event)
        status = replace(
            status,
            currentStatus=int(Status.ACTIVE if begun else Status.SCHEDULED),
            dateTime=max(start, event.creationTime) if begun else event.creationTime,
        )
    return replace(event, status=status)


def _forgotten(event: DERControl) -> int:
    return latest_end(event) + LINGER_S


def _step(events: Events, due: int) -> Events:
    events = tuple(_ended(event) if latest_end(event) <= due else event for event in events if not _is_over(event, due))
    for event in events:
        if event.status.currentStatus == Status.SCHEDULED and earliest_start(event) <= due:
            events = _activate(events, event, max(due, event.status.dateTime))
    return events


def _is_over(event: DERControl, due: int) -> bool:
    """True where nobody is shown the event any more."""
    cancelled = event.status.currentStatus in (Status.CANCELLED, Status.CANCELLED_RANDOMIZED)
    return _forgotten(event) <= due or (cancelled and latest_end(event) <= due)


def _ended(event: DERControl) -> DERControl:
    """An event that was not cancelled is completed at its latest end."""
    return (
        event if event.status.currentStatus == Status.COMPLETED else _with(event, Status.COMPLETED, latest_end(event))
    )


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
            if _meet(events[one], events[other]):
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


def _meet(one: DERControl, other: DERControl) -> bool:
    """Share a mode and, where both name the device categories that they are for, a category."""
    if not modes(one.base) & modes(other.base):
        return False
    return None in (one.deviceCategory, other.deviceCategory) or bool(
        int(one.deviceCategory or "0", 16) & int(other.deviceCategory or "0", 16)
    )


def _same(one: DERControl, other: DERControl) -> bool:
    return modes(one.base) == modes(other.base) and one.deviceCategory == other.deviceCategory
