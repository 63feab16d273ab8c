"""Meter data and accounts as a meter data management system and a customer system export them: CSV, checked by line."""

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from gateway.settlement.vee import Step, VeeRules, Verified, verified
from gateway.settlement.words import MeterInterval, MeterQuality, MeterSource

COLUMNS = ("resource", "meter", "start", "length_s", "kwh_del", "kwh_rec")
"""`kwh_del` went into the grid, `kwh_rec` came from it; both empty where the meter said nothing."""
LENGTHS_S = (60.0, 300.0, 900.0, 1800.0, 3600.0)
ACCOUNT_COLUMNS = ("resource", "account")
MOST = 100_000
"""Intervals that one gap-free series may have; more is a mistake in a date."""


class MeterFileError(ValueError):
    """The file cannot be used; `faults` says everything that is wrong with it, with its lines."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Read:
    """One row: what a meter said, or that it said nothing."""

    resource: str
    meter: str
    start_s: float
    length_s: float
    energy_wh: float | None


def readings(text: str, known: Sequence[str]) -> tuple[Read, ...]:
    """The rows of a file of meter data.

    Args:
        known: resources of the zone.

    Raises:
        MeterFileError: with every fault found.
    """
    faults: list[str] = []
    found: list[Read] = []
    seen: dict[tuple[str, str, float], int] = {}
    for line, row in _rows(text, COLUMNS, faults):
        try:
            one = _read(row, known)
        except ValueError as error:
            faults.append(f"line {line}: {error}")
            continue
        key = (one.resource, one.meter, one.start_s)
        if key in seen:
            faults.append(f"line {line}: {one.meter} has the interval of {row['start']} in line {seen[key]} already")
        seen.setdefault(key, line)
        found.append(one)
    if not found and not faults:
        faults.append("the file has no intervals")
    if faults:
        raise MeterFileError(faults)
    return tuple(found)


def validated(
    rows: Sequence[Read],
    source: MeterSource,
    capacity_w: Mapping[str, float],
    asked: Mapping[str, Sequence[Step]] | None = None,
) -> dict[str, tuple[Verified, ...]]:
    """Every meter's intervals from its first to its last, validated and estimated, by resource.

    Args:
        asked: what was asked of each resource, as far as it is known.

    Raises:
        MeterFileError: a meter has intervals of several lengths, or the file spans too long.
    """
    meters: dict[tuple[str, str], list[Read]] = defaultdict(list)
    for row in rows:
        meters[row.resource, row.meter].append(row)
    found: dict[str, list[Verified]] = defaultdict(list)
    for (resource, meter), said in meters.items():
        lengths = {one.length_s for one in said}
        if len(lengths) > 1:
            raise MeterFileError([f"meter {meter} has intervals of {sorted(lengths)} s; import one length at a time"])
        length_s, first_s, last_s = lengths.pop(), min(r.start_s for r in said), max(r.start_s for r in said)
        count = round((last_s - first_s) / length_s) + 1
        if count > MOST:
            raise MeterFileError([f"meter {meter} spans {count} intervals; look for a wrong date"])
        good = MeterQuality.GOOD
        known = [
            MeterInterval(meter, r.start_s, length_s, r.energy_wh, good, source)
            for r in said
            if r.energy_wh is not None
        ]
        if known:
            steps = (asked or {}).get(resource, ())
            found[resource] += verified(known, first_s, count, VeeRules(capacity_w[resource]), asked=steps)
    return {resource: tuple(values) for resource, values in found.items()}


def accounts(text: str, known: Sequence[str]) -> dict[str, str]:
    """Account of each resource, from a file of the customer information system.

    Raises:
        MeterFileError: with every fault found.
    """
    faults: list[str] = []
    found: dict[str, str] = {}
    for line, row in _rows(text, ACCOUNT_COLUMNS, faults):
        resource, account = row["resource"], row["account"]
        if resource not in known:
            faults.append(f"line {line}: {resource!r} is no resource of the zone; use one of {', '.join(known)}")
        elif not account or len(account) > 64 or not account.isprintable():
            faults.append(f"line {line}: {resource} has no account of 1 to 64 printable characters")
        elif resource in found:
            faults.append(f"line {line}: {resource} has an account already")
        found.setdefault(resource, account)
    if faults:
        raise MeterFileError(faults)
    return found


def _rows(text: str, columns: Sequence[str], faults: list[str]) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    missing = [name for name in columns if name not in (reader.fieldnames or ())]
    if missing:
        faults.append(f"line 1: column {', '.join(missing)} is missing; the columns are {', '.join(columns)}")
        return
    for row in reader:
        yield reader.line_num, {name: (row[name] or "").strip() for name in columns}


def _read(row: Mapping[str, str], known: Sequence[str]) -> Read:
    if row["resource"] not in known:
        raise ValueError(f"{row['resource']!r} is no resource of the zone; use one of {', '.join(known)}")
    if not row["meter"]:
        raise ValueError("the meter has no name")
    moment = datetime.fromisoformat(row["start"])
    if moment.tzinfo is None:
        raise ValueError(f"{row['start']} has no offset from UTC; write for example 2026-01-31T17:05:00Z")
    length_s = _number(row["length_s"], "length_s")
    if length_s not in LENGTHS_S:
        raise ValueError(f"length_s is {length_s:g}; use one of {', '.join(f'{s:g}' for s in LENGTHS_S)}")
    if moment.timestamp() % length_s:
        raise ValueError(f"{row['start']} is no start of an interval of {length_s:g} s")
    energy_wh = None
    if row["kwh_del"] or row["kwh_rec"]:
        energy_wh = 1e3 * (_number(row["kwh_del"] or "0", "kwh_del") - _number(row["kwh_rec"] or "0", "kwh_rec"))
    return Read(row["resource"], row["meter"], moment.timestamp(), length_s, energy_wh)


def _number(text: str, name: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"{name} {text!r} is no number") from error
    if not isfinite(value) or (name != "length_s" and value < 0):
        raise ValueError(f"{name} is {text}; it has to be finite and not negative")
    return value
