"""File names in a zone file, each made absolute from the file in which it is written."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from config.document import Node

ENDPOINT_FILES = ("certificate", "ca_file", "certificate_file", "key_file", "user_certificate_file", "user_key_file")
"""Keys of an endpoint that name one file."""

TRUST = "trust"
"""Key of an endpoint that names a directory."""

SECURITY = "security"
"""Key of an OPC UA endpoint whose third and further parts, separated by commas, are files."""

_SECURITY_WORDS = 2
_PARTIES: Final[tuple[tuple[str, ...], ...]] = (("parties",), ("webhooks",), ("testbed", "parties"))
"""Where parties and the like name files of their own."""


def with_absolute_names(root: Node) -> Node:
    """The document with every file name absolute; empty names stay empty, anything but text stays as it is."""
    root = _changed(root, ("network", "source"))
    root = _changed(root, ("network", "day", "source"))
    for feeder in _keys(root, "network", "feeders"):
        root = _changed(root, ("network", "feeders", feeder))
    for section in ("devices", "stations"):
        for entry in _keys(root, section):
            for key in (*ENDPOINT_FILES, TRUST, SECURITY):
                root = _changed(root, (section, entry, "endpoint", key))
    for key in ENDPOINT_FILES:
        root = _changed(root, ("telemetry", key))
        root = _changed(root, ("sunspec", key))
        root = _changed(root, ("listen", key))
        for path in _PARTIES:
            for entry in _keys(root, *path):
                root = _changed(root, (*path, entry, key))
    for key in (*ENDPOINT_FILES, TRUST):
        root = _changed(root, ("opcua_server", key))
    for user in _keys(root, "opcua_server", "users"):
        root = _changed(root, ("opcua_server", "users", user, "certificate_file"))
    return root


def security_files(security: str) -> tuple[str, ...]:
    """The files that an OPC UA security string names."""
    return tuple(part.strip() for part in security.split(",")[_SECURITY_WORDS:])


def _keys(root: Node, *path: str) -> Iterator[str]:
    entries: Node | None = root
    for step in path:
        entries = entries.value.get(step) if entries is not None and isinstance(entries.value, dict) else None
    yield from entries.value if entries is not None and isinstance(entries.value, dict) else ()


def _changed(node: Node, path: tuple[str, ...], key: str = "") -> Node:
    """`node` with the text at `path`, if there is one, made absolute."""
    if not path:
        if not isinstance(node.value, str) or not node.value:
            return node
        folder = node.place.file.parent
        return replace(node, value=_security(folder, node.value) if key == SECURITY else _absolute(folder, node.value))
    if not isinstance(node.value, dict) or path[0] not in node.value:
        return node
    return replace(node, value={**node.value, path[0]: _changed(node.value[path[0]], path[1:], path[0])})


def _absolute(folder: Path, name: str) -> str:
    return str((folder / name).absolute()) if name else name


def _security(folder: Path, security: str) -> str:
    words = security.split(",")[:_SECURITY_WORDS]
    return ",".join([*words, *(_absolute(folder, name) for name in security_files(security))])
