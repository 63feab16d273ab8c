"""What flexibility is worth in place of something else: each value with what it assumes and what moves it most.

    ampacity valuation deferral --capex 5e6 --rate 0.06 --years 3
    ampacity valuation outage --probability-less 0.02 --load-mw 1.5 --hours 4 --lost-load-per-mwh 20000
    ampacity valuation voltage --factor 0.8 --reduction-pct 2 --load-mw 12
    ampacity valuation switching --curtailment-avoided-mwh 0.8 --losses-avoided-mwh 0.1563 --price-per-mwh 30 \
        --operations-cost 20
    ampacity valuation locational --dual-per-mwh 35 --power-mw 1.2 --hours 1
    ampacity valuation ageing course.csv --rating-mva 25 --replacement-cost 1.2e6 --top-oil-rise-c 50 \
        --hot-spot-rise-c 30 --loss-ratio 6
    ampacity valuation compare options.csv --benefit-per-mwh 120

Options to compare have the columns name, cost (present value), energy_mwh and certainty (0 to 1). The load course of
a transformer has one row per step with the columns before_mva, after_mva (with gentler use) and ambient_c.
"""

import csv
import inspect
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Final

from rich.table import Table

from gateway.commands._console import paper
from gateway.settlement import valuations
from gateway.settlement.valuations import Loading, Option, Thermal, Valuation

VALUES: Final[Mapping[str, Callable[..., Valuation]]] = {
    "deferral": valuations.deferral,
    "outage": valuations.outage,
    "voltage": valuations.voltage_reduction,
    "switching": valuations.switching,
    "locational": valuations.locational,
}

MOST_PU: Final = 10.0
"""A load beyond this is taken for a slip of the pen."""

_AGEING: Final = {
    "rating-mva": "of the transformer",
    "replacement-cost": "of the transformer, dollars",
    "top-oil-rise-c": "over ambient at rated load",
    "hot-spot-rise-c": "over the top oil at rated load",
    "loss-ratio": "losses under rated load over those without load",
}


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no number") from error
    if not 0 < value < inf:
        raise ArgumentTypeError(f"{text} is not above 0")
    return value


def add_arguments(parser: ArgumentParser) -> None:
    """Declare what the command takes."""
    verbs = parser.add_subparsers(dest="what", metavar="WHAT", required=True)
    for name, value in VALUES.items():
        one = verbs.add_parser(name, help=(value.__doc__ or "").rstrip(".").replace("%", "%%"))
        for assumption in inspect.signature(value).parameters:
            one.add_argument(f"--{assumption.replace('_', '-')}", type=float, required=True, metavar="X")
    aged = verbs.add_parser("ageing", help="life that gentler use of a transformer saves, dollars (IEEE C57.91)")
    aged.add_argument("file", type=Path, metavar="FILE", help="CSV file of its load course")
    for name, text in _AGEING.items():
        aged.add_argument(f"--{name}", type=_positive, required=True, metavar="X", help=text)
    aged.add_argument("--step-h", type=_positive, default=1.0, metavar="X", help="length of a row (default: 1 h)")
    aged.add_argument(
        "--life-h",
        type=_positive,
        default=valuations.NORMAL_LIFE_H,
        metavar="X",
        help="normal life of the insulation (default: %(default)g h)",
    )
    for name, text in (("oil", "of the top oil"), ("winding", "of the hottest spot")):
        aged.add_argument(
            f"--{name}-exponent", type=_positive, default=0.8, metavar="X", help=f"{text} (default: 0.8, ONAN)"
        )
    compared = verbs.add_parser("compare", help="options by risk-adjusted cost per MWh, the cheapest first")
    compared.add_argument("file", type=Path, metavar="FILE", help="CSV file of options")
    compared.add_argument("--benefit-per-mwh", type=float, required=True, metavar="X")


def run(args: Namespace) -> int:
    """0 when shown, 1 where the file cannot be read."""
    try:
        match args.what:
            case "compare":
                return _compared(args)
            case "ageing":
                return _shown(_aged(args))
            case _:
                value = VALUES[args.what]
                return _shown(value(**{name: getattr(args, name) for name in inspect.signature(value).parameters}))
    except (OSError, ValueError) as error:
        print(f"ampacity valuation: {args.file}: {error}", file=sys.stderr)
        return 1


def _shown(found: Valuation) -> int:
    print(f"{found.name}: {found.value:,.3f} {found.unit}")
    table = Table("assumption", "is", f"a tenth more changes it by, {found.unit}", box=None)
    for name, amount in found.assumptions.items():
        table.add_row(name, f"{amount:g}", f"{found.sensitivity[name]:+,.3f}")
    paper().print(table)
    return 0


def _compared(args: Namespace) -> int:
    options = [_option(line, row) for line, row in _rows(args.file)]
    table = Table("option", "cost $", "MWh", "certainty", "$/MWh", "$/MWh for sure", "net value $", box=None)
    for one in valuations.compared(options, args.benefit_per_mwh):
        option = one.option
        figures = (option.cost, option.energy_mwh, option.certainty, one.cost_per_mwh, one.risk_adjusted_per_mwh)
        table.add_row(option.name, *(f"{figure:,.2f}" for figure in (*figures, one.net_value)))
    paper().print(table)
    return 0


def _rows(file: Path) -> list[tuple[int, Mapping[str, str]]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(enumerate(csv.DictReader(stream), start=2))


def _aged(args: Namespace) -> Valuation:
    course = [_loading(line, row, args) for line, row in _rows(args.file)]
    if not course:
        raise ValueError("it has no rows; columns are before_mva, after_mva, ambient_c")
    thermal = Thermal(
        args.top_oil_rise_c, args.hot_spot_rise_c, args.loss_ratio, args.oil_exponent, args.winding_exponent
    )
    return valuations.ageing(course, args.replacement_cost, thermal, args.life_h)


def _loading(line: int, row: Mapping[str, str], args: Namespace) -> Loading:
    try:
        before, after, ambient_c = (float(row[name]) for name in ("before_mva", "after_mva", "ambient_c"))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"line {line}: {error} cannot be read; columns are before_mva, after_mva, ambient_c"
        ) from error
    if not (all(0 <= load / args.rating_mva <= MOST_PU for load in (before, after)) and -100 <= ambient_c <= 100):
        raise ValueError(f"line {line}: loads are 0 to {MOST_PU:g} times the rating, ambient is -100 to 100 °C")
    return Loading(before / args.rating_mva, after / args.rating_mva, ambient_c, args.step_h)


def _option(line: int, row: Mapping[str, str]) -> Option:
    try:
        return Option(row["name"], float(row["cost"]), float(row["energy_mwh"]), float(row["certainty"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"line {line}: {error} cannot be read; columns are name, cost, energy_mwh, certainty"
        ) from error
