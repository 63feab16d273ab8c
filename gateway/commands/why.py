"""Explain a control: what was seen, decided, said, written, read back and measured.

Reads the journal, also while the gateway writes it:

    ampacity why A-c1
    ampacity why A-c1 --json | jq .limit
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import orjson
from rich.console import Console

from gateway.commands._explanation import show
from gateway.explain import AS_JSON, UnknownControlError, explain
from gateway.historian import HistorianError, TelemetryReader
from gateway.journal.entries import JournalError
from gateway.journal.store import JournalReader

JOURNAL = Path("run/journal.sqlite")
PAPER_WIDTH = 150
"""Columns where the output is no terminal."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    what = "as in the log and the journal, for example A-c1; or the limit, emergency, order or instruction behind it"
    parser.add_argument("control", metavar="ID", help=what)
    parser.add_argument("--journal", type=Path, default=JOURNAL, metavar="FILE", help=f"default: {JOURNAL}")
    parser.add_argument("--json", action="store_true", help="for machines: one JSON object, in SI units")


def run(args: argparse.Namespace) -> int:
    """0 when explained, 1 where there is no such control or no journal."""
    try:
        with closing(JournalReader.open(args.journal)) as journal, _telemetry(args.journal) as telemetry:
            found = explain(journal, args.control, telemetry)
    except (JournalError, HistorianError, UnknownControlError) as error:
        print(f"ampacity why: {error}", file=sys.stderr)
        return 1
    if args.json:
        sys.stdout.write(orjson.dumps(AS_JSON.to_json(found), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        show(found, Console(highlight=False, width=None if sys.stdout.isatty() else PAPER_WIDTH))
    return 0


@contextmanager
def _telemetry(journal: Path) -> Iterator[TelemetryReader | None]:
    """The telemetry store beside the journal, where there is one."""
    path = journal.with_name("telemetry.sqlite")
    if not path.exists():
        yield None
        return
    with closing(TelemetryReader.open(path)) as telemetry:
        yield telemetry
