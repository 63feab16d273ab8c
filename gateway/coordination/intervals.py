"""What each market interval came to: one record for every interval since the first, those without a cycle too."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.coordination.events import IntervalClosed
from gateway.coordination.situation import Situation

MOST = 1_000
"""Records that one cycle writes; after a longer absence the next cycles go on."""


@dataclass(slots=True)
class Tally:
    """Counts the cycles of the interval that runs; after a restart anew, while the records go on where they were.

    An interval is recorded once: where the clock is set back, nothing is counted until it is past the last record.
    """

    _cycles: int = 0
    _solved: int = 0
    _seen_w: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def closed(self, at: Situation) -> tuple[IntervalClosed, ...]:
        """The records that are due: of the interval that was counted, and of those that nobody was there for."""
        length_s, done_s = at.zone.clocks.interval_s, _recorded_until_s(at)
        due = min(round((at.zone.clocks.interval_start(at.now_s) - done_s) / length_s), MOST)
        if due <= 0:
            return ()
        mean_w = {resource: sum(seen) / len(seen) for resource, seen in self._seen_w.items()}
        first = IntervalClosed(done_s, done_s + length_s, self._cycles, self._solved, mean_w)
        starts_s = [done_s + k * length_s for k in range(1, due)]
        return (first, *(IntervalClosed(start_s, start_s + length_s, 0, 0) for start_s in starts_s))

    def saw(self, at: Situation, recorded: Sequence[IntervalClosed], *, solved: bool) -> None:
        """Count a cycle, once the records that were due at its time are on the disk."""
        if recorded:
            self._cycles = self._solved = 0
            self._seen_w.clear()
        if at.now_s < _recorded_until_s(at):
            return
        self._cycles += 1
        self._solved += solved
        for resource in at.zone.resources:
            power_w = at.snapshot.power_w(resource)
            if power_w is not None:
                self._seen_w[resource].append(power_w)


def _recorded_until_s(at: Situation) -> float:
    """Where the next record begins: at first, with the interval in which the zone was first looked at."""
    if at.book.closed_until_s is not None:
        return at.book.closed_until_s
    return at.zone.clocks.interval_start(at.now_s if at.book.began_s is None else at.book.began_s)
