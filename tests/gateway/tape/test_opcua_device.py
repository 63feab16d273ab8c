"""A recorded OPC UA session played as a server: read, watched and written over sockets as the recorded one was."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from config.loader import load
from config.settings import Station
from gateway.clock import wall
from gateway.tape.adapters import recorded, zone_of
from gateway.tape.check import check
from gateway.tape.opcua_device import PlayedServer
from gateway.tape.stage import Stage
from gateway.tape.words import Kind, Line, Recording, Tape, TapeError, read
from gateway.testbed.device import SimulatedDevice
from gateway.testbed.opcua import ServedPoint, SimulatedOpcUaServer
from gateway.translate import opcua
from protocols.opcua.adapter import OpcUaAdapter
from protocols.opcua.errors import NoAnswerError
from protocols.opcua.settings import Connection
from protocols.opcua.tools import connected
from protocols.opcua.values import Reading
from protocols.points import Point, Quantity
from protocols.signals import Ack, Bounds, Control, LinkChanged, LinkState, Measurement, Outcome, Quality, Signal
from tests.contract.harness import SPEC
from tests.gateway.fieldtools.site import command
from tests.gateway.tape.site import Links

BELOW = Path("config/zones/r1_short.yaml").resolve()
NODE, CURRENT = "ns=2;s=L12.current_a", Point("L12", Quantity.CURRENT_A)
START_S = 60.0
STALE = [7.0, "stale", "UncertainLastUsableValue"]
BAD = [None, "bad", "BadSensorFailure"]
pytestmark = pytest.mark.sockets


def limit(version: int, ceiling_w: float) -> Control:
    now_s = wall()
    return Control(f"A-c{version}", "A", version, now_s, now_s + 60, Bounds(ceiling_w=ceiling_w))


@pytest.fixture(scope="module")
def taped(tmp_path_factory) -> Path:
    """A current that rises, a limit, one that was refused, and a link that was lost and came back."""
    directory = tmp_path_factory.mktemp("opcua")
    path, zone_file = directory / "server.jsonl", directory / "zone.yaml"

    async def session() -> None:
        current = [100.0]
        device = SimulatedDevice(SPEC, wall())
        server = SimulatedOpcUaServer(
            "127.0.0.1",
            0,
            wall,
            devices={"ns=2;s=A": device},
            points=[ServedPoint(CURRENT, NODE)],
            measure=lambda _: current[0],
            step_s=0.02,
        )
        async with asyncio.timeout(START_S), asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(server.run())
            await server.started.wait()
            where = f'protocol: opcua, url: "{server.url}"'
            endpoint = f'{{{where}, node: "ns=2;s=A", timeout_s: 0.5, publishing_s: 0.1}}'
            zone_file.write_text(f"{{extends: {BELOW}, devices: {{A: {{simulated: false, endpoint: {endpoint}}}}}}}")
            zone = load(zone_file)
            points = [{"point": str(CURRENT), "address": NODE}]
            station = Station.model_validate({"endpoint": {"protocol": "opcua", "url": server.url}, "points": points})
            only = zone.model_copy(update={"devices": {"A": zone.devices["A"]}, "stations": {"SCADA": station}})
            (adapter,) = recorded(only, wall, {}, lambda head: Tape.create(path, head, wall))
            links = Links()
            running = tasks.create_task(adapter.run(links.hear))
            await links.become(LinkState.ONLINE)
            assert (await adapter.apply(limit(1, 1e6))).outcome is Outcome.WRITTEN
            device.faults.refuse = True
            assert (await adapter.apply(limit(2, 7e5))).outcome is Outcome.REJECTED
            device.faults.refuse = False
            for _ in range(8):
                current[0] += 1
                await asyncio.sleep(0.25)
            device.faults.drop_link = True
            await links.become(LinkState.LOST)
            device.faults.drop_link = False
            await links.become(LinkState.ONLINE)
            await asyncio.sleep(0.3)
            running.cancel()
            serving.cancel()

    asyncio.run(session())
    return path


class Hand:
    """The clock of a stage, moved by hand."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def __call__(self) -> float:
        return self.at_s


@asynccontextmanager
async def played(recording: Recording, hand: Hand, *, once: bool = True) -> AsyncIterator[PlayedServer]:
    server = PlayedServer(Stage(recording, hand, speed=1.0, once=once), "127.0.0.1", 0, wall)
    listening = asyncio.Event()
    async with asyncio.timeout(START_S), asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run(listening))
        await listening.wait()
        yield server
        serving.cancel()


def url(server: PlayedServer) -> str:
    return server.url.partition("?")[0]


def adapter_on(recording: Recording, server: PlayedServer) -> OpcUaAdapter:
    """Of the zone that was recorded, at the server that plays it."""
    (settings,) = opcua.settings(zone_of(recording.header), {})
    return OpcUaAdapter(replace(settings, url=url(server), reconnect_max_s=0.3), wall)


def events_of(recording: Recording) -> list[tuple[float, list[object]]]:
    """When the current was published, and how."""
    told = {
        line.at_s: reading for line in recording.of(Kind.EVENT) for node, reading in line.what["batch"] if node == NODE
    }
    return list(told.items())


def troubled(recording: Recording) -> Recording:
    """The same with a current that was stale once, and bad once."""
    events = count()
    lines = []
    for line in recording.lines:
        batch = [
            [node, [*{3: STALE, 6: BAD}.get(next(events), reading[:3]), *reading[3:]] if node == NODE else reading]
            for node, reading in line.what.get("batch", ())
        ]
        lines.append(replace(line, what={**line.what, "batch": batch}) if batch else line)
    return Recording(recording.header, tuple(lines))


async def until(found: Callable[[], bool]) -> None:
    """Until what `found` gives is true."""
    while not found():  # noqa: ASYNC110 - it waits for a server
        await asyncio.sleep(0.01)


def test_the_recording_names_the_types_and_still_replays(taped):
    types = {reading[6] for _, reading in events_of(read(taped))}
    assert types == {"Double"}
    assert check(read(taped)).differences == ()


async def test_our_adapter_hears_the_recorded_changes_in_order_with_their_times_and_quality(taped):
    recording = troubled(read(taped))
    hand, heard = Hand(), list[Signal]()

    def has_come(value: float | None, quality: str, at_s: float) -> bool:
        """The measurement that was published then is here, behind those before it."""
        while heard:
            signal = heard.pop(0)
            if isinstance(signal, Measurement) and signal.point == CURRENT:
                told = (signal.value, signal.quality, signal.source_time_s)
                if told == (value or 0.0, Quality(quality), pytest.approx(at_s, abs=1e-3)):
                    return True
        return False

    began_s = wall()
    async with played(recording, hand) as server, asyncio.TaskGroup() as tasks:
        offset_s = server.placed_from_s - recording.header.start_s
        assert 0 <= server.placed_from_s - began_s < START_S
        running = tasks.create_task(adapter_on(recording, server).run(heard.extend))
        events = events_of(recording)
        assert len({reading[0] for _, reading in events}) > 8
        lost_s = next(line.at_s for line in recording.of(Kind.FAULT) if line.what["what"] == "lost")
        for at_s, (value, quality, _, source_s, *_) in [event for event in events if event[0] < lost_s]:
            hand.at_s = at_s
            await until(lambda q=quality, v=value, s=source_s: has_come(v, q, s + offset_s))
        running.cancel()


async def test_the_link_is_lost_and_comes_back_as_it_did(taped):
    recording = read(taped)
    lost_s = next(line.at_s for line in recording.of(Kind.FAULT) if line.what["what"] == "lost")
    hand, links = Hand(), Links()
    async with played(recording, hand) as server, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(adapter_on(recording, server).run(links.hear))
        await links.become(LinkState.ONLINE)
        hand.at_s = lost_s
        await links.become(LinkState.LOST)
        hand.at_s = recording.ends_s
        await links.become(LinkState.ONLINE)
        running.cancel()


async def test_what_was_taken_is_taken_and_what_was_refused_is_refused(taped):
    recording = read(taped)
    hand, heard = Hand(), list[Signal]()
    async with played(recording, hand) as server, asyncio.TaskGroup() as tasks:
        adapter = adapter_on(recording, server)
        running = tasks.create_task(adapter.run(heard.extend))
        await until(lambda: any(isinstance(s, LinkChanged) and s.state is LinkState.ONLINE for s in heard))

        async def answered(version: int, ceiling_w: float) -> Ack:
            return await adapter.apply(limit(version, ceiling_w))

        taken = await answered(1, 1e6)
        assert (taken.outcome, taken.read_back["LimitMax"]) == (Outcome.WRITTEN, 1e6)
        refused = await answered(2, 7e5)
        assert refused.outcome is Outcome.REJECTED
        assert "BadUserAccessDenied" in refused.detail
        assert "LimitMaxEnabled" not in refused.detail, "it was taken with the same value"
        other = await answered(3, 5e5)
        assert (other.outcome, other.read_back["LimitMax"]) == (Outcome.WRITTEN, 5e5)
        hand.at_s = recording.ends_s
        async with connected(Connection(url(server), 5.0), wall) as client:
            nodes = [f"ns=2;s=A.{name}" for name in ("ActivePower", "LimitMax", "Version", "Watchdog", "ValidUntil")]
            readings = await client.read(nodes)
            assert [reading.type for reading in readings] == ["Double", "Double", "Int64", "UInt32", "DateTime"]
            assert readings[1].value == 5e5, "what was written since outlives the recording"
            assert await client.write({nodes[0]: 1.0}) == {nodes[0]: "BadNotWritable"}
        running.cancel()


async def test_a_new_round_tells_the_same_values_with_later_times(taped):
    recording = read(taped)
    hand = Hand()
    async with (
        played(recording, hand, once=False) as server,
        connected(Connection(url(server), 5.0), wall) as client,
    ):
        events = events_of(recording)
        for past_s, number in ((0.0, 5), (recording.ends_s, 3), (2 * recording.ends_s, 1)):
            at_s, (value, _, _, source_s, *_) = events[number]
            placed_s = server.placed_from_s + source_s - recording.header.start_s + past_s

            def is_there(reading: Reading, then_s: float = placed_s, value: object = value) -> bool:
                return (reading.value, reading.source_time_s) == (value, pytest.approx(then_s, abs=1e-3))

            hand.at_s = past_s + at_s + 5e-7  # times are written to the microsecond
            while not is_there((await client.read([NODE]))[0]):  # noqa: ASYNC110 - it waits for the server
                await asyncio.sleep(0.01)


async def test_where_no_answer_came_none_comes(taped):
    recording = read(taped)
    silence = Line(1.2, Kind.READ, {"asked": {"nodes": [NODE]}, "took": 0.5, "fault": "no_answer", "detail": ""})
    lines = sorted((*recording.lines, silence), key=lambda line: line.at_s)
    hand = Hand()
    async with (
        played(Recording(recording.header, tuple(lines)), hand) as server,
        connected(Connection(url(server), 1.0), wall) as client,
    ):
        assert len(await client.read([NODE])) == 1
        hand.at_s = 1.0
        await until(lambda: server.is_silent)
        with pytest.raises(NoAnswerError):
            await client.read([NODE])
        hand.at_s = 1.3
        async with connected(Connection(url(server), 5.0), wall) as patient:
            assert (await patient.read([NODE]))[0].quality is Quality.GOOD


def test_it_plays_from_the_command_line(taped, json_of):
    with command("replay", str(taped), "--serve", "0", "--speed", "0.01") as process:
        where = process.stdout.readline().split()[0]
        assert re.fullmatch(r"opc\.tcp://127\.0\.0\.1:\d+\?node=ns=2;s=A", where)
        power, *_ = json_of("read", where, "ActivePower")
        assert power["value"] == 1e6
        written = json_of("write", where, "LimitMax=600000", "--lease", "60")
        assert written["obeyed"]


def test_a_recording_in_which_nothing_was_read_has_no_server(taped):
    recording = read(taped)
    silent = Recording(recording.header, recording.of(Kind.FAULT))
    with pytest.raises(TapeError, match="nothing was ever read"):
        PlayedServer(Stage(silent, Hand(), speed=1.0, once=True), "127.0.0.1", 0, wall)
