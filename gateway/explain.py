"""Everything the journal knows about one control: what was seen, decided, said, written, read back and measured."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter

from gateway import record
from gateway.coordination.book import PROGRESS
from gateway.coordination.events import Answered, Decided, Instructed, IntervalClosed, Issued, Kept, Received, Sent
from gateway.coordination.messages import DispatchCopy, LimitClear, LimitIssue
from gateway.coordination.operation_messages import EmergencyClear, EmergencyControl, EmergencyDeclare
from gateway.historian import TelemetryReader
from gateway.journal.codec import Codec
from gateway.journal.entries import Kind
from gateway.journal.store import JournalReader
from gateway.record import JUDGED, Fact
from gateway.settlement.curtailment import Curtailment
from grid_engine.results import Binding
from protocols.points import Phase, Point, Quantity
from protocols.signals import Control, Instruction, LinkChanged, Outcome, Quality, Release

BEFORE_S = 2 * 3600.0
"""How far back from a decision its dispatches are looked for."""
AFTER_S = 3600.0
"""How long after a control parties may still speak of it."""


LEAD_S = 10.0
"""How long before a control its measurements begin."""
SEARCHED = 10_000
"""Controls among which that of a limit is looked for, the newest first."""
SAMPLES = 200
"""At most as many of one value are told."""

_MEASURED_AS = {"A": Quantity.CURRENT_A, "VA": Quantity.APPARENT_POWER_VA, "pu": Quantity.VOLTAGE_PU}


class UnknownControlError(Exception):
    """The journal has no such control; the message names the nearest."""


@dataclass(frozen=True, slots=True)
class Share:
    """What one resource wanted and what it was left, W, in the interval that the decision was about."""

    resource: str
    measured_w: float | None
    held_w: float
    """Where the study took it to stand."""
    requested_w: float
    floor_w: float | None
    """`None` with `ceiling_w`: the network did not limit it."""
    ceiling_w: float | None
    binding: Binding | None
    adjustable: bool


@dataclass(frozen=True, slots=True)
class Track:
    """How one measured value went while the control held."""

    point: str
    unit: str
    """`W`, `A`, `VA` or `pu`."""
    samples: tuple[tuple[float, float], ...]
    """Time of reception and value; the highest of each stretch where there are very many."""
    ceiling: float | None
    """What it may reach at most, in the unit."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One control from cause to effect."""

    control_id: str
    instruction: Instruction
    """As first issued."""
    outcome: Outcome | None
    """How far it has come; `None` before the device has answered."""
    lease_end_s: float | None
    """Of the last refresh; `None` for a release."""
    replaced_by: str
    """The next control or release of the resource while this one held; empty where there was none."""
    limit: LimitIssue | None
    """The limit that it enforces, or for a release the last one before."""
    decided: Decided | None
    """The cycle that set the limit, or cleared it."""
    shares: tuple[Share, ...]
    dispatches: tuple[DispatchCopy, ...]
    """Newest of each resource at the time of the decision."""
    timeline: tuple[Fact, ...]
    """What was said and done about it, by time."""
    tracks: tuple[Track, ...] = ()
    """Power of the resource and loading of the binding asset, as the historian has them."""
    curtailed: tuple[Curtailment, ...] = ()
    """What its limits took from the resource, by the records of the market intervals that are over."""


AS_JSON: Codec[Explanation] = Codec(Explanation)


def explain(journal: JournalReader, control_id: str, telemetry: TelemetryReader | None = None) -> Explanation:
    """Put together what led to a control, and what came of it.

    Raises:
        UnknownControlError: The journal has no such control.
        JournalError: The journal cannot be read.
        HistorianError: The telemetry cannot be read.
    """
    own = list(map(record.fact, journal.entries_for(control_id)))
    issued = [one for one in own if isinstance(one, Issued)]
    if not issued:
        behind = _enforcing(journal, control_id)
        if len(behind) == 1:
            return explain(journal, behind[0], telemetry)
        raise UnknownControlError(
            f"{control_id} is behind {', '.join(behind)}; ask for one of them"
            if behind
            else _unknown(journal, control_id)
        )
    first = issued[0]
    cleared = _last_clear(journal, first) if isinstance(first.instruction, Release) else None
    limit_id = first.limit_id or ("" if cleared is None else cleared.message.header.corr_id)
    said = [record.fact(one) for one in journal.entries_for(limit_id)] if limit_id else []
    limits = [one.message.body for one in said if isinstance(one, Sent) and isinstance(one.message.body, LimitIssue)]
    limit = limits[0] if limits else None
    decided = _decided(journal, _cause(first, limit, cleared))
    ends_s = issued[-1].instruction.expiry_s if isinstance(issued[-1].instruction, Control) else None
    until_s = (issued[-1].at_s if ends_s is None else ends_s) + AFTER_S
    next_one = _next(journal, first, until_s)
    if next_one is not None:
        until_s = next_one.at_s
    around = _around(journal, first, limit, until_s)
    told = [] if decided is None else list(shares(decided))
    return Explanation(
        control_id=control_id,
        instruction=first.instruction,
        outcome=_outcome(own),
        lease_end_s=ends_s,
        replaced_by="" if next_one is None else next_one.instruction.control_id,
        limit=limit,
        decided=decided,
        shares=tuple(told),
        dispatches=() if decided is None else _dispatches(journal, decided.at_s),
        timeline=tuple(sorted(_unique([*_of_concern(said, first), *own, *around]), key=record.time_of)),
        tracks=() if telemetry is None else tuple(_tracks(telemetry, first, told, (first.at_s - LEAD_S, until_s))),
        curtailed=tuple(_curtailed(journal, issued, until_s)),
    )


def shares(decided: Decided) -> Iterator[Share]:
    """Who wanted what, and what each was left."""
    envelopes = {one.resource: one for one in decided.answer.envelopes if one.interval == 0}
    for one in decided.study.participants:
        envelope = envelopes.get(one.resource)
        yield Share(
            resource=one.resource,
            measured_w=decided.measured_w.get(one.resource),
            held_w=one.held_w[0],
            requested_w=one.requested_w[0],
            floor_w=None if envelope is None else envelope.floor_w,
            ceiling_w=None if envelope is None else envelope.ceiling_w,
            binding=None if envelope is None else envelope.binding,
            adjustable=one.adjustable,
        )


def _outcome(own: list[Fact]) -> Outcome | None:
    """The last answer, but a verdict on the watts is not undone by the progress of a refresh."""
    found: Outcome | None = None
    for one in own:
        if isinstance(one, Answered) and not (found in JUDGED and one.ack.outcome in PROGRESS):
            found = one.ack.outcome
    return found


def _enforcing(journal: JournalReader, ref: str) -> list[str]:
    """The newest control of each resource that a limit, an emergency, an order or an instruction is behind."""
    found: dict[str, str] = {}
    for one in map(record.fact, journal.latest(Kind.ISSUED, SEARCHED)):
        if isinstance(one, Issued) and one.limit_id == ref:
            found.setdefault(one.instruction.resource, one.instruction.control_id)
    return sorted(found.values())


def _of_concern(said: list[Fact], first: Issued) -> Iterator[Fact]:
    """Of what was said about a limit or an emergency, what the resource and its owner were told."""
    mine = first.instruction.resource
    controls = [one for one in said if isinstance(one, Sent) and isinstance(one.message.body, EmergencyControl)]
    owners = {one.message.header.recipient for one in controls if one.message.resource == mine}
    for one in said:
        of_emergency = isinstance(one, Sent) and isinstance(one.message.body, EmergencyDeclare | EmergencyClear)
        if one in controls and isinstance(one, Sent) and one.message.resource != mine:
            continue
        if of_emergency and isinstance(one, Sent) and one.message.header.recipient not in owners:
            continue
        yield one


def _unknown(journal: JournalReader, control_id: str) -> str:
    near = [
        *journal.nearest_keys(Kind.ISSUED, control_id),
        *journal.nearest_keys(Kind.RELEASED, control_id),
    ]
    if near:
        advice = f"nearest: {', '.join(near)}"
    elif latest := journal.latest(Kind.ISSUED, 5):
        advice = f"the latest are {', '.join(dict.fromkeys(one.key for one in latest))}"
    else:
        advice = "it holds no control at all"
    return f"there is no control {control_id!r} in {journal.path}; {advice}"


def _cause(first: Issued, limit: LimitIssue | None, cleared: Sent | None) -> str:
    """The cycle that the control follows from."""
    if cleared is not None:
        return cleared.cycle_id
    return first.cycle_id or ("" if limit is None else limit.supporting.cycle_id)


def _decided(journal: JournalReader, cycle_id: str) -> Decided | None:
    found = map(record.fact, journal.entries_for(cycle_id) if cycle_id else ())
    return next((one for one in found if isinstance(one, Decided)), None)


def _last_clear(journal: JournalReader, release: Issued) -> Sent | None:
    """The message that ended the last limit before a release; `None` where the limit ran out."""
    entries = journal.entries_between(Kind.PARTY_OUT, release.at_s - BEFORE_S, release.at_s + 0.001)
    for one in map(record.fact, reversed(entries)):
        if isinstance(one, Sent) and getattr(one.message.body, "resource", "") == release.instruction.resource:
            return one if isinstance(one.message.body, LimitClear) else None
    return None


def _next(journal: JournalReader, first: Issued, until_s: float) -> Issued | None:
    """The next other instruction to the same resource."""
    found = [
        one
        for kind in (Kind.ISSUED, Kind.RELEASED)
        for one in map(record.fact, journal.entries_between(kind, first.at_s, until_s))
        if isinstance(one, Issued)
        and one.instruction.resource == first.instruction.resource
        and one.instruction.version > first.instruction.version
    ]
    return min(found, key=record.time_of, default=None)


def _dispatches(journal: JournalReader, at_s: float) -> tuple[DispatchCopy, ...]:
    newest: dict[str, DispatchCopy] = {}
    for one in map(record.fact, journal.entries_between(Kind.PARTY_IN, at_s - BEFORE_S, at_s + 0.001)):
        if isinstance(one, Received) and isinstance(one.message.body, DispatchCopy):
            body = one.message.body
            held = newest.get(body.resource)
            if held is None or (body.start_s, body.version) >= (held.start_s, held.version):
                newest[body.resource] = body
    return tuple(one for one in newest.values() if at_s < one.end_s)


def _around(journal: JournalReader, first: Issued, limit: LimitIssue | None, until_s: float) -> Iterator[Fact]:
    """What is not kept under the control's own key or its limit's, but belongs to its story."""
    resource = first.instruction.resource
    from_s = first.at_s if limit is None else min(first.at_s, limit.start_s)
    for kind in (Kind.PARTY_IN, Kind.PARTY_OUT):
        for one in map(record.fact, journal.entries_between(kind, from_s - BEFORE_S, until_s)):
            if isinstance(one, Received | Sent) and _concerns(one, resource, limit, from_s):
                yield one
    for one in map(record.fact, journal.entries_between(Kind.LINK, from_s, until_s)):
        if isinstance(one, LinkChanged) and one.resource == resource:
            yield one
    for one in map(record.fact, journal.entries_between(Kind.OPERATED, from_s - BEFORE_S, until_s)):
        if isinstance(one, Instructed) and one.instruction.resource == resource and one.instruction.expires_s > from_s:
            yield one
    for one in map(record.fact, journal.entries_between(Kind.BASELINE, 0.0, until_s)):
        if isinstance(one, Kept) and one.baseline.resource == resource:
            yield one
            return


def _curtailed(journal: JournalReader, issued: list[Issued], until_s: float) -> Iterator[Curtailment]:
    """What the limits that a control enforced took, as long as it did."""
    limits, resource = {one.limit_id for one in issued if one.limit_id}, issued[0].instruction.resource
    closed = journal.entries_between(Kind.INTERVAL, issued[0].at_s, until_s + AFTER_S)
    for record_of in map(record.fact, closed):
        for one in record_of.curtailed if isinstance(record_of, IntervalClosed) else ():
            if one.resource == resource and one.limit_id in limits and one.start_s < until_s:
                yield one


def _concerns(one: Received | Sent, resource: str, limit: LimitIssue | None, from_s: float) -> bool:
    """A dispatch of the resource that holds by then, or a word about the limit."""
    body = one.message.body
    if isinstance(body, DispatchCopy):
        return body.resource == resource and body.end_s > from_s
    ref = getattr(body, "ref", "") or getattr(body, "limit_id", "")
    return limit is not None and ref == limit.limit_id


def _tracks(
    telemetry: TelemetryReader, first: Issued, told: list[Share], window_s: tuple[float, float]
) -> Iterator[Track]:
    """The power of the resource, then what was measured of the asset that binds it."""
    instruction = first.instruction
    ceiling_w = instruction.limit.ceiling_w if isinstance(instruction, Control) else None
    wanted = [(Point(instruction.resource, Quantity.ACTIVE_POWER_W), "W", ceiling_w)]
    binding = next((one.binding for one in told if one.resource == instruction.resource), None)
    if binding is not None and binding.unit in _MEASURED_AS:
        phases = (Phase.TOTAL, Phase(binding.phase)) if binding.phase in ("a", "b", "c") else (Phase.TOTAL,)
        points = (Point(binding.asset_id, _MEASURED_AS[binding.unit], phase) for phase in phases)
        wanted += [(point, binding.unit, binding.limit) for point in points]
    for point, unit, ceiling in wanted:
        samples = [
            (one.received_time_s, one.value)
            for one in telemetry.query(point, *window_s)
            if one.quality is not Quality.BAD
        ]
        if samples:
            yield Track(str(point), unit, tuple(_thinned(samples)), ceiling)


def _thinned(samples: list[tuple[float, float]]) -> Iterator[tuple[float, float]]:
    """At most `SAMPLES` of them: the first, the last, and the highest of each stretch between."""
    stretch = -(-len(samples) // (SAMPLES - 2))
    if stretch <= 1:
        yield from samples
        return
    yield samples[0]
    for begin in range(1, len(samples) - 1, stretch):
        yield max(samples[begin : min(begin + stretch, len(samples) - 1)], key=itemgetter(1))
    yield samples[-1]


def _unique(facts: Iterable[Fact]) -> list[Fact]:
    found: list[Fact] = []
    for one in facts:
        if one not in found:
            found.append(one)
    return found
