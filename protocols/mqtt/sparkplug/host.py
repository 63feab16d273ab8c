"""A host application's session without I/O: who is alive, in which order it spoke, and what it said."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from protocols.mqtt.sparkplug.messages import Metric, Payload
from protocols.mqtt.sparkplug.topics import (
    BD_SEQ,
    NAMESPACE,
    REBIRTH,
    Message,
    MessageType,
    Source,
    parsed,
    read_state,
    state_message,
    state_topic,
)
from protocols.mqtt.sparkplug.values import (
    DataType,
    PayloadError,
    Value,
    metric_of,
    quality_of,
    read_payload,
    value_of,
    write_payload,
)

MODULUS = 256
MAX_METRICS = 5_000
"""Most metrics of one node or device, and most devices of a node that are remembered."""
MAX_WAITING = 64
"""Most messages of one node that wait for one that is missing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One value, as it was told."""

    name: str
    value: Value
    """`None` where the metric is null."""
    timestamp_ms: int | None
    quality: int
    is_historical: bool = False


@dataclass(frozen=True, slots=True)
class Born:
    """A birth: everything that the source will ever tell, with its present values."""

    source: Source
    types: Mapping[str, DataType]
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Data of a source that is alive."""

    source: Source
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Died:
    """A source is offline, and every value of it stale."""

    source: Source
    detail: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A message that breaks the specification; what it should have told is not known."""

    source: Source
    detail: str


Event = Born | Told | Died | Refused


@dataclass(slots=True)
class _Alive:
    """What a birth has declared."""

    types: dict[str, DataType]
    readings: dict[str, Reading]


@dataclass(slots=True)
class _Node:
    """One edge node."""

    source: Source
    bd_seq: int | None = None
    next_seq: int = 0
    alive: dict[str, _Alive] = field(default_factory=dict)
    """By device; the node itself under the empty name. Empty: offline."""
    names: dict[int, tuple[str, str]] = field(default_factory=dict)
    """Device and name by alias, which is unique across the node."""
    waiting: dict[int, tuple[MessageType, Source, Payload]] = field(default_factory=dict)
    waits_until_s: float | None = None
    asked_at_s: float | None = None


class HostSession:
    """The caller connects with `connect()` as its will, subscribes, and publishes what `take()` gives, in order."""

    def __init__(
        self, host: str, nodes: Collection[Source], *, reorder_s: float = 2.0, rebirth_every_s: float = 5.0
    ) -> None:
        """`reorder_s` is how long a missing message is waited for; `rebirth_every_s` paces what one node is asked."""
        self.host = host
        self._nodes = {source.parent: _Node(source.parent) for source in nodes}
        self._reorder_s, self._rebirth_every_s = reorder_s, rebirth_every_s
        self._outbox: list[Message] = []
        self._connected_ms = 0

    @property
    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """Topics and their QoS, to subscribe to before the STATE message is published."""
        groups = sorted({source.group for source in self._nodes})
        return ((state_topic(self.host), 1), *((f"{NAMESPACE}/{group}/#", 1) for group in groups))

    def connect(self, now_s: float) -> Message:
        """The will of a new connection; the birth will bear the same timestamp."""
        self._connected_ms = round(now_s * 1000)
        self._outbox.clear()
        for node in self._nodes.values():
            node.asked_at_s = None
        return state_message(self.host, online=False, timestamp_ms=self._connected_ms)

    def connected(self, now_s: float) -> None:
        """Subscriptions are in place: say that we are here, and ask everyone who was here before for a birth."""
        self._outbox.append(self._birth())
        for node in self._nodes.values():
            self._ask_rebirth(node, now_s)

    def disconnect(self, now_s: float) -> Message:
        """What to publish before leaving by one's own will."""
        return state_message(self.host, online=False, timestamp_ms=round(now_s * 1000))

    def lost(self) -> list[Event]:
        """The connection is gone: nobody is known to be alive."""
        return [event for node in self._nodes.values() for event in _bury(node, "the connection to the server is lost")]

    def take(self) -> list[Message]:
        """What is to be published now."""
        taken, self._outbox = self._outbox, []
        return taken

    def reading(self, source: Source, name: str) -> Reading | None:
        """The last value of a metric; `None` where its source is offline or never declared it."""
        alive = self._alive(source)
        return None if alive is None else alive.readings.get(name)

    def type_of(self, source: Source, name: str) -> DataType | None:
        """The datatype that the birth gave a metric; `None` where its source is offline or never declared it."""
        alive = self._alive(source)
        return None if alive is None else alive.types.get(name)

    def readings(self, source: Source) -> tuple[Reading, ...]:
        """The last value of every metric."""
        alive = self._alive(source)
        return () if alive is None else tuple(alive.readings.values())

    def command(self, source: Source, values: Mapping[str, Value], now_s: float) -> Message:
        """The message that writes metrics, by alias where the birth gave one.

        Raises:
            PayloadError: The source is offline, has no such metric, or of another datatype.
        """
        alive = self._alive(source)
        if alive is None:
            raise PayloadError(f"{source} is offline")
        aliases = {known: alias for alias, known in self._nodes[source.parent].names.items()}
        metrics, now_ms = [], round(now_s * 1000)
        for name, value in values.items():
            if name not in alive.types:
                raise PayloadError(f"{source} has no metric {name!r}")
            alias = aliases.get((source.device, name))
            written = name if alias is None else None
            metrics.append(
                metric_of(written, alive.types[name], value, alias=alias, timestamp_ms=now_ms, is_typed=False)
            )
        kind = MessageType.DCMD if source.device else MessageType.NCMD
        return Message(source.topic(kind), write_payload(Payload(now_ms, tuple(metrics))))

    def receive(self, topic: str, payload: bytes, now_s: float, *, retained: bool = False) -> list[Event]:
        """What follows from a message; nothing from one that is retained, of a stranger or no Sparkplug."""
        if topic == state_topic(self.host):
            state = read_state(payload)
            if state is not None and not state.online:
                self._outbox.append(self._birth())
            return []
        found = parsed(topic)
        node = None if found is None else self._nodes.get(found[1].parent)
        if found is None or node is None or retained or found[0] in (MessageType.NCMD, MessageType.DCMD):
            return []
        kind, source = found
        try:
            read = read_payload(payload)
            if kind is MessageType.NDEATH:
                return [*self._on_node_death(node, read)]
            if kind is MessageType.NBIRTH:
                return self._on_node_birth(node, read, now_s)
            return self._in_order(node, kind, source, read, now_s)
        except PayloadError as error:
            self._ask_rebirth(node, now_s)
            return [Refused(source, f"{topic}: {error}")]

    def tick(self, now_s: float) -> list[Event]:
        """Give up waiting for messages that are overdue."""
        events: list[Event] = []
        for node in self._nodes.values():
            if node.waits_until_s is not None and now_s >= node.waits_until_s:
                detail = f"message {node.next_seq} of {node.source} did not come within {self._reorder_s:g} s"
                node.waiting.clear()
                node.waits_until_s = None
                self._ask_rebirth(node, now_s)
                events.append(Refused(node.source, detail))
        return events

    def _alive(self, source: Source) -> _Alive | None:
        node = self._nodes.get(source.parent)
        return None if node is None else node.alive.get(source.device)

    def _birth(self) -> Message:
        return state_message(self.host, online=True, timestamp_ms=self._connected_ms)

    def _ask_rebirth(self, node: _Node, now_s: float) -> None:
        if node.asked_at_s is not None and now_s - node.asked_at_s < self._rebirth_every_s:
            return
        node.asked_at_s = now_s
        metric = metric_of(REBIRTH, DataType.BOOLEAN, value=True, timestamp_ms=round(now_s * 1000))
        payload = write_payload(Payload(round(now_s * 1000), (metric,)))
        self._outbox.append(Message(node.source.topic(MessageType.NCMD), payload))

    def _on_node_birth(self, node: _Node, payload: Payload, now_s: float) -> list[Event]:
        seq, bd_seq = _sequence(payload), _bd_seq(payload)
        events: list[Event] = [e for e in _bury(node, "a new birth of its node") if e.source.device]
        node.bd_seq, node.next_seq = bd_seq, seq
        return events + self._apply(node, MessageType.NBIRTH, node.source, payload, now_s)

    def _on_node_death(self, node: _Node, payload: Payload) -> list[Died]:
        """A death that belongs to an older birth came late, and means nothing."""
        if not node.alive or _bd_seq(payload) != node.bd_seq:
            return []
        return _bury(node, f"{node.source} is offline by its death certificate")

    def _in_order(self, node: _Node, kind: MessageType, source: Source, payload: Payload, now_s: float) -> list[Event]:
        seq = _sequence(payload)
        if not node.alive:
            self._ask_rebirth(node, now_s)
            return []
        if seq != node.next_seq:
            if len(node.waiting) >= MAX_WAITING:
                raise PayloadError(f"{MAX_WAITING} messages wait for message {node.next_seq}")
            node.waiting[seq] = kind, source, payload
            if node.waits_until_s is None:
                node.waits_until_s = now_s + self._reorder_s
            return []
        events = self._apply(node, kind, source, payload, now_s)
        while (waiting := node.waiting.pop(node.next_seq, None)) is not None:
            events += self._apply(node, *waiting, now_s)
        if not node.waiting:
            node.waits_until_s = None
        return events

    def _apply(self, node: _Node, kind: MessageType, source: Source, payload: Payload, now_s: float) -> list[Event]:
        """One message whose turn it is; a broken one takes nothing from those that waited behind it."""
        node.next_seq = (node.next_seq + 1) % MODULUS
        try:
            match kind:
                case MessageType.NBIRTH | MessageType.DBIRTH:
                    return [_declare(node, source, payload)]
                case MessageType.DDEATH:
                    was = node.alive.pop(source.device, None)
                    return [] if was is None else [Died(source, f"{source} is offline")]
            return [_tell(node, source, payload)]
        except PayloadError as error:
            self._ask_rebirth(node, now_s)
            return [Refused(source, f"{kind.value} of {source}: {error}")]


def _tell(node: _Node, source: Source, payload: Payload) -> Told:
    alive = node.alive.get(source.device)
    if alive is None:
        raise PayloadError("data before its birth")
    readings = tuple(_reading(node, source, alive, metric) for metric in payload.metrics)
    alive.readings.update({r.name: r for r in readings if not r.is_historical})
    return Told(source, readings)


def _declare(node: _Node, source: Source, payload: Payload) -> Born:
    if len(payload.metrics) > MAX_METRICS or len(node.alive) > MAX_METRICS:
        raise PayloadError(f"more than {MAX_METRICS} metrics or devices")
    types: dict[str, DataType] = {}
    names: dict[int, tuple[str, str]] = {}
    readings: dict[str, Reading] = {}
    for metric in payload.metrics:
        if metric.name is None or metric.datatype is None:
            raise PayloadError("a metric of a birth has no name or no datatype")
        datatype = DataType(metric.datatype)
        types[metric.name] = datatype
        readings[metric.name] = _as_reading(metric.name, metric, datatype)
        if metric.alias is not None:
            if metric.alias in names or node.names.get(metric.alias, (source.device, ""))[0] != source.device:
                raise PayloadError(f"alias {metric.alias} is given twice")
            names[metric.alias] = source.device, metric.name
    node.names = {alias: known for alias, known in node.names.items() if known[0] != source.device} | names
    node.alive[source.device] = _Alive(types, readings)
    return Born(source, types, tuple(readings.values()))


def _reading(node: _Node, source: Source, alive: _Alive, metric: Metric) -> Reading:
    device, name = source.device, metric.name
    if name is None:
        device, name = node.names.get(metric.alias or 0, ("", None))
    if name is None or name not in alive.types or device != source.device:
        raise PayloadError(f"{source} never declared {name if name is not None else metric.alias!r}")
    return _as_reading(name, metric, alive.types[name])


def _as_reading(name: str, metric: Metric, datatype: DataType) -> Reading:
    value = value_of(metric, datatype)
    return Reading(name, value, metric.timestamp, quality_of(metric), bool(metric.is_historical))


def _bury(node: _Node, detail: str) -> list[Died]:
    events = [Died(Source(node.source.group, node.source.node, device), detail) for device in node.alive]
    node.alive.clear()
    node.names.clear()
    node.waiting.clear()
    node.waits_until_s = None
    return events


def _sequence(payload: Payload) -> int:
    if payload.seq is None or payload.seq >= MODULUS:
        raise PayloadError(f"the sequence number is {payload.seq}, not one from 0 to 255")
    return payload.seq


def _bd_seq(payload: Payload) -> int:
    for metric in payload.metrics:
        if metric.name == BD_SEQ and metric.long_value is not None:
            return metric.long_value
    raise PayloadError("there is no bdSeq")
