"""Who is who: LFDI and SFDI from a certificate, the check digit of a PIN, mRIDs, and short names for URIs."""

from enum import StrEnum
from functools import lru_cache
from hashlib import sha256


class PenEncoding(StrEnum):
    """How the Private Enterprise Number is written into the last 32 bits of an mRID."""

    HEX = "hex"
    """As a number (IEEE 2030.5)."""
    DECIMAL = "decimal"
    """As decimal digits (CSIP-AUS)."""


def lfdi_of(certificate_der: bytes) -> str:
    """The leftmost 160 bits of the certificate's SHA-256, as 40 upper-case hex digits."""
    return sha256(certificate_der).hexdigest()[:40].upper()


@lru_cache(maxsize=131_072)
def sfdi_of(lfdi: str) -> int:
    """The leftmost 36 bits in decimal and a check digit that makes the sum of all digits divisible by ten."""
    number = int(lfdi[:9], 16)
    return number * 10 + (-sum(map(int, str(number)))) % 10


def pin_is_valid(pin: int) -> bool:
    """True where the six digits of a PIN sum to a multiple of ten, as those of an SFDI do."""
    return 0 <= pin <= 999_999 and sum(map(int, str(pin))) % 10 == 0


def pin_from(seed: bytes) -> int:
    """A six-digit PIN for test devices that satisfies both check-digit practices.

    Some implementations make all six digits sum to a multiple of ten, others make the sixth the sum
    of the first five modulo ten; with a fifth digit that brings the first five to 5 or 0 modulo ten
    both agree.
    """
    four = f"{int.from_bytes(sha256(seed).digest()[:4]) % 10_000:04d}"
    fifth = (5 - sum(map(int, four))) % 10
    return int(f"{four}{fifth}5")


def mrid_of(pen: int, encoding: PenEncoding, *what: object) -> str:
    """An mRID for one real object: 96 bits of a digest over what it is, then the minting organisation's number.

    Args:
        pen: IANA Private Enterprise Number.
        encoding: how the number is written.
        what: the kind of object first, then everything that makes it this one and no other.
    """
    unique = sha256("\x1f".join(map(str, what)).encode()).hexdigest()[:24].upper()
    return unique + (f"{pen:08X}" if encoding is PenEncoding.HEX else f"{pen % 10**8:08d}")


def short_id(*what: object) -> str:
    """Twelve characters for a URI that stay the same for the same object, also across a restart."""
    return sha256("\x1f".join(map(str, what)).encode()).hexdigest()[:12]
