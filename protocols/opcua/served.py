"""What a server of ours shows, to whom, and how it is secured."""

from dataclasses import dataclass, field
from enum import Enum

from protocols.opcua.settings import POLICIES
from protocols.signals import Quality

MOST_CHILDREN = 100
"""In one folder: creating a variable takes time that grows with its siblings, and people read no longer lists."""

Value = float | bool | str
"""Times are Unix seconds."""


class Type(Enum):
    """What a variable holds."""

    NUMBER = "Double"
    COUNT = "Int64"
    FLAG = "Boolean"
    TIME = "DateTime"
    TEXT = "String"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable, in folders that are made for it."""

    path: tuple[str, ...]
    """Folders from the top, then its own name."""
    node: str
    """Identifier within the server's namespace; stays the same however folders are divided."""
    type: Type
    about: str
    """Unit and meaning, for people."""
    is_writable: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """What a variable shows now."""

    value: Value | None
    """`None`: nothing was heard yet, or, with bad quality, nothing that can be used."""
    quality: Quality = Quality.GOOD
    at_s: float | None = None
    """When it came about at its source; `None`: not known."""


@dataclass(frozen=True, slots=True)
class ServedUser:
    """Somebody who may open a session, by password or by certificate."""

    name: str
    is_operator: bool = False
    """Operators may write what is writable; everybody else only reads."""
    password: str = field(default="", repr=False)
    certificate: str = ""
    """PEM or DER file."""

    def __post_init__(self) -> None:
        if bool(self.password) == bool(self.certificate):
            raise ValueError(f"user {self.name} needs either a password or a certificate")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where a server listens, and how it is secured."""

    host: str
    port: int
    namespace: str
    """URI of the namespace of what it shows."""
    application_uri: str
    """Must be that of the certificate."""
    name: str
    policies: tuple[str, ...] = ()
    """Offered with SignAndEncrypt; empty: no security at all."""
    certificate: str = ""
    key: str = ""
    trust: str = ""
    """Directory of the clients that are trusted; read at every new channel."""
    users: tuple[ServedUser, ...] = ()
    anonymous: bool = True
    """Whether somebody without a name may read."""

    def __post_init__(self) -> None:
        unknown = [policy for policy in self.policies if policy not in POLICIES]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: use {', '.join(POLICIES)}")
        if self.policies and not (self.certificate and self.key and self.trust):
            raise ValueError("security needs a certificate, its key and a trust list")
        if self.users and not self.policies:
            raise ValueError("users need security: without it a password or a signature proves nothing")
        if not self.users and not self.anonymous:
            raise ValueError("nobody may open a session")
