"""An edge node's session without I/O: births, deaths, data by exception, commands and the primary host."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from protocols.mqtt.sparkplug.messages import Metric, Payload, PropertySet
from protocols.mqtt.sparkplug.topics import (
    BD_SEQ,
    REBIRTH,
    Message,
    MessageType,
    Source,
    parsed,
    read_state,
    state_topic,
)
from protocols.mqtt.sparkplug.values import (
    GOOD,
    QUALITY,
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
"""Both `seq` and `bdSeq` return to 0 after 255."""
_HELD = attrgetter("is_null", *(name for name in Metric.__slots__ if name.endswith("_value")))
"""What a metric holds, whatever its datatype."""


@dataclass(frozen=True, slots=True)
class Command:
    """What a host wrote to a device, or to the node where `device` is empty."""

    device: str
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Heard:
    """What follows from a message: what to publish, what was written, and whether to leave this server."""

    messages: tuple[Message, ...] = ()
    commands: tuple[Command, ...] = ()
    leave: bool = False
    refused: str = ""
    """Why a message was not obeyed."""


@dataclass(slots=True)
class _Unit:
    """The node itself or one of its devices."""

    source: Source
    types: Mapping[str, DataType]
    aliases: Mapping[str, int]
    values: dict[str, Metric] = field(default_factory=dict)
    """By name, as the next birth will tell them."""
    is_there: bool = True
    types_data: bool = False
    """What it relays has datatypes, so that its hosts may need them."""


class EdgeNode:
    """The caller connects with `connect()` as its will, subscribes, and publishes whatever it is given, in order."""

    def __init__(
        self,
        group: str,
        node: str,
        metrics: Mapping[str, Mapping[str, DataType]],
        *,
        primary_host: str = "",
        with_aliases: bool = True,
    ) -> None:
        """`metrics` are the datatypes by device and name; those of the node itself stand under the empty name."""
        self.node = Source(group, node)
        self._primary_host = primary_host
        self._with_aliases = with_aliases
        self._units: dict[str, _Unit] = {}
        alias = 0
        for device in ("", *sorted(set(metrics) - {""})):
            types = dict(metrics.get(device, {}))
            aliases = {name: alias + at for at, name in enumerate(types, 1)} if with_aliases else {}
            alias += len(types)
            self._units[device] = _Unit(Source(group, node, device), types, aliases)
        self._bd_seq = -1
        self._seq = 0
        self._host_ms = -1
        self.is_born = False

    @property
    def subscriptions(self) -> tuple[tuple[str, int], ...]:
        """Topics and their QoS, to subscribe to before anything is published."""
        base = self.node.topic(MessageType.NCMD), self.node.topic(MessageType.NCMD).replace("/NCMD/", "/DCMD/") + "/+"
        own = tuple((topic, 1) for topic in base)
        return (*own, (state_topic(self._primary_host), 1)) if self._primary_host else own

    def connect(self, now_s: float) -> Message:
        """The will of a new connection, which a new `bdSeq` tells from those before."""
        self._bd_seq = (self._bd_seq + 1) % MODULUS
        self.is_born, self._host_ms = False, -1
        return self._death(now_s)

    def connected(self, now_s: float) -> list[Message]:
        """The births; none yet where the primary host has to be online first."""
        return [] if self._primary_host else self._births(now_s)

    def lost(self) -> None:
        """The connection is gone."""
        self.is_born = False

    def disconnect(self, now_s: float) -> list[Message]:
        """What to publish before leaving by one's own will."""
        self.is_born = False
        return [self._death(now_s)]

    def update(
        self, device: str, values: Mapping[str, Value], now_s: float, *, quality: int = GOOD, every: bool = False
    ) -> list[Message]:
        """Take new values; those that changed, or `every` one, are told where a birth has gone before.

        Raises:
            PayloadError: A name is not declared, or a value none of its datatype.
        """
        unit, now_ms = self._units[device], _ms(now_s)
        told = []
        for name, value in values.items():
            if name not in unit.types:
                raise PayloadError(f"{unit.source}: metric {name!r} is not declared")
            old = unit.values.get(name)
            metric = self._metric(unit, name, value, now_ms, quality)
            unit.values[name] = metric if old is None else _described(metric, old)
            if every or old is None or _said(old) != _said(metric):
                told.append(_in_data(metric, is_typed=unit.types_data))
        return self._data(unit, told, now_s)

    def declare(self, device: str, metrics: Sequence[Metric]) -> None:
        """Let the next birth hold these metrics as they are, and no others; their aliases are kept.

        What is declared has to be born anew: a device by `device_found`, the node, and with it every device, by
        `connected`. `bdSeq` and the rebirth stay those of this session.

        Raises:
            PayloadError: A metric has no name or no datatype.
        """
        source = self.node if not device else Source(self.node.group, self.node.node, device)
        types: dict[str, DataType] = {}
        for metric in metrics:
            if metric.name is None or metric.datatype is None:
                raise PayloadError(f"{source}: a metric of a birth has no name or no datatype")
            if device or metric.name not in (BD_SEQ, REBIRTH):
                types[metric.name] = DataType(metric.datatype)
        aliases = {m.name: m.alias for m in metrics if m.name is not None and m.alias is not None}
        values = {m.name: m for m in metrics if m.name in types}
        typed = device in self._units and self._units[device].types_data
        self._units[device] = _Unit(source, types, aliases, values, is_there=not device, types_data=typed)
        if not device:
            for unit in self._units.values():
                unit.is_there = unit.source == self.node

    def relay(self, device: str, metrics: Sequence[Metric], now_s: float) -> list[Message]:
        """Tell metrics as somebody else has made them, and keep what they say for the next birth.

        Raises:
            PayloadError: One is not declared; none is told.
        """
        unit = self._units[device]
        names = {alias: name for name, alias in unit.aliases.items()}
        kept: dict[str, Metric] = {}
        for metric in metrics:
            name = metric.name if metric.name is not None else names.get(metric.alias or 0)
            if name is None or name not in unit.types:
                raise PayloadError(f"{unit.source}: metric {name or metric.alias!r} is not declared")
            if not metric.is_historical:
                known = replace(metric, name=name, alias=unit.aliases.get(name), datatype=unit.types[name].value)
                kept[name] = _described(known, unit.values[name]) if name in unit.values else known
        unit.values.update(kept)
        if metrics:
            unit.types_data = any(metric.datatype is not None for metric in metrics)
        return self._data(unit, list(metrics), now_s)

    def device_lost(self, device: str, now_s: float) -> list[Message]:
        """The node has lost a device."""
        unit = self._units[device]
        unit.is_there, was = False, unit.is_there
        return [self._message(MessageType.DDEATH, unit.source, [], now_s)] if was and self.is_born else []

    def device_found(self, device: str, now_s: float) -> list[Message]:
        """A lost device is there again."""
        unit = self._units[device]
        unit.is_there, was = True, unit.is_there
        return [self._device_birth(unit, now_s)] if not was and self.is_born else []

    def receive(self, topic: str, payload: bytes, now_s: float) -> Heard:
        """What follows from a message on one of the subscriptions."""
        if self._primary_host and topic == state_topic(self._primary_host):
            return self._on_state(payload, now_s)
        found = parsed(topic)
        if found is None or found[1].parent != self.node or found[1].device not in self._units:
            return Heard(refused=f"{topic} is none of ours")
        try:
            if found[0] is MessageType.NCMD:
                return self._on_command("", payload, now_s)
            if found[0] is MessageType.DCMD:
                return self._on_command(found[1].device, payload, now_s)
        except PayloadError as error:
            return Heard(refused=f"{topic}: {error}")
        return Heard(refused=f"{topic} is no command")

    def _on_state(self, payload: bytes, now_s: float) -> Heard:
        state = read_state(payload)
        if state is None or state.timestamp_ms < self._host_ms:
            return Heard(refused="a STATE message that is none, or older than the last")
        self._host_ms = state.timestamp_ms
        if state.online:
            return Heard() if self.is_born else Heard(tuple(self._births(now_s)))
        if not self.is_born:
            return Heard()
        return Heard(tuple(self.disconnect(now_s)), leave=True)

    def _on_command(self, device: str, payload: bytes, now_s: float) -> Heard:
        unit = self._units[device]
        names = {alias: name for name, alias in unit.aliases.items()}
        values: dict[str, Value] = {}
        rebirth = False
        for metric in read_payload(payload).metrics:
            name = metric.name if metric.name is not None else names.get(metric.alias or 0)
            if not device and name == REBIRTH:
                rebirth = rebirth or metric.boolean_value is True
            elif name is None or name not in unit.types:
                raise PayloadError(f"{unit.source} has no metric {name or metric.alias!r}")
            else:
                values[name] = value_of(metric, unit.types[name])
        births = tuple(self._births(now_s)) if rebirth and self.is_born else ()
        return Heard(births, (Command(device, values),) if values else ())

    def _births(self, now_s: float) -> list[Message]:
        self.is_born, self._seq = True, 0
        now_ms = _ms(now_s)
        node, *devices = self._units.values()
        own = [
            metric_of(BD_SEQ, DataType.INT64, self._bd_seq, alias=node.aliases.get(BD_SEQ), timestamp_ms=now_ms),
            metric_of(REBIRTH, DataType.BOOLEAN, value=False, alias=node.aliases.get(REBIRTH), timestamp_ms=now_ms),
        ]
        births = [self._message(MessageType.NBIRTH, node.source, own + self._declared(node, now_ms), now_s)]
        return births + [self._device_birth(unit, now_s) for unit in devices if unit.is_there]

    def _device_birth(self, unit: _Unit, now_s: float) -> Message:
        return self._message(MessageType.DBIRTH, unit.source, self._declared(unit, _ms(now_s)), now_s)

    def _declared(self, unit: _Unit, now_ms: int) -> list[Metric]:
        """Every metric that will ever be told, null where it has no value yet."""
        return [unit.values.get(name) or self._metric(unit, name, None, now_ms, GOOD) for name in unit.types]

    def _metric(self, unit: _Unit, name: str, value: Value, at_ms: int, quality: int) -> Metric:
        """As a birth tells it."""
        return metric_of(
            name,
            unit.types[name],
            value,
            alias=unit.aliases.get(name),
            timestamp_ms=at_ms,
            quality=None if quality == GOOD else quality,
        )

    def _data(self, unit: _Unit, told: list[Metric], now_s: float) -> list[Message]:
        if not told or not self.is_born or not unit.is_there:
            return []
        kind = MessageType.DDATA if unit.source.device else MessageType.NDATA
        return [self._message(kind, unit.source, told, now_s)]

    def _message(self, kind: MessageType, source: Source, metrics: list[Metric], now_s: float) -> Message:
        payload = write_payload(Payload(_ms(now_s), tuple(metrics), self._seq))
        self._seq = (self._seq + 1) % MODULUS
        return Message(source.topic(kind), payload)

    def _death(self, now_s: float) -> Message:
        metric = metric_of(BD_SEQ, DataType.INT64, self._bd_seq, timestamp_ms=_ms(now_s))
        return Message(self.node.topic(MessageType.NDEATH), write_payload(Payload(_ms(now_s), (metric,))), qos=1)


def _said(metric: Metric) -> tuple[object, int]:
    """What a reader learns from a metric besides its time and what describes it."""
    return _HELD(metric), quality_of(metric)


def _in_data(metric: Metric, *, is_typed: bool) -> Metric:
    """As data tell a metric of a birth: by its alias where it has one."""
    name = metric.name if metric.alias is None else None
    return replace(metric, name=name, datatype=metric.datatype if is_typed else None)


def _described(metric: Metric, old: Metric) -> Metric:
    """With the properties of before that it does not tell itself; its quality is always its own."""
    if old.properties is None:
        return metric
    told = metric.properties or PropertySet()
    kept = [
        (key, value)
        for key, value in zip(old.properties.keys, old.properties.values, strict=True)
        if key != QUALITY and key not in told.keys
    ]
    keys, values = tuple(key for key, _ in kept) + told.keys, tuple(value for _, value in kept) + told.values
    return replace(metric, properties=PropertySet(keys, values) if keys else None)


def _ms(now_s: float) -> int:
    return round(now_s * 1000)
