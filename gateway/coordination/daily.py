"""Powers that repeat every day: what loads and units of the network are expected to draw and inject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class DayClock:
    """Which time of day it is for the customers; a part of the day may be played over and over."""

    utc_offset_s: float = 0.0
    """How far it is ahead of UTC."""
    from_s: float = 0.0
    """Where the part begins, seconds after midnight."""
    to_s: float = DAY_S
    """Where it ends and begins anew."""
    speed: float = 1.0

    def at(self, time_s: float) -> float:
        """Seconds after midnight at a moment, Unix seconds UTC."""
        passed_s = (time_s + self.utc_offset_s) * self.speed
        return self.from_s + (passed_s - self.from_s) % (self.to_s - self.from_s)


@dataclass(frozen=True, slots=True)
class Member:
    """Someone whose power follows a kind."""

    kind: str
    size_w: float


@dataclass(frozen=True, slots=True)
class Daily:
    """A day by kind of customer."""

    clock: DayClock
    step_s: float
    shares: Mapping[str, tuple[float, ...]]
    """Of size by kind, mean over each step from midnight on."""
    loads: Mapping[str, Member]
    """Consumption of the network's loads by id."""
    units: Mapping[str, Member]
    """Injection of the network's units by id."""

    def load_w(self, times_s: Sequence[float]) -> dict[str, tuple[float, ...]]:
        """Expected consumption of every load at each of some moments."""
        return self._powers(self.loads, times_s)

    def unit_w(self, times_s: Sequence[float]) -> dict[str, tuple[float, ...]]:
        """Expected injection of every unit at each of some moments."""
        return self._powers(self.units, times_s)

    def _powers(self, members: Mapping[str, Member], times_s: Sequence[float]) -> dict[str, tuple[float, ...]]:
        shares = {kind: tuple(self._share(kind, time_s) for time_s in times_s) for kind in self.shares}
        return {
            name: tuple(round(member.size_w * share, 1) for share in shares[member.kind])
            for name, member in members.items()
        }

    def _share(self, kind: str, time_s: float) -> float:
        """Between the middles of the steps on a straight line."""
        series = self.shares[kind]
        place = self.clock.at(time_s) / self.step_s - 0.5
        before = int(place // 1)
        part = place - before
        return (1 - part) * series[before % len(series)] + part * series[(before + 1) % len(series)]
