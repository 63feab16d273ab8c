"""The gateway's own OPC UA server: secured wherever others can reach it, and open to somebody."""

from collections.abc import Iterator
from pathlib import Path

from config.checks.finding import Finding, Subject
from config.document import is_directory, is_file
from config.opcua_server import OpcUaServer, OpcUaUser

SECTION = "opcua_server"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_FILES = ("certificate_file", "key_file")


def server_is_secured(subject: Subject) -> Iterator[Finding]:
    """Policies have all their files, and nobody beyond this machine is served without."""
    server = subject.zone.opcua_server
    if server is None:
        return
    needed = (*_FILES, "trust")
    absent = [key for key in needed if not getattr(server, key)]
    if server.policies and absent:
        yield Finding(
            (SECTION, "policies"),
            f"the OPC UA server has policies without `{'`, `'.join(absent)}`",
            "give its certificate, its key and the directory of the clients that it trusts",
        )
    for key in needed if not server.policies else ():
        if getattr(server, key):
            yield Finding((SECTION, key), f"the OPC UA server has `{key}`, but no policies", _name_policies())
    if not server.policies and server.host not in _LOOPBACK:
        yield Finding(
            (SECTION, "host"),
            f"the OPC UA server would show the zone to whoever reaches {server.host}",
            _name_policies(),
        )
    yield from _files_are_there(server)


def users_can_come(subject: Subject) -> Iterator[Finding]:
    """Every user has one way to prove who he is, over security, and somebody may come at all."""
    server = subject.zone.opcua_server
    if server is None:
        return
    for name, user in server.users.items():
        if bool(user.password_variable) == bool(user.certificate_file):
            yield Finding(
                (SECTION, "users", name),
                f"the OPC UA user {name} needs either `password_variable` or `certificate_file`",
                "give one of them",
            )
    if server.users and not server.policies:
        yield Finding((SECTION, "users"), "users of the OPC UA server prove nothing without security", _name_policies())
    if not server.users and not server.anonymous:
        yield Finding((SECTION, "anonymous"), "nobody may use the OPC UA server", "add users, or write anonymous: true")


def _files_are_there(server: OpcUaServer) -> Iterator[Finding]:
    owners: list[tuple[tuple[str, ...], OpcUaServer | OpcUaUser, tuple[str, ...]]] = [((SECTION,), server, _FILES)]
    owners += [((SECTION, "users", name), user, _FILES[:1]) for name, user in server.users.items()]
    for path, owner, keys in owners:
        for key in keys:
            if (name := getattr(owner, key)) and not is_file(Path(name)):
                yield Finding((*path, key), f"{'.'.join(path)}: {name} is not a file", "correct the path")
    if server.trust and not is_directory(Path(server.trust)):
        yield Finding((SECTION, "trust"), f"{SECTION}: {server.trust} is not a directory", "correct the path")


def _name_policies() -> str:
    return "write policies: [Aes256Sha256RsaPss], with certificate_file, key_file and trust"
