"""From a target to a tool of its protocol, on a connection of its own."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from config.endpoints import Dnp3Endpoint, MqttEndpoint, OpcUaEndpoint, SparkplugEndpoint
from config.modbus_endpoint import ModbusEndpoint
from gateway import clock
from gateway.fieldtools.target import ANY, Target
from gateway.translate import dnp3 as dnp3_settings
from gateway.translate import modbus as modbus_settings
from gateway.translate.mqtt import source_of
from gateway.translate.opcua import MissingPasswordError, user_of
from protocols.dnp3 import tool as dnp3
from protocols.modbus import tool as modbus
from protocols.mqtt import tool as mqtt
from protocols.mqtt.sparkplug import tool as sparkplug
from protocols.opcua import tool as opcua
from protocols.opcua.settings import Connection
from protocols.signals import Bounds
from protocols.tool import ToolError, Work

T = TypeVar("T")

_HEARD_AFTER: Final = 3
"""Regular pauses between two messages of a device after which it must have been heard."""


@dataclass(frozen=True, slots=True)
class ToolBroker:
    """Where to connect, and as whom, for as long as a command lasts."""

    host: str
    port: int
    client_id: str
    version: str
    timeout_s: float
    username: str
    password: str = field(repr=False)
    tls: bool
    ca_file: str
    certificate_file: str
    key_file: str
    keep_alive_s: int = 30

    @property
    def state_topic(self) -> str:
        """Where the will goes, which nobody reads and no broker keeps."""
        return f"ampacity/tools/{self.client_id}"

    @property
    def broker(self) -> str:
        """For people."""
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


async def use(target: Target, work: Work[T], units: Sequence[int] = ()) -> T:
    """Connect to a target, do the work and close.

    Args:
        target: what to connect to.
        work: what to do.
        units: Modbus units to scan; none: the target's own.

    Raises:
        ToolError: what the connection or the work could not do.
    """
    match target.endpoint:
        case ModbusEndpoint() as endpoint:
            return await modbus.use(modbus_settings.connection([endpoint], ()), units or (endpoint.unit,), work)
        case Dnp3Endpoint() as endpoint:
            return await dnp3.use(dnp3_settings.connection(endpoint, (), (), Bounds()), clock.wall, work)
        case MqttEndpoint() as endpoint:
            prefix = "" if endpoint.topic == ANY else endpoint.topic
            return await mqtt.use(_broker(endpoint), prefix, _listen_s(endpoint), clock.wall, work)
        case SparkplugEndpoint() as endpoint:
            source = None if ANY in (endpoint.group, endpoint.node) else source_of(endpoint)
            return await sparkplug.use(_broker(endpoint), source, _listen_s(endpoint), clock.wall, work)
        case OpcUaEndpoint() as endpoint:
            return await opcua.use(_server(endpoint), endpoint.node, clock.wall, work)
        case endpoint:
            raise ToolError(f"{target.text}: there are no tools for {endpoint.protocol}")


def _broker(endpoint: MqttEndpoint | SparkplugEndpoint) -> ToolBroker:
    """The broker of an endpoint, under a name of our own: the gateway's connection is left alone."""
    return ToolBroker(
        host=endpoint.host,
        port=endpoint.port,
        client_id=f"ampacity-tool-{os.getpid()}",
        version=endpoint.version,
        timeout_s=endpoint.timeout_s,
        username=endpoint.username,
        password=os.environ.get(endpoint.password_variable, "") if endpoint.password_variable else "",
        tls=endpoint.tls,
        ca_file=endpoint.ca_file,
        certificate_file=endpoint.certificate_file,
        key_file=endpoint.key_file,
    )


def _server(endpoint: OpcUaEndpoint) -> Connection:
    """How the server of an endpoint is reached.

    Raises:
        ToolError: security and user do not fit each other, or a password is missing.
    """
    try:
        user = user_of(endpoint, os.environ)
        return Connection(endpoint.url, endpoint.timeout_s, endpoint.security, endpoint.trust, user)
    except (MissingPasswordError, ValueError) as error:
        raise ToolError(str(error)) from error


def _listen_s(endpoint: MqttEndpoint | SparkplugEndpoint) -> float:
    """Long enough to hear every regular message."""
    return max(_HEARD_AFTER * endpoint.telemetry_s, endpoint.timeout_s)
