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
    asked_cents = 0
    for one in versions:
        cents = round(100 * one.net) - asked_cents
        asked_cents += cents
        if cents:
            payer, payee = (own, one.party) if cents > 0 else (one.party, own)
            name = f"{one.statement_id}-v{one.version}-payment"
            yield Payment(name, payer, payee, abs(cents) / 100, one.statement_id, one.version, state, one.reason)


def as_csv(found: Iterable[Payment]) -> str:
    """One row per instruction, under `COLUMNS`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found:
        figures = (f"{one.amount:.2f}", one.statement_id, one.version, one.state)
        writer.writerow(harmless(cell) for cell in (one.payment_id, one.payer, one.payee, *figures, one.reason))
    return out.getvalue()
