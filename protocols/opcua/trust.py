"""Whose certificate is to be trusted: a directory of certificates and revocation lists.

A certificate in the directory is trusted for itself. A certificate authority in it vouches for those that
it issued, directly or through authorities that the peer sends along, at their own host and not once revoked.
The directory is read at every judgement, so that a change holds from the next one on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

CERTIFICATES = frozenset({".der", ".pem", ".crt", ".cer"})
REVOCATIONS = frozenset({".crl"})
SMALLEST_RSA_BITS = 2048
"""Of every security policy that is not obsolete."""
LONGEST_CHAIN = 5
"""Authorities between a certificate and a trusted one."""


class TrustError(Exception):
    """The trust list cannot be read."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Who presents a certificate."""

    chain: tuple[x509.Certificate, ...]
    """Its own first."""
    application_uri: str = ""
    """What it calls itself; empty: not to be compared."""
    host: str = ""
    """Where it was found; empty: not to be compared."""


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificates and revocation lists as they were read."""

    certificates: tuple[x509.Certificate, ...]
    revocations: tuple[x509.CertificateRevocationList, ...] = ()

    def refusal(self, peer: Peer, now_s: float) -> str:
        """Why `peer` is not to be trusted; empty where it is."""
        if not peer.chain:
            return "it presents no certificate"
        own, now = peer.chain[0], datetime.fromtimestamp(now_s, UTC)
        reasons = (
            _unusable(own, now),
            "" if not peer.application_uri or peer.application_uri in uris(own) else _other_name(own, peer),
            self._revoked(own, peer.chain),
            self._unknown(peer, now),
        )
        return next((f"{reason} ({described(own)})" for reason in reasons if reason), "")

    def _unknown(self, peer: Peer, now: datetime) -> str:
        own = peer.chain[0]
        if own in self.certificates:
            return ""
        below = own
        for _ in range(LONGEST_CHAIN):
            issuer = next(iter(_issuers(below, (*self.certificates, *peer.chain[1:]))), None)
            if issuer is None:
                return "neither its certificate nor its authority is in the trust list"
            fault = _unusable(issuer, now) or self._revoked(issuer, peer.chain)
            if fault:
                return f"of its authority {issuer.subject.rfc4514_string()}: {fault}"
            if issuer in self.certificates:
                return (
                    ""
                    if not peer.host or _is_at(own, peer.host)
                    else f"it was issued for another host than {peer.host}"
                )
            below = issuer
        return f"more than {LONGEST_CHAIN} authorities stand between it and the trust list"

    def _revoked(self, certificate: x509.Certificate, sent: Sequence[x509.Certificate]) -> str:
        for issuer in _issuers(certificate, (*self.certificates, *sent[1:])):
            for listed in self.revocations:
                if listed.issuer == issuer.subject and _is_signed(listed, issuer.public_key()):
                    entry = listed.get_revoked_certificate_by_serial_number(certificate.serial_number)
                    if entry is not None:
                        return f"revoked on {entry.revocation_date_utc:%Y-%m-%d}"
        return ""


def load(directory: Path) -> TrustList:
    """Read a directory anew.

    Raises:
        TrustError: it is not a directory, or a file in it is not what its name says.
    """
    certificates: list[x509.Certificate] = []
    revocations: list[x509.CertificateRevocationList] = []
    try:
        for path in sorted(directory.iterdir()):
            suffix, content = path.suffix.lower(), b""
            if suffix in CERTIFICATES | REVOCATIONS:
                content = path.read_bytes()
            if suffix in CERTIFICATES:
                certificates += certificates_of(content)
            elif suffix in REVOCATIONS:
                is_pem = content.startswith(b"-----")
                revocations.append(x509.load_pem_x509_crl(content) if is_pem else x509.load_der_x509_crl(content))
    except OSError as error:
        raise TrustError(f"the trust list {directory} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TrustError(f"{path} of the trust list is neither a certificate nor a revocation list: {error}") from error
    return TrustList(tuple(certificates), tuple(revocations))


def stamp(directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Changes whenever the directory does; empty where it cannot be looked at, which `load` then reports."""
    try:
        found = [(entry.name, entry.stat()) for entry in directory.iterdir()]
    except OSError:
        return ()
    return tuple(sorted((name, status.st_mtime_ns, status.st_size) for name, status in found))


def certificates_of(content: bytes) -> tuple[x509.Certificate, ...]:
    """Certificates of a PEM file, or of DER with any number one after the other, as a peer sends its chain.

    Raises:
        ValueError: it is something else.
    """
    if content.lstrip().startswith(b"-----"):
        return tuple(x509.load_pem_x509_certificates(content))
    found: list[x509.Certificate] = []
    while content:
        size = _der_size(content)
        found.append(x509.load_der_x509_certificate(content[:size]))
        content = content[size:]
    return tuple(found)


def uris(certificate: x509.Certificate) -> list[str]:
    """Application URIs that a certificate names."""
    names = _alternative_names(certificate)
    return [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)


def described(certificate: x509.Certificate) -> str:
    """Subject and SHA-1 thumbprint, by which OPC UA tools show certificates."""
    return f"{certificate.subject.rfc4514_string()}, thumbprint {thumbprint(certificate)}"


def thumbprint(certificate: x509.Certificate) -> str:
    """SHA-1 of the certificate, in hexadecimal."""
    return certificate.fingerprint(hashes.SHA1()).hex()  # noqa: S303 - a name, not a proof


def _unusable(certificate: x509.Certificate, now: datetime) -> str:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return f"valid from {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < SMALLEST_RSA_BITS:
        return f"its key has {key.key_size} bits, fewer than {SMALLEST_RSA_BITS}"
    return ""


def _other_name(certificate: x509.Certificate, peer: Peer) -> str:
    return f"it is for {', '.join(uris(certificate)) or 'no application'}, not for {peer.application_uri}"


def _issuers(certificate: x509.Certificate, among: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """Authorities that signed a certificate; nobody vouches for himself."""
    return [one for one in among if one != certificate and _is_authority(one) and _has_signed(one, certificate)]


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_signed(revocations: x509.CertificateRevocationList, key: CertificatePublicKeyTypes) -> bool:
    return isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) and revocations.is_signature_valid(key)


def _is_at(certificate: x509.Certificate, host: str) -> bool:
    names = _alternative_names(certificate)
    if names is None:
        return False
    try:
        return ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        return host.lower() in [name.lower() for name in names.get_values_for_type(x509.DNSName)]


def _alternative_names(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _der_size(content: bytes) -> int:
    """Length of the first element: its header says how long its contents are."""
    if len(content) < 2 or content[0] != 0x30:
        raise ValueError("no DER sequence")
    if content[1] < 0x80:
        return 2 + content[1]
    width = content[1] & 0x7F
    return 2 + width + int.from_bytes(content[2 : 2 + width], "big")
