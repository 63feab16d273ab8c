"""Frames of Modbus without I/O, as a server sees them: requests out of a stream, and answers to send back."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

ADU_MAX: Final = 260
"""Modbus Messaging on TCP/IP: largest frame."""
_HEADER: Final = struct.Struct(">HHHB")
_COUNTED_FROM: Final = 6
"""The length in the header counts from here."""
_SHORTEST_RTU, _CHECKSUM = 4, 2
_FIXED_SIZE: Final = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8}
"""Bytes of a serial request by its function code."""
_COUNTED_SIZE: Final = {15: (6, 9), 16: (6, 9)}
"""The same where a byte counts what follows: its place, and what comes in addition to it."""


class BrokenStreamError(Exception):
    """What was received is not Modbus."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a client."""

    unit: int
    pdu: bytes
    number: int = 0
    """Of the transaction; 0 on serial frames, which have none."""


class Frames(Protocol):
    """One direction in, the other out."""

    answers_for_others: bool
    """True where an unknown unit is worth an exception; on a shared line, nobody answers for it."""

    def feed(self, data: bytes) -> Iterator[Request]:
        """Requests that are whole by now; raises `BrokenStreamError`."""

    def wrap(self, request: Request, pdu: bytes) -> bytes:
        """The frame that answers a request."""


class TcpFrames:
    """Frames with a header, as Modbus TCP and Modbus/TCP Security have them."""

    answers_for_others = True

    def __init__(self) -> None:
        self._stream = b""

    def feed(self, data: bytes) -> Iterator[Request]:
        """Take whole frames from the stream.

        Raises:
            BrokenStreamError: a header that cannot be one.
        """
        self._stream += data
        while len(self._stream) >= _HEADER.size:
            number, protocol, length, unit = _HEADER.unpack_from(self._stream)
            if protocol != 0 or not 2 <= length <= ADU_MAX - _COUNTED_FROM:
                raise BrokenStreamError(f"protocol {protocol}, length {length}")
            end = _COUNTED_FROM + length
            if len(self._stream) < end:
                return
            pdu, self._stream = self._stream[_HEADER.size : end], self._stream[end:]
            yield Request(unit, pdu, number)

    def wrap(self, request: Request, pdu: bytes) -> bytes:
        """With the number of the request."""
        return _HEADER.pack(request.number, 0, len(pdu) + 1, request.unit) + pdu


class SerialFrames:
    """Frames with a checksum, as on a serial line; noise between them is passed over."""

    answers_for_others = False

    def __init__(self) -> None:
        self._stream = b""

    def feed(self, data: bytes) -> Iterator[Request]:
        """Take every run of bytes whose checksum is right."""
        self._stream = (self._stream + data)[-ADU_MAX:]
        while (found := self._first()) is not None:
            start, end = found
            frame, self._stream = self._stream[start:end], self._stream[end:]
            yield Request(frame[0], frame[1:-_CHECKSUM])

    def wrap(self, request: Request, pdu: bytes) -> bytes:
        """With the unit in front and the checksum behind."""
        body = bytes((request.unit,)) + pdu
        return body + crc16(body)

    def _first(self) -> tuple[int, int] | None:
        stream = self._stream
        for start in range(len(stream) - _SHORTEST_RTU + 1):
            end = start + _size(stream[start:])
            if start + _SHORTEST_RTU <= end <= len(stream) and crc16(stream[start : end - 2]) == stream[end - 2 : end]:
                return start, end
        return None


def _size(data: bytes) -> int:
    """Length of the request that would begin here; of an unknown function, all there is."""
    code = data[1]
    if code in _COUNTED_SIZE:
        place, more = _COUNTED_SIZE[code]
        return data[place] + more if len(data) > place else 0
    return _FIXED_SIZE.get(code, len(data))


def crc16(data: bytes) -> bytes:
    """Modbus over serial line: checksum of a frame, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc.to_bytes(2, "little")
