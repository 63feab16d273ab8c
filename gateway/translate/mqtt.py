"""Settings of the MQTT adapters: one per broker."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, Literal, TypedDict, TypeVar

from config.endpoints import BrokerEndpoint, MqttEndpoint, SparkplugEndpoint
from config.settings import Device, MappedPoint, Station, ZoneFile
from gateway.translate.points import point_of
from protocols.mqtt.settings import DerTopics, MappedTopic, MqttSettings
from protocols.mqtt.sparkplug.settings import MappedMetric, SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import Source

E = TypeVar("E", MqttEndpoint, SparkplugEndpoint)


def settings(zone: ZoneFile, environment: Mapping[str, str]) -> list[MqttSettings]:
    """One connection per broker; passwords come from the environment, never from the file."""
    return [
        MqttSettings(
            **_connection(behind.first, behind.first.timeout_s, behind.first.telemetry_s, environment),
            client_id=f"ampacity-{zone.zone.id}",
            state_topic=f"ampacity/{zone.zone.id}/state",
            ders=tuple(DerTopics(name, endpoint.topic) for name, endpoint in behind.devices.items()),
            points=tuple(
                MappedTopic(point_of(p.point), f"{endpoint.topic}/{p.address}", p.scale)
                for endpoint, p in behind.points
            ),
        )
        for behind in _brokers(zone, MqttEndpoint)
    ]


def source_of(endpoint: SparkplugEndpoint) -> Source:
    """The device behind an edge node, or the node."""
    return Source(endpoint.group, endpoint.node, endpoint.device)


def host_id(zone: ZoneFile, endpoint: SparkplugEndpoint) -> str:
    """Who the gateway is at this broker."""
    return endpoint.host_id or f"ampacity-{zone.zone.id}"


def sparkplug_settings(zone: ZoneFile, environment: Mapping[str, str]) -> list[SparkplugSettings]:
    """One host application per broker; passwords come from the environment, never from the file."""
    return [
        SparkplugSettings(
            **_connection(behind.first, behind.first.timeout_s, behind.first.telemetry_s, environment),
            client_id=f"ampacity-{zone.zone.id}-sparkplug",
            host_id=host_id(zone, behind.first),
            by_exception=behind.first.by_exception,
            reorder_s=behind.first.reorder_s,
            ders=tuple(
                SparkplugDer(name, source_of(endpoint), endpoint.names, endpoint.scales)
                for name, endpoint in behind.devices.items()
            ),
            points=tuple(
                MappedMetric(point_of(p.point), source_of(endpoint), str(p.address), p.scale)
                for endpoint, p in behind.points
            ),
        )
        for behind in _brokers(zone, SparkplugEndpoint)
    ]


@dataclass(slots=True)
class _Behind(Generic[E]):
    """What one broker leads to."""

    endpoints: list[E] = field(default_factory=list)
    devices: dict[str, E] = field(default_factory=dict)
    points: list[tuple[E, MappedPoint]] = field(default_factory=list)

    @property
    def first(self) -> E:
        """Of those that share the broker, the one that says how it is reached."""
        return self.endpoints[0]


def _brokers(zone: ZoneFile, kind: type[E]) -> list[_Behind[E]]:
    found: dict[tuple[str, int], _Behind[E]] = defaultdict(_Behind)
    items: list[tuple[str, Device | Station]] = [*zone.devices.items(), *zone.stations.items()]
    for name, item in items:
        if not isinstance(item.endpoint, kind):
            continue
        behind = found[item.endpoint.host, item.endpoint.port]
        behind.endpoints.append(item.endpoint)
        if isinstance(item, Device):
            behind.devices[name] = item.endpoint
        else:
            behind.points += [(item.endpoint, mapped) for mapped in item.points]
    return list(found.values())


class _Reached(TypedDict):
    """What every connection to a broker is told."""

    host: str
    port: int
    version: Literal["5", "3.1.1"]
    timeout_s: float
    telemetry_s: float
    username: str
    password: str
    tls: bool
    ca_file: str
    certificate_file: str
    key_file: str


def _connection(
    endpoint: BrokerEndpoint, timeout_s: float, telemetry_s: float, environment: Mapping[str, str]
) -> _Reached:
    variable = endpoint.password_variable
    return _Reached(
        host=endpoint.host,
        port=endpoint.port,
        version=endpoint.version,
        timeout_s=timeout_s,
        telemetry_s=telemetry_s,
        username=endpoint.username,
        password=environment.get(variable, "") if variable else "",
        tls=endpoint.tls,
        ca_file=endpoint.ca_file,
        certificate_file=endpoint.certificate_file,
        key_file=endpoint.key_file,
    )
