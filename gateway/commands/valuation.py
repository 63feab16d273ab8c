"""What flexibility is worth in place of something else: each value with what it assumes and what moves it most.

    ampacity valuation deferral --capex 5e6 --rate 0.06 --years 3
    ampacity valuation outage --probability-less 0.02 --load-mw 1.5 --hours 4 --lost-load-per-mwh 20000
    ampacity valuation voltage --factor 0.8 --reduction-pct 2 --load-mw 12
    ampacity valuation switching --curtailment-avoided-mwh 0.8 --losses-avoided-mwh 0.1563 --price-per-mwh 30 \
        --operations-cost 20
    ampacity valuation locational --dual-per-mwh 35 --power-mw 1.2 --hours 1
    ampacity valuation compare options.csv --benefit-per-mwh 120

Options to compare have the columns name, cost (present value), energy_mwh and certainty (0 to 1).
"""

import csv
import inspect
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rich.table import Table

from gateway.commands._console import paper
from gateway.settlement import valuations
from gateway.settlement.valuations import Option, Valuation

VALUES: Final[Mapping[str, Callable[..., Valuation]]] = {
    "deferral": valuations.deferral,
    "outage": valuations.outage,
    "voltage": valuations.voltage_reduction,
    "switching": valuations.switching,
    "locational": valuations.locational,
}


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, value in VALUES.items():
        one = verbs.add_parser(name, help=(value.__doc__ or "").rstrip(".").replace("%", "%%"))
        for assumption in inspect.signature(value).parameters:
            one.add_argument(f"--{assumption.replace('_', '-')}", type=float, required=True, metavar="X")
    compared = verbs.add_parser("compare", help="options by risk-adjusted cost per MWh, the cheapest first")
    compared.add_argument("file", type=Path, metavar="FILE", help="CSV file of options")
    compared.add_argument("--benefit-per-mwh", type=float, required=True, metavar="X")


def run(args: Namespace) -> int:
    """0 when shown, 1 where the options cannot be read."""
    if args.what == "compare":
        return _compared(args)
    value = VALUES[args.what]
    found = value(**{name: getattr(args, name) for name in inspect.signature(value).parameters})
    print(f"{found.name}: {found.value:,.3f} {found.unit}")
    table = Table("assumption", "is", f"a tenth more changes it by, {found.unit}", box=None)
    for name, amount in found.assumptions.items():
        table.add_row(name, f"{amount:g}", f"{found.sensitivity[name]:+,.3f}")
    paper().print(table)
    return 0


def _compared(args: Namespace) -> int:
    try:
        with args.file.open(encoding="utf-8-sig", newline="") as stream:
            options = [_option(line, row) for line, row in enumerate(csv.DictReader(stream), start=2)]
    except (OSError, ValueError) as error:
        print(f"ampacity valuation: {args.file}: {error}", file=sys.stderr)
        return 1
    table = Table("option", "cost $", "MWh", "certainty", "$/MWh", "$/MWh for sure", "net value $", box=None)
    for one in valuations.compared(options, args.benefit_per_mwh):
        option = one.option
        figures = (option.cost, option.energy_mwh, option.certainty, one.cost_per_mwh, one.risk_adjusted_per_mwh)
        table.add_row(option.name, *(f"{figure:,.2f}" for figure in (*figures, one.net_value)))
    paper().print(table)
    return 0


def _option(line: int, row: Mapping[str, str]) -> Option:
    try:
        return Option(row["name"], float(row["cost"]), float(row["energy_mwh"]), float(row["certainty"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"line {line}: {error} cannot be read; columns are name, cost, energy_mwh, certainty"
        ) from error
