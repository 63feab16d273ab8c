"""What each device should be told now: box and set point as a leased control, refreshed, re-asserted or released.

Reconciles what should hold with what was last sent; the same call serves the cycle, a link that
came back and the first seconds after a restart.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeGuard

from gateway.coordination.book import Book
from gateway.coordination.book_records import ControlRecord
from gateway.coordination.precedence import GRACE_S, Box, Target, box, commanded
from gateway.coordination.situation import Situation
from gateway.coordination.timekeeping import OURS
from gateway.coordination.zone import Controllable, Resource
from protocols.signals import Bounds, Control, GridSwitch, Instruction, LinkState, Outcome, Release

RETRY_S = 30.0
"""How long an instruction that was refused rests before it is tried once more."""
FIRST_PAUSE_S = 1.0
"""What did not reach a device is told again at once, then after this, then after twice as long each time."""
GAIN_S = 1.0
"""A refresh that prolongs a lease by less is not worth a write."""

REACHABLE = frozenset({LinkState.ONLINE, LinkState.DEGRADED})


def due(at: Situation, reassert: frozenset[str] = frozenset()) -> tuple[tuple[Instruction, str], ...]:
    """Instructions to send now, each with the id of the limit, emergency or order behind it.

    Args:
        reassert: resources whose link has just come up; what holds for them is sent again whatever
            was sent before.
    """
    found: list[tuple[Instruction, str]] = []
    for resource in at.zone.resources.values():
        if resource.controllable is Controllable.NONE or at.snapshot.link(resource.id) not in REACHABLE:
            continue
        found.extend(_due(at, resource, reassert=resource.id in reassert))
    return tuple(found)


def _due(at: Situation, resource: Resource, *, reassert: bool) -> Iterator[tuple[Instruction, str]]:
    within, wanted_at = box(at, resource.id, at.now_s), commanded(at, resource)
    held = at.book.controls.get(resource.id)
    if (within is None or not within.urgent) and at.book.lapsed(resource.id, at.now_s) is not None:
        if held is None or not held.disconnected:
            return  # it was not cleared: the lease runs out and the device falls back, it is not set free
        within = Box(resource.static, "", at.now_s + resource.lease_s)  # on the grid again, and no more than that
    if within is None and wanted_at is None:
        set_free = held is not None and _needs_release(held, at.now_s, reassert=reassert)
        if held is not None and set_free and OURS not in at.doubtful:
            yield _release(at.book, held, resource), ""
        return
    wanted = _control(within, wanted_at, held, resource, at.now_s)
    if wanted.urgent and _shuts(wanted.limit, resource) and not _is_load(at, resource):
        wanted = replace(wanted, grid_switch=GridSwitch.OPEN)
    if {resource.id, OURS} & at.doubtful:
        wanted = _careful(held, wanted)
        if held is None and wanted.limit.is_open:
            return
    ref = within.ref if within is not None else wanted_at.ref if wanted_at is not None else ""
    if held is None or not _same(held.instruction, wanted):
        yield wanted, ref
    elif reassert or _refresh_due(held, wanted, resource, at.now_s):
        yield replace(held.instruction, expiry_s=wanted.expiry_s, grid_switch=wanted.grid_switch), ref


def _control(
    within: Box | None, wanted: Target | None, held: ControlRecord | None, resource: Resource, now_s: float
) -> Control:
    version = 1 if held is None else held.instruction.version + 1
    # A set point that outlives its interval by a little does no harm inside a box, a gap between two would.
    ends_s = within.until_s if within is not None else (now_s if wanted is None else wanted.until_s + GRACE_S)
    bounds = Bounds() if within is None else within.bounds
    target_w = None if wanted is None else bounds.clamp(min(max(wanted.power_w, resource.floor_w), resource.ceiling_w))
    return Control(
        control_id=f"{resource.id}-c{version}",
        resource=resource.id,
        version=version,
        start_s=now_s,
        expiry_s=max(min(now_s + resource.lease_s, ends_s), now_s + 1.0),
        limit=_enforceable(bounds, resource),
        target_w=target_w,
        fallback=resource.static,
        urgent=within is not None and within.urgent,
        grid_switch=_closing(held),
    )


def _shuts(bounds: Bounds, resource: Resource) -> bool:
    """True where a box leaves no power but none."""
    floor_w = resource.floor_w if bounds.floor_w is None else max(bounds.floor_w, resource.floor_w)
    ceiling_w = resource.ceiling_w if bounds.ceiling_w is None else min(bounds.ceiling_w, resource.ceiling_w)
    return ceiling_w <= 0 <= floor_w


def _is_load(at: Situation, resource: Resource) -> bool:
    """A load's power is how far it has been reduced: no power is no reduction, and off the grid is something else."""
    agreement = at.zone.agreements.get(resource.id)
    return agreement is not None and agreement.kind == "load"


def _closing(held: ControlRecord | None) -> GridSwitch:
    """What we took off the grid comes back with the next instruction that asks for anything else; no other does."""
    return GridSwitch.CLOSE if held is not None and held.disconnected else GridSwitch.LEAVE


def _careful(held: ControlRecord | None, wanted: Control) -> Control:
    """What may be told where a clock cannot be trusted: nothing looser, and no other set point."""
    if wanted.urgent:
        return wanted
    before = None if held is None else held.instruction
    if not isinstance(before, Control):
        return replace(wanted, target_w=None)
    floors = [w for w in (before.limit.floor_w, wanted.limit.floor_w) if w is not None]
    ceilings = [w for w in (before.limit.ceiling_w, wanted.limit.ceiling_w) if w is not None]
    floor_w, ceiling_w = max(floors, default=None), min(ceilings, default=None)
    apart = floor_w is not None and ceiling_w is not None and floor_w > ceiling_w
    limit = wanted.limit if apart else Bounds(floor_w, ceiling_w)
    target_w = None if before.target_w is None else limit.clamp(before.target_w)
    return replace(wanted, limit=limit, target_w=target_w, urgent=before.urgent, grid_switch=before.grid_switch)


def _enforceable(bounds: Bounds, resource: Resource) -> Bounds:
    """The sides of a box that actually bind; a side at the resource's own capability is left open."""
    floor_w, ceiling_w = bounds.floor_w, bounds.ceiling_w
    if floor_w is not None and floor_w <= resource.floor_w:
        floor_w = None
    if ceiling_w is not None and ceiling_w >= resource.ceiling_w:
        ceiling_w = None
    return Bounds(floor_w, ceiling_w)


def _same(sent: Instruction, wanted: Control) -> TypeGuard[Control]:
    return (
        isinstance(sent, Control)
        and sent.limit == wanted.limit
        and sent.target_w == wanted.target_w
        and sent.fallback == wanted.fallback
        and sent.urgent == wanted.urgent
        and (sent.grid_switch is GridSwitch.OPEN) == (wanted.grid_switch is GridSwitch.OPEN)
    )


def _refresh_due(held: ControlRecord, wanted: Control, resource: Resource, now_s: float) -> bool:
    """True at half-life of the lease that the device has acknowledged, where a refresh would prolong it."""
    age_s = now_s - held.issued_s
    if held.outcome in (Outcome.REJECTED, Outcome.UNDELIVERED):
        return age_s >= RETRY_S or _to_be_told_again(held, now_s)
    if held.outcome is Outcome.UNKNOWN:
        return age_s >= resource.lease_s / 2  # first it is read back
    ends_s = _leased_until_s(held)
    half_over = ends_s - now_s <= resource.lease_s / 2
    rested = age_s >= min(RETRY_S, resource.lease_s / 4)
    return half_over and rested and wanted.expiry_s >= ends_s + GAIN_S


def _leased_until_s(held: ControlRecord) -> float:
    """End of the lease that the device is known to hold, or was given where it has not answered yet."""
    given_s = held.instruction.expiry_s if isinstance(held.instruction, Control) else held.issued_s
    return given_s if held.leased_until_s is None else held.leased_until_s


def _needs_release(held: ControlRecord, now_s: float, *, reassert: bool) -> bool:
    if isinstance(held.instruction, Control):
        return True
    if held.outcome in (Outcome.REJECTED, Outcome.UNDELIVERED) and now_s - held.issued_s >= RETRY_S:
        return True
    if reassert:
        return held.outcome in (None, Outcome.UNKNOWN, Outcome.REJECTED, Outcome.UNDELIVERED)
    return _to_be_told_again(held, now_s)


def _to_be_told_again(held: ControlRecord, now_s: float) -> bool:
    """True where it has not reached the device, and has rested the longer the more often that happened."""
    if held.missed_s is None:
        return False
    pause_s = 0.0 if held.missed <= 1 else min(FIRST_PAUSE_S * 2.0 ** min(held.missed - 2, 32), RETRY_S)
    return now_s - held.missed_s >= pause_s


def _release(book: Book, held: ControlRecord, resource: Resource) -> Release:
    if isinstance(held.instruction, Release):
        return held.instruction
    version = held.instruction.version + 1
    baseline = book.baselines.get(resource.id)
    values = {} if baseline is None else baseline.values
    return Release(f"{resource.id}-c{version}", resource.id, version, values, _closing(held))
