"""TLS of the parties' interface, both ways: contexts, and what a caller's certificate says."""

import ssl
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of one end; empty for none."""

    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""


def server_context(files: TlsFiles) -> ssl.SSLContext | None:
    """For listening: certificates of callers are asked for where somebody can vouch for them; None without TLS.

    Raises:
        OSError: a file cannot be read; `ssl.SSLError` is one of them.
    """
    if not files.certificate_file:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.certificate_file, files.key_file)
    if files.ca_file:
        context.load_verify_locations(files.ca_file)
        context.verify_mode = ssl.CERT_OPTIONAL  # others come with a token; who needs a certificate gets 401 without
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # a party's own certificate may stand in the file
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For calling: the name and chain of the peer are checked, and our certificate shown where there is one.

    Raises:
        OSError: a file cannot be read; `ssl.SSLError` is one of them.
    """
    context = ssl.create_default_context(cafile=files.ca_file or None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate_file:
        context.load_cert_chain(files.certificate_file, files.key_file)
    return context


def shown_certificate(connection: ssl.SSLObject | None) -> tuple[str, tuple[str, ...]]:
    """SHA-256 and common names of the certificate that a caller has shown; empty where it has not."""
    raw = None if connection is None else connection.getpeercert(binary_form=True)
    if raw is None:
        return "", ()
    subject = x509.load_der_x509_certificate(raw).subject
    names = subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return sha256(raw).hexdigest(), tuple(str(name.value) for name in names)
