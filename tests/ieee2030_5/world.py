"""A server with clients of every kind, each of which has put something everywhere that it can put something."""

import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

from ieee2030_5 import resources as r
from ieee2030_5.arrangements import Grouped, Placed, Priced, Programmed, arranged
from ieee2030_5.codec import Extension, parse, render
from ieee2030_5.curves import Shape, mint
from ieee2030_5.enrolment import build
from ieee2030_5.groups import GroupKind
from ieee2030_5.identity import mrid_of, sfdi_of
from ieee2030_5.leases import offer
from ieee2030_5.records import Issued, Record
from ieee2030_5.reservations import Offer, granted
from ieee2030_5.routes import ROUTES, match
from ieee2030_5.settings import DeviceSettings, Edition, Profile, ServerSettings
from ieee2030_5.tariffs import Price, priced
from ieee2030_5.tree import MEDIA_TYPE, Answer, Asked, Tree
from protocols.signals import Bounds, Control

T0 = 1_900_000_000
HOOK = "https://hook.example/ntfy"
LIVE = ("A", "B", "S", "M", "N")
"""DERs that are registered; M and N through the aggregator."""
CLIENTS = ("A", "B", "S", "AGG")
T = TypeVar("T")
UNSENT = frozenset({"dercap", "derg", "ders", "dera", "cfg", "di", "dstat", "ps"})
"""Last parts of links that may lead nowhere until the client has sent something."""


def lfdi(name: str) -> str:
    """The fingerprint of a client."""
    return sha256(f"client {name}".encode()).hexdigest()[:40].upper()


def settings() -> ServerSettings:
    """Devices of each profile and edition, an aggregator with two members, one that must register, one denied."""
    hosts = frozenset({"hook.example"})
    plain = DeviceSettings("B", lfdi("B"), 5_000, pin=123455, notify_hosts=hosts)
    devices = (
        replace(plain, resource="A", lfdi=lfdi("A"), min_w=-5_000, profile=Profile.CSIP_AUS, pin=111115),
        plain,
        replace(plain, resource="S", lfdi=lfdi("S"), profile=Profile.CSIP_AUS_STORAGE, edition=Edition.S2),
        replace(plain, resource="M", lfdi=lfdi("M"), profile=Profile.CSIP_AUS, pin=None),
        replace(plain, resource="N", lfdi=lfdi("N"), profile=Profile.CSIP_AUS, pin=None),
        replace(plain, resource="AGG", lfdi=lfdi("AGG"), profile=Profile.CSIP_AUS, members=frozenset({"M", "N"})),
        replace(plain, resource="C", lfdi=lfdi("C"), in_band=True),
        replace(plain, resource="D", lfdi=lfdi("D")),
    )
    nowhere = Path("unread.pem")
    return ServerSettings(nowhere, nowhere, nowhere, devices, denied=frozenset({lfdi("D")}), pen=37_250)


class Caller:
    """One client of the server."""

    def __init__(self, tree: Tree, name: str, now: int = T0) -> None:
        self.tree, self.name, self.lfdi, self.now = tree, name, lfdi(name), now

    def ask(self, method: str, target: str, body: bytes | object = b"", content_type: str = MEDIA_TYPE) -> Answer:
        """Send one request."""
        data = body if isinstance(body, bytes) else render(body, aus=Extension.STORAGE)
        return self.tree.answer(self.lfdi, Asked(method, target, MEDIA_TYPE, content_type, data), self.now)

    def get(self, target: str, cls: type[T]) -> T:
        """The document at a URI."""
        answer = self.ask("GET", target)
        assert answer.status == 200, (self.name, target, answer.detail)
        return parse(answer.body, (cls,))

    def walk(self) -> dict[str, bytes]:
        """Everything that links lead to from /dcap, lists as a whole."""
        found: dict[str, bytes] = {}
        waiting = ["/dcap"]
        while waiting:
            href = waiting.pop()
            if href in found:
                continue
            answer = self.ask("GET", f"{href}?l=255")
            if answer.status == 404 and (match(href) is None or href.rsplit("/", 1)[1] in UNSENT):
                continue  # nothing sent yet, or a link that a client has put into its own document
            assert answer.status == 200, (self.name, href, answer.detail)
            found[href] = answer.body
            waiting += [link.decode() for link in re.findall(rb'(?:href|replyTo)="([^"]+)"', answer.body)]
        return found


def power(value: int, mrid: str) -> r.MirrorMeterReading:
    """One series with one reading."""
    return r.MirrorMeterReading(
        mRID=mrid,
        reading=r.Reading(value=value, timePeriod=r.DateTimeInterval(duration=300, start=T0 - 300)),
        reading_sets=(
            r.MirrorReadingSet(
                mRID=mrid[::-1],
                timePeriod=r.DateTimeInterval(duration=600, start=T0 - 600),
                readings=(r.Reading(value=value + 1, localID="00"), r.Reading(value=value + 2, localID="01")),
            ),
        ),
        reading_type=r.ReadingType(flowDirection=19, powerOfTenMultiplier=0, uom=38, dataQualifier=2),
    )


def reservation(device: str) -> r.FlowReservationRequest:
    """A device wants to be charged within the next hour."""
    return r.FlowReservationRequest(
        mRID=sha256(f"frq {device}".encode()).hexdigest()[:32].upper(),
        creationTime=T0,
        energyRequested=r.SignedRealEnergy(multiplier=3, value=7),
        intervalRequested=r.DateTimeInterval(duration=3_600, start=T0),
        powerRequested=r.ActivePower(multiplier=3, value=11),
        request_status=r.RequestStatus(dateTime=T0, requestStatus=0),
    )


def grant(tree: Tree, name: str) -> None:
    """The operator lets a device have half of what it has asked for."""
    device = tree.utility.devices[name]
    for request in tuple(device.requests):
        made = granted(tree.utility, device, request, Offer(T0 + 40, 300, 3_500, 5_500), T0)
        tree.store(made.href or "", made, "", T0)


def samples(device: str, subject: str) -> dict[str, r.Resource]:
    """A valid document for each class that clients send, about one device; keys are names of classes."""
    me, watt = lfdi(device), r.ActivePower(multiplier=2, value=50)
    number = r.StatusNumber(dateTime=T0, value=1)
    meter = r.MirrorUsagePoint(
        mRID=sha256(f"mup {device}".encode()).hexdigest()[:32].upper(),
        roleFlags="49",
        serviceCategoryKind=0,
        status=1,
        deviceLFDI=me,
        meter_readings=(power(5, sha256(f"mmr {device}".encode()).hexdigest()[:32].upper()),),
    )
    documents: list[r.Resource] = [
        r.EndDevice(sFDI=sfdi_of(me), lFDI=me, changedTime=T0, deviceCategory="01", postRate=60),
        r.Registration(dateTimeRegistered=T0, pIN=111115 if device == "A" else 123455),
        r.ConnectionPoint(connectionPointId="4102335210"),
        r.DeviceInformation(
            lFDI=me,
            mfDate=T0,
            mfHwVer="1",
            mfID=37_250,
            mfModel="Inverter <&>",
            mfSerNum=device,
            primaryPower=1,
            secondaryPower=0,
            swActTime=T0,
            swVer="2",
        ),
        r.DeviceStatus(changedTime=T0, opState=2, temperatures=(r.Temperature(multiplier=0, subject=0, value=30),)),
        r.PowerStatus(batteryStatus=1, changedTime=T0, currentPowerSource=1),
        r.Configuration(currentLocale="en-CA", userDeviceName=f"Device {device}"),
        r.DERCapability(
            modesSupported="00100000", rtgMaxW=watt, type=4, doeModesSupported="0F", vppModesSupported="00"
        ),
        r.DERSettings(modesEnabled="00100000", setGradW=0, setMaxW=watt, updatedTime=T0, doeModesEnabled="0F"),
        r.DERStatus(
            alarmStatus="0000",
            genConnectStatus=r.StatusBits(dateTime=T0, value="07"),
            inverterStatus=number,
            readingTime=T0,
            stateOfChargeStatus=r.StatusPercent(dateTime=T0, value=5_000),
        ),
        r.DERAvailability(readingTime=T0, statWAvail=watt),
        r.LogEvent(createdDateTime=T0, functionSet=11, logEventCode=2, logEventID=1, logEventPEN=37_250, profileID=2),
        r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=me, status=1, subject=subject),
        r.Response(createdDateTime=T0 + 1, endDeviceLFDI=me, status=2, subject=subject),
        reservation(device),
        meter,
        meter.meter_readings[0],
        r.MirrorMeterReadingList(all=1, results=1, items=meter.meter_readings),
        r.Subscription(
            subscribedResource=f"/derp/{device}/derc", encoding=0, level="+S1", limit=1, notificationURI=HOOK
        ),
    ]
    return {type(document).__name__: document for document in documents}


def issue(tree: Tree, resource: str, version: int, start: int, target_w: float | None = None) -> str:
    """Let the gateway control a device, each version with a limit of its own; returns the mRID of the event."""
    device = tree.utility.by_resource(resource)
    assert device is not None
    limit, fallback = Bounds(ceiling_w=5_000 - 1_000 * version), Bounds(ceiling_w=1_500)
    control = Control(f"K{version}", resource, version, start, start + 900, limit, target_w, fallback)
    offer(tree, device, control, T0)
    return tree.utility.programs[device.slug].events[-1].mRID


def order(tree: Tree, program: str, number: int, start: int, base: r.DERControlBase, **more: object) -> r.DERControl:
    """Let the operator issue an event of a group's program."""
    held = tree.utility.programs[program]
    name = mrid_of(37_250, tree.utility.settings.pen_encoding, "order", program, number)
    event = r.DERControl(
        href=f"{held.href}/derc/{name[:16].lower()}",
        replyTo=held.reply_to,
        responseRequired="03",
        mRID=name,
        description=f"Order {number}",
        creationTime=max(T0, held.created_s + 1),
        status=r.EventStatus(currentStatus=0, dateTime=T0, potentiallySuperseded=False),
        interval=r.DateTimeInterval(duration=600, start=start),
        base=base,
        **more,  # type: ignore[arg-type]
    )
    tree.issue(Issued(name, program, "", "operator", 0, start + 600, T0))
    tree.store(event.href or "", event, "", T0)
    return event


def arrange(tree: Tree) -> None:
    """A feeder with A and M below it, its program with events in every state, and a program of a group of B alone."""
    for item in (
        Grouped("north", GroupKind.FEEDER, None, "North feeder"),
        Grouped("club", GroupKind.OTHER, None, "Volunteers"),
        Placed("A", ("north",)),
        Placed("M", ("north",)),
        Placed("B", ("club",)),
        Programmed("flex", "north", 40, "Flexibility"),
        Programmed("club", "club", 80, "Volunteers"),
        Priced("day", "north", 1, 124, -5, "Day and night"),
        Priced("clubday", "club", 1, 124, -5, "Day and night"),
        Placed("S", ("club",)),
    ):
        tree.arrange(arranged(item, T0))
    for slug in ("day", "clubday"):
        for start, duration in ((T0, 900), (T0 + 900, 900)):
            for document in priced(tree.utility, tree.utility.tariffs[slug], Price(start, duration, ((0, 12),)), T0):
                tree.store(document.href or "", document, "", T0)
    for program in ("flex", "club"):
        held = tree.utility.programs[program]
        curve = mint(tree.utility, held, Shape("opModVoltVar", ((92, 30), (108, -30)), y_reference=2), T0)
        tree.store(curve.href or "", curve, "", T0)
        order(tree, program, 1, T0, r.DERControlBase(opModMaxLimW=5_000))
        order(tree, program, 2, T0 + 30, r.DERControlBase(opModMaxLimW=4_000), randomizeStart=-10)
        order(tree, program, 3, T0 + 900, r.DERControlBase(opModVoltVar=r.Link(href=curve.href or "")))
        gone = order(tree, program, 4, T0 + 50, r.DERControlBase(opModConnect=False), randomizeDuration=60)
        tree.remove(gone.href or "", T0)


def populate(tree: Tree, name: str) -> dict[str, r.Resource]:
    """Put something everywhere for one device, as its client; returns what was sent."""
    caller = Caller(tree, "AGG" if name in ("M", "N") else name)
    issue(tree, name, 1, T0)
    subject = issue(tree, name, 2, T0 + 30)
    issue(tree, name, 3, T0 + 60, 1_000.0)
    sent = samples(name, subject)
    australian = tree.utility.devices[name].settings.profile is not Profile.CSIP
    for route in ROUTES:
        path = route.template.replace("{e}", name).replace("{p}", name)
        if "{" in path or (path.endswith("/cp") and not australian) or path == f"/edev/{name}":
            continue
        if path.endswith(("/rg", "/sub")) and caller.name == "AGG":
            continue
        for method, types in (("PUT", route.stores if route.put else ()), ("POST", route.takes)):
            for cls in types:
                if cls is not r.EndDevice:
                    answer = caller.ask(method, path, sent[cls.__name__])
                    assert answer.status in (201, 204), (method, path, answer)
    return sent


def subscribe(tree: Tree, name: str) -> None:
    """Subscribe one client to all that it sees and can subscribe to, up to what it may."""
    caller = Caller(tree, name)
    wanted = [href for href in sorted(caller.walk()) if (found := match(href)) is not None and found[0].tells]
    for href in wanted[:20]:
        body = r.Subscription(subscribedResource=href, encoding=0, level="+S1", limit=5, notificationURI=HOOK)
        assert caller.ask("POST", f"/edev/{name}/sub", body).status in (201, 204), href


def world(records: list[Record] | None = None) -> Tree:
    """All of it."""
    kept: list[Record] = [] if records is None else records
    tree = Tree(build(settings(), lfdi("server"), T0), kept.append)
    arrange(tree)
    for name in LIVE:
        populate(tree, name)
        grant(tree, name)
    for name in CLIENTS:
        subscribe(tree, name)
    return tree
