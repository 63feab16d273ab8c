"""One end of an association: octets in, application fragments out, and back; link transactions are answered here."""

from dataclasses import dataclass

from protocols.dnp3.link import (
    ADDRESS_MAX,
    BROADCASTS,
    Frame,
    FrameReader,
    PrimaryFunction,
    SecondaryFunction,
    encode_frame,
)
from protocols.dnp3.transport import Reassembler, segments

FRAGMENT_MAX = 2048
PARTIAL_FRAME_S = 5.0
"""A frame that stops arriving is forgotten after this long, so that what follows is read from its own start."""
REPLIES_MAX = 64
"""Link answers given to one chunk of octets; a flood beyond that gets silence."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """A fragment that arrived."""

    octets: bytes
    broadcast: int | None = None
    """The broadcast address it came by, or None where it was sent to us alone."""


class Station:
    """Link and transport layer of one end, for one peer.

    What is not for us (wrong direction, destination or source) is ignored and counted. User data is sent unconfirmed;
    confirmed user data is answered where a peer insists on it.
    """

    def __init__(self, *, local: int, remote: int, is_master: bool, fragment_max: int = FRAGMENT_MAX) -> None:
        """Both addresses are at most 0xFFEF and differ."""
        if local == remote or max(local, remote) > ADDRESS_MAX or min(local, remote) < 0:
            raise ValueError(f"link addresses {local} and {remote} are not two addresses of stations")
        self._local, self._remote, self._is_master = local, remote, is_master
        self._reader = FrameReader()
        self._reassembler = Reassembler(fragment_max)
        self._out: list[bytes] = []
        self._transport_sequence = 0
        self._expected_fcb: bool | None = None
        self._last_octet_s = 0.0
        self.ignored_frames = 0
        self._replies = 0

    @property
    def last_octet_s(self) -> float:
        """When octets last arrived."""
        return self._last_octet_s

    @property
    def bad_frames(self) -> int:
        """Frames dropped for a bad check or length."""
        return self._reader.bad_frames

    @property
    def discarded_segments(self) -> int:
        """Transport segments that continued nothing, or grew too long."""
        return self._reassembler.discarded

    def reset(self, now_s: float) -> None:
        """Begin a new connection: nothing half received or unsent survives."""
        self._reader.reset()
        self._reassembler.reset()
        self._out.clear()
        self._expected_fcb = None
        self._last_octet_s = now_s

    def receive(self, data: bytes, now_s: float) -> list[Inbound]:
        """Fragments completed by these octets, in order."""
        if self._reader.is_partial and now_s - self._last_octet_s > PARTIAL_FRAME_S:
            self._reader.reset()
        self._last_octet_s = now_s
        self._replies = 0
        fragments = []
        for frame in self._reader.feed(data):
            inbound = self._frame(frame)
            if inbound is not None:
                fragments.append(inbound)
        return fragments

    def send(self, fragment: bytes) -> None:
        """Queue one fragment for the peer."""
        for segment in segments(fragment, self._transport_sequence):
            self._transport_sequence = (self._transport_sequence + 1) & 0x3F
            self._send_primary(PrimaryFunction.UNCONFIRMED_USER_DATA, segment)

    def request_link_status(self) -> None:
        """Queue the question that any living peer answers."""
        self._send_primary(PrimaryFunction.REQUEST_LINK_STATUS)

    def data_to_send(self) -> bytes:
        """Octets queued since the last call."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def _frame(self, frame: Frame) -> Inbound | None:
        is_broadcast = frame.destination in BROADCASTS and not self._is_master
        if (
            frame.is_from_master == self._is_master
            or frame.source != self._remote
            or not (frame.destination == self._local or is_broadcast)
        ):
            self.ignored_frames += 1
            return None
        if not frame.is_primary:
            return None
        if is_broadcast:
            if frame.function != PrimaryFunction.UNCONFIRMED_USER_DATA or not frame.data:
                return None
            return self._segment(frame.data, frame.destination)
        return self._primary(frame)

    def _primary(self, frame: Frame) -> Inbound | None:
        match frame.function:
            case PrimaryFunction.UNCONFIRMED_USER_DATA if frame.data:
                return self._segment(frame.data, None)
            case PrimaryFunction.CONFIRMED_USER_DATA if frame.data:
                return self._confirmed(frame)
            case PrimaryFunction.UNCONFIRMED_USER_DATA | PrimaryFunction.CONFIRMED_USER_DATA:
                return None
            case _ if frame.data:
                return None
            case PrimaryFunction.RESET_LINK_STATES:
                self._expected_fcb = True
                self._reply(SecondaryFunction.ACK)
            case PrimaryFunction.TEST_LINK_STATES:
                is_reset = self._expected_fcb is not None
                self._reply(SecondaryFunction.ACK if is_reset else SecondaryFunction.NACK)
                if is_reset and frame.fcb == self._expected_fcb:
                    self._expected_fcb = not frame.fcb
            case PrimaryFunction.REQUEST_LINK_STATUS:
                self._reply(SecondaryFunction.LINK_STATUS)
            case _:
                self._reply(SecondaryFunction.NOT_SUPPORTED)
        return None

    def _confirmed(self, frame: Frame) -> Inbound | None:
        """Accept confirmed user data after a link reset; a frame with the old count bit is a repeat."""
        if self._expected_fcb is None or not frame.fcv:
            self._reply(SecondaryFunction.NACK)
            return None
        self._reply(SecondaryFunction.ACK)
        if frame.fcb != self._expected_fcb:
            return None
        self._expected_fcb = not frame.fcb
        return self._segment(frame.data, None)

    def _segment(self, data: bytes, broadcast: int | None) -> Inbound | None:
        fragment = self._reassembler.feed(data)
        return None if fragment is None else Inbound(fragment, broadcast)

    def _reply(self, function: SecondaryFunction) -> None:
        self._replies += 1
        if self._replies <= REPLIES_MAX:
            self._out.append(
                encode_frame(
                    Frame(
                        is_from_master=self._is_master,
                        is_primary=False,
                        function=function,
                        destination=self._remote,
                        source=self._local,
                    )
                )
            )

    def _send_primary(self, function: PrimaryFunction, data: bytes = b"") -> None:
        self._out.append(
            encode_frame(
                Frame(
                    is_from_master=self._is_master,
                    is_primary=True,
                    function=function,
                    destination=self._remote,
                    source=self._local,
                    data=data,
                )
            )
        )
