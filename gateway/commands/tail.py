"""Show log lines for people: aligned, coloured and filtered.

Reads the JSON lines that the gateway writes, from a file or from standard input:

    ampacity run zone.yaml | ampacity tail
    ampacity tail --follow --level warning --event 'limit.*' --since 10m gateway.log

What is not a JSON line is shown as it is, unless a filter is given.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO

import orjson

from gateway.clock import wall
from gateway.commands._moments import duration, moment
from gateway.logs.catalogue import LEVELS
from gateway.logs.line import human, stamp

POLL_S = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument("file", nargs="?", default="-", metavar="FILE", help="log file; - or nothing: standard input")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as the file grows, also when it is rotated")
    parser.add_argument("-e", "--event", action="append", default=[], metavar="PATTERN", help="such as 'limit.*'")
    parser.add_argument("-r", "--resource", action="append", default=[], metavar="ID", help="such as A")
    parser.add_argument("-l", "--level", choices=LEVELS, default=LEVELS[0], help="and above")
    parser.add_argument("-c", "--cycle", metavar="ID", help="lines of one cycle")
    parser.add_argument("-s", "--since", type=_since, metavar="TIME", help="2026-05-31T12:00-05:00, or 10m, 2h, 1d ago")
    parser.add_argument("--json", action="store_true", help="filter only: pass the lines on as they are")
    parser.add_argument("--colour", choices=("auto", "always", "never"), default="auto", help="auto: on a terminal")


def run(args: argparse.Namespace) -> int:
    """0 when the input has ended, 1 where it cannot be read."""
    wanted = Filter(
        events=tuple(args.event),
        resources=frozenset(args.resource),
        level=args.level,
        cycle=args.cycle,
        since=args.since,
    )
    coloured = (
        sys.stdout.isatty() and "NO_COLOR" not in os.environ if args.colour == "auto" else args.colour == "always"
    )
    try:
        for line in shown(_lines(args.file, follow=args.follow), wanted, colour=coloured, as_json=args.json):
            print(line, flush=True)
    except FileNotFoundError:
        print(f"ampacity tail: there is no file {args.file}", file=sys.stderr)
        return 1
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"ampacity tail: cannot read {args.file}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which lines are wanted; what is empty admits everything."""

    events: tuple[str, ...] = ()
    """Patterns with `*` and `?`, any of which may fit."""
    resources: frozenset[str] = frozenset()
    level: str = LEVELS[0]
    """The mildest that is wanted."""
    cycle: str | None = None
    since: str | None = None
    """ISO 8601 as in the lines."""

    @property
    def is_open(self) -> bool:
        """True where everything is wanted."""
        return self == Filter()

    def admits(self, fields: Mapping[str, object]) -> bool:
        """True where a line with these fields is wanted."""
        event, level = str(fields.get("event", "")), str(fields.get("level", ""))
        return (
            (not self.events or any(fnmatchcase(event, pattern) for pattern in self.events))
            and (not self.resources or fields.get("resource") in self.resources)
            and (level not in LEVELS or _rank(level) >= _rank(self.level))
            and (self.cycle is None or fields.get("cycle_id") == self.cycle)
            and (self.since is None or str(fields.get("time", "")) >= self.since)
        )


def shown(lines: Iterable[bytes], wanted: Filter, *, colour: bool, as_json: bool = False) -> Iterator[str]:
    """The wanted lines as text."""
    for line in lines:
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        fields = _fields(line)
        if fields is None:
            if wanted.is_open and not as_json:
                yield text
        elif wanted.admits(fields):
            yield text if as_json else human(fields, colour=colour)


def grown(path: Path, wait: Callable[[], bool]) -> Iterator[bytes]:
    """The lines of a file, then those that are added to it or to the file that takes its name.

    Args:
        wait: Called at the end of the file; returns when to look again, and False to stop.
    """
    stream = path.open("rb")
    try:
        rest = b""
        while True:
            for line in stream:
                rest += line
                if rest.endswith(b"\n"):
                    yield rest
                    rest = b""
            if _replaced(path, stream):
                stream.close()
                stream, rest = path.open("rb"), b""
            elif not wait():
                return
    finally:
        stream.close()


def _replaced(path: Path, stream: BinaryIO) -> bool:
    """True where the name stands for another file by now, or the file was cut."""
    held = os.fstat(stream.fileno())
    try:
        named = path.stat()
    except FileNotFoundError:
        return False  # between two files
    return (named.st_dev, named.st_ino) != (held.st_dev, held.st_ino) or named.st_size < stream.tell()


def _lines(file: str, *, follow: bool) -> Iterable[bytes]:
    if file == "-":
        return sys.stdin.buffer
    return grown(Path(file), _pause if follow else lambda: False)


def _pause() -> bool:
    time.sleep(POLL_S)
    return True


def _fields(line: bytes) -> dict[str, object] | None:
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return fields if isinstance(fields, dict) and "event" in fields else None


def _rank(level: str) -> int:
    return next(number for number, name in enumerate(LEVELS) if name == level)


def _since(text: str) -> str:
    """A time, or a time ago, as lines say it."""
    try:
        return stamp(wall() - duration(text))
    except argparse.ArgumentTypeError:
        pass
    try:
        return stamp(moment(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; or how long ago, as 10m, 2h, 1d") from error
