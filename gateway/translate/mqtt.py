"""Settings of the MQTT adapters: one per broker."""

from collections.abc import Mapping

from config.endpoints import MqttEndpoint, SparkplugEndpoint
from config.settings import ZoneFile
from gateway.translate.points import point_of
from protocols.mqtt.settings import DerTopics, MappedTopic, MqttSettings
from protocols.mqtt.sparkplug.settings import MappedMetric, SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import Source


def settings(zone: ZoneFile, environment: Mapping[str, str]) -> list[MqttSettings]:
    """One connection per broker; passwords come from the environment, never from the file."""
    endpoints: dict[tuple[str, int], MqttEndpoint] = {}
    ders: dict[tuple[str, int], list[DerTopics]] = {}
    points: dict[tuple[str, int], list[MappedTopic]] = {}
    for name, device in zone.devices.items():
        if isinstance(device.endpoint, MqttEndpoint):
            broker = (device.endpoint.host, device.endpoint.port)
            endpoints.setdefault(broker, device.endpoint)
            ders.setdefault(broker, []).append(DerTopics(name, device.endpoint.topic))
    for station in zone.stations.values():
        if isinstance(station.endpoint, MqttEndpoint):
            prefix, broker = station.endpoint.topic, (station.endpoint.host, station.endpoint.port)
            endpoints.setdefault(broker, station.endpoint)
            mapped = [MappedTopic(point_of(p.point), f"{prefix}/{p.address}", p.scale) for p in station.points]
            points.setdefault(broker, []).extend(mapped)
    return [
        MqttSettings(
            host=host,
            port=port,
            ders=tuple(ders.get((host, port), ())),
            points=tuple(points.get((host, port), ())),
            version=endpoint.version,
            client_id=f"ampacity-{zone.zone.id}",
            state_topic=f"ampacity/{zone.zone.id}/state",
            timeout_s=endpoint.timeout_s,
            telemetry_s=endpoint.telemetry_s,
            username=endpoint.username,
            password=environment.get(endpoint.password_variable, "") if endpoint.password_variable else "",
            tls=endpoint.tls,
            ca_file=endpoint.ca_file,
            certificate_file=endpoint.certificate_file,
            key_file=endpoint.key_file,
        )
        for (host, port), endpoint in endpoints.items()
    ]


def source_of(endpoint: SparkplugEndpoint) -> Source:
    """The device behind an edge node, or the node."""
    return Source(endpoint.group, endpoint.node, endpoint.device)


def host_id(zone: ZoneFile, endpoint: SparkplugEndpoint) -> str:
    """Who the gateway is at this broker."""
    return endpoint.host_id or f"ampacity-{zone.zone.id}"


def sparkplug_settings(zone: ZoneFile, environment: Mapping[str, str]) -> list[SparkplugSettings]:
    """One host application per broker; passwords come from the environment, never from the file."""
    endpoints: dict[tuple[str, int], SparkplugEndpoint] = {}
    ders: dict[tuple[str, int], list[SparkplugDer]] = {}
    points: dict[tuple[str, int], list[MappedMetric]] = {}
    for name, device in zone.devices.items():
        if isinstance(device.endpoint, SparkplugEndpoint):
            endpoint = device.endpoint
            broker = (endpoint.host, endpoint.port)
            endpoints.setdefault(broker, endpoint)
            der = SparkplugDer(name, source_of(endpoint), endpoint.names, endpoint.scales)
            ders.setdefault(broker, []).append(der)
    for station in zone.stations.values():
        if isinstance(station.endpoint, SparkplugEndpoint):
            endpoint = station.endpoint
            broker = (endpoint.host, endpoint.port)
            endpoints.setdefault(broker, endpoint)
            source = source_of(endpoint)
            mapped = [MappedMetric(point_of(p.point), source, str(p.address), p.scale) for p in station.points]
            points.setdefault(broker, []).extend(mapped)
    return [
        SparkplugSettings(
            host=host,
            port=port,
            ders=tuple(ders.get((host, port), ())),
            points=tuple(points.get((host, port), ())),
            version=endpoint.version,
            client_id=f"ampacity-{zone.zone.id}-sparkplug",
            host_id=host_id(zone, endpoint),
            timeout_s=endpoint.timeout_s,
            telemetry_s=endpoint.telemetry_s,
            by_exception=endpoint.by_exception,
            reorder_s=endpoint.reorder_s,
            username=endpoint.username,
            password=environment.get(endpoint.password_variable, "") if endpoint.password_variable else "",
            tls=endpoint.tls,
            ca_file=endpoint.ca_file,
            certificate_file=endpoint.certificate_file,
            key_file=endpoint.key_file,
        )
        for (host, port), endpoint in endpoints.items()
    ]
