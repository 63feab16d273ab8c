"""Who the gateway exchanges messages with, how each proves who it is, and who gets copies."""

from typing import Annotated, Literal

from pydantic import Field

from config.section import Section, TcpPort

Digest = Annotated[str, Field(pattern=r"^$|^[0-9A-Fa-f]{64}$")]
"""SHA-256 in hex."""
Fingerprint = Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$")]
"""SHA-256 of a certificate (DER) in hex, with or without colons."""


class PartyProof(Section):
    """What a party has to show before it is believed; all that is named here."""

    token_sha256: Digest = ""
    """SHA-256 of its bearer token, as `ampacity party token` tells it."""
    token_stored: bool = False
    """The digest stands in the storage directory instead, where `ampacity party token` keeps it."""
    certificate_sha256: tuple[Fingerprint, ...] = ()
    """Fingerprints of its client certificates: one, or two while one follows the other."""
    subject: str = ""
    """Common name of its client certificate, in place of fingerprints: `listen.ca_file` says who may vouch for it."""
    by_platform: bool = False
    """The zone's `platform`, which proves itself, is believed too where it hands over what this party says."""


class Party(Section):
    """Someone the gateway exchanges market messages with."""

    role: Literal["system_operator", "dera", "host", "platform"]
    name: str = ""
    url: Annotated[str, Field(pattern=r"^$|^https?://")] = ""
    """Base of its own interface, to which messages are pushed; empty: it fetches them from ours."""
    simulated: bool = False
    auth: PartyProof | None = None
    """How it proves who it is; only on this machine may a party do without."""
    token_variable: str = ""
    """Name of the environment variable that holds the bearer token which the gateway shows to it."""
    ca_file: str = ""
    """PEM file of the authorities that may vouch for it; empty: those of the operating system."""
    certificate_file: str = ""
    """PEM file with the certificate that the gateway shows to it."""
    key_file: str = ""


class PartyKeys(Section):
    """What the testbed shows as a simulated party, to the gateway and to other parties, and what it is shown."""

    token_variable: str = ""
    """Name of the environment variable that holds the bearer token which it shows to the gateway."""
    ca_file: str = ""
    """PEM file of the authorities that may vouch for the gateway and for others that write to it; empty: those of
    the operating system vouch for the gateway, and who writes to it shows no certificate."""
    certificate_file: str = ""
    """PEM file with the certificate that it shows, also where it is written to: its `url` is https then."""
    key_file: str = ""


class Listen(Section):
    """Where the gateway itself listens."""

    host: str = "127.0.0.1"
    parties_port: TcpPort = 18_000
    certificate_file: str = ""
    """PEM file of the parties' interface, with its chain: it then speaks TLS 1.2 or newer and nothing else."""
    key_file: str = ""
    ca_file: str = ""
    """PEM file of the authorities that vouch for the parties' certificates, or of those certificates themselves."""
    ieee2030_5_port: TcpPort = 18_443
    console_host: str = "127.0.0.1"
    """Where `ampacity status`, `approve` and the like reach the gateway; whoever has the token in `admin.token` of the
    storage directory operates the zone."""
    console_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """0 takes a free one; `console.url` in the storage directory tells which."""


class Webhook(Section):
    """A system of the enterprise that gets copies of the messages, signed, at least once each."""

    url: Annotated[str, Field(pattern=r"^https?://")]
    codes: tuple[Annotated[str, Field(pattern=r"^[A-Za-z]+(\.[A-Za-z]+|\.\*)$")], ...] = ()
    """Codes of the messages that it gets, `ORDER.*` for all that begin so; empty: every message."""
    secret_variable: Annotated[str, Field(min_length=1)]
    """Name of the environment variable that holds the key of its signatures."""
    ca_file: str = ""
    """PEM file of the authorities that may vouch for it; empty: those of the operating system."""
