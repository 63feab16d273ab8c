"""Who listens where: no two servers on one port, no two devices behind one identity."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from config.checks.finding import Finding, Subject
from config.endpoints import Dnp3Endpoint, Endpoint, Ieee20305Endpoint, MqttEndpoint, OpcUaEndpoint, SparkplugEndpoint
from config.modbus_endpoint import ModbusEndpoint
from config.settings import ZoneFile

_LOCAL = frozenset({"127.0.0.1", "localhost", "0.0.0.0", "::", "::1"})  # noqa: S104 (compared, never bound)
_HERE = "this machine"
_DEFAULT_PORTS = {"http": 80, "https": 443, "opc.tcp": 4840}


@dataclass(frozen=True, slots=True)
class _Server:
    """Someone who answers on a port."""

    path: tuple[str, ...]
    label: str
    host: str
    port: int
    protocol: str
    share: str
    """Tells apart those who share a server of this protocol: unit, topic, node, path."""


def ports_are_free(subject: Subject) -> Iterator[Finding]:
    """No two servers on one host and port; one server may carry several units, topics, nodes or paths."""
    taken: dict[tuple[str, int], list[_Server]] = defaultdict(list)
    for server in _servers(subject.zone):
        others = taken[server.host, server.port]
        rival = next((other for other in others if _clash(server, other)), None)
        if rival is not None:
            same = " with the same " + _SHARES[server.protocol] if rival.protocol == server.protocol else ""
            yield Finding(
                server.path,
                f"{server.label} is on port {server.port} of {server.host}, as is {rival.label}{same}",
                "give one of them another address",
            )
        others.append(server)


def urls_have_ports(subject: Subject) -> Iterator[Finding]:
    """URLs name a host and a port that exist."""
    for path, url in _urls(subject.zone):
        if _address(url) is None:
            yield Finding(path, f"`{url}` has no host or an impossible port", "write it as scheme://host:port/path")


def clients_have_identity(subject: Subject) -> Iterator[Finding]:
    """An IEEE 2030.5 client is known by its LFDI or its certificate, and no two by the same."""
    owner: dict[str, str] = {}
    for device_id, device in subject.zone.devices.items():
        endpoint, at = device.endpoint, ("devices", device_id, "endpoint")
        if not isinstance(endpoint, Ieee20305Endpoint):
            continue
        if endpoint.lfdi is not None and endpoint.certificate is not None:
            yield Finding(at, f"{device_id} has both `lfdi` and `certificate`", "give one of them, or neither")
        identity = (endpoint.lfdi or "").upper() or endpoint.certificate or device_id
        if owner.setdefault(identity, device_id) != device_id:
            yield Finding(at, f"{device_id} has the identity of {owner[identity]}", "each client needs its own")


def simulated_are_local(subject: Subject) -> Iterator[Finding]:
    """The testbed plays only on this machine: an address elsewhere with `simulated: true` is a slip."""
    zone = subject.zone
    simulated = {
        **{("devices", key): item.endpoint for key, item in zone.devices.items() if item.simulated},
        **{("stations", key): item.endpoint for key, item in zone.stations.items() if item.simulated},
    }
    hosts = {(*path, "simulated"): _host_of(endpoint) for path, endpoint in simulated.items()}
    for key, party in zone.parties.items():
        if party.simulated:
            hosts["parties", key, "simulated"] = (_address(party.url) or (None, 0))[0]
    for path, host in hosts.items():
        if host is not None and host != _HERE:
            yield Finding(
                path,
                f"{path[1]} is simulated but its address is on {host}",
                "write simulated: false for the real one, or 127.0.0.1 for the simulated one",
            )


_SHARES = {
    "dnp3": "connection, which DNP3 does not share",
    "modbus": "unit",
    "mqtt": "topic",
    "opcua": "node",
    "http": "path",
    "own": "port",
}


def _clash(one: _Server, other: _Server) -> bool:
    return one.protocol != other.protocol or one.share == other.share


def _servers(zone: ZoneFile) -> Iterator[_Server]:
    """Everybody who listens, in the order of the file's sections."""
    listen, here = zone.listen, _machine(zone.listen.host)
    yield _Server(("listen", "parties_port"), "the parties' interface", here, listen.parties_port, "own", "")
    yield _Server(("listen", "ieee2030_5_port"), "the 2030.5 server", here, listen.ieee2030_5_port, "own", "")
    yield from _own_servers(zone)
    if listen.console_port:
        host = _machine(listen.console_host)
        yield _Server(("listen", "console_port"), "the operator's API", host, listen.console_port, "own", "")
    if any(item.simulated for group in (zone.devices, zone.stations, zone.parties) for item in group.values()):
        yield _Server(("testbed", "control_port"), "the testbed", _HERE, zone.testbed.control_port, "own", "")
    for device_id, device in zone.devices.items():
        yield from _endpoint_server(("devices", device_id, "endpoint"), f"device {device_id}", device.endpoint)
    for station_id, station in zone.stations.items():
        yield from _endpoint_server(("stations", station_id, "endpoint"), f"station {station_id}", station.endpoint)
    for party_id, party in zone.parties.items():
        address = _address(party.url)
        if address is not None:
            share = urlsplit(party.url).path.rstrip("/")
            yield _Server(("parties", party_id, "url"), f"party {party_id}", *address, "http", share)


def _own_servers(zone: ZoneFile) -> Iterator[_Server]:
    """What of the gateway itself listens where the file asks for it."""
    if zone.telemetry is not None:
        host, port = _machine(zone.telemetry.host), zone.telemetry.port
        yield _Server(("telemetry", "port"), "the telemetry outstation", host, port, "own", "")
    if zone.sunspec is not None:
        facade = zone.sunspec
        for key, host, at in (("port", _HERE, facade.port), ("tls_port", _machine(facade.tls_host), facade.tls_port)):
            if at is not None:
                yield _Server(("sunspec", key), "the SunSpec façade", host, at, "own", "")
    if zone.opcua_server is not None:
        host, port = _machine(zone.opcua_server.host), zone.opcua_server.port
        yield _Server(("opcua_server", "port"), "the OPC UA server", host, port, "own", "")


def _endpoint_server(path: tuple[str, ...], label: str, endpoint: Endpoint) -> Iterator[_Server]:
    match endpoint:
        case ModbusEndpoint(transport="serial", host=host, unit=unit):
            yield _Server(path, label, host, 0, "modbus", str(unit))
        case ModbusEndpoint(host=host, port=port, unit=unit):
            yield _Server(path, label, _machine(host), port, "modbus", str(unit))
        case MqttEndpoint(host=host, port=port, topic=topic):
            yield _Server(path, label, _machine(host), port, "mqtt", topic.strip("/"))
        case SparkplugEndpoint(host=host, port=port):
            share = f"spBv1.0/{endpoint.group}/{endpoint.node}/{endpoint.device}"
            yield _Server(path, label, _machine(host), port, "mqtt", share)
        case OpcUaEndpoint(url=url, node=node):
            address = _address(url)
            if address is not None:
                yield _Server(path, label, *address, "opcua", node or label)
        case Dnp3Endpoint(host=host, port=port):
            yield _Server(path, label, _machine(host), port, "dnp3", "")
        case Ieee20305Endpoint():
            pass  # a client of ours: it listens nowhere


def _urls(zone: ZoneFile) -> Iterator[tuple[tuple[str, ...], str]]:
    for section, entries in (("devices", zone.devices), ("stations", zone.stations)):
        for key, item in entries.items():
            if isinstance(item.endpoint, OpcUaEndpoint):
                yield (section, key, "endpoint", "url"), item.endpoint.url
    for key, party in zone.parties.items():
        if party.url:
            yield ("parties", key, "url"), party.url
    for key, hook in zone.webhooks.items():
        yield ("webhooks", key, "url"), hook.url


def _host_of(endpoint: Endpoint) -> str | None:
    match endpoint:
        case ModbusEndpoint(transport="serial"):
            return _HERE
        case (
            ModbusEndpoint(host=host) | MqttEndpoint(host=host) | SparkplugEndpoint(host=host) | Dnp3Endpoint(host=host)
        ):
            return _machine(host)
        case OpcUaEndpoint(url=url):
            return (_address(url) or (None, 0))[0]
        case Ieee20305Endpoint():
            return None


def _address(url: str) -> tuple[str, int] | None:
    """Host and port of a URL; `None` where it has none that could work."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or port == 0:
        return None
    return _machine(parts.hostname), port or _DEFAULT_PORTS[parts.scheme]


def _machine(host: str) -> str:
    """One word for all names of this machine."""
    return _HERE if host.lower() in _LOCAL else host.lower()
