"""DNP3 by hand: what an outstation has and says of itself, its points by `AI7`, and controls of its outputs."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from protocols.dnp3.commands import AnalogCommand, AnalogForm, BinaryCommand, Command, Operation, Trip
from protocols.dnp3.errors import BusyError, UnsendableError
from protocols.dnp3.fragment import Function
from protocols.dnp3.headers import all_header, class_header
from protocols.dnp3.layouts import STATIC_GROUPS, Kind
from protocols.dnp3.master import MasterSession
from protocols.dnp3.master_words import LinkDead, MasterEvent, NoAnswer, Started, TaskDone, TaskOutcome
from protocols.dnp3.measure import quality_of
from protocols.dnp3.plan import Place, read_request
from protocols.dnp3.readings import TIME_UNKNOWN_MS, Attribute, Flag, Readings, Strings
from protocols.dnp3.settings import LETTERS, Dnp3Settings, place_at
from protocols.dnp3.wire import Wire, client_context, connect
from protocols.port import Now
from protocols.signals import Quality
from protocols.tool import Found, Heard, Item, ToolError, Work, Written, beside, number, same

T = TypeVar("T")

_NAMES: Final = {
    **{kind: letters for letters, kind in LETTERS.items()},
    Kind.FROZEN_COUNTER: "FCTR",
    Kind.FROZEN_ANALOG_INPUT: "FAI",
    Kind.OCTET_STRING: "STR",
}
"""Kinds as people write them; the last three can be listed, not asked for one by one."""
_ATTRIBUTES: Final = {252: "maker", 250: "model", 242: "version", 248: "serial", 246: "id", 243: "hardware"}
"""Device attributes (group 0) by variation."""
_ALL_ATTRIBUTES: Final = (0, 254, 0x00, 0, 0)
_CLASSES: Final = class_header(1) + class_header(2) + class_header(3)
_PROFILE: Final = {("AO", 87): "AO85", ("AO", 88): "AO85", ("BO", 17): "AO85", ("AO", 93): "AO92", ("BO", 18): "AO92"}
"""Outputs of IEEE 1815.2 that end by a reversion time, and its output."""
_SWITCHES: Final = {"AO85": "BO17", "AO92": "BO18"}
"""What puts a limit or target into force and starts its reversion time."""
_RATED_W: Final = (Kind.ANALOG_INPUT, 4)
"""Rated active power in the map of IEEE 1815.2."""
_OPERATIONS: Final[Mapping[str, tuple[Operation, Trip]]] = {
    "pulse_on": (Operation.PULSE_ON, Trip.NUL),
    "pulse_off": (Operation.PULSE_OFF, Trip.NUL),
    "close": (Operation.PULSE_ON, Trip.CLOSE),
    "trip": (Operation.PULSE_ON, Trip.TRIP),
}
"""What a binary output takes besides on and off."""
_GIVEN_UP_AFTER: Final = 2
"""Requests in a row without an answer."""
_SETTLE_S: Final = 0.2


async def use(settings: Dnp3Settings, now: Now, work: Work[T]) -> T:
    """Connect as a master that asks only when it is told to, do the work, and close.

    Raises:
        ToolError: no connection, no answer, or what the work raises.
    """
    tool = Dnp3Tool(settings, now)
    await tool.connect()
    return await beside(tool.serve(), work(tool))


class Dnp3Tool:
    """One connection to one outstation."""

    def __init__(self, settings: Dnp3Settings, now: Now) -> None:
        self._settings = settings
        self._now = now
        quiet = replace(settings.master, event_poll_s=None, integrity_s=None, unsolicited=False)
        self._session = MasterSession(quiet)
        self._wire = Wire(self._received)
        self._where = f"outstation {quiet.outstation} at {settings.host}:{settings.port}"
        self._held: dict[Place, Item] = {}
        self._identity: dict[str, str] = {}
        self._started = asyncio.Event()
        self._waiting: dict[int, asyncio.Future[TaskDone]] = {}
        self._failed = ""
        self._heard: Heard | None = None

    async def connect(self) -> None:
        """Open the connection.

        Raises:
            ToolError: nobody answers, or the other end is not trusted.
        """
        tls = self._settings.tls
        try:
            context = client_context(tls) if tls else None
            async with asyncio.timeout(self._settings.connect_s):
                await connect(self._settings, context, self._received, lambda _: self._wire)
        except ssl.SSLError as error:
            raise ToolError(f"{self._where}: no trusted connection: {error}; see the certificates") from error
        except TimeoutError as error:
            raise ToolError(f"{self._where}: connecting took longer than {self._settings.connect_s:g} s") from error
        except OSError as error:
            raise ToolError(f"{self._where}: {error}; see that host and port are right") from error

    async def serve(self) -> None:
        """Keep the session going until cancelled.

        Raises:
            ToolError: the outstation is silent, or has closed the connection.
        """
        self._session.connected(self._steady_s())
        try:
            while self._wire.is_open and not self._failed:
                self._wire.send(self._session.data_to_send())
                deadline_s = self._session.next_deadline()
                await self._wire.wait(None if deadline_s is None else max(0.0, deadline_s - self._steady_s()))
                self._handle(self._session.poll(self._steady_s()))
        finally:
            self._wire.close()
        raise ToolError(f"{self._where}: {self._failed or self._wire.error or 'it closed the connection'}")

    async def scan(self, found: Callable[[Found], None]) -> None:
        """Read everything, and tell what there is."""
        await self._started.wait()
        await self._request(bytes(_ALL_ATTRIBUTES))
        await self._outputs()
        master = self._settings.master
        rated = self._held.get(_RATED_W)
        is_der = {place_at(name) for name in ("AO87", "BO17", "AO85")} <= set(self._held)
        rated_w = rated.value if is_der and rated is not None and isinstance(rated.value, float | int) else None
        endpoint: dict[str, object] = {"outstation": master.outstation}
        offers = tuple(self._offers())
        if is_der:
            offers = ("the points of IEEE 1815.2 by which active power is limited", *offers)
        name = f"outstation {master.outstation}"
        found(Found(name, endpoint, self._identity, offers, rated_w or None, is_der=is_der))

    async def read(self, addresses: Sequence[str]) -> list[Item]:
        """Points as `AI7`; one that the outstation does not have is bad."""
        await self._started.wait()
        if not addresses:
            await self._outputs()
            return sorted(self._held.values(), key=lambda item: _order(item.address))
        places = [_place(address) for address in addresses]
        for place in places:
            self._held.pop(place, None)
        await self._request(read_request(places))
        return [
            self._held.get(place, Item(address, None, quality=Quality.BAD, note="the outstation has no such point"))
            for address, place in zip(addresses, places, strict=True)
        ]

    async def write(self, values: Mapping[str, str], lease_s: float | None) -> Written:
        """Operate outputs in one request, selected first unless the endpoint says otherwise; reversion times lead."""
        await self._started.wait()
        asked = dict(values)
        if lease_s is not None:
            asked = _leased(asked, lease_s)
        commands = [_command(address, text) for address, text in asked.items()]
        try:
            task = self._session.operate(commands, select=self._settings.select, now_s=self._steady_s())
        except (UnsendableError, BusyError) as error:
            raise ToolError(f"{self._where}: nothing was sent: {error}") from error
        done = await self._await(task)
        if done.outcome in {TaskOutcome.REFUSED, TaskOutcome.NOT_SENT}:
            raise ToolError(f"{self._where}: {done.detail}")
        await asyncio.sleep(_SETTLE_S)
        effective = await self.read([address for address, text in asked.items() if text not in _OPERATIONS])
        obeyed = done.outcome is TaskOutcome.DONE and all(
            same(number(item.address, asked[item.address]), item.value) for item in effective
        )
        more = ", ".join(f"{address}={text}" for address, text in asked.items() if address not in values)
        return Written(tuple(effective), f"{done.detail}{f', together with {more}' if more else ''}", obeyed)

    async def watch(self, addresses: Sequence[str], every_s: float, heard: Heard) -> None:
        """Everything once, then events as often as `every_s`; named points are read again each time."""
        heard(await self.read(addresses))
        wanted = {_place(address) for address in addresses}
        self._heard = heard
        while True:
            await asyncio.sleep(every_s)
            await self._request(read_request(wanted) if wanted else _CLASSES)

    def _steady_s(self) -> float:
        steady_s = asyncio.get_running_loop().time()
        self._session.utc_s = self._now() - steady_s
        return steady_s

    def _received(self, data: bytes) -> None:
        self._handle(self._session.receive(data, self._steady_s()))
        self._wire.send(self._session.data_to_send())

    def _handle(self, events: Sequence[MasterEvent]) -> None:
        for event in events:
            match event:
                case Readings() | Strings():
                    self._take({_place(item.address, listed=True): item for item in _items(event)})
                case Attribute(variation=variation, value=value) if variation in _ATTRIBUTES:
                    self._identity[_ATTRIBUTES[variation]] = value.decode("utf-8", errors="replace")
                case Started():
                    self._started.set()
                case TaskDone():
                    waiter = self._waiting.pop(event.task, None)
                    if waiter is not None and not waiter.done():
                        waiter.set_result(event)
                case NoAnswer() if event.in_a_row >= _GIVEN_UP_AFTER:
                    master = self._settings.master
                    self._failed = f"no answer to master {master.local}; see that both link addresses are right"
                case LinkDead():
                    self._failed = "it does not answer link status requests"

    def _take(self, items: Mapping[Place, Item]) -> None:
        self._held |= items
        if self._heard is not None:
            self._heard(list(items.values()))

    def _offers(self) -> Iterator[str]:
        counts = Counter(kind for kind, _ in self._held)
        for kind, count in counts.items():
            indices = [index for each, index in self._held if each is kind]
            letters = _NAMES[kind]
            yield f"{count} {kind.value.replace('_', ' ')}s, {letters}{min(indices)} to {letters}{max(indices)}"

    async def _outputs(self) -> None:
        """Read how the outputs stand, which many outstations leave out when everything is asked for."""
        await self._request(all_header(STATIC_GROUPS[Kind.BINARY_OUTPUT]))
        await self._request(all_header(STATIC_GROUPS[Kind.ANALOG_OUTPUT]))

    async def _request(self, objects: bytes) -> TaskDone:
        try:
            return await self._await(self._session.request(Function.READ, objects, self._steady_s()))
        except BusyError as error:
            raise ToolError(f"{self._where}: {error}") from error

    async def _await(self, task: int) -> TaskDone:
        waiter: asyncio.Future[TaskDone] = asyncio.get_running_loop().create_future()
        self._waiting[task] = waiter
        self._wire.changed.set()
        master = self._settings.master
        try:
            async with asyncio.timeout(master.queue_timeout_s + 2 * master.exchange_timeout_s):
                return await waiter
        except TimeoutError as error:
            raise ToolError(f"{self._where}: no end of the answer in time") from error


def _place(address: str, *, listed: bool = False) -> Place:
    if listed:
        letters = address.rstrip("0123456789")
        kind = next(kind for kind, name in _NAMES.items() if name == letters)
        return kind, int(address[len(letters) :])
    try:
        return place_at(address)
    except ValueError as error:
        raise ToolError(str(error)) from error


def _order(address: str) -> tuple[str, int]:
    letters = address.rstrip("0123456789")
    return letters, int(address[len(letters) :])


def _items(event: Readings | Strings) -> Iterator[Item]:
    letters = _NAMES.get(event.kind)
    if letters is None:
        return
    if isinstance(event, Strings):
        for index, text in zip(event.indices, event.values, strict=True):
            yield Item(f"{letters}{index}", text.decode("utf-8", errors="replace"))
        return
    writable = event.kind in {Kind.ANALOG_OUTPUT, Kind.BINARY_OUTPUT}
    for position, index in enumerate(event.indices):
        flags = event.flags[position]
        time_ms = None if event.times_ms is None else event.times_ms[position]
        yield Item(
            f"{letters}{index}",
            event.values[position],
            quality=quality_of(event.kind, flags),
            note=_told(flags),
            time_s=None if time_ms is None or time_ms == TIME_UNKNOWN_MS else time_ms / 1000,
            writable=writable,
        )


def _told(flags: int) -> str:
    """The flags that are set beyond being online; the upper ones differ by kind and are told as bits."""
    named = [flag.name.lower() for flag in _COMMON if flags & flag and flag.name is not None]
    odd = flags & 0x60
    return " ".join([*named, *([f"flags 0x{odd:02x}"] if odd else [])])


_COMMON: Final = (Flag.RESTART, Flag.COMM_LOST, Flag.REMOTE_FORCED, Flag.LOCAL_FORCED)


def _command(address: str, text: str) -> Command:
    kind, index = _place(address)
    if kind is Kind.ANALOG_OUTPUT:
        value = number(address, text)
        is_whole = value == int(value) and abs(value) < 2**31
        return AnalogCommand(index, value, AnalogForm.INT32 if is_whole else AnalogForm.FLOAT)
    if kind is not Kind.BINARY_OUTPUT:
        raise ToolError(f"{address} is no output; AO and BO can be written")
    if text in _OPERATIONS:
        return BinaryCommand(index, *_OPERATIONS[text])
    state = number(address, text)
    if state not in (0, 1):
        raise ToolError(f"{address} takes 0 or 1, on or off, or {', '.join(_OPERATIONS)}, not {text!r}")
    return BinaryCommand(index, Operation.LATCH_ON if state else Operation.LATCH_OFF)


def _leased(values: Mapping[str, str], lease_s: float) -> dict[str, str]:
    """The same with reversion times in front and the switches behind.

    Raises:
        ToolError: an output has no reversion time in the map of IEEE 1815.2.
    """
    timers: dict[str, str] = {}
    switches: set[str] = set()
    for address in values:
        timer = _PROFILE.get(_order(address))
        if timer is None:
            known = ", ".join(f"{letters}{index}" for letters, index in _PROFILE)
            raise ToolError(f"{address} has no reversion time ({known} have); give --yes instead of --lease")
        timers[timer] = str(round(lease_s))
        switches.add(_SWITCHES[timer])
    outputs = {address: text for address, text in values.items() if address not in switches}
    return timers | outputs | {switch: values.get(switch, "1") for switch in sorted(switches)}
