"""What the admin API takes and gives about flow reservations; positive charges a device, negative discharges it."""

from typing import Annotated

from pydantic import Field

from ieee2030_5.admin.words import Slug, Word, Word32

Energy = Annotated[int, Field(ge=-(2**47), le=2**47 - 1)]
Power = Annotated[int, Field(ge=-(10**12), le=10**12)]
Second = Annotated[int, Field(ge=0, le=2**40)]


class GrantIn(Word):
    """How much of a request is granted, and when."""

    start_s: Second
    duration_s: Word32
    energy_wh: Energy
    power_w: Power


class ReservationOut(Word):
    """One request of a device and what has become of it."""

    id: Slug
    mrid: str
    cancelled: bool
    start_s: int
    duration_s: int
    energy_wh: float
    power_w: float
    grant: GrantIn | None
    """Absent where nothing is granted, or the grant is over."""
    grant_status: str | None


class ReservationList(Word):
    """The requests of a device, by their start."""

    reservations: list[ReservationOut]
