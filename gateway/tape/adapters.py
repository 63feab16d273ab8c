"""Adapters whose sessions are recorded, and adapters that live a recorded session again."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, Final

from config.faults import SECRET_KEYS
from config.settings import Device, Station, ZoneFile
from gateway.journal.codec import Codec
from gateway.tape import dnp3 as dnp3_tape
from gateway.tape import modbus as modbus_tape
from gateway.tape import mqtt as mqtt_tape
from gateway.tape import opcua as opcua_tape
from gateway.tape.deck import Deck
from gateway.tape.words import VERSION, Header, Kind, Recording, Tape, TapeError
from gateway.translate import dnp3, modbus, mqtt, opcua
from protocols.dnp3.adapter import Dnp3Adapter
from protocols.modbus.adapter import ModbusAdapter
from protocols.mqtt.adapter import MqttAdapter
from protocols.mqtt.sparkplug.adapter import SparkplugAdapter
from protocols.opcua.adapter import OpcUaAdapter
from protocols.port import Adapter, Emit, Now
from protocols.signals import Ack, Control, Instruction, Release, Signal

SIGNAL: Final[Codec[Signal]] = Codec(Signal)
INSTRUCTION: Final[Codec[Instruction]] = Codec(Control | Release)
ACK: Final[Codec[Ack]] = Codec(Ack)

_KEPT_BACK: Final = SECRET_KEYS | {
    *("username", "password_variable", "security", "trust", "user_certificate_file", "user_key_file"),
}
"""Keys of an endpoint that are not written: secrets, and what a replay does not need to know of how one gets in."""
_NO_PASSWORDS: Final[Mapping[str, str]] = {}

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

        try:
            await self._adapter.run(noted)
        except asyncio.CancelledError:
            self.tape.close()  # before the adapter's own leaving is taken for a loss
            raise

    async def apply(self, instruction: Instruction) -> Ack:
        """As the adapter, with the instruction and what became of it written down."""
        self.tape.note(Kind.APPLY, instruction=INSTRUCTION.to_json(instruction))
        ack = await self._adapter.apply(instruction)
        self.tape.note(Kind.ACK, ack=ACK.to_json(ack))
        return ack


def recorded(zone: ZoneFile, now: Now, environment: Mapping[str, str], make_tape: MakeTape) -> list[TapedAdapter]:
    """One adapter per connection of the zone whose protocol can be recorded; passwords come from the environment.

    Raises:
        TapeError: a recording cannot be begun.
        MissingPasswordError: a password is not there.
    """

    def begun(protocol: str, resources: frozenset[str]) -> Tape:
        return make_tape(header(zone, protocol, resources))

    adapters: list[TapedAdapter] = []
    for bus in modbus.settings(zone):
        tape = begun("modbus", frozenset[str]().union(*(unit.resources for unit in bus.units)))
        adapters.append(TapedAdapter(ModbusAdapter(bus, now, tap=partial(modbus_tape.RecordedBus, tape)), tape))
    for server in opcua.settings(zone, environment):
        tape = begun("opcua", server.resources)
        session = partial(opcua_tape.RecordedSession, tape)
        adapters.append(TapedAdapter(OpcUaAdapter(server, now, session=session), tape))
    for outstation in dnp3.settings(zone):
        tape = begun("dnp3", outstation.resources)
        adapters.append(TapedAdapter(Dnp3Adapter(outstation, now, dial=dnp3_tape.recorded(tape)), tape))
    for broker in mqtt.settings(zone, environment):
        tape = begun("mqtt", broker.resources)
        client = partial(mqtt_tape.RecordedClient, tape)
        adapters.append(TapedAdapter(MqttAdapter(broker, now, make=client), tape))
    for host in mqtt.sparkplug_settings(zone, environment):
        tape = begun("sparkplug", host.resources)
        client = partial(mqtt_tape.RecordedClient, tape)
        adapters.append(TapedAdapter(SparkplugAdapter(host, now, make=client), tape))
    return adapters


@dataclass(frozen=True, slots=True)
class Played:
    """The adapter of a recording, and what makes the recording happen to it."""

    adapter: Adapter
    deck: Deck
    drive: Callable[[], Coroutine[Any, Any, None]]
    """Runs beside the adapter."""


def played(recording: Recording, now: Now) -> Played:
    """The adapter of a recording on its answers.

    Raises:
        TapeError: its protocol cannot be played, or its header is of no device.
    """
    zone = zone_of(recording.header)
    play = _PLAYERS.get(recording.header.protocol)
    if play is None:
        raise TapeError(f"recordings of {recording.header.protocol} cannot be played")
    return play(recording, zone, now)


def _modbus(recording: Recording, zone: ZoneFile, now: Now) -> Played:
    deck = modbus_tape.deck(recording)
    (settings,) = modbus.settings(zone)
    adapter = ModbusAdapter(settings, now, tap=lambda _, lost: modbus_tape.PlayedBus(deck, lost))
    return Played(adapter, deck, _nothing)


def _opcua(recording: Recording, zone: ZoneFile, now: Now) -> Played:
    server = opcua_tape.PlayedServer(recording)
    (settings,) = opcua.settings(zone, _NO_PASSWORDS)
    return Played(OpcUaAdapter(settings, now, session=server.make), server.deck, server.drive)


def _dnp3(recording: Recording, zone: ZoneFile, now: Now) -> Played:
    line = dnp3_tape.PlayedLine(recording)
    (settings,) = dnp3.settings(zone)
    return Played(Dnp3Adapter(settings, now, dial=line.dial), line.deck, line.drive)


def _mqtt(recording: Recording, zone: ZoneFile, now: Now) -> Played:
    broker = mqtt_tape.PlayedBroker(recording)
    (settings,) = mqtt.settings(zone, _NO_PASSWORDS)
    return Played(MqttAdapter(settings, now, make=broker.make), broker.deck, broker.drive)


def _sparkplug(recording: Recording, zone: ZoneFile, now: Now) -> Played:
    broker = mqtt_tape.PlayedBroker(recording)
    (settings,) = mqtt.sparkplug_settings(zone, _NO_PASSWORDS)
    return Played(SparkplugAdapter(settings, now, make=broker.make), broker.deck, broker.drive)


_PLAYERS: Final[Mapping[str, Callable[[Recording, ZoneFile, Now], Played]]] = {
    "modbus": _modbus,
    "opcua": _opcua,
    "dnp3": _dnp3,
    "mqtt": _mqtt,
    "sparkplug": _sparkplug,
}


async def _nothing() -> None:
    """The connection plays itself."""


def header(zone: ZoneFile, protocol: str, resources: frozenset[str]) -> Header:
    """What a recording of one connection begins with, but for its time; secrets of the zone file stay there."""
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
        0.0,
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
        written["endpoint"] = {key: value for key, value in endpoint.items() if key not in _KEPT_BACK}
    return written
