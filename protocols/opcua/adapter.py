"""DERs and measured points of one OPC UA server behind the port."""

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, nan

from protocols.opcua import model
from protocols.opcua.client import GOOD, OpcUaClient
from protocols.opcua.errors import LinkDownError, NoAnswerError, OpcUaError, UnfitError
from protocols.opcua.session import Session
from protocols.opcua.settings import Connection, DerFolder, OpcUaSettings
from protocols.opcua.values import Reading
from protocols.points import Point
from protocols.port import Emit, Now
from protocols.signals import (
    MAY_HOLD,
    Ack,
    Baseline,
    Command,
    Control,
    GridSwitch,
    Instruction,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
    Release,
    Signal,
)

FIRST_PAUSE_S = 0.25
MISSES_TO_LOSE = 3
LOOK_AGAIN_S = 0.1
"""Pause between two looks at variables that do not yet hold what was written."""
ACTIVE_POWER = "ActivePower"
"""The one variable that every DER has."""


@dataclass(slots=True)
class _Der:
    """What outlives a connection, and what the present one found out."""

    folder: DerFolder
    wire: asyncio.Lock = field(default_factory=asyncio.Lock)
    latest: int = -1
    """Highest version asked for."""
    held_until_s: float = 0.0
    """End of the lease that the device holds from us."""
    unsettled: tuple[Instruction, Mapping[str, float]] | None = None
    """An instruction without an answer, and what it wrote: to be resolved by reading."""
    nodes: dict[str, str] = field(default_factory=dict)
    """NodeIds by variable; empty while there is no link."""
    kinds: dict[str, model.Kind] = field(default_factory=dict)
    """Types of the control's variables; empty until the baseline is known."""
    beats: int = 0
    is_off: bool = False
    """We have taken it off the grid."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one point comes from."""

    point: Point
    scale: float = 1.0


class OpcUaAdapter:
    """Reads one server by subscription, writes controls with their lease, and keeps the watchdogs moving.

    A control costs at most two deadlines: one write of all its variables, one read. Without a link
    nothing is sent and the outcome is `UNDELIVERED`; a write without an answer is resolved by reading,
    at once or after the link is back, and then reported through `emit`.
    """

    def __init__(
        self, settings: OpcUaSettings, now: Now, *, session: Callable[[Connection, Now], Session] = OpcUaClient
    ) -> None:
        """`session` makes a session that is not open yet; it may record it."""
        self._settings = settings
        self._now = now
        self._session = session
        self._ders = {der.resource: _Der(der) for der in settings.ders}
        self._operated = {mapped.point: mapped for mapped in settings.points if mapped.command}
        self._states = dict.fromkeys(sorted(settings.resources), LinkState.INIT)
        self._client: Session | None = None
        self._emit: Emit = _nobody
        self._sources: dict[str, list[_Source]] = {}
        self._jitter = random.Random(settings.url)

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the DERs and assets that this server speaks for."""
        return self._settings.resources

    async def run(self, emit: Emit) -> None:
        """Connect, subscribe, refresh and reconnect until cancelled."""
        self._emit = emit
        pause_s = FIRST_PAUSE_S
        while True:
            client = self._session(self._settings.connection, self._now)
            try:
                await client.open()
                await self._start(client)
                pause_s = FIRST_PAUSE_S
                await self._serve(client)
            except OpcUaError as error:
                self._set_links(self._states, LinkState.LOST, str(error))
            finally:
                self._forget()
                await client.close()
            await asyncio.sleep(pause_s * (0.5 + self._jitter.random() / 2))
            pause_s = min(2 * pause_s, self._settings.reconnect_max_s)

    async def apply(self, instruction: Instruction) -> Ack:
        """Write one control or release in one call, read it back and tell what holds."""
        der = self._ders.get(instruction.resource)
        if der is None:
            return self._ack(instruction, Outcome.REJECTED, f"{self._settings.url} has no such DER to control")
        if instruction.version < der.latest:
            return self._superseded(instruction, der)
        der.latest = instruction.version
        async with der.wire:
            if instruction.version < der.latest:
                return self._superseded(instruction, der)
            if isinstance(instruction, Control) and instruction.expiry_s <= self._now():
                return self._ack(instruction, Outcome.EXPIRED, "its lease had run out; nothing was sent")
            return await self._bring(der, instruction)

    @property
    def operates(self) -> frozenset[Point]:
        """Taps and switches that the server takes commands for."""
        return frozenset(self._operated)

    async def operate(self, command: Command) -> Ack:
        """Write one command; that it was carried out is shown by the point itself."""
        mapped, client, url = self._operated.get(command.point), self._client, self._settings.url
        asked = (command.command_id, command.point.resource, 0)
        if mapped is None:
            return Ack(*asked, Outcome.REJECTED, self._now(), f"{url} takes no command for {command.point}")
        if client is None:
            return Ack(*asked, Outcome.UNKNOWN, self._now(), f"no link to {url}; nothing was sent")
        if command.expiry_s <= self._now():
            return Ack(*asked, Outcome.EXPIRED, self._now(), "its time had run out; nothing was sent")
        try:
            await client.read([mapped.command])  # for the type of the variable
            codes = await client.write({mapped.command: command.value / mapped.scale})
        except UnfitError as error:
            return Ack(*asked, Outcome.REJECTED, self._now(), str(error))
        except OpcUaError as error:
            return Ack(*asked, Outcome.UNKNOWN, self._now(), str(error))
        code = codes[mapped.command]
        outcome = Outcome.WRITTEN if code == GOOD else Outcome.REJECTED
        return Ack(*asked, outcome, self._now(), f"wrote {command.value:g} to {mapped.command} at {url}: {code}")

    async def _bring(self, der: _Der, instruction: Instruction) -> Ack:
        client, nodes = self._client, der.nodes
        if client is None or not nodes:
            return self._ack(instruction, Outcome.UNDELIVERED, f"no link to {self._settings.url}; nothing was sent")
        requested, lacking = model.fitted(self._values(instruction), der.kinds)
        if lacking:
            detail = f"{der.folder.folder} lacks {', '.join(lacking)}; nothing was sent"
            return self._ack(instruction, Outcome.REJECTED, detail)
        opens = await self._opens(client, der, instruction)
        if not opens and instruction.grid_switch is GridSwitch.OPEN and not der.is_off:
            requested.pop(model.DISCONNECT, None)  # whoever took it off the grid before may put it back
        der.unsettled = None
        failure = ""
        refused: dict[str, str] = {}
        try:
            codes = await client.write({nodes[name]: value for name, value in requested.items()})
            refused = {name: codes[nodes[name]] for name in requested if codes[nodes[name]] != GOOD}
        except UnfitError as error:
            return self._ack(instruction, Outcome.REJECTED, str(error))
        except OpcUaError as error:
            failure = str(error)
        held = instruction.expiry_s if isinstance(instruction, Control) else 0.0
        der.held_until_s = max(der.held_until_s, held) if refused or failure else held
        if refused:
            return self._ack(instruction, Outcome.REJECTED, _list(refused), requested)
        ack = await self._settle(client, nodes, instruction, requested, failure)
        if ack.outcome is Outcome.UNKNOWN:
            der.unsettled = (instruction, requested)
        elif model.DISCONNECT in requested and ack.outcome is Outcome.WRITTEN:
            der.is_off = bool(requested[model.DISCONNECT])
        return replace(ack, disconnects=opens and ack.outcome in MAY_HOLD)

    async def _opens(self, client: Session, der: _Der, instruction: Instruction) -> bool:
        """Whether this instruction takes a device off the grid that is on it."""
        node = der.nodes.get(model.DISCONNECT)
        if instruction.grid_switch is not GridSwitch.OPEN or node is None or model.DISCONNECT not in der.kinds:
            return False
        try:
            (reading,) = await client.read([node])
        except OpcUaError:
            return True  # not known: then it is for us to put it back
        return not reading.value

    def _values(self, instruction: Instruction) -> dict[str, float]:
        if isinstance(instruction, Release):
            return model.release_values(instruction.baseline, instruction.version, self._now(), instruction.grid_switch)
        return model.control_values(instruction, self._settings.watchdog_s)

    async def _settle(
        self,
        client: Session,
        nodes: Mapping[str, str],
        instruction: Instruction,
        requested: Mapping[str, float],
        failure: str,
    ) -> Ack:
        """Read back until it equals what was written or the deadline passes; `failure` says why a write had no answer.

        A server in front of a slower controller shows the old values for a while, hence more than one look.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.timeout_s
        names = [*requested, *([model.RESULT] if model.RESULT in nodes else [])]
        while True:
            try:
                readings = await client.read([nodes[name] for name in names])
            except OpcUaError as error:
                return self._ack(instruction, Outcome.UNKNOWN, f"{failure}; {error}".lstrip("; "), requested)
            held = {name: r.value for name, r in zip(names, readings, strict=True) if r.value is not None}
            reason = model.verdict(held.pop(model.RESULT, None))
            differing = model.differing(requested, held)
            if reason or not differing or loop.time() + LOOK_AGAIN_S > until:
                break
            await asyncio.sleep(LOOK_AGAIN_S)
        where = f"{instruction.resource} at {self._settings.url}"
        if not differing and not reason:
            return self._ack(instruction, Outcome.WRITTEN, f"written and read back at {where}", requested, held)
        if failure:
            detail = f"{failure}; {', '.join(differing) or reason} at {where} not as written"
            outcome = Outcome.UNDELIVERED if model.VERSION in differing else Outcome.UNKNOWN
            return self._ack(instruction, outcome, detail, requested, held)
        detail = f"{where}: {reason or 'accepted, but reads back otherwise: ' + ', '.join(differing)}"
        return self._ack(instruction, Outcome.REJECTED, detail, requested, held)

    async def _start(self, client: Session) -> None:
        """Find every variable, report baselines, subscribe, and open the way for controls."""
        self._sources = {}
        for mapped in self._settings.points:
            self._sources.setdefault(mapped.node, []).append(_Source(mapped.point, mapped.scale))
        lost = [der for der in self._ders.values() if not await self._find(client, der)]
        refused = await client.subscribe(list(self._sources), self._settings.publishing_s, self._on_change)
        self._client = client
        await self._refresh(client)
        await self._resolve(client)
        bad = f"; refused: {_list(refused)}" if refused else ""
        online = [name for name in self._states if name not in {der.folder.resource for der in lost}]
        self._set_links(online, LinkState.ONLINE, f"{self._settings.url}: {len(self._sources)} nodes{bad}")
        for der in lost:
            self._set_links([der.folder.resource], LinkState.LOST, f"{der.folder.folder} holds no ActivePower")

    async def _find(self, client: Session, der: _Der) -> bool:
        """Browse one DER and read its control's variables; false where it is not there."""
        nodes = await client.variables(der.folder.folder)
        if ACTIVE_POWER not in nodes:
            return False
        names = [name for name in (*model.CONTROL, model.WATCHDOG) if name in nodes]
        readings = dict(zip(names, await client.read([nodes[name] for name in names]), strict=True))
        der.kinds = {name: r.kind for name, r in readings.items() if r.kind is not None and name in model.CONTROL}
        watchdog = readings.get(model.WATCHDOG)
        if watchdog is not None and watchdog.kind is None:
            del nodes[model.WATCHDOG]  # no counter: it has no number that could move
        der.beats = int(watchdog.value or 0) if watchdog is not None else 0
        der.nodes = nodes
        for name, quantity in model.MEASURED.items():
            if name in nodes:
                self._sources.setdefault(nodes[name], []).append(_Source(Point(der.folder.resource, quantity)))
        if der.kinds:
            values = {name: r.value for name, r in readings.items() if name in der.kinds and r.value is not None}
            self._emit([Baseline(der.folder.resource, values, self._now())])
        return True

    async def _serve(self, client: Session) -> None:
        """Refresh and beat until the link is lost, which raises."""
        loop = asyncio.get_running_loop()
        refresh_at = loop.time() + self._settings.refresh_s
        beat_at = loop.time()
        misses = lost = 0
        while True:
            await client.idle(min(refresh_at, beat_at) - loop.time())
            if client.sequence.lost > lost:  # what holds now replaces what was not heard
                lost, refresh_at = client.sequence.lost, loop.time()
            try:
                if loop.time() >= beat_at:
                    beat_at = loop.time() + self._settings.watchdog_s / 2
                    await self._beat(client)
                if loop.time() >= refresh_at:
                    refresh_at = loop.time() + self._settings.refresh_s
                    client.review()
                    await self._refresh(client)
                    await self._resolve(client)
                    misses = 0
                    self._set_links(self._in(LinkState.DEGRADED), LinkState.ONLINE, f"{self._settings.url} answers")
            except NoAnswerError as error:
                misses += 1
                if misses >= MISSES_TO_LOSE:
                    raise LinkDownError(f"{error}, {misses} times in a row") from error
                self._set_links(self._in(LinkState.ONLINE), LinkState.DEGRADED, str(error))

    async def _beat(self, client: Session) -> None:
        """Move the watchdog of every device that holds a lease from us."""
        beats: dict[str, float] = {}
        for der in self._ders.values():
            if model.WATCHDOG in der.nodes and der.held_until_s > self._now():
                der.beats = (der.beats + 1) % 2**31
                beats[der.nodes[model.WATCHDOG]] = float(der.beats)
        if beats:
            await client.write(beats)

    async def _refresh(self, client: Session) -> None:
        nodes = list(self._sources)
        readings = await client.read(nodes)
        self._on_change(list(zip(nodes, readings, strict=True)))

    async def _resolve(self, client: Session) -> None:
        """Settle by reading what a write left open, and look again for a DER that was not there."""
        for der in self._ders.values():
            if not der.nodes and ACTIVE_POWER in await client.variables(der.folder.folder):
                raise LinkDownError(f"{der.folder.folder} has appeared; reading the server anew")
            if der.unsettled is None or not der.nodes or der.wire.locked():
                continue
            instruction, requested = der.unsettled
            if isinstance(instruction, Control) and instruction.expiry_s <= self._now():
                ack = self._ack(instruction, Outcome.EXPIRED, "its lease ran out before it could be settled", requested)
            else:
                ack = await self._settle(client, der.nodes, instruction, requested, "earlier write without an answer")
            if ack.outcome is not Outcome.UNKNOWN and der.unsettled == (instruction, requested):
                der.unsettled = None
                self._emit([ack])

    def _on_change(self, batch: Sequence[tuple[str, Reading]]) -> None:
        received_s = self._now()
        self._emit([_measurement(s, r, received_s) for node, r in batch for s in self._sources[node]])

    def _forget(self) -> None:
        self._client = None
        for der in self._ders.values():
            der.nodes, der.kinds = {}, {}

    def _in(self, state: LinkState) -> list[str]:
        return [resource for resource, present in self._states.items() if present is state]

    def _set_links(self, resources: Iterable[str], state: LinkState, detail: str) -> None:
        changed = [resource for resource in resources if self._states[resource] is not state]
        self._states |= dict.fromkeys(changed, state)
        signals: list[Signal] = [LinkChanged(resource, state, self._now(), detail) for resource in changed]
        if signals:
            self._emit(signals)

    def _superseded(self, instruction: Instruction, der: _Der) -> Ack:
        return self._ack(instruction, Outcome.SUPERSEDED, f"version {der.latest} is newer; nothing was sent")

    def _ack(
        self,
        instruction: Instruction,
        outcome: Outcome,
        detail: str,
        requested: Mapping[str, float] | None = None,
        read_back: Mapping[str, float] | None = None,
    ) -> Ack:
        return Ack.of(instruction, outcome, self._now(), detail, requested=requested, read_back=read_back)


def _measurement(source: _Source, reading: Reading, received_s: float) -> Measurement:
    scaled = nan if reading.value is None else reading.value * source.scale
    return Measurement(
        point=source.point,
        value=scaled if isfinite(scaled) else 0.0,
        quality=reading.quality if isfinite(scaled) else Quality.BAD,
        source_time_s=received_s if reading.source_time_s is None else reading.source_time_s,
        received_time_s=received_s,
    )


def _list(statuses: Mapping[str, str]) -> str:
    """Names by what was said of them: `LimitMax, Version BadUserAccessDenied`."""
    by_status: dict[str, list[str]] = {}
    for name, status in statuses.items():
        by_status.setdefault(status, []).append(name)
    return "; ".join(f"{', '.join(names)} {status}" for status, names in by_status.items())


def _nobody(_signals: Sequence[Signal]) -> None:
    """Before `run` there is nobody to tell."""
