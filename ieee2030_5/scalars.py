"""The simple types of the 2030.5 schema: what text stands for which value, and which values exist."""

import re
from dataclasses import dataclass
from typing import Annotated, Protocol

_INTEGER = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+", re.ASCII)


class Scalar(Protocol):
    """Turns the text of one element or attribute into a value and back."""

    def decode(self, text: str) -> object:
        """The value of the text; raises ValueError where the schema does not know it."""
        ...

    def encode(self, value: object) -> str:
        """The text of a value, without markup."""
        ...


@dataclass(frozen=True, slots=True)
class Integer:
    """A bounded integer."""

    low: int
    high: int

    def decode(self, text: str) -> int:
        """Read decimal digits with an optional sign."""
        if not _INTEGER.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is not an integer")
        value = int(text)
        if not self.low <= value <= self.high:
            raise ValueError(f"{value} is outside {self.low}..{self.high}")
        return value

    def encode(self, value: object) -> str:
        """Decimal digits; raises ValueError out of range."""
        if not isinstance(value, int) or not self.low <= value <= self.high:
            raise ValueError(f"{value!r} is not an integer in {self.low}..{self.high}")
        return str(int(value))


@dataclass(frozen=True, slots=True)
class Boolean:
    """`true` or `false`."""

    def decode(self, text: str) -> bool:
        """Read any of the four spellings of XML Schema."""
        try:
            return {"true": True, "1": True, "false": False, "0": False}[text]
        except KeyError:
            raise ValueError(f"{text[:40]!r} is not a boolean") from None

    def encode(self, value: object) -> str:
        """Write `true` or `false`, never the digits."""
        return "true" if value else "false"


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most `length` characters."""

    length: int

    def decode(self, text: str) -> str:
        """Check the length."""
        if len(text) > self.length:
            raise ValueError(f"{len(text)} characters where {self.length} are allowed")
        return text

    def encode(self, value: object) -> str:
        """Check what we send ourselves in the same way; but for three, control characters have no place in XML."""
        text = str(value)
        if any(ord(character) < 32 and character not in "\t\n\r" for character in text):
            raise ValueError(f"{text!r} holds a control character")
        return self.decode(text)


@dataclass(frozen=True, slots=True)
class Hexadecimal:
    """A hexBinary, held as upper-case digits: identifiers in full width, bitmaps in the shortest even form."""

    octets: int
    full_width: bool = False

    def decode(self, text: str) -> str:
        """Accept any case and, as some clients send it, an odd number of digits."""
        if len(text) > 2 * self.octets or not _HEXADECIMAL.fullmatch(text):
            raise ValueError(f"{text[:40]!r} is not a hexBinary of at most {self.octets} octets")
        digits = text.upper()
        if self.full_width:
            return digits.rjust(2 * self.octets, "0")
        return digits if len(digits) % 2 == 0 else "0" + digits

    def encode(self, value: object) -> str:
        """The digits as held."""
        return self.decode(str(value))


Int8 = Annotated[int, Integer(-(2**7), 2**7 - 1)]
Int16 = Annotated[int, Integer(-(2**15), 2**15 - 1)]
Int32 = Annotated[int, Integer(-(2**31), 2**31 - 1)]
Int48 = Annotated[int, Integer(-(2**47), 2**47 - 1)]
Int64 = Annotated[int, Integer(-(2**63), 2**63 - 1)]
UInt8 = Annotated[int, Integer(0, 2**8 - 1)]
UInt16 = Annotated[int, Integer(0, 2**16 - 1)]
UInt32 = Annotated[int, Integer(0, 2**32 - 1)]
UInt40 = Annotated[int, Integer(0, 2**40 - 1)]
UInt48 = Annotated[int, Integer(0, 2**48 - 1)]
TimeType = Int64
OneHourRange = Annotated[int, Integer(-3600, 3600)]
PerCent = Annotated[int, Integer(0, 10_000)]
SignedPerCent = Annotated[int, Integer(-10_000, 10_000)]
Bool = Annotated[bool, Boolean()]
String6 = Annotated[str, Text(6)]
String16 = Annotated[str, Text(16)]
String20 = Annotated[str, Text(20)]
String32 = Annotated[str, Text(32)]
String42 = Annotated[str, Text(42)]
String192 = Annotated[str, Text(192)]
Uri = Annotated[str, Text(255)]
Hex8 = Annotated[str, Hexadecimal(1)]
Hex16 = Annotated[str, Hexadecimal(2)]
Hex32 = Annotated[str, Hexadecimal(4)]
Hex64 = Annotated[str, Hexadecimal(8)]
MRID = Annotated[str, Hexadecimal(16, full_width=True)]
LFDI = Annotated[str, Hexadecimal(20, full_width=True)]
