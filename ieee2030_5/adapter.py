"""The port of a 2030.5 utility server: devices fetch their controls here and report what they did."""

import asyncio
import logging
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from ieee2030_5 import emergencies, leases
from ieee2030_5 import resources as r
from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.endpoints import ADMIN
from ieee2030_5.admin.server import Service
from ieee2030_5.discovery import Discovery, addresses
from ieee2030_5.dnssd import Advertised, Responder
from ieee2030_5.enrolment import build
from ieee2030_5.exchange import Answer, Asked
from ieee2030_5.links import Links
from ieee2030_5.load import Allowances, too_frequent
from ieee2030_5.modes import CannotSayError, as_values, control_base, from_values
from ieee2030_5.notifier import Notifier, poster
from ieee2030_5.placing import regroup
from ieee2030_5.records import Keep, KeepError, Record
from ieee2030_5.server import Front
from ieee2030_5.settings import ServerSettings
from ieee2030_5.subscriptions import CHANGED, Notice
from ieee2030_5.tls import ServerTls, client_context, lfdi_of_file
from ieee2030_5.tree import Tree
from ieee2030_5.utility import Device
from protocols.port import Emit, Now
from protocols.signals import Ack, Baseline, Control, Instruction, Measurement, Outcome, Release, Signal

_LOG = logging.getLogger(__name__)
_TICK_S = 0.5
"""How late a change of status may be noticed; a GET is always exact."""
_REMEMBER_S = 10.0
"""How often it is kept what subscribers have been told: after a crash, so much of it is told twice at most."""
_RETRY_S = 30
"""Retry-After while nothing can be kept."""


class UtilityServer:
    """Serves the DERs of its settings; one `Adapter` for all of them.

    `apply` puts a control into the tree and answers `PUBLISHED`; what the client makes of it arrives
    through `emit` as `RECEIVED`, `STARTED`, `COMPLETED`, `REJECTED` or `SUPERSEDED`.
    """

    def __init__(
        self,
        settings: ServerSettings,
        now: Now,
        record: Keep = lambda _: None,
        acted: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Build the tree; listening begins with `run`.

        Args:
            settings: certificates, devices and rates.
            now: Unix seconds UTC.
            record: keeps each record before its effect is visible; raises `KeepError` where it cannot.
            acted: hears of each request of the operator that could change something.

        Raises:
            OSError: the server's certificate cannot be read.
            ValueError: the devices contradict each other.
        """
        self._settings = settings
        self._now = now
        self._tree = Tree(build(settings, lfdi_of_file(settings.certificate), int(now())), record)
        self._resources = frozenset(device.resource for device in settings.devices if not device.is_aggregator)
        self._links = Links(settings.poll_rate_s)
        self._versions: dict[str, int] = {}
        self._latest: dict[str, Instruction] = {}
        self._front = Front(self._reply, now, settings)
        self._allowances = Allowances(settings.requests_per_s, settings.requests_at_once)
        self._service = None if settings.admin is None else Service(ADMIN, self._desk, settings.admin, acted)
        self._urgent: set[str] = set()
        """Devices that may have an emergency program."""
        self._said_anew: dict[str, tuple[str, int]] = {}
        """The control of each device that was said anew last, after an emergency."""
        self._emit: Emit | None = None
        self._heard: set[str] = set()
        """LFDIs of the clients that have given a sign of life since the last tick."""
        self._ended: list[str] = []
        """Subscriptions given up and not yet taken out."""
        self._arrived: dict[str, str] = {}
        """Digests of what subscribers have been told, by subscription, that is not yet kept."""
        self._kept_s = 0.0
        self.listening = asyncio.Event()
        """Set while the port is open."""

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the DERs of the zone that are served; those that the operator registers besides are not the zone's."""
        return self._resources

    @property
    def port(self) -> int:
        """The TCP port in use, once `listening`."""
        return self._front.port

    @property
    def admin_port(self) -> int:
        """The TCP port of the admin API, once `listening`; 0 where there is none."""
        return 0 if self._service is None else self._service.port

    def _desk(self) -> Desk:
        now = int(self._now())
        self._tree.utility.advance(now)
        return Desk(self._tree, self._resources, now)

    def restore(self, records: Iterable[Record]) -> None:
        """Fold what `record` kept in an earlier life, oldest first; before `run`."""
        self._tree.restore(records)
        for issued in self._tree.utility.issued.values():
            self._versions[issued.resource] = max(issued.version, self._versions.get(issued.resource, 0))
        self._urgent.update(self._resources)
        self._tree.utility.advance(int(self._now()))

    def regroup(self, places: Mapping[str, Sequence[str]]) -> list[str]:
        """Put devices of the zone into the groups of its network; see `placing`.

        Raises:
            KeepError: it could not be kept; nobody has moved then.
        """
        return regroup(self._tree, places, int(self._now()))

    async def _be_found(self) -> None:
        """Answer DNS service discovery; a network that cannot be joined costs nothing else."""
        interface = self._settings.discovery
        name = socket.gethostname().split(".")[0] or "ampacity"
        advertised = Advertised(f"Ampacity {name}"[:63], name, addresses(interface), self.port)
        try:
            await Discovery(Responder(advertised, self._hosts), interface, self._now).run()
        except OSError as error:
            _LOG.warning("clients cannot find the server by DNS service discovery: %s", error)

    def _hosts(self, sfdi: int) -> bool:
        """Whether an EndDevice with this short identifier is registered here."""
        return self._tree.utility.hosts(sfdi)

    async def run(self, emit: Emit) -> None:
        """Serve until cancelled."""
        self._emit = emit
        files = (self._settings.certificate, self._settings.key, self._settings.authorities)
        tls = ServerTls(*files, faulty=_LOG.warning)
        emit([self._baseline(device) for device in map(self._tree.utility.by_resource, self.resources) if device])
        try:
            await self._front.start(self._settings.host, self._settings.port, lambda: tls.context(self._now()))
            if self._service is not None:
                await self._service.start()
            self.listening.set()
            async with poster(client_context(*files)) as post, asyncio.TaskGroup() as tasks:
                notifier = Notifier(post, self._is_wanted, self._ended.append, self._has_arrived)
                tasks.create_task(notifier.run())
                if self._settings.discovery:
                    tasks.create_task(self._be_found())
                while True:
                    await asyncio.sleep(_TICK_S)
                    self._tick(notifier)
        finally:
            self.listening.clear()
            self._emit = None
            with suppress(KeepError):
                # What is told once more after a restart is nothing new, but no harm either.
                self._keep_arrived()
            if self._service is not None:
                await self._service.stop()
            await self._front.stop()

    def _tick(self, notifier: Notifier) -> None:
        """What time alone brings: events begin and end, links fall silent, subscribers are told."""
        now = self._now()
        self._tree.utility.advance(int(now))
        self._heard.clear()
        self._tell([*self._links.check(now)])
        for subscription in self._tree.take_renewed():
            notifier.renewed(subscription)
        with suppress(KeepError):
            self._retire(int(now))
        with suppress(KeepError):
            # A subscription to something that is gone ends at the next tick at which that can be kept.
            while self._ended:
                self._tree.remove(self._ended[-1], int(now))
                self._ended.pop()
            for notice in self._tree.notices(int(now)):
                notifier.tell(notice)
            if now - self._kept_s >= _REMEMBER_S:
                self._keep_arrived()

    def _retire(self, now: int) -> None:
        """Take emergency programs out whose events have ended."""
        for resource in tuple(self._urgent):
            device = self._tree.utility.by_resource(resource)
            if device is None or emergencies.retired(self._tree, device, now):
                self._urgent.discard(resource)

    def _has_arrived(self, notice: Notice) -> None:
        self._arrived[notice.subscription] = notice.digest

    def _keep_arrived(self) -> None:
        """Keep what has arrived, so that a restart does not tell it again."""
        now = self._now()
        if self._arrived:
            self._tree.told(self._arrived, int(now))
            self._arrived.clear()
        self._kept_s = now

    def _is_wanted(self, notice: Notice) -> bool:
        """False for the news of a subscription that has ended; that it has ended is still told."""
        return notice.notification.status != CHANGED or self._tree.utility.is_subscribed(notice.subscription)

    async def apply(self, instruction: Instruction) -> Ack:
        """Put a control into the device's program, or take it out again."""
        device = self._tree.utility.by_resource(instruction.resource)
        if device is None or instruction.resource not in self.resources:
            return self._ack(instruction, Outcome.REJECTED, f"{instruction.resource} is not served here")
        latest = self._versions.get(instruction.resource, instruction.version)
        if instruction.version < latest:
            return self._ack(instruction, Outcome.SUPERSEDED, f"version {latest} is in force")
        try:
            ack = (
                self._release(device, instruction)
                if isinstance(instruction, Release)
                else self._offer(device, instruction)
            )
        except (CannotSayError, KeepError) as error:
            return self._ack(instruction, Outcome.REJECTED, str(error))
        self._versions[instruction.resource] = instruction.version
        self._latest[instruction.resource] = instruction
        return ack

    def _rerate(self) -> None:
        """Say standing controls anew where a device has changed what their percentages count from."""
        for resource in self._tree.utility.take_rerated():
            device, latest = self._tree.utility.by_resource(resource), self._latest.get(resource)
            if device is not None and isinstance(latest, Control) and latest.expiry_s > self._now():
                with suppress(CannotSayError, KeepError):
                    # The old event stays then, and the gateway hears of it when it refreshes the lease.
                    leases.offer(self._tree, device, latest, self._now())

    def _offer(self, device: Device, control: Control) -> Ack:
        if control.expiry_s <= self._now():
            return self._ack(control, Outcome.EXPIRED, f"expired at {control.expiry_s:.0f} s")
        if control.urgent:
            self._urgent.add(control.resource)
        made = leases.offer(self._tree, device, control, self._now())
        detail = f"{made.events} event(s) published, in force until {made.end_s}"
        if device.registered_s is None:
            detail += "; the device has not registered yet"
        values = as_values(made.base)
        return self._ack(control, Outcome.PUBLISHED, detail, values)

    def _release(self, device: Device, instruction: Release) -> Ack:
        if instruction.baseline:
            base = from_values(instruction.baseline)
        else:
            base = control_base(device.settings.default_limit, None, device.ratings, device.settings.profile)
        count = leases.release(self._tree, device, base, self._now())
        return self._ack(instruction, Outcome.PUBLISHED, f"{count} event(s) cancelled", as_values(base))

    def _ack(
        self, instruction: Instruction, outcome: Outcome, detail: str, requested: dict[str, float] | None = None
    ) -> Ack:
        return Ack(
            instruction.control_id,
            instruction.resource,
            instruction.version,
            outcome,
            self._now(),
            detail,
            requested or {},
        )

    def _baseline(self, device: Device) -> Baseline:
        base = self._tree.utility.programs[device.slug].default.base
        return Baseline(device.settings.resource, as_values(base), self._now())

    def _reply(self, lfdi: str, asked: Asked) -> Answer:
        wait_s = self._allowances.wait_s(lfdi, self._share(lfdi), asyncio.get_running_loop().time())
        if wait_s:
            return too_frequent(wait_s)
        now = self._now()
        try:
            answer = self._tree.answer(lfdi, asked, int(now))
        except KeepError as error:
            return Answer(503, headers={"Retry-After": str(_RETRY_S)}, detail=str(error))
        if self._tree.utility.rerated:
            self._rerate()
        changes: Sequence[Signal] = ()
        if lfdi not in self._heard:
            self._heard.add(lfdi)
            what = f"{asked.method} {asked.target[:80]}"
            seen = [self._links.seen(resource, what, now) for resource in self._spoken_for(lfdi)]
            changes = [change for change in seen if change is not None]
        if changes or self._tree.utility.signals:
            self._tell(changes)
        return answer

    def _share(self, lfdi: str) -> int:
        """How many devices a client may ask for."""
        utility = self._tree.utility
        return max(1, len(utility.wards.get(utility.lfdis.get(lfdi, ""), ())))

    def _spoken_for(self, lfdi: str) -> frozenset[str]:
        """Resources of which a request of this client is a sign of life."""
        device = self._tree.utility.by_lfdi(lfdi)
        if device is None:
            return frozenset()
        utility = self._tree.utility
        slugs = utility.wards[device.slug] if device.settings.is_aggregator else {device.slug}
        return (
            frozenset(utility.devices[slug].settings.resource for slug in slugs & utility.devices.keys())
            & self.resources
        )

    def _tell(self, links: Sequence[Signal]) -> None:
        """Hand over link changes and whatever clients of the zone have reported since; the gateway knows no others."""
        if self._emit is None:
            return
        said = [signal for signal in self._tree.utility.signals if _subject(signal) in self._resources]
        self._tree.utility.signals.clear()
        signals = [*links, *(signal for signal in said if not self._let_go(signal))]
        if signals:
            self._emit(signals)

    def _let_go(self, signal: Signal) -> bool:
        """True where a client took what follows an emergency for older than that, and the control was said anew.

        Once for each control: who lets go of it again has another reason.
        """
        if not isinstance(signal, Ack) or signal.outcome is not Outcome.SUPERSEDED:
            return False
        device, latest = self._tree.utility.by_resource(signal.resource), self._latest.get(signal.resource)
        key = (signal.control_id, signal.version)
        if device is None or not isinstance(latest, Control) or (latest.control_id, latest.version) != key:
            return False
        recent = signal.resource in self._urgent and not latest.urgent and latest.expiry_s > self._now()
        if not recent or self._said_anew.get(signal.resource) == key:
            return False
        self._said_anew[signal.resource] = key
        with suppress(CannotSayError, KeepError):
            leases.say_again(self._tree, device, latest, self._now())
            return True
        return False

    def default_of(self, resource: str) -> r.DefaultDERControl | None:
        """The DefaultDERControl of a device, for the operator."""
        device = self._tree.utility.by_resource(resource)
        return None if device is None else self._tree.utility.programs[device.slug].default


def _subject(signal: Signal) -> str:
    """The resource that a signal is about."""
    return signal.point.resource if isinstance(signal, Measurement) else signal.resource
