"""Who may connect: devices and aggregators as they are registered, change and go."""

from dataclasses import replace

from ieee2030_5 import resources as r
from ieee2030_5.access import Access, Admission
from ieee2030_5.groups import own_group
from ieee2030_5.modes import CannotSayError, control_base
from ieee2030_5.settings import DeviceSettings, ServerSettings
from ieee2030_5.subscriptions import ENDED
from ieee2030_5.topology import drop_group, place
from ieee2030_5.utility import Device, Program, Utility, mrid, slug_of


def build(settings: ServerSettings, server_lfdi: str, now: int) -> Utility:
    """The state before the first request: every configured device with a program of its own.

    Raises:
        ValueError: two devices share a certificate or a resource, or a default limit has no mode.
    """
    utility = Utility(settings, server_lfdi, started_s=now)
    utility.access = {lfdi: Access(Admission.DENIED) for lfdi in settings.denied}
    for item in settings.devices:
        if slug_of(item.resource) in utility.devices:
            raise ValueError(f"two devices are called {item.resource}")
        if item.lfdi.upper() in utility.lfdis:
            raise ValueError("two devices share one certificate (LFDI)")
        utility.given[slug_of(item.resource)] = item
        enrol(utility, item, now, ())
    return utility


def enrol(utility: Utility, item: DeviceSettings, at_s: int, birth: tuple[int, ...] | None = None) -> Device:
    """Register a client, or change what is known about one that is there.

    Certificate and ratings of a device of the zone are those of the zone file, also where it has changed
    since; and no other device takes a certificate that somebody has.

    Args:
        utility: the state to change.
        item: what the operator says about it.
        at_s: since when.
        birth: goes into the mRIDs of what is made for it, so that a device which comes back under the
            name of one that has gone gets none of the old ones; `at_s` where absent.

    Raises:
        ValueError: its dialect cannot say its default limit; nothing was changed then.
    """
    slug = slug_of(item.resource)
    given = utility.given.get(slug, item)
    item = replace(
        item,
        lfdi=given.lfdi.upper(),
        max_w=given.max_w,
        min_w=given.min_w,
        aggregator=given.aggregator,
        members=given.members,
    )
    device = utility.devices.get(slug)
    if device is None:
        device = Device(item, slug, None, at_s)
        if not item.is_aggregator:
            utility.programs[slug] = _own_program(utility, device, (at_s,) if birth is None else birth)
        utility.devices[slug] = device
    else:
        _release(utility, device)
        if item.lfdi != device.settings.lfdi:
            # Its client describes them anew under the new certificate.
            _drop_meters(utility, device.settings.lfdi)
        _count(utility, device, -1)
        device.settings, device.changed_s = item, at_s
    if device.registered_s is None and not item.in_band:
        device.registered_s = at_s
    device.revision += 1
    utility.lfdis.setdefault(item.lfdi, slug)
    _count(utility, device, 1)
    if item.is_aggregator:
        utility.wards.setdefault(slug, set()).update(map(slug_of, item.members))
    utility.people += 1
    return device


def fault_of(utility: Utility, item: DeviceSettings) -> str | None:
    """Why a client cannot be registered like this, if it cannot."""
    try:
        _own_program(utility, Device(item, slug_of(item.resource), None, 0), ())
    except ValueError as error:
        return str(error)
    return None


def hold(utility: Utility, aggregator: str, slug: str, *, held: bool) -> None:
    """Let an aggregator speak for a device, or no more."""
    wards = utility.wards.get(aggregator)
    if wards is None:
        return
    if held:
        wards.add(slug)
    else:
        wards.discard(slug)
    utility.devices[aggregator].revision += 1
    utility.people += 1


def dismiss(utility: Utility, slug: str) -> None:
    """Forget a client and everything below it: its documents, subscriptions, meters and own programs."""
    device = utility.devices.get(slug)
    if device is None:
        return
    withdraw(utility, device)
    _count(utility, device, -1)
    place(utility, device, ())
    drop_group(utility, own_group(slug))
    utility.programs.pop(slug, None)
    utility.wards.pop(slug, None)
    for wards in utility.wards.values():
        wards.discard(slug)
    _release(utility, device)
    del utility.devices[slug]
    utility.people += 1


def withdraw(utility: Utility, device: Device) -> None:
    """End a registration: the device stays known and may register again, what it put below itself goes."""
    device.registered_s, device.category, device.post_rate_s = None, None, None
    device.documents.clear()
    device.logs.clear()
    device.requests.clear()
    device.grants.clear()
    for href in tuple(device.subscriptions):
        utility.drop_subscription(device, href, ENDED)
    device.revision += 1
    utility.people += 1
    _drop_meters(utility, device.settings.lfdi)


def _release(utility: Utility, device: Device) -> None:
    """Its certificate is nobody's any more, unless another device had it first."""
    if utility.lfdis.get(device.settings.lfdi) == device.slug:
        del utility.lfdis[device.settings.lfdi]


def _drop_meters(utility: Utility, lfdi: str) -> None:
    for name in [n for n, meter in utility.meters.items() if lfdi in (meter.owner, meter.document.deviceLFDI)]:
        utility.drop_meter(name)


def _count(utility: Utility, device: Device, step: int) -> None:
    """Keep count of the devices that may subscribe: with the first one, documents say that they can be."""
    if device.settings.notify_hosts:
        utility.subscribers += step
        utility.layout += 1


def _own_program(utility: Utility, device: Device, birth: tuple[int, ...]) -> Program:
    resource, slug, settings = device.settings.resource, device.slug, utility.settings
    try:
        base = control_base(device.settings.default_limit, None, device.ratings, device.settings.profile)
    except CannotSayError as error:
        raise ValueError(f"default limit of {resource}: {error}") from error
    default = r.DefaultDERControl(
        href=f"/derp/{slug}/dderc",
        mRID=mrid(settings, "dderc", resource, *birth),
        description="Default limit",
        version=0,
        base=base,
    )
    return Program(slug, mrid(settings, "derp", resource, *birth), settings.primacy, "", default)
