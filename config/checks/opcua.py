"""OPC UA connections: secured in full, alike for all who share one, and with a watchdog that outlasts its calls."""

from collections.abc import Iterator

from config.checks.finding import Finding, Subject
from config.endpoints import OpcUaEndpoint
from config.file_names import security_files
from config.settings import ZoneFile

POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
MODES = ("Sign", "SignAndEncrypt")
"""The words of `protocols.opcua.settings`, which this room may not import; a test compares them."""

_OF_CONNECTION = (
    "publishing_s",
    "timeout_s",
    "watchdog_s",
    "security",
    "trust",
    "username",
    "password_variable",
    "user_certificate_file",
    "user_key_file",
)
"""What belongs to a connection, and so to everything behind it."""
_Path = tuple[str, str, str]
_NO_PASSWORD = "a password travels only over SignAndEncrypt"  # noqa: S105 - a remedy


def connections_are_secure(subject: Subject) -> Iterator[Finding]:
    """Security names all that it needs and who is trusted; nobody tells a password or shows a key without it."""
    for path, endpoint in _endpoints(subject.zone):
        name, security = path[1], endpoint.security
        if security and not _is_security(security):
            yield Finding(
                (*path, "security"),
                f"{name}: the security string is not `policy,mode,certificate,key[,server certificate]`",
                f"use a policy of {', '.join(POLICIES)} and a mode of {', '.join(MODES)}",
            )
            continue
        yield from _trust(path, endpoint)
        yield from _user(path, endpoint)


def connections_agree(subject: Subject) -> Iterator[Finding]:
    """All that share a server are reached in the same way, since they share the session."""
    first: dict[str, tuple[str, OpcUaEndpoint]] = {}
    for path, endpoint in _endpoints(subject.zone):
        owner, shared = first.setdefault(endpoint.url, (path[1], endpoint))
        for key in _OF_CONNECTION:
            if getattr(endpoint, key) != getattr(shared, key):
                yield Finding(
                    (*path, key),
                    f"{path[1]} shares {endpoint.url} with {owner}, but not its `{key}`",
                    "they share one session: give both the same",
                )


def watchdogs_outlast_calls(subject: Subject) -> Iterator[Finding]:
    """A watchdog, renewed at half of its life, outlasts a call that takes as long as it may."""
    for path, endpoint in _endpoints(subject.zone):
        if endpoint.watchdog_s < 2 * endpoint.timeout_s:
            yield Finding(
                (*path, "watchdog_s"),
                f"{path[1]}: a watchdog of {endpoint.watchdog_s:g} s cannot outlast "
                f"a timeout of {endpoint.timeout_s:g} s",
                f"write {2 * endpoint.timeout_s:g} or more",
            )


def _trust(path: _Path, endpoint: OpcUaEndpoint) -> Iterator[Finding]:
    name = path[1]
    pinned = len(security_files(endpoint.security)) > 2
    if endpoint.security and not pinned and not endpoint.trust:
        yield Finding(
            (*path, "security"),
            f"{name} does not say which server it trusts",
            "add the server's certificate as the fifth part, or `trust` with a directory of certificates",
        )
    elif pinned and endpoint.trust:
        yield Finding((*path, "trust"), f"{name} has both a server certificate and `trust`", "leave one of them out")
    elif endpoint.trust and not endpoint.security:
        yield Finding((*path, "trust"), f"{name} has `trust` without `security`", "write how it is secured")


def _user(path: _Path, endpoint: OpcUaEndpoint) -> Iterator[Finding]:
    name, mode = path[1], endpoint.security.split(",")[1:2]
    if bool(endpoint.username) != bool(endpoint.password_variable):
        key, other = ("username", "password_variable") if endpoint.username else ("password_variable", "username")
        yield Finding((*path, key), f"{name} has `{key}` without `{other}`", "give both or neither")
    elif endpoint.username and [word.strip() for word in mode] != ["SignAndEncrypt"]:
        yield Finding((*path, "username"), f"{name} has a `username`, but its messages are not encrypted", _NO_PASSWORD)
    if bool(endpoint.user_certificate_file) != bool(endpoint.user_key_file):
        keys = ("user_certificate_file", "user_key_file")
        key, other = keys if endpoint.user_certificate_file else keys[::-1]
        yield Finding((*path, key), f"{name} has `{key}` without `{other}`", "give both or neither")
    elif endpoint.user_certificate_file and endpoint.username:
        yield Finding((*path, "username"), f"{name} has `username` and `user_certificate_file`", "be one user")
    elif endpoint.user_certificate_file and not endpoint.security:
        yield Finding(
            (*path, "user_certificate_file"),
            f"{name} has a user certificate without `security`",
            "write how it is secured",
        )


def _is_security(security: str) -> bool:
    policy, _, rest = security.partition(",")
    mode = rest.partition(",")[0]
    names = security_files(security)
    return policy.strip() in POLICIES and mode.strip() in MODES and len(names) in {2, 3} and all(names)


def _endpoints(zone: ZoneFile) -> Iterator[tuple[_Path, OpcUaEndpoint]]:
    for section, entries in (("devices", zone.devices), ("stations", zone.stations)):
        for name, item in entries.items():
            if isinstance(item.endpoint, OpcUaEndpoint):
                yield (section, name, "endpoint"), item.endpoint
