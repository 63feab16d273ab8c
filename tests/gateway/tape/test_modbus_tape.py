"""A session with a simulated battery on tape: what is in the file, and that the adapter does the same on it again."""

import asyncio
import json
from pathlib import Path

import pytest

from config.loader import load
from gateway.clock import wall
from gateway.tape.adapters import recorded
from gateway.tape.check import check
from gateway.tape.words import Kind, Tape, TapeError, read
from protocols.signals import Bounds, Control, LinkState, Outcome, Release
from tests.gateway.tape.site import Links, zone_on
from tests.interop.modbus_site import BATTERY, served

pytestmark = pytest.mark.sockets


def control(version: int, ceiling_w: float) -> Control:
    return Control(f"A-c{version}", "A", version, wall(), wall() + 60, Bounds(ceiling_w=ceiling_w))


@pytest.fixture(scope="module")
def taped(tmp_path_factory) -> Path:
    """A second of reading, a limit, a refused one, a lost link, and the release."""
    directory = tmp_path_factory.mktemp("tape")
    path = directory / "battery.jsonl"

    async def session() -> None:
        async with served(BATTERY) as (device, _, port):
            zone = load(zone_on(port, directory / "zone.yaml"))
            only = zone.model_copy(update={"devices": {"A": zone.devices["A"]}, "stations": {}})
            (adapter,) = recorded(only, wall, {}, lambda header: Tape.create(path, header, wall))
            links = Links()
            async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
                running = tasks.create_task(adapter.run(links.hear))
                await links.become(LinkState.ONLINE)
                assert (await adapter.apply(control(1, 8e5))).outcome is Outcome.WRITTEN
                device.faults.refuse = True
                assert (await adapter.apply(control(2, 7e5))).outcome is Outcome.REJECTED
                device.faults.refuse = False
                device.faults.drop_link = True
                await links.become(LinkState.LOST)
                device.faults.drop_link = False
                await links.become(LinkState.ONLINE)
                assert (await adapter.apply(Release("A-c3", "A", 3, {}))).outcome is Outcome.WRITTEN
                await asyncio.sleep(0.3)
                running.cancel()

    asyncio.run(session())
    return path


def test_the_file_says_what_was_recorded_and_holds_everything(taped):
    recording = read(taped)
    assert (recording.header.zone, recording.header.protocol) == ("R1", "modbus")
    assert list(recording.header.devices) == ["A"]
    kinds = {line.kind for line in recording.lines}
    assert kinds == {Kind.READ, Kind.WRITE, Kind.FAULT, Kind.APPLY, Kind.ACK, Kind.SIGNAL, Kind.END}
    assert [line.what["what"] for line in recording.of(Kind.FAULT)][:2] == ["connected", "lost"]
    times = [line.at_s for line in recording.lines]
    assert times == sorted(times)


def test_the_adapter_does_on_the_recording_what_it_did_then(taped):
    verdict = check(read(taped))
    assert verdict.differences == ()
    assert verdict.played[Kind.WRITE] == len(read(taped).of(Kind.WRITE))
    assert verdict.signals > 10


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda row: row | {"answer": [9999] * len(row["answer"])} if row["kind"] == "read" else row, "A"),
        (lambda row: row | {"asked": row["asked"] | {"values": [1]}} if row["kind"] == "write" else row, "wrote"),
        (lambda row: None if row["kind"] == "write" else row, "is not in the recording"),
    ],
    ids=["the device answered otherwise", "the adapter wrote otherwise", "the adapter did not write"],
)
def test_what_is_different_is_told(taped, tmp_path, change, told):
    head, *rows = taped.read_text().splitlines()
    changed = [change(row) if "answer" in row or row["kind"] == "write" else row for row in map(json.loads, rows)]
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join([head, *(json.dumps(row) for row in changed if row is not None)]))
    verdict = check(read(other))
    assert not verdict.holds
    assert any(told in difference for difference in verdict.differences)


def test_a_tape_has_a_greatest_size_and_says_so(tmp_path, taped):
    path = tmp_path / "small.jsonl"

    async def fill() -> Tape:
        tape = Tape.create(path, read(taped).header, wall, 5_000)
        for number in range(1_000):
            tape.note(Kind.EVENT, number=number)
        return tape

    tape = asyncio.run(fill())
    assert path.stat().st_size < 5_100
    *lines, end = read(path).lines
    assert len(lines) == tape.counts[Kind.EVENT] < 1_000
    assert end.what["why"] == "the recording has reached its greatest size"


def test_nothing_is_written_over(tmp_path, taped):
    async def again() -> None:
        Tape.create(taped, read(taped).header, wall)

    with pytest.raises(TapeError, match="exists; name another file"):
        asyncio.run(again())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("nonsense\n", ":1: no JSON"),
        ('{"tape": 7}\n', ":1: recordings of version 7 cannot be read, only of 1"),
        ("[]\n", ":1: no JSON object"),
    ],
)
def test_what_is_no_recording_is_refused(tmp_path, text, said):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(TapeError, match=said):
        read(path)


def test_a_line_that_was_cut_off_at_the_end_is_left_out_and_one_in_the_middle_is_not(tmp_path, taped):
    path = tmp_path / "cut.jsonl"
    text = taped.read_text()
    path.write_text(text[:-20])
    assert len(read(path).lines) == len(read(taped).lines) - 1
    head, first, rest = text.split("\n", 2)
    path.write_text(f"{head}\n{first[:-5]}\n{rest}")
    with pytest.raises(TapeError, match=":2: no JSON"):
        read(path)
