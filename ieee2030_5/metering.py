"""Mirrored meters: clients say what they measure, then post readings, which leave as measurements at once."""

from collections.abc import Sized
from dataclasses import replace

from ieee2030_5 import resources as r
from ieee2030_5.call import (
    INVALID_VALUE,
    RESOURCE_LIMIT,
    Absent,
    Call,
    Kept,
    Params,
    Refused,
    own_meter,
    own_meters,
    speaks_for,
)
from ieee2030_5.identity import short_id
from ieee2030_5.paging import paged
from ieee2030_5.readings import of_meter
from ieee2030_5.usage import note
from ieee2030_5.utility import Meter, Utility


def get_list(call: Call) -> r.MirrorUsagePointList:
    """The meters that this client reports."""
    items = [_document(call, slug, meter) for slug, meter in own_meters(call).items()]
    return paged(r.MirrorUsagePointList(href="/mup", pollRate=call.utility.poll_s("mup")), items, call.page)


def get(call: Call) -> r.MirrorUsagePoint:
    """One meter with its series, without readings."""
    return _document(call, call.params["m"], own_meter(call))


def _document(call: Call, slug: str, meter: Meter) -> r.MirrorUsagePoint:
    post_rate = call.utility.post_s("mup", meter.document.postRate)
    series = tuple(meter.series.values())
    return replace(meter.document, href=f"/mup/{slug}", meter_readings=series, postRate=post_rate)


def post(call: Call, body: r.Resource) -> Kept:
    """A new meter, or new metadata of one that this client reports already."""
    if not isinstance(body, r.MirrorUsagePoint):
        raise Absent(call.path)
    slug = short_id("mup", call.principal.lfdi, body.mRID)
    known = own_meters(call)
    if slug not in known and len(known) >= call.utility.settings.meters:
        raise Refused(400, RESOURCE_LIMIT, f"{len(known)} meters are the most for one client")
    return Kept(f"/mup/{slug}", _accepted(call, slug, body, known.get(slug)), created=slug not in known)


def put(call: Call, body: r.Resource) -> Kept:
    """Replace the metadata of a meter."""
    meter = own_meter(call)
    if not isinstance(body, r.MirrorUsagePoint) or body.mRID != meter.document.mRID:
        raise Refused(400, INVALID_VALUE, "the mRID of a meter never changes")
    return Kept(call.path, _accepted(call, call.params["m"], body, meter), created=False)


def _accepted(call: Call, slug: str, body: r.MirrorUsagePoint, known: Meter | None) -> r.MirrorUsagePoint:
    if not speaks_for(call, body.deviceLFDI):
        raise Refused(400, INVALID_VALUE, f"deviceLFDI {body.deviceLFDI} is not the client's")
    series = dict(known.series) if known else {}
    for item in body.meter_readings:
        _unclaimed(call, item)
        series[item.mRID] = _series(item, series.get(item.mRID))
    _bounded(call, series)
    for item in body.meter_readings:
        note(call.utility, call.principal.lfdi, slug, item)
        _announce(call, item, series[item.mRID], body.deviceLFDI)
    return replace(body, meter_readings=tuple(series.values()))


def post_readings(call: Call, body: r.Resource) -> Kept:
    """Readings of one or several series; a series is described once, by its first ReadingType."""
    meter = own_meter(call)
    items = body.items if isinstance(body, r.MirrorMeterReadingList) else (body,)
    series = dict(meter.series)
    for item in items:
        if not isinstance(item, r.MirrorMeterReading):
            raise Absent(call.path)
        _unclaimed(call, item)
        series[item.mRID] = _series(item, series.get(item.mRID))
    _bounded(call, series)
    for item in items:
        if isinstance(item, r.MirrorMeterReading):
            note(call.utility, call.principal.lfdi, call.params["m"], item)
            _announce(call, item, series[item.mRID], meter.document.deviceLFDI)
    unchanged = series == meter.series
    document = None if unchanged else replace(meter.document, meter_readings=tuple(series.values()))
    return Kept(call.path, document, created=True)


def _unclaimed(call: Call, item: r.MirrorMeterReading) -> None:
    """Refuse a series that another client reports: an mRID names one object, whoever has it first keeps it."""
    holder = call.utility.meters.get(call.utility.series.get(item.mRID, ""))
    if holder is not None and holder.owner != call.principal.lfdi and item.mRID in holder.series:
        raise Refused(400, INVALID_VALUE, f"series {item.mRID} is not the client's")


def _bounded(call: Call, series: Sized) -> None:
    if len(series) > call.utility.settings.series:
        raise Refused(400, RESOURCE_LIMIT, f"{call.utility.settings.series} series are the most for one meter")


def _series(item: r.MirrorMeterReading, known: r.MirrorMeterReading | None) -> r.MirrorMeterReading:
    says = (item.description, item.version)
    if known and item.reading_type in (None, known.reading_type) and says == (known.description, known.version):
        return known
    kind = item.reading_type or (known.reading_type if known else None)
    if kind is None:
        raise Refused(400, INVALID_VALUE, f"series {item.mRID} is new and has no ReadingType")
    return replace(
        item, href=None, reading=None, reading_sets=(), reading_type=kind, lastUpdateTime=None, nextUpdateTime=None
    )


def _announce(call: Call, item: r.MirrorMeterReading, series: r.MirrorMeterReading, lfdi: str) -> None:
    device = call.utility.by_lfdi(lfdi)
    if device is not None:
        call.utility.signals.extend(of_meter(item, series.reading_type, device.settings, call.now))


def keep(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a meter."""
    if isinstance(document, r.MirrorUsagePoint):
        series = {item.mRID: item for item in document.meter_readings}
        utility.put_meter(params["m"], Meter(owner, replace(document, meter_readings=()), series))
        utility.series.update(dict.fromkeys(series, params["m"]))


def drop(utility: Utility, params: Params, at_s: int) -> None:  # noqa: ARG001
    """Fold the removal of a meter."""
    utility.drop_meter(params["m"])
