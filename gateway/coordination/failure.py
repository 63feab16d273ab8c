"""What holds while the engine gives no answer: the last envelopes tightened, equal shares, then static limits.

Equal shares come from the engine where it could at least find these. Nothing is loosened on this ladder,
and the first good answer leaves it.
"""

from gateway.coordination.book_records import LimitRecord
from gateway.coordination.messages import LimitIssue, Message, Supporting
from gateway.coordination.situation import Situation
from gateway.coordination.zone import Controllable, Resource
from grid_engine.results import Answer, Reason, Status
from protocols.signals import Bounds

SHRUNK = "ENGINE_FAILURE_SHRUNK"
EQUAL = "ENGINE_FAILURE_EQUAL_SHARE"
STATIC = "ENGINE_FAILURE_STATIC"
"""Constraint ids of limits that come from this ladder."""

_LAST = (EQUAL, STATIC)
"""What stands until the engine answers again, renewed before it runs out."""


def unanswered(at: Situation, answer: Answer) -> frozenset[str]:
    """Resources that `answer` says nothing about: those of failed feeders, or all where no study was solved."""
    return frozenset(answer.unanswered if answer.status is Status.SOLVED else at.zone.resources)


def limits_without_engine(at: Situation, answer: Answer) -> tuple[Message, ...]:
    """The limits to issue for the resources that a study failed for."""
    spare = {e.resource: Bounds(e.floor_w, e.ceiling_w) for e in answer.spare if e.interval == 0}
    found = []
    for name in sorted(unanswered(at, answer)):
        resource = at.zone.resources[name]
        if resource.controllable is Controllable.NONE:
            continue
        held = at.book.limit_at(name, at.now_s)
        if held is None or held.limit.constraint_id in _LAST:
            message = None if held is not None and not _ending(at, held) else _last(at, resource, spare.get(name))
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


def _last(at: Situation, resource: Resource, spare: Bounds | None) -> Message | None:
    """The envelope of last resort, once the limit has run out or would have done so."""
    since_s, lapsed = at.book.answered_s(resource.id), at.book.lapsed(resource.id, at.now_s)
    late = since_s is not None and at.now_s >= since_s + at.zone.clocks.limit_expiry_s
    own = resource.static if spare is None else spare
    if own.is_open or not (late or lapsed is not None or _unchecked(at, resource, since_s)):
        return None
    floor_w = resource.floor_w if own.floor_w is None else own.floor_w
    ceiling_w = resource.ceiling_w if own.ceiling_w is None else own.ceiling_w
    tightest = at.book.tightest.get(resource.id)
    if tightest is not None:
        ceiling_w = min(ceiling_w, resource.ceiling_w if tightest.ceiling_w is None else tightest.ceiling_w)
        floor_w = max(floor_w, resource.floor_w if tightest.floor_w is None else tightest.floor_w)
    expires_s = at.now_s + at.zone.clocks.limit_expiry_s
    rung = STATIC if spare is None else EQUAL
    return _issue(at, resource.id, Bounds(min(floor_w, ceiling_w), ceiling_w), rung, expires_s)


def _unchecked(at: Situation, resource: Resource, answered_s: float | None) -> bool:
    """Whether it was asked for something since the last good answer, and the time to look at that is over."""
    dispatch = at.book.dispatch_at(resource.id, at.now_s)
    if dispatch is None or answered_s is None or at.now_s >= dispatch.end_s:
        return False
    asked = at.book.accounts.asked.get(f"{dispatch.dispatch_id}:{dispatch.version}")
    come_s = dispatch.start_s if asked is None else max(dispatch.start_s, asked.sent_s)
    return answered_s < come_s <= at.now_s - at.zone.clocks.impact_check_s


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
