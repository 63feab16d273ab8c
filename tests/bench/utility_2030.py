"""A utility of many devices for the benchmarks of the 2030.5 server, and a feeder with a day of controls."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from ieee2030_5 import resources as r
from ieee2030_5.arrangements import Enrolled, Grouped, Placed, Programmed, arranged
from ieee2030_5.codec import render
from ieee2030_5.events import Status
from ieee2030_5.groups import GroupKind
from ieee2030_5.identity import PenEncoding, lfdi_of, mrid_of
from ieee2030_5.records import Record, Stored
from ieee2030_5.settings import DeviceSettings, ServerSettings
from ieee2030_5.tls import lfdi_of_file

CLIENTS = 32
"""Devices that have a certificate and a connection."""
EVENTS, INTERVAL_S = 288, 300
"""A day in five-minute steps."""
PROGRAM = "F1-doe"


def names() -> list[str]:
    """Of the devices with a certificate."""
    return [f"C{number:02}" for number in range(CLIENTS)]


def devices(certificates: Path, count: int, hosts: frozenset[str] = frozenset()) -> list[DeviceSettings]:
    """The devices with a certificate first, then as many without one as make `count`."""
    known = [(name, lfdi_of_file(certificates / f"{name}.pem")) for name in names()[:count]]
    others = [(f"D{number:06}", lfdi_of(sha256(b"%d" % number).digest())) for number in range(count - len(known))]
    return [DeviceSettings(name, lfdi, 10_000.0, -5_000.0, notify_hosts=hosts) for name, lfdi in known + others]


def settings(certificates: Path, port: int, members: Sequence[DeviceSettings], **more: object) -> ServerSettings:
    """A server for these devices."""
    files = (certificates / name for name in ("server.pem", "server.key.pem", "root.pem"))
    return ServerSettings(*files, tuple(members), port=port, **more)  # type: ignore[arg-type]


def enrolled(members: Sequence[DeviceSettings], at_s: int) -> Iterator[Record]:
    """The devices as an operator registers them, and the settings that each has sent since."""
    for item in members:
        yield arranged(Enrolled(item), at_s)
        href = f"/edev/{item.resource}/der/1/derg"
        power = r.ActivePower(multiplier=0, value=int(item.max_w))
        document = r.DERSettings(href=href, setGradW=100, setMaxW=power, updatedTime=at_s)
        yield Stored(href, render(document).decode(), item.lfdi, at_s)


def feeder(members: Sequence[DeviceSettings], at_s: int) -> Iterator[Record]:
    """All devices on one feeder, and its program with a day of controls; the first one is in force."""
    yield arranged(Grouped("F1", GroupKind.FEEDER), at_s)
    for item in members:
        yield arranged(Placed(item.resource, ("F1",)), at_s)
    yield arranged(Programmed(PROGRAM, "F1", 10), at_s)
    for number in range(EVENTS):
        yield Stored(f"/derp/{PROGRAM}/derc/{number:03}", render(control(number, at_s)).decode(), "", at_s)


def control(number: int, at_s: int) -> r.DERControl:
    """The control of one five-minute step."""
    return r.DERControl(
        href=f"/derp/{PROGRAM}/derc/{number:03}",
        replyTo=f"/rsps/{PROGRAM}/rsp",
        responseRequired="03",
        mRID=mrid_of(0, PenEncoding.HEX, "derc", number),
        description=f"Step {number}",
        version=0,
        creationTime=at_s + number,
        status=r.EventStatus(currentStatus=Status.SCHEDULED, dateTime=at_s, potentiallySuperseded=False),
        interval=r.DateTimeInterval(duration=INTERVAL_S, start=at_s + number * INTERVAL_S),
        base=r.DERControlBase(opModMaxLimW=5_000 + number),
    )
