"""`make bench`: runs the benchmarks, prints a table and writes build/bench.json."""

import argparse
import importlib
import json
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

import tests.bench
from tests.bench.rows import Benchmark, Row

BUILD = Path("build/bench.json")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="comma-separated parts of names")
    args = parser.parse_args()
    parts = [part.strip() for part in args.only.split(",") if part.strip()]
    chosen = [b for b in _benchmarks() if not parts or any(part in b.name or b.name in part for part in parts)]
    if not chosen:
        print(f"no benchmark has one of {parts} in its name; there are:", *(b.name for b in _benchmarks()))
        return 2
    rows: list[Row] = []
    for benchmark in chosen:
        print(f"running {benchmark.name} ...", file=sys.stderr, flush=True)
        rows.extend(benchmark.run())
    BUILD.parent.mkdir(exist_ok=True)
    BUILD.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    _print(rows)
    return 0


def _benchmarks() -> Iterator[Benchmark]:
    for module in pkgutil.iter_modules(tests.bench.__path__):
        if module.name.startswith("bench_"):
            yield from importlib.import_module(f"tests.bench.{module.name}").BENCHMARKS


def _print(rows: list[Row]) -> None:
    table = Table("name", "value", "unit", "peer", "peer value", "times better")
    for row in rows:
        peer_value = "" if row.peer_value is None else f"{row.peer_value:.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(row.name, f"{row.value:.4g}", row.unit, row.peer or "", peer_value, ratio)
    Console(width=None if sys.stdout.isatty() else 140).print(table)


if __name__ == "__main__":
    sys.exit(main())
