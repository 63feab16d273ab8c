"""Reads time series from CSV: a column `time`, then one column per id, one row per step.

A time is a count of UTC epoch seconds, or ISO 8601 with its offset from UTC. An empty cell is a missing reading.
"""

import csv
import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from grid_engine.forecasting.profiles import Readings
from grid_engine.model import FloatArray

HOURS_OF_YEAR = (8760, 8784)
_HOUR_S = 3600
_MOST_FAULTS = 20


class SeriesError(Exception):
    """The file cannot be used; `faults` says what is wrong with it, by line and column."""

    def __init__(self, source: str, faults: Sequence[str]) -> None:
        more = len(faults) - _MOST_FAULTS
        shown = [*faults[:_MOST_FAULTS], f"and {more} more"] if more > 0 else faults
        super().__init__(f"{source}: " + "; ".join(shown))
        self.source = source
        self.faults = tuple(faults)


def read_series(path: Path | str) -> Readings:
    """Every series of the file; rows that are left out are missing readings.

    Raises:
        SeriesError: with every fault found.
    """
    source = Path(path)
    try:
        with source.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SeriesError(source.name, [f"it is no CSV in UTF-8: {error}"]) from error
    ids = _header(source.name, rows)
    faults: list[str] = []
    times = [_time(row, line, faults) for line, row in enumerate(rows[1:], 2) if row]
    cells = [_values(row, line, ids, faults) for line, row in enumerate(rows[1:], 2) if row]
    if not faults:
        faults += _order(times)
    if faults:
        raise SeriesError(source.name, faults)
    return _gridded(source.name, ids, times, np.array(cells, dtype=np.float64).T)


def read_nodal_year(path: Path | str, nodes: Sequence[str]) -> Readings:
    """The 8,760 hours (8,784 of a leap year) of every one of `nodes`, in their order; nothing may be missing.

    Raises:
        SeriesError: with every fault found: a node without a column, an hour without a value.
    """
    readings = read_series(path)
    row = {name: n for n, name in enumerate(readings.ids)}
    faults = [f"node {name} has no column" for name in nodes if name not in row]
    hours = readings.value.shape[1]
    if readings.step_s != _HOUR_S:
        faults.append(f"rows are {readings.step_s} s apart, not {_HOUR_S}")
    elif hours not in HOURS_OF_YEAR:
        faults.append(f"{hours} hours from the first row to the last, not {HOURS_OF_YEAR[0]} or {HOURS_OF_YEAR[1]}")
    kept = [row[name] for name in nodes if name in row]
    value = readings.value[kept]
    for name, series in zip((name for name in nodes if name in row), value, strict=True):
        gaps = np.flatnonzero(np.isnan(series))
        if len(gaps):
            faults.append(f"node {name} has no value in {len(gaps)} hours, the first at {_told(readings, gaps[0])}")
    if faults:
        raise SeriesError(Path(path).name, faults)
    return Readings(tuple(nodes), readings.start_s, readings.step_s, value)


def _told(readings: Readings, step: int) -> str:
    return f"epoch second {readings.start_s + int(step) * readings.step_s}"


def _header(source: str, rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    if len(rows) < 3:
        raise SeriesError(source, ["a header and at least two rows are needed"])
    names = [name.strip() for name in rows[0]]
    faults = [] if names[0] == "time" else [f"line 1: the first column is {names[0]!r}, not 'time'"]
    faults += [f"line 1: column {n} has no id" for n, name in enumerate(names, 1) if not name]
    faults += [
        f"line 1: id {name} stands {count} times" for name, count in Counter(names).items() if name and count > 1
    ]
    if len(names) < 2:
        faults.append("line 1: there is no column but 'time'")
    if faults:
        raise SeriesError(source, faults)
    return tuple(names[1:])


def _time(row: Sequence[str], line: int, faults: list[str]) -> int:
    text = row[0].strip()
    if text.lstrip("-").isascii() and text.lstrip("-").isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        faults.append(f"line {line}: {text!r} is neither epoch seconds nor ISO 8601")
        return 0
    if moment.tzinfo is None:
        faults.append(f"line {line}: {text!r} does not say its offset from UTC")
        return 0
    return int(moment.timestamp())


def _values(row: Sequence[str], line: int, ids: Sequence[str], faults: list[str]) -> list[float]:
    if len(row) != len(ids) + 1:
        faults.append(f"line {line}: {len(row)} cells, not {len(ids) + 1}")
        return [math.nan] * len(ids)
    return [_number(cell.strip(), line, name, faults) for name, cell in zip(ids, row[1:], strict=True)]


def _number(cell: str, line: int, name: str, faults: list[str]) -> float:
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        faults.append(f"line {line}, {name}: {cell!r} is not a finite number")
    return value


def _order(times: Sequence[int]) -> list[str]:
    step = min((later - earlier for earlier, later in pairwise(times)), default=0)
    if step <= 0:
        line = next(n for n, pair in enumerate(pairwise(times), 3) if pair[1] <= pair[0])
        return [f"line {line}: its time is not after that of the line before"]
    return [
        f"line {n}: {time} is not a multiple of the step of {step} s" for n, time in enumerate(times, 2) if time % step
    ]


def _gridded(source: str, ids: tuple[str, ...], times: Sequence[int], value: FloatArray) -> Readings:
    step_s = min(later - earlier for earlier, later in pairwise(times))
    steps = (times[-1] - times[0]) // step_s + 1
    if steps > 100 * len(times):
        raise SeriesError(source, [f"{len(times)} rows spread over {steps} steps of {step_s} s: is a time wrong?"])
    placed = np.full((len(ids), steps), np.nan)
    placed[:, (np.array(times) - times[0]) // step_s] = value
    return Readings(ids, times[0], step_s, placed)
