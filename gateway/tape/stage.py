"""What every played device needs: where in its recording it is, and how its link stood then."""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

from gateway.tape.deck import LOST
from gateway.tape.words import Kind, Recording


class _Timed(Protocol):
    """Has its time in the recording."""

    @property
    def at_s(self) -> float:
        """Since the start."""


T = TypeVar("T", bound=_Timed)


class Stage:
    """The time of a recording as it passes again, over and over unless it is played once."""

    def __init__(self, recording: Recording, steady_s: Callable[[], float], *, speed: float, once: bool) -> None:
        """`steady_s` is a clock that never goes back."""
        self.recording = recording
        self._steady_s, self._speed, self._once = steady_s, speed, once
        self._began_s = steady_s()
        self._links = recording.of(Kind.FAULT)
        self._link_times = [line.at_s for line in self._links]

    @property
    def length_s(self) -> float:
        """Of one round."""
        return max(self.recording.ends_s, 1e-3)

    @property
    def passed_s(self) -> float:
        """Recorded time since the beginning, all rounds together."""
        return (self._steady_s() - self._began_s) * self._speed

    @property
    def at_s(self) -> float:
        """Where in the recording it is now; at its end where it is played once."""
        return min(self.passed_s, self.length_s) if self._once else self.passed_s % self.length_s

    @property
    def ran_s(self) -> float:
        """Since the beginning, on the clock that never goes back."""
        return self._steady_s() - self._began_s

    def placed_s(self, at_s: float, told_at_s: float) -> float:
        """Seconds from the beginning to when a time of the recording passes, in the round in which it was told."""
        rounds = 0.0 if self._once else self.passed_s // self.length_s
        if rounds and told_at_s > self.at_s:
            rounds -= 1  # it is the rest of the round that has ended
        return (rounds * self.length_s + at_s) / self._speed

    @property
    def is_lost(self) -> bool:
        """Whether the link was lost at this time of the recording."""
        at = bisect_right(self._link_times, self.at_s)
        return at > 0 and self._links[at - 1].what.get("what") == LOST


class Cue(Generic[T]):
    """Hands out lines, or what was made of them, when their time has come; after a round it begins anew."""

    def __init__(self, stage: Stage, lines: Sequence[T]) -> None:
        self._stage = stage
        self._lines = lines
        self._next = 0
        self._at_s = 0.0

    def due(self) -> Iterator[T]:
        """Lines that have become due since the last call, in order; the rest of a round that has ended included."""
        at_s = self._stage.at_s
        if at_s < self._at_s:
            yield from self._until(float("inf"))
            self._next = 0
        self._at_s = at_s
        yield from self._until(at_s)

    def _until(self, at_s: float) -> Iterator[T]:
        while self._next < len(self._lines) and self._lines[self._next].at_s <= at_s:
            yield self._lines[self._next]
            self._next += 1
