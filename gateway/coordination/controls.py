"""What each device should be told now: the limit in force as a leased control, refreshed, re-asserted or released.

An operator's instruction holds within the limit. Reconciles what should hold with what was last sent; the
same call serves the cycle, a link that came back and the first seconds after a restart.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeGuard

from gateway.coordination.book import Book, ControlRecord, LimitRecord
from gateway.coordination.operator import OperatorInstruction, within
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Controllable, Resource
from protocols.signals import Bounds, Control, Instruction, LinkState, Outcome, Release

RETRY_S = 30.0
"""How long an instruction that was refused rests before it is tried once more."""
GAIN_S = 1.0
"""A refresh that prolongs a lease by less is not worth a write."""

REACHABLE = frozenset({LinkState.ONLINE, LinkState.DEGRADED})


def due(at: Situation, reassert: frozenset[str] = frozenset()) -> tuple[tuple[Instruction, str], ...]:
    """Instructions to send now, each with the id of the limit or operator's instruction behind it.

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
    limit = at.book.limit_at(resource.id, at.now_s)
    asked = at.book.operator_at(resource.id, at.now_s)
    held = at.book.controls.get(resource.id)
    if limit is None and at.book.lapsed(resource.id, at.now_s) is not None:
        return  # it was not cleared: the lease runs out and the device falls back, it is not set free
    cause = limit.limit.limit_id if limit is not None else "" if asked is None else asked.instruction_id
    if not cause:
        if held is not None and _needs_release(held, at.now_s, reassert=reassert):
            yield _release(at.book, held, resource), ""
        return
    wanted = _control(limit, asked, held, resource, at.now_s)
    if held is None or not _same(held.instruction, wanted):
        yield wanted, cause
    elif reassert or _refresh_due(held, wanted, resource, at.now_s):
        yield replace(held.instruction, expiry_s=wanted.expiry_s), cause


def _control(
    limit: LimitRecord | None,
    asked: OperatorInstruction | None,
    held: ControlRecord | None,
    resource: Resource,
    now_s: float,
) -> Control:
    """What is asked, within the limit; one of the two at least is there."""
    version = 1 if held is None else held.instruction.version + 1
    bounds, target_w, ends_s = Bounds(), None, now_s
    if limit is not None:
        bounds = limit.bounds
    if asked is not None:
        bounds, ends_s = within(bounds, asked.limit), asked.expires_s
        if asked.target_w is not None:
            target_w = bounds.clamp(min(max(asked.target_w, resource.floor_w), resource.ceiling_w))
    if limit is not None:
        ends_s = limit.limit.expires_s  # no limit opens because an instruction inside it ends
    return Control(
        control_id=f"{resource.id}-c{version}",
        resource=resource.id,
        version=version,
        start_s=now_s,
        expiry_s=max(min(now_s + resource.lease_s, ends_s), now_s + 1.0),
        limit=_enforceable(bounds, resource),
        target_w=target_w,
        fallback=resource.static,
    )


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
    )


def _refresh_due(held: ControlRecord, wanted: Control, resource: Resource, now_s: float) -> bool:
    """True at half-life of the lease that the device has acknowledged, where a refresh would prolong it."""
    age_s = now_s - held.issued_s
    if held.outcome is Outcome.REJECTED:
        return age_s >= RETRY_S
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
    if held.outcome is Outcome.REJECTED and now_s - held.issued_s >= RETRY_S:
        return True
    return reassert and held.outcome in (None, Outcome.UNKNOWN, Outcome.REJECTED)


def _release(book: Book, held: ControlRecord, resource: Resource) -> Release:
    if isinstance(held.instruction, Release):
        return held.instruction
    version = held.instruction.version + 1
    baseline = book.baselines.get(resource.id)
    values = {} if baseline is None else baseline.values
    return Release(f"{resource.id}-c{version}", resource.id, version, values)
