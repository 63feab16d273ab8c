"""From the engine's answer to messages: which limits to issue, change or clear, and whom to tell.

Tightening is immediate; loosening waits until the headroom has lasted. What a limit means for the
device's registers follows in `controls`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from gateway.coordination import host
from gateway.coordination.book_records import LimitRecord
from gateway.coordination.messages import LimitClear, LimitIssue, Message, Supporting
from gateway.coordination.situation import Situation
from gateway.coordination.study import reported, standing
from gateway.coordination.topology import changed_between
from grid_engine.results import Answer, Binding, Envelope, Reason, Status

SAME_W = 1.0
"""Two limits closer than this are the same limit."""
LAG_S = 60.0
"""So late may the field show what was switched."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a cycle concludes from one answer."""

    messages: tuple[Message, ...] = ()
    headroom: tuple[str, ...] = ()
    """Resources whose limit could be loosened by at least the release step."""


def limits_now(at: Situation, answer: Answer) -> Verdict:
    """Limits for the interval that runs now, from an `IMPACT` answer, for the resources that it speaks of."""
    if answer.status is not Status.SOLVED:
        return Verdict()
    envelopes = {e.resource: e for e in answer.envelopes if e.interval == 0}
    messages: list[Message] = []
    headroom: list[str] = []
    for resource in at.zone.resources.values():
        if resource.id in answer.unanswered:
            continue
        record = at.book.limit_at(resource.id, at.now_s) or at.book.lapsed(resource.id, at.now_s)
        envelope = envelopes.get(resource.id)
        if record is None:
            if envelope is not None:
                messages.append(_issue(at, envelope))
        elif not standing(at, resource).trusted:
            # Nothing is loosened towards a device that is not heard or does not obey.
            if _ending(at, record.limit):
                messages.append(_extended(at, record.limit))
        else:
            verdict = _change(at, record, envelope)
            messages.extend(verdict.messages)
            headroom.extend(verdict.headroom)
    return Verdict(tuple(messages), tuple(headroom))


def _change(at: Situation, record: LimitRecord, envelope: Envelope | None) -> Verdict:
    """Keep, tighten, extend, loosen or clear a limit that is in force, or that ran out uncleared."""
    held = record.limit
    if envelope is not None:
        if envelope.ceiling_w < held.ceiling_w - SAME_W or envelope.floor_w > held.floor_w + SAME_W:
            return Verdict((_issue(at, envelope),))
        gain_w = max(envelope.ceiling_w - held.ceiling_w, held.floor_w - envelope.floor_w)
        if gain_w < at.zone.limits.release_w:
            return Verdict((_issue(at, envelope),)) if _ending(at, held) else Verdict()
    if not (
        (_headroom_lasted(at, held.resource) and not _stands(at, record))
        or _outage_seen(at, record)
        or _operated(at, record)
        or _switched(at, record)
    ):
        return Verdict((_extended(at, held),) if _ending(at, held) else (), headroom=(held.resource,))
    return Verdict((_clear(at, held) if envelope is None else _issue(at, envelope),))


def _headroom_lasted(at: Situation, resource: str) -> bool:
    """True where a limit may be loosened: the headroom has lasted, and it is the first time in this interval."""
    since_s, relaxed_s = at.book.headroom_since_s.get(resource), at.book.relaxed_s.get(resource)
    if since_s is None or at.now_s - since_s < at.zone.limits.release_s:
        return False
    return relaxed_s is None or relaxed_s < at.zone.clocks.interval_start(at.now_s)


def _ending(at: Situation, held: LimitIssue) -> bool:
    return held.expires_s - at.now_s < at.zone.clocks.interval_s


def _extended(at: Situation, held: LimitIssue) -> Message:
    """The same limit under a new version, for as long again."""
    version = at.book.limit_versions.get(held.resource, 0) + 1
    limit_id = f"{at.zone.id}-{held.resource}-{version}"
    clocks = at.zone.clocks
    limit = replace(
        held,
        limit_id=limit_id,
        version=version,
        start_s=at.now_s,
        end_s=clocks.interval_start(at.now_s) + clocks.interval_s,
        expires_s=at.now_s + clocks.limit_expiry_s,
    )
    return _to_owner(at, limit)


def _outage_seen(at: Situation, record: LimitRecord) -> bool:
    """True where telemetry confirms an outage that began under this limit: its room is given away at once."""
    for outage in at.book.outages.values():
        resource, power_w = at.zone.resources.get(outage.resource), at.snapshot.power_w(outage.resource)
        if resource is None or power_w is None or not outage.start_s <= at.now_s < outage.end_s:
            continue
        if record.sent_s > outage.start_s:
            continue  # this limit was set with the outage in view
        if power_w <= outage.available_w + resource.verify_band_w:
            return True
    return False


def _operated(at: Situation, record: LimitRecord) -> bool:
    """True where the network was operated since, and the field has shown it: what that gained is given at once."""
    plan = at.book.operating.newest
    return plan is not None and plan.done_s is not None and plan.done_s >= record.sent_s


def _switched(at: Situation, record: LimitRecord) -> bool:
    """True where planned work has begun or ended since, and the field shows it: its room is given away at once."""
    topology = at.book.topology
    # What was issued just after the change may rest on a report of the time before it.
    since_s = record.limit.start_s if _published_ahead(record) else record.sent_s - LAG_S
    return bool(topology.works) and changed_between(topology, reported(at), since_s, at.now_s)


def _published_ahead(record: LimitRecord) -> bool:
    return record.sent_s < record.limit.start_s


def _stands(at: Situation, record: LimitRecord) -> bool:
    """True for an envelope that was published for this interval: whoever keeps within it needs no other."""
    return _published_ahead(record) and at.now_s < record.limit.end_s


def limits_ahead(at: Situation, answer: Answer, starts_s: tuple[float, ...]) -> tuple[Message, ...]:
    """Limits for the intervals that start at `starts_s`, from an `ENVELOPE` answer: where the network binds."""
    if answer.status is not Status.SOLVED:
        return ()
    return tuple(_ahead(at, answer, starts_s))


def _ahead(at: Situation, answer: Answer, starts_s: tuple[float, ...]) -> Iterator[Message]:
    versions = dict(at.book.limit_versions)
    told: dict[str, LimitIssue] = {}
    for envelope in answer.envelopes:
        start_s = starts_s[envelope.interval]
        record = at.book.limit_at(envelope.resource, start_s)
        published = None if record is None else record.limit
        if published is None or published.start_s < start_s:
            published = told.get(envelope.resource, published)
        if envelope.binding is None and not _freed(at, envelope.resource, start_s, told):
            continue
        told_already = published is not None and (published.start_s == start_s or envelope.binding is None)
        if published is not None and told_already and _same(published, envelope):
            continue
        versions[envelope.resource] = versions.get(envelope.resource, 0) + 1
        window = (start_s, start_s + at.zone.clocks.interval_s)
        told[envelope.resource] = _limit(at, envelope, versions[envelope.resource], window, published)
        yield _to_owner(at, told[envelope.resource])


def _freed(at: Situation, resource: str, start_s: float, told: Mapping[str, LimitIssue]) -> bool:
    """Whether a limit would hold on into an interval in which nothing binds, so that this has to be said.

    An envelope published ahead ends with its interval; one that was set for now is loosened when its headroom has
    lasted, unless planned work ends what it is for.
    """
    record = at.book.limit_at(resource, start_s)
    if resource in told or (record is not None and _published_ahead(record)):
        return True
    if record is None:
        record = at.book.limit_at(resource, max(start_s - at.zone.clocks.interval_s, at.now_s))
    if record is None or not at.book.topology.works:
        return False
    return any(record.limit.start_s < b <= start_s for b in at.book.topology.boundaries())


def _same(limit: LimitIssue, envelope: Envelope) -> bool:
    return abs(limit.ceiling_w - envelope.ceiling_w) < SAME_W and abs(limit.floor_w - envelope.floor_w) < SAME_W


def _issue(at: Situation, envelope: Envelope) -> Message:
    """A limit from now to the end of the interval, or for the whole of the dispatch that caused it."""
    version = at.book.limit_versions.get(envelope.resource, 0) + 1
    clocks = at.zone.clocks
    window = (at.now_s, clocks.interval_start(at.now_s) + clocks.interval_s)
    dispatch = at.book.dispatch_at(envelope.resource, at.now_s)
    if dispatch is not None and at.now_s < dispatch.end_s:
        window = (dispatch.start_s, dispatch.end_s)
    return _to_owner(at, _limit(at, envelope, version, window))


def _limit(
    at: Situation, envelope: Envelope, version: int, window: tuple[float, float], ended: LimitIssue | None = None
) -> LimitIssue:
    """A limit as the engine found it; where nothing binds, it names what bound in the one that it ends."""
    resource = at.zone.resources[envelope.resource]
    binding = envelope.binding
    if binding is not None:
        reason, constraint_id = host.named(at, binding)
    else:
        reason, constraint_id = (Reason.PREEXISTING, "") if ended is None else (ended.reason, ended.constraint_id)
    return LimitIssue(
        limit_id=f"{at.zone.id}-{resource.id}-{version}",
        version=version,
        resource=resource.id,
        start_s=window[0],
        end_s=window[1],
        ceiling_w=envelope.ceiling_w,
        floor_w=envelope.floor_w,
        reason=reason,
        constraint_id=constraint_id,
        expires_s=max(window[0], at.now_s) + at.zone.clocks.limit_expiry_s,
        supporting=_supporting(at, binding),
    )


def _to_owner(at: Situation, limit: LimitIssue) -> Message:
    return at.message(at.zone.resources[limit.resource].owner, limit.limit_id, limit)


def _supporting(at: Situation, binding: Binding | None) -> Supporting:
    if binding is None or binding.limit == 0:
        return Supporting(0.0, 0.0, at.zone.model_version, at.cycle_id)
    scale = 100.0 if binding.unit == "pu" else 100.0 / binding.limit
    return Supporting(
        loading_before_pct=binding.value_before * scale,
        loading_after_pct=binding.value_after * scale,
        model_version=at.zone.model_version,
        cycle_id=at.cycle_id,
        case=binding.case,
        phase=binding.phase,
    )


def _clear(at: Situation, limit: LimitIssue) -> Message:
    owner = at.zone.resources[limit.resource].owner
    return at.message(owner, limit.limit_id, LimitClear(limit.limit_id, limit.version, limit.resource))
