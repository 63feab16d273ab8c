"""Recorded Sparkplug B edge nodes as clients of a broker: born, telling and dying as then, in sessions of their own."""

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle

from gateway.tape.adapters import zone_of
from gateway.tape.broker import STEP_S, BrokerAt
from gateway.tape.sparkplug_script import COMMANDS, Answers, Reaction, Step, answers_of, reactions, script
from gateway.tape.stage import Cue, Stage
from gateway.tape.words import TapeError
from gateway.translate import mqtt
from protocols.mqtt.client import MqttClient, MqttError
from protocols.mqtt.sparkplug.edge import Command, EdgeNode
from protocols.mqtt.sparkplug.messages import Metric
from protocols.mqtt.sparkplug.settings import SparkplugSettings
from protocols.mqtt.sparkplug.topics import Message, MessageType, Source
from protocols.mqtt.sparkplug.values import DataType, PayloadError, Value
from protocols.port import Now

_NO_PASSWORDS: dict[str, str] = {}


class PlayedNodes:
    """The edge nodes that the recording is of, each on a connection of its own."""

    def __init__(self, stage: Stage, host: str, port: int, now: Now) -> None:
        """`host` and `port` are those of a broker that runs.

        Raises:
            TapeError: no birth of such a node was recorded.
        """
        (settings,) = mqtt.sparkplug_settings(zone_of(stage.recording.header), _NO_PASSWORDS)
        sources = [der.source for der in settings.ders] or sorted(settings.sources)
        self.where = f"sparkplug://{host}:{port}/{sources[0]}"
        """What `ampacity read` takes for the first device."""
        nodes = sorted({source.parent for source in settings.sources})
        scripts = {node: script(stage.recording, node) for node in nodes}
        born = [node for node, steps in scripts.items() if any(step.kind is MessageType.NBIRTH for step in steps)]
        if not born:
            raise TapeError(f"the recording has no birth of {', '.join(map(str, nodes))}")
        at = BrokerAt(host, port, "", "", settings.version)
        self._nodes = [PlayedNode(stage, node, scripts[node], settings, at=at, now=now) for node in born]

    async def run(self, connected: asyncio.Event) -> None:
        """Be there until cancelled; set `connected` once the broker has let everyone in.

        Raises:
            TapeError: the broker cannot be reached, or is gone.
        """
        there = [asyncio.Event() for _ in self._nodes]
        async with asyncio.TaskGroup() as tasks:
            for node, event in zip(self._nodes, there, strict=True):
                tasks.create_task(node.run(event))
            for event in there:
                await event.wait()
            connected.set()


@dataclass(slots=True)
class _Unit:
    """A device, or the node itself, beside what its session knows."""

    answers: Answers
    reactions: Iterator[Reaction]
    types: dict[str, DataType] = field(default_factory=dict)
    """Of its last birth."""
    recorded: dict[str, Value] = field(default_factory=dict)
    """What the recording has told so far, by name."""
    held: dict[str, Value] = field(default_factory=dict)
    """What commands have made of it, which the recording does not change."""
    until_s: float | None = None
    """When what was commanded ends by itself."""


class PlayedNode:
    """One edge node, which dies and is born again as in the recording."""

    def __init__(
        self, stage: Stage, node: Source, steps: Sequence[Step], settings: SparkplugSettings, *, at: BrokerAt, now: Now
    ) -> None:
        """`at` gets the node's own name and will."""
        self._at = replace(at, client_id=f"played-{node.group}-{node.node}")
        self._stage, self._now = stage, now
        self._recorded_s = stage.recording.header.start_s
        self._edge = EdgeNode(node.group, node.node, {})
        self._cue = Cue(stage, [step for step in steps if step.kind not in COMMANDS])
        self._due: deque[Step] = deque()
        self._answers: deque[tuple[float, Command, Reaction]] = deque()
        ders = {der.source: der for der in settings.ders}
        self._units: dict[str, _Unit] = {}
        for device in {step.device for step in steps}:
            answers = answers_of(ders.get(Source(node.group, node.node, device)))
            self._units[device] = _Unit(answers, cycle(reactions(steps, device, answers, settings.timeout_s)))
        self._client: MqttClient | None = None

    async def run(self, connected: asyncio.Event) -> None:
        """Live until cancelled; set `connected` once the broker has let us in.

        Raises:
            TapeError: the broker cannot be reached, or is gone.
        """
        while True:
            try:
                await self._live(connected)
            except MqttError as error:
                raise TapeError(f"{error}; start a broker there first") from error
            await self._until_birth()

    async def _live(self, connected: asyncio.Event) -> None:
        """One connection, until the node died in the recording."""
        will = self._edge.connect(self._now())
        client = MqttClient(replace(self._at, state_topic=will.topic), will.payload, self._hear, retain_will=False)
        try:
            await client.open()
            await client.subscribe([topic for topic, _ in self._edge.subscriptions])
            self._client = client
            connected.set()
            while self._lives_on():
                await client.idle(STEP_S)
        finally:
            self._client = None
            self._answers.clear()
            (death,) = self._edge.disconnect(self._now())
            client.close(death.payload)

    async def _until_birth(self) -> None:
        while not self._due or self._due[0].kind is not MessageType.NBIRTH:
            if self._due:
                self._due.popleft()
            else:
                await asyncio.sleep(STEP_S)
                self._due.extend(self._cue.due())

    def _lives_on(self) -> bool:
        """Say what is due; false once that is the node's death."""
        self._due.extend(self._cue.due())
        while self._due:
            step = self._due.popleft()
            if step.kind is MessageType.NDEATH:
                return False
            self._publish(self._played(step))
        for device, unit in self._units.items():
            if unit.until_s is not None and self._now() >= unit.until_s:
                self._let_go(device, unit)
        while self._answers and self._answers[0][0] <= self._stage.passed_s:
            _, command, reaction = self._answers.popleft()
            self._answer(command, self._units[command.device], reaction)
        return True

    def _played(self, step: Step) -> list[Message]:
        now_s, unit = self._now(), self._units[step.device]
        later_ms = round((now_s - self._recorded_s - step.at_s) * 1000)
        metrics = [(name, _later(metric, later_ms)) for name, metric in step.metrics]
        match step.kind:
            case MessageType.NBIRTH | MessageType.DBIRTH:
                unit.recorded = dict(step.values)
                unit.types = {name: DataType(metric.datatype or 0) for name, metric in step.metrics}
                self._edge.declare(step.device, [metric for _, metric in metrics])
                self._keep(step.device, unit, now_s)
                if step.device:
                    return self._edge.device_found(step.device, now_s)
                return self._edge.connected(now_s)  # a birth anew where it was alive until now
            case MessageType.DDEATH:
                return self._edge.device_lost(step.device, now_s)
        unit.recorded |= step.values
        told = [metric for name, metric in metrics if name not in unit.held or metric.is_historical]
        return self._edge.relay(step.device, told, now_s)

    def _keep(self, device: str, unit: _Unit, now_s: float) -> None:
        """Let the birth that is due tell what commands have made of the device."""
        unit.held = {name: value for name, value in unit.held.items() if name in unit.types}
        try:
            self._edge.update(device, unit.held, now_s)
        except PayloadError:
            unit.held.clear()  # the recording gives a metric another datatype than before

    def _hear(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as MQTT has it
        if retained:
            return  # no command is: it would be obeyed again and again
        heard = self._edge.receive(topic, payload, self._now())
        self._publish(heard.messages)
        for command in heard.commands:
            reaction = next(self._units[command.device].reactions)
            self._answers.append((self._stage.passed_s + reaction.after_s, command, reaction))

    def _answer(self, command: Command, unit: _Unit, reaction: Reaction) -> None:
        asked, names = command.values, unit.answers
        told = {n: v for n, v in asked.items() if reaction.repeats is None or n in reaction.repeats}
        told.update(reaction.otherwise)
        told.update(reaction.answer)
        if reaction.answer:
            told |= {names.control_id: asked.get(names.asked_id), names.version: asked.get(names.asked_version)}
        told = {name: value for name, value in told.items() if name in unit.types}
        if names.valid_until in told:
            unit.until_s = _seconds(told[names.valid_until], unit)
        unit.held |= told
        self._publish(self._edge.update(command.device, told, self._now(), every=True))

    def _let_go(self, device: str, unit: _Unit) -> None:
        """The lease has run out: what the recording says holds again."""
        before = {name: unit.recorded[name] for name in unit.held if name in unit.recorded}
        unit.held.clear()
        unit.until_s = None
        self._publish(self._edge.update(device, before, self._now()))

    def _publish(self, messages: Sequence[Message]) -> None:
        if self._client is not None:
            for message in messages:
                self._client.send(message.topic, message.payload, qos=message.qos, retain=message.retain)


def _later(metric: Metric, by_ms: int) -> Metric:
    """With its time moved from the recording to the present."""
    return metric if metric.timestamp is None else replace(metric, timestamp=max(metric.timestamp + by_ms, 0))


def _seconds(value: Value, unit: _Unit) -> float | None:
    """When a lease ends; `None` where it does not."""
    if not isinstance(value, int | float):
        return None
    is_time = unit.types[unit.answers.valid_until] is DataType.DATE_TIME
    return value * unit.answers.valid_scale / (1000 if is_time else 1)
