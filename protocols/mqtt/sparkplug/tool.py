"""Sparkplug B by hand: edge nodes and devices by their births, their metrics, and commands that they repeat.

Unlike the adapter it is no host application: it publishes no STATE, so no edge node takes it for its primary host.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import floor
from typing import Final, TypeVar

from protocols.mqtt.client import Broker, MqttClient, MqttError
from protocols.mqtt.sparkplug.host import Born, Died, HostSession, Reading
from protocols.mqtt.sparkplug.terms import CONTROL_ID, VALID_UNTIL, control_name
from protocols.mqtt.sparkplug.topics import NAMESPACE, MessageType, Source, parsed, state_topic
from protocols.mqtt.sparkplug.values import BITS, GOOD, DataType, PayloadError
from protocols.mqtt.sparkplug.values import Value as MetricValue
from protocols.mqtt.topics import VERSION
from protocols.port import Now
from protocols.signals import Quality
from protocols.tool import Found, Heard, Item, ToolError, Value, Work, Written, beside, number, same

T = TypeVar("T")

_CEILING: Final = control_name("ceiling_w")
_UNTIL: Final = control_name(VALID_UNTIL)
_OWN: Final = (CONTROL_ID, control_name(VERSION))
"""Metrics that tell one control from the next, for devices that have them."""
_TEXTS: Final = frozenset((DataType.STRING, DataType.TEXT, DataType.UUID))
_NUMBERS: Final = frozenset((*BITS, DataType.FLOAT, DataType.DOUBLE, DataType.BOOLEAN, DataType.DATE_TIME))


async def use(broker: Broker, source: Source | None, listen_s: float, now: Now, work: Work[T]) -> T:
    """Connect, do the work and leave.

    Args:
        broker: where and as whom to connect.
        source: the device or edge node; `None`: whatever speaks there, to scan.
        listen_s: how long a scan listens, and how long a birth is waited for.
        now: Unix seconds UTC.
        work: what to do.

    Raises:
        ToolError: the broker cannot be reached or refuses, or what the work raises.
    """
    tool = SparkplugTool(broker, source, listen_s, now)
    try:
        client = MqttClient(broker, b"", tool.receive, retain_will=False)
        try:
            await client.open()
            await client.subscribe([f"{NAMESPACE}/{source.group if source else '+'}/#"])
            return await beside(_stay(client), tool.working(client, work))
        finally:
            client.close()
    except MqttError as error:
        raise ToolError(f"{error}; see host, port and credentials") from error


async def _stay(client: MqttClient) -> None:
    while True:
        await client.idle(3600)


class SparkplugTool:
    """One connection to one broker."""

    def __init__(self, broker: Broker, source: Source | None, listen_s: float, now: Now) -> None:
        self._broker = broker
        self._source = source
        self._listen_s = listen_s
        self._now = now
        self._client: MqttClient | None = None
        self._host = f"{broker.client_id}-host"
        self._session = HostSession(self._host, [] if source is None else [source])
        self._speaking: set[Source] = set()
        self._born: dict[Source, Born] = {}
        self._news = asyncio.Event()
        self._heard: Callable[[Sequence[Reading]], None] | None = None

    async def working(self, client: MqttClient, work: Work[T]) -> T:
        """Do the work on a connection."""
        self._client = client
        return await work(self)

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as MQTT has it
        """Follow the session that the message belongs to."""
        found = parsed(topic)
        if found is not None and found[0] not in (MessageType.NCMD, MessageType.DCMD):
            self._speaking.add(found[1].parent)
        for event in self._session.receive(topic, payload, self._now(), retained=retained):
            if isinstance(event, Born):
                self._born[event.source] = event
            elif isinstance(event, Died):
                self._born.pop(event.source, None)
            if self._heard is not None and event.source == self._source and not isinstance(event, Died):
                self._heard(getattr(event, "readings", ()))
        self._flush()
        self._news.set()

    async def scan(self, found: Callable[[Found], None]) -> None:
        """Listen who speaks, ask those for a birth, and tell every node and device with its metrics."""
        if self._source is None:
            await asyncio.sleep(self._listen_s)
            self._session = HostSession(self._host, self._speaking)
        self._ask()
        await asyncio.sleep(self._listen_s)
        for source, born in sorted(self._born.items()):
            metrics = tuple(f"{name} ({datatype.name.lower()})" for name, datatype in sorted(born.types.items()))
            endpoint = {
                "group": source.group,
                "node": source.node,
                **({"device": source.device} if source.device else {}),
            }
            found(Found(str(source), endpoint, {}, metrics, is_der={_CEILING, _UNTIL} <= set(born.types)))

    async def read(self, addresses: Sequence[str]) -> list[Item]:
        """Metrics by name, as of the last birth and the data since."""
        source = await self._alive()
        held = {item.address: item for item in self._items(source, self._session.readings(source))}
        if not addresses:
            return [held[name] for name in sorted(held)]
        unknown = f"{source} never declared it"
        return [held.get(name, Item(name, None, quality=Quality.BAD, note=unknown)) for name in addresses]

    async def write(self, values: Mapping[str, str], lease_s: float | None) -> Written:
        """Command metrics, and wait until the device repeats them."""
        source = await self._alive()
        asked = {name: self._typed(source, name, text) for name, text in values.items()}
        own = self._of_control(source, asked, lease_s)
        try:
            message = self._session.command(source, {**asked, **own}, self._now())
        except PayloadError as error:
            raise ToolError(f"{error}; nothing was sent") from error
        await self._publish(message.topic, message.payload, lease_s)
        wanted = {name: value for name, value in {**asked, **own}.items() if name not in _OWN}
        repeated = await self._repeats(source, wanted)
        effective = await self.read(list(wanted))
        detail = "the device repeats it" if repeated else f"not repeated within {self._broker.timeout_s:g} s"
        return Written(tuple(effective), detail, repeated)

    async def watch(self, addresses: Sequence[str], every_s: float, heard: Heard) -> None:  # noqa: ARG002 - they come
        """The present values, then data as it comes."""
        source = await self._alive()
        wanted = frozenset(addresses)
        heard(await self.read(addresses))

        def told(readings: Sequence[Reading]) -> None:
            heard([item for item in self._items(source, readings) if not wanted or item.address in wanted])

        self._heard = told
        await asyncio.Event().wait()

    async def _alive(self) -> Source:
        """The target once its birth was heard."""
        source = self._source
        if source is None:
            raise ToolError("the target names no edge node; add it as sparkplug://host/group/node/device")
        if source not in self._born:
            self._ask()
        try:
            async with asyncio.timeout(self._listen_s):
                while source not in self._born:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            others = ", ".join(str(one) for one in sorted(self._born)) or "nobody"
            raise ToolError(
                f"{source} gave no birth within {self._listen_s:g} s at {self._broker.broker}; {others} did"
            ) from None
        return source

    def _ask(self) -> None:
        """Ask every node of the session for a birth."""
        self._session.connected(self._now())
        self._flush()

    def _flush(self) -> None:
        """Publish what the session wants said, but for STATE."""
        for message in self._session.take():
            if message.topic != state_topic(self._host) and self._client is not None:
                self._client.send(message.topic, message.payload, qos=message.qos)

    async def _publish(self, topic: str, payload: bytes, lease_s: float | None) -> None:
        if self._client is None:
            raise ToolError("not connected")
        await self._client.publish(topic, payload, expiry_s=lease_s)

    async def _repeats(self, source: Source, wanted: Mapping[str, MetricValue]) -> bool:
        try:
            async with asyncio.timeout(self._broker.timeout_s):
                while not all(_is(value, self._session.reading(source, name)) for name, value in wanted.items()):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def _typed(self, source: Source, name: str, text: str) -> MetricValue:
        datatype = self._session.type_of(source, name)
        if datatype is None:
            close = [known for known in self._born[source].types if name.lower() in known.lower()]
            hint = f"; it has {', '.join(close[:5])}" if close else ""
            raise ToolError(f"{source} never declared {name!r}{hint}; nothing was sent")
        if datatype in _TEXTS:
            return text
        if datatype not in _NUMBERS:
            raise ToolError(f"{name} is of type {datatype.name.lower()}, which cannot be written by hand")
        value = number(name, text)
        if datatype is DataType.BOOLEAN:
            return bool(value)
        return value if datatype in (DataType.FLOAT, DataType.DOUBLE) else floor(value)

    def _of_control(
        self, source: Source, asked: Mapping[str, MetricValue], lease_s: float | None
    ) -> dict[str, MetricValue]:
        """What goes with the terms of a control: the end of the lease, and what tells it from the one before."""
        is_control = any(name.startswith("Control/") for name in asked)
        datatype = self._session.type_of(source, _UNTIL)
        if lease_s is not None and (datatype is None or not is_control):
            raise ToolError(f"only metrics under Control/ of a device with {_UNTIL} end by themselves; give --yes")
        if not is_control:
            return {}
        own: dict[str, MetricValue] = {}
        if lease_s is not None:
            until_s = self._now() + lease_s
            own[_UNTIL] = floor(until_s * 1000) if datatype is DataType.DATE_TIME else until_s
        if self._session.type_of(source, CONTROL_ID) in _TEXTS:
            own[CONTROL_ID] = f"by-hand-{round(self._now() * 1000)}"
        version = self._session.reading(source, _OWN[1])
        if version is not None:
            held = version.value if isinstance(version.value, int | float) else 0
            own[_OWN[1]] = int(held) + 1
        return {name: value for name, value in own.items() if name not in asked}

    def _items(self, source: Source, readings: Sequence[Reading]) -> Iterator[Item]:
        for reading in readings:
            quality = Quality.GOOD if reading.quality == GOOD else Quality.STALE
            datatype = self._session.type_of(source, reading.name)
            yield Item(
                reading.name,
                _shown(reading.value),
                quality=quality,
                note="" if datatype is None else datatype.name.lower(),
                time_s=None if reading.timestamp_ms is None else reading.timestamp_ms / 1000,
                writable=reading.name.startswith(("Control/", "Node Control/")),
            )


def _shown(value: MetricValue) -> Value:
    match value:
        case None | int() | float() | str():
            return value
        case bytes():
            return value.hex(" ")
        case _:
            return str(value)


def _is(asked: MetricValue, reading: Reading | None) -> bool:
    if reading is None:
        return False
    if isinstance(asked, str):
        return reading.value == asked
    return isinstance(asked, int | float) and isinstance(reading.value, int | float) and same(asked, reading.value)
