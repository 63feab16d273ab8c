"""What the OPC UA adapter must be told about one server."""

from dataclasses import dataclass, field

from protocols.points import Point

POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
"""Security policies that are not obsolete."""
MODES = ("Sign", "SignAndEncrypt")


@dataclass(frozen=True, slots=True)
class UserName:
    """A session of a named user."""

    name: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserCertificate:
    """A session of whoever holds a key."""

    certificate: str
    """PEM or DER file."""
    key: str


User = UserName | UserCertificate


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one server, and who we are there."""

    url: str
    """`opc.tcp://host:port/path`."""
    timeout_s: float = 2.0
    """Deadline of every call."""
    security: str = ""
    """`Policy,Mode,certificate,key[,server certificate]`, for example `Basic256Sha256,SignAndEncrypt,c.der,k.pem`."""
    trust: str = ""
    """Directory of the certificates that are trusted, in place of the one server certificate; read at every connect."""
    user: User | None = None
    """`None`: anonymous."""

    def __post_init__(self) -> None:
        policy, mode, *files = [part.strip() for part in self.security.split(",")] + [""]
        if self.security and (policy not in POLICIES or mode not in MODES or len(files) not in (3, 4)):
            raise ValueError(
                f"{self.url}: security {self.security!r} is not `policy,mode,certificate,key[,server certificate]`"
                f" with a policy of {', '.join(POLICIES)} and a mode of {', '.join(MODES)}"
            )
        if self.security and bool(self.server_certificate) == bool(self.trust):
            raise ValueError(f"{self.url}: security needs a server certificate or a trust list, one of the two")
        if self.trust and not self.security:
            raise ValueError(f"{self.url}: a trust list without security has nothing to judge")
        if isinstance(self.user, UserName) and mode != "SignAndEncrypt":
            raise ValueError(f"{self.url}: the password of {self.user.name} may only travel with mode SignAndEncrypt")
        if isinstance(self.user, UserCertificate) and not self.security:
            raise ValueError(f"{self.url}: a user certificate needs security")

    @property
    def server_certificate(self) -> str:
        """The file of the one certificate that is trusted; empty where there is none."""
        parts = [part.strip() for part in self.security.split(",")]
        return parts[4] if len(parts) > 4 else ""


@dataclass(frozen=True, slots=True)
class DerFolder:
    """A DER whose variables lie in one folder of the server, named as in `protocols.opcua.model`."""

    resource: str
    folder: str
    """NodeId of the folder or object, for example `ns=2;s=A` or `nsu=urn:plant;s=A`."""


@dataclass(frozen=True, slots=True)
class MappedNode:
    """One measured value of a station."""

    point: Point
    node: str
    """NodeId of a numeric or Boolean variable."""
    scale: float = 1.0
    """Multiplies the node's value to give the point's unit."""
    command: str = ""
    """NodeId of the variable that the point is operated by; empty where it cannot be."""


@dataclass(frozen=True, slots=True)
class OpcUaSettings:
    """One connection to one server."""

    url: str
    """`opc.tcp://host:port/path`."""
    ders: tuple[DerFolder, ...] = ()
    points: tuple[MappedNode, ...] = ()
    timeout_s: float = 2.0
    """Deadline of every call; a control costs at most two of them, a write and a read."""
    publishing_s: float = 0.5
    """Publishing and sampling interval asked of the server."""
    refresh_s: float = 2.0
    """Time between two reads of everything: proof that the server lives, and that a still value is still true."""
    watchdog_s: float = 30.0
    """Life of the watchdog written with every control, for a device that has one; renewed at half of it."""
    reconnect_max_s: float = 10.0
    """Longest pause between two attempts to connect."""
    security: str = ""
    trust: str = ""
    user: User | None = None

    def __post_init__(self) -> None:
        if not self.ders and not self.points:
            raise ValueError(f"{self.url}: neither a DER nor a point to read")
        names = [der.resource for der in self.ders]
        if len(names) != len(set(names)):
            raise ValueError(f"{self.url}: a DER is named twice")
        if self.watchdog_s < 2 * self.timeout_s:
            raise ValueError(
                f"{self.url}: a watchdog of {self.watchdog_s} s cannot outlast a timeout of {self.timeout_s} s"
            )
        _ = self.connection  # which checks its own part

    @property
    def connection(self) -> Connection:
        """How the server is reached."""
        return Connection(self.url, self.timeout_s, self.security, self.trust, self.user)

    @property
    def resources(self) -> frozenset[str]:
        """Everything that this connection speaks for."""
        return frozenset(der.resource for der in self.ders) | frozenset(mapped.point.resource for mapped in self.points)
