"""Link layer: FT3 frames to octets, and a reader that finds frames in any stream of octets.

A frame is ten octets of header (05 64, length, control, destination, source, check), then up to 250 octets of user
data in blocks of sixteen, each with its own check.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from protocols.dnp3.crc import BLOCK, crc

SYNC = b"\x05\x64"
HEADER_OCTETS = 10
USER_DATA_MAX = 250
MIN_LENGTH = 5
"""LENGTH counts control, addresses and user data, without checks."""

BROADCASTS = frozenset({0xFFFD, 0xFFFE, 0xFFFF})
ADDRESS_MAX = 0xFFEF
"""Above are reserved and broadcast addresses, which no station may have."""

_DIR, _PRM, _FCB, _FCV = 0x80, 0x40, 0x20, 0x10
_HEADER = struct.Struct("<2sBBHH")
_CRC = struct.Struct("<H")


class PrimaryFunction(IntEnum):
    """Function codes of frames that open a link transaction (PRM = 1)."""

    RESET_LINK_STATES = 0
    TEST_LINK_STATES = 2
    CONFIRMED_USER_DATA = 3
    UNCONFIRMED_USER_DATA = 4
    REQUEST_LINK_STATUS = 9


class SecondaryFunction(IntEnum):
    """Function codes of frames that answer one (PRM = 0)."""

    ACK = 0
    NACK = 1
    LINK_STATUS = 11
    NOT_SUPPORTED = 15


@dataclass(frozen=True, slots=True)
class Frame:
    """One link frame."""

    is_from_master: bool
    is_primary: bool
    function: int
    destination: int
    source: int
    data: bytes = b""
    fcb: bool = False
    fcv: bool = False


def encode_frame(frame: Frame) -> bytes:
    """The octets of a frame with its checks; `data` is at most 250 octets."""
    control = (
        (_DIR if frame.is_from_master else 0)
        | (_PRM if frame.is_primary else 0)
        | (_FCB if frame.fcb else 0)
        | (_FCV if frame.fcv else 0)
        | frame.function
    )
    data = frame.data
    header = _HEADER.pack(SYNC, MIN_LENGTH + len(data), control, frame.destination, frame.source)
    parts = [header, _CRC.pack(crc(header))]
    for start in range(0, len(data), BLOCK):
        block = data[start : start + BLOCK]
        parts += (block, _CRC.pack(crc(block)))
    return b"".join(parts)


def _frame_octets(length: int) -> int:
    user = length - MIN_LENGTH
    return HEADER_OCTETS + user + 2 * ((user + BLOCK - 1) // BLOCK)


def _user_data(body: bytes) -> bytes | None:
    """User data of the octets after the header, or None where a check fails."""
    parts = []
    for start in range(0, len(body), BLOCK + 2):
        block = body[start : start + BLOCK + 2]
        data = block[:-2]
        if crc(data) != block[-2] | block[-1] << 8:
            return None
        parts.append(data)
    return b"".join(parts)


class FrameReader:
    """Cuts a stream into frames, in time linear in its octets and memory of at most one frame and one chunk.

    A bad header check skips its sync octets and looks for the next; a bad block check drops the whole frame, so that
    nothing inside it can pose as one.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self.bad_frames = 0

    @property
    def is_partial(self) -> bool:
        """True where the last octets received began a frame that is not complete."""
        return bool(self._buffer)

    def reset(self) -> None:
        """Forget a partial frame."""
        self._buffer = b""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Frames completed by this chunk, in order."""
        stream = self._buffer + chunk if self._buffer else chunk
        frames: list[Frame] = []
        at = 0
        while (at := stream.find(SYNC, at)) >= 0:
            if len(stream) - at < HEADER_OCTETS:
                break
            length = stream[at + 2]
            check = stream[at + 8] | stream[at + 9] << 8
            if length < MIN_LENGTH or crc(stream[at : at + 8]) != check:
                self.bad_frames += 1
                at += len(SYNC)
                continue
            end = at + _frame_octets(length)
            if end > len(stream):
                break
            data = _user_data(stream[at + HEADER_OCTETS : end])
            if data is None:
                self.bad_frames += 1
            else:
                frames.append(_frame(stream, at, data))
            at = end
        self._buffer = stream[at:] if at >= 0 else (stream[-1:] if stream.endswith(SYNC[:1]) else b"")
        return frames


def _frame(stream: bytes, at: int, data: bytes) -> Frame:
    _, _, control, destination, source = _HEADER.unpack_from(stream, at)
    return Frame(
        is_from_master=bool(control & _DIR),
        is_primary=bool(control & _PRM),
        function=control & 0x0F,
        destination=destination,
        source=source,
        data=data,
        fcb=bool(control & _FCB),
        fcv=bool(control & _FCV),
    )
