"""What each asset of the network has cost those behind it: hours in which it limited somebody, and energy taken."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.settlement.assessment import Assessment
from gateway.settlement.curtailment import Curtailment
from gateway.settlement.schedule import Held

Span = tuple[float, float]
"""Start and end, Unix seconds."""


@dataclass(frozen=True, slots=True)
class Burden:
    """One asset over a time."""

    asset: str
    hours: float
    """In which at least one resource was limited because of it."""
    curtailed_mwh: float
    """As it was measured for settlement while something was asked of a resource, else as limits took it."""
    limits: int
    resources: tuple[str, ...]


def burdens(
    limits: Mapping[str, Sequence[Held]],
    found: Iterable[Assessment],
    taken: Iterable[Curtailment],
    asset_of: Mapping[str, str],
    *,
    from_s: float,
    to_s: float,
) -> tuple[Burden, ...]:
    """Every asset that limited somebody in a time, the worst first.

    Args:
        limits: as they were in force, by resource.
        found: what was measured.
        taken: what limits took; left out where something was measured at the same time.
        asset_of: constraint behind each limit, by its id.
    """
    spans: dict[str, list[Span]] = defaultdict(list)
    resources: dict[str, set[str]] = defaultdict(set)
    for resource, held in limits.items():
        for one in held:
            if one.constraint_id and one.start_s < to_s and from_s < one.end_s:
                spans[one.constraint_id].append((max(one.start_s, from_s), min(one.end_s, to_s)))
                resources[one.constraint_id].add(resource)
    curtailed_ws: dict[str, float] = defaultdict(float)
    measured: dict[str, list[Span]] = defaultdict(list)
    for assessment in found:
        for p in assessment.performances:
            measured[assessment.resource].append((p.start_s, p.start_s + p.length_s))
            asset = asset_of.get(p.excused_by, "")
            if asset and from_s <= p.start_s < to_s:
                curtailed_ws[asset] += p.curtailed_w * p.length_s
    busy = {resource: merged(found) for resource, found in measured.items()}
    for part in taken:
        if part.constraint_id and from_s <= part.start_s < to_s:
            curtailed_ws[part.constraint_id] += (
                3600 * part.energy_wh * outside(busy.get(part.resource, ()), part.start_s, part.end_s)
            )
    rows = (
        Burden(
            asset, _covered_s(parts) / 3600, curtailed_ws[asset] / 3.6e9, len(parts), tuple(sorted(resources[asset]))
        )
        for asset, parts in spans.items()
    )
    return tuple(sorted(rows, key=lambda row: (-row.curtailed_mwh, -row.hours, row.asset)))


def _covered_s(spans: Iterable[Span]) -> float:
    """Seconds covered by at least one."""
    return sum(end_s - start_s for start_s, end_s in merged(spans))


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that do not touch, by time."""
    found: list[Span] = []
    for start_s, end_s in sorted(spans):
        if found and start_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end_s))
        else:
            found.append((start_s, end_s))
    return found


def outside(spans: Sequence[Span], start_s: float, end_s: float) -> float:
    """The part of a time, 0 to 1, that none of some merged spans covers."""
    first = bisect_right(spans, start_s, key=lambda span: span[1])
    last = bisect_left(spans, end_s, key=lambda span: span[0])
    covered_s = sum(min(b_s, end_s) - max(a_s, start_s) for a_s, b_s in spans[first:last])
    return 1.0 - covered_s / (end_s - start_s)
