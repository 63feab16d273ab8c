"""From a target to a tool of its protocol, on a connection of its own."""

from collections.abc import Sequence
from typing import TypeVar

from config.endpoints import Dnp3Endpoint
from config.modbus_endpoint import ModbusEndpoint
from gateway import clock
from gateway.fieldtools.target import Target
from gateway.translate import dnp3 as dnp3_settings
from gateway.translate import modbus as modbus_settings
from protocols.dnp3 import tool as dnp3
from protocols.modbus import tool as modbus
from protocols.signals import Bounds
from protocols.tool import ToolError, Work

T = TypeVar("T")


async def use(target: Target, work: Work[T], units: Sequence[int] = ()) -> T:
    """Connect to a target, do the work and close.

    Args:
        target: what to connect to.
        work: what to do.
        units: Modbus units to scan; none: the target's own.

    Raises:
        ToolError: what the connection or the work could not do.
    """
    match target.endpoint:
        case ModbusEndpoint() as endpoint:
            return await modbus.use(modbus_settings.connection([endpoint], ()), units or (endpoint.unit,), work)
        case Dnp3Endpoint() as endpoint:
            return await dnp3.use(dnp3_settings.connection(endpoint, (), (), Bounds()), clock.wall, work)
        case endpoint:
            raise ToolError(f"{target.text}: there are no tools for {endpoint.protocol}")
