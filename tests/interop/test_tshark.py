"""Wireshark's dissector on everything that both of our ends send: nothing is malformed, and all of it is recognised."""

import json
import struct
import subprocess

import pytest

from protocols.dnp3.commands import AnalogCommand, AnalogForm, BinaryCommand, Operation
from protocols.dnp3.database import PointConfig
from protocols.dnp3.fragment import Function
from protocols.dnp3.headers import all_header
from protocols.dnp3.layouts import LAYOUTS, Kind, Role
from tests.peers import need
from tests.protocols.dnp3.pair import Pair

pytestmark = pytest.mark.interop

PORT = 20_000
FORMS = [key for key, layout in sorted(LAYOUTS.items()) if layout.role in {Role.STATIC, Role.EVENT}]
COMPLAINTS = {"_ws.malformed", "_ws.unreassembled", "dnp3.hdr.CRC.status.bad", "dnp3.data_chunk.CRC.status.bad"}


class Tapped(Pair):
    """Keeps a copy of what travels, with its direction."""

    def __init__(self, *arguments, **more):
        self.taken = []
        super().__init__(*arguments, **more)

    def settle(self):
        master, outstation = self.session, self.rtu.session
        while True:
            down = master.data_to_send()
            if down:
                self.taken.append((True, down))
                outstation.receive(down, self.now)
            up = outstation.data_to_send()
            if up:
                self.taken.append((False, up))
                self.events += master.receive(up, self.now)
            if not up and not down:
                return


def capture(path, taken):
    """A file of UDP packets, one for each piece of at most one link frame."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for down, octets in taken:
            for frame in frames(octets):
                ports = (40_000, PORT) if down else (PORT, 40_000)
                udp = struct.pack(">HHHH", *ports, 8 + len(frame), 0) + frame
                ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
                out.write(struct.pack("<IIII", 0, 0, len(ip + udp), len(ip + udp)) + ip + udp)


def frames(octets):
    while octets:
        user = octets[2] - 5
        size = 10 + user + 2 * ((user + 15) // 16)
        yield octets[:size]
        octets = octets[size:]


def dissect(path):
    command = [need("tshark"), "-r", path, "-T", "json", "--no-duplicate-keys"]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return json.loads(found.stdout)


def names(tree):
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from names(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from names(value)


def points():
    for index in range(12):
        yield PointConfig(Kind.BINARY_INPUT, index, event_class=1)
        yield PointConfig(Kind.DOUBLE_BIT_INPUT, index, event_class=1)
        yield PointConfig(Kind.ANALOG_INPUT, index, event_class=2)
        yield PointConfig(Kind.COUNTER, index, event_class=3)
        yield PointConfig(Kind.FROZEN_COUNTER, index, event_class=3)
        yield PointConfig(Kind.BINARY_OUTPUT, index, event_class=1)
        yield PointConfig(Kind.ANALOG_OUTPUT, index, event_class=2)
    yield PointConfig(Kind.OCTET_STRING, 0, event_class=3, value=b"abc")


def test_nothing_of_ours_is_malformed(tmp_path):
    pair = Tapped(list(points()), outstation={"unsolicited": True, "need_time_s": 60}, queue_max=500)
    for group, variation in FORMS:
        for kind, value in (
            (Kind.BINARY_INPUT, 1),
            (Kind.DOUBLE_BIT_INPUT, 2),
            (Kind.ANALOG_INPUT, 7.5),
            (Kind.COUNTER, 9),
        ):
            pair.rtu.set(kind, 3, value + pair.now % 2 if kind is Kind.ANALOG_INPUT else value, flags=1, time_ms=70_000)
        pair.session.request(Function.READ, all_header(group, variation), pair.now)
        pair.settle()
    commands = [BinaryCommand(1, Operation.LATCH_ON), BinaryCommand(300, Operation.PULSE_OFF)]
    commands += [AnalogCommand(2, 5, form) for form in AnalogForm]
    for select in (True, False):
        pair.operate(commands, select=select)
    pair.session.request(Function.IMMED_FREEZE, all_header(20), pair.now)
    pair.session.request(Function.ASSIGN_CLASS, bytes.fromhex("3C 02 06 1E 00 00 00 03"), pair.now)
    pair.settle()
    pair.until(pair.now + 10)
    capture(tmp_path / "both.pcap", pair.taken)
    packets = dissect(tmp_path / "both.pcap")
    assert len(packets) > 100
    for packet in packets:
        layers = packet["_source"]["layers"]
        assert "dnp3" in layers
        assert not COMPLAINTS & set(names(layers)), json.dumps(layers.get("dnp3"), indent=1)
