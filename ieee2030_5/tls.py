"""TLS as 2030.5 wants it: version 1.2, ECDHE-ECDSA on P-256, both sides with a certificate."""

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from math import inf
from pathlib import Path

from ieee2030_5.identity import lfdi_of

CIPHERS = (
    "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    # OpenSSL counts the mandatory CCM-8 suite as weak since version 4, so the level must allow it.
    "@SECLEVEL=0"
)


def server_context(certificate: Path, key: Path, authorities: Path) -> ssl.SSLContext:
    """A context that admits only clients with a certificate of the authorities.

    Raises:
        OSError: a file cannot be read, or holds no certificate or key (ssl.SSLError is an OSError).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_ecdh_curve("prime256v1")
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authorities)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


class ServerTls:
    """The server's context, read anew when one of its files has changed; a faulty change keeps what is in force."""

    LOOK_S = 1.0
    """How often the files are looked at."""

    def __init__(self, certificate: Path, key: Path, authorities: Path, faulty: Callable[[str], None]) -> None:
        """`faulty` hears of a change that cannot be read.

        Raises:
            OSError: a file cannot be read, or holds no certificate or key.
        """
        self._files, self._faulty = (certificate, key, authorities), faulty
        self._seen = self._stamps()
        self._context = server_context(*self._files)
        self._looked_s = -inf
        self._said = ""

    def context(self, now_s: float) -> ssl.SSLContext:
        """What holds for a new connection."""
        if now_s - self._looked_s >= self.LOOK_S:
            self._looked_s = now_s
            self._look()
        return self._context

    def _look(self) -> None:
        try:
            seen = self._stamps()
            if seen != self._seen:
                self._seen = seen
                self._context = server_context(*self._files)
                self._said = ""
        except OSError as error:
            if self._said != str(error):
                self._said = str(error)
                self._faulty(f"the new certificates cannot be used, the old ones stay: {error}")

    def _stamps(self) -> tuple[tuple[int, int], ...]:
        found = (file.stat() for file in self._files)
        return tuple((stat.st_mtime_ns, stat.st_size) for stat in found)


def client_context(certificate: Path, key: Path, authorities: Path) -> ssl.SSLContext:
    """A context for notifications: the server's own certificate, and any destination that the authorities vouch for.

    Device certificates hold no host name to check.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(authorities)
    context.check_hostname = False
    return context


class Session(SSLProtocol):
    """asyncio's TLS with two changes: it tells a refused client why, and an idle connection takes little memory.

    asyncio drops the alert that OpenSSL has written when a handshake fails, and holds 256 KiB per
    connection for reading.
    """

    max_size = 16 * 1024

    def __init__(
        self, loop: asyncio.AbstractEventLoop, application: asyncio.Protocol, context: ssl.SSLContext, timeout_s: int
    ) -> None:
        """Speak TLS as a server for one connection of `application`."""
        super().__init__(
            loop,
            application,
            context,
            None,  # type: ignore[arg-type]  # nobody waits for the handshake; typeshed wants a future
            server_side=True,
            ssl_handshake_timeout=timeout_s,
        )

    def _on_handshake_complete(self, handshake_exc: BaseException | None) -> None:
        if handshake_exc is not None:
            self._process_outgoing()  # type: ignore[attr-defined]  # unknown to typeshed
        super()._on_handshake_complete(handshake_exc)


def lfdi_of_file(certificate: Path) -> str:
    """LFDI of the first certificate in a PEM file."""
    text = certificate.read_text()
    end = "-----END CERTIFICATE-----"
    return lfdi_of(
        ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE-----") : text.index(end) + len(end)])
    )
