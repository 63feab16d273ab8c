"""A test PKI with the certificate profiles of 2030.5: a root, a server, and devices that never expire.

Devices are certified by the root itself (SERCA), by a manufacturer's issuing authority below it (MICA), or by
one below a manufacturer's authority (MCA and MICA). Whoever has authorities between the root and itself
sends them along, all but the root.

For laboratories and demonstrations. Keys of a real utility or manufacturer never come from here.
"""

import ipaddress
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID, ObjectIdentifier

from ieee2030_5.identity import lfdi_of, pin_from, sfdi_of

FOREVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
"""notAfter of a certificate without a well-defined end."""
DEVICE_POLICY = ObjectIdentifier("1.3.6.1.4.1.40732.1.1")
"""Certificate policy of a device."""
_MODULE_NAME = ObjectIdentifier("1.3.6.1.5.5.7.8.4")
"""id-on-hardwareModuleName."""
_TEST_HARDWARE = "1.3.6.1.4.1.40732.9.1"


@dataclass(frozen=True, slots=True)
class Issued:
    """One certificate of the PKI and where it lies."""

    name: str
    certificate: Path
    key: Path
    lfdi: str

    @property
    def sfdi(self) -> int:
        """Short identifier."""
        return sfdi_of(self.lfdi)

    @property
    def pin(self) -> int:
        """A PIN for it; a test PIN, the same each time."""
        return pin_from(self.lfdi.encode())


AUTHORITIES = ("mca", "mica")
"""Between the root and a device, from the top."""
CHAINS = (1, 2, 3)
"""Certificates of a device's chain without the root: its own, with a MICA, with a MCA and a MICA."""


def paths(directory: Path, names: Iterable[str], chain: int = 1) -> list[Path]:
    """Every file that `make_pki` writes."""
    every = ("root", "server", *_between(chain), *names)
    return [directory / f"{name}{suffix}" for name in every for suffix in (".pem", ".key.pem")]


def _between(chain: int) -> tuple[str, ...]:
    return AUTHORITIES[len(AUTHORITIES) - chain + 1 :] if chain > 1 else ()


def make_pki(directory: Path, names: Sequence[str], hosts: Sequence[str], now_s: float, chain: int = 1) -> list[Issued]:
    """Write a root, a server and one certificate per device name; private keys get mode 0600.

    Args:
        directory: made where it does not exist; existing files are overwritten.
        names: one device certificate each.
        hosts: names and addresses that the server answers to.
        now_s: beginning of validity, Unix seconds UTC.
        chain: certificates that a device sends: 1 its own, 2 with a MICA, 3 with a MCA and a MICA.
    """
    directory.mkdir(parents=True, exist_ok=True)
    begin = datetime.fromtimestamp(now_s, UTC).replace(microsecond=0) - timedelta(days=1)
    root_key = ec.generate_private_key(ec.SECP256R1())
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Ampacity test root")])
    authority = _Authority(root_name, root_key, begin)
    root = authority.sign(root_name, root_key, _authority_extensions())
    issued = [_write(directory, "root", root, root_key)]
    server_key = ec.generate_private_key(ec.SECP256R1())
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hosts[0])])
    issued.append(
        _write(directory, "server", authority.sign(server_name, server_key, _server_extensions(hosts)), server_key)
    )
    above: list[x509.Certificate] = []
    for name in _between(chain):
        authority, certificate = _subordinate(authority, name)
        above.insert(0, certificate)
        issued.append(_write(directory, name, certificate, authority.key, above[1:]))
    for name in names:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = authority.sign(x509.Name([]), key, _device_extensions(name))
        issued.append(_write(directory, name, certificate, key, above))
    return issued


def _subordinate(above: "_Authority", name: str) -> "tuple[_Authority, x509.Certificate]":
    """A manufacturer's authority below another."""
    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Ampacity test {name.upper()}")])
    certificate = above.sign(title, key, _authority_extensions())
    return _Authority(title, key, above.begin), certificate


_Extension = tuple[x509.ExtensionType, bool]


@dataclass(frozen=True, slots=True)
class _Authority:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    begin: datetime

    def sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extensions: Sequence[_Extension]
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.begin)
            .not_valid_after(FOREVER)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self.key, SHA256())


def _authority_extensions() -> Sequence[_Extension]:
    any_policy = ObjectIdentifier("2.5.29.32.0")
    return (
        (x509.BasicConstraints(ca=True, path_length=None), True),
        (_key_usage(authority=True), True),
        (x509.CertificatePolicies([x509.PolicyInformation(any_policy, None)]), False),
    )


def _server_extensions(hosts: Sequence[str]) -> Sequence[_Extension]:
    """subjectAltName, keyUsage, basicConstraints and certificatePolicies are critical: EPRI's client insists."""
    return (
        (x509.SubjectAlternativeName([_general_name(host) for host in hosts]), True),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_key_usage(authority=False), True),
        (x509.CertificatePolicies([x509.PolicyInformation(DEVICE_POLICY, None)]), True),
    )


def _device_extensions(name: str) -> Sequence[_Extension]:
    module = x509.OtherName(_MODULE_NAME, _hardware_module_name(name))
    return (
        (x509.SubjectAlternativeName([module]), True),
        (_key_usage(authority=False), True),
        (x509.CertificatePolicies([x509.PolicyInformation(DEVICE_POLICY, None)]), True),
    )


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_agreement=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _hardware_module_name(serial: str) -> bytes:
    """DER of a HardwareModuleName: which kind of hardware, and its serial number."""
    kind = _tlv(0x06, _object_identifier(_TEST_HARDWARE))
    return _tlv(0x30, kind + _tlv(0x04, serial.encode()))


def _tlv(tag: int, value: bytes) -> bytes:
    size = len(value)
    length = bytes([size]) if size < 0x80 else bytes([0x81, size])
    return bytes([tag]) + length + value


def _object_identifier(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    encoded = [first * 40 + second]
    for arc in rest:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.insert(0, arc & 0x7F | 0x80)
        encoded += digits
    return bytes(encoded)


def _write(
    directory: Path,
    name: str,
    certificate: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    above: Sequence[x509.Certificate] = (),
) -> Issued:
    """The certificate with those between it and the root, and its key."""
    path, key_path = directory / f"{name}.pem", directory / f"{name}.key.pem"
    path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in (certificate, *above)))
    key_path.unlink(missing_ok=True)
    with os.fdopen(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Issued(name, path, key_path, lfdi_of(certificate.public_bytes(Encoding.DER)))
