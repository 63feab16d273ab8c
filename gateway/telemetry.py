"""Telemetry to the system operator: the gateway itself as a DNP3 outstation with interface and aggregate values.

Its master reads; nothing can be operated. What the gateway has not heard for long is told as such, never as a number.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dnp3_sim.server import RtuServer
from gateway.coordination.book import Book
from gateway.coordination.zone import Resource
from gateway.snapshot import Snapshot
from protocols.dnp3.commands import Command, CommandStatus
from protocols.dnp3.database import Database, PointConfig
from protocols.dnp3.layouts import Kind
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import Alarm, OutstationEvent, OutstationSettings
from protocols.dnp3.readings import ONLINE, Flag
from protocols.dnp3.settings import Tls
from protocols.dnp3.wire import server_context
from protocols.points import Point, Quantity
from protocols.signals import Measurement, Quality

_FLAGS: Mapping[Quality, int] = {
    Quality.GOOD: ONLINE,
    Quality.ESTIMATED: ONLINE | Flag.LOCAL_FORCED,
    Quality.SUBSTITUTED: ONLINE | Flag.LOCAL_FORCED,
    Quality.STALE: Flag.COMM_LOST,
    Quality.BAD: 0,
}
_UNHEARD = Flag.COMM_LOST | Flag.RESTART
_WORST_FIRST = (Quality.BAD, Quality.STALE, Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.GOOD)


@dataclass(frozen=True, slots=True)
class ToldPoint:
    """One value for the system operator."""

    kind: Kind
    index: int
    point: Point
    of: tuple[str, ...] = ()
    """DERs whose sum it is; empty: the point's own value."""
    scale: float = 1.0
    """The outstation holds the value divided by it."""
    deadband: float = 0.0
    """In counts."""
    event_class: int = 2


@dataclass(frozen=True, slots=True)
class TelemetrySettings:
    """Where the system operator's master finds the gateway, and what it reads there."""

    host: str
    port: int
    points: tuple[ToldPoint, ...]
    outstation: OutstationSettings = field(default_factory=OutstationSettings)
    step_s: float = 2.0
    """How often all values are brought up to date."""
    tls: Tls | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A value as the outstation shows it."""

    value: float
    flags: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Picture:
    """What the gateway knows now."""

    snapshot: Snapshot
    book: Book
    resources: Mapping[str, Resource]


def told(point: ToldPoint, picture: Picture) -> Told:
    """One value: as measured, or the sum over its DERs as good as the worst of them."""
    if point.of:
        return _sum(point, [_of_der(der, point.point.quantity, picture) for der in point.of], picture.snapshot.at_s)
    found = picture.snapshot.measurements.get(point.point)
    return _shown(point, found)


def _of_der(der: str, quantity: Quantity, picture: Picture) -> Measurement | None:
    """A DER's share of a sum; its limits are those that the DSO has issued, within the nameplate."""
    if quantity in (Quantity.CEILING_W, Quantity.FLOOR_W):
        return _limit(der, quantity, picture)
    found = picture.snapshot.measurements.get(Point(der, quantity))
    if found is not None and found.quality is Quality.BAD:
        return picture.snapshot.usable.get(Point(der, quantity), found)
    return found


def _limit(der: str, quantity: Quantity, picture: Picture) -> Measurement:
    resource, at_s = picture.resources[der], picture.snapshot.at_s
    issued = picture.book.limit_at(der, at_s)
    if quantity is Quantity.CEILING_W:
        ceiling_w = None if issued is None else issued.limit.ceiling_w
        value = resource.ceiling_w if ceiling_w is None else min(ceiling_w, resource.ceiling_w)
    else:
        floor_w = None if issued is None else issued.limit.floor_w
        value = resource.floor_w if floor_w is None else max(floor_w, resource.floor_w)
    return Measurement(Point(der, quantity), value, Quality.GOOD, at_s, at_s)


def _sum(point: ToldPoint, shares: Sequence[Measurement | None], at_s: float) -> Told:
    heard = [share for share in shares if share is not None]
    total = sum(share.value for share in heard) / point.scale
    if len(heard) < len(shares):
        return Told(total, _UNHEARD if not heard else Flag.COMM_LOST, at_s)
    worst = next(quality for quality in _WORST_FIRST if any(share.quality is quality for share in heard))
    return Told(total, _FLAGS[worst], at_s)


def _shown(point: ToldPoint, found: Measurement | None) -> Told:
    if found is None:
        return Told(0.0, _UNHEARD, 0.0)
    value = found.value / point.scale
    held = float(value >= 0.5) if point.kind is Kind.BINARY_INPUT else value
    return Told(held, _FLAGS[found.quality], found.source_time_s)


class TelemetryOutstation:
    """Serves one master until cancelled."""

    def __init__(
        self,
        settings: TelemetrySettings,
        picture: Callable[[], Picture],
        now: Callable[[], float],
        alarm: Callable[[str], None],
    ) -> None:
        """`picture` is asked every `step_s`; `alarm` hears what the master asked for in vain.

        Raises:
            OSError: A file of the TLS settings cannot be read; `ssl.SSLError` is one of them.
        """
        self._settings, self._picture, self._alarm = settings, picture, alarm
        self._database = Database(
            PointConfig(p.kind, p.index, event_class=p.event_class, deadband=p.deadband) for p in settings.points
        )
        self._session = OutstationSession(settings.outstation, self._database, self)
        self._context = None if settings.tls is None else server_context(settings.tls)
        self._now = now
        self.server = self._server(settings.port)

    async def run(self) -> None:
        """Serve until cancelled; may be called again after a crash.

        Raises:
            OSError: The address cannot be listened on.
        """
        await self.server.run()

    def select(self, command: Command) -> CommandStatus:  # noqa: ARG002 - nothing can be operated
        """Refuse."""
        return CommandStatus.NOT_SUPPORTED

    def operate(self, command: Command) -> CommandStatus:
        """Refuse."""
        return self.select(command)

    def restart(self, *, is_cold: bool) -> int | None:  # noqa: ARG002 - the gateway is not the master's to restart
        """Not supported."""
        return None

    def refresh(self, now_s: float) -> None:  # noqa: ARG002 - the picture has its own time
        """Bring every value up to date."""
        picture = self._picture()
        shift_ms = round(self._session.clock.shift_s * 1000)
        for point in self._settings.points:
            shown = told(point, picture)
            time_ms = round(shown.at_s * 1000) + shift_ms if shown.at_s else 0
            self._database.update(point.kind, point.index, shown.value, flags=shown.flags, time_ms=time_ms)

    def _server(self, port: int) -> RtuServer:
        return RtuServer(
            self._session,
            self._now,
            host=self._settings.host,
            port=port,
            context=self._context,
            tick=self.refresh,
            tick_s=self._settings.step_s,
            heard=self._heard,
        )

    def _heard(self, event: OutstationEvent) -> None:
        if isinstance(event, Alarm):
            self._alarm(event.detail)
