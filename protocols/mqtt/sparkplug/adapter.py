"""DERs and measured points behind one broker, as the host application of their Sparkplug B edge nodes."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from protocols.mqtt import topics
from protocols.mqtt.client import MqttClient
from protocols.mqtt.connection import Client, MakeClient, keep_up
from protocols.mqtt.links import Links
from protocols.mqtt.sparkplug import terms
from protocols.mqtt.sparkplug.host import Born, Died, Event, HostSession, Reading, Refused, Told
from protocols.mqtt.sparkplug.settings import SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import Source
from protocols.mqtt.sparkplug.values import PayloadError, Value
from protocols.mqtt.topics import AckStatus
from protocols.mqtt.turns import Turns
from protocols.points import Point
from protocols.port import Emit, Now
from protocols.signals import (
    Ack,
    Baseline,
    Control,
    GridSwitch,
    Instruction,
    Outcome,
    Signal,
)

LONGEST_TICK_S = 0.5
ENDED: Mapping[AckStatus, Outcome] = {
    AckStatus.REJECTED: Outcome.REJECTED,
    AckStatus.SUPERSEDED: Outcome.SUPERSEDED,
    AckStatus.EXPIRED: Outcome.EXPIRED,
    AckStatus.COMPLETED: Outcome.COMPLETED,
}


@dataclass(slots=True)
class _Der:
    """One DER: what outlives a connection, and what the present one has heard."""

    settings: SparkplugDer
    turns: Turns = field(default_factory=Turns)
    order: Instruction | None = None
    """The last one written; later answers belong to it."""
    requested: Mapping[str, float | None] = field(default_factory=dict)
    said: Outcome = Outcome.UNKNOWN
    """How far the order had come when it was last told."""
    is_off: bool = False
    """We have taken it off the grid."""


class SparkplugAdapter:
    """Writes controls as leases through DCMD and waits until DDATA repeats them.

    `apply` ends in `WRITTEN` when the device's metrics hold exactly what was asked, in `RECEIVED` when
    it has said so much and no more, and in `UNKNOWN` when it said nothing. A command is published once,
    not retained, and expires at an MQTT 5 broker with its lease: an outage never delivers it later.
    While a device is not there, as between a new birth of its node and its own, nothing is published for
    it, and the outcome is `UNDELIVERED`.
    """

    def __init__(self, settings: SparkplugSettings, now: Now, *, make: MakeClient = MqttClient) -> None:
        """`make` gives a client of the broker; it may record it."""
        self._settings = settings
        self._make = make
        self._now = now
        self._session = HostSession(
            settings.host_id,
            settings.sources,
            reorder_s=settings.reorder_s,
            rebirth_every_s=settings.rebirth_every_s,
        )
        self._ders = {der.resource: _Der(der) for der in settings.ders}
        self._by_source = {der.source: self._ders[der.resource] for der in settings.ders}
        self._points: dict[Source, dict[str, list[tuple[Point, float]]]] = defaultdict(lambda: defaultdict(list))
        for der in settings.ders:
            for name, found in terms.points_of(der).items():
                self._points[der.source][name].append(found)
        for mapped in settings.points:
            self._points[mapped.source][mapped.name].append((mapped.point, mapped.scale))
        self._resources: dict[Source, set[str]] = defaultdict(set)
        for source, names in self._points.items():
            self._resources[source] |= {point.resource for found in names.values() for point, _ in found}
        self._links = Links(
            settings.resources, settings.telemetry_s, settings.broker, now, lambda change: self._emit([change])
        )
        self._alive: set[Source] = set()
        """Devices and nodes that were born on this connection and have not died since."""
        self._held_at_s = 0.0
        self._client: Client | None = None
        self._emit: Emit = _nobody

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the DERs and assets that this broker connection speaks for."""
        return self._settings.resources

    async def run(self, emit: Emit) -> None:
        """Connect, subscribe, say that we are there, listen and reconnect until cancelled."""
        self._emit = emit
        await keep_up(self._settings, self, self._make)

    async def apply(self, instruction: Instruction) -> Ack:
        """Write one control or release and wait until the device repeats it."""
        der = self._ders.get(instruction.resource)
        if der is None:
            detail = f"{self._settings.broker} has no such DER to control"
            return Ack.of(instruction, Outcome.REJECTED, self._now(), detail)
        return await der.turns.take(instruction, self._now, partial(self._order, der, instruction))

    def will(self) -> bytes:
        """The STATE that says offline, with the time of this connection."""
        return self._session.connect(self._now()).payload

    def farewell(self) -> bytes:
        """The same, of our own accord."""
        return self._session.disconnect(self._now()).payload

    async def begin(self, client: Client) -> None:
        """Subscribe and say that we are there.

        Raises:
            MqttError: the link failed.
        """
        self._client = client
        await client.subscribe([topic for topic, _ in self._session.subscriptions])
        self._session.connected(self._now())
        self._flush()

    async def listen(self, client: Client) -> None:
        """Mind the time until the link is lost, which raises."""
        every_s = min(self._settings.telemetry_s / 2, LONGEST_TICK_S)
        while True:
            await client.idle(every_s)
            self._handle(self._session.tick(self._now()))
            now = asyncio.get_running_loop().time()
            if not self._settings.by_exception:
                self._links.mind_silence()
            elif now - self._held_at_s >= self._settings.telemetry_s:
                self._held_at_s = now
                for source in self._alive:
                    self._tell(source, self._session.readings(source), held_on=True)

    def receive(self, topic: str, payload: bytes, retained: bool) -> None:  # noqa: FBT001 - as MQTT has it
        """A message of an edge node, or of another host application."""
        self._handle(self._session.receive(topic, payload, self._now(), retained=retained))

    def lost(self, detail: str) -> None:
        """There is no connection."""
        self._links.all_gone(detail)

    def ended(self) -> None:
        """Forget what this connection has heard."""
        self._client = None
        self._alive.clear()
        self._links.forget()
        self._session.lost()
        for der in self._ders.values():
            der.turns.disconnected()

    async def _order(self, der: _Der, instruction: Instruction) -> Ack:
        client, source = self._client, der.settings.source
        if client is None or not der.turns.online:
            detail = f"{source} is not online at {self._settings.broker}; nothing was sent"
            return Ack.of(instruction, Outcome.UNDELIVERED, self._now(), detail)
        off, moves = self._off_grid(der, instruction)
        try:
            values, requested = self._written(der, instruction)
            if off is not None:
                name = terms.control_name(terms.DISCONNECT)
                values[der.settings.names.get(name, name)], requested[terms.DISCONNECT] = off, float(off)
            message = self._session.command(source, values, self._now())
        except PayloadError as error:
            return Ack.of(instruction, Outcome.REJECTED, self._now(), f"{error}; nothing was sent")
        der.order, der.requested, der.said = instruction, requested, Outcome.UNKNOWN
        der.turns.targeted = isinstance(instruction, Control) and instruction.target_w is not None
        lease_s = instruction.expiry_s - self._now() if isinstance(instruction, Control) else None
        der.turns.waiting = True
        try:
            client.send(message.topic, message.payload, expiry_s=lease_s)
            ack = await der.turns.settled(partial(self._judge_word, der, instruction), self._settings.timeout_s)
        finally:
            der.turns.waiting = False
        der.said = ack.outcome
        if off is not None and ack.outcome is Outcome.WRITTEN:
            der.is_off = off
        return replace(ack, disconnects=off is True and moves and ack.outcome not in (*ENDED.values(),))

    def _off_grid(self, der: _Der, instruction: Instruction) -> tuple[bool | None, bool]:
        """Whether the device is to be off the grid, nothing where that is left as it is; and whether that moves it."""
        held = terms.held(self._session, der.settings).get(terms.DISCONNECT)
        opens = instruction.grid_switch is GridSwitch.OPEN
        theirs = opens and held == 1 and not der.is_off  # whoever took it off the grid before may put it back
        if held is None or instruction.grid_switch is GridSwitch.LEAVE or theirs:
            return None, False
        return opens, held != float(opens)

    def _written(self, der: _Der, instruction: Instruction) -> tuple[dict[str, Value], dict[str, float | None]]:
        """Values by the device's names, and what they mean in our terms once they are rounded.

        Raises:
            PayloadError: The device has no metric for a term that matters.
        """
        asked, values, requested = terms.asked(instruction, self._now()), dict[str, Value](), dict[str, float | None]()
        for term in terms.TERMS:
            name = terms.control_name(term)
            theirs = der.settings.names.get(name, name)
            datatype = self._session.type_of(der.settings.source, theirs)
            if term == topics.TARGET and not der.turns.targeted and term not in asked:
                continue
            if datatype is None:
                if term in asked and term not in terms.OPTIONAL:
                    raise PayloadError(f"{der.settings.source} has no metric {theirs!r}")
                continue
            values[theirs] = terms.written(der.settings, term, asked.get(term), datatype)
            shown = Reading(theirs, values[theirs], None, 192)
            requested[term] = terms.read_number(der.settings, term, shown, self._session)
        named = der.settings.names.get(terms.CONTROL_ID, terms.CONTROL_ID)
        if self._session.type_of(der.settings.source, named) is not None:
            values[named] = instruction.control_id
        return values, requested

    def _judge_word(self, der: _Der, instruction: Instruction, *, last: bool) -> Ack:
        """What the device holds so far; a device that does something else when the time is up has refused."""
        ack = self._judge(der, instruction)
        return replace(ack, outcome=Outcome.REJECTED) if last and ack.outcome is Outcome.STARTED else ack

    def _judge(self, der: _Der, instruction: Instruction) -> Ack:
        """How far an instruction has come by what the device says of it and what it holds."""
        source = der.settings.source
        answer, in_force = terms.answer_of(self._session, der.settings), terms.held(self._session, der.settings)
        ours = answer is not None and (answer.control_id, answer.version) == (
            instruction.control_id,
            instruction.version,
        )
        different = terms.differing(der.requested, in_force)
        outcome, detail = Outcome.UNKNOWN, f"{source}: no answer within {self._settings.timeout_s:g} s"
        if ours and answer is not None and answer.status in ENDED:
            outcome, detail = ENDED[answer.status], answer.detail or answer.status.value
        elif der.turns.online and not different:
            outcome, detail = Outcome.WRITTEN, "in force, by the device's own metrics"
        elif ours and answer is not None:
            started = answer.status is AckStatus.STARTED
            outcome = Outcome.STARTED if started else Outcome.RECEIVED
            detail = f"the device obeys otherwise in {', '.join(different)}"
        shown = {term: value for term, value in der.requested.items() if value is not None}
        return Ack.of(instruction, outcome, self._now(), detail, requested=shown, read_back=in_force)

    def _handle(self, events: Iterable[Event]) -> None:
        for event in events:
            match event:
                case Born(source=source, readings=readings):
                    self._on_birth(source)
                    self._hear(source, readings)
                case Told(source=source, readings=readings):
                    self._hear(source, [reading for reading in readings if not reading.is_historical])
                case Died(source=source, detail=detail):
                    self._on_death(source, detail)
                case Refused(source=source, detail=detail):
                    for heard in [s for s in self._alive if source in (s, s.parent)]:
                        for resource in self._resources[heard]:
                            self._links.doubtful(resource, detail)
        self._flush()

    def _on_birth(self, source: Source) -> None:
        der = self._by_source.get(source)
        if der is None:
            return
        der.turns.online = True
        if not der.turns.baseline_told:
            der.turns.baseline_told = True
            in_force = {k: v for k, v in terms.held(self._session, der.settings).items() if k != topics.VERSION}
            self._emit([Baseline(der.settings.resource, in_force, self._now())])

    def _on_death(self, source: Source, detail: str) -> None:
        self._alive.discard(source)
        der = self._by_source.get(source)
        if der is not None:
            der.turns.online = False
        for resource in sorted(self._resources.get(source, ())):
            self._links.gone(resource, f"{detail} at {self._settings.broker}")

    def _hear(self, source: Source, readings: Sequence[Reading]) -> None:
        self._alive.add(source)
        self._tell(source, readings, held_on=False)
        for resource in sorted(self._resources.get(source, ())):
            self._links.heard(resource)
        der = self._by_source.get(source)
        if der is None or der.order is None:
            return
        if der.turns.waiting:
            der.turns.hear()
            return
        ack = self._judge(der, der.order)
        if ack.outcome not in (Outcome.UNKNOWN, der.said):
            der.said = ack.outcome
            self._emit([ack])

    def _tell(self, source: Source, readings: Sequence[Reading], *, held_on: bool) -> None:
        points, received_s = self._points.get(source, {}), self._now()
        signals: list[Signal] = [
            terms.measurement(point, scale, reading, received_s, held_on=held_on)
            for reading in readings
            for point, scale in points.get(reading.name, ())
        ]
        if signals:
            self._emit(signals)

    def _flush(self) -> None:
        if self._client is not None:
            for message in self._session.take():
                self._client.send(message.topic, message.payload, qos=message.qos, retain=message.retain)


def _nobody(_signals: Sequence[Signal]) -> None:
    """Before `run` there is nobody to tell."""
