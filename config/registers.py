"""How a number lies in the registers of a Modbus device that has no SunSpec map."""

from re import fullmatch
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from config.section import Section

RegisterAddress = Annotated[int, Field(ge=0, le=65_535)]
SIZES = {
    "int16": 1,
    "uint16": 1,
    "int32": 2,
    "uint32": 2,
    "int64": 4,
    "uint64": 4,
    "float32": 2,
    "float64": 4,
}
"""Registers that each encoding takes."""


def _not_zero(scale: float) -> float:
    if scale == 0:
        raise ValueError("a scale of 0 makes every value 0")
    return scale


class RegisterForm(Section):
    """What the registers of a number hold."""

    encoding: Literal["int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"] = "float32"
    scale: Annotated[float, Field(allow_inf_nan=False), AfterValidator(_not_zero)] = 1
    """Multiplies the raw value to give the point's unit."""
    order: Literal["ABCD", "CDAB", "BADC", "DCBA"] = "ABCD"
    """How the octets follow each other, A the most significant one. `ABCD` is the rule, `CDAB` has the least
    significant register first, `DCBA` is little-endian."""
    function: Literal[3, 4] = 3
    """Function code that reads it: 3 for holding registers, 4 for input registers."""
    missing: int | None = None
    """Raw value by which the device says that it has none."""


class ModbusRegister(RegisterForm):
    """A number of a device."""

    address: RegisterAddress

    @property
    def claimed(self) -> range:
        """The addresses that it takes."""
        return range(self.address, self.address + SIZES[self.encoding])


class ModbusControl(ModbusRegister):
    """A register by which a device is told something."""

    read_address: RegisterAddress | None = None
    """Where the device shows what it obeys, where that is not the same register."""
    when_on: int = 1
    """Of `limit_enabled`, `target_enabled` and `connected`: the value for yes."""
    when_off: int = 0
    """The same for no."""


ControlTerm = Literal[
    "ceiling_w",
    "floor_w",
    "target_w",
    "fallback_ceiling_w",
    "fallback_floor_w",
    "lease_s",
    "limit_enabled",
    "target_enabled",
    "connected",
    "heartbeat",
]
SWITCHES = ("limit_enabled", "target_enabled", "connected")

MODEL_POINT = r"(\d{1,5})(?:/(\d{1,3}))?\.([A-Za-z]\w*(?:\[\d+\])?(?:\.\w+(?:\[\d+\])?)*)"
"""A point of a SunSpec model: `203.W`, `160.module[0].DCW`, or `203/2.W` of the second model with that id."""


def split_model_point(address: str) -> tuple[int, int, str]:
    """Id of the model, which one of that id, and the point's name inside of it; the loader has checked the form."""
    found = fullmatch(MODEL_POINT, address)
    if found is None:
        raise ValueError(f"{address} is no point of a SunSpec model")
    return int(found[1]), int(found[2] or 1), found[3]
