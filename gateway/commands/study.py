"""Study a zone as a planner: a day of power flows, envelopes, hosting capacity, N-1 and short circuit.

Works on the zone file alone; nothing is connected or controlled. Writes one HTML file with plots and
prints what matters. Without a profile the load follows a typical day and solar parks the clear sky.
"""

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from config.loader import ConfigError, load
from gateway.planned_day import Customers, Day, DayError, day_study
from gateway.planned_year import Year, read_year
from gateway.planner import Asked, Question, Watch, findings
from gateway.reports.study import SUMMARY, as_page, summary
from gateway.translate.facts import zone_facts
from grid_engine.envelopes.words import Sharing
from grid_engine.importers.any import load as load_network
from grid_engine.importers.day import DayError as DayFileError
from grid_engine.importers.day import load as load_day
from grid_engine.importers.series import SeriesError, read_series
from grid_engine.model import Network, NetworkError
from grid_engine.partition import split, strangers
from grid_engine.results import Study
from grid_engine.studies.study_faults import faults

DEFAULT_DAY = date(2026, 7, 15)
_PLAIN_WIDTH = 160
_MINUTE_S = 60
_DAY_MIN = 24 * 60


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    every = ", ".join(Question)
    parser.add_argument("zone", type=Path, metavar="ZONE", help="zone file (YAML)")
    parser.add_argument(
        "--day", type=_date, metavar="DATE", help="default: 2026-07-15; with --year, that of its highest load"
    )
    parser.add_argument("--step", type=_minutes, default=15, metavar="MINUTES", help="of an interval (default: 15)")
    parser.add_argument(
        "--profile", type=Path, metavar="CSV", help="columns time, load (a factor) and device ids (MW injected)"
    )
    parser.add_argument(
        "--year", type=Path, metavar="CSV", help="columns time and loads or buses (MW consumed), 8,760 hours"
    )
    parser.add_argument("--only", type=_questions, default=tuple(Question), metavar="LIST", help=f"of {every}")
    parser.add_argument("--at", type=_clock, default=720, metavar="HH:MM", help="of hosting and N-1 (default: 12:00)")
    parser.add_argument("--hosting-max", type=_positive, default=10.0, metavar="MW", help="tried most (default: 10)")
    parser.add_argument("--sharing", type=Sharing, choices=tuple(Sharing), default=Sharing.MAXIMUM, help="of envelopes")
    parser.add_argument(
        "--utilisation", type=_part, default=0.0, metavar="PART", help="of envelopes: surely used (default: 0, robust)"
    )
    parser.add_argument("--out", type=Path, default=Path("build/study.html"), metavar="FILE", help="the report")


def run(args: Namespace) -> int:
    """0 where the report was written, 1 where the zone, a network or the profile is faulty."""
    try:
        subject = _read(args)
    except ConfigError as error:
        print(*error.faults, sep="\n", file=sys.stderr)
        return 1
    except (NetworkError, SeriesError, DayFileError) as error:
        print(*(f"ampacity study: {error.source}: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
        return 1
    except (DayError, OSError) as error:
        print(f"ampacity study: {error}", file=sys.stderr)
        return 1
    wrong = [
        f"{f or 'zone'}: {fault}" for f, net in subject.networks.items() for fault in faults(net, subject.studies[f])
    ]
    if wrong:
        print(*(f"ampacity study: {fault}" for fault in wrong), sep="\n", file=sys.stderr)
        return 1
    console = Console(width=None if sys.stdout.isatty() else _PLAIN_WIDTH, highlight=False)
    interval = args.at // args.step
    asked = Asked(args.only, interval, args.hosting_max * 1e6, args.sharing, utilisation=args.utilisation)
    with _progress(console) as watch:
        found = [
            findings(f, net, subject.studies[f], subject.with_year(asked, f), watch)
            for f, net in subject.networks.items()
        ]
    lead = (
        f"{subject.day.on.isoformat()} in intervals of {args.step} minutes, network version {subject.version}; "
        f"hosting capacity and N-1 at {subject.day.label(interval)}."
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(as_page(f"Study of {subject.title}", lead, found, subject.day.label), encoding="utf-8")
    table = Table(*SUMMARY, box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for one in found:
        table.add_row(*map(str, summary(one)))
    console.print(table)
    console.print(f"report: {args.out}")
    return 0


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is studied."""

    title: str
    version: str
    day: Day
    networks: Mapping[str, Network]
    studies: Mapping[str, Study]
    year: Year | None = None
    hours: Mapping[str, Study] = field(default_factory=dict)
    """The year of each feeder, where it is known."""

    def with_year(self, asked: Asked, feeder: str) -> Asked:
        """What is asked of a feeder."""
        if self.year is None:
            return asked
        return replace(asked, year=self.hours[feeder], year_label=self.year.span.label)


def _read(args: Namespace) -> _Subject:
    zone = load(args.zone)
    sources = zone.network.sources
    networks = {feeder: load_network(Path(path), zone.network.version) for feeder, path in sources.items()}
    profile = read_series(args.profile) if args.profile else None
    own_day = zone.network.day
    offset_h = zone.zone.utc_offset_h if own_day is None else own_day.utc_offset_h
    offset_s = round(offset_h * 3600)
    year = read_year(args.year, networks, offset_s) if args.year else None
    day = Day(args.day or (DEFAULT_DAY if year is None else year.peak_day()), args.step * _MINUTE_S, offset_s)
    loads = frozenset(name for network in networks.values() for name in network.loads.ids)
    customers = None if own_day is None else Customers(load_day(own_day.source), loads)
    facts = zone_facts(zone, float(day.starts_s[0]))

    def studied(span: Day, nodal_w: Mapping[str, tuple[float, ...]] | None) -> dict[str, Study]:
        given = None if span.days > 1 else profile
        return _by_feeder(day_study(zone, facts, span, given, customers, nodal_w=nodal_w), networks)

    studies = studied(day, None if year is None else year.of_day(day))
    hours = {} if year is None else studied(year.span, year.series())
    return _Subject(zone.zone.name or zone.zone.id, zone.network.version, day, networks, studies, year, hours)


def _by_feeder(study: Study, networks: Mapping[str, Network]) -> dict[str, Study]:
    if set(networks) == {""}:
        return {"": study}
    stray = strangers(study, networks)
    if stray:
        raise DayError(f"in no feeder of the zone: {', '.join(stray)}")
    return split(study, networks)


@contextmanager
def _progress(console: Console) -> Iterator[Watch]:
    """Bars on a terminal; elsewhere one line when something begins."""
    if not console.is_terminal:

        def tell(what: str, parts: int) -> Callable[[int], None]:
            console.print(f"{what} ({parts})")
            return lambda _: None

        yield tell
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:

        def watch(what: str, parts: int) -> Callable[[int], None]:
            task = bars.add_task(what, total=parts)
            return lambda done: bars.update(task, completed=done)

        yield watch


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no date; write it as 2026-07-15") from error


def _minutes(text: str) -> int:
    if not text.isdecimal() or not int(text) or _DAY_MIN % int(text):
        raise ArgumentTypeError(f"{text!r} does not divide a day; write 5, 15, 30 or 60")
    return int(text)


def _clock(text: str) -> int:
    hours, _, minutes = text.partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and int(hours) < 24 and int(minutes) < 60):
        raise ArgumentTypeError(f"{text!r} is no time of day; write it as 12:00")
    return 60 * int(hours) + int(minutes)


def _questions(text: str) -> tuple[Question, ...]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in words if word not in tuple(Question)]
    if unknown or not words:
        raise ArgumentTypeError(f"{text!r}: choose of {', '.join(Question)}")
    return tuple(Question(word) for word in words)


def _positive(text: str) -> float:
    value = _number(text)
    if value <= 0:
        raise ArgumentTypeError(f"{text!r} is not positive")
    return value


def _part(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no number") from error
