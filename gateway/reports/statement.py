"""A settlement statement as CSV for machines and as a page for people."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gateway.reports.page import Plot, Section, Table, page
from gateway.settlement.words import Performance, Statement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CSV_COLUMNS = (
    *("statement", "version", "party", "period_start", "period_end", "kind", "reference", "resource"),
    *("payer", "payee", "quantity_mwh", "price_per_mwh", "amount", "detail"),
)


def as_csv(statement: Statement) -> str:
    """One row per line of the statement, under `CSV_COLUMNS`; times are ISO 8601 in UTC."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    head = (statement.statement_id, statement.version, statement.party)
    period = (_iso(statement.period_start_s), _iso(statement.period_end_s))
    for line in statement.lines:
        figures = (f"{line.quantity_mwh:.6f}", f"{line.price_per_mwh:.2f}", f"{line.amount:.2f}")
        who = (line.kind.value, line.reference, line.resource, line.payer, line.payee)
        writer.writerow(_harmless(cell) for cell in (*head, *period, *who, *figures, line.detail))
    return out.getvalue()


def as_page(statement: Statement) -> str:
    """The statement with its lines, and per interval what was expected and what came."""
    due = "is owed" if statement.net >= 0 else "owes"
    lead = (
        f"{statement.party} {due} ${abs(statement.net):,.2f} for {_iso(statement.period_start_s)} to "
        f"{_iso(statement.period_end_s)}. Version {statement.version}"
        + (f": {statement.reason}." if statement.reason else ".")
    )
    sections = [Section("Lines", (_lines(statement),))]
    if statement.performances:
        plot = Plot("Power per interval", lambda axes: _draw(axes, statement.performances))
        sections.append(Section("Delivery", (plot, _intervals(statement.performances))))
    notes = (*statement.notes, *((f"Calculated from {statement.inputs}.",) if statement.inputs else ()))
    if notes:
        sections.append(Section("Notes", notes))
    return page(f"Statement {statement.statement_id}", lead, sections)


def _lines(statement: Statement) -> Table:
    columns = ("For", "Reference", "Resource", "Payer", "Payee", "MWh", "$/MWh", "$", "")
    return Table(
        columns,
        tuple(
            (
                *(one.kind.value, one.reference, one.resource, one.payer, one.payee),
                *(f"{one.quantity_mwh:,.4f}", one.price_per_mwh, one.amount, one.detail),
            )
            for one in statement.lines
        ),
    )


def _intervals(found: Sequence[Performance]) -> Table:
    columns = ("Interval", "Ordered MW", "Expected MW", "Baseline MW", "Metered MW", "Delivered MW", "Short MW", "")
    return Table(
        columns,
        tuple(
            (
                _iso(p.start_s),
                *(
                    w / 1e6
                    for w in (p.ordered_w, p.expected_w, p.baseline_w, p.metered_w, p.delivered_w, p.shortfall_w)
                ),
                _remarks(p),
            )
            for p in found
        ),
        digits=3,
    )


def _remarks(found: Performance) -> str:
    excused = (f"excused by {found.excused_by}",) if found.excused_by else ()
    return ", ".join((*excused, *(("estimated",) if found.estimated else ())))


def _draw(axes: "Axes", found: Sequence[Performance]) -> None:
    minutes = [(p.start_s - found[0].start_s) / 60 for p in found]
    for label, values, style in (
        ("baseline", [p.baseline_w for p in found], ":"),
        ("expected", [p.baseline_w + p.expected_w for p in found], "--"),
        ("metered", [p.metered_w for p in found], "-"),
    ):
        axes.step(minutes, [w / 1e6 for w in values], style, where="post", label=label)
    axes.set_xlabel(f"minutes from {_iso(found[0].start_s)}")
    axes.set_ylabel("MW injected")
    axes.legend(frameon=False)


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _harmless(cell: object) -> object:
    """A text that a spreadsheet would take for a formula is quoted; figures stay figures."""
    if isinstance(cell, str) and cell[:1] in {"=", "+", "@", "\t", "\r"}:
        return f"'{cell}"
    return cell
