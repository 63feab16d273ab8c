"""Certificates for tests: self-signed ones, an authority and what it issues, and its revocation list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.clock import wall

DAY = timedelta(days=1)
USAGE = x509.KeyUsage(
    digital_signature=True,
    content_commitment=True,
    key_encipherment=True,
    data_encipherment=True,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
"""Of an application's self-signed certificate."""


@dataclass(frozen=True)
class Identity:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Its files: certificate in DER, key in PEM."""
        paths = directory / f"{name}.der", directory / f"{name}.pem"
        paths[0].write_bytes(self.der)
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        paths[1].write_bytes(self.key.private_bytes(serialization.Encoding.PEM, *form))
        return paths

    def revoke(self, revoked: Sequence["Identity"]) -> bytes:
        """The list of those that this authority takes back, in PEM."""
        now = datetime.fromtimestamp(wall(), UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(now - DAY).next_update(now + DAY)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now - DAY).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def issue(
    name: str,
    uri: str = "",
    *,
    by: Identity | None = None,
    is_authority: bool = False,
    bits: int = 2048,
    begins: timedelta = -DAY,
    host: str = "127.0.0.1",
    usage: bool = False,
) -> Identity:
    """A certificate of the given name; self-signed unless issued `by` somebody, with its `usage` for strict peers."""
    key = rsa.generate_private_key(65537, bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = datetime.fromtimestamp(wall(), UTC) + begins
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + 2 * DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if uri:
        names = [x509.UniformResourceIdentifier(uri), x509.IPAddress(ip_address(host))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if usage:
        builder = builder.add_extension(USAGE, critical=True)
        both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        builder = builder.add_extension(both, critical=False)
    return Identity(builder.sign(key if by is None else by.key, hashes.SHA256()), key)
