"""What holds while the engine gives no answer: the last envelopes, a little tighter, then the static limits.

Nothing is loosened on this ladder, and the first good answer leaves it.
"""

from gateway.coordination.book import LimitRecord
from gateway.coordination.messages import LimitIssue, Message, Supporting
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Controllable, Resource
from grid_engine.results import Reason
from protocols.signals import Bounds

SHRUNK = "ENGINE_FAILURE_SHRUNK"
STATIC = "ENGINE_FAILURE_STATIC"
"""Constraint ids of limits that come from this ladder."""


def limits_without_engine(at: Situation) -> tuple[Message, ...]:
    """The limits to issue in a cycle whose study failed."""
    found = []
    for resource in at.zone.resources.values():
        if resource.controllable is Controllable.NONE:
            continue
        held = at.book.limit_at(resource.id, at.now_s)
        if held is None or held.limit.constraint_id == STATIC:
            message = None if held is not None and not _ending(at, held) else _static(at, resource)
        else:
            message = _shrunk(at, held)
        if message is not None:
            found.append(message)
    return tuple(found)


def _ending(at: Situation, held: LimitRecord) -> bool:
    return held.limit.expires_s - at.now_s < at.zone.clocks.interval_s


def _shrunk(at: Situation, held: LimitRecord) -> Message | None:
    """The limit in force tightened once, with its old expiry: without a good answer it must run out."""
    limit = held.limit
    if limit.constraint_id == SHRUNK:
        return None
    margin = at.zone.limits.failure_shrink_pct / 100.0
    ceiling_w = limit.ceiling_w - margin * abs(limit.ceiling_w)
    floor_w = limit.floor_w + margin * abs(limit.floor_w)
    if floor_w > ceiling_w:
        floor_w = ceiling_w = min(max(0.0, limit.floor_w), limit.ceiling_w)
    return _issue(at, limit.resource, Bounds(floor_w, ceiling_w), SHRUNK, limit.expires_s)


def _static(at: Situation, resource: Resource) -> Message | None:
    """The envelope of last resort, once the limit has run out or would have done so."""
    since_s, lapsed = at.book.last_solved_s, at.book.lapsed(resource.id, at.now_s)
    late = since_s is not None and at.now_s >= since_s + at.zone.clocks.limit_expiry_s
    if resource.static.is_open or not (late or lapsed is not None):
        return None
    floor_w = resource.floor_w if resource.static.floor_w is None else resource.static.floor_w
    ceiling_w = resource.ceiling_w if resource.static.ceiling_w is None else resource.static.ceiling_w
    tightest = at.book.tightest.get(resource.id)
    if tightest is not None:
        ceiling_w = min(ceiling_w, resource.ceiling_w if tightest.ceiling_w is None else tightest.ceiling_w)
        floor_w = max(floor_w, resource.floor_w if tightest.floor_w is None else tightest.floor_w)
    expires_s = at.now_s + at.zone.clocks.limit_expiry_s
    return _issue(at, resource.id, Bounds(min(floor_w, ceiling_w), ceiling_w), STATIC, expires_s)


def _issue(at: Situation, resource_id: str, bounds: Bounds, constraint_id: str, expires_s: float) -> Message:
    resource = at.zone.resources[resource_id]
    version = at.book.limit_versions.get(resource_id, 0) + 1
    limit = LimitIssue(
        limit_id=f"{at.zone.id}-{resource_id}-{version}",
        version=version,
        resource=resource_id,
        start_s=at.now_s,
        end_s=expires_s,
        ceiling_w=resource.ceiling_w if bounds.ceiling_w is None else bounds.ceiling_w,
        floor_w=resource.floor_w if bounds.floor_w is None else bounds.floor_w,
        reason=Reason.OUTAGE,
        constraint_id=constraint_id,
        expires_s=expires_s,
        supporting=Supporting(0.0, 0.0, at.zone.model_version, at.cycle_id),
    )
    return at.message(resource.owner, limit.limit_id, limit)
