"""A Modbus TCP server in a few lines of asyncio, which a test can make silent, obstinate or absent."""

import asyncio
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from protocols.modbus.sunspec import IllegalAddressError, ModelImage

READ, WRITE_ONE, WRITE_MANY = 3, 6, 16
ILLEGAL_FUNCTION, ILLEGAL_ADDRESS = 1, 2


@dataclass(slots=True)
class Line:
    """Units by id, all behind one port; works on real and on simulated sockets."""

    images: Mapping[int, ModelImage]
    silent: set[int] = field(default_factory=set)
    """Units that take requests and never answer; what they are told to write is written."""
    deaf: set[int] = field(default_factory=set)
    """Units that neither answer nor do anything."""
    refusing: dict[int, int] = field(default_factory=dict)
    """Exception code for every write, by unit."""
    ignoring: set[int] = field(default_factory=set)
    """Units that accept writes and do not do them."""
    silent_writes: bool = False
    """Writes are done and never answered."""
    lose_writes: bool = False
    """Writes get lost on the way."""
    delay_s: dict[int, float] = field(default_factory=dict)
    """How long a unit thinks, by unit; the line waits for it, as a serial line behind a gateway does."""
    garbage: bytes | None = None
    """Sent instead of every answer; `TT` in it becomes the transaction id."""
    log: list[tuple[int, int, int, int]] = field(default_factory=list)
    """Requests as unit, function code, address, count."""
    accepted: int = 0
    port: int = 0
    host: str = "127.0.0.1"
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for writer in tuple(self._writers):
            writer.close()
        self._server = None

    @property
    def writes(self) -> list[tuple[int, int, int, int]]:
        return [entry for entry in self.log if entry[1] != READ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.accepted += 1
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    tid, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                    pdu = await reader.readexactly(length - 1)
                    answer = self._answer(unit, pdu)
                    await asyncio.sleep(self.delay_s.get(unit, 0))
                    if self.garbage is not None:
                        writer.write(self.garbage.replace(b"TT", struct.pack(">H", tid)))
                    elif answer is not None:
                        writer.write(struct.pack(">HHHB", tid, 0, len(answer) + 1, unit) + answer)
                        await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.close()

    def _answer(self, unit: int, pdu: bytes) -> bytes | None:
        code = pdu[0]
        address, count = struct.unpack(">HH", pdu[1:5])
        self.log.append((unit, code, address, count))
        writes = code != READ
        if unit in self.deaf or unit not in self.images or (writes and self.lose_writes):
            return None
        answer = self._do(unit, pdu)
        return None if unit in self.silent or (writes and self.silent_writes) else answer

    def _do(self, unit: int, pdu: bytes) -> bytes:
        image, code = self.images[unit], pdu[0]
        address, count = struct.unpack(">HH", pdu[1:5])
        try:
            if code == READ:
                words = image.read(address, count)
                return struct.pack(f">BB{count}H", code, 2 * count, *words)
            if code != WRITE_MANY:
                return bytes((code | 0x80, ILLEGAL_FUNCTION))
            if unit in self.refusing:
                return bytes((code | 0x80, self.refusing[unit]))
            if unit not in self.ignoring:
                image.write(address, struct.unpack(f">{count}H", pdu[6:]))
            return pdu[:5]
        except IllegalAddressError:
            return bytes((code | 0x80, ILLEGAL_ADDRESS))


def battery_image(w_max_w: float = 2.5e6, power_w: float = 0.0) -> ModelImage:
    """A 7xx storage device of the given size, with nothing limited."""
    image = ModelImage((1, 701, 702, 704, 713))
    image.set("1.Mn", "Test")
    for factor, exponent in {"701.W_SF": 3, "701.V_SF": 1, "702.W_SF": 2, "704.WMaxLimPct_SF": -2}.items():
        image.set(factor, exponent)
    values = {"701.W": power_w, "701.Var": 0, "701.A": 0, "701.LLV": 27600, "701.Hz": 60, "702.WMax": w_max_w}
    values |= {"713.SoC": 50, "704.WMaxLimPct": 100, "704.WMaxLimPctRvrt": 100, "704.WSet": 0, "704.WSetRvrt": 0}
    for point in ("WMaxLimPctEna", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms", "WMaxLimPctRvrtRem"):
        values[f"704.{point}"] = 0
    for point in ("WSetEna", "WSetMod", "WSetEnaRvrt", "WSetRvrtTms", "WSetRvrtRem"):
        values[f"704.{point}"] = 0
    for name, value in values.items():
        image.set(name, value)
    return image


def legacy_image(w_max_w: float = 6e6, power_w: float = 0.0) -> ModelImage:
    """A three-phase inverter of the 100 series."""
    image = ModelImage((1, 103, 120, 121, 123))
    for factor, exponent in {"103.W_SF": 3, "120.WRtg_SF": 2, "121.WMax_SF": 2}.items():
        image.set(factor, exponent)
    values = {"103.W": power_w, "103.Hz": 60, "120.WRtg": w_max_w, "121.WMax": w_max_w, "123.WMaxLimPct": 100}
    for name, value in (values | {"123.WMaxLim_Ena": 0, "123.WMaxLimPct_RvrtTms": 0}).items():
        image.set(name, value)
    return image
