"""Show what the product is to be capable of by level, what demonstrates it, and what is not demonstrated yet.

ampacity capabilities
ampacity capabilities --level L6 --all
ampacity capabilities --json | jq '.rows[] | select(.shown_by == [])'
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from config.capabilities import LEVELS, Capability, Target, capabilities

_PLAIN_WIDTH = 170


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("--level", choices=LEVELS, metavar="LEVEL", help=f"that alone: {', '.join(LEVELS)}")
    parser.add_argument(
        "--all", action="store_true", help="every row with what demonstrates it, not only what lacks that"
    )
    parser.add_argument("--json", action="store_true", help="for machines: every row, and the counts by level")


def run(args: Namespace) -> int:
    """0 always: it reports."""
    rows = [row for row in capabilities() if args.level in (None, row.level)]
    if args.json:
        document = {"levels": _counts(rows), "rows": [row.model_dump(mode="json") for row in rows]}
        sys.stdout.write(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        return 0
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False, markup=False, emoji=False)
    console.print(_summary(rows))
    told = rows if args.all else [row for row in rows if not row.is_shown]
    if told:
        console.print("\nAll rows" if args.all else "\nNot demonstrated", style="bold")
        console.print(_rows(told))
    return 0


def _counts(rows: Sequence[Capability]) -> list[dict[str, str | int]]:
    levels = {level: [row for row in rows if row.level == level] for level in LEVELS}
    return [{"level": level, **_count(here)} for level, here in levels.items() if here]


def _count(rows: Sequence[Capability]) -> dict[str, int]:
    missing = [row for row in rows if not row.is_shown]
    later = sum(row.target is not Target.NOW for row in missing)
    return {"rows": len(rows), "shown": len(rows) - len(missing), "not_shown": len(missing), "of_these_later": later}


def _summary(rows: Sequence[Capability]) -> Table:
    made = Table("level", "rows", "demonstrated", "not demonstrated", "of these later or out", box=None, pad_edge=False)
    for one in _counts(rows):
        made.add_row(*map(str, one.values()))
    made.add_row("all", *map(str, _count(rows).values()), style="bold")
    return made


def _rows(rows: Sequence[Capability]) -> Table:
    made = Table("id", "level", "target", "capability", "demonstrated by, or why not", box=None, pad_edge=False)
    for row in sorted(rows, key=lambda one: LEVELS.index(one.level)):
        made.add_row(row.id, row.level, row.target.value, row.words, "\n".join(row.shown_by) or row.why_not)
    return made
