"""The utility's side in memory: devices, programs, meters, responses, subscriptions; no I/O and no clock.

Everything here is a projection: it changes only by folding a `Record` (see `tree`) or by time passing over
the events of a program. Who may connect is changed in `enrolment`, which program reaches whom in `topology`.
"""

from collections.abc import Container
from dataclasses import dataclass, field
from heapq import heappop, heappush

from ieee2030_5 import events as life
from ieee2030_5 import grants
from ieee2030_5 import resources as r
from ieee2030_5.access import Access
from ieee2030_5.codec import Extension
from ieee2030_5.groups import BASE, Group
from ieee2030_5.identity import mrid_of, sfdi_of, short_id
from ieee2030_5.modes import Ratings, watts
from ieee2030_5.records import Issued
from ieee2030_5.settings import DeviceSettings, Edition, Profile, ServerSettings
from ieee2030_5.tariff import Tariff
from protocols.signals import Signal

_READABLE = 16
"""Longest resource id that goes into URIs as it is; EPRI's client wants them under 50 characters."""

_STORAGE = frozenset({80, 81})
"""DERType: other storage system, electric vehicle."""
_STORAGE_TARGET = 1 << 0
"""VPPControlType: bit of opModStorageTargetW."""


@dataclass(slots=True)
class Device:
    """One EndDevice and what its client put below it."""

    settings: DeviceSettings
    slug: str
    """Its name in URIs, stable for the life of the device."""
    registered_s: int | None
    """`None` until it is registered; then nobody sees it, not even itself."""
    changed_s: int
    category: str | None = None
    post_rate_s: int | None = None
    documents: dict[str, r.Resource] = field(default_factory=dict)
    """By URI: the four documents of the DER, and the connection point."""
    logs: dict[str, r.LogEvent] = field(default_factory=dict)
    subscriptions: dict[str, r.Subscription] = field(default_factory=dict)
    requests: dict[str, r.FlowReservationRequest] = field(default_factory=dict)
    grants: dict[str, r.FlowReservationResponse] = field(default_factory=dict)
    """By the last part of their URI, which is that of the request."""
    groups: tuple[str, ...] = ()
    """Names of the groups that it is in; those above them follow."""
    moves: int = 0
    """With the versions of its groups the version of its assignments: never falls, whatever group it moves to."""
    revision: int = 0
    """Bumped by every change below the device; rendered pages of an older revision are thrown away."""

    @property
    def href(self) -> str:
        """URI of the EndDevice."""
        return f"/edev/{self.slug}"

    @property
    def ratings(self) -> Ratings:
        """What percentages count from: the device's own DERSettings where it has sent them."""
        sent = self.documents.get(f"{self.href}/der/1/derg")
        max_w, charge_w = self.settings.max_w, max(0.0, -self.settings.min_w)
        if isinstance(sent, r.DERSettings):
            max_w = watts(sent.setMaxW) or max_w
            charge_w = watts(sent.setMaxChargeRateW) if sent.setMaxChargeRateW else charge_w
        return Ratings(max_w, charge_w, self._takes_storage_target)

    @property
    def _takes_storage_target(self) -> bool:
        """True where all of the device is storage and it says that it takes a target as such.

        Beside anything else, the power of the storage would not be that of the resource.
        """
        nameplate = self.documents.get(f"{self.href}/der/1/dercap")
        return (
            self.settings.profile is Profile.CSIP_AUS_STORAGE
            and isinstance(nameplate, r.DERCapability)
            and nameplate.type in _STORAGE
            and bool(int(nameplate.vppModesSupported or "0", 16) & _STORAGE_TARGET)
        )


@dataclass(slots=True)
class Program:
    """One DERProgram: its default, its events and the responses to them."""

    slug: str
    mrid: str
    primacy: int
    group: str
    """Whose program it is; empty for the own program of the device of the same slug. Nobody else sees it."""
    default: r.DefaultDERControl
    description: str = "Operating envelope"
    assignment: str = BASE
    """Name of the FunctionSetAssignments that it is listed in."""
    version: int = 0
    events: life.Events = ()
    curves: dict[str, r.DERCurve] = field(default_factory=dict)
    """By the last part of their URI; none ever changes."""
    created_s: int = 0
    """creationTime of the newest event; creation times of one program never repeat, they break ties."""
    responses: dict[str, r.Response] = field(default_factory=dict)
    revision: int = 0

    @property
    def href(self) -> str:
        """URI of the DERProgram."""
        return f"/derp/{self.slug}"

    def forget(self, issued: Container[str]) -> None:
        """Drop the responses to events that nobody remembers."""
        self.responses = {name: item for name, item in self.responses.items() if item.subject in issued}

    @property
    def reply_to(self) -> str:
        """Where clients post their Responses."""
        return f"/rsps/{self.slug}/rsp"


@dataclass(slots=True)
class Recent:
    """The newest readings of one series."""

    latest: r.Reading | None = None
    sets: dict[str, r.MirrorReadingSet] = field(default_factory=dict)
    """By the last part of their URI, the oldest first."""


@dataclass(slots=True)
class Meter:
    """One MirrorUsagePoint: who reports it and which series it has; the readings themselves are passed on."""

    owner: str
    document: r.MirrorUsagePoint
    series: dict[str, r.MirrorMeterReading] = field(default_factory=dict)
    """By mRID, with ReadingType and without readings."""


@dataclass(frozen=True, slots=True)
class Farewell:
    """A subscription that we have ended, and what its client has to be told of that."""

    href: str
    to: str
    resource: str
    status: int


@dataclass(slots=True)
class Utility:
    """All state of one server."""

    settings: ServerSettings
    server_lfdi: str
    devices: dict[str, Device] = field(default_factory=dict)
    """By slug."""
    lfdis: dict[str, str] = field(default_factory=dict)
    """Slug of the device with this certificate."""
    programs: dict[str, Program] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    """By name."""
    given: dict[str, DeviceSettings] = field(default_factory=dict)
    """What the zone file says about its own devices, by slug."""
    wards: dict[str, set[str]] = field(default_factory=dict)
    """Slugs of the devices that an aggregator speaks for, by its own."""
    poll_rates: dict[str, int] = field(default_factory=dict)
    """Where the operator has set one, by kind of resource."""
    post_rates: dict[str, int] = field(default_factory=dict)
    access: dict[str, Access] = field(default_factory=dict)
    """Of clients that are not simply admitted, by LFDI."""
    people: int = 0
    """Counts the changes of who is who and of what anyone may see."""
    layout: int = 0
    """Counts the changes of groups, programs, assignments and rates, which show in documents of many devices."""
    subscribers: int = 0
    """Devices that may subscribe."""
    listeners: dict[str, None] = field(default_factory=dict)
    """Slugs of the devices that have subscriptions."""
    farewells: dict[str, Farewell] = field(default_factory=dict)
    """By subscription; kept until they have arrived."""
    meters: dict[str, Meter] = field(default_factory=dict)
    recent: dict[str, dict[str, Recent]] = field(default_factory=dict)
    """The newest readings by slug of their meter and mRID of their series; telemetry, so no record holds them."""
    reports: dict[str, int] = field(default_factory=dict)
    """Counts what a client has said of its meters, by LFDI."""
    series: dict[str, str] = field(default_factory=dict)
    """Slug of the meter that reported a series last, by mRID; the meter may be gone."""
    reported: dict[str, dict[str, None]] = field(default_factory=dict)
    """Slugs of the meters that a client reports, by its LFDI, in the order in which they came."""
    issued: dict[str, Issued] = field(default_factory=dict)
    """By mRID, kept for `retention_s` after the end of the event."""
    endings: list[tuple[int, str]] = field(default_factory=list)
    """A heap of when which of them ends."""
    answered: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    """Status and time of the last Response to an event by the LFDI that it is about; kept as long as the event."""
    carriers: dict[tuple[str, str, int], str] = field(default_factory=dict)
    """mRID of the newest event of a control, by resource, control and version."""
    signals: list[Signal] = field(default_factory=list)
    """What clients have told us and nobody has taken yet."""
    rerated: set[str] = field(default_factory=set)
    """Resources whose ratings have changed since somebody took notice."""
    tariffs: dict[str, Tariff] = field(default_factory=dict)
    started_s: int = 0
    """Since when the server runs."""
    promises: list[tuple[int, str]] = field(default_factory=list)
    """A heap of when the grants of which device or the prices of which tariff change next, by URI."""
    timers: list[tuple[int, str]] = field(default_factory=list)
    """A heap of when which program changes next by itself; an entry may be outdated, then it does nothing."""

    def by_lfdi(self, lfdi: str) -> Device | None:
        """The device with this certificate, registered or not."""
        slug = self.lfdis.get(lfdi)
        return None if slug is None else self.devices[slug]

    def hosts(self, sfdi: int) -> bool:
        """Whether a registered device has this short identifier."""
        start = f"{sfdi // 10:09X}"  # the leftmost 36 bits of the LFDI; the last digit is a check
        found = (self.devices[slug] for lfdi, slug in self.lfdis.items() if lfdi.startswith(start))
        return any(device.registered_s is not None and sfdi_of(device.settings.lfdi) == sfdi for device in found)

    def by_resource(self, resource: str) -> Device | None:
        """The device that is this DER of the zone."""
        return self.devices.get(slug_of(resource))

    def is_subscribed(self, href: str) -> bool:
        """True while there is a subscription of this URI."""
        device = self.devices.get(href.removeprefix("/edev/").partition("/")[0])
        return device is not None and href in device.subscriptions

    def put_meter(self, slug: str, meter: Meter) -> None:
        """Hold a meter, in place of what was known of it."""
        self.meters[slug] = meter
        self.count_report(meter.owner)
        self.reported.setdefault(meter.owner, {})[slug] = None

    def drop_meter(self, slug: str) -> None:
        """Hold it no more."""
        meter = self.meters.pop(slug, None)
        self.recent.pop(slug, None)
        if meter is not None:
            del self.reported[meter.owner][slug]
            self.count_report(meter.owner)

    def count_report(self, lfdi: str) -> None:
        """Note that a client has said something of its meters: their pages have changed."""
        self.reports[lfdi] = self.reports.get(lfdi, 0) + 1

    def put_subscription(self, device: Device, subscription: r.Subscription) -> None:
        """Hold a subscription, new or renewed."""
        href = subscription.href or ""
        device.subscriptions[href] = subscription
        device.revision += 1
        self.listeners[device.slug] = None
        self.farewells.pop(href, None)

    def drop_subscription(self, device: Device, href: str, status: int = 0) -> None:
        """Hold it no more; its client has to be told where it was not the one who ended it."""
        ended = device.subscriptions.pop(href, None)
        self.farewells.pop(href, None)
        if ended is not None:
            device.revision += 1
            if status:
                self.farewells[href] = Farewell(href, ended.notificationURI, ended.subscribedResource, status)
        if not device.subscriptions:
            self.listeners.pop(device.slug, None)

    def poll_s(self, kind: str) -> int:
        """How often clients are asked to fetch a kind of resource."""
        return self.poll_rates.get(kind, self.settings.poll_rate_s)

    def post_s(self, kind: str, wanted: int | None) -> int:
        """How often clients are asked to post: what the operator has set, else what the client wants."""
        return self.post_rates.get(kind) or wanted or self.settings.post_rate_s

    def refuses(self, lfdi: str, now: int) -> bool:
        """True where a client is denied, or its time is over."""
        found = self.access.get(lfdi)
        return found is not None and not found.admits(now)

    def advance(self, now: int) -> list[str]:
        """Let time pass over all events; returns the slugs of the programs that changed."""
        while self.promises and self.promises[0][0] <= now:
            kind, _, name = heappop(self.promises)[1].removeprefix("/").partition("/")
            if kind == "edev" and name in self.devices:
                self.settle(self.devices[name], now)
            elif kind == "tp" and name in self.tariffs:
                self.settle_tariff(self.tariffs[name], now)
        changed = []
        while self.timers and self.timers[0][0] <= now:
            program = self.programs.get(heappop(self.timers)[1])
            due = life.next_change(program.events) if program else None
            if program is not None and due is not None and due <= now:
                program.events = life.advance(program.events, now)
                self.touch(program)
                changed.append(program.slug)
        if changed:
            self._forget(now - self.settings.retention_s)
            for slug in changed:
                self.programs[slug].forget(self.issued)
        return changed

    def settle(self, device: Device, now: int) -> None:
        """Let time pass over the grants of a device, and note when they change next."""
        device.grants = grants.advance(device.grants, now, device.settings.edition)
        device.revision += 1
        due = grants.next_change(device.grants, now, device.settings.edition)
        if due is not None:
            heappush(self.promises, (due, device.href))

    def settle_tariff(self, tariff: Tariff, now: int) -> None:
        """The same for the prices of a tariff; its clients may be of either edition, so what has ended lingers."""
        tariff.intervals = grants.advance(tariff.intervals, now, Edition.S2)
        tariff.prices = {name: tariff.prices[name] for name in tariff.intervals if name in tariff.prices}
        tariff.revision += 1
        due = grants.next_change(tariff.intervals, now, Edition.S2)
        if due is not None:
            heappush(self.promises, (due, tariff.href))

    def _forget(self, horizon: int) -> None:
        """Drop what ended before `horizon`."""
        while self.endings and self.endings[0][0] <= horizon:
            oldest = self.issued.pop(heappop(self.endings)[1], None)
            if oldest is None:
                continue
            self.answered.pop(oldest.mrid, None)
            key = (oldest.resource, oldest.control_id, oldest.version)
            if self.carriers.get(key) == oldest.mrid:
                del self.carriers[key]

    def remember(self, issued: Issued) -> None:
        """Note which control an event carries."""
        self.issued[issued.mrid] = issued
        heappush(self.endings, (issued.end_s, issued.mrid))
        key = (issued.resource, issued.control_id, issued.version)
        if issued.resource:
            self.carriers[key] = issued.mrid

    def goes_on(self, issued: Issued) -> bool:
        """True where a newer event carries the same control."""
        key = (issued.resource, issued.control_id, issued.version)
        return self.carriers.get(key, issued.mrid) != issued.mrid

    def take_rerated(self) -> list[str]:
        """Resources whose ratings have changed since the last call."""
        taken = sorted(self.rerated)
        self.rerated.clear()
        return taken

    @property
    def notifies(self) -> int:
        """`subscribable` of whatever changes: 1 where anyone may subscribe at all."""
        return int(self.subscribers > 0)

    def touch(self, program: Program) -> None:
        """Note that a program has changed, and when it will change by itself."""
        program.revision += 1
        due = life.next_change(program.events)
        if due is not None:
            heappush(self.timers, (due, program.slug))


def slug_of(resource: str) -> str:
    """The name of a resource in URIs."""
    return resource if len(resource) <= _READABLE else short_id("resource", resource)


def mrid(settings: ServerSettings, *what: object) -> str:
    """An mRID in the operator's name."""
    return mrid_of(settings.pen, settings.pen_encoding, *what)


def extension_of(device: Device) -> Extension:
    """Which CSIP-AUS elements the documents for this device carry."""
    return _EXTENSIONS[device.settings.profile]


_EXTENSIONS = {
    Profile.CSIP: Extension.NONE,
    Profile.CSIP_AUS: Extension.AUS,
    Profile.CSIP_AUS_STORAGE: Extension.STORAGE,
}


def sfdi(device: Device) -> int:
    """Its short identifier."""
    return sfdi_of(device.settings.lfdi)
