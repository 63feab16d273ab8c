"""The gateway as an OPC UA server, as the zone file asks for it."""

from typing import Annotated, Literal

from pydantic import Field

from config.section import Identifier, Section, TcpPort

Policy = Literal["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"]


class OpcUaUser(Section):
    """Somebody who may open a session, by password or by certificate."""

    role: Literal["viewer", "operator"] = "viewer"
    """Viewers read; operators also instruct devices, within every limit of the DSO."""
    password_variable: str = ""
    """Name of the environment variable that holds the password."""
    certificate_file: str = ""
    """PEM or DER."""


class OpcUaServer(Section):
    """Shows the zone to SCADA and ADMS: measurements, limits, controls and health."""

    host: str = "127.0.0.1"
    port: TcpPort = 4840
    policies: tuple[Policy, ...] = ()
    """Security policies, each with SignAndEncrypt; without any only this machine may be served."""
    certificate_file: str = ""
    """PEM or DER, for `application_uri`; as key and `trust`, required with policies."""
    key_file: str = ""
    trust: str = ""
    """Directory of the clients that are trusted: certificates, authorities and revocation lists; read anew for every
    connection."""
    application_uri: Annotated[str, Field(pattern=r"^$|^urn:\S+$")] = ""
    """Empty: `urn:ampacity:` and the zone's id."""
    anonymous: bool = True
    """Whether whoever is let in may read without a name."""
    users: dict[Identifier, OpcUaUser] = Field(default_factory=dict)
    step_s: Annotated[float, Field(ge=0.1, le=60)] = 1
    """How often every value is brought up to date."""
