"""DERs and measured points behind one MQTT broker, on the topics of `protocols.mqtt.topics`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite

from protocols.mqtt import topics
from protocols.mqtt.client import MqttClient, MqttError, RefusedError
from protocols.mqtt.connection import Client, MakeClient, keep_up
from protocols.mqtt.links import Links
from protocols.mqtt.settings import DerTopics, MappedTopic, MqttSettings
from protocols.mqtt.topics import AckStatus, DeviceAck, DeviceState, TopicError
from protocols.mqtt.turns import Turns
from protocols.points import Point
from protocols.port import Emit, Now
from protocols.signals import (
    Ack,
    Baseline,
    Control,
    Instruction,
    Measurement,
    Outcome,
    Quality,
    Release,
    Signal,
)

OUTCOMES: Mapping[AckStatus, Outcome] = {
    AckStatus.RECEIVED: Outcome.RECEIVED,
    AckStatus.STARTED: Outcome.STARTED,
    AckStatus.COMPLETED: Outcome.COMPLETED,
    AckStatus.REJECTED: Outcome.REJECTED,
    AckStatus.SUPERSEDED: Outcome.SUPERSEDED,
    AckStatus.EXPIRED: Outcome.EXPIRED,
}
REFUSED = frozenset({Outcome.REJECTED, Outcome.SUPERSEDED, Outcome.EXPIRED})


@dataclass(frozen=True, slots=True)
class _Order:
    """What a device was asked, and which of its terms have to agree with what it says it obeys."""

    instruction: Instruction
    limit: Mapping[str, float]
    sets_target: bool
    target_w: float | None

    @property
    def requested(self) -> dict[str, float]:
        target = {} if self.target_w is None else {topics.TARGET: self.target_w}
        return {**self.limit, **target, topics.VERSION: float(self.instruction.version)}

    @property
    def names(self) -> frozenset[str]:
        return frozenset({*topics.LIMIT_TERMS, topics.VERSION, *([topics.TARGET] if self.sets_target else [])})


@dataclass(slots=True)
class _Der:
    """One DER: what outlives a connection, and what the present one has heard."""

    topics: DerTopics
    turns: Turns = field(default_factory=Turns)
    order: _Order | None = None
    """The last one published; later answers belong to it."""
    answer: DeviceAck | None = None
    birth: asyncio.TimerHandle | None = None
    """A retained birth, which counts unless a live one comes before."""
    points: set[Point] = field(default_factory=set)
    """What it has told of so far."""


class MqttAdapter:
    """Publishes controls as retained leases and waits for the device's own word on what it obeys.

    `apply` ends in `WRITTEN` when the device says that it obeys exactly what was asked, in `RECEIVED`
    when it said so much and no more before the deadline, and in `UNKNOWN` when it said nothing: the
    lease then stands at the broker until it expires, and what the device says later comes through
    `emit`. While a device is offline nothing is published for it, and the outcome is `UNDELIVERED`.
    """

    def __init__(self, settings: MqttSettings, now: Now, *, make: MakeClient = MqttClient) -> None:
        """`make` gives a client of the broker; it may record it."""
        self._settings = settings
        self._make = make
        self._now = now
        self._ders = {der.resource: _Der(der) for der in settings.ders}
        self._by_prefix = {der.prefix: self._ders[der.resource] for der in settings.ders}
        self._mapped = {mapped.topic: mapped for mapped in settings.points}
        self._links = Links(
            settings.resources, settings.telemetry_s, settings.broker, now, lambda change: self._emit([change])
        )
        self._client: Client | None = None
        self._emit: Emit = _nobody

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the DERs and assets that this broker connection speaks for."""
        return self._settings.resources

    async def run(self, emit: Emit) -> None:
        """Connect, subscribe, listen and reconnect until cancelled."""
        self._emit = emit
        await keep_up(self._settings, self, self._make)

    async def apply(self, instruction: Instruction) -> Ack:
        """Publish one control or release and wait for its device's answer."""
        der = self._ders.get(instruction.resource)
        if der is None:
            return self._ack(instruction, Outcome.REJECTED, f"{self._settings.broker} has no such DER to control")
        return await der.turns.take(instruction, self._now, partial(self._order, der, instruction))

    def will(self) -> bytes:
        """That we are offline."""
        return topics.gateway_state(online=False)

    def farewell(self) -> bytes:
        """The same."""
        return topics.gateway_state(online=False)

    async def begin(self, client: Client) -> None:
        """Subscribe and say that we are there.

        Raises:
            MqttError: the link failed.
        """
        self._client = client
        await client.subscribe(self._subscriptions())
        await client.publish(self._settings.state_topic, topics.gateway_state(online=True), retain=True)

    async def listen(self, client: Client) -> None:
        """Watch for silence until the link is lost, which raises."""
        while True:
            await client.idle(self._settings.telemetry_s / 2)
            self._links.mind_silence()

    def lost(self, detail: str) -> None:
        """There is no connection."""
        self._links.all_gone(detail)

    def ended(self) -> None:
        """Forget what this connection has heard."""
        self._client = None
        self._links.forget()
        for der in self._ders.values():
            der.turns.disconnected()
            if der.birth is not None:
                der.birth.cancel()

    async def _order(self, der: _Der, instruction: Instruction) -> Ack:
        client = self._client
        if client is None or not der.turns.online:
            detail = f"{der.topics.prefix} is not online at {self._settings.broker}; nothing was sent"
            return self._ack(instruction, Outcome.UNDELIVERED, detail)
        der.order, der.answer, der.turns.waiting = self._order_of(der, instruction), None, True
        try:
            await self._publish(client, der, der.order)
            ack = await der.turns.settled(partial(self._judge_word, der, der.order), self._settings.timeout_s)
        except RefusedError as error:
            return self._ack(instruction, Outcome.REJECTED, str(error), der.order.requested)
        except MqttError as error:
            return self._ack(instruction, Outcome.UNKNOWN, str(error), der.order.requested)
        finally:
            der.turns.waiting = False
        try:
            await self._tidy(client, der, ack)
        except MqttError as error:
            detail = f"{ack.detail}; the retained message could not be cleared: {error}"
            return self._ack(instruction, ack.outcome, detail, ack.requested, ack.read_back)
        return ack

    def _order_of(self, der: _Der, instruction: Instruction) -> _Order:
        if isinstance(instruction, Control):
            sets_target = der.turns.targeted or instruction.target_w is not None
            return _Order(instruction, topics.limit_of(instruction), sets_target, instruction.target_w)
        return _Order(
            instruction,
            topics.restored(instruction.baseline, self._now()),
            der.turns.targeted,
            instruction.baseline.get(topics.TARGET),
        )

    async def _publish(self, client: Client, der: _Der, order: _Order) -> None:
        valid_until_s = order.limit.get("valid_until")
        lease_s = None if valid_until_s is None else valid_until_s - self._now()
        limit = topics.limit_message(order.instruction, order.limit)
        await client.publish(f"{der.topics.prefix}/{topics.LIMIT}", limit, retain=True, expiry_s=lease_s)
        if order.sets_target:
            setpoint = topics.setpoint_message(order.instruction, order.target_w, valid_until_s)
            await client.publish(f"{der.topics.prefix}/{topics.SETPOINT}", setpoint, retain=True, expiry_s=lease_s)
            der.turns.targeted = isinstance(order.instruction, Control) and order.target_w is not None

    def _judge_word(self, der: _Der, order: _Order, *, last: bool) -> Ack:
        """What the device has said so far; a device that does something else when the time is up has refused."""
        ack = self._judge(order, der.answer)
        otherwise = last and ack.outcome is Outcome.STARTED and ack.read_back
        return replace(ack, outcome=Outcome.REJECTED) if otherwise else ack

    def _judge(self, order: _Order, answer: DeviceAck | None) -> Ack:
        """What one answer means for the order."""
        if answer is None:
            detail = f"no answer within {self._settings.timeout_s:g} s"
            return self._ack(order.instruction, Outcome.UNKNOWN, detail, order.requested)
        outcome, detail, held = OUTCOMES[answer.status], answer.detail or answer.status.value, answer.in_force
        if outcome in (Outcome.STARTED, Outcome.COMPLETED) and held is not None:
            differing = topics.differing(order.requested, held, order.names)
            if not differing and outcome is Outcome.STARTED:
                outcome, detail = Outcome.WRITTEN, "in force, by the device's own word"
            elif differing:
                detail = f"the device obeys otherwise in {', '.join(differing)}"
        return self._ack(order.instruction, outcome, detail, order.requested, held or {})

    async def _tidy(self, client: Client, der: _Der, ack: Ack) -> None:
        """Take from the broker what nobody shall pick up later: a refused control, or an open limit after release."""
        order = der.order
        if order is None:
            return
        released = isinstance(order.instruction, Release) and not order.limit and ack.outcome is Outcome.WRITTEN
        if released or ack.outcome in REFUSED:
            await client.publish(f"{der.topics.prefix}/{topics.LIMIT}", b"", retain=True)
            if order.sets_target:
                await client.publish(f"{der.topics.prefix}/{topics.SETPOINT}", b"", retain=True)

    def _subscriptions(self) -> list[str]:
        leaves = (topics.STATE, topics.ACK, topics.TELEMETRY)
        return [f"{prefix}/{leaf}" for prefix in self._by_prefix for leaf in leaves] + list(self._mapped)

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as MQTT has it
        """A message of a device, or one that a station's point is mapped to."""
        prefix, _, leaf = topic.rpartition("/")
        der = self._by_prefix.get(prefix)
        mapped = self._mapped.get(topic)
        resource = der.topics.resource if der is not None else mapped.point.resource if mapped is not None else ""
        try:
            if mapped is not None:
                self._on_value(mapped, payload, retained=retained)
            elif der is not None and leaf == topics.STATE:
                self._on_state(der, payload, retained=retained)
            elif der is not None and leaf == topics.ACK and not retained:
                self._on_ack(der, payload)
            elif der is not None and leaf == topics.TELEMETRY:
                self._on_telemetry(der, payload, retained=retained)
        except TopicError as error:
            self._on_nonsense(resource, der, f"{topic}: {error}")

    def _on_telemetry(self, der: _Der, payload: bytes, *, retained: bool) -> None:
        received_s = self._now()
        values = {
            Point(der.topics.resource, quantity, phase): value
            for (quantity, phase), value in topics.read_telemetry(payload).items()
        }
        der.points |= values.keys()
        self._emit([_measurement(point, value, 1.0, received_s, retained) for point, value in values.items()])
        if not retained:
            self._heard(der)

    def _on_value(self, mapped: MappedTopic, payload: bytes, *, retained: bool) -> None:
        value = topics.read_value(payload)
        self._emit([_measurement(mapped.point, value, mapped.scale, self._now(), retained)])
        self._links.heard(mapped.point.resource)

    def _on_state(self, der: _Der, payload: bytes, *, retained: bool) -> None:
        """Birth or will. A retained birth may be old: a live one, which our own birth asks for, has time to come."""
        if not payload:
            return
        state = topics.read_state(payload)
        if der.birth is not None:
            der.birth.cancel()
        if not state.online:
            der.turns.online = False
            self._links.gone(der.topics.resource, f"{der.topics.prefix}/{topics.STATE} says offline")
        elif retained:
            loop = asyncio.get_running_loop()
            der.birth = loop.call_later(self._settings.timeout_s, self._on_birth, der, state)
        else:
            self._on_birth(der, state)

    def _on_birth(self, der: _Der, state: DeviceState) -> None:
        resource = der.topics.resource
        if not der.turns.baseline_told:
            der.turns.baseline_told = True
            self._emit([Baseline(resource, state.in_force, self._now())])
        der.turns.online = True
        self._links.heard(resource)

    def _on_ack(self, der: _Der, payload: bytes) -> None:
        answer = topics.read_ack(payload)
        order = der.order
        self._heard(der)
        if order is None:
            return
        if (answer.control_id, answer.version) != (order.instruction.control_id, order.instruction.version):
            return
        der.answer = answer
        if der.turns.waiting:
            der.turns.hear()
        else:
            self._emit([self._judge(order, answer)])

    def _on_nonsense(self, resource: str, der: _Der | None, detail: str) -> None:
        """A message that cannot be read makes what it should have told bad, and says so once."""
        now_s = self._now()
        points = (
            der.points if der is not None else {m.point for m in self._mapped.values() if m.point.resource == resource}
        )
        bad: list[Signal] = [Measurement(point, 0.0, Quality.BAD, now_s, now_s) for point in sorted(points)]
        if bad:
            self._emit(bad)
        self._links.doubtful(resource, detail)

    def _heard(self, der: _Der) -> None:
        """A sign of life, which counts only while the device has not said that it is offline."""
        if der.turns.online:
            self._links.heard(der.topics.resource)

    def _ack(
        self,
        instruction: Instruction,
        outcome: Outcome,
        detail: str,
        requested: Mapping[str, float] | None = None,
        read_back: Mapping[str, float] | None = None,
    ) -> Ack:
        return Ack.of(instruction, outcome, self._now(), detail, requested=requested, read_back=read_back)


def _measurement(point: Point, value: topics.Value, scale: float, received_s: float, retained: bool) -> Measurement:  # noqa: FBT001
    """A retained value may be of any age: it is stale at best."""
    scaled = 0.0 if value.value is None else value.value * scale
    quality = Quality.STALE if retained and value.quality is Quality.GOOD else value.quality
    return Measurement(
        point=point,
        value=scaled if isfinite(scaled) else 0.0,
        quality=quality if isfinite(scaled) else Quality.BAD,
        source_time_s=received_s if value.time_s is None else value.time_s,
        received_time_s=received_s,
    )


def _nobody(_signals: Sequence[Signal]) -> None:
    """Before `run` there is nobody to tell."""
