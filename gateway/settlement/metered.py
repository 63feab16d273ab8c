"""Energy by interval from power that was sampled: what telemetry says where no meter does."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise

from gateway.settlement.words import MeterInterval, MeterQuality, MeterSource

COVERED = 0.5
"""Least part of an interval that samples have to cover for it to count as measured."""
WHOLE = 0.9
"""Below this part it counts as estimated."""
LONGEST = 24
"""Intervals in a row that a straight line may bridge."""

Sample = tuple[float, float]
"""Time (Unix seconds UTC) and power (W)."""


def energies(
    samples: Sequence[Sample], meter: str, windows: Sequence[tuple[float, float]], longest_gap_s: float
) -> list[MeterInterval]:
    """Energy of each window (start and length) that the samples cover, on straight lines between them.

    Args:
        samples: in order of time; some before and after the windows make the ends exact.
        longest_gap_s: power is unknown between samples further apart than this.
    """
    times = [time_s for time_s, _ in samples]
    found: list[MeterInterval] = []
    for start_s, length_s in windows:
        first = max(bisect_left(times, start_s) - 1, 0)
        last = bisect_left(times, start_s + length_s) + 1
        covered_s, energy_ws = _covered(samples[first:last], start_s, start_s + length_s, longest_gap_s)
        if covered_s < COVERED * length_s:
            continue
        quality = MeterQuality.GOOD if covered_s >= WHOLE * length_s else MeterQuality.ESTIMATED
        energy_wh = energy_ws / covered_s * length_s / 3600
        found.append(MeterInterval(meter, start_s, length_s, energy_wh, quality, MeterSource.TELEMETRY))
    return found


def _covered(samples: Sequence[Sample], start_s: float, end_s: float, longest_gap_s: float) -> tuple[float, float]:
    """Seconds that are known, and the energy in them, W s."""
    covered_s = energy_ws = 0.0
    for (one_s, one_w), (other_s, other_w) in pairwise(samples):
        low_s, high_s = max(one_s, start_s), min(other_s, end_s)
        if other_s - one_s > longest_gap_s or high_s <= low_s:
            continue
        slope = (other_w - one_w) / (other_s - one_s)
        middle_w = one_w + slope * ((low_s + high_s) / 2 - one_s)
        covered_s += high_s - low_s
        energy_ws += middle_w * (high_s - low_s)
    if samples and samples[-1][0] < end_s and end_s - samples[-1][0] <= longest_gap_s:
        rest_s = end_s - max(samples[-1][0], start_s)
        covered_s, energy_ws = covered_s + rest_s, energy_ws + rest_s * samples[-1][1]
    return covered_s, energy_ws


def resampled(intervals: Iterable[MeterInterval], windows: Sequence[tuple[float, float]]) -> list[MeterInterval]:
    """A meter's energy in other windows: those that its intervals cover, each taken as even in itself."""
    known = sorted(intervals, key=lambda one: one.start_s)
    found: list[MeterInterval] = []
    for start_s, length_s in windows:
        parts = [
            (one, min(one.start_s + one.length_s, start_s + length_s) - max(one.start_s, start_s))
            for one in known
            if one.start_s < start_s + length_s and start_s < one.start_s + one.length_s
        ]
        if sum(overlap_s for _, overlap_s in parts) < length_s - 1e-6:
            continue
        energy_wh = sum(one.power_w * overlap_s / 3600 for one, overlap_s in parts)
        worst = max((one.quality for one, _ in parts), key=list(MeterQuality).index)
        found.append(MeterInterval(parts[0][0].meter, start_s, length_s, energy_wh, worst, parts[0][0].source))
    return found


def filled(known: Sequence[MeterInterval], windows: Sequence[tuple[float, float]], meter: str) -> list[MeterInterval]:
    """One interval per window: what is missing lies on the line between its neighbours, up to `LONGEST` in a row.

    Beyond that it is bad, with no energy.
    """
    by_start = {one.start_s: one for one in known if one.quality is not MeterQuality.BAD}
    places = [n for n, (start_s, _) in enumerate(windows) if start_s in by_start]
    result: list[MeterInterval] = []
    for n, (start_s, length_s) in enumerate(windows):
        if start_s in by_start:
            result.append(by_start[start_s])
            continue
        before = next((m for m in reversed(places) if m < n), None)
        after = next((m for m in places if m > n), None)
        source = known[0].source if known else MeterSource.TELEMETRY
        if before is None or after is None or after - before - 1 > LONGEST:
            result.append(MeterInterval(meter, start_s, length_s, 0.0, MeterQuality.BAD, source))
            continue
        low_w, high_w = by_start[windows[before][0]].power_w, by_start[windows[after][0]].power_w
        power_w = low_w + (high_w - low_w) * (n - before) / (after - before)
        estimated = MeterQuality.ESTIMATED
        result.append(MeterInterval(meter, start_s, length_s, power_w * length_s / 3600, estimated, source))
    return result


def power_at(samples: Sequence[Sample], time_s: float) -> float | None:
    """The last sample up to a moment, else the first after it; nothing where there is none."""
    if not samples:
        return None
    place = bisect_left([t for t, _ in samples], time_s + 1e-6) - 1
    return samples[max(place, 0)][1]
