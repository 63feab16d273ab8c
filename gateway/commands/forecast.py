"""Give a running gateway the forecasts of others, or show which it uses.

    ampacity forecast import zone.yaml forecast.csv --source weather-co --issued 2026-07-15T06:00Z
    ampacity forecast list zone.yaml

The file has the column time and one per target: a DER (MW injected), a load of the network (MW consumed), or `load`
(the factor on every load). Of several issues the newest counts. Where a source is not heard of for longer than
`network.forecast_valid_s`, what is configured or was measured last stands in, and an alarm says so.
"""

import sys
from argparse import ArgumentParser, Namespace
from math import isfinite
from pathlib import Path

from gateway.commands import _console
from gateway.commands._console import Answer
from gateway.commands._console_tables import time_of
from gateway.commands._der_client import Operator, OperatorError
from gateway.commands._der_tables import Column, at, table
from gateway.commands._moments import moment_argument
from gateway.coordination.forecasts import LOADS
from grid_engine.importers.series import SeriesError, read_series

FORECASTS: tuple[Column, ...] = (
    ("source", at("source")),
    ("issue", at("issue")),
    ("issued", time_of("issued_s")),
    ("from", time_of("start_s")),
    ("until", time_of("end_s")),
    ("in use", lambda row: "yes" if row["in_use"] else "no"),
    ("targets", lambda row: ", ".join(row["targets"])),
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    _console.add_zone(verbs.add_parser("list", help="the newest issue of each source"))
    bring = verbs.add_parser("import", help="an issue as CSV")
    _console.add_zone(bring)
    _console.add_by(bring)
    bring.add_argument("file", type=Path, metavar="CSV")
    bring.add_argument("--source", required=True, metavar="NAME", help="who says so")
    bring.add_argument("--issued", type=moment_argument, metavar="TIME", help="when it was made (default: now)")


def run(args: Namespace) -> int:
    """0 when done, 1 where the gateway refuses or none runs, or the file is faulty."""
    try:
        return _console.answered("forecast", args, _forecast)
    except SeriesError as error:
        print(*(f"ampacity forecast: {args.file.name}: {fault}" for fault in error.faults), sep="\n", file=sys.stderr)
    except OSError as error:
        print(f"ampacity forecast: {error}", file=sys.stderr)
    return 1


def _forecast(operator: Operator, args: Namespace) -> Answer:
    if args.verb == "list":
        found = operator.get("forecasts")
        return found, table(FORECASTS, found["forecasts"]) if found["forecasts"] else "no forecast so far"
    readings = read_series(args.file)
    values: dict[str, list[float]] = {}
    for name, series in zip(readings.ids, readings.value.tolist(), strict=True):
        if not all(map(isfinite, series)):
            raise OperatorError(f"{args.file.name}: {name} has gaps; an issue says something of every step")
        values[name] = series if name == LOADS else [1e6 * power for power in series]
    body = {
        "by": args.by,
        "source": args.source,
        "issued_s": operator.get("status")["at_s"] if args.issued is None else args.issued,
        "start_s": readings.start_s,
        "step_s": readings.step_s,
        "values": values,
    }
    made = operator.post("forecasts", body=body)
    return made, table(FORECASTS, [made])
