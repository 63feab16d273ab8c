"""FlowReservations: a client asks for energy within a window, the operator grants as much or less as an event."""

from dataclasses import dataclass

from ieee2030_5 import resources as r
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
)
from ieee2030_5.events import Status
from ieee2030_5.grants import cancelled, is_live
from ieee2030_5.identity import short_id
from ieee2030_5.paging import paged
from ieee2030_5.settings import Edition
from ieee2030_5.utility import Device, Utility, mrid

REQUESTED, CANCELLED = 0, 1
"""RequestStatus.requestStatus."""
_MOST = 32
"""Requests kept per device."""


@dataclass(frozen=True, slots=True)
class Offer:
    """When and how much: positive charges the device, negative discharges it."""

    start_s: int
    duration_s: int
    energy_wh: int
    power_w: int


class GrantError(ValueError):
    """What the operator would grant does not answer the request; the message says why."""


def requests(call: Call) -> r.FlowReservationRequestList:
    """What the client has asked for."""
    device = own_device(call)
    whole = r.FlowReservationRequestList(href=call.path, pollRate=call.utility.poll_s("frq"))
    return paged(whole, [*device.requests.values()], call.page)


def request(call: Call) -> r.FlowReservationRequest:
    """One request."""
    found = own_device(call).requests.get(call.params["q"])
    if found is None:
        raise Absent(call.path)
    return found


def post(call: Call, body: r.Resource) -> Kept:
    """A new request; the same mRID again is the same request."""
    device, document = own_device(call), _checked(call, body)
    name = short_id("frq", device.settings.lfdi, document.mRID)
    known = name in device.requests
    if not known and len(device.requests) >= _MOST and not _spent(device, call.now):
        raise Refused(400, RESOURCE_LIMIT, f"{len(device.requests)} open requests are the most for one device")
    return Kept(f"{device.href}/frq/{name}", document, created=not known)


def put(call: Call, body: r.Resource) -> Kept:
    """Change or cancel a request."""
    known, document = request(call), _checked(call, body)
    if document.mRID != known.mRID:
        raise Refused(400, INVALID_VALUE, "the mRID of a request never changes")
    return Kept(call.path, document, created=False)


def _checked(call: Call, body: r.Resource) -> r.FlowReservationRequest:
    if not isinstance(body, r.FlowReservationRequest):
        raise Absent(call.path)
    not_in_future(call, body.creationTime, "creationTime")
    not_in_future(call, body.request_status.dateTime, "RequestStatus.dateTime")
    if body.request_status.requestStatus not in (REQUESTED, CANCELLED):
        raise Refused(400, INVALID_VALUE, f"requestStatus {body.request_status.requestStatus} is reserved")
    if _end(body.intervalRequested) <= call.now and body.request_status.requestStatus == REQUESTED:
        raise Refused(400, INVALID_VALUE, "intervalRequested is over")
    return body


def _spent(device: Device, now: int) -> list[str]:
    """Requests that are cancelled or over."""
    return [
        name
        for name, item in device.requests.items()
        if item.request_status.requestStatus == CANCELLED or _end(item.intervalRequested) <= now
    ]


def keep_request(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a request; one that is cancelled takes its grant with it."""
    device = utility.devices.get(params["e"])
    if device is None or not isinstance(document, r.FlowReservationRequest):
        return
    if params["q"] not in device.requests and len(device.requests) >= _MOST:
        for name in _spent(device, at_s)[:1]:
            del device.requests[name]
    device.requests[params["q"]] = document
    device.revision += 1
    if document.request_status.requestStatus == CANCELLED:
        drop_grant(utility, params, at_s)


def grants(call: Call) -> r.FlowReservationResponseList:
    """What has been granted and is not over."""
    whole = r.FlowReservationResponseList(
        href=call.path, subscribable=call.utility.notifies, pollRate=call.utility.poll_s("frp")
    )
    return paged(whole, [*own_device(call).grants.values()], call.page)


def grant(call: Call) -> r.FlowReservationResponse:
    """One grant."""
    found = own_device(call).grants.get(call.params["q"])
    if found is None:
        raise Absent(call.path)
    return found


def granted(utility: Utility, device: Device, name: str, offer: Offer, now: int) -> r.FlowReservationResponse:
    """The grant of a request, to be stored at its href.

    Raises:
        GrantError: there is no such open request, it is granted already, or it asked for less or another time.
    """
    wanted = device.requests.get(name)
    if wanted is None or wanted.request_status.requestStatus == CANCELLED:
        raise GrantError(f"{device.settings.resource} has no open request {name}")
    if name in device.grants and is_live(device.grants[name]):
        raise GrantError(f"request {name} is granted already; cancel that first")
    window = wanted.intervalRequested
    period = r.DateTimeInterval(duration=offer.duration_s, start=offer.start_s)
    if period.start < window.start or _end(period) > _end(window) or period.duration <= 0 or _end(period) <= now:
        raise GrantError(f"{period.start} for {period.duration} s is not within {window.start} for {window.duration} s")
    energy, power = amount(wanted.energyRequested), amount(wanted.powerRequested)
    if not _within(offer.energy_wh, energy) or not _within(offer.power_w, power):
        raise GrantError(
            f"{offer.energy_wh} Wh at {offer.power_w} W is more than the {energy:.0f} Wh at {power:.0f} W asked for"
        )
    return r.FlowReservationResponse(
        href=f"{device.href}/frp/{name}",
        mRID=mrid(utility.settings, "frp", device.settings.resource, name, now),
        description="Flow reservation",
        version=0,
        creationTime=now,
        status=r.EventStatus(
            currentStatus=Status.SCHEDULED, dateTime=now, potentiallySuperseded=device.settings.edition is Edition.S2
        ),
        interval=period,
        energyAvailable=_energy(offer.energy_wh),
        powerAvailable=_power(offer.power_w),
        subject=wanted.mRID,
    )


def keep_grant(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a grant."""
    device = utility.devices.get(params["e"])
    if device is not None and isinstance(document, r.FlowReservationResponse):
        device.grants[params["q"]] = document
        utility.settle(device, at_s)


def drop_grant(utility: Utility, params: Params, at_s: int) -> None:
    """Fold the cancellation of a grant."""
    device = utility.devices.get(params["e"])
    if device is not None and params["q"] in device.grants:
        device.grants[params["q"]] = cancelled(device.grants[params["q"]], at_s)
        utility.settle(device, at_s)


def _end(period: r.DateTimeInterval) -> int:
    return period.start + period.duration


def amount(told: r.SignedRealEnergy | r.ActivePower) -> float:
    """In Wh or W."""
    return float(told.value) * 10.0**told.multiplier


def _within(given: float, most: float) -> bool:
    """In the direction asked for and not beyond it; charging is positive, discharging negative."""
    return min(0.0, most) <= given <= max(0.0, most)


def _energy(energy_wh: int) -> r.SignedRealEnergy:
    return r.SignedRealEnergy(multiplier=0, value=energy_wh)


def _power(power_w: int) -> r.ActivePower:
    """Toward zero: never more than was granted."""
    multiplier = 0
    while abs(power_w) // 10**multiplier > 32_767:
        multiplier += 1
    sign = -1 if power_w < 0 else 1
    return r.ActivePower(multiplier=multiplier, value=sign * (abs(power_w) // 10**multiplier))
