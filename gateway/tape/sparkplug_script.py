"""What one edge node said in a recording, and how it answered commands: the script by which it is played."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from math import isclose
from typing import Final

from gateway.tape.deck import LOST
from gateway.tape.mqtt import payload_of
from gateway.tape.words import Kind, Line, Recording
from protocols.mqtt import topics
from protocols.mqtt.sparkplug import terms
from protocols.mqtt.sparkplug.messages import Metric, Payload
from protocols.mqtt.sparkplug.settings import SparkplugDer
from protocols.mqtt.sparkplug.topics import BD_SEQ, REBIRTH, MessageType, Source, parsed
from protocols.mqtt.sparkplug.values import DataType, PayloadError, Value, read_payload, value_of

BIRTHS: Final = (MessageType.NBIRTH, MessageType.DBIRTH)
DEATHS: Final = (MessageType.NDEATH, MessageType.DDEATH)
COMMANDS: Final = (MessageType.NCMD, MessageType.DCMD)


@dataclass(frozen=True, slots=True)
class Step:
    """One message of the node or to it."""

    at_s: float
    kind: MessageType
    device: str
    """Empty: the node itself."""
    metrics: tuple[tuple[str, Metric], ...] = ()
    """As they were told, each with the name that the birth gave it; historical ones may come several times."""
    values: Mapping[str, Value] = field(default_factory=dict)
    """Of those that are not historical."""


@dataclass(frozen=True, slots=True)
class Answers:
    """A device's own names of the metrics by which it answers."""

    control_id: str
    version: str
    status: str
    detail: str
    asked_id: str
    asked_version: str
    valid_until: str
    valid_scale: float
    """Makes seconds of a number, or milliseconds of a date."""

    @property
    def given(self) -> frozenset[str]:
        """Metrics that are told in answer only."""
        return frozenset((self.control_id, self.version, self.status, self.detail))


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a device did with one command."""

    after_s: float = 0.0
    repeats: frozenset[str] | None = None
    """Names that it then told with the value that was asked; `None`: whatever is asked."""
    otherwise: Mapping[str, Value] = field(default_factory=dict)
    """What it told instead of what was asked."""
    answer: Mapping[str, Value] = field(default_factory=dict)
    """What it said of the command besides, but for the command's own id and version."""


def script(recording: Recording, node: Source) -> tuple[Step, ...]:
    """The births, data and deaths of a node and the commands to it, in order.

    Left out is what a host makes nothing of: retained and broken messages, data before its birth, deaths of older
    connections. A host that lost its link has lost the node too.
    """
    reader = _Reader(node)
    steps = tuple(step for line in recording.of(Kind.EVENT, Kind.FAULT) for step in reader.read(line))
    if any(step.kind in COMMANDS for step in steps):
        return steps
    reader = _Reader(node)  # a broker that does not repeat commands to who gave them: they are known as sent
    lines = recording.of(Kind.EVENT, Kind.FAULT, Kind.SENT)
    return tuple(step for line in lines for step in reader.read(line))


def answers_of(der: SparkplugDer | None) -> Answers:
    """The names that the zone file gives a device, else ours."""
    names: Mapping[str, str] = {} if der is None else der.names
    scales: Mapping[str, float] = {} if der is None else der.scales
    until = terms.control_name(terms.VALID_UNTIL)
    version = terms.control_name(topics.VERSION)
    return Answers(
        control_id=names.get(terms.ANSWER_ID, terms.ANSWER_ID),
        version=names.get(terms.ANSWER_VERSION, terms.ANSWER_VERSION),
        status=names.get(terms.ANSWER_STATUS, terms.ANSWER_STATUS),
        detail=names.get(terms.ANSWER_DETAIL, terms.ANSWER_DETAIL),
        asked_id=names.get(terms.CONTROL_ID, terms.CONTROL_ID),
        asked_version=names.get(version, version),
        valid_until=names.get(until, until),
        valid_scale=scales.get(until, 1.0),
    )


def reactions(steps: Sequence[Step], device: str, answers: Answers, within_s: float) -> tuple[Reaction, ...]:
    """What a device did with each command of the recording within a time; that it obeys where there was none."""
    found: list[Reaction] = []
    state: dict[str, Value] = {}
    for place, step in enumerate(steps):
        if step.device != device:
            continue
        if step.kind in COMMANDS:
            later = islice(steps, place + 1, None)
            said = list(_said_by(device, later, until_s=step.at_s + within_s))
            found.append(_reaction(step, state, said, answers))
        else:
            state.update(step.values)
    return tuple(found) or (Reaction(answer={answers.status: topics.AckStatus.STARTED.value, answers.detail: ""}),)


def _said_by(device: str, steps: Iterator[Step], *, until_s: float) -> Iterator[Step]:
    """What a device said in time, and before it died or got another command."""
    for step in takewhile(lambda step: step.at_s <= until_s, steps):
        if step.kind is MessageType.NDEATH or (step.device == device and step.kind in (*DEATHS, *COMMANDS)):
            return
        if step.device == device:
            yield step


def _reaction(command: Step, before: Mapping[str, Value], said: Sequence[Step], answers: Answers) -> Reaction:
    after = dict(before)
    asked, answered, repeats = command.values, set[str](), set[str]()
    at_s: float | None = None
    for step in said:
        watched = {name: v for name, v in step.values.items() if name in asked or name in answers.given}
        changed = any(not _same(value, after.get(name)) for name, value in watched.items())
        at_s = step.at_s if at_s is None and changed else at_s
        if step.kind not in BIRTHS:
            answered |= answers.given & set(watched)
        repeats |= {name for name, value in watched.items() if name in asked and _same(value, asked[name])}
        after |= watched
    repeats |= {name for name, value in asked.items() if name in after and _same(after[name], value)}
    other = {n: after[n] for n in asked if n in after and n not in repeats and not _same(after[n], before.get(n))}
    told = {name: after[name] for name in (answers.status, answers.detail) if name in after} if answered else {}
    return Reaction((at_s or command.at_s) - command.at_s, frozenset(repeats), other, told)


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return isclose(one, other, rel_tol=1e-6)
    return one == other


class _Reader:
    """Makes steps of lines, with what the births before have declared."""

    def __init__(self, node: Source) -> None:
        self._node = node
        self._bd_seq: Value = None
        self._types: dict[str, dict[str, DataType]] = {}
        """By device that is alive, the node itself under the empty name."""
        self._names: dict[int, tuple[str, str]] = {}

    def read(self, line: Line) -> Iterator[Step]:
        """The step that a line is, if it is one."""
        if line.what.get("what") == LOST and line.kind is Kind.FAULT:
            yield from self._died(line.at_s)
        sent = line.what.get("values")
        message = sent if line.kind is Kind.SENT and isinstance(sent, Mapping) else line.what
        found = parsed(str(message.get("topic")))
        if found is None or found[1].parent != self._node or message.get("retained") or message.get("retain"):
            return
        kind, source = found
        if line.kind is Kind.SENT and kind not in COMMANDS:
            return
        try:
            payload = read_payload(payload_of(message.get("values" if line.kind is Kind.SENT else "payload")))
            yield from self._step(line.at_s, kind, source.device, payload)
        except PayloadError:
            return  # it was nonsense then

    def _step(self, at_s: float, kind: MessageType, device: str, payload: Payload) -> Iterator[Step]:
        if kind is MessageType.NDEATH:
            if _bd_seq(payload) == self._bd_seq:
                yield from self._died(at_s)
        elif kind is MessageType.DDEATH:
            if self._types.pop(device, None) is not None:
                yield Step(at_s, kind, device)
        elif kind is MessageType.NBIRTH or "" in self._types:
            if kind in BIRTHS:
                self._declare(kind, device, payload)
            if device in self._types:
                step = self._of(at_s, kind, device, payload)
                if step.metrics or kind in BIRTHS:
                    yield step

    def _died(self, at_s: float) -> Iterator[Step]:
        if self._types:
            self._types.clear()
            self._names.clear()
            yield Step(at_s, MessageType.NDEATH, "")

    def _declare(self, kind: MessageType, device: str, payload: Payload) -> None:
        types: dict[str, DataType] = {}
        for metric in payload.metrics:
            if metric.name is None or metric.datatype is None:
                raise PayloadError("a metric of a birth has no name or no datatype")
            types[metric.name] = DataType(metric.datatype)
        if kind is MessageType.NBIRTH:
            self._bd_seq = _bd_seq(payload)
            self._types.clear()
            self._names.clear()
        self._names = {alias: known for alias, known in self._names.items() if known[0] != device}
        self._names |= {m.alias: (device, m.name) for m in payload.metrics if m.alias is not None and m.name}
        self._types[device] = types

    def _of(self, at_s: float, kind: MessageType, device: str, payload: Payload) -> Step:
        types = self._types[device]
        metrics: list[tuple[str, Metric]] = []
        values: dict[str, Value] = {}
        for metric in payload.metrics:
            of, name = (device, metric.name) if metric.name else self._names.get(metric.alias or 0, ("", ""))
            if of != device or name not in types:
                raise PayloadError(f"{name or metric.alias!r} was never declared")
            if kind not in BIRTHS and not device and name in (BD_SEQ, REBIRTH):
                continue  # of that session, not of the one that is played
            metrics.append((name, metric))
            if not metric.is_historical:
                values[name] = value_of(metric, types[name])
        return Step(at_s, kind, device, tuple(metrics), values)


def _bd_seq(payload: Payload) -> Value:
    for metric in payload.metrics:
        if metric.name == BD_SEQ:
            return value_of(metric, DataType.INT64)
    raise PayloadError("there is no bdSeq")
