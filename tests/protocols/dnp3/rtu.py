"""An outstation under test, and a master that is only a hand on its octets."""

from protocols.dnp3.commands import AnalogCommand, BinaryCommand, CommandStatus, Operation
from protocols.dnp3.database import Database, PointConfig
from protocols.dnp3.fragment import Fragment, Function, decode_fragment, encode_fragment
from protocols.dnp3.headers import parse_headers
from protocols.dnp3.layouts import Kind
from protocols.dnp3.link import Frame, encode_frame
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.readings import decode
from protocols.dnp3.station import Station


class Plant:
    """Outputs that do what they are told; index 9 is always blocked."""

    def __init__(self, database):
        self.database = database
        self.operated = []
        self.selected = []
        self.restarts = None

    def select(self, command):
        self.selected.append(command)
        return CommandStatus.BLOCKED if command.index == 9 else CommandStatus.SUCCESS

    def operate(self, command):
        if command.index == 9:
            return CommandStatus.BLOCKED
        self.operated.append(command)
        match command:
            case AnalogCommand():
                if self.database.get(Kind.ANALOG_OUTPUT, command.index) is not None:
                    self.database.update(Kind.ANALOG_OUTPUT, command.index, command.value, time_ms=0)
            case BinaryCommand():
                if self.database.get(Kind.BINARY_OUTPUT, command.index) is not None:
                    state = int(command.operation is Operation.LATCH_ON)
                    self.database.update(Kind.BINARY_OUTPUT, command.index, state, time_ms=0)
        return CommandStatus.SUCCESS

    def restart(self, *, is_cold):
        return self.restarts


def points():
    """Four of each kind, in classes 1 to 3; strings and counters too."""
    for index in range(4):
        yield PointConfig(Kind.BINARY_INPUT, index, event_class=1)
        yield PointConfig(Kind.DOUBLE_BIT_INPUT, index, event_class=1, value=1)
        yield PointConfig(Kind.ANALOG_INPUT, index, event_class=2, deadband=0.5)
        yield PointConfig(Kind.COUNTER, index, event_class=3)
        yield PointConfig(Kind.FROZEN_COUNTER, index, event_class=3)
        yield PointConfig(Kind.BINARY_OUTPUT, index)
        yield PointConfig(Kind.ANALOG_OUTPUT, index)
    yield PointConfig(Kind.OCTET_STRING, 0, event_class=3, value=b"abc")


class Rtu:
    """An outstation with its plant, spoken to in fragments."""

    def __init__(self, configs=None, *, event_capacity=1000, **settings):
        self.database = Database(points() if configs is None else configs, event_capacity=event_capacity)
        self.plant = Plant(self.database)
        self.session = OutstationSession(OutstationSettings(**settings), self.database, self.plant)
        self.master = Station(local=1, remote=10, is_master=True, fragment_max=4096)
        self.now = 1000.0
        self.sequence = 0
        self.events = []
        self.session.connected(self.now)

    def set(self, kind, index, value, **more):
        return self.database.update(kind, index, value, **{"time_ms": 5} | more)

    def fresh(self):
        """Give every point its present value as news of the field, without events."""
        for kind in (Kind.BINARY_INPUT, Kind.DOUBLE_BIT_INPUT, Kind.ANALOG_INPUT, Kind.COUNTER, Kind.BINARY_OUTPUT):
            for point in self.database.points(kind):
                point.flags = point.reported_flags = 1
        return self

    def wire(self, data):
        """Hand octets to the outstation and give its fragments."""
        self.events += self.session.receive(data, self.now)
        return self.said()

    def said(self):
        octets = self.session.data_to_send()
        return [decode_fragment(i.octets, is_response=True) for i in self.master.receive(octets, self.now)]

    def poll(self, now):
        self.now = now
        self.events += self.session.poll(now)
        return self.said()

    def apdu(self, octets, broadcast=None):
        """Send application octets as they are."""
        if broadcast is None:
            self.master.send(octets)
            return self.wire(self.master.data_to_send())
        frame = Frame(
            is_from_master=True, is_primary=True, function=4, destination=broadcast, source=1, data=b"\xc0" + octets
        )
        return self.wire(encode_frame(frame))

    def ask(self, function, objects=b"", sequence=None):
        """Send one request and give the responses."""
        if sequence is None:
            self.sequence = sequence = (self.sequence + 1) % 16
        if isinstance(objects, str):
            objects = bytes.fromhex(objects)
        return self.apdu(encode_fragment(Fragment(function, sequence, objects)))

    def one(self, function, objects=b"", sequence=None):
        (response,) = self.ask(function, objects, sequence)
        return response

    def read(self, objects):
        return self.one(Function.READ, objects)

    def confirm(self, response):
        return self.apdu(
            encode_fragment(Fragment(Function.CONFIRM, response.sequence, unsolicited=response.unsolicited))
        )


def values(response):
    """What a response holds, as (group, variation, {index: value})."""
    decoded = decode(parse_headers(response.objects, with_data=True, header_max=999))
    return [
        (
            getattr(d, "group", d.kind),
            getattr(d, "variation", 0),
            dict(zip(d.indices, d.values, strict=True)),
        )
        for d in decoded
    ]
