"""A recorded DNP3 connection as an outstation: the points that it told, with their values in time."""

from collections.abc import Iterator, Sequence

from dnp3_sim.server import RtuServer
from gateway.tape.adapters import zone_of
from gateway.tape.stage import Cue, Stage
from gateway.tape.words import Kind as LineKind
from gateway.tape.words import Line, TapeError
from gateway.translate import dnp3
from protocols.dnp3.commands import AnalogCommand, BinaryCommand, Command, CommandStatus, Operation
from protocols.dnp3.database import Database, PointConfig
from protocols.dnp3.errors import ObjectsError
from protocols.dnp3.fragment import decode_fragment
from protocols.dnp3.headers import parse_headers
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master_words import MasterSettings
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.plan import Place, outputs, place_of
from protocols.dnp3.readings import Readings, decode
from protocols.dnp3.settings import Dnp3Settings, Switch
from protocols.dnp3.station import Station
from protocols.port import Now

HEADERS_MAX = 1_000
TICK_S = 0.1
_LATCHED = {Operation.LATCH_ON: 1.0, Operation.LATCH_OFF: 0.0}


def server_of(stage: Stage, host: str, port: int, now: Now) -> RtuServer:
    """The outstation, not yet listening; `port` 0 takes a free one.

    Raises:
        TapeError: no value was ever told in the recording.
    """
    (settings,) = dnp3.settings(zone_of(stage.recording.header))
    plant = PlayedPlant(stage, settings, now)
    master = settings.master
    own = OutstationSettings(local=master.outstation, master=master.local, unsolicited=master.unsolicited)
    session = OutstationSession(own, plant.database, plant)
    server = RtuServer(session, now, host=host, port=port, tick=plant.tick, tick_s=TICK_S)
    plant.server = server
    return server


def outstation_of(stage: Stage) -> int:
    """Its link address."""
    (settings,) = dnp3.settings(zone_of(stage.recording.header))
    return settings.master.outstation


class PlayedPlant:
    """The application behind the outstation."""

    server: RtuServer | None = None

    def __init__(self, stage: Stage, settings: Dnp3Settings, now: Now) -> None:
        self._stage = stage
        self._settings = settings
        self._now = now
        self._cue = Cue(stage, stage.recording.of(LineKind.EVENT, LineKind.FAULT))
        self._written: set[Place] = set()
        self._station = _station(settings.master)
        points: dict[Place, PointConfig] = {}
        for readings in _told(_station(settings.master), stage.recording.of(LineKind.EVENT, LineKind.FAULT)):
            for index, value in zip(readings.indices, readings.values, strict=True):
                place = readings.kind, index
                if place not in points or readings.is_event:
                    known = points.get(place)
                    first = value if known is None else known.value
                    points[place] = PointConfig(*place, event_class=2 if readings.is_event else 0, value=first)
        if not points:
            raise TapeError("no value was ever told in this recording; there is no outstation to play")
        self._mirrors = _mirrors(settings)
        for output, (shown, *_) in self._mirrors.items():
            if shown in points:
                points.setdefault(output, PointConfig(*output, value=points[shown].value))
        self.database = Database(points.values())
        for place, point in points.items():
            if not isinstance(point.value, bytes):
                self._hold(place, point.value)
        self.database.events.confirm([event.number for event in self.database.events.held()])

    def tick(self, now_s: float) -> None:  # noqa: ARG002 - the stage has a clock of its own
        """Bring every value to the present, and the link to where it was."""
        for readings in _told(self._station, list(self._cue.due())):
            for index, value in zip(readings.indices, readings.values, strict=True):
                if (readings.kind, index) not in self._written:
                    self._hold((readings.kind, index), value)
        if self.server is not None:
            self.server.is_reachable = not self._stage.is_lost

    def select(self, command: Command) -> CommandStatus:
        """Whether there is such an output, and the operation is one that it knows."""
        place, value = _meant(command)
        known = value is not None and self.database.get(*place) is not None
        return CommandStatus.SUCCESS if known else CommandStatus.NOT_SUPPORTED

    def operate(self, command: Command) -> CommandStatus:
        """Hold what is written, and show it where the output reads back."""
        status = self.select(command)
        place, value = _meant(command)
        if status is CommandStatus.SUCCESS and value is not None:
            for shown in (place, *self._mirrors.get(place, ())):
                self._written.add(shown)
                self._hold(shown, value)
        return status

    def restart(self, *, is_cold: bool) -> int | None:  # noqa: ARG002 - it restarts neither way
        """Not supported."""
        return None

    def _hold(self, place: Place, value: float) -> None:
        if self.database.get(*place) is not None:
            self.database.update(*place, value, time_ms=max(0, round(self._now() * 1000)))


def _told(station: Station, lines: Sequence[Line]) -> Iterator[Readings]:
    """What the octets of some lines tell; what cannot be decoded is what the master could not decode either."""
    for line in lines:
        if line.kind is LineKind.FAULT:
            station.reset(line.at_s)
            continue
        for inbound in station.receive(bytes.fromhex(str(line.what.get("octets", ""))), line.at_s):
            fragment = decode_fragment(inbound.octets, is_response=True)
            if fragment is None:
                continue
            try:
                headers = parse_headers(fragment.objects, with_data=True, header_max=HEADERS_MAX)
                yield from (found for found in decode(headers) if isinstance(found, Readings) and _is_point(found.kind))
            except ObjectsError:
                continue


def _is_point(kind: Kind) -> bool:
    return kind in {
        Kind.BINARY_INPUT,
        Kind.DOUBLE_BIT_INPUT,
        Kind.BINARY_OUTPUT,
        Kind.COUNTER,
        Kind.FROZEN_COUNTER,
        Kind.ANALOG_INPUT,
        Kind.ANALOG_OUTPUT,
    }


def _station(master: MasterSettings) -> Station:
    return Station(local=master.local, remote=master.outstation, is_master=True)


def _mirrors(settings: Dnp3Settings) -> dict[Place, tuple[Place, ...]]:
    """Where each output of the DERs reads back."""
    return {
        (Kind.BINARY_OUTPUT if isinstance(output, Switch) else Kind.ANALOG_OUTPUT, output.output): (place_of(output),)
        for der in settings.ders
        for output in outputs(der).values()
    }


def _meant(command: Command) -> tuple[Place, float | None]:
    """The output, and the value that it is to have; `None` for a pulse, which leaves none."""
    match command:
        case AnalogCommand():
            return (Kind.ANALOG_OUTPUT, command.index), command.value
        case BinaryCommand():
            return (Kind.BINARY_OUTPUT, command.index), _LATCHED.get(command.operation)
