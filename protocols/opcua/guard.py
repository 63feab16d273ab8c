"""Who gets into a server of ours, and what he may do there.

The library's server is open where it should be closed; what is here closes it. A channel without security only
discovers where security is asked for. A client's certificate is judged when its channel opens, not by what it
says of itself later. Passwords come through the encrypted channel and in no other wrapping. Nobody changes the
address space, and only named operators write, only what is writable.
"""

import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Final

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import USER_TYPES, SimpleRoleRuleset, User, UserRole
from asyncua.crypto.security_policies import SecurityPolicy, SecurityPolicyFactory, SecurityPolicyNone
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.server import Server
from asyncua.server.user_managers import UserManager
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes
from asyncua.ua.uaerrors import BadRequestTooLarge
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key, load_pem_private_key

from protocols.opcua import trust
from protocols.opcua.served import ServedUser, ServerSettings
from protocols.port import Now

Alarm = Callable[[str], None]
"""Hears whom the server turned away, and why."""

SIGNATURES: Final = frozenset(
    {
        "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
        "http://opcfoundation.org/UA/security/rsa-pss-sha2-256",
    }
)
"""Algorithms of user certificates that belong to policies which are not obsolete."""
_ALLOWED: Final = frozenset(
    ua.NodeId(ua.Int32(kind))
    for kind in (*USER_TYPES, ObjectIds.DeleteMonitoredItemsRequest_Encoding_DefaultBinary)
    if kind != ObjectIds.CallRequest_Encoding_DefaultBinary
)
"""Services; everything that changes the address space is left out, and there are no methods to call."""


class GuardError(Exception):
    """The server's own certificates cannot be read; says why."""


class GuardedServer(Server):
    """The library's server behind the rules of this module."""

    def __init__(self, settings: ServerSettings, now: Now, alarm: Alarm) -> None:
        self.users = Users(settings, now, alarm)
        self.inside = _Inside(user_manager=self.users)
        super().__init__(iserver=self.inside)
        self._settings, self._now, self._alarm = settings, now, alarm
        self.set_identity_tokens(_tokens(settings))
        policies = [ua.SecurityPolicyType[f"{policy}_SignAndEncrypt"] for policy in settings.policies]
        self.set_security_policy(policies or [ua.SecurityPolicyType.NoSecurity], _Rules())

    def load_identity(self) -> None:
        """Read the certificates of server and users, and the key, which new channels use from then on.

        Raises:
            GuardError: they cannot be read.
        """
        self.users.load()
        if not self._settings.policies:
            return
        try:
            own = _certificate(self._settings.certificate)
            content = Path(self._settings.key).read_bytes()
            load = load_pem_private_key if content.lstrip().startswith(b"-----") else load_der_private_key
            key = load(content, None)
        except (OSError, ValueError, TypeError, IndexError) as error:
            raise GuardError(f"the certificate or key of the OPC UA server cannot be read: {error}") from error
        if self._settings.application_uri not in trust.uris(own):
            named = ", ".join(trust.uris(own)) or "no application"
            raise GuardError(f"{self._settings.certificate} is for {named}, not for {self._settings.application_uri}")
        self.inside.certificate, self.inside.private_key = own, key
        for endpoint in self.inside.endpoints:
            endpoint.ServerCertificate = own.public_bytes(Encoding.DER)

    def refusal(self, certificate: bytes | None) -> str:
        """Why a client with this certificate is not let in; empty where it is."""
        try:
            chain = trust.certificates_of(certificate or b"")
            return trust.load(Path(self._settings.trust)).refusal(trust.Peer(chain), self._now())
        except ValueError:
            return "it presents something that is no certificate"
        except trust.TrustError as error:
            return str(error)

    def judge(self, certificate: bytes | None) -> None:
        """Let a channel be opened, or say to both sides why not.

        Raises:
            BadRequestTooLarge: the one error that the library passes on to the client before it hangs up; it
                carries the code of an untrusted certificate.
        """
        reason = self.refusal(certificate)
        if reason:
            self._alarm(f"a client is not trusted by {self._settings.trust}: {reason}")
            error = BadRequestTooLarge()  # type: ignore[no-untyped-call]  # the library's errors have no types
            error.code = StatusCodes.BadCertificateUntrusted
            raise error

    async def _setup_server_nodes(self) -> None:
        await super()._setup_server_nodes()
        if self._settings.policies:
            self._policies = [*(_Guarded(self, offered) for offered in self._policies), _discovery()]


class Users(UserManager):
    """Who may open a session."""

    def __init__(self, settings: ServerSettings, now: Now, alarm: Alarm) -> None:
        self._settings, self._now, self._alarm = settings, now, alarm
        self._operators = frozenset(user.name for user in settings.users if user.is_operator)
        self._passwords = {user.name: user for user in settings.users if user.password}
        self._certificates: dict[bytes, tuple[ServedUser, x509.Certificate]] = {}

    def load(self) -> None:
        """Read the users' certificates, which new sessions are compared with from then on.

        Raises:
            GuardError: one cannot be read.
        """
        found: dict[bytes, tuple[ServedUser, x509.Certificate]] = {}
        for user in self._settings.users:
            if user.certificate:
                try:
                    certificate = _certificate(user.certificate)
                except (OSError, ValueError, IndexError) as error:
                    raise GuardError(
                        f"the certificate of the OPC UA user {user.name} cannot be read: {error}"
                    ) from error
                found[certificate.public_bytes(Encoding.DER)] = (user, certificate)
        self._certificates = found

    def is_operator(self, user: User) -> bool:
        """Whether he may write."""
        return user.name in self._operators

    def get_user(
        self,
        iserver: InternalServer,  # noqa: ARG002 - the library's signature
        username: str | None = None,
        password: str | None = None,
        certificate: bytes | None = None,
    ) -> User | None:
        """The user of a session that is being opened; None turns him away.

        Without a user's token the library hands over the certificate of the channel: it says which application
        speaks, not who.
        """
        if username is not None:
            found, reason = self._named(username, password or "")
        elif isinstance(certificate, _Proven):
            found, reason = self._certified(certificate)
        elif self._settings.anonymous:
            return User(role=UserRole.User)
        else:
            found, reason = None, "somebody without a name"
        if found is None:
            self._alarm(f"no session for {reason}")
            return None
        return User(role=UserRole.User, name=found.name)

    def _named(self, name: str, password: str) -> tuple[ServedUser | None, str]:
        known = self._passwords.get(name)
        expected = "" if known is None else known.password
        if known is not None and hmac.compare_digest(expected.encode(), password.encode()):
            return known, ""
        return None, f"`{name}`: unknown, or a wrong password"

    def _certified(self, certificate: bytes) -> tuple[ServedUser | None, str]:
        known = self._certificates.get(bytes(certificate))
        if known is None:
            return None, "a certificate of nobody known"
        user, listed = known
        reason = trust.TrustList((listed,)).refusal(trust.Peer((listed,)), self._now())
        return (None, f"`{user.name}`: {reason}") if reason else (user, "")


class _Proven(bytes):
    """A user's certificate whose key he has shown to hold."""

    __slots__ = ()


class _Inside(InternalServer):
    """The library's inner server, with the algorithms that it should not take left out."""

    def decrypt_user_token(self, isession: InternalSession, token: ua.UserNameIdentityToken) -> tuple[str, str]:
        """A password as it comes through the encrypted channel; no other wrapping is offered, and none is opened."""
        if token.EncryptionAlgorithm:
            raise ServiceError(StatusCodes.BadIdentityTokenRejected)
        return super().decrypt_user_token(isession, token)

    def verify_x509_token(
        self, isession: InternalSession, token: ua.X509IdentityToken, signature: ua.SignatureData
    ) -> bytes:
        """The certificate of a user who has signed with its key."""
        if signature.Algorithm not in SIGNATURES:
            raise ServiceError(StatusCodes.BadIdentityTokenRejected)
        return _Proven(super().verify_x509_token(isession, token, signature))


class _Rules(SimpleRoleRuleset):
    """Which services a session may use, by the type of the request."""

    def __init__(self, allowed: frozenset[ua.NodeId] = _ALLOWED) -> None:
        self._allowed = allowed

    def check_validity(self, user: User, action_type: ua.NodeId, body: object) -> bool:  # noqa: ARG002 - the library's
        """A session that was not activated has the role of nobody."""
        return user.role is UserRole.User and action_type in self._allowed


class _Guarded(SecurityPolicyFactory):
    """A security policy for clients that are trusted, with the server's certificate of the moment."""

    def __init__(self, server: GuardedServer, offered: SecurityPolicyFactory) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # nor have its policies
            offered.cls, offered.mode, permission_ruleset=offered.permission_ruleset
        )
        self._server = server

    def create(self, peer_certificate: bytes | None) -> SecurityPolicy:
        """The policy of one channel."""
        self._server.judge(peer_certificate)
        self.certificate, self.private_key = self._server.inside.certificate, self._server.inside.private_key
        policy: SecurityPolicy = super().create(peer_certificate)  # type: ignore[no-untyped-call]  # as above
        return policy


def _discovery() -> SecurityPolicyFactory:
    """A channel without security that may ask for endpoints and nothing else.

    Without it the library opens one that nobody's rules apply to.
    """
    return SecurityPolicyFactory(  # type: ignore[no-untyped-call]  # as above
        SecurityPolicyNone, ua.MessageSecurityMode.None_, permission_ruleset=_Rules(frozenset())
    )


def _tokens(settings: ServerSettings) -> list[type]:
    """Kinds of users that are let in."""
    tokens: list[type] = [ua.AnonymousIdentityToken] if settings.anonymous else []
    if any(user.password for user in settings.users):
        tokens.append(ua.UserNameIdentityToken)
    if any(user.certificate for user in settings.users):
        tokens.append(ua.X509IdentityToken)
    return tokens


def _certificate(file: str) -> x509.Certificate:
    return trust.certificates_of(Path(file).read_bytes())[0]
