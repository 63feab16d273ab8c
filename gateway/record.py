"""What happened as journal entries, and back: the one place that knows under which kind and key each fact is kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from gateway.coordination.book import Book
from gateway.coordination.events import (
    Alarmed,
    Answered,
    Assessed,
    Contested,
    Decided,
    Dispatched,
    Event,
    Instructed,
    IntervalClosed,
    Issued,
    Kept,
    Operated,
    Planned,
    Proposed,
    Received,
    Ruled,
    Sent,
    Shown,
    Stated,
)
from gateway.coordination.forecasts import ForecastIssued
from gateway.coordination.long_term import NeedsImported
from gateway.coordination.model_records import ModelProposed, ModelRuled
from gateway.coordination.topology import Cancelled, Scheduled
from gateway.journal.codec import Codec, CodecError
from gateway.journal.entries import Entry, JournalBrokenError, Kind
from gateway.journal.store import JournalReader
from protocols.signals import LinkChanged, Outcome, Release


@dataclass(frozen=True, slots=True)
class Started:
    """The gateway began to work on a zone."""

    zone: str
    dso_model: str
    """`DP`, `T` or `MF`."""
    model_version: str
    """Version of the network model."""
    program_version: str
    config_sha256: str
    """Of the zone file."""
    at_s: float
    clock_trusted: bool = False
    """Somebody vouched for the clock: times before this that are later than it are wrong."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All that was agreed until `at_s`: what folding every event before would give."""

    zone: str
    book: Book
    at_s: float


@dataclass(frozen=True, slots=True)
class Acted:
    """An operator acts at the console; what follows from it has entries of its own."""

    at_s: float
    by: str
    what: str
    """In words."""
    subject: str
    """Scope, emergency, offer or order."""
    because: str = ""


Fact = Event | LinkChanged | Started | Checkpoint | Acted
"""All that the journal holds: the events that the book is folded from, and what only explains them or saves time."""

_Aside = Started | Checkpoint | Acted
_FACT: Codec[Fact] = Codec(Fact)

_NO_EVENTS = frozenset({Kind.LINK, Kind.STARTED, Kind.CHECKPOINT, Kind.SERVED, Kind.ACTED})

_BY_OUR_CLOCK = (Kind.STARTED, Kind.CHECKPOINT, Kind.DECIDED, Kind.ISSUED, Kind.LINK, Kind.PARTY_OUT)
"""Kinds whose time is that of their writing."""
_STARTS = 100_000
"""More than a journal holds."""

JUDGED = frozenset({Outcome.VERIFIED, Outcome.UNVERIFIED})
"""Outcomes found from the measured power."""


def entry(fact: Fact) -> Entry:
    """The fact as an entry, ready to append.

    Raises:
        CodecError: A part of it is not what its annotation says.
    """
    kind, key, at_s, cycle_id = _address(fact)
    return Entry(kind, key, at_s, cycle_id, _FACT.to_json(fact))


def fact(entry: Entry) -> Fact:
    """The fact again.

    Raises:
        JournalBrokenError: The entry holds no fact that this program knows.
    """
    try:
        return _FACT.from_json(entry.body)
    except CodecError as error:
        raise JournalBrokenError(
            f"entry {entry.kind.value} {entry.key!r} of {entry.at_s:.3f} is unreadable{error}"
        ) from error


def events(entries: Iterable[Entry]) -> Iterator[Event]:
    """Those facts among the entries that rebuild the book, in their order."""
    for one in entries:
        if one.kind not in _NO_EVENTS and not isinstance(found := fact(one), LinkChanged | _Aside):
            yield found


def restore(journal: JournalReader) -> Book:
    """The book as the journal left it: from the last checkpoint on, or from the beginning where there is none.

    Raises:
        JournalBrokenError: An entry since then was altered, is missing or cannot be read.
    """
    book, after_seq = Book(), 0
    last = journal.last_checkpoint()
    if last is not None:
        try:
            found = _FACT.from_json(last[1].body)
        except CodecError:
            found = None  # of another version of this program; the events before it can still be read
        if isinstance(found, Checkpoint):
            book, after_seq = found.book, last[0]
    for event in events(journal.replay(after_seq)):
        book.fold(event)
    return book


def latest_s(journal: JournalReader) -> float | None:
    """The latest time that was recorded by a clock that somebody may still trust; `None` where nothing is."""
    starts = journal.entries_after(0, (Kind.STARTED,), _STARTS)
    trusted = (seq for seq, one in starts if isinstance(found := fact(one), Started) and found.clock_trusted)
    after_seq = max(trusted, default=1) - 1
    return max((s for kind in _BY_OUR_CLOCK if (s := journal.latest_time_s(kind, after_seq)) is not None), default=None)


def time_of(fact: Fact) -> float:
    """When it became known, Unix seconds UTC."""
    return _address(fact)[2]


Address = tuple[Kind, str, float, str]
"""Kind, key, time and cycle."""


def _address(fact: Fact) -> Address:
    match fact:
        case Started() | Checkpoint() | Acted():
            found = _aside_address(fact)
        case Received(message, at_s):
            found = Kind.PARTY_IN, message.header.corr_id, at_s, ""
        case Sent(message, at_s, cycle_id):
            found = Kind.PARTY_OUT, message.header.corr_id, at_s, cycle_id
        case Decided():
            found = Kind.DECIDED, fact.cycle_id, fact.at_s, fact.cycle_id
        case Instructed(asked):
            found = Kind.OPERATED, asked.instruction_id, asked.at_s, ""
        case Alarmed():
            found = Kind.ALARM, fact.subject, fact.at_s, ""
        case Issued() | Answered() | Kept() | LinkChanged():
            found = _device_address(fact)
        case Scheduled() | Cancelled() | ModelProposed() | ModelRuled() | ForecastIssued() | NeedsImported():
            found = _network_address(fact)
        case Assessed() | Stated() | Contested() | IntervalClosed():
            found = _period_address(fact)
        case _:
            found = _action_address(fact)
    return found


def _aside_address(fact: _Aside) -> Address:
    match fact:
        case Started():
            return Kind.STARTED, fact.zone, fact.at_s, ""
        case Checkpoint():
            return Kind.CHECKPOINT, fact.zone, fact.at_s, ""
        case Acted():
            return Kind.ACTED, fact.subject, fact.at_s, ""
        case _:
            assert_never(fact)


def _network_address(
    fact: Scheduled | Cancelled | ModelProposed | ModelRuled | ForecastIssued | NeedsImported,
) -> Address:
    match fact:
        case NeedsImported(import_id):
            return Kind.NEEDS, import_id, fact.at_s, ""
        case ForecastIssued(issue_id):
            return Kind.FORECAST, issue_id, fact.at_s, ""
        case Scheduled(work):
            return Kind.TOPOLOGY, work.id, fact.at_s, ""
        case Cancelled(work_id):
            return Kind.TOPOLOGY, work_id, fact.at_s, ""
        case _:
            return Kind.MODEL, fact.version, fact.at_s, ""


def _action_address(fact: Dispatched | Planned | Operated | Shown | Proposed | Ruled) -> Address:
    match fact:
        case Dispatched():
            return Kind.SHARED, fact.ref, fact.at_s, fact.cycle_id
        case Planned():
            return Kind.OPERATION, fact.plan_id, fact.at_s, fact.cycle_id
        case Operated() | Shown():
            return Kind.OPERATION, fact.plan_id, fact.at_s, ""
        case Proposed():
            return Kind.PROPOSED, fact.action_id, fact.at_s, ""
        case Ruled():
            return Kind.RULED, fact.action_id, fact.at_s, ""
        case _:
            assert_never(fact)


def _period_address(fact: Assessed | Stated | Contested | IntervalClosed) -> Address:
    match fact:
        case IntervalClosed():
            return Kind.INTERVAL, f"{fact.start_s:.0f}", fact.end_s, ""
        case Assessed():
            return Kind.ASSESSED, fact.found[0].ref if len(fact.found) == 1 else "batch", fact.at_s, ""
        case Stated():
            ids = [statement.statement_id for statement in fact.statements]
            return Kind.STATED, ids[0] if len(ids) == 1 else "period", fact.at_s, ""
        case Contested():
            return Kind.CONTESTED, fact.dispute.dispute_id, fact.at_s, ""
        case _:
            assert_never(fact)


def _device_address(fact: Issued | Answered | Kept | LinkChanged) -> Address:
    match fact:
        case Issued(instruction, at_s, cycle_id):
            kind = Kind.RELEASED if isinstance(instruction, Release) else Kind.ISSUED
            return kind, instruction.control_id, at_s, cycle_id
        case Answered(ack):
            kind = Kind.VERIFIED if ack.outcome in JUDGED else Kind.ACKED
            return kind, ack.control_id, ack.at_s, ""
        case Kept(baseline):
            return Kind.BASELINE, baseline.resource, baseline.at_s, ""
        case LinkChanged():
            return Kind.LINK, fact.resource, fact.at_s, ""
        case _:
            assert_never(fact)
