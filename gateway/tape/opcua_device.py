"""A recorded OPC UA session as a server: its nodes with what they told at that time, and what it refused."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import quote

from gateway.tape.opcua import reading_of
from gateway.tape.stage import Cue, Stage
from gateway.tape.words import Kind, Line, TapeError
from protocols.opcua import model
from protocols.opcua.errors import OpcUaError
from protocols.opcua.standin import TEXT, TYPES, Likeness, StandIn
from protocols.opcua.values import UNKNOWN_NODE, Reading
from protocols.port import Now
from protocols.signals import Quality

STEP_S: Final = 0.02
GOOD: Final = "Good"
_OPERATED: Final = frozenset({*model.CONTROL, model.WATCHDOG})
_PASSING: Final = frozenset({model.VERSION, model.VALID_UNTIL, model.WATCHDOG})
"""Variables that take a new value with every write: that one of them was refused tells nothing of the value."""


class PlayedServer:
    """What one server told and took."""

    def __init__(self, stage: Stage, host: str, port: int, now: Now) -> None:
        """`port` 0 takes a free one.

        Raises:
            TapeError: nothing was read in the recording.
        """
        self._stage = stage
        lines = stage.recording.of(Kind.READ, Kind.WRITE, Kind.EVENT)
        self._cue = Cue(stage, lines)
        self.placed_from_s = now() - stage.ran_s
        """Unix seconds UTC to which the recording's beginning is moved."""
        self._answers = _answers(lines)
        self._silences = [*map(_silence, (line for line in lines if line.what.get("fault") == "no_answer"))]
        self.is_silent = False
        """Whether no answer came at this time of the recording."""
        self._written: set[str] = set()
        try:
            told = [pair for line in lines for pair in _told(line)]
            self._first = {node: reading for node, reading in reversed(told) if reading.status != UNKNOWN_NODE.status}
            self.folders = _folders(lines)
            self._passing = self._called(_PASSING)
            likeness = Likeness(self.folders, _types(self._first, told), self._called(_OPERATED) | self._answers.keys())
            self._server = StandIn(host, port, likeness, now, self._judge)
        except OpcUaError as error:
            raise TapeError(str(error)) from error
        if not self._first:
            raise TapeError("nothing was ever read in this recording; there is no server to play")

    @property
    def url(self) -> str:
        """Where it listens, for people and for our tools."""
        nodes = [f"?node={quote(folder, safe='=;:/')}" for folder in self.folders]
        return self._server.url + "".join(nodes[:1])

    async def run(self, listening: asyncio.Event) -> None:
        """Answer until cancelled; set `listening` once clients can connect."""
        await self._server.prepare()
        for node, reading in self._first.items():
            await self._server.show(node, self._placed(reading, 0.0))
        await self._server.start()
        listening.set()
        try:
            while True:
                await self._catch_up()
                at_s = self._stage.at_s
                self.is_silent = any(began_s <= at_s < ended_s for began_s, ended_s in self._silences)
                await self._server.reach(is_up=not self._stage.is_lost, is_silent=self.is_silent)
                await asyncio.sleep(STEP_S)
        finally:
            await self._server.stop()

    async def _catch_up(self) -> None:
        """Tell what was told until now, but for what somebody has written since."""
        for line in self._cue.due():
            for node, reading in _told(line):
                if node not in self._written:
                    await self._server.show(node, self._placed(reading, line.at_s))
            for node, value in _taken(line):
                if node not in self._written:
                    at_s = self._stage.recording.header.start_s + line.at_s
                    await self._server.show(
                        node, self._placed(Reading(value, Quality.GOOD, GOOD, at_s, None), line.at_s)
                    )

    def _placed(self, reading: Reading, told_at_s: float) -> Reading:
        """With a source time as long before or after now as it was then."""
        if not reading.source_time_s:
            return reading
        at_s = reading.source_time_s - self._stage.recording.header.start_s
        return replace(reading, source_time_s=self.placed_from_s + self._stage.placed_s(at_s, told_at_s))

    def _called(self, wanted: frozenset[str]) -> frozenset[str]:
        """Variables with these names, in whatever folder."""
        return frozenset(node for names in self.folders.values() for name, node in names.items() if name in wanted)

    def _judge(self, node: str, value: float) -> str:
        """As the same value was answered, else as any was; what was taken even once is taken."""
        answers = self._answers.get(node, {})
        exactly = [] if node in self._passing else answers.get(value, [])
        codes = exactly or [code for found in answers.values() for code in found]
        code = GOOD if GOOD in codes or not codes else codes[-1]
        if code == GOOD:
            self._written.add(node)
        return code


def _told(line: Line) -> Iterator[tuple[str, Reading]]:
    """What a line says of the nodes."""
    match line.what:
        case {"asked": {"nodes": list(nodes)}, "answer": list(answer)} if line.kind is Kind.READ:
            yield from ((str(node), reading_of(one)) for node, one in zip(nodes, answer, strict=False))
        case {"batch": list(batch)} if line.kind is Kind.EVENT:
            yield from ((str(node), reading_of(one)) for node, one in batch)


def _silence(line: Line) -> tuple[float, float]:
    """From when to when a question waited for the answer that did not come."""
    took_s = line.what.get("took")
    return line.at_s - (took_s if isinstance(took_s, float) else 0.0), line.at_s


def _writes(line: Line) -> Iterator[tuple[str, float, str]]:
    """NodeIds, values and StatusCodes of a write that was answered."""
    match line.what:
        case {"asked": {"nodes": list(nodes), "values": list(values)}, "answer": dict(codes)}:
            yield from ((str(n), float(v), str(codes.get(n))) for n, v in zip(nodes, values, strict=False))


def _taken(line: Line) -> Iterator[tuple[str, float]]:
    yield from ((node, value) for node, value, code in _writes(line) if code == GOOD)


def _answers(lines: Sequence[Line]) -> dict[str, dict[float, list[str]]]:
    """StatusCodes by node and value, in order."""
    found: dict[str, dict[float, list[str]]] = defaultdict(lambda: defaultdict(list))
    for line in lines:
        for node, value, code in _writes(line):
            found[node][value].append(code)
    return found


def _folders(lines: Sequence[Line]) -> dict[str, dict[str, str]]:
    """NodeIds of variables by name, by folder, as they were last found."""
    found: dict[str, dict[str, str]] = {}
    for line in lines:
        match line.what:
            case {"asked": {"variables": str(folder)}, "answer": dict(names)} if names:
                found[folder] = {str(name): str(node) for name, node in names.items()}
    return found


def _types(nodes: Mapping[str, Reading], told: Sequence[tuple[str, Reading]]) -> dict[str, str]:
    """Of every node, the first that its readings name; what is no number is played as the text that was kept of it."""
    found = dict.fromkeys(nodes, "")
    for node, reading in told:
        if not found.get(node, TEXT):
            text = TEXT if reading.text else ""
            found[node] = text if reading.kind is None else reading.type or TYPES[reading.kind]
    return found
