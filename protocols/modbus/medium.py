"""What carries Modbus: TCP, TLS, RTU frames through TCP, or a serial line."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SECURE_PORT: Final = 802
"""Registered for Modbus/TCP Security."""
_BITS_BEFORE_STOP: Final = 9
"""Start bit and eight data bits."""
_QUIET_CHARACTERS: Final = 3.5
_FAST_BAUD, _FAST_QUIET_S = 19_200, 0.00175
"""Modbus over serial line: above this speed the silence between frames has a fixed length."""


class Parity(StrEnum):
    """Parity bit of a serial line."""

    NONE = "N"
    EVEN = "E"
    ODD = "O"


@dataclass(frozen=True, slots=True)
class PlainTcp:
    """Modbus TCP: frames that carry the number of their transaction."""


@dataclass(frozen=True, slots=True)
class RtuOverTcp:
    """Serial frames through a TCP connection, as transparent serial servers want them."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Modbus/TCP Security: both ends show a certificate; ours may carry a role."""

    certificate: str
    """PEM file with our own certificate and those between it and the root."""
    key: str
    """PEM file."""
    authorities: str
    """PEM file of the authorities that may vouch for the device."""
    server_name: str = ""
    """Name in the device's certificate where it is not the host that we connect to."""


@dataclass(frozen=True, slots=True)
class SerialLine:
    """RTU on a serial port; the host of the settings is then the port's device file."""

    baud: int = 19_200
    parity: Parity = Parity.EVEN
    stop_bits: int = 1

    @property
    def quiet_s(self) -> float:
        """Silence that separates two frames."""
        if self.baud > _FAST_BAUD:
            return _FAST_QUIET_S
        bits = _BITS_BEFORE_STOP + (self.parity is not Parity.NONE) + self.stop_bits
        return _QUIET_CHARACTERS * bits / self.baud


Medium = PlainTcp | RtuOverTcp | Tls | SerialLine
PLAIN_TCP: Final = PlainTcp()


def is_numbered(medium: Medium) -> bool:
    """True where an answer carries the number of its request, so that a late one cannot be taken for the next."""
    return isinstance(medium, PlainTcp | Tls)
