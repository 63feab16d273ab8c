"""Flow reservations at the operator's desk: what devices ask for, and what they get."""

from ieee2030_5 import reservations
from ieee2030_5.admin import reservation_words as w
from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.events import Status
from ieee2030_5.utility import Device


def listed(desk: Desk, name: str) -> w.ReservationList:
    """The requests of a device and their grants."""
    device = desk.device(name)
    ordered = sorted(device.requests, key=lambda slug: (device.requests[slug].intervalRequested.start, slug))
    return w.ReservationList(reservations=[_seen(device, slug) for slug in ordered])


def grant(desk: Desk, name: str, slug: str, what: w.GrantIn) -> w.ReservationOut:
    """Grant a request, or a part of it."""
    device = desk.device(name)
    _known(device, slug)
    offer = reservations.Offer(what.start_s, what.duration_s, what.energy_wh, what.power_w)
    try:
        document = reservations.granted(desk.utility, device, slug, offer, desk.now)
    except reservations.GrantError as error:
        raise Refusal(409, str(error), "reservation", "grant within what was asked for") from error
    desk.tree.store(document.href or "", document, "", desk.now)
    return _seen(device, slug)


def cancel(desk: Desk, name: str, slug: str) -> None:
    """Take a grant back; it stays listed as cancelled to its end."""
    device = desk.device(name)
    _known(device, slug)
    if slug not in device.grants:
        raise unknown("grant", slug, "nothing is granted, or it is over")
    desk.tree.remove(device.grants[slug].href or "", desk.now)


def _known(device: Device, slug: str) -> None:
    if slug not in device.requests:
        raise unknown("reservation", slug, f"GET /v1/devices/{device.settings.resource}/reservations shows all")


def _seen(device: Device, slug: str) -> w.ReservationOut:
    asked, given = device.requests[slug], device.grants.get(slug)
    return w.ReservationOut(
        id=slug,
        mrid=asked.mRID,
        cancelled=asked.request_status.requestStatus == reservations.CANCELLED,
        start_s=asked.intervalRequested.start,
        duration_s=asked.intervalRequested.duration,
        energy_wh=reservations.amount(asked.energyRequested),
        power_w=reservations.amount(asked.powerRequested),
        grant=None
        if given is None
        else w.GrantIn(
            start_s=given.interval.start,
            duration_s=given.interval.duration,
            energy_wh=int(reservations.amount(given.energyAvailable)),
            power_w=int(reservations.amount(given.powerAvailable)),
        ),
        grant_status=None if given is None else Status(given.status.currentStatus).name.lower(),
    )
