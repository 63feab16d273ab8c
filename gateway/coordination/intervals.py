"""What each market interval came to: one record for every interval since the first, those without a cycle too."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from gateway.coordination.events import IntervalClosed
from gateway.coordination.situation import Situation
from gateway.coordination.study import wish_now
from gateway.settlement.curtailment import Curtailment, Wish, taken

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
    _wishes: dict[str, list[Wish]] = field(default_factory=lambda: defaultdict(list))

    def closed(self, at: Situation) -> tuple[IntervalClosed, ...]:
        """The records that are due: of the interval that was counted, and of those that nobody was there for."""
        length_s, done_s = at.zone.clocks.interval_s, _recorded_until_s(at)
        due = min(round((at.zone.clocks.interval_start(at.now_s) - done_s) / length_s), MOST)
        if due <= 0:
            return ()
        mean_w = {resource: sum(seen) / len(seen) for resource, seen in self._seen_w.items()}
        curtailed = self._curtailed(at, done_s, done_s + length_s)
        first = IntervalClosed(done_s, done_s + length_s, self._cycles, self._solved, mean_w, curtailed)
        starts_s = [done_s + k * length_s for k in range(1, due)]
        return (first, *(IntervalClosed(start_s, start_s + length_s, 0, 0) for start_s in starts_s))

    def saw(self, at: Situation, recorded: Sequence[IntervalClosed], *, solved: bool) -> None:
        """Count a cycle, once the records that were due at its time are on the disk."""
        since_s = at.now_s
        if recorded:
            if self._cycles:
                # It went on running: what the interval began with is seen by its first cycle, a little later.
                since_s = at.zone.clocks.interval_start(at.now_s)
            self._cycles = self._solved = 0
            self._seen_w.clear()
            self._wishes.clear()
        if at.now_s < _recorded_until_s(at):
            return
        self._cycles += 1
        self._solved += solved
        for resource in at.zone.resources.values():
            power_w = at.snapshot.power_w(resource.id)
            if power_w is not None:
                self._seen_w[resource.id].append(power_w)
            self._wished(resource.id, wish_now(at, resource, since_s))

    def _wished(self, resource: str, new: Wish) -> None:
        held = self._wishes[resource]
        if not held or replace(held[-1], since_s=new.since_s) != new:
            held.append(new)

    def _curtailed(self, at: Situation, start_s: float, end_s: float) -> tuple[Curtailment, ...]:
        limits = at.book.accounts.limits
        found = (taken(r, limits.get(r, ()), wishes, start_s, end_s) for r, wishes in self._wishes.items())
        return tuple(one for of_resource in found for one in of_resource)


def _recorded_until_s(at: Situation) -> float:
    """Where the next record begins: at first, with the interval in which the zone was first looked at."""
    if at.book.closed_until_s is not None:
        return at.book.closed_until_s
    return at.zone.clocks.interval_start(at.now_s if at.book.began_s is None else at.book.began_s)
