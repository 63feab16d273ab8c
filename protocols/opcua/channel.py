"""Security of one connection: our certificate, the server's, and the user that we are."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from asyncua import ua
from asyncua.client.client import Client
from asyncua.crypto import security_policies
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.uaerrors import UaError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from protocols.opcua import trust
from protocols.opcua.errors import LinkDownError, UntrustedError
from protocols.opcua.settings import Connection, UserCertificate, UserName


@dataclass(frozen=True, slots=True)
class Offer:
    """One of the ways in which a server can be reached."""

    url: str
    policy: str
    mode: str
    tokens: tuple[str, ...]
    """Kinds of users that it takes: `Anonymous`, `UserName`, `Certificate`."""
    server: trust.Peer


async def secure(client: Client, connection: Connection, now_s: float) -> trust.Peer | None:
    """Prepare a client that is not yet connected; gives the server that was judged by the trust list, if it was.

    Raises:
        UntrustedError: the server's certificate is refused.
        LinkDownError: a certificate or key cannot be read, or the server does not offer this security.
        OSError, UaError: the server cannot be asked.
    """
    peer: trust.Peer | None = None
    if connection.security:
        policy, mode, certificate, key = (part.strip() for part in connection.security.split(",")[:4])
        own = _own(certificate)
        named = trust.uris(own)
        if named:
            client.application_uri = named[0]
        if connection.trust:
            peer = await _judged(client, connection, policy, mode, now_s)
            server = peer.chain[0]
        else:
            server = _own(connection.server_certificate)
        await client.set_security(
            getattr(security_policies, f"SecurityPolicy{policy}"),
            _given(own),
            key,
            server_certificate=_given(server),
            mode=ua.MessageSecurityMode[mode],
        )
    match connection.user:
        case UserName(name, password):
            client.set_user(name)
            client.set_password(password)
        case UserCertificate(certificate, key):
            await client.load_client_certificate(certificate)
            await client.load_private_key(Path(key))
        case None:
            pass
    return peer


async def offers(url: str, timeout_s: float) -> list[Offer]:
    """What a server offers to everybody who asks, over a channel without security.

    Raises:
        LinkDownError: nobody answers.
    """
    try:
        async with asyncio.timeout(timeout_s):
            found = await Client(url, timeout_s).connect_and_get_server_endpoints()
    except TimeoutError as error:
        raise LinkDownError(f"asking {url} for its endpoints: no answer within {timeout_s:g} s") from error
    except (OSError, UaError) as error:
        raise LinkDownError(f"asking {url} for its endpoints: {str(error) or type(error).__name__}") from error
    return [_offer(endpoint) for endpoint in found]


def judge(peer: trust.Peer, connection: Connection, now_s: float) -> None:
    """Judge a server by the trust list as it is now.

    Raises:
        UntrustedError: it is refused.
        LinkDownError: the trust list cannot be read.
    """
    try:
        reason = trust.load(Path(connection.trust)).refusal(peer, now_s)
    except trust.TrustError as error:
        raise LinkDownError(str(error)) from error
    if reason:
        raise UntrustedError(f"{connection.url} is not trusted by {connection.trust}: {reason}")


async def _judged(client: Client, connection: Connection, policy: str, mode: str, now_s: float) -> trust.Peer:
    found = [_offer(endpoint) for endpoint in await client.connect_and_get_server_endpoints()]
    fitting = [offer for offer in found if (offer.policy, offer.mode) == (policy, mode)]
    if not fitting:
        offered = ", ".join(sorted({f"{offer.policy} {offer.mode}" for offer in found})) or "nothing"
        raise LinkDownError(f"{connection.url} offers {offered}, not {policy} {mode}")
    judge(fitting[0].server, connection, now_s)
    return fitting[0].server


def _offer(endpoint: ua.EndpointDescription) -> Offer:
    url = str(endpoint.EndpointUrl)
    try:
        chain = trust.certificates_of(endpoint.ServerCertificate or b"")
    except ValueError:
        chain = ()
    return Offer(
        url=url,
        policy=str(endpoint.SecurityPolicyUri).rpartition("#")[2].replace("_", ""),
        mode=endpoint.SecurityMode.name.rstrip("_"),
        tokens=tuple(token.TokenType.name for token in endpoint.UserIdentityTokens),
        server=trust.Peer(chain, str(endpoint.Server.ApplicationUri or ""), urlsplit(url).hostname or ""),
    )


def _own(file: str) -> x509.Certificate:
    """The certificate in a file."""
    try:
        return trust.certificates_of(Path(file).read_bytes())[0]
    except OSError as error:
        raise LinkDownError(f"{file}: {error.strerror}") from error
    except (ValueError, IndexError) as error:
        raise LinkDownError(f"{file} holds no certificate: {error}") from error


def _given(certificate: x509.Certificate) -> CertProperties:
    return CertProperties(certificate.public_bytes(Encoding.DER), "der")
