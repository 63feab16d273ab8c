"""The cyclic redundancy check of the link layer, CRC-16/DNP: reflected polynomial 0xA6BC, inverted at the end."""

from functools import reduce
from operator import getitem, xor

BLOCK = 16
"""Octets that one check covers at most."""

_POLYNOMIAL = 0xA6BC


def _advance(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
    return value


def _position_tables() -> tuple[tuple[int, ...], ...]:
    """What each octet contributes, by how many octets follow it; the check is linear, so contributions just add."""
    tables = [tuple(_advance(octet) for octet in range(256))]
    last = tables[0]
    while len(tables) < BLOCK:
        tables.append(tuple((value >> 8) ^ last[value & 0xFF] for value in tables[-1]))
    return tuple(reversed(tables))


_TABLES = _position_tables()
_TABLES_BY_LENGTH = tuple(_TABLES[BLOCK - length :] for length in range(BLOCK + 1))


def crc(block: bytes) -> int:
    """The check of at most 16 octets; it travels least significant octet first."""
    return reduce(xor, map(getitem, _TABLES_BY_LENGTH[len(block)], block), 0) ^ 0xFFFF
