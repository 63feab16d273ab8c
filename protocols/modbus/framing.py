"""A serial framer for pymodbus that finds an answer behind noise.

pymodbus 3.16 takes the first byte that it receives for the beginning of the frame. A stray byte, as RS-485
drivers send when they are switched on, then costs the answer. Here a frame begins wherever its checksum is right.
"""

from pymodbus.framer.rtu import FramerRTU

CHECKSUM = 2


class NoiseTolerantFramer(FramerRTU):
    """Looks for the first run of bytes that is a whole frame with the right checksum."""

    def decode(self, data: bytes) -> tuple[int, int, int, bytes]:
        """Used length, unit, transaction (always 0) and payload; zeros while there is no whole frame yet."""
        for start in range(len(data) - self.MIN_SIZE + 1):
            size = self._size(data[start:])
            end = start + size
            if size < self.MIN_SIZE or end > len(data):
                continue
            found = int.from_bytes(data[end - CHECKSUM : end], "big")
            if self.check_CRC(data[start : end - CHECKSUM], found):
                return end, data[start], 0, data[start + 1 : end - CHECKSUM]
        return 0, 0, 0, self.EMPTY

    def _size(self, data: bytes) -> int:
        """Length of the frame that would begin here; 0 where none can."""
        kind = self.decoder.lookupPduClass(data)
        return 0 if kind is None else int(kind.calculateRtuFrameSize(data))
