"""The National Metering Identifier, by which CSIP-AUS names connection points."""

from typing import Final

_LENGTH: Final = 10
_LETTERS: Final = frozenset("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ")
"""Neither I nor O, which look like digits."""


def is_nmi(text: str) -> bool:
    """True for ten characters, with or without the right check digit behind them."""
    return (
        set(text[:_LENGTH].upper()) <= _LETTERS
        and len(text) in (_LENGTH, _LENGTH + 1)
        and text[_LENGTH:] in ("", str(check_digit(text[:_LENGTH].upper())))
    )


def check_digit(identifier: str) -> int:
    """The check digit of AEMO's National Metering Identifier Procedure.

    From the right, every second character code is doubled, beginning with the last one; the digits of all of
    them and the check digit sum to a multiple of ten.
    """
    codes = [ord(character) * (2 - place % 2) for place, character in enumerate(reversed(identifier))]
    return -sum(int(digit) for code in codes for digit in str(code)) % 10
