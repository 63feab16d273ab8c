"""MQTT by hand: which topics and devices a broker hears of, what their messages say, limits with a lease, any message.

An address is a topic below the target's prefix, with `:` and the path of a value where the message is JSON:
`telemetry:values.active_power_w`. What can be written by name are the terms of `protocols.mqtt.topics`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

import orjson

from protocols.mqtt import topics
from protocols.mqtt.client import Broker, MqttClient, MqttError
from protocols.mqtt.topics import AckStatus, DeviceAck, TopicError
from protocols.port import Now
from protocols.signals import Bounds, Control, Quality
from protocols.tool import Found, Heard, Item, ToolError, Value, Work, Written, beside, number, same

T = TypeVar("T")

_LEAVES: Final = frozenset((topics.TELEMETRY, topics.STATE, topics.ACK))
"""What a device of the documented topics publishes."""
_BOUNDS: Final = ("floor_w", "ceiling_w")
_TERMS: Final = (*_BOUNDS, topics.TARGET)
_MOST: Final = 2_000
"""Topics that are remembered."""
_LISTED: Final = 50


async def use(broker: Broker, prefix: str, listen_s: float, now: Now, work: Work[T]) -> T:
    """Connect, do the work and leave; nothing is retained of it.

    Args:
        broker: where and as whom to connect.
        prefix: of the device's topics; empty for all that the broker lets us hear.
        listen_s: how long a scan or a read waits for messages.
        now: Unix seconds UTC.
        work: what to do.

    Raises:
        ToolError: the broker cannot be reached or refuses, or what the work raises.
    """
    tool = MqttTool(broker, prefix, listen_s, now)
    try:
        client = MqttClient(broker, b"", tool.receive, retain_will=False)
        try:
            await client.open()
            await client.subscribe([f"{prefix}/#" if prefix else "#"])
            return await beside(_stay(client), tool.working(client, work))
        finally:
            client.close()
    except MqttError as error:
        raise ToolError(f"{error}; see host, port and credentials") from error


async def _stay(client: MqttClient) -> None:
    while True:
        await client.idle(3600)


class MqttTool:
    """One connection to one broker."""

    def __init__(self, broker: Broker, prefix: str, listen_s: float, now: Now) -> None:
        self._broker = broker
        self._prefix = prefix
        self._listen_s = listen_s
        self._now = now
        self._client: MqttClient | None = None
        self._messages: dict[str, tuple[Item, ...]] = {}
        self._acks: list[DeviceAck] = []
        self._news = asyncio.Event()
        self._heard: Heard | None = None
        self._wanted: frozenset[str] = frozenset()

    async def working(self, client: MqttClient, work: Work[T]) -> T:
        """Do the work on a connection."""
        self._client = client
        return await work(self)

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as MQTT has it
        """Keep what a message says."""
        if topic not in self._messages and len(self._messages) >= _MOST:
            return
        name = topic.removeprefix(f"{self._prefix}/") if self._prefix else topic
        self._messages[topic] = items = tuple(_items(name, payload, retained=retained))
        if topic == f"{self._prefix}/{topics.ACK}":
            try:
                self._acks.append(topics.read_ack(payload))
            except TopicError as error:
                self._messages[topic] = items = (Item(name, None, quality=Quality.BAD, note=str(error)),)
        self._news.set()
        if self._heard is not None:
            self._heard([item for item in items if not self._wanted or item.address in self._wanted])

    async def scan(self, found: Callable[[Found], None]) -> None:
        """Listen, and tell devices by their topics; what is none is told together."""
        await asyncio.sleep(self._listen_s)
        leaves: dict[str, set[str]] = defaultdict(set)
        for topic in self._messages:
            prefix, _, leaf = topic.rpartition("/")
            leaves[prefix].add(leaf)
        devices = {prefix: known for prefix, known in leaves.items() if known & _LEAVES and prefix}
        for prefix, known in sorted(devices.items()):
            found(Found(prefix, {"topic": prefix}, {}, tuple(sorted(known)), is_der=topics.STATE in known))
        others = sorted(topic for topic in self._messages if topic.rpartition("/")[0] not in devices)
        if others:
            more = (f"and {len(others) - _LISTED} more",) if len(others) > _LISTED else ()
            found(Found("other topics", {}, {}, (*others[:_LISTED], *more), is_der=False))

    async def read(self, addresses: Sequence[str]) -> list[Item]:
        """Wait until every named value was heard, at most as long as is listened; with none, listen that long."""
        known: dict[str, Item] = {}
        try:
            async with asyncio.timeout(self._listen_s):
                while True:
                    known = self._known()
                    if addresses and all(_under(address, known) for address in addresses):
                        break
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            known = self._known()
        if not addresses:
            return [known[address] for address in sorted(known)]
        silent = f"nothing was published there in {self._listen_s:g} s"
        return [
            item
            for address in addresses
            for item in _under(address, known) or [Item(address, None, quality=Quality.BAD, note=silent)]
        ]

    async def write(self, values: Mapping[str, str], lease_s: float | None) -> Written:
        """A limit or target by its terms, answered by the device; or any message to a topic."""
        terms = {name: text for name, text in values.items() if name in _TERMS}
        if not terms:
            return await self._publish_raw(values, lease_s)
        if len(terms) != len(values):
            raise ToolError(f"write either {', '.join(_TERMS)} or messages to topics; nothing was sent")
        if not self._prefix:
            raise ToolError("the target names no device; add the prefix of its topics, as mqtt://host/site/inverter")
        return await self._order({name: number(name, text) for name, text in terms.items()}, lease_s)

    async def watch(self, addresses: Sequence[str], every_s: float, heard: Heard) -> None:  # noqa: ARG002 - they come
        """Every message as it comes."""
        self._wanted = frozenset(addresses)
        heard([item for item in self._known().values() if not self._wanted or item.address in self._wanted])
        self._heard = heard
        await asyncio.Event().wait()

    def _known(self) -> dict[str, Item]:
        return {item.address: item for items in self._messages.values() for item in items}

    async def _order(self, terms: Mapping[str, float], lease_s: float | None) -> Written:
        held = await self.read([topics.STATE])
        held_versions = [item.value for item in held if item.address.endswith(".version")]
        version = max((int(value) for value in held_versions if isinstance(value, int | float)), default=0) + 1
        now_s = self._now()
        until_s = None if lease_s is None else now_s + lease_s
        # Without a lease the message says so itself: its `valid_until` is null, and nothing is retained either way.
        order = Control(
            f"by-hand-{round(now_s * 1000)}",
            self._prefix,
            version,
            now_s,
            now_s + 1 if until_s is None else until_s,
            Bounds(terms.get("floor_w"), terms.get("ceiling_w")),
            terms.get(topics.TARGET),
        )
        if any(name in terms for name in _BOUNDS):
            limit = {**topics.limit_of(order), "valid_until": until_s}
            message = topics.limit_message(order, {k: v for k, v in limit.items() if v is not None})
            await self._publish(topics.LIMIT, message, lease_s)
        if topics.TARGET in terms:
            message = topics.setpoint_message(order, order.target_w, until_s)
            await self._publish(topics.SETPOINT, message, lease_s)
        ack = await self._answer(order.control_id)
        in_force = ack.in_force or {}
        effective = tuple(Item(name, value, unit=_unit(name)) for name, value in in_force.items())
        detail = f"{self._prefix} says {ack.status.value}" + (f": {ack.detail}" if ack.detail else "")
        obeyed = ack.status in {AckStatus.STARTED, AckStatus.COMPLETED} and all(
            same(value, in_force.get(name)) for name, value in terms.items()
        )
        return Written(effective, detail, obeyed)

    async def _answer(self, control_id: str) -> DeviceAck:
        """The last word on a control; a device may say first that it has received it."""
        ours: list[DeviceAck] = []
        try:
            async with asyncio.timeout(self._broker.timeout_s):
                while not ours or ours[-1].status is AckStatus.RECEIVED:
                    self._news.clear()
                    await self._news.wait()
                    ours = [ack for ack in self._acks if ack.control_id == control_id]
        except TimeoutError:
            if not ours:
                raise ToolError(
                    f"{self._prefix} did not answer within {self._broker.timeout_s:g} s; whether it obeys is unknown"
                ) from None
        return ours[-1]

    async def _publish_raw(self, values: Mapping[str, str], lease_s: float | None) -> Written:
        for name, text in values.items():
            await self._publish(name, text.encode(), lease_s)
        effective = await self.read(list(values))
        delivered = all(item.quality is not Quality.BAD for item in effective)
        return Written(tuple(effective), "the broker took it over", delivered)

    async def _publish(self, name: str, payload: bytes, lease_s: float | None) -> None:
        if self._client is None:
            raise ToolError("not connected")
        topic = f"{self._prefix}/{name}" if self._prefix else name
        await self._client.publish(topic, payload, expiry_s=lease_s)


def _under(address: str, known: Mapping[str, Item]) -> list[Item]:
    """The value of an address, or all values of a topic."""
    if address in known:
        return [known[address]]
    return [item for name, item in known.items() if name.startswith((f"{address}:", f"{address}."))]


def _items(topic: str, payload: bytes, *, retained: bool) -> Iterator[Item]:
    """The values of a message; text that is no JSON is one."""
    note = "retained" if retained else ""
    writable = topic.rpartition("/")[2] in {topics.LIMIT, topics.SETPOINT}
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError:
        text = payload[:80].decode("utf-8", errors="replace") + ("..." if len(payload) > 80 else "")
        yield Item(topic, text, note=note, writable=writable)
        return
    for path, value in _leaves_of(message, ""):
        name = path.rpartition(".")[2]
        yield Item(f"{topic}:{path}" if path else topic, value, unit=_unit(name), note=note, writable=writable)


def _leaves_of(message: object, path: str) -> Iterator[tuple[str, Value]]:
    match message:
        case dict():
            for key, value in message.items():
                yield from _leaves_of(value, f"{path}.{key}" if path else str(key))
        case list():
            yield path, orjson.dumps(message).decode()
        case bool():
            yield path, str(message).lower()
        case None | int() | float() | str():
            yield path, message


def _unit(name: str) -> str:
    """By the end of a name, as our vocabulary has it."""
    tails = {"_w": "W", "_var": "var", "_va": "VA", "_v": "V", "_a": "A", "_hz": "Hz", "_pu": "pu", "_wh": "Wh"}
    base = name.partition(".")[0]
    return next((unit for tail, unit in tails.items() if base.endswith(tail)), "")
