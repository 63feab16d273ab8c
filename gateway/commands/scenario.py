"""Play scenarios on a virtual clock: `run` files or folders of them, or print their `schema`.

A scenario says what is given, what happens when, and what has to be true then, on a zone of its own with the
simulated world around it. What must hold under its DSO model whatever happens is looked at every time, and shown.
Exit status 0 where everything held.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.scenarios import runner
from gateway.scenarios.acts import ScenarioError
from gateway.scenarios.diagram import mermaid
from gateway.scenarios.runner import Played
from gateway.scenarios.script import schema

_PLAIN_WIDTH = 160


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    wanted = parser.add_subparsers(dest="wanted", metavar="WHAT", required=True)
    played = wanted.add_parser("run", help="play scenario files, or every one in folders")
    played.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="scenario file, or a folder of them")
    played.add_argument("--json", type=Path, metavar="FILE", help="write all verdicts there")
    played.add_argument("--diagram", type=Path, metavar="FOLDER", help="write a sequence diagram per scenario there")
    played.add_argument("--all", action="store_true", help="show what held too, not only what did not")
    played.add_argument("--log", action="store_true", help="show the gateway's log")
    wanted.add_parser("schema", help="print the JSON schema of a scenario file")


def run(args: Namespace) -> int:
    """0 where everything held, 1 where something did not, 2 where a path is none."""
    if args.wanted == "schema":
        json.dump(schema(), sys.stdout, indent=2)
        sys.stdout.write("\n")
        return 0
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH)
    try:
        paths = runner.files(args.paths)
        found = runner.run(paths, lambda one: _told(console, one, everything=args.all), quiet=not args.log)
    except ScenarioError as error:
        Console(stderr=True).print(f"[red]{error}[/red]", soft_wrap=True)
        return 2
    if args.json is not None:
        _write(args.json, json.dumps([_document(one) for one in found], indent=2))
    if args.diagram is not None:
        for one in found:
            _write(args.diagram / f"{one.scenario}.mmd", mermaid(f"{one.scenario} {one.title}", one.messages))
    passed = sum(one.passed for one in found)
    console.print(_summary(found))
    console.print(f"{passed} passed, {len(found) - passed} failed")
    return 0 if passed == len(found) else 1


def _told(console: Console, one: Played, *, everything: bool) -> None:
    """One scenario as it ends: what did not hold, or all of it."""
    looked = [*one.verdicts, *one.rules]
    held = sum(verdict.holds for verdict in looked)
    mark = "[green]passed[/green]" if one.passed else "[red]failed[/red]"
    console.print(f"{mark} {one.scenario} {one.title} ({held} of {len(looked)} held, {one.took_s:.1f} s)")
    if one.error:
        console.print(f"  {one.error}", soft_wrap=True, markup=False)
    shown = [*(verdict for verdict in one.verdicts if everything or not verdict.holds), *one.rules]
    if not shown:
        return
    table = Table("T", "what", "wanted", "found", "", box=None, pad_edge=True)
    for verdict in shown:
        table.add_row(
            f"{verdict.at_s:+g} s",
            verdict.what,
            verdict.wanted,
            verdict.found,
            "[green]holds[/green]" if verdict.holds else "[red]does not hold[/red]",
        )
    console.print(table)


def _summary(found: list[Played]) -> Table:
    table = Table("scenario", "title", "held", "messages", "seconds", "verdict", box=None)
    for one in found:
        looked = [*one.verdicts, *one.rules]
        held = sum(verdict.holds for verdict in looked)
        verdict = "[green]passed[/green]" if one.passed else "[red]failed[/red]"
        table.add_row(
            one.scenario,
            one.title,
            f"{held}/{len(looked)}",
            str(len(one.messages)),
            f"{one.took_s:.1f}",
            verdict,
        )
    return table


def _document(one: Played) -> dict[str, object]:
    return {
        "scenario": one.scenario,
        "title": one.title,
        "file": str(one.path),
        "passed": one.passed,
        "error": one.error,
        "seconds": round(one.took_s, 2),
        "verdicts": [
            {"at_s": v.at_s, "what": v.what, "wanted": v.wanted, "found": v.found, "holds": v.holds}
            for v in one.verdicts
        ],
        "rules": [{"what": v.what, "wanted": v.wanted, "found": v.found, "holds": v.holds} for v in one.rules],
    }


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
