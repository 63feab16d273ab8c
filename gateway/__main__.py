"""The command line: `ampacity COMMAND`, one module of `gateway.commands` per command."""

import argparse
import ast
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, cast

from gateway import commands


class Command(Protocol):
    """What a command's module offers."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what the command takes."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it and return the exit status."""
        ...


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 failed, 2 wrongly called, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    wanted = next((one for one in arguments if not one.startswith("-")), "")
    parser = argparse.ArgumentParser(prog="ampacity", description="A DER gateway for distribution system operators.")
    parser.add_argument("--version", action="version", version=f"%(prog)s {version('ampacity')}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in _documented().items():
        one = subparsers.add_parser(
            name,
            help=_summary(text),
            description=text,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == wanted:
            # Only the command that is asked for is imported: help and completion stay fast.
            command = cast("Command", importlib.import_module(f"{commands.__name__}.{name}"))
            command.add_arguments(one)
            one.set_defaults(run=command.run)
    args = parser.parse_args(arguments)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; keep the interpreter from complaining on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _documented() -> dict[str, str]:
    """Docstring of every command's module, read without importing it."""
    found = {}
    for module in pkgutil.iter_modules(commands.__path__):
        spec = importlib.util.find_spec(f"{commands.__name__}.{module.name}")
        if spec is not None and spec.origin is not None and not module.name.startswith("_"):
            found[module.name] = ast.get_docstring(ast.parse(Path(spec.origin).read_bytes())) or ""
    return found


def _summary(text: str) -> str:
    first = text.partition("\n")[0].rstrip(".")
    return (first[:1].lower() + first[1:]).replace("%", "%%")


if __name__ == "__main__":
    sys.exit(main())
