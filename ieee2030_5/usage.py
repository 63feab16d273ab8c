"""UsagePoints: what mirrored meters have reported, as the Metering function set shows it to whoever reports it.

The readings themselves are telemetry, which the gateway keeps elsewhere: here stand only the newest of each
series, and none after a restart until the client posts the next ones.
"""

from collections.abc import Iterator
from dataclasses import replace

from ieee2030_5 import resources as r
from ieee2030_5.call import Absent, Call, own_meter, own_meters
from ieee2030_5.identity import short_id
from ieee2030_5.paging import paged
from ieee2030_5.utility import Meter, Recent, Utility

_SETS = 4
"""Reading sets kept of each series."""
_READINGS = 96
"""Readings kept of each set: a day of quarters."""


def note(utility: Utility, lfdi: str, slug: str, item: r.MirrorMeterReading) -> None:
    """Take over what a client has posted for one series of a meter."""
    utility.count_report(lfdi)
    recent = utility.recent.setdefault(slug, {}).setdefault(item.mRID, Recent())
    if item.reading is not None:
        recent.latest = item.reading
    for group in item.reading_sets:
        name = short_id("rs", group.mRID)[:8]
        recent.sets.pop(name, None)
        recent.sets[name] = replace(group, readings=group.readings[-_READINGS:])
        if group.readings:
            recent.latest = replace(group.readings[-1], timePeriod=group.readings[-1].timePeriod or group.timePeriod)
    for name in [*recent.sets][:-_SETS]:
        del recent.sets[name]


def revision(call: Call) -> tuple[int, int]:
    """Of all meters that this client reports, and of what shows in all documents."""
    return call.utility.reports.get(call.principal.lfdi, 0), call.utility.layout


def get_list(call: Call) -> r.UsagePointList:
    """A UsagePoint for each meter that this client reports."""
    items = [_usage_point(slug, meter) for slug, meter in own_meters(call).items()]
    whole = r.UsagePointList(href="/upt", subscribable=call.utility.notifies, pollRate=call.utility.poll_s("upt"))
    return paged(whole, items, call.page)


def get(call: Call) -> r.UsagePoint:
    """One UsagePoint."""
    return _usage_point(call.params["m"], own_meter(call))


def _usage_point(slug: str, meter: Meter) -> r.UsagePoint:
    told = meter.document
    return r.UsagePoint(
        href=f"/upt/{slug}",
        mRID=told.mRID,
        description=told.description,
        version=told.version,
        roleFlags=told.roleFlags,
        serviceCategoryKind=told.serviceCategoryKind,
        status=told.status,
        deviceLFDI=told.deviceLFDI,
        MeterReadingListLink=r.ListLink(href=f"/upt/{slug}/mr", all=len(meter.series)),
    )


def meter_readings(call: Call) -> r.MeterReadingList:
    """The series of one UsagePoint."""
    meter = own_meter(call)
    whole = r.MeterReadingList(href=call.path, subscribable=call.utility.notifies)
    items = [_meter_reading(call, f"{call.path}/{n}", item) for n, item in enumerate(meter.series.values())]
    return paged(whole, items, call.page)


def meter_reading(call: Call) -> r.MeterReading:
    """One series."""
    return _meter_reading(call, call.path, _series(call))


def _meter_reading(call: Call, href: str, item: r.MirrorMeterReading) -> r.MeterReading:
    recent = _recent(call, item)
    return r.MeterReading(
        href=href,
        mRID=item.mRID,
        description=item.description,
        version=item.version,
        ReadingLink=r.Link(href=f"{href}/r") if recent.latest is not None else None,
        ReadingSetListLink=r.ListLink(href=f"{href}/rs", all=len(recent.sets)),
        ReadingTypeLink=r.Link(href=f"{href}/rt"),
    )


def reading_type(call: Call) -> r.ReadingType:
    """What a series measures."""
    return replace(_series(call).reading_type or r.ReadingType(), href=call.path)


def reading(call: Call) -> r.Reading:
    """The newest value of a series."""
    latest = _recent(call, _series(call)).latest
    if latest is None:
        raise Absent(call.path)
    return replace(latest, href=call.path, subscribable=call.utility.notifies)


def reading_sets(call: Call) -> r.ReadingSetList:
    """The newest sets of a series."""
    whole = r.ReadingSetList(href=call.path, subscribable=call.utility.notifies)
    return paged(
        whole,
        [_set(f"{call.path}/{name}", item) for name, item in _recent(call, _series(call)).sets.items()],
        call.page,
    )


def reading_set(call: Call) -> r.ReadingSet:
    """One set."""
    return _set(call.path, _group(call))


def _set(href: str, group: r.MirrorReadingSet) -> r.ReadingSet:
    return r.ReadingSet(
        href=href,
        mRID=group.mRID,
        description=group.description,
        version=group.version,
        timePeriod=group.timePeriod,
        ReadingListLink=r.ListLink(href=f"{href}/r", all=len(group.readings)),
    )


def readings(call: Call) -> r.ReadingList:
    """The values of one set."""
    items = [item for _, item in _numbered(call, call.path)]
    return paged(r.ReadingList(href=call.path, subscribable=call.utility.notifies), items, call.page)


def one_reading(call: Call) -> r.Reading:
    """One value of a set."""
    found = dict(_numbered(call, call.path.rpartition("/")[0])).get(call.params["x"])
    if found is None:
        raise Absent(call.path)
    return found


def _numbered(call: Call, href: str) -> Iterator[tuple[str, r.Reading]]:
    for n, item in enumerate(_group(call).readings):
        yield str(n), replace(item, href=f"{href}/{n}", subscribable=None)


def _series(call: Call) -> r.MirrorMeterReading:
    wanted = call.params["r"]
    for n, item in enumerate(own_meter(call).series.values()):
        if str(n) == wanted:
            return item
    raise Absent(call.path)


def _recent(call: Call, item: r.MirrorMeterReading) -> Recent:
    return call.utility.recent.get(call.params["m"], {}).get(item.mRID, Recent())


def _group(call: Call) -> r.MirrorReadingSet:
    found = _recent(call, _series(call)).sets.get(call.params["s"])
    if found is None:
        raise Absent(call.path)
    return found
