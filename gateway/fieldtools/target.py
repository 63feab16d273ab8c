"""Where a tool is pointed at: a URL on the command line, or a device of a zone file, both as an endpoint."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import yaml
from pydantic import TypeAdapter, ValidationError

from config.endpoints import Endpoint
from config.loader import ConfigError, load
from config.settings import ZoneFile
from protocols.tool import ToolError

ANY: Final = "*"
"""Stands for a part of the address that the target leaves out."""
SYNTAX: Final = """\
a TARGET is a URL, or a device or station of a zone file; after `?` stand keys of the zone file's endpoint:

  modbus://192.0.2.21:502/126             unit 126; ?transport=tls&ca_file=...&certificate_file=...&key_file=...
  modbus:///dev/ttyUSB0?unit=3&baud=9600  a serial line
  opc.tcp://192.0.2.22:4840?node=ns=2;s=Plant
  mqtt://192.0.2.23:1883/site/inverter    the prefix of the device's topics; mqtts: over TLS
  sparkplug://192.0.2.23/group/node/device
  dnp3://192.0.2.24:20000/10?master=1     outstation 10
  zone.yaml:A                             device A as the zone file reaches it, certificates included
"""
_ENDPOINT: Final[TypeAdapter[Endpoint]] = TypeAdapter(Endpoint)


@dataclass(frozen=True, slots=True)
class Target:
    """What a tool is pointed at."""

    text: str
    """As it was given."""
    endpoint: Endpoint
    written: Mapping[str, object]
    """The endpoint's keys as they would stand in a zone file; defaults are left out."""
    zone: ZoneFile | None = None
    """The zone file that the target names a device or station of, if it does."""
    name: str = ""
    """Its id there."""


def parse(text: str) -> Target:
    """The target that a text names.

    Raises:
        ToolError: there is no such target; says what is wrong with it.
    """
    file, _, name = text.rpartition(":")
    if file.endswith((".yaml", ".yml")):
        return _of_zone(text, Path(file), name)
    parts = urlsplit(text)
    read = _SCHEMES.get(parts.scheme)
    if read is None:
        known = ", ".join(f"{scheme}:" for scheme in _SCHEMES)
        raise ToolError(f"{text!r} is no target; begin with {known} or name a device as zone.yaml:A")
    try:
        written = {**_options(parts.query), **read(parts)}
        endpoint = _ENDPOINT.validate_python({**_placeholders(written), **written})
    except ValidationError as error:
        raise ToolError("; ".join(_fault(text, one["loc"], one["msg"]) for one in error.errors())) from None
    except ValueError as error:
        raise ToolError(f"{text}: {error}") from None
    return Target(text, endpoint, written)


def _of_zone(text: str, file: Path, name: str) -> Target:
    try:
        zone = load(file)
    except ConfigError as error:
        raise ToolError(str(error)) from None
    reached = zone.devices.get(name) or zone.stations.get(name)
    if reached is None:
        known = ", ".join((*zone.devices, *zone.stations))
        raise ToolError(f"{file} has no device or station {name!r}, but {known}")
    written = reached.endpoint.model_dump(exclude_defaults=True)
    return Target(text, reached.endpoint, written, zone, name)


def _options(query: str) -> dict[str, object]:
    """Keys of an endpoint, their values as YAML has them."""
    return {key: yaml.safe_load(value) for key, value in parse_qsl(query, strict_parsing=bool(query))}


def _placeholders(written: Mapping[str, object]) -> dict[str, object]:
    """What an endpoint must have and a scan need not know."""
    match written["protocol"]:
        case "mqtt":
            return {"topic": ANY}
        case "sparkplug":
            return {"group": ANY, "node": ANY}
        case _:
            return {}


def _fault(text: str, steps: tuple[int | str, ...], problem: str) -> str:
    key = ".".join(str(step) for step in steps[1:])
    return f"{text}: {key + ': ' if key else ''}{problem[:1].lower()}{problem[1:]}"


def _address(parts: SplitResult) -> dict[str, object]:
    """Host, and port where there is one."""
    if not parts.hostname:
        raise ValueError("names no host")
    if parts.username is not None:
        raise ValueError("write no password here; give username=NAME&password_variable=VARIABLE after the `?`")
    return {"host": parts.hostname, **({} if parts.port is None else {"port": parts.port})}


def _path(parts: SplitResult) -> list[str]:
    return [unquote(step) for step in parts.path.split("/") if step]


def _modbus(parts: SplitResult) -> dict[str, object]:
    if not parts.netloc:
        return {"protocol": "modbus", "transport": "serial", "host": unquote(parts.path)}
    return {"protocol": "modbus", **_address(parts), **_numbered(parts, "unit")}


def _opcua(parts: SplitResult) -> dict[str, object]:
    return {"protocol": "opcua", "url": f"{parts.scheme}://{parts.netloc}{parts.path}"}


def _mqtt(parts: SplitResult) -> dict[str, object]:
    topic = "/".join(_path(parts))
    return {"protocol": "mqtt", **_address(parts), **({"topic": topic} if topic else {}), **_secured(parts)}


def _sparkplug(parts: SplitResult) -> dict[str, object]:
    names = dict(zip(("group", "node", "device"), _path(parts), strict=False))
    return {"protocol": "sparkplug", **_address(parts), **names, **_secured(parts)}


def _dnp3(parts: SplitResult) -> dict[str, object]:
    return {"protocol": "dnp3", **_address(parts), **_numbered(parts, "outstation"), **_secured(parts)}


def _secured(parts: SplitResult) -> dict[str, object]:
    return {"tls": True} if parts.scheme.endswith("s") else {}


def _numbered(parts: SplitResult, key: str) -> dict[str, object]:
    """The number that the path holds, if any."""
    steps = _path(parts)
    if not steps:
        return {}
    if len(steps) > 1 or not steps[0].isdigit():
        raise ValueError(f"the path is the number of the {key}, not {parts.path!r}")
    return {key: int(steps[0])}


_SCHEMES: Final[Mapping[str, Callable[[SplitResult], dict[str, Any]]]] = {
    "modbus": _modbus,
    "opc.tcp": _opcua,
    "mqtt": _mqtt,
    "mqtts": _mqtt,
    "sparkplug": _sparkplug,
    "sparkplugs": _sparkplug,
    "dnp3": _dnp3,
    "dnp3s": _dnp3,
}
