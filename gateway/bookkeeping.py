"""What a journal says of measurement, verification and settlement: read without the gateway that writes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway import record
from gateway.coordination.accounts import Accounts
from gateway.coordination.events import Assessed, Contested, IntervalClosed, Sent, Stated
from gateway.coordination.messages import LimitClear, LimitIssue
from gateway.coordination.trade import Trade
from gateway.journal.entries import Kind
from gateway.journal.store import JournalReader
from gateway.settlement.assessment import Assessment
from gateway.settlement.curtailment import Curtailment
from gateway.settlement.disputes import Dispute
from gateway.settlement.schedule import Held
from gateway.settlement.statements import statements
from gateway.settlement.vee import Step
from gateway.settlement.words import Performance, SettlementLine, Statement

PRELIMINARY = "not stated yet"


@dataclass(slots=True)
class Books:
    """Everything that was measured, stated and contested."""

    assessed: dict[str, Assessment] = field(default_factory=dict)
    """By reference and version, as measured last."""
    charges: list[SettlementLine] = field(default_factory=list)
    statements: dict[str, list[Statement]] = field(default_factory=dict)
    """By id, every version."""
    disputes: dict[str, Dispute] = field(default_factory=dict)
    covered: set[str] = field(default_factory=set)
    """Keys of what is on a statement."""

    def within(self, from_s: float, to_s: float) -> tuple[Assessment, ...]:
        """What ended in a time."""
        return tuple(one for one in self.assessed.values() if from_s < one.end_s <= to_s)

    def of_period(self, zone: str, own: str, from_s: float, to_s: float) -> tuple[Statement, ...]:
        """Every version of every statement of a time, and what is on none yet as preliminary ones."""
        made = [
            self._whole(version)
            for versions in self.statements.values()
            for version in versions
            if version.period_start_s < to_s and from_s < version.period_end_s
        ]
        rest = [one for one in self.within(from_s, to_s) if one.key not in self.covered]
        lines = [line for one in rest for line in one.lines]
        inputs = rest[-1].inputs if rest else ""
        open_ones = statements(zone, own, lines, (from_s, to_s), inputs)
        found = [
            self._whole(replace(one, statement_id=f"{one.statement_id}-open", version=0, reason=PRELIMINARY))
            for one in open_ones
        ]
        return (*made, *found)

    def steps(self) -> dict[str, list[Step]]:
        """What was asked of each resource, as far as it was measured, for those who look at its meter."""
        found: dict[str, list[Step]] = {}
        for one in self.assessed.values():
            asked = (Step(p.start_s, p.start_s + p.length_s, p.baseline_w + p.ordered_w) for p in one.performances)
            found.setdefault(one.resource, []).extend(asked)
        return found

    def _whole(self, statement: Statement) -> Statement:
        """With what its lines were calculated from."""
        refs = {(line.reference, line.resource) for line in statement.lines}
        behind = [one for one in self.assessed.values() if (one.ref, one.resource) in refs]
        found: tuple[Performance, ...] = tuple(p for one in behind for p in one.performances)
        notes = tuple(
            f"{one.ref} of {one.resource}: baseline {one.baseline}, meter {one.meter}"
            + "".join(f"; {note}" for note in one.notes)
            for one in behind
        )
        performances = tuple(sorted(found, key=lambda p: p.start_s))
        return replace(statement, performances=performances, notes=(*statement.notes, *notes))


def read(journal: JournalReader) -> Books:
    """The books that a journal holds.

    Raises:
        JournalBrokenError: an entry cannot be read.
    """
    books = Books()
    entries = [one for kind in (Kind.ASSESSED, Kind.STATED, Kind.CONTESTED) for one in journal.entries_of(kind)]
    for entry in sorted(entries, key=lambda one: one.at_s):
        match record.fact(entry):
            case Assessed() as event:
                books.assessed.update({one.key: one for one in event.found})
                books.charges += event.charges
            case Stated() as event:
                for statement in event.statements:
                    books.statements.setdefault(statement.statement_id, []).append(statement)
                books.covered |= set(event.covers)
            case Contested() as event:
                books.disputes[event.dispute.dispute_id] = event.dispute
                books.assessed.update({one.key: one for one in event.remeasured})
            case _:
                pass  # of no interest here
    return books


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit of a journal as it was in force."""

    by_resource: Mapping[str, Sequence[Held]]
    asset_of: Mapping[str, str]
    """The constraint behind each, by its id."""


def limits(journal: JournalReader) -> Limits:
    """The limits that a journal holds.

    Raises:
        JournalBrokenError: an entry cannot be read.
    """
    accounts, trade, asset_of = Accounts(), Trade(), dict[str, str]()
    for entry in journal.entries_of(Kind.PARTY_OUT):
        match record.fact(entry):
            case Sent(message, at_s) if isinstance(message.body, LimitIssue | LimitClear):
                accounts.sent(message, at_s, trade)
                if isinstance(message.body, LimitIssue):
                    asset_of[message.body.limit_id] = message.body.constraint_id
            case _:
                pass
    return Limits(accounts.limits, asset_of)


def curtailed(journal: JournalReader) -> tuple[Curtailment, ...]:
    """What limits took in every market interval that is over, by the records of a journal.

    Raises:
        JournalBrokenError: an entry cannot be read.
    """
    facts = (record.fact(entry) for entry in journal.entries_of(Kind.INTERVAL))
    return tuple(one for fact in facts if isinstance(fact, IntervalClosed) for one in fact.curtailed)


def with_accounts(statement: Statement, accounts: Mapping[str, str]) -> Statement:
    """With the customer's accounts, which no other part of the gateway ever sees."""
    resources = sorted({line.resource for line in statement.lines} & accounts.keys())
    if not resources:
        return statement
    told = ", ".join(f"{resource} is account {accounts[resource]}" for resource in resources)
    return replace(statement, notes=(*statement.notes, f"Accounts: {told}."))
