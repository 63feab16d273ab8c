"""Which clocks can be trusted: our own against one that nobody sets, and a device's by the times that it reports.

A clock that is off by more than two seconds is quarantined: what is told by it may come at the wrong time. Until it
agrees again, nobody is set free or sent to a new power; tighter limits and emergencies are told at any time. A clock
that is behind what was recorded by it before a restart is off too, until it has caught up or somebody vouches for it.
"""

from dataclasses import dataclass, field

from protocols.signals import Measurement, Quality

CLOCK_SKEW = "CLOCK_SKEW"
"""Code of the alarm for a clock that is off."""
SKEW_S = 2.0
SETTLED_S = 60.0
"""A clock of ours that was set counts again once it has run as steadily as the other for so long."""
IN_A_ROW = 3
"""Readings of a device that must say the same, before it is off or right again."""
OURS = "gateway"
"""Subject of alarms about our own clock."""
BEHIND_RECORDS = (
    "by the latest entry of the journal; set the clock of this machine, or where it is right and the journal's times "
    "are not, start again with --trust-clock"
)


@dataclass(frozen=True, slots=True)
class Skewed:
    """A clock is off, or agrees again where nothing is left."""

    subject: str
    """The resource, or `gateway`."""
    skew_s: float
    """By which it is ahead; 0 where it agrees again."""
    detail: str = ""
    """Against what, and what to do, where that is not plain."""


@dataclass(slots=True)
class OwnClock:
    """The wall clock, held against a steady one, and at a start against what it recorded before."""

    recorded_s: float | None = None
    """The latest time that was recorded by it; nothing where there is none, or it has caught up."""
    _behind: bool = False
    _trusted_s: float | None = None
    """Of the wall clock ahead of the steady one."""
    _seen_s: float = 0.0
    _since_s: float | None = None
    """Steady time since when the wall clock stands where it was set; nothing where it was not."""

    @property
    def quarantined(self) -> bool:
        """Whether it was set a short while ago, or is behind its records."""
        return self._behind or self._since_s is not None

    def look(self, wall_s: float, steady_s: float) -> Skewed | None:
        """What has changed since the last look; small corrections are followed."""
        was, recorded_s = self._behind, self.recorded_s
        self._behind = recorded_s is not None and wall_s < recorded_s - SKEW_S
        if self._behind and recorded_s is not None:
            return None if was else Skewed(OURS, wall_s - recorded_s, BEHIND_RECORDS)
        self.recorded_s = None
        found = self._steadily(wall_s, steady_s)
        return Skewed(OURS, 0.0) if was and found is None else found

    def _steadily(self, wall_s: float, steady_s: float) -> Skewed | None:
        ahead_s, before_s = wall_s - steady_s, self._seen_s
        self._seen_s = ahead_s
        if self._trusted_s is None or abs(ahead_s - self._trusted_s) <= SKEW_S:
            self._trusted_s = ahead_s
            return self._agrees()
        if self._since_s is None:
            self._since_s = steady_s
            return Skewed(OURS, ahead_s - self._trusted_s)
        if abs(ahead_s - before_s) > SKEW_S:
            self._since_s = steady_s  # set once more
        if steady_s - self._since_s < SETTLED_S:
            return None
        self._trusted_s = ahead_s
        return self._agrees()

    def _agrees(self) -> Skewed | None:
        was, self._since_s = self._since_s, None
        return None if was is None else Skewed(OURS, 0.0)


@dataclass(slots=True)
class SourceClocks:
    """The clocks of devices that report one: nothing can have been measured in the future.

    A time in the past proves nothing: a reading may have waited in a buffer, or stand for a period that is over.
    """

    _row: dict[str, int] = field(default_factory=dict)
    """By resource: readings in a row that say it is off, negative where they say that it is right."""
    off: set[str] = field(default_factory=set)
    """Resources whose clock is quarantined."""

    def look(self, before: Measurement | None, reading: Measurement) -> Skewed | None:
        """What a reading says of its device's clock, after the one before it of the same point."""
        if before is None or reading.quality is Quality.BAD or reading.source_time_s == before.source_time_s:
            return None
        name, ahead_s = reading.point.resource, reading.source_time_s - reading.received_time_s
        row = self._row.get(name, 0)
        self._row[name] = row = max(row, 0) + 1 if ahead_s > SKEW_S else min(row, 0) - 1
        if row >= IN_A_ROW and name not in self.off:
            self.off.add(name)
            return Skewed(name, ahead_s)
        if row <= -IN_A_ROW and name in self.off:
            self.off.remove(name)
            return Skewed(name, 0.0)
        return None
