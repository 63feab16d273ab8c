"""Where every client begins: DeviceCapability, Time and SelfDevice."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.metadata import version
from zoneinfo import ZoneInfo

from ieee2030_5 import resources as r
from ieee2030_5.call import Call, own_meters
from ieee2030_5.identity import sfdi_of


def device_capability(call: Call) -> r.DeviceCapability:
    """Only links to what this client can use; a stranger learns where it could register, and no more.

    A client that is on the list of those that may register is given the time and the place of its meters too,
    because CSIP-AUS clients look for both before they register. The default policy of the standard, clause 6.8,
    table 12, would have it registered first.
    """
    poll = call.utility.poll_s("dcap")
    devices = len(call.principal.devices)
    edev = r.ListLink(href="/edev", all=devices)
    if not call.principal.wards:
        return r.DeviceCapability(href="/dcap", pollRate=poll, EndDeviceListLink=edev)
    time, mup = r.Link(href="/tm"), r.ListLink(href="/mup", all=len(own_meters(call)))
    if not devices:
        return r.DeviceCapability(
            href="/dcap", pollRate=poll, TimeLink=time, EndDeviceListLink=edev, MirrorUsagePointListLink=mup
        )
    programs = len(call.principal.programs)
    return r.DeviceCapability(
        href="/dcap",
        pollRate=poll,
        DERProgramListLink=r.ListLink(href="/derp", all=programs),
        ResponseSetListLink=r.ListLink(href="/rsps", all=programs),
        TariffProfileListLink=r.ListLink(href="/tp", all=len(call.principal.tariffs)),
        TimeLink=time,
        UsagePointListLink=r.ListLink(href="/upt", all=mup.all),
        EndDeviceListLink=edev,
        MirrorUsagePointListLink=mup,
        SelfDeviceLink=r.Link(href="/sdev"),
    )


def counts(call: Call) -> tuple[bool, int, int, int, int]:
    """What DeviceCapability tells one client and not another: how many devices, programs, tariffs and meters it has."""
    who = call.principal
    return bool(who.wards), len(who.devices), len(who.programs), len(who.tariffs), len(own_meters(call))


def second(call: Call) -> tuple[int, int]:
    """What Time changes with."""
    return call.now, call.utility.layout


def time(call: Call) -> r.Time:
    """The server's clock; `localTime` is left out, because clients disagree on whether it includes the season."""
    zone = call.utility.settings.timezone
    standard, saving, begins, ends = _offsets(zone, datetime.fromtimestamp(call.now, UTC).year)
    return r.Time(
        href="/tm",
        pollRate=call.utility.poll_s("tm"),
        currentTime=call.now,
        dstEndTime=ends,
        dstOffset=saving,
        dstStartTime=begins,
        quality=call.utility.settings.time_quality,
        tzOffset=standard,
    )


def self_device(call: Call) -> r.SelfDevice:
    """This server by the fingerprint of its own certificate."""
    lfdi = call.utility.server_lfdi
    return r.SelfDevice(
        href="/sdev",
        pollRate=call.utility.poll_s("sdev"),
        DeviceInformationLink=r.Link(href="/sdev/di"),
        lFDI=lfdi,
        sFDI=sfdi_of(lfdi),
    )


def self_information(call: Call) -> r.DeviceInformation:
    """What this server is: the software, of the operator's enterprise number, since it was started."""
    utility = call.utility
    return r.DeviceInformation(
        href="/sdev/di",
        pollRate=utility.poll_s("sdev"),
        lFDI=utility.server_lfdi,
        mfDate=0,
        mfHwVer="",
        mfID=utility.settings.pen,
        mfModel="Ampacity",
        mfSerNum=utility.server_lfdi[:32],
        primaryPower=_MAINS,
        secondaryPower=_NO_POWER,
        swActTime=utility.started_s,
        swVer=version("ampacity")[:32],
    )


_MAINS, _NO_POWER = 1, 0
"""PowerSourceType."""


@lru_cache(maxsize=64)
def _offsets(zone: str, year: int) -> tuple[int, int, int, int]:
    """Standard offset, daylight saving, and the seconds at which it begins and ends; zeros where there is none."""
    territory = ZoneInfo(zone)
    hours = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(366 * 24)]
    saving = [int((hour.astimezone(territory).dst() or timedelta()).total_seconds()) for hour in hours]
    first = hours[0].astimezone(territory)
    standard = int((first.utcoffset() or timedelta()).total_seconds()) - saving[0]
    turns = [i for i in range(1, len(hours)) if hours[i].year == year and saving[i] != saving[i - 1]]
    begins = next((int(hours[i].timestamp()) for i in turns if saving[i]), 0)
    ends = next((int(hours[i].timestamp()) for i in turns if not saving[i]), 0)
    if not begins or not ends:
        return standard, 0, 0, 0
    return standard, max(saving), begins, ends
