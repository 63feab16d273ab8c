"""EndDevices and what lies below them: registration, connection point, assignments, DER documents and logs."""

from dataclasses import replace

from ieee2030_5 import resources as r
from ieee2030_5.arrangements import Enrolled, Held, arranged
from ieee2030_5.call import (
    INVALID_VALUE,
    RESOURCE_LIMIT,
    Absent,
    Call,
    Kept,
    Params,
    Refused,
    not_in_future,
    own_device,
    own_devices,
)
from ieee2030_5.codec import Extension
from ieee2030_5.enrolment import withdraw
from ieee2030_5.groups import BASE
from ieee2030_5.identity import sfdi_of, short_id
from ieee2030_5.nmi import is_nmi
from ieee2030_5.paging import cut, paged
from ieee2030_5.readings import of_availability, of_capability, of_status
from ieee2030_5.settings import DeviceSettings
from ieee2030_5.topology import Assignment, assignment_version, assignments_of, programs_of
from ieee2030_5.utility import Device, Utility, extension_of, mrid, sfdi, slug_of


def end_device(device: Device, utility: Utility) -> r.EndDevice:
    """The document of one device."""
    href = device.href
    has_pin, is_der = device.settings.pin is not None, not device.settings.is_aggregator
    has_point = is_der and extension_of(device) > Extension.NONE
    may_subscribe = bool(device.settings.notify_hosts)
    return r.EndDevice(
        href=href,
        subscribable=utility.notifies,
        ConfigurationLink=r.Link(href=f"{href}/cfg"),
        DERListLink=r.ListLink(href=f"{href}/der", all=1) if is_der else None,
        deviceCategory=device.category,
        DeviceInformationLink=r.Link(href=f"{href}/di"),
        DeviceStatusLink=r.Link(href=f"{href}/dstat"),
        lFDI=device.settings.lfdi,
        LogEventListLink=r.ListLink(href=f"{href}/lel", all=len(device.logs)),
        PowerStatusLink=r.Link(href=f"{href}/ps"),
        sFDI=sfdi(device),
        changedTime=device.changed_s,
        enabled=True,
        FlowReservationRequestListLink=r.ListLink(href=f"{href}/frq", all=len(device.requests)) if is_der else None,
        FlowReservationResponseListLink=r.ListLink(href=f"{href}/frp", all=len(device.grants)) if is_der else None,
        FunctionSetAssignmentsListLink=(
            r.ListLink(href=f"{href}/fsa", all=len(assignments_of(utility, device))) if is_der else None
        ),
        postRate=utility.post_s("edev", device.post_rate_s),
        RegistrationLink=r.Link(href=f"{href}/rg") if has_pin else None,
        SubscriptionListLink=r.ListLink(href=f"{href}/sub", all=len(device.subscriptions)) if may_subscribe else None,
        ConnectionPointLink=r.Link(href=f"{href}/cp") if has_point else None,
    )


def own_der(call: Call) -> Device:
    """The device named in the URI, if it is one that is controlled: an aggregator itself is none."""
    device = own_device(call)
    if device.settings.is_aggregator:
        raise Absent(call.path)
    return device


def get_list(call: Call) -> r.EndDeviceList:
    """The devices that this client speaks for; empty for a stranger."""
    utility = call.utility
    ordered = sorted(own_devices(call), key=lambda device: (-device.changed_s, sfdi(device), device.href))
    whole = r.EndDeviceList(href="/edev", subscribable=utility.notifies, pollRate=utility.poll_s("edev"))
    return cut(whole, ordered, call.page, lambda device: device.changed_s, lambda device: end_device(device, utility))


def list_revision(call: Call) -> tuple[int, int, int]:
    """Of all devices that this client speaks for."""
    utility = call.utility
    revisions = sum(utility.devices[slug].revision for slug in call.principal.devices)
    return utility.people, utility.layout, revisions


def get(call: Call) -> r.EndDevice:
    """One device."""
    return end_device(own_device(call), call.utility)


def register(call: Call, body: r.Resource) -> Kept:
    """In-band registration: a configured device announces itself, or its aggregator does it."""
    lfdi = getattr(body, "lFDI", None) or call.principal.lfdi
    device = call.utility.by_lfdi(lfdi)
    agent = call.utility.by_lfdi(call.principal.lfdi)
    if device is None and agent is not None and agent.settings.may_enrol and agent.registered_s is not None:
        return _brought(call, body, agent, lfdi)
    if lfdi != call.principal.lfdi and (device is None or device.slug not in call.principal.wards):
        raise Refused(400, INVALID_VALUE, f"lFDI {lfdi} is not that of the certificate")
    if device is None:
        raise Refused(403, INVALID_VALUE, f"{lfdi} is not on the list of devices that may register")
    document = _checked(call, body, lfdi)
    if device.registered_s is not None:
        raise Refused(409, INVALID_VALUE, f"{lfdi} is registered already")
    return Kept(device.href, document, created=True)


def _brought(call: Call, body: r.Resource, agent: Device, lfdi: str) -> Kept:
    """An aggregator that may do so brings a device that nobody has registered; it is called by its LFDI."""
    document = _checked(call, body, lfdi)
    held = len(call.utility.wards[agent.slug])
    if held >= call.utility.settings.members:
        raise Refused(400, RESOURCE_LIMIT, f"{held} devices are the most for one aggregator")
    theirs = agent.settings
    settings = DeviceSettings(lfdi, lfdi, theirs.max_w, profile=theirs.profile, edition=theirs.edition, in_band=True)
    first = (arranged(Enrolled(settings), call.now), arranged(Held(theirs.resource, lfdi), call.now))
    return Kept(f"/edev/{slug_of(lfdi)}", document, created=True, first=first)


def put(call: Call, body: r.Resource) -> Kept:
    """A client may change its category and how often it posts; the rest is the server's."""
    device = own_device(call)
    return Kept(device.href, _checked(call, body, device.settings.lfdi), created=False)


def _checked(call: Call, body: r.Resource, lfdi: str) -> r.EndDevice:
    if not isinstance(body, r.EndDevice):
        raise Absent(call.path)
    if body.lFDI not in (None, lfdi) or body.sFDI != sfdi_of(lfdi):
        raise Refused(400, INVALID_VALUE, f"lFDI {body.lFDI} and sFDI {body.sFDI} are not those of the certificate")
    return r.EndDevice(
        lFDI=lfdi, sFDI=body.sFDI, changedTime=call.now, deviceCategory=body.deviceCategory, postRate=body.postRate
    )


def keep(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold an EndDevice."""
    device = utility.devices.get(params["e"])
    if device is None or not isinstance(document, r.EndDevice):
        return
    before = (device.registered_s, device.category, device.post_rate_s)
    device.registered_s = at_s if device.registered_s is None else device.registered_s
    device.category = document.deviceCategory or device.category
    device.post_rate_s = document.postRate or device.post_rate_s
    if before != (device.registered_s, device.category, device.post_rate_s):
        # Saying the same again must not move the device to the front of the list.
        device.changed_s = at_s
        device.revision += 1
        utility.people += 1


def drop(utility: Utility, params: Params, at_s: int) -> None:
    """Fold the removal of an EndDevice: everything it put below itself goes with it."""
    device = utility.devices.get(params["e"])
    if device is not None:
        withdraw(utility, device)
        device.changed_s = at_s


def registration(call: Call) -> r.Registration:
    """The PIN by which a device knows that this is its utility."""
    device = own_device(call)
    pin, since = device.settings.pin, device.registered_s
    if pin is None or since is None:
        raise Absent(call.path)
    poll = call.utility.poll_s("rg")
    return r.Registration(href=call.path, pollRate=poll, dateTimeRegistered=since, pIN=pin)


def put_registration(call: Call, body: r.Resource) -> Kept:
    """Some clients PUT the PIN that they were given; it is compared, not kept."""
    if not isinstance(body, r.Registration) or body.pIN != registration(call).pIN:
        raise Refused(400, INVALID_VALUE, "the PIN is not the one of this device")
    return Kept(call.path, None, created=False)


def connection_point(call: Call) -> r.ConnectionPoint:
    """CSIP-AUS: empty until the client has said where it is connected."""
    device = own_der(call)
    if extension_of(device) is Extension.NONE:
        raise Absent(call.path)
    kept = device.documents.get(call.path)
    number = kept.connectionPointId if isinstance(kept, r.ConnectionPoint) else ""
    return r.ConnectionPoint(href=call.path, connectionPointId=number)


def put_connection_point(call: Call, body: r.Resource) -> Kept:
    """Where the device is connected, by its National Metering Identifier."""
    connection_point(call)
    number = body.connectionPointId if isinstance(body, r.ConnectionPoint) else None
    if number is None or not is_nmi(number):
        raise Refused(400, INVALID_VALUE, f"{number!r} is not a connection point identifier")
    return Kept(call.path, body, created=call.path not in own_device(call).documents)


def assignments(call: Call) -> r.FunctionSetAssignmentsList:
    """Every device has one assignment at least, so that no client waits for the first control."""
    device = own_device(call)
    whole = r.FunctionSetAssignmentsList(
        href=f"{device.href}/fsa", subscribable=call.utility.notifies, pollRate=call.utility.poll_s("fsa")
    )
    found = assignments_of(call.utility, device)
    return paged(whole, [_assignment(call, device, item) for item in found], call.page)


def assignment(call: Call) -> r.FunctionSetAssignments:
    """One assignment."""
    device = own_der(call)
    for item in assignments_of(call.utility, device):
        if item.name == call.params["f"]:
            return _assignment(call, device, item)
    raise Absent(call.path)


def _assignment(call: Call, device: Device, item: Assignment) -> r.FunctionSetAssignments:
    href = f"{device.href}/fsa/{item.name}"
    kind = ("fsa", device.settings.resource) if item.name == BASE else ("fsa", device.settings.resource, item.name)
    return r.FunctionSetAssignments(
        href=href,
        DERProgramListLink=r.ListLink(href=f"{href}/derp", all=len(item.programs)),
        ResponseSetListLink=r.ListLink(href="/rsps", all=len(call.principal.programs)),
        TariffProfileListLink=r.ListLink(href="/tp", all=len(call.principal.tariffs)),
        TimeLink=r.Link(href="/tm"),
        subscribable=call.utility.notifies,
        mRID=mrid(call.utility.settings, *kind),
        description=item.description,
        version=assignment_version(call.utility, device) % 65_536,
    )


def ders(call: Call) -> r.DERList:
    """One DER stands for the whole device."""
    device = own_device(call)
    whole = r.DERList(href=f"{device.href}/der", pollRate=call.utility.poll_s("der"))
    return paged(whole, [_der(call, device)], call.page)


def der(call: Call) -> r.DER:
    """The DER."""
    return _der(call, own_device(call))


def _der(call: Call, device: Device) -> r.DER:
    href = f"{device.href}/der/1"
    programs = programs_of(call.utility, device)
    return r.DER(
        href=href,
        subscribable=call.utility.notifies,
        AssociatedDERProgramListLink=r.ListLink(href=f"{href}/derp", all=len(programs)),
        CurrentDERProgramLink=r.Link(href=f"{href}/cdp"),
        DERAvailabilityLink=r.Link(href=f"{href}/dera"),
        DERCapabilityLink=r.Link(href=f"{href}/dercap"),
        DERSettingsLink=r.Link(href=f"{href}/derg"),
        DERStatusLink=r.Link(href=f"{href}/ders"),
    )


def get_document(call: Call) -> r.Resource:
    """What the client sent last, and nothing before that."""
    kept = own_device(call).documents.get(call.path)
    if kept is None:
        raise Absent(call.path)
    return kept


def put_document(call: Call, body: r.Resource) -> Kept:
    """Replace one of the four documents of a DER; status and availability are measurements too."""
    device = own_device(call)
    if isinstance(body, r.DeviceInformation) and body.lFDI != device.settings.lfdi:
        raise Refused(400, INVALID_VALUE, f"lFDI {body.lFDI} is not that of the device")
    for field in ("readingTime", "updatedTime", "changedTime"):
        not_in_future(call, getattr(body, field, 0), field)
    if isinstance(body, r.DERSettings) and body.setMaxW.value <= 0:
        raise Refused(400, INVALID_VALUE, "setMaxW must be above zero")
    if isinstance(body, r.DERCapability):
        call.utility.signals.extend(of_capability(body, device.settings.resource, call.now))
    if isinstance(body, r.DERStatus):
        call.utility.signals.extend(of_status(body, device.settings.resource, call.now))
    if isinstance(body, r.DERAvailability):
        call.utility.signals.extend(of_availability(body, device.settings.resource, call.now))
    return Kept(call.path, body, created=call.path not in device.documents)


def keep_document(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold one of the documents below a device."""
    device = utility.devices.get(params["e"])
    if device is not None:
        before = device.ratings
        device.documents[document.href or ""] = document
        device.revision += 1
        if device.ratings != before:
            utility.rerated.add(device.settings.resource)


def logs(call: Call) -> r.LogEventList:
    """The newest first."""
    device = own_device(call)
    href = f"{device.href}/lel"
    items = [replace(item, href=f"{href}/{name}") for name, item in device.logs.items()]
    return paged(
        r.LogEventList(href=href, subscribable=call.utility.notifies, pollRate=call.utility.poll_s("lel")),
        items,
        call.page,
    )


def log(call: Call) -> r.LogEvent:
    """One log event."""
    found = own_device(call).logs.get(call.params["l"])
    if found is None:
        raise Absent(call.path)
    return replace(found, href=call.path)


def post_log(call: Call, body: r.Resource) -> Kept:
    """Kept once, however often it is posted."""
    device = own_device(call)
    if not isinstance(body, r.LogEvent):
        raise Absent(call.path)
    name = short_id("lel", body.createdDateTime, body.logEventID, body.functionSet, body.logEventCode, body.details)
    return Kept(f"{device.href}/lel/{name}", body, created=True)


def keep_log(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a log event; the oldest goes when the list is full."""
    device = utility.devices.get(params["e"])
    if device is not None and isinstance(document, r.LogEvent):
        device.logs[params["l"]] = document
        while len(device.logs) > utility.settings.log_events:
            del device.logs[min(device.logs, key=lambda name: device.logs[name].createdDateTime)]
        device.revision += 1


def drop_log(utility: Utility, params: Params, at_s: int) -> None:  # noqa: ARG001
    """Fold the removal of a log event."""
    device = utility.devices.get(params["e"])
    if device is not None:
        device.logs.pop(params["l"], None)
        device.revision += 1


def revision(call: Call) -> tuple[int, int, int]:
    """Of the device named in the URI and of what it shares with others."""
    return own_device(call).revision, call.utility.layout, call.utility.people
