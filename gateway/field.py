"""The adapters that call on the field of a zone, recorded where that is asked for."""

from collections.abc import Mapping
from pathlib import Path

from config.settings import ZoneFile
from gateway.tape.adapters import MakeTape, recorded
from gateway.tape.words import Header, Tape
from gateway.translate import dnp3, modbus, mqtt, opcua
from protocols.dnp3.adapter import Dnp3Adapter
from protocols.modbus.adapter import ModbusAdapter
from protocols.mqtt.adapter import MqttAdapter
from protocols.mqtt.sparkplug.adapter import SparkplugAdapter
from protocols.opcua.adapter import OpcUaAdapter
from protocols.port import Adapter, Now


def callers(zone: ZoneFile, now: Now, environment: Mapping[str, str], tapes: MakeTape | None) -> list[Adapter]:
    """One adapter per connection; passwords come from the environment.

    Raises:
        MissingPasswordError: a password is not there.
        TapeError: a recording cannot be begun.
    """
    if tapes is not None:
        return list(recorded(zone, now, environment, tapes))
    return [
        *(ModbusAdapter(settings, now) for settings in modbus.settings(zone)),
        *(OpcUaAdapter(settings, now) for settings in opcua.settings(zone, environment)),
        *(MqttAdapter(settings, now) for settings in mqtt.settings(zone, environment)),
        *(SparkplugAdapter(settings, now) for settings in mqtt.sparkplug_settings(zone, environment)),
        *(Dnp3Adapter(settings, now) for settings in dnp3.settings(zone)),
    ]


def tapes_in(directory: Path, now: Now) -> MakeTape:
    """Begins each recording as a file of its own, named by protocol, for whom it speaks and when it began."""

    def make(header: Header) -> Tape:
        directory.mkdir(parents=True, exist_ok=True)
        whose = "-".join((*header.devices, *header.stations))[:60]
        return Tape.create(directory / f"{header.protocol}-{whose}-{now():.0f}.jsonl", header, now)

    return make
