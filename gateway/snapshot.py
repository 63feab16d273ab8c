"""The newest signals form an image; once a cycle it is frozen into a snapshot that nothing changes any more."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from protocols.points import Phase, Point, Quantity
from protocols.signals import LinkChanged, LinkState, Measurement, Quality

STALE_AFTER_POLLS = 3
LASTING = frozenset({Quantity.RATED_POWER_W})
"""What is told once per connection and does not age."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the gateway knew at one moment."""

    at_s: float
    measurements: Mapping[Point, Measurement] = field(default_factory=dict)
    """Newest of each point; older than three polls is marked `Quality.STALE`."""
    links: Mapping[str, LinkChanged] = field(default_factory=dict)
    """Newest link change of each resource."""
    usable: Mapping[Point, Measurement] = field(default_factory=dict)
    """The last reading of each point that was not bad, however old."""

    def reading(
        self, resource: str, quantity: Quantity, phase: Phase = Phase.TOTAL, *, stale: bool = False
    ) -> Measurement | None:
        """The newest reading if it is usable; with `stale` the last one that was, however old."""
        point = Point(resource, quantity, phase)
        if stale:
            return self.usable.get(point)
        found = self.measurements.get(point)
        return None if found is None or found.quality in (Quality.BAD, Quality.STALE) else found

    def power_w(self, resource: str, *, stale: bool = False) -> float | None:
        """Measured active power of a resource, W."""
        found = self.reading(resource, Quantity.ACTIVE_POWER_W, stale=stale)
        return None if found is None else found.value

    def link(self, resource: str) -> LinkState:
        """State of the link; `INIT` before the first change."""
        change = self.links.get(resource)
        return LinkState.INIT if change is None else change.state

    def coverage_pct(self, wanted: frozenset[Point]) -> float:
        """Share of the wanted points that have a usable reading."""
        if not wanted:
            return 100.0
        usable = (Quality.GOOD, Quality.ESTIMATED, Quality.SUBSTITUTED)
        seen = sum(1 for p in wanted if (m := self.measurements.get(p)) is not None and m.quality in usable)
        return 100.0 * seen / len(wanted)


class Image:
    """Folds signals as they arrive; the only mutable picture of the field."""

    def __init__(self, poll_s: Mapping[str, float], default_poll_s: float = 10.0) -> None:
        self._poll_s = dict(poll_s)
        self._default_poll_s = default_poll_s
        self._measurements: dict[Point, Measurement] = {}
        self._usable: dict[Point, Measurement] = {}
        self._links: dict[str, LinkChanged] = {}

    def __contains__(self, point: object) -> bool:
        """True once the point has been measured."""
        return point in self._measurements

    def holds(self, point: Point, value: float) -> bool:
        """True where the newest reading of the point is this value."""
        held = self._measurements.get(point)
        return held is not None and held.value == value

    def held(self, point: Point) -> Measurement | None:
        """The newest reading of a point."""
        return self._measurements.get(point)

    def fold(self, signal: Measurement | LinkChanged) -> None:
        """Take one signal in; a measurement older than the one held is ignored."""
        if isinstance(signal, LinkChanged):
            self._links[signal.resource] = signal
            return
        held = self._measurements.get(signal.point)
        if held is None or signal.received_time_s >= held.received_time_s:
            self._measurements[signal.point] = signal
            if signal.quality is not Quality.BAD:
                self._usable[signal.point] = signal

    def link(self, resource: str) -> LinkState:
        """State of the link now; `INIT` before the first change."""
        change = self._links.get(resource)
        return LinkState.INIT if change is None else change.state

    def freeze(self, now_s: float) -> Snapshot:
        """The image at `now_s`, with what is too old marked as stale."""
        frozen = {point: self._aged(m, now_s) for point, m in self._measurements.items()}
        return Snapshot(
            now_s,
            MappingProxyType(frozen),
            MappingProxyType(dict(self._links)),
            MappingProxyType(dict(self._usable)),
        )

    def _aged(self, measurement: Measurement, now_s: float) -> Measurement:
        poll_s = self._poll_s.get(measurement.point.resource, self._default_poll_s)
        fresh = now_s - measurement.received_time_s <= STALE_AFTER_POLLS * poll_s
        if fresh or measurement.point.quantity in LASTING or measurement.quality is Quality.BAD:
            return measurement
        return replace(measurement, quality=Quality.STALE)
