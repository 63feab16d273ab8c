"""What the operator's commands have in common: which gateway, who asks, and how the answer is shown."""

import getpass
import json
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Final

from rich.console import Console, Group, RenderableType

from config.loader import ConfigError, load
from gateway.commands._der_client import Json, Operator, OperatorError
from gateway.console.serving import URL_FILE

PLAIN_WIDTH: Final = 170
"""Columns where the output is no terminal."""

Answer = tuple[Json, RenderableType | str]
"""What the gateway said, and the same for a person."""


def add_zone(parser: ArgumentParser) -> None:
    """Declare which gateway is meant."""
    parser.add_argument(
        "zone", type=Path, metavar="ZONE", help="zone file of a running gateway, or its storage directory"
    )
    parser.add_argument("--storage", type=Path, metavar="DIR", help="where it keeps its state, if not as the file says")
    parser.add_argument("--json", action="store_true", help="for machines: what the gateway answers, in SI units")


def add_by(parser: ArgumentParser) -> None:
    """Declare who acts."""
    parser.add_argument("--by", default=_me(), metavar="NAME", help="who acts, for the journal (default: %(default)s)")


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def megawatts(text: str) -> float:
    """A power in MW as watts."""
    try:
        return float(text) * 1e6
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no number of megawatts") from error


def operator(args: Namespace) -> Operator:
    """The running gateway of a zone.

    Raises:
        OperatorError: the zone file has faults, or no gateway runs there.
    """
    kept = directory(args)
    if not (kept / URL_FILE).exists():
        raise OperatorError(
            f"no gateway runs on {kept}: {URL_FILE} is not there; start one with `ampacity run ZONE`, or name its "
            "storage directory with --storage"
        )
    return Operator.of(kept, url_file=URL_FILE)


def directory(args: Namespace) -> Path:
    """Where the gateway keeps its state.

    Raises:
        OperatorError: the zone file has faults.
    """
    found: Path = args.storage or (args.zone if args.zone.is_dir() else _directory(args.zone))
    return found


def _directory(zone: Path) -> Path:
    try:
        return Path(load(zone).storage.directory)
    except ConfigError as error:
        raise OperatorError("; ".join(map(str, error.faults))) from error


def answered(command: str, args: Namespace, ask: Callable[[Operator, Namespace], Answer]) -> int:
    """Ask, and show what came back; 1 where the gateway refuses or none runs, and then says what to do."""
    try:
        answer, shown = ask(operator(args), args)
    except OperatorError as error:
        print(f"ampacity {command}: {error}", file=sys.stderr)
        return 1
    show(args, answer, shown)
    return 0


def show(args: Namespace, answer: Json, shown: RenderableType | str) -> None:
    """For a machine or for a person."""
    if args.json:
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    else:
        paper().print(shown)


def paper() -> Console:
    """Where it is shown to people."""
    return Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False, markup=False, emoji=False)


def under(*parts: RenderableType | str) -> Group:
    """One below the other."""
    return Group(*parts)
