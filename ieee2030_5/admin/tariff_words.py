"""What the admin API takes and gives about tariffs and their prices."""

from typing import Annotated

from pydantic import Field

from ieee2030_5.admin.words import Slug, Word, Word32

Currency = Annotated[int, Field(ge=0, le=999)]
PowerOfTen = Annotated[int, Field(ge=-9, le=9)]
Cost = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
Energy = Annotated[int, Field(ge=0, le=2**48 - 1)]
Second = Annotated[int, Field(ge=0, le=2**40)]
Octet = Annotated[int, Field(ge=0, le=255)]


class TariffIn(Word):
    """What energy costs the devices of a group."""

    group: Slug
    primacy: Octet = 1
    currency: Currency = 0
    """Number of ISO 4217, such as 36 AUD, 124 CAD, 840 USD; 0: none."""
    power_of_ten: PowerOfTen = 0
    """Prices are multiplied by ten to this."""
    description: Annotated[str, Field(max_length=31)] = "Energy"


class Block(Word):
    """A price from a quantity on."""

    from_wh: Energy
    price: Cost
    """Per Wh, before the tariff's power of ten."""


class PriceIn(Word):
    """What energy costs in an interval."""

    start_s: Second
    duration_s: Annotated[Word32, Field(ge=1)]
    blocks: Annotated[list[Block], Field(min_length=1, max_length=16)]
    """In rising order; the first from 0."""
    tier: Octet = 0


class PriceOut(PriceIn):
    """A price as it is served."""

    id: Slug
    mrid: str
    status: str


class TariffOut(TariffIn):
    """A tariff with its prices by start."""

    name: Slug
    mrid: str
    prices: list[PriceOut]


class TariffList(Word):
    """All tariffs."""

    tariffs: list[TariffOut]
