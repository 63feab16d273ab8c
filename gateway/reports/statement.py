"""A settlement statement as CSV for machines and as a page for people."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.reports.page import Plot, Section, Table, page
from gateway.settlement.statements import CSV_COLUMNS, as_csv, iso
from gateway.settlement.words import Performance, Statement

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CSV_COLUMNS", "as_csv", "as_page"]


def as_page(statement: Statement) -> str:
    """The statement with its lines, and per interval what was expected and what came."""
    due = "is owed" if statement.net >= 0 else "owes"
    lead = (
        f"{statement.party} {due} ${abs(statement.net):,.2f} for {iso(statement.period_start_s)} to "
        f"{iso(statement.period_end_s)}. Version {statement.version}"
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
                iso(p.start_s),
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
    axes.set_xlabel(f"minutes from {iso(found[0].start_s)}")
    axes.set_ylabel("MW injected")
    axes.legend(frameon=False)
