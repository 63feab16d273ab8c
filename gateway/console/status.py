"""The zone at a glance: every resource in a line, what was decided last, and who has said what in this interval."""

import asyncio
from collections.abc import Iterable, Iterator

from gateway import record
from gateway.console import views
from gateway.console import words as w
from gateway.console.seat import Seat
from gateway.coordination.situation import Situation
from gateway.journal.entries import Entry, JournalBrokenError, Kind
from gateway.tell import told, value_of
from grid_engine.results import Status
from protocols.points import Point, Quantity

DECISIONS = 15
"""Lines that are shown."""
MESSAGES = 200
PART = 50
"""Resources that are looked at in one go."""
_DECIDED = (
    Kind.ALARM,
    Kind.ISSUED,
    Kind.RELEASED,
    Kind.VERIFIED,
    Kind.PROPOSED,
    Kind.RULED,
    Kind.OPERATED,
    Kind.OPERATION,
    Kind.SHARED,
    Kind.ACTED,
)
_SAID = (Kind.PARTY_IN, Kind.PARTY_OUT)


async def status(seat: Seat) -> w.StatusOut:
    """The zone now."""
    at = seat.situation()
    last = at.book.last_answer
    decisions, messages = await seat.latest(_DECIDED, DECISIONS), await seat.latest(_SAID, MESSAGES)
    begun_s = at.zone.clocks.interval_start(at.now_s)
    return w.StatusOut(
        zone=at.zone.id,
        model=at.zone.model.value,
        at_s=at.now_s,
        network=at.zone.model_version if last is None else last.answer.model_version,
        solved_s=at.book.last_solved_s,
        solved=last is not None and last.answer.status is Status.SOLVED,
        violations=[*_violations(at)],
        alert=at.book.emergencies.state.value,
        approval=at.zone.approval.mode.value,
        waiting=len(at.book.approvals.waiting),
        coverage_pct=round(coverage_pct(at), 2),
        ders=await _ders(at),
        decisions=lines(decisions)[-DECISIONS:],
        messages=lines(entry for entry in messages if entry.at_s >= begun_s)[-MESSAGES:],
    )


async def _ders(at: Situation) -> list[w.DerOut]:
    """A line for each resource; control goes on between parts of a large zone."""
    found = []
    for number, resource in enumerate(at.zone.resources.values()):
        if number % PART == PART - 1:
            await asyncio.sleep(0)
        found.append(views.line(at, resource))
    return found


def coverage_pct(at: Situation) -> float:
    """Share of the resources with a usable active power."""
    return at.snapshot.coverage_pct(frozenset(Point(name, Quantity.ACTIVE_POWER_W) for name in at.zone.resources))


def _violations(at: Situation) -> Iterator[str]:
    last = at.book.last_answer
    for one in () if last is None else last.answer.violations:
        if one.interval == 0:
            phase = f" {one.phase}" if one.phase else ""
            value, limit = value_of(one.value, one.unit), value_of(one.limit, one.unit)
            yield f"{one.reason.value} {one.asset_id}{phase}: {value}, limit {limit} ({one.case})"


def lines(entries: Iterable[Entry]) -> list[w.Told]:
    """Entries of the journal as lines, the oldest first; what this program cannot read is passed over."""
    found = []
    for entry in sorted(entries, key=lambda one: one.at_s):
        try:
            who, what = told(record.fact(entry))
        except JournalBrokenError:
            continue
        found.append(w.Told(at_s=entry.at_s, kind=entry.kind.value, who=who, what=what))
    return found
