"""Reads a day of a zone's customers from the project's own format: JSON, compressed or not."""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path

import numpy as np

from grid_engine.forecasting.day import DAY_S, Day, Kind, Variation

FORMAT = "ampacity-day"
FORMAT_VERSION = 1
MAX_BYTES = 64 * 1024 * 1024
_GZIP = b"\x1f\x8b"


class DayError(Exception):
    """The file is no day that can be used; `faults` says everything that is wrong with it."""

    def __init__(self, source: str, faults: tuple[str, ...]) -> None:
        super().__init__(f"{source}: " + "; ".join(faults))
        self.source = source
        self.faults = faults


def load(path: Path | str) -> Day:
    """The day in `path`.

    Raises:
        DayError: with every fault found.
    """
    source = Path(path)
    try:
        with source.open("rb") as file:
            raw = file.read(MAX_BYTES)
        document = json.loads(gzip.decompress(raw) if raw.startswith(_GZIP) else raw)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        raise DayError(source.name, (f"cannot be read: {error}",)) from error
    return convert(document, source.name)


def convert(document: object, source: str = "day") -> Day:
    """The same from a parsed document; `source` names it in the error."""
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        raise DayError(source, (f'not a day: "format" must be "{FORMAT}"',))
    if document.get("format_version") != FORMAT_VERSION:
        raise DayError(source, (f"format_version {document.get('format_version')!r} is not {FORMAT_VERSION}",))
    faults = tuple(_faults(document))
    if faults:
        raise DayError(source, faults)
    members = document["members"]
    return Day(
        step_s=document["step_s"],
        kinds={name: _kind(entry) for name, entry in document["kinds"].items()},
        ids=tuple(member["id"] for member in members),
        kind=tuple(member["kind"] for member in members),
        size_w=np.array([member["size_w"] for member in members], dtype=np.float64),
    )


def _kind(entry: Mapping[str, object]) -> Kind:
    share = np.array(entry["share"], dtype=np.float64)
    spread = entry.get("spread", 0.0)
    return Kind(share, Variation(str(entry["variation"])), float(spread) if isinstance(spread, int | float) else 0.0)


def _faults(document: Mapping[str, object]) -> Iterator[str]:
    step_s, kinds, members = document.get("step_s"), document.get("kinds"), document.get("members")
    if not isinstance(step_s, int) or step_s <= 0 or DAY_S % step_s:
        yield f"step_s {step_s!r} is no whole part of a day"
        return
    if not isinstance(kinds, Mapping) or not isinstance(members, list):
        yield "kinds must be an object and members a list"
        return
    for name, kind in kinds.items():
        yield from (f"kind {name}: {what}" for what in _kind_faults(kind, DAY_S // step_s))
    for n, member in enumerate(members):
        yield from (f"member {n}: {what}" for what in _member_faults(member, kinds))
    ids = Counter(str(m["id"]) for m in members if isinstance(m, Mapping) and "id" in m)
    yield from (f"member {name}: there {count} times" for name, count in ids.items() if count > 1)


def _kind_faults(kind: object, steps: int) -> Iterator[str]:
    if not isinstance(kind, Mapping):
        yield "not an object"
        return
    share = kind.get("share")
    if not isinstance(share, list) or len(share) != steps or not all(_is_number(value) for value in share):
        yield f"share must be {steps} numbers"
    if kind.get("variation") not in {variation.value for variation in Variation}:
        yield f"variation {kind.get('variation')!r} is none of {', '.join(Variation)}"
    spread = kind.get("spread", 0.0)
    if not isinstance(spread, int | float) or not _is_number(spread) or not 0 <= spread <= 24:
        yield f"spread {spread!r} is not between 0 and 24"


def _member_faults(member: object, kinds: Mapping[str, object]) -> Iterator[str]:
    if not isinstance(member, Mapping) or not isinstance(member.get("id"), str):
        yield "has no id"
        return
    if member.get("kind") not in kinds:
        yield f"{member['id']} is of kind {member.get('kind')!r}, which is not there"
    size_w = member.get("size_w")
    if not isinstance(size_w, int | float) or not _is_number(size_w) or size_w < 0:
        yield f"{member['id']} has the size {size_w!r}, not a number from 0 on"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
