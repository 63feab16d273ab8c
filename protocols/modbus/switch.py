"""The switch of a SunSpec DER to the grid, without I/O: what to write in an emergency and after it.

Model 123 connects and disconnects, with a timer of its own. Model 703 permits service and has no timer: a device that
was taken out of service stays so until it is told otherwise, which in an emergency is the safe side.
"""

from collections.abc import Mapping
from math import ceil
from typing import Final

from protocols.modbus.codec import encode
from protocols.modbus.control import LEGACY, LEGACY_TIMER_MAX_S
from protocols.modbus.plan import Plan
from protocols.modbus.sunspec import Model, Reading, writes

ENTER_SERVICE: Final = 703
SWITCHES: Final[Mapping[int, str]] = {LEGACY: "Conn", ENTER_SERVICE: "ES"}
"""By model: 1 on the grid, 0 off it."""
TIMER: Final = "Conn_RvrtTms"
"""Seconds until model 123 connects again by itself."""


def is_closed(model: Model, reading: Reading) -> bool | None:
    """Whether the device may be on the grid; `None` where it does not tell, and has no such switch."""
    value = reading.values.get(SWITCHES[model.model_id])
    return None if value is None else value == 1


def plan(model: Model, reading: Reading, *, closed: bool, lease_s: float) -> Plan:
    """What to write so that the device is on the grid, or off it for the time of a lease."""
    requested = {SWITCHES[model.model_id]: float(closed)}
    values = dict(requested)
    if reading.values.get(TIMER) is not None:  # lies before the switch: nothing goes off without its end behind it
        values[TIMER] = 0.0 if closed else float(min(ceil(lease_s), LEGACY_TIMER_MAX_S))
    registers = {name: encode(model.points[name], value) for name, value in values.items()}
    return Plan(writes(model, registers), requested, frozenset())
