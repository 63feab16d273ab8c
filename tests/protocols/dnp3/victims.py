"""An outstation and a master to be attacked with the same octets: what got through to them, and whether they live."""

from protocols.dnp3.fragment import Fragment, Function, Iin, encode_fragment
from protocols.dnp3.headers import class_header
from protocols.dnp3.link import Frame, encode_frame
from protocols.dnp3.transport import segments
from tests.protocols.dnp3.rtu import Rtu
from tests.protocols.dnp3.test_master_hostile import GOOD, Outstation


class Attacked:
    """One victim; `from_master`, `local` and `remote` are what its peer's frames carry."""

    from_master: bool
    local: int
    remote: int

    def frame(self, data, **over):
        fields = {
            "is_from_master": self.from_master,
            "is_primary": True,
            "function": 4,
            "destination": self.local,
            "source": self.remote,
            "data": data,
        }
        return encode_frame(Frame(**fields | over))

    def frames(self, fragment):
        """A fragment as link frames."""
        return b"".join(self.frame(part) for part in segments(fragment, 0))

    def works(self):
        """Whether a good fragment gets through now."""
        return len(self.hit(self.frames(self.good()))) == 1


class AttackedOutstation(Attacked):
    """Its peer is a master; what gets through is answered."""

    from_master, local, remote = True, 10, 1

    def __init__(self):
        self.rtu = Rtu().fresh()
        self.sequence = 0

    @property
    def station(self):
        return self.rtu.session._station

    def good(self):
        self.sequence = (self.sequence + 1) % 16
        return encode_fragment(Fragment(Function.READ, self.sequence, class_header(0)))

    def hit(self, octets):
        return self.rtu.wire(octets)

    def wait(self, seconds):
        self.rtu.poll(self.rtu.now + seconds)

    def answered(self):
        """Octets that it sends, once they are taken from it."""
        return self.rtu.session.data_to_send()

    def feed(self, octets):
        self.rtu.session.receive(octets, self.rtu.now)


class AttackedMaster(Attacked):
    """Its peer is an outstation; what gets through becomes readings."""

    from_master, local, remote = False, 1, 10

    def __init__(self):
        self.peer = Outstation(keep_alive_s=None)

    @property
    def station(self):
        return self.peer.session._station

    def good(self):
        self.peer.until(self.peer.now + 3)
        self.peer.read()
        return encode_fragment(Fragment(Function.RESPONSE, self.peer.asked[-1].sequence, GOOD, Iin.NONE))

    def hit(self, octets):
        before = len(self.peer.readings())
        self.peer.wire(octets)
        return self.peer.readings()[before:]

    def wait(self, seconds):
        self.peer.until(self.peer.now + seconds)

    def answered(self):
        return self.peer.session.data_to_send()

    def feed(self, octets):
        self.peer.session.receive(octets, self.peer.now)


VICTIMS = {"outstation": AttackedOutstation, "master": AttackedMaster}
