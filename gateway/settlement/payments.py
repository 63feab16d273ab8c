"""Payment instructions: who has to pay whom how much by which version of a statement; nobody moves money here."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from gateway.settlement.statements import harmless
from gateway.settlement.words import Statement

COLUMNS = ("payment", "payer", "payee", "amount", "statement", "version", "state", "reason")
DUE, HELD = "due", "held"
"""A contested statement is not paid before its dispute is over."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One instruction; the same statement always gives the same one."""

    payment_id: str
    payer: str
    payee: str
    amount: float
    """Dollars, positive, to the cent."""
    statement_id: str
    version: int
    state: str
    """`due` or `held`."""
    reason: str = ""


def payments(own: str, statements: Iterable[Statement], contested: Collection[str] = ()) -> tuple[Payment, ...]:
    """What every version that was issued adds to what the one before has asked for; nothing where that is no cent.

    Args:
        own: the party whose books these are.
        statements: in any order; preliminary ones (version 0) ask for nothing.
        contested: ids of statements with a dispute that lasts.
    """
    issued = sorted((one for one in statements if one.version > 0), key=lambda one: (one.statement_id, one.version))
    return tuple(
        payment
        for statement_id, versions in groupby(issued, key=lambda one: one.statement_id)
        for payment in _steps(own, versions, HELD if statement_id in contested else DUE)
    )


def _steps(own: str, versions: Iterable[Statement], state: str) -> Iterator[Payment]:
    asked_cents: dict[str, int] = {}
    for one in versions:
        owed = _owed(own, one)
        for other in sorted({*owed, *asked_cents}):
            cents = round(100 * owed.get(other, 0.0)) - asked_cents.get(other, 0)
            asked_cents[other] = asked_cents.get(other, 0) + cents
            if cents:
                payer, payee = (other, one.party) if cents > 0 else (one.party, other)
                name = f"{one.statement_id}-v{one.version}-payment" + ("" if other == own else f"-{other}")
                yield Payment(name, payer, payee, abs(cents) / 100, one.statement_id, one.version, state, one.reason)


def _owed(own: str, statement: Statement) -> dict[str, float]:
    """What the statement's party receives from each other one, dollars.

    Where we only calculate for two others, both have a statement: the first of them by name has its lines paid.
    """
    owed: dict[str, float] = {}
    for line in statement.lines:
        between = {line.payer, line.payee}
        if own not in between and statement.party != min(between):
            continue
        (other,) = between - {statement.party}
        owed[other] = owed.get(other, 0.0) + (line.amount if line.payee == statement.party else -line.amount)
    return owed


def as_csv(found: Iterable[Payment]) -> str:
    """One row per instruction, under `COLUMNS`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found:
        figures = (f"{one.amount:.2f}", one.statement_id, one.version, one.state)
        writer.writerow(harmless(cell) for cell in (one.payment_id, one.payer, one.payee, *figures, one.reason))
    return out.getvalue()
