"""Statements of a period: every party's lines together, and as the CSV that travels with them."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite

from gateway.settlement.words import LineKind, SettlementLine, Statement

CSV_COLUMNS = (
    *("statement", "version", "party", "period_start", "period_end", "kind", "reference", "resource"),
    *("payer", "payee", "quantity_mwh", "price_per_mwh", "amount", "detail"),
)


class StatementError(ValueError):
    """A statement that cannot be read; says which row and what is wrong."""


def statements(
    zone: str, own: str, lines: Iterable[SettlementLine], period: tuple[float, float], inputs: str
) -> tuple[Statement, ...]:
    """One per party that owes or is owed something, ourselves (`own`) excepted."""
    by_party: dict[str, list[SettlementLine]] = defaultdict(list)
    for line in lines:
        for party in {line.payer, line.payee} - {own}:
            by_party[party].append(line)
    start_s, end_s = period
    return tuple(
        Statement(f"{zone}-{party}-{start_s:.0f}", party, start_s, end_s, tuple(found), inputs=inputs)
        for party, found in sorted(by_party.items())
    )


def as_csv(statement: Statement, limit: int | None = None) -> str:
    """One row per line of the statement, under `CSV_COLUMNS`; times are ISO 8601 in UTC.

    Args:
        limit: characters; where it would take more, lines are summed by kind and resource.
    """
    text = _written(statement)
    if limit is None or len(text) <= limit:
        return text
    text = _written(replace(statement, lines=_summed(statement.lines, by_resource=True)))
    return text if len(text) <= limit else _written(replace(statement, lines=_summed(statement.lines)))


def charges(text: str) -> tuple[tuple[str, float], ...]:
    """References and amounts of the penalties in a system operator's statement.

    Raises:
        StatementError: it is not such a CSV.
    """
    found = []
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), start=2):
        try:
            if row["kind"] == LineKind.PENALTY.value:
                found.append((str(row["reference"]), _finite(row["amount"])))
        except (KeyError, TypeError, ValueError) as error:
            raise StatementError(f"row {number} of the statement: {error!s} cannot be read") from error
    return tuple(found)


def _finite(text: str) -> float:
    amount = float(text)
    if not isfinite(amount):
        raise ValueError(f"amount {text}")
    return amount


def iso(time_s: float) -> str:
    """A moment as text, UTC, to the minute."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _written(statement: Statement) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    head = (statement.statement_id, statement.version, statement.party)
    period = (iso(statement.period_start_s), iso(statement.period_end_s))
    for line in statement.lines:
        figures = (f"{line.quantity_mwh:.6f}", f"{line.price_per_mwh:.2f}", f"{line.amount:.2f}")
        who = (line.kind.value, line.reference, line.resource, line.payer, line.payee)
        writer.writerow(harmless(cell) for cell in (*head, *period, *who, *figures, line.detail))
    return out.getvalue()


def _summed(lines: Sequence[SettlementLine], *, by_resource: bool = False) -> tuple[SettlementLine, ...]:
    groups: dict[tuple[str, ...], list[SettlementLine]] = defaultdict(list)
    for line in lines:
        groups[line.kind.value, line.payer, line.payee, line.resource if by_resource else ""].append(line)
    return tuple(_sum(found, key[-1]) for key, found in groups.items())


def _sum(found: Sequence[SettlementLine], resource: str) -> SettlementLine:
    quantity, amount = sum(line.quantity_mwh for line in found), sum(line.amount for line in found)
    price = amount / quantity if quantity else 0.0
    detail = f"{len(found)} lines, mean price"
    return replace(
        found[0],
        reference="",
        resource=resource,
        quantity_mwh=quantity,
        price_per_mwh=price,
        amount=amount,
        detail=detail,
    )


def harmless(cell: object) -> object:
    """A text that a spreadsheet would take for a formula is quoted; figures stay figures."""
    if isinstance(cell, str) and cell[:1] in {"=", "+", "@", "\t", "\r"}:
        return f"'{cell}"
    return cell
