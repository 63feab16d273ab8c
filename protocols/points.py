"""What a value in the field is called: a resource, a quantity and, where it has one, a phase."""

from dataclasses import dataclass
from enum import StrEnum


class Quantity(StrEnum):
    """Physical quantities that cross the port, each in one SI unit.

    Sign: power is positive when injected into the grid at the point of interconnection; current on
    an asset is its magnitude.
    """

    ACTIVE_POWER_W = "active_power_w"
    REACTIVE_POWER_VAR = "reactive_power_var"
    APPARENT_POWER_VA = "apparent_power_va"
    CURRENT_A = "current_a"
    VOLTAGE_V = "voltage_v"
    """Line to neutral where a phase is named, line to line otherwise."""
    VOLTAGE_PU = "voltage_pu"
    FREQUENCY_HZ = "frequency_hz"
    STATE_OF_CHARGE_PU = "state_of_charge_pu"
    """Share of the usable energy, 0 to 1."""
    AVAILABLE_POWER_W = "available_power_w"
    """What the resource could inject now if nothing limited it."""
    RATED_POWER_W = "rated_power_w"
    """Greatest injection that the device says it is made for: its nameplate."""
    CEILING_W = "ceiling_w"
    """The upper limit in force at the device, as the device reports it."""
    FLOOR_W = "floor_w"
    """The lower limit in force at the device, as the device reports it."""
    SWITCH_CLOSED = "switch_closed"
    """1 closed, 0 open."""
    TAP_POSITION = "tap_position"


class Phase(StrEnum):
    """A conductor at a bus; `TOTAL` is the sum or, for a voltage, the mean of the phases."""

    A = "a"
    B = "b"
    C = "c"
    NEUTRAL = "n"
    TOTAL = "total"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """One measurable value in the zone: whose, which quantity, on which phase."""

    resource: str
    """Id of the DER or grid asset as written in the zone file, for example `A` or `L12`."""
    quantity: Quantity
    phase: Phase = Phase.TOTAL

    def __str__(self) -> str:
        """Compact name for logs: `L12.current_a` or `B4.voltage_pu.a`."""
        tail = "" if self.phase is Phase.TOTAL else f".{self.phase.value}"
        return f"{self.resource}.{self.quantity.value}{tail}"
