"""Opens pymodbus's clients on every medium, with what they leave out.

Seen with pymodbus 3.16: its TLS framer takes whatever one record holds for a whole answer (here: the framer of
plain TCP, on which the security protocol is built anyway); its RTU framer stumbles over noise (here: our own);
and the reason for which a connection could not be made, or was lost, gets no further than its log (here: it is told),
if it does not come as an exception that nobody expects (here: one of the kind that is).
"""

import asyncio
import socket
import ssl
import struct
import termios
from collections.abc import Callable
from functools import partial
from typing import Final

from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient
from pymodbus.framer import FramerType
from pymodbus.transport import CommParams, CommType

from protocols.modbus.framing import NoiseTolerantFramer
from protocols.modbus.medium import Medium, PlainTcp, RtuOverTcp, SerialLine, Tls

LIBRARY_TIMEOUT_S: Final = 3600.0
"""Longer than any deadline of ours, so that the library never counts a silence and never closes by itself."""
_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""SO_LINGER: on, 0 s."""


def prepared(host: str, port: int, medium: Medium, lost: Callable[[Exception | None], None]) -> ModbusBaseClient:
    """A client that is not connected yet; `lost` is told when its connection ends without `close`.

    Raises:
        OSError: a file is not there or is not what it should be; says which.
    """
    client = _client(host, port, medium)
    client.ctx.callback_disconnected = lost  # type: ignore[method-assign, assignment] # the library drops the reason
    return client


async def establish(client: ModbusBaseClient, stale_s: float) -> None:
    """Connect.

    What the peer's end has not confirmed after `stale_s` is given up together with the connection, so that a
    write cannot arrive long after it was meant.

    Raises:
        OSError: no connection, or no trust; says why.
    """
    try:
        transport, _ = await client.ctx.call_create()
    except termios.error as error:
        raise OSError(f"the port does not take these settings: {error}") from error
    client.ctx.transport = transport
    found = transport.get_extra_info("socket")
    if found is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        _set(found, socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(int(1000 * stale_s), 1))


def close(client: ModbusBaseClient) -> None:
    """End the connection at once; what was not sent yet will not be, and a device with one session has it back."""
    transport = client.ctx.transport
    found = None if transport is None else transport.get_extra_info("socket")
    if found is not None:
        _set(found, socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
    client.close()


def _set(found: socket.socket, level: int, option: int, value: int | bytes) -> None:
    """Set an option; a socket that is already gone has none."""
    try:
        found.setsockopt(level, option, value)
    except OSError:
        return


def _client(host: str, port: int, medium: Medium) -> ModbusBaseClient:
    options = {"retries": 0, "reconnect_delay": 0, "timeout": LIBRARY_TIMEOUT_S}
    client: ModbusBaseClient
    match medium:
        case PlainTcp():
            return AsyncModbusTcpClient(host, port=port, **options)  # type: ignore[arg-type] # one dict of both
        case Tls():
            return _secure(host, port, medium)
        case RtuOverTcp():
            client = AsyncModbusTcpClient(host, port=port, framer=FramerType.RTU, **options)  # type: ignore[arg-type]
        case SerialLine():
            client = AsyncModbusSerialClient(
                host,
                baudrate=medium.baud,
                parity=medium.parity.value,
                stopbits=medium.stop_bits,
                **options,  # type: ignore[arg-type]
            )
    client.ctx.framer = NoiseTolerantFramer(client.ctx.framer.decoder)
    return client


def _secure(host: str, port: int, medium: Tls) -> ModbusBaseClient:
    """A client on TLS: the library's own takes no other framer than its own."""
    trust = context(medium)
    client = _TlsClient(host, port, trust)
    client.ctx.call_create = partial(
        client.ctx.loop.create_connection,
        client.ctx.handle_new_connection,
        host,
        port,
        ssl=trust,
        server_hostname=medium.server_name or host,
    )
    return client


class _TlsClient(AsyncModbusTcpClient):
    def __init__(self, host: str, port: int, trust: ssl.SSLContext) -> None:
        self.comm_params = CommParams(
            comm_type=CommType.TLS,
            comm_name="comm",
            host=host,
            port=port,
            sslctx=trust,
            reconnect_delay=0,
            timeout_connect=LIBRARY_TIMEOUT_S,
        )
        super().__init__("", framer=FramerType.SOCKET, retries=0)


def context(medium: Tls) -> ssl.SSLContext:
    """What we show and whom we trust: TLS 1.2 or later, certificates on both sides.

    Raises:
        OSError: a file is not there or is not what it should be.
    """
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        found.load_cert_chain(medium.certificate, medium.key)
    except OSError as error:
        raise OSError(f"certificate {medium.certificate} with key {medium.key}: {error}") from error
    try:
        found.load_verify_locations(medium.authorities)
    except OSError as error:
        raise OSError(f"authorities {medium.authorities}: {error}") from error
    return found
