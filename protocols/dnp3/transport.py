"""Transport function: application fragments to segments of one link frame each, and back."""

SEGMENT_MAX = 249
"""Octets of a fragment in one segment: a frame's 250 less the transport octet."""

_FIN, _FIR, _SEQUENCE = 0x80, 0x40, 0x3F


def segments(fragment: bytes, sequence: int) -> list[bytes]:
    """A fragment cut into segments numbered from `sequence`, each with its transport octet."""
    pieces = [fragment[start : start + SEGMENT_MAX] for start in range(0, len(fragment), SEGMENT_MAX)]
    last = len(pieces) - 1
    return [
        bytes(((_FIR if i == 0 else 0) | (_FIN if i == last else 0) | (sequence + i) & _SEQUENCE,)) + piece
        for i, piece in enumerate(pieces)
    ]


class Reassembler:
    """Collects the segments of one peer into fragments of at most `fragment_max` octets.

    A segment that does not continue what is held discards it; a first segment always begins anew.
    """

    def __init__(self, fragment_max: int) -> None:
        self._fragment_max = fragment_max
        self._pieces: list[bytes] = []
        self._octets = 0
        self._next = 0
        self.discarded = 0

    def reset(self) -> None:
        """Forget an unfinished fragment."""
        self._pieces = []
        self._octets = 0

    def feed(self, segment: bytes) -> bytes | None:
        """The fragment that this segment completes, or None."""
        octet = segment[0]
        if len(segment) == 1:
            self._discard()
            return None
        if octet & _FIR:
            if self._pieces:
                self._discard()
        elif not self._pieces or octet & _SEQUENCE != self._next:
            self._discard()
            return None
        self._pieces.append(segment[1:])
        self._octets += len(segment) - 1
        if self._octets > self._fragment_max:
            self._discard()
            return None
        self._next = (octet + 1) & _SEQUENCE
        if not octet & _FIN:
            return None
        fragment = b"".join(self._pieces)
        self.reset()
        return fragment

    def _discard(self) -> None:
        self.discarded += 1
        self.reset()
