"""Modbus/TCP Security at the server: mutual TLS, and the role that a client's certificate carries."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509

ROLE: Final = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
"""Extension of a client's certificate that names its role, one UTF8String."""
_UTF8_STRING: Final = 0x0C
_LONG_FORM: Final = 0x80
"""DER: from here on, the length byte says how many bytes hold the length."""


@dataclass(frozen=True, slots=True)
class ServerSecurity:
    """Files of the server, and who may write."""

    certificate: Path
    key: Path
    authorities: Path
    """Those that may vouch for clients; without a certificate of theirs there is no connection."""
    writers: frozenset[str] | None = None
    """Roles that may write; `None`: whoever is trusted at all. The others may only read."""

    def context(self) -> ssl.SSLContext:
        """TLS 1.2 or later, with the client's certificate required.

        Raises:
            OSError: a file is not there or is not what it should be.
        """
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        found.minimum_version = ssl.TLSVersion.TLSv1_2
        found.load_cert_chain(self.certificate, self.key)
        found.load_verify_locations(self.authorities)
        found.verify_mode = ssl.CERT_REQUIRED
        return found

    def may_write(self, certificate: bytes | None) -> bool:
        """Whether the client with this certificate (DER) may write."""
        return self.writers is None or (certificate is not None and role_of(certificate) in self.writers)


def role_of(certificate: bytes) -> str | None:
    """The role in a certificate (DER); `None` where it names none, or not as one UTF8String."""
    try:
        extension = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_oid(ROLE)
    except x509.ExtensionNotFound:
        return None
    held = extension.value
    data = held.value if isinstance(held, x509.UnrecognizedExtension) else b""
    if len(data) < 2 or data[0] != _UTF8_STRING or data[1] >= _LONG_FORM or len(data) != 2 + data[1]:
        return None
    return data[2:].decode("utf-8", errors="replace")
