"""Certificates, keys and what else secures a connection: named in full, and there."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from config.checks.finding import Finding, Subject
from config.document import is_directory, is_file
from config.endpoints import Dnp3Endpoint, Endpoint, MqttEndpoint, OpcUaEndpoint, SparkplugEndpoint
from config.file_names import ENDPOINT_FILES, TRUST, security_files
from config.settings import ZoneFile


def files_are_there(subject: Subject) -> Iterator[Finding]:
    """Files that the endpoint of a real device or station names exist; those of the testbed are made later."""
    for path, endpoint, simulated in _endpoints(subject.zone):
        if simulated:
            continue
        named = [(key, name) for key in ENDPOINT_FILES if (name := getattr(endpoint, key, ""))]
        if isinstance(endpoint, OpcUaEndpoint):
            named += [("security", name) for name in security_files(endpoint.security) if name]
        for key, name in named:
            if not is_file(Path(name)):
                yield Finding((*path, key), f"{path[1]}: {name} is not a file", "correct the path")
        if (name := getattr(endpoint, TRUST, "")) and not is_directory(Path(name)):
            yield Finding((*path, TRUST), f"{path[1]}: {name} is not a directory", "correct the path")

    if subject.zone.telemetry is not None:
        for key in ENDPOINT_FILES:
            if (name := getattr(subject.zone.telemetry, key, "")) and not is_file(Path(name)):
                yield Finding(("telemetry", key), f"telemetry: {name} is not a file", "correct the path")


def security_is_complete(subject: Subject) -> Iterator[Finding]:
    """A certificate has its key, and a CA file a connection that uses it."""
    for path, endpoint, _ in _endpoints(subject.zone):
        match endpoint:
            case (
                MqttEndpoint(certificate_file=certificate, key_file=key)
                | SparkplugEndpoint(certificate_file=certificate, key_file=key)
            ) if bool(certificate) != bool(key):
                present, absent = ("certificate_file", "key_file") if certificate else ("key_file", "certificate_file")
                yield Finding((*path, present), f"{path[1]} has `{present}` without `{absent}`", "give both or neither")
            case Dnp3Endpoint(tls=True) if not (endpoint.ca_file and endpoint.certificate_file and endpoint.key_file):
                yield Finding(
                    (*path, "tls"),
                    f"{path[1]} has `tls` without all of `ca_file`, `certificate_file` and `key_file`",
                    "give all three: DNP3 over TLS is mutual",
                )
            case (
                MqttEndpoint(tls=False, ca_file=authorities, certificate_file=certificate)
                | SparkplugEndpoint(tls=False, ca_file=authorities, certificate_file=certificate)
                | Dnp3Endpoint(tls=False, ca_file=authorities, certificate_file=certificate)
            ) if authorities or certificate:
                key = "ca_file" if authorities else "certificate_file"
                yield Finding((*path, key), f"{path[1]} has `{key}`, but `tls` is false", "write tls: true")


def timezone_exists(subject: Subject) -> Iterator[Finding]:
    """The service territory of the IEEE 2030.5 server is a time zone of this machine's database."""
    name = subject.zone.ieee2030_5.timezone
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        yield Finding(
            ("ieee2030_5", "timezone"), f"`{name}` is not a known time zone", "write an IANA name, as America/Toronto"
        )


def _endpoints(zone: ZoneFile) -> Iterator[tuple[tuple[str, str, str], Endpoint, bool]]:
    for device_id, device in zone.devices.items():
        yield ("devices", device_id, "endpoint"), device.endpoint, device.simulated
    for station_id, station in zone.stations.items():
        yield ("stations", station_id, "endpoint"), station.endpoint, station.simulated
