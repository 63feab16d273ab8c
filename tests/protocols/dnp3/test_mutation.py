"""Random mutation, seeded: fragments with good checks and wrong contents, and a wire that loses, breaks and repeats.

The number of rounds bounds the time; `DNP3_MUTATION_S` goes on for that many seconds instead, under further seeds.
"""

import os
import random
import time
from itertools import count

import pytest

from protocols.dnp3.commands import AnalogCommand
from protocols.dnp3.database import PointConfig
from protocols.dnp3.fragment import Fragment, Function, Iin, encode_fragment
from protocols.dnp3.headers import class_header
from protocols.dnp3.layouts import LAYOUTS, Kind
from protocols.dnp3.master_words import TaskDone, TaskOutcome
from protocols.dnp3.readings import Readings
from tests.protocols.dnp3.pair import Pair
from tests.protocols.dnp3.victims import AttackedMaster, AttackedOutstation

SECONDS = float(os.environ.get("DNP3_MUTATION_S", "0"))
REQUESTS = [
    bytes.fromhex(text)
    for text in (
        "C1 01 3C 02 06 3C 03 06 3C 04 06 3C 01 06",
        "C2 01 1E 05 00 00 03",
        "C3 01 28 03 01 00 00 03 00",
        "C4 03 0C 01 17 01 01 03 01 64 00 00 00 64 00 00 00 00",
        "C5 04 0C 01 17 01 01 03 01 64 00 00 00 64 00 00 00 00",
        "C6 05 29 03 28 01 00 02 00 00 00 20 40 00",
        "C7 02 32 01 07 01 00 00 00 00 8B 01",
        "C8 16 3C 02 06 1E 00 00 00 03",
        "C9 07 14 00 06",
        "CA 14 3C 02 06 3C 03 06",
        "CB 15 3C 02 06",
        "CC 17",
        "CD 18",
        "CE 0D",
        "CF 02 50 01 00 07 07 00",
        "C0 00",
        "D0 00",
        "C1 01 00 FE 06",
        "C2 02 22 03 17 01 01 00 00 80 3F",
    )
]
RESPONSES = [
    bytes.fromhex(text)
    for text in (
        "E0 81 00 00 1E 05 00 00 01 01 00 00 C0 3F 01 00 00 C0 3F",
        "E0 81 80 00 02 02 28 01 00 03 00 81 00 00 00 00 8B 01",
        "F0 82 00 00 20 07 28 01 00 00 00 01 00 00 80 3F 00 00 00 00 8B 01",
        "E0 81 00 00 33 01 07 01 00 00 00 00 8B 01 02 03 17 01 01 81 05 00",
        "E0 81 00 00 01 01 00 00 1F FF FF FF FF 03 01 00 00 07 AA AA",
        "E0 81 00 00 6E 05 00 00 01 61 62 63 64 65 66 67 68 69 6A",
        "E0 81 00 00 0C 01 17 01 01 03 01 64 00 00 00 64 00 00 00 00",
        "E0 81 00 00 29 03 17 01 01 00 00 20 40 00",
        "E0 81 00 00 14 01 00 00 01 01 01 00 00 00 01 02 00 00 00 15 01 00 00 00 01 07 00 00 00",
        "E0 81 10 00 34 02 07 01 05 00",
        "E0 81 00 00 46 05 5B 01 03 00 61 62 63",
        "E0 81 00 00 00 FA 00 00 00 01 03 61 62 63",
    )
]
GROUPS = [*sorted(LAYOUTS), (60, 1), (60, 2), (110, 0), (110, 3), (111, 3), (70, 1), (120, 1), (0, 254)]


def rounds(least):
    """Seeds: at least so many, and on until the time is over where one is given."""
    until = time.monotonic() + SECONDS / 4
    for seed in count():
        if seed >= least and time.monotonic() >= until:
            return
        yield seed


def mutated(octets, rng):
    """A few changes of the sorts that break parsers."""
    octets = bytearray(octets)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(octets))
        match rng.randrange(8):
            case 0:
                octets[at] ^= 1 << rng.randrange(8)
            case 1:
                octets[at] = rng.choice((0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF))
            case 2:
                del octets[at : at + rng.randint(1, 6)]
                octets = octets or bytearray(b"\xc0")
            case 3:
                octets[at:at] = rng.randbytes(rng.randint(1, 6))
            case 4:
                octets += octets[at:]
            case 5:
                group, variation = rng.choice(GROUPS)
                octets += bytes((group, variation, rng.choice((0, 1, 2, 6, 7, 8, 9, 0x17, 0x28, 0x39, 0x5B))))
                octets += rng.randbytes(rng.randrange(12))
            case 6:
                octets[1:2] = bytes((rng.randrange(256),))
            case _:
                octets = octets[: at + 1]
    return bytes(octets[:2000])


def test_mutated_requests_leave_the_outstation_alive_and_its_answers_bounded():
    for seed in rounds(60):
        rng, victim = random.Random(seed), AttackedOutstation()
        rtu = victim.rtu
        for step in range(100):
            rtu.set(Kind.ANALOG_INPUT, step % 4, float(step))
            victim.feed(victim.frames(mutated(rng.choice(REQUESTS), rng)))
            assert len(victim.answered()) < 8192, seed
            rtu.now += rng.random()
        rtu.poll(rtu.now + 20)
        assert len(rtu.ask(Function.READ, class_header(0), 5)) == 1, seed


def test_mutated_responses_leave_the_master_alive_and_unconfirmed_where_undecoded():
    for seed in rounds(60):
        rng, victim = random.Random(seed), AttackedMaster()
        peer, session = victim.peer, victim.peer.session
        for _ in range(100):
            if rng.random() < 0.7:
                peer.read()
            octets = bytearray(mutated(rng.choice(RESPONSES), rng))
            if peer.asked and rng.random() < 0.8:
                octets[0] = octets[0] & 0xF0 | peer.asked[-1].sequence
            undecoded, confirms = session.counters.undecoded, len(peer.confirms())
            peer.say(bytes(octets))
            if session.counters.undecoded > undecoded:
                assert len(peer.confirms()) == confirms, seed
            peer.until(peer.now + rng.random())
        peer.until(peer.now + 100)
        assert answers(peer), seed


def answers(peer):
    """Whether a good answer is taken, once what was said before has been worked off at the master's own pace."""
    for _ in range(200):
        awaiting = peer.session._awaiting
        if awaiting is None:
            if peer.session.is_started:
                return peer.works()
            peer.until(max(peer.now, peer.session.next_deadline()))
        else:
            peer.say(encode_fragment(Fragment(Function.RESPONSE, awaiting.sequence, b"", Iin.NONE)))
    return False


class BadWire(Pair):
    """Chunks are lost, cut, repeated at once, or have one octet changed, which the checks always find."""

    def __init__(self, seed, configs, **more):
        self.rng = random.Random(seed)
        self.is_bad = False
        super().__init__(configs, **more)

    def through(self, octets):
        if not self.is_bad or self.rng.random() < 0.7:
            return octets
        at = self.rng.randrange(len(octets))
        match self.rng.randrange(4):
            case 0:
                return b""
            case 1:
                return octets[:at]
            case 2:
                return octets + octets
            case _:
                return octets[:at] + bytes((octets[at] ^ self.rng.randint(1, 255),)) + octets[at + 1 :]

    def settle(self):
        while True:
            down = self.session.data_to_send()
            if down:
                self.rtu.events += self.rtu.session.receive(self.through(down), self.now)
            up = self.rtu.session.data_to_send()
            if not up and not down:
                return
            if up:
                self.events += self.session.receive(self.through(up), self.now)

    def reconnect(self):
        self.events += self.session.disconnected()
        self.rtu.session.disconnected()
        self.rtu.session.connected(self.now)
        self.session.connected(self.now)
        self.settle()


@pytest.mark.parametrize("unsolicited", [True, False])
def test_a_bad_wire_loses_no_event_and_repeats_no_control(unsolicited):
    points = [PointConfig(Kind.ANALOG_INPUT, i, event_class=1 + i % 3) for i in range(6)]
    points += [PointConfig(Kind.ANALOG_OUTPUT, i) for i in range(2)]
    for seed in rounds(12):
        pair = BadWire(
            seed, points, outstation={"unsolicited": unsolicited}, unsolicited=unsolicited, keep_alive_s=None
        )
        rng, tasks, told = pair.rng, {}, set()
        pair.is_bad = True
        for number in range(1, 151):
            pair.rtu.set(Kind.ANALOG_INPUT, number % 6, float(number))
            told.add(float(number))
            if number % 5 == 0:
                command = AnalogCommand(number % 2, float(number))
                tasks[pair.session.operate([command], select=rng.random() < 0.5, now_s=pair.now)] = float(number)
                pair.settle()
            pair.until(pair.now + rng.random() * 3)
            if rng.random() < 0.02:
                pair.reconnect()
        pair.is_bad = False
        pair.until(pair.now + 300)
        heard = {v for r in pair.of(Readings) if r.is_event and r.kind is Kind.ANALOG_INPUT for v in r.values}
        assert heard >= told, seed
        assert len(pair.rtu.database.events) == 0, seed
        operated = [command.value for command in pair.rtu.plant.operated]
        assert len(operated) == len(set(operated)), seed
        outcomes = {tasks[done.task]: done.outcome for done in pair.of(TaskDone) if done.task in tasks}
        assert set(outcomes) == set(tasks.values()), seed
        for value, outcome in outcomes.items():
            if outcome is TaskOutcome.DONE:
                assert value in operated, seed
            if outcome is TaskOutcome.NOT_SENT:
                assert value not in operated, seed
