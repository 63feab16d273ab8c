"""A page of HTML that needs nothing beside itself: headings, paragraphs, tables and plots in order."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: 0.8rem 0; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.9rem 0.2rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #8884; }
th { font-weight: 600; } td.number, th.number { text-align: right; }
figure { margin: 1rem 0; background: #fff; } figure svg { width: 100%; height: auto; }
figcaption, .note { color: #777; font-size: 0.9rem; }
"""

Cell = str | float | int


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; numbers stand right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    digits: int = 2


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing and what it shows; `draw` is given the axes."""

    caption: str
    draw: "Callable[[Axes], None]"
    height: float = 3.2
    """Inches, at a width of 9."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with what stands under it."""

    heading: str
    parts: "tuple[str | Table | Plot, ...]"
    """A text is a paragraph."""


def page(title: str, lead: str, sections: Sequence[Section]) -> str:
    """The whole page; every text is escaped."""
    body = "\n".join(_section(section) for section in sections)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n<p>{escape(lead)}</p>\n{body}\n"
        "</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    return f"<h2>{escape(section.heading)}</h2>\n" + "\n".join(_part(part) for part in section.parts)


def _part(part: str | Table | Plot) -> str:
    match part:
        case Table():
            return _table(part)
        case Plot():
            return _figure(part)
        case _:
            return f"<p>{escape(part)}</p>"


def _table(table: Table) -> str:
    numeric = [all(not isinstance(row[n], str) for row in table.rows) for n in range(len(table.columns))]

    def row(tag: str, cells: Sequence[Cell]) -> str:
        tags = (f'<{tag} class="number">' if number else f"<{tag}>" for number in numeric)
        return (
            "<tr>" + "".join(f"{t}{_cell(c, table.digits)}</{tag}>" for t, c in zip(tags, cells, strict=True)) + "</tr>"
        )

    head, body = row("th", table.columns), "\n".join(row("td", cells) for cells in table.rows)
    return f"<table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cell(value: Cell, digits: int) -> str:
    if isinstance(value, float):
        return f"{value:,.{digits}f}"
    return escape(str(value))


def _figure(plot: Plot) -> str:
    caption = f"<figcaption>{escape(plot.caption)}</figcaption>"
    try:
        from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415 - an extra, and slow to import
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        return f'<p class="note">{escape(plot.caption)}: install ampacity[plots] to see it drawn</p>'
    figure = Figure(figsize=(9.0, plot.height), layout="constrained")
    plot.draw(figure.add_subplot())
    drawn = io.StringIO()
    FigureCanvasSVG(figure).print_svg(drawn, metadata={"Date": None, "Creator": None})
    svg = drawn.getvalue()
    return f"<figure>\n{svg[svg.index('<svg') :]}{caption}\n</figure>"
