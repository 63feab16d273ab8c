"""Devices, aggregators, access and meters: what the operator does about clients."""

from dataclasses import replace
from itertools import islice

from ieee2030_5 import resources as r
from ieee2030_5.access import Access, Admission
from ieee2030_5.admin import words as w
from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.arrangements import Admitted, Enrolled, Held, Placed, arranged, together
from ieee2030_5.enrolment import fault_of
from ieee2030_5.records import Arranged
from ieee2030_5.settings import DeviceSettings
from ieee2030_5.topology import assignments_of, programs_of
from ieee2030_5.utility import Device, sfdi, slug_of
from protocols.signals import Bounds


def seen(desk: Desk, device: Device) -> w.DeviceOut:
    """A device as the operator sees it."""
    utility, settings = desk.utility, device.settings
    point = device.documents.get(f"{device.href}/cp")
    programs = [] if settings.is_aggregator else programs_of(utility, device)
    members = [utility.devices[slug] for slug in sorted(utility.wards.get(device.slug, ())) if slug in utility.devices]
    agents = [utility.devices[name] for name, wards in utility.wards.items() if device.slug in wards]
    return w.DeviceOut(
        name=settings.resource,
        href=device.href,
        lfdi=settings.lfdi,
        sfdi=sfdi(device),
        aggregator=settings.is_aggregator,
        of_zone=settings.resource in desk.of_zone,
        profile=settings.profile,
        edition=settings.edition,
        has_pin=settings.pin is not None,
        in_band=settings.in_band,
        registered_s=device.registered_s,
        max_w=settings.max_w,
        min_w=settings.min_w,
        notify_hosts=sorted(settings.notify_hosts),
        groups=[*device.groups],
        members=[member.settings.resource for member in members],
        aggregators=[agent.settings.resource for agent in agents],
        assignments=[] if settings.is_aggregator else [item.name for item in assignments_of(utility, device)],
        programs=[
            w.ProgramSeen(
                name=program.slug,
                href=program.href,
                group=program.group,
                primacy=program.primacy,
                description=program.description,
                assignment=program.assignment,
            )
            for program in sorted(programs, key=lambda item: (item.primacy, item.slug))
        ],
        subscriptions=len(device.subscriptions),
        category=device.category,
        connection_point=point.connectionPointId if isinstance(point, r.ConnectionPoint) else None,
    )


def listed(desk: Desk, start: int, limit: int) -> w.DeviceList:
    """A page of all clients."""
    devices = desk.utility.devices
    page = [seen(desk, device) for device in islice(devices.values(), start, start + limit)]
    return w.DeviceList(all=len(devices), devices=page)


def register(desk: Desk, name: str, what: w.DeviceIn) -> w.DeviceOut:
    """Register a device, or change what is known about one."""
    return _enrol(desk, _settings(name, what))


def register_all(desk: Desk, what: w.DevicesIn) -> w.Count:
    """Register many devices at once and put them into their groups: all of them, or none."""
    names, lfdis = set[str](), set[str]()
    records: list[Arranged] = []
    for item in what.devices:
        given = w.DeviceIn.model_validate(item.model_dump(exclude={"name", "groups"}))
        settings = _checked(desk, _settings(item.name, given))
        if slug_of(item.name) in names or settings.lfdi in lfdis:
            raise Refusal(400, f"{item.name} or its certificate is there twice", "devices", "name every device once")
        names.add(slug_of(item.name))
        lfdis.add(settings.lfdi)
        records.append(arranged(Enrolled(settings), desk.now))
        if item.groups:
            for group in item.groups:
                desk.group(group)
            records.append(arranged(Placed(item.name, tuple(dict.fromkeys(item.groups))), desk.now))
    desk.tree.arrange(together(records, desk.now))
    return w.Count(count=len(names))


def _settings(name: str, what: w.DeviceIn) -> DeviceSettings:
    return DeviceSettings(
        resource=name,
        lfdi=what.lfdi.upper(),
        max_w=what.max_w,
        min_w=what.min_w,
        pin=what.pin,
        profile=what.profile,
        edition=what.edition,
        default_limit=Bounds(what.default_limit.floor_w, what.default_limit.ceiling_w),
        in_band=what.in_band,
        notify_hosts=what.notify_hosts,
        forward_is_generation=what.forward_is_generation,
    )


def register_aggregator(desk: Desk, name: str, what: w.AggregatorIn) -> w.DeviceOut:
    """Register an aggregator, or change what is known about one."""
    settings = DeviceSettings(
        resource=name,
        lfdi=what.lfdi.upper(),
        max_w=what.member_max_w,
        pin=what.pin,
        profile=what.profile,
        edition=what.edition,
        aggregator=True,
        may_enrol=what.may_enrol,
        in_band=what.in_band,
        notify_hosts=what.notify_hosts,
    )
    return _enrol(desk, settings)


def _enrol(desk: Desk, settings: DeviceSettings) -> w.DeviceOut:
    desk.arrange(Enrolled(_checked(desk, settings)))
    return seen(desk, desk.device(settings.resource))


def _checked(desk: Desk, settings: DeviceSettings) -> DeviceSettings:
    """What can be registered like this, with what is known already and was left out."""
    slug, known = slug_of(settings.resource), desk.utility.by_resource(settings.resource)
    holder = desk.utility.by_lfdi(settings.lfdi)
    if holder is not None and holder is not known:
        problem = f"certificate {settings.lfdi} is that of {holder.settings.resource}"
        raise Refusal(409, problem, "lfdi", "remove that device first, or give the LFDI of this one's certificate")
    if known is None and slug in desk.utility.programs:
        raise Refusal(409, f"a program is called {settings.resource}", "name", "choose another name")
    given = desk.utility.given.get(slug)
    if given is not None and given.lfdi.upper() != settings.lfdi:
        problem = f"the certificate of {settings.resource} stands in the zone file"
        raise Refusal(409, problem, "lfdi", "change it there, and start the gateway again")
    if known is not None and known.settings.is_aggregator is not settings.is_aggregator:
        was = "an aggregator" if known.settings.is_aggregator else "a device"
        raise Refusal(409, f"{settings.resource} is {was}", "name", "remove it first, or choose another name")
    if known is not None:
        pin = known.settings.pin if settings.pin is None else settings.pin
        settings = replace(settings, pin=pin, members=known.settings.members)
    fault = fault_of(desk.utility, settings)
    if fault is not None:
        raise Refusal(400, fault, "default_limit", "leave it out, or use the profile csip_aus")
    return settings


def set_pin(desk: Desk, name: str, what: w.PinIn) -> w.DeviceOut:
    """Give a client its registration PIN."""
    device = desk.device(name)
    desk.arrange(Enrolled(replace(device.settings, pin=what.pin)))
    return seen(desk, device)


def set_registration(desk: Desk, name: str, what: w.RegistrationIn) -> w.DeviceOut:
    """Register a known client, or end its registration: what it has put below itself goes then."""
    device = desk.device(name)
    if what.registered and device.registered_s is None:
        desk.arrange(Enrolled(replace(device.settings, in_band=False)))
    elif not what.registered and device.registered_s is not None:
        desk.tree.remove(device.href, desk.now)
    return seen(desk, device)


def remove(desk: Desk, name: str) -> None:
    """Forget a client and everything below it."""
    desk.end(Enrolled, desk.device(name).settings.resource)


def set_groups(desk: Desk, name: str, what: w.GroupsIn) -> w.DeviceOut:
    """Put a device into these groups and out of all others."""
    device = desk.device(name)
    _controlled(device)
    for group in what.groups:
        desk.group(group)
    desk.arrange(Placed(device.settings.resource, tuple(dict.fromkeys(what.groups))))
    return seen(desk, device)


def add_member(desk: Desk, aggregator: str, name: str) -> w.DeviceOut:
    """Let an aggregator speak for a device."""
    agent, device = _agent(desk, aggregator), desk.device(name)
    _controlled(device)
    desk.arrange(Held(agent.settings.resource, device.settings.resource))
    return seen(desk, agent)


def remove_member(desk: Desk, aggregator: str, name: str) -> None:
    """Let it speak for it no more."""
    agent, device = _agent(desk, aggregator), desk.device(name)
    if device.slug not in desk.utility.wards[agent.slug]:
        raise unknown("member", name, f"`ampacity der show {aggregator}` lists the members")
    desk.arrange(Held(agent.settings.resource, device.settings.resource, held=False))


def _agent(desk: Desk, name: str) -> Device:
    agent = desk.device(name)
    if not agent.settings.is_aggregator:
        raise Refusal(409, f"{name} is a device", "aggregator", "register the aggregator with its own certificate")
    return agent


def _controlled(device: Device) -> None:
    if device.settings.is_aggregator:
        name = device.settings.resource
        raise Refusal(409, f"{name} is an aggregator, no device", "name", "name a device that it speaks for")


def access(desk: Desk) -> w.AccessList:
    """Every client that is not simply admitted."""
    found = desk.utility.access.items()
    return w.AccessList(access=[_access(desk, lfdi, item) for lfdi, item in found])


def set_access(desk: Desk, lfdi: str, what: w.AccessIn) -> w.AccessOut:
    """Admit or deny a client, by its certificate; it may be unknown yet."""
    desk.arrange(Admitted(lfdi.upper(), what.state, what.until_s))
    return _access(desk, lfdi.upper(), desk.utility.access[lfdi.upper()])


def reset_access(desk: Desk, lfdi: str) -> None:
    """Admit a client as any other."""
    if lfdi.upper() not in desk.utility.access:
        raise unknown("decision about the certificate", lfdi, "`ampacity der access` lists them")
    desk.end(Admitted, lfdi.upper())


def _access(desk: Desk, lfdi: str, item: Access) -> w.AccessOut:
    device = desk.utility.by_lfdi(lfdi)
    name = None if device is None else device.settings.resource
    return w.AccessOut(lfdi=lfdi, device=name, state=Admission(item.state), until_s=item.until_s)


def meters(desk: Desk) -> w.MeterList:
    """Every mirrored meter."""
    utility = desk.utility
    found = []
    for slug, meter in utility.meters.items():
        owner, device = utility.by_lfdi(meter.owner), utility.by_lfdi(meter.document.deviceLFDI)
        found.append(
            w.MeterOut(
                href=f"/mup/{slug}",
                mrid=meter.document.mRID,
                owner=owner.settings.resource if owner else meter.owner,
                device=device.settings.resource if device else None,
                description=meter.document.description,
                series=len(meter.series),
            )
        )
    return w.MeterList(meters=found)


def clear_meters(desk: Desk, name: str | None) -> w.Count:
    """Forget all mirrored meters, or those that one client reports."""
    owner = None if name is None else desk.device(name).settings.lfdi
    found = [slug for slug, meter in desk.utility.meters.items() if owner in (None, meter.owner)]
    for slug in found:
        desk.tree.remove(f"/mup/{slug}", desk.now)
    return w.Count(count=len(found))
