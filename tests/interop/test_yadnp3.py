"""Both of our ends against opendnp3 (the yadnp3 wheel), which nobody here wrote."""

import asyncio
import json
import os
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dnp3_sim.plant import Plant
from dnp3_sim.pointmap import PointMap, SimPoint
from dnp3_sim.server import RtuServer
from gateway.clock import wall
from gateway.coordination.book import Book
from gateway.snapshot import Image
from gateway.telemetry import Picture, TelemetryOutstation, TelemetrySettings, ToldPoint
from protocols.dnp3.adapter import Dnp3Adapter
from protocols.dnp3.commands import AnalogCommand, AnalogForm, BinaryCommand, CommandStatus, Operation
from protocols.dnp3.database import PointConfig
from protocols.dnp3.fragment import Function
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master import MasterSession
from protocols.dnp3.master_words import MasterSettings, Started, TaskDone, TaskOutcome, TimeSync
from protocols.dnp3.outstation import OutstationSession
from protocols.dnp3.outstation_words import OutstationSettings
from protocols.dnp3.readings import Readings, Strings
from protocols.dnp3.settings import Dnp3Settings, MappedInput, Tls
from protocols.dnp3.wire import Wire, server_context
from protocols.points import Point, Quantity
from protocols.signals import LinkState, Measurement, Quality
from tests.interop import by_hand
from tests.protocols.dnp3.certificates import self_signed

pytest.importorskip("opendnp3")
pytestmark = [pytest.mark.interop, pytest.mark.sockets]

PEER = Path(__file__).with_name("yadnp3_peer.py")
PATIENCE_S = 20.0
WITH_FLAGS = {(1, 1): 2, (3, 1): 2, (10, 1): 2, (20, 5): 1}
"""Points that were never updated travel with their flags, whatever form is asked for."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def until(holds, what):
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not holds():  # noqa: ASYNC110 - the peer is another process
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(f"waited in vain: {what}") from error


class Peer:
    """The other process and all it has told."""

    def __init__(self, process):
        self.process = process
        self.told = []

    async def listen(self):
        while line := await self.process.stdout.readline():
            self.told.append(json.loads(line))

    def ask(self, **what):
        self.process.stdin.write(json.dumps(what).encode() + b"\n")

    def all(self, key):
        return [told[key] for told in self.told if key in told]

    def values(self, form):
        return {i: v for told in self.told if told.get("form") == form for i, v in told["values"]}

    async def done(self, **what):
        before = len(self.all("done"))
        self.ask(**what)
        await until(lambda: len(self.all("done")) > before, f"{what} is done")
        return self.all("done")[-1]


@asynccontextmanager
async def peer(side, port, *files, **environment):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        PEER,
        side,
        str(port),
        *map(str, files),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    made = Peer(process)
    async with asyncio.TaskGroup() as tasks:
        listening = tasks.create_task(made.listen())
        try:
            yield made
        finally:
            listening.cancel()
            process.kill()
            await process.wait()


POINTS = (
    [PointConfig(Kind.ANALOG_INPUT, i, event_class=2, value=i + 0.5) for i in range(300)]
    + [PointConfig(Kind.BINARY_INPUT, i, event_class=1, value=i % 2) for i in range(10)]
    + [PointConfig(Kind.DOUBLE_BIT_INPUT, i, event_class=1, value=i % 4) for i in range(8)]
    + [PointConfig(Kind.COUNTER, i, event_class=3, value=i * 1000) for i in range(4)]
    + [PointConfig(Kind.FROZEN_COUNTER, i, event_class=3) for i in range(4)]
    + [PointConfig(Kind.ANALOG_OUTPUT, i) for i in range(4)]
    + [PointConfig(Kind.BINARY_OUTPUT, i) for i in range(4)]
)


@asynccontextmanager
async def our_outstation(*, context=None, **settings):
    plant = Plant(PointMap(OutstationSettings(**settings), tuple(map(SimPoint, POINTS))), wall())
    session = OutstationSession(OutstationSettings(**settings), plant.database, plant)
    server = RtuServer(session, wall, port=0, context=context)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run())
        await server.listening.wait()
        try:
            yield server, plant, session
        finally:
            serving.cancel()


class TestOurOutstation:
    async def test_everything_is_read_in_their_integrity_poll(self):
        async with our_outstation() as (server, _, _), peer("master", server.port) as master:
            await until(lambda: master.values("Group40Var3"), "outputs are read")
            assert master.values("Group30Var5") == {i: i + 0.5 for i in range(300)}
            assert master.values("Group1Var2") == {i: bool(i % 2) for i in range(10)}
            assert master.values("Group3Var2") == {i: i % 4 for i in range(8)}
            assert master.values("Group20Var1") == {i: i * 1000 for i in range(4)}

    @pytest.mark.parametrize(
        ("group", "variation"),
        [(1, 1), (1, 2), (3, 1), (3, 2), (10, 1), (20, 2), (20, 5), (20, 6), (30, 1), (30, 2), (30, 3), (30, 4),
         (30, 6), (40, 1), (40, 2), (40, 4)],
    )  # fmt: skip
    async def test_every_static_form_is_understood(self, group, variation):
        async with our_outstation() as (server, _, _), peer("master", server.port) as master:
            await until(lambda: master.values("Group40Var3"), "the start is over")
            master.ask(scan=group, variation=variation)
            await until(lambda: master.values(f"Group{group}Var{variation}"), "the form is read")

    @pytest.mark.parametrize(
        ("group", "variation"),
        [(2, 1), (2, 2), (2, 3), (4, 1), (4, 2), (4, 3), (22, 1), (22, 2), (22, 5), (22, 6),
         (32, 1), (32, 2), (32, 3), (32, 4), (32, 5), (32, 6), (32, 7), (32, 8)],
    )  # fmt: skip
    async def test_every_event_form_is_understood_and_confirmed(self, group, variation):
        kind, value = {
            2: (Kind.BINARY_INPUT, 1),
            4: (Kind.DOUBLE_BIT_INPUT, 1),
            22: (Kind.COUNTER, 77),
            32: (Kind.ANALOG_INPUT, -3),
        }[group]
        async with our_outstation() as (server, plant, _), peer("master", server.port) as master:
            await until(lambda: master.values("Group40Var3"), "the start is over")
            plant.database.update(kind, 2, value, time_ms=1_700_000_000_000)
            master.ask(scan=group, variation=variation)
            await until(lambda: master.values(f"Group{group}Var{variation}"), "the form is read")
            assert master.values(f"Group{group}Var{variation}") == {2: value}
            await until(lambda: len(plant.database.events) == 0, "the event is confirmed")

    async def test_two_hundred_changes_arrive_in_their_order_and_none_is_lost(self):
        async with our_outstation(unsolicited=True) as (server, plant, _), peer("master", server.port) as master:
            await until(lambda: master.values("Group40Var3"), "the start is over")
            for number in range(1, 201):
                plant.database.update(Kind.ANALOG_INPUT, 5, float(number), time_ms=number)
                server.poll()
                await asyncio.sleep(0.002)
            await until(lambda: len(plant.database.events) == 0, "all are confirmed")
            told = [v for t in master.told if t.get("form") == "Group32Var7" for i, v in t["values"] if i == 5]
            assert told == [float(number) for number in range(1, 201)]

    async def test_they_read_the_telemetry_to_the_system_operator(self):
        points = (
            ToldPoint(Kind.ANALOG_INPUT, 0, Point("TD1", Quantity.ACTIVE_POWER_W), (), 1e6),
            ToldPoint(Kind.ANALOG_INPUT, 1, Point("R1", Quantity.ACTIVE_POWER_W), ("A", "B"), 1e6),
            ToldPoint(Kind.BINARY_INPUT, 0, Point("SW12", Quantity.SWITCH_CLOSED), event_class=1),
        )
        image = Image({})

        def measured(resource, quantity, value):
            image.fold(Measurement(Point(resource, quantity), value, Quality.GOOD, wall(), wall()))

        measured("TD1", Quantity.ACTIVE_POWER_W, 3.25e6)
        measured("A", Quantity.ACTIVE_POWER_W, 1.5e6)
        measured("B", Quantity.ACTIVE_POWER_W, 4e6)
        measured("SW12", Quantity.SWITCH_CLOSED, 1)
        settings = TelemetrySettings("127.0.0.1", 0, points, OutstationSettings(unsolicited=True), step_s=0.1)
        outstation = TelemetryOutstation(settings, lambda: Picture(image.freeze(wall()), Book(), {}), wall, print)
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(outstation.run())
            await outstation.server.listening.wait()
            async with peer("master", outstation.server.port) as master:
                await until(lambda: master.values("Group30Var5") == {0: 3.25, 1: 5.5}, "the values are read")
                assert master.values("Group1Var2") == {0: True}
                measured("A", Quantity.ACTIVE_POWER_W, -1.5e6)
                await until(lambda: master.values("Group32Var7").get(1) == 2.5, "the sum changes")
                assert await master.done(analog=[0, 1.0, "float"]) == [[0, "SUCCESS", "NOT_SUPPORTED"]]
            serving.cancel()

    async def test_unsolicited_events_arrive_once(self):
        async with our_outstation(unsolicited=True) as (server, plant, _), peer("master", server.port) as master:
            await until(lambda: master.values("Group40Var3"), "the start is over")
            plant.database.update(Kind.DOUBLE_BIT_INPUT, 3, 2, time_ms=5)
            plant.database.update(Kind.ANALOG_INPUT, 7, -3.25, time_ms=5)
            plant.database.update(Kind.COUNTER, 1, 77, time_ms=5)
            server.poll()
            await until(lambda: len(plant.database.events) == 0, "the events are confirmed")
            await until(lambda: master.values("Group22Var5"), "the last event is told")
            assert master.values("Group4Var2") == {3: 2}
            assert master.values("Group32Var7") == {7: -3.25}
            assert master.values("Group22Var5") == {1: 77}

    @pytest.mark.parametrize("select", [True, False])
    async def test_their_controls_move_our_plant_and_refusals_come_back(self, select):
        async with our_outstation() as (server, plant, _), peer("master", server.port) as master:
            await until(lambda: master.values("Group40Var3"), "the start is over")
            assert await master.done(crob=2, operation="LATCH_ON", select=select) == [[2, "SUCCESS", "SUCCESS"]]
            assert plant.database.get(Kind.BINARY_OUTPUT, 2).value == 1
            for form, value in (("int16", -5), ("int32", 70_000), ("float", 2.5), ("double", 1e200)):
                assert await master.done(analog=[1, value, form], select=select) == [[1, "SUCCESS", "SUCCESS"]]
                assert plant.database.get(Kind.ANALOG_OUTPUT, 1).value == value
            (refused,) = await master.done(crob=99, operation="LATCH_ON", select=select)
            assert refused[2] == "NOT_SUPPORTED"

    @pytest.mark.parametrize("sync", ["LAN", "NonLAN"])
    async def test_they_set_our_clock(self, sync):
        async with (
            our_outstation(need_time_s=3600) as (server, _, session),
            peer("master", server.port, TIME_SYNC=sync),
        ):
            await until(lambda: not session.clock.is_needed, "the time is set")
            assert abs(session.time_ms(asyncio.get_running_loop().time()) / 1000 - wall()) < 2

    async def test_they_freeze_our_counters(self):
        async with our_outstation() as (server, plant, _), peer("master", server.port) as master:
            await until(lambda: master.values("Group40Var3"), "the start is over")
            master.ask(freeze=True)
            await until(lambda: plant.database.get(Kind.FROZEN_COUNTER, 3).value == 3000, "counters are frozen")

    async def test_over_tls(self, tmp_path):
        ours, theirs = self_signed(tmp_path, "outstation"), self_signed(tmp_path, "master")
        context = server_context(Tls(str(ours[0]), str(ours[1]), str(theirs[0])))
        async with (
            our_outstation(context=context) as (server, _, _),
            peer("master", server.port, ours[0], *theirs) as master,
        ):
            await until(lambda: len(master.values("Group30Var5")) == 300, "the points are read over TLS")


class OurMaster:
    """Our session on a wire, with all it has said."""

    def __init__(self, **settings):
        self.session = MasterSession(MasterSettings(**settings))
        self.events = []
        self.wire = Wire(self.received)

    def received(self, data):
        self.events += self.session.receive(data, wall())
        self.flush()

    def flush(self):
        self.wire.send(self.session.data_to_send())

    async def run(self, port):
        loop = asyncio.get_running_loop()
        while not self.wire.is_open:
            try:
                await loop.create_connection(lambda: self.wire, "127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
        self.session.connected(wall())
        while True:
            self.flush()
            await self.wire.wait(max(0.0, self.session.next_deadline() - wall()))
            self.events += self.session.poll(wall())

    def readings(self, kind, *, is_event=False):
        found = [e for e in self.events if isinstance(e, Readings) and e.kind is kind and e.is_event is is_event]
        return {i: v for r in found for i, v in zip(r.indices, r.values, strict=True)}

    async def end(self, task):
        self.flush()
        await until(lambda: any(isinstance(e, TaskDone) and e.task == task for e in self.events), "the task ends")
        return next(e for e in self.events if isinstance(e, TaskDone) and e.task == task)


@asynccontextmanager
async def their_outstation(**settings):
    port = free_port()
    async with peer("outstation", port) as outstation, asyncio.TaskGroup() as tasks:
        await until(lambda: outstation.all("ready"), "the outstation is ready")
        master = OurMaster(**settings)
        running = tasks.create_task(master.run(port))
        try:
            await until(lambda: any(isinstance(e, Started) for e in master.events), "the start is over")
            yield outstation, master
        finally:
            running.cancel()
            master.wire.cut()


class TestOurMaster:
    async def test_all_their_points_are_read(self):
        async with their_outstation() as (_, master):
            for kind in (Kind.BINARY_INPUT, Kind.DOUBLE_BIT_INPUT, Kind.ANALOG_INPUT, Kind.COUNTER, Kind.ANALOG_OUTPUT):
                assert set(master.readings(kind)) == set(range(10)), kind
            assert any(isinstance(event, Strings) for event in master.events)
            assert master.session.counters.undecoded == 0

    @pytest.mark.parametrize(("unsolicited", "event_poll_s"), [(True, None), (False, 0.2)])
    async def test_their_events_arrive_polled_or_unsolicited(self, unsolicited, event_poll_s):
        async with their_outstation(unsolicited=unsolicited, event_poll_s=event_poll_s) as (outstation, master):
            outstation.ask(analog=[1, 42.0], binary=[3, 1], double=[2, 2], counter=[4, 9])
            await until(lambda: master.readings(Kind.COUNTER, is_event=True), "the events arrive")
            assert master.readings(Kind.ANALOG_INPUT, is_event=True) == {1: 42}
            assert master.readings(Kind.DOUBLE_BIT_INPUT, is_event=True) == {2: 2}
            assert master.readings(Kind.BINARY_INPUT, is_event=True) == {3: 1}
            assert master.session.counters.undecoded == 0

    @pytest.mark.parametrize("select", [True, False])
    async def test_our_controls_of_every_form_in_one_request(self, select):
        commands = [
            BinaryCommand(2, Operation.LATCH_ON),
            BinaryCommand(300, Operation.PULSE_ON),
            AnalogCommand(3, 2.5),
            AnalogCommand(4, -7, AnalogForm.INT16),
            AnalogCommand(5, 70_000, AnalogForm.INT32),
            AnalogCommand(6, 1e200, AnalogForm.DOUBLE),
        ]
        async with their_outstation() as (outstation, master):
            done = await master.end(master.session.operate(commands, select=select, now_s=wall()))
            assert (done.outcome, done.statuses) == (TaskOutcome.DONE, (CommandStatus.SUCCESS,) * 6)
            await until(lambda: len(outstation.all("operated")) == 6, "six outputs moved")
            assert [told[1:3] for told in outstation.all("operated")] == [
                [2, "LATCH_ON"], [300, "PULSE_ON"], [3, 2.5], [4, -7], [5, 70_000], [6, 1e200],
            ]  # fmt: skip

    @pytest.mark.parametrize("select", [True, False])
    async def test_their_refusal_is_told_point_by_point(self, select):
        commands = [BinaryCommand(1, Operation.LATCH_ON), BinaryCommand(9, Operation.LATCH_ON)]
        async with their_outstation() as (_, master):
            done = await master.end(master.session.operate(commands, select=select, now_s=wall()))
            assert done.outcome is TaskOutcome.REFUSED
            assert done.statuses == (CommandStatus.SUCCESS, CommandStatus.BLOCKED)

    async def test_our_freeze_is_carried_out(self):
        async with their_outstation() as (_, master):
            for function in (Function.IMMED_FREEZE, Function.FREEZE_CLEAR):
                done = await master.end(master.session.request(function, bytes.fromhex("14 00 06"), wall()))
                assert done.outcome is TaskOutcome.DONE
            task = master.session.request(Function.READ, bytes.fromhex("15 00 06"), wall())
            assert (await master.end(task)).outcome is TaskOutcome.DONE
            assert set(master.readings(Kind.FROZEN_COUNTER)) == set(range(10))

    @pytest.mark.parametrize("sync", [TimeSync.LAN, TimeSync.NON_LAN])
    async def test_they_take_the_time_from_us(self, sync):
        async with their_outstation(time_sync=sync) as (outstation, _):
            await until(lambda: outstation.all("time"), "the time is written")

    @pytest.mark.parametrize(
        "headers", ["01 01 06", "03 01 06", "0A 01 06", "14 05 06", "1E 02 06", "1E 06 06", "28 03 06", "28 04 06"]
    )
    async def test_every_static_form_asked_for(self, headers):
        async with their_outstation() as (_, master):
            master.events.clear()
            done = await master.end(master.session.request(Function.READ, bytes.fromhex(headers), wall()))
            assert done.outcome is TaskOutcome.DONE
            (readings,) = [e for e in master.events if isinstance(e, Readings)]
            group, variation = bytes.fromhex(headers)[:2]
            assert readings.group == group
            assert readings.variation in {variation, WITH_FLAGS.get((group, variation))}
            assert len(readings.values) == 10

    async def test_the_adapter_over_tls(self, tmp_path):
        ours, theirs = self_signed(tmp_path, "master"), self_signed(tmp_path, "outstation")
        point = Point("L1", Quantity.CURRENT_A)
        port = free_port()
        settings = Dnp3Settings(
            "127.0.0.1",
            (MappedInput(point, Kind.ANALOG_INPUT, 1, 0.5),),
            port=port,
            tls=Tls(str(ours[0]), str(ours[1]), str(theirs[0]), server_name="outstation"),
            retry_first_s=0.1,
        )
        signals = []
        async with peer("outstation", port, ours[0], *theirs) as outstation, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(Dnp3Adapter(settings, wall).run(signals.extend))
            await until(lambda: any(getattr(s, "state", None) is LinkState.ONLINE for s in signals), "the link is up")
            outstation.ask(analog=[1, 42.0])
            await until(
                lambda: any(isinstance(s, Measurement) and s.point == point and s.value == 21 for s in signals),
                "the event is read over TLS",
            )
            running.cancel()


class TestOurTools:
    async def test_they_scan_and_read_their_outstation(self):
        port = free_port()
        async with peer("outstation", port) as outstation:
            await until(lambda: outstation.all("ready"), "the outstation is ready")
            target = f"dnp3://127.0.0.1:{port}/10"
            (found,) = await by_hand.scan(target)
            assert {"10 analog inputs, AI0 to AI9", "10 double bit inputs, DBI0 to DBI9"} <= set(found.offers)
            assert not found.is_der
            outstation.ask(analog=[1, 42.0])
            await asyncio.sleep(0.2)
            items = await by_hand.read(target, "AI1", "BO0", "AI4711")
            assert (items["AI1"].value, items["AI1"].quality) == (42, Quality.GOOD)
            assert items["AI4711"].quality is Quality.BAD

    async def test_they_operate_its_outputs_once(self):
        port = free_port()
        async with peer("outstation", port) as outstation:
            await until(lambda: outstation.all("ready"), "the outstation is ready")
            written = await by_hand.write(f"dnp3://127.0.0.1:{port}/10", AO3="70000", BO2="on")
            assert written.detail.startswith("operate answered"), written
            assert len(outstation.all("operated")) == 2
