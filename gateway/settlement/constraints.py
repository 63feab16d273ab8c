"""What each asset of the network has cost those behind it: hours in which it limited somebody, and energy taken."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.settlement.assessment import Assessment
from gateway.settlement.schedule import Held


@dataclass(frozen=True, slots=True)
class Burden:
    """One asset over a time."""

    asset: str
    hours: float
    """In which at least one resource was limited because of it."""
    curtailed_mwh: float
    """Of what was ordered, instructed or dispatched and metered meanwhile."""
    limits: int
    resources: tuple[str, ...]


def burdens(
    limits: Mapping[str, Sequence[Held]],
    found: Iterable[Assessment],
    asset_of: Mapping[str, str],
    from_s: float,
    to_s: float,
) -> tuple[Burden, ...]:
    """Every asset that limited somebody in a time, the worst first.

    Args:
        limits: as they were in force, by resource.
        found: what was measured.
        asset_of: constraint behind each limit, by its id.
    """
    spans: dict[str, list[tuple[float, float]]] = defaultdict(list)
    resources: dict[str, set[str]] = defaultdict(set)
    for resource, held in limits.items():
        for one in held:
            if one.constraint_id and one.start_s < to_s and from_s < one.end_s:
                spans[one.constraint_id].append((max(one.start_s, from_s), min(one.end_s, to_s)))
                resources[one.constraint_id].add(resource)
    curtailed_ws: dict[str, float] = defaultdict(float)
    for assessment in found:
        for p in assessment.performances:
            asset = asset_of.get(p.excused_by, "")
            if asset and from_s <= p.start_s < to_s:
                curtailed_ws[asset] += p.curtailed_w * p.length_s
    rows = (
        Burden(
            asset, _covered_s(parts) / 3600, curtailed_ws[asset] / 3.6e9, len(parts), tuple(sorted(resources[asset]))
        )
        for asset, parts in spans.items()
    )
    return tuple(sorted(rows, key=lambda row: (-row.curtailed_mwh, -row.hours, row.asset)))


def _covered_s(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds covered by at least one."""
    total_s, until_s = 0.0, float("-inf")
    for start_s, end_s in sorted(spans):
        total_s += max(0.0, end_s - max(start_s, until_s))
        until_s = max(until_s, end_s)
    return total_s
