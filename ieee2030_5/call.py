"""One request as the handlers see it: who asks, what for, on which state and when."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ieee2030_5.codec import Extension
from ieee2030_5.paging import Page
from ieee2030_5.records import Arranged
from ieee2030_5.resources import Resource
from ieee2030_5.settings import Edition
from ieee2030_5.topology import chain, programs_of_all
from ieee2030_5.utility import Device, Meter, Program, Utility, extension_of

Params = Mapping[str, str]
"""The variable parts of a URI by name."""

INVALID_FORMAT, INVALID_VALUE, RESOURCE_LIMIT, NO_CONDITION, TOO_FREQUENT = range(5)
"""Error.reasonCode."""


class Refused(Exception):  # noqa: N818  (a verdict, not a defect)
    """The request is answered with a 4xx."""

    def __init__(self, status: int, reason: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.reason, self.detail = status, reason, detail
        self.headers = dict(headers or {})


class Absent(Refused):
    """There is no such resource, or none that this client may know of; nobody can tell the two apart."""

    def __init__(self, path: str) -> None:
        super().__init__(404, INVALID_VALUE, f"no resource at {path}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is at the other end of the TLS connection, and which devices it speaks for."""

    lfdi: str
    devices: frozenset[str]
    """Slugs of its registered devices; empty for a stranger."""
    wards: frozenset[str] = frozenset()
    """Slugs of all devices it speaks for, registered or not."""
    programs: frozenset[str] = frozenset()
    """Slugs of the programs that apply to one of its devices."""
    tariffs: frozenset[str] = frozenset()
    """Slugs of the tariffs of the groups that one of its devices is in."""
    aus: Extension = Extension.NONE
    """Which CSIP-AUS elements its documents carry."""
    edition: Edition = Edition.S1
    """What event statuses it knows, and which level its documents are of."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request."""

    utility: Utility
    principal: Principal
    path: str
    now: int
    params: Params = field(default_factory=dict)
    page: Page = field(default_factory=Page)
    subscribable: Callable[[str], bool] = lambda _: False
    """Whether this client can see a path and be told of its changes."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a PUT or POST leaves behind."""

    href: str
    document: Resource | None
    """`None` where there was nothing to change."""
    created: bool
    first: tuple[Arranged, ...] = ()
    """What has to be arranged before the document has a place."""


def principal_of(utility: Utility, lfdi: str) -> Principal:
    """What a client with this certificate may see now."""
    device = utility.by_lfdi(lfdi)
    if device is None:
        return Principal(lfdi, frozenset())
    wards = frozenset({device.slug, *utility.wards.get(device.slug, ())}) & utility.devices.keys()
    devices = frozenset(slug for slug in wards if utility.devices[slug].registered_s is not None)
    return Principal(
        lfdi,
        devices,
        wards,
        frozenset(programs_of_all(utility, (utility.devices[slug] for slug in devices))),
        tariffs=_tariffs(utility, devices),
        aus=extension_of(device),
        edition=device.settings.edition,
    )


def _tariffs(utility: Utility, devices: frozenset[str]) -> frozenset[str]:
    if not utility.tariffs:
        return frozenset()
    groups = {group.name for slug in devices for group in chain(utility, utility.devices[slug])}
    return frozenset(slug for slug, tariff in utility.tariffs.items() if tariff.group in groups)


def anyone(call: Call) -> None:
    """Every client with a certificate that we trust."""


def expected(call: Call) -> None:
    """Clients that speak for at least one device, even where that has yet to register itself."""
    if not call.principal.wards:
        raise Absent(call.path)


def registered(call: Call) -> None:
    """Clients that speak for at least one registered device."""
    if not call.principal.devices:
        raise Absent(call.path)


def own_device(call: Call) -> Device:
    """The device named in the URI, if the client speaks for it."""
    slug = call.params["e"]
    if slug not in call.principal.devices:
        raise Absent(call.path)
    return call.utility.devices[slug]


def own_devices(call: Call) -> list[Device]:
    """All devices that the client speaks for."""
    return [call.utility.devices[slug] for slug in sorted(call.principal.devices)]


def own_programs(call: Call) -> list[Program]:
    """All programs that apply to one of its devices."""
    return [call.utility.programs[slug] for slug in call.principal.programs]


def own_program(call: Call) -> Program:
    """The program named in the URI, if it applies to one of the client's devices."""
    slug = call.params["p"]
    if slug not in call.principal.programs:
        raise Absent(call.path)
    return call.utility.programs[slug]


def own_meters(call: Call) -> dict[str, Meter]:
    """The meters that the client itself reports."""
    utility = call.utility
    return {slug: utility.meters[slug] for slug in utility.reported.get(call.principal.lfdi, ())}


def own_meter(call: Call) -> Meter:
    """The meter named in the URI, if the client reports it."""
    meter = call.utility.meters.get(call.params["m"])
    if meter is None or meter.owner != call.principal.lfdi:
        raise Absent(call.path)
    return meter


def speaks_for(call: Call, lfdi: str) -> bool:
    """True for an LFDI that the client may write into documents."""
    return call.utility.lfdis.get(lfdi) in call.principal.devices


def not_in_future(call: Call, at_s: int, name: str) -> None:
    """Refuse a time stamp that lies more than five minutes ahead."""
    if at_s > call.now + 300:
        raise Refused(400, INVALID_VALUE, f"{name} {at_s} lies ahead of the server's clock {call.now}")
