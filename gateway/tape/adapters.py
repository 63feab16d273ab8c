"""Adapters whose sessions are recorded, and adapters that live a recorded session again."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from typing import Final

from config.faults import SECRET_KEYS
from config.settings import Device, Station, ZoneFile
from gateway.journal.codec import Codec
from gateway.tape import modbus as modbus_tape
from gateway.tape.deck import Deck
from gateway.tape.words import VERSION, Header, Kind, Recording, Tape, TapeError
from gateway.translate import modbus
from protocols.modbus.adapter import ModbusAdapter
from protocols.port import Adapter, Emit, Now
from protocols.signals import Ack, Control, Instruction, Release, Signal

SIGNAL: Final[Codec[Signal]] = Codec(Signal)
INSTRUCTION: Final[Codec[Instruction]] = Codec(Control | Release)
ACK: Final[Codec[Ack]] = Codec(Ack)

MakeTape = Callable[[Header], Tape]
"""Begins the recording of one connection."""


class TapedAdapter:
    """An adapter whose instructions and signals go on the tape that its connection is recorded on."""

    def __init__(self, adapter: Adapter, tape: Tape) -> None:
        self._adapter = adapter
        self.tape = tape

    @property
    def resources(self) -> frozenset[str]:
        """Of the adapter."""
        return self._adapter.resources

    async def run(self, emit: Emit) -> None:
        """As the adapter, with every signal written down."""

        def noted(signals: Sequence[Signal]) -> None:
            for signal in signals:
                self.tape.note(Kind.SIGNAL, signal=SIGNAL.to_json(signal))
            emit(signals)

        await self._adapter.run(noted)

    async def apply(self, instruction: Instruction) -> Ack:
        """As the adapter, with the instruction and what became of it written down."""
        self.tape.note(Kind.APPLY, instruction=INSTRUCTION.to_json(instruction))
        ack = await self._adapter.apply(instruction)
        self.tape.note(Kind.ACK, ack=ACK.to_json(ack))
        return ack


def recorded(zone: ZoneFile, now: Now, make_tape: MakeTape) -> list[TapedAdapter]:
    """One adapter per connection of the zone whose protocol can be recorded.

    Raises:
        TapeError: a recording cannot be begun.
    """
    adapters: list[TapedAdapter] = []
    for settings in modbus.settings(zone):
        resources = frozenset[str]().union(*(unit.resources for unit in settings.units))
        tape = make_tape(header(zone, "modbus", resources, now()))
        adapter = ModbusAdapter(settings, now, tap=partial(modbus_tape.RecordedBus, tape))
        adapters.append(TapedAdapter(adapter, tape))
    return adapters


def played(recording: Recording, now: Now) -> tuple[Adapter, Deck]:
    """The adapter of a recording on its answers.

    Raises:
        TapeError: its protocol cannot be played, or its header is of no device.
    """
    zone = zone_of(recording.header)
    match recording.header.protocol:
        case "modbus":
            deck = modbus_tape.deck(recording)
            (settings,) = modbus.settings(zone)
            return ModbusAdapter(settings, now, tap=lambda _, on_lost: modbus_tape.PlayedBus(deck, on_lost)), deck
        case protocol:
            raise TapeError(f"recordings of {protocol} cannot be played")


def header(zone: ZoneFile, protocol: str, resources: frozenset[str], start_s: float) -> Header:
    """What a recording of one connection begins with; secrets of the zone file stay there."""
    devices = {name: device for name, device in zone.devices.items() if name in resources}
    stations = {
        name: station
        for name, station in zone.stations.items()
        if station.endpoint.protocol == protocol and {p.point.partition(".")[0] for p in station.points} & resources
    }
    return Header(
        VERSION,
        version("ampacity"),
        zone.zone.id,
        protocol,
        start_s,
        {name: _told(device) for name, device in devices.items()},
        {name: _told(station) for name, station in stations.items()},
    )


def zone_of(header: Header) -> ZoneFile:
    """A zone with nothing but what the recording is of.

    Raises:
        TapeError: the entries are not those of a zone file.
    """
    network = {"version": "recording"}
    entries = {"devices": dict(header.devices), "stations": dict(header.stations)}
    try:
        return ZoneFile.model_validate({"zone": {"id": header.zone}, "network": network, **entries})
    except ValueError as error:
        raise TapeError(f"the header names no device that can be built: {error}") from error


def _told(entry: Device | Station) -> Mapping[str, object]:
    written: dict[str, object] = entry.model_dump(mode="json", exclude_defaults=True)
    endpoint = written.get("endpoint")
    if isinstance(endpoint, dict):
        written["endpoint"] = {key: value for key, value in endpoint.items() if key not in SECRET_KEYS}
    return written
