"""How a Modbus device or station is reached, and in what it differs from others."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from config.registers import ControlTerm, ModbusControl, ModbusRegister
from config.section import Percent, Seconds, Section, TcpPort


class ModbusEndpoint(Section):
    """A Modbus server: a SunSpec device, or an RTU with a register map."""

    protocol: Literal["modbus"]
    transport: Literal["tcp", "tls", "rtu_over_tcp", "serial"] = "tcp"
    """`tls` is Modbus/TCP Security, on port 802 where none is given; `rtu_over_tcp` are serial frames through TCP."""
    host: str
    """Name or address; with `serial` the port's device file, such as `/dev/ttyS0`."""
    port: TcpPort = 502
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    poll_s: Seconds = 1
    timeout_s: Seconds = 1
    ca_file: str = ""
    """With `tls`: PEM file of the authorities that may vouch for the device."""
    certificate_file: str = ""
    """With `tls`: PEM file of our own certificate, which may carry the role that the device asks for."""
    key_file: str = ""
    server_name: str = ""
    """With `tls`: name in the device's certificate where it is not `host`."""
    baud: Annotated[int, Field(ge=300, le=4_000_000)] = 19_200
    parity: Literal["none", "even", "odd"] = "even"
    stop_bits: Literal[1, 2] = 1
    gap_s: Annotated[float, Field(ge=0, le=10)] = 0
    """Pause before each request, for a device that loses requests that follow too closely."""
    one_session: bool = False
    """The device takes one TCP session: after a loss it is given five seconds to notice."""
    read_max: Annotated[int, Field(ge=8, le=125)] = 125
    """Registers that the device gives in one transaction."""
    write_single: bool = False
    """One register goes out by function code 6; without it everything does by function code 16."""
    percent_of: Literal["setting", "rating", "nameplate"] = "setting"
    """What the device takes for 100 % of a power limit: its WMax as set, its rating, or the nameplate in this file."""
    min_limit_pct: Percent = 0
    """Smallest power limit that the device takes."""
    writes_per_day: Annotated[float, Field(gt=0)] | None = None
    """How often each control register may be written, for memory that wears; absent: as often as needed."""
    heartbeat: bool = True
    """Give the device our heartbeat where it has a register for it."""
    registers: dict[Annotated[str, Field(pattern=r"^[a-z_]+(\.(a|b|c|n))?$")], ModbusRegister] = Field(
        default_factory=dict
    )
    """A device without a SunSpec map: where it tells what, by quantity, such as `active_power_w` or `voltage_v.a`."""
    controls: dict[ControlTerm, ModbusControl] = Field(default_factory=dict)
    """The same for what it can be told; powers in W, times in s once scaled."""
    sunspec: Literal["700", "legacy", "legacy_float"] = "700"
    """Models that a simulated device offers: 701 on, 101 to 103 and 123, or 111 to 113 and 123. A real one is asked."""

    @model_validator(mode="before")
    @classmethod
    def _secure_port(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("transport") == "tls":
            return {"port": 802, **data}
        return data

    @property
    def address(self) -> tuple[str, int]:
        """What the units of one connection or serial line have in common."""
        return self.host, 0 if self.transport == "serial" else self.port
