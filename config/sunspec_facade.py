"""The zone as SunSpec devices for test benches and other masters: the `sunspec` section of the zone file."""

from typing import Annotated

from pydantic import Field

from config.section import Identifier, Seconds, Section, TcpPort


class SunSpecFacade(Section):
    """Every device as a Modbus unit with models of the 700 series; a write is an operator's instruction."""

    port: TcpPort | None = None
    """Modbus TCP on the loopback address, without any security; absent: not offered."""
    tls_host: str = "127.0.0.1"
    tls_port: TcpPort | None = None
    """Modbus/TCP Security with mutual TLS on `tls_host`; absent: not offered."""
    ca_file: str = ""
    """PEM file of the authorities that may vouch for a master; as certificate and key, required with `tls_port`."""
    certificate_file: str = ""
    key_file: str = ""
    writers: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ("operator",)
    """Roles in a master's certificate that may write over TLS; every other may only read."""
    units: dict[Identifier, Annotated[int, Field(ge=1, le=247)]] = Field(default_factory=dict)
    """Unit id by device; absent: all devices, from 1 in the order of the file."""
    hold_s: Seconds = 900
    """How long what was asked without a reversion time lasts after the master's last write or heartbeat."""

    def unit_of(self, devices: tuple[str, ...]) -> dict[str, int]:
        """Unit id by device, of all devices of the zone in the order of its file."""
        return dict(self.units) or {name: unit for unit, name in enumerate(devices, start=1)}
