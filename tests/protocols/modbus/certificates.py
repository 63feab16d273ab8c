"""A small PKI for Modbus/TCP Security: a root, a server, and clients whose certificates carry a role."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.clock import wall

ROLE = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
"""Role of a client in the Modbus/TCP Security specification: one UTF8String."""


@dataclass(frozen=True)
class Pki:
    directory: Path

    def __getattr__(self, name: str) -> str:
        """Path of a file: `client` is the certificate, `client_key` its key."""
        return str(self.directory / f"{name}.pem")


def make_pki(directory: Path, **roles: str) -> Pki:
    """Write root, server and client; and one further client per entry of `roles`, named by its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    root = _name("Modbus test root")
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    extensions = [(x509.BasicConstraints(True, None), True), (usage, True)]
    authority = _signed(root, key, root, key, extensions)
    _write(directory, "root", authority, key)
    hosts = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    _leaf(directory, "server", root, key, extensions=[(hosts, False)], purpose=ExtendedKeyUsageOID.SERVER_AUTH)
    for name, role in {"client": "", **roles}.items():
        data = role.encode()
        carried = [(x509.UnrecognizedExtension(ROLE, bytes((0x0C, len(data))) + data), False)] if role else []
        _leaf(directory, name, root, key, extensions=carried, purpose=ExtendedKeyUsageOID.CLIENT_AUTH)
    return Pki(directory)


def _leaf(directory, name, root, root_key, *, extensions, purpose) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    known = [
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), False),
        (x509.ExtendedKeyUsage([purpose]), False),
    ]
    _write(directory, name, _signed(_name(name), key, root, root_key, [*known, *extensions]), key)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _signed(subject, key, issuer, issuer_key, extensions) -> x509.Certificate:
    now = datetime.fromtimestamp(wall(), UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(issuer_key, SHA256())


def _write(directory: Path, name: str, certificate: x509.Certificate, key) -> None:
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / f"{name}_key.pem").write_bytes(secret)
