"""What the SunSpec façade stands on: which DER is which unit, and where masters find them."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway.coordination.situation import Situation
from gateway.coordination.zone import Controllable, Resource
from protocols.modbus.server_security import ServerSecurity


@dataclass(frozen=True, slots=True)
class ShownDer:
    """One DER as a Modbus unit."""

    unit: int
    resource: Resource
    kind: str
    """As in the zone file, for the model of the common block."""
    protocol: str
    """What the DER itself speaks, for the options of the common block."""
    p_max_w: float
    p_min_w: float
    s_max_va: float | None = None
    energy_wh: float | None = None
    """`None`: it is no storage."""

    @property
    def percent_of_w(self) -> float:
        """What 100 % are: WMax of model 702, the highest power that nameplate and connection allow."""
        return max(self.resource.ceiling_w, 0.0)

    @property
    def takes_limit(self) -> bool:
        """True where the gateway may limit it."""
        return self.resource.controllable is not Controllable.NONE

    @property
    def takes_target(self) -> bool:
        """True where the gateway may give it a set point."""
        return self.resource.controllable is Controllable.SETPOINT


@dataclass(frozen=True, slots=True)
class FacadeSettings:
    """Who is shown, and where."""

    ders: tuple[ShownDer, ...]
    hold_s: float
    """How long what a master asked for without a reversion time lasts beyond its last write or heartbeat."""
    port: int | None = None
    """Plain Modbus TCP on the loopback address; `None`: not offered."""
    tls_host: str = ""
    tls_port: int | None = None
    """Modbus/TCP Security; `None`: not offered."""
    security: ServerSecurity | None = None


Look = Callable[[], Situation]
"""What the gateway knows and holds now."""
