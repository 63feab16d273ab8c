"""Subscriptions: who wants to be told of what, and what has to be told now."""

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ieee2030_5 import resources as r
from ieee2030_5.call import (
    INVALID_VALUE,
    NO_CONDITION,
    RESOURCE_LIMIT,
    Absent,
    Call,
    Kept,
    Params,
    Refused,
    own_device,
)
from ieee2030_5.codec import Extension, Written
from ieee2030_5.identity import short_id
from ieee2030_5.paging import paged
from ieee2030_5.topology import assignments_of
from ieee2030_5.utility import Device, Farewell, Utility, extension_of

_XML = 0
"""Subscription.encoding; 1 is EXI, which is not served."""
CHANGED, ENDED, DELETED = 0, 1, 4
"""Notification.status: 0 says what the resource is now, anything else also ends the subscription.

1 says no more about a resource that is still there, 4 that it is gone.
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """One Notification on its way."""

    subscription: str
    """URI of the subscription; a newer notice of the same one replaces this."""
    to: str
    notification: r.Notification
    aus: Extension = Extension.NONE
    digest: str = ""
    """Of the content told; empty where the subscription has ended."""


def get_list(call: Call) -> r.SubscriptionList:
    """The subscriptions of one device."""
    device = _subscriber(call)
    whole = r.SubscriptionList(href=f"{device.href}/sub", pollRate=call.utility.poll_s("sub"))
    return paged(whole, [*device.subscriptions.values()], call.page)


def get(call: Call) -> r.Subscription:
    """One subscription."""
    found = _subscriber(call).subscriptions.get(call.path)
    if found is None:
        raise Absent(call.path)
    return found


def post(call: Call, body: r.Resource) -> Kept:
    """Subscribe, or renew: the same resource to the same destination stays one subscription."""
    device = _subscriber(call)
    document = _checked(call, device, body)
    href = f"{device.href}/sub/{short_id('sub', document.subscribedResource, document.notificationURI)}"
    known = href in device.subscriptions
    if not known and len(device.subscriptions) >= call.utility.settings.subscriptions:
        raise Refused(400, RESOURCE_LIMIT, f"{len(device.subscriptions)} subscriptions are the most for one device")
    return Kept(href, document, created=not known)


def put(call: Call, body: r.Resource) -> Kept:
    """Change one subscription."""
    get(call)
    return Kept(call.path, _checked(call, _subscriber(call), body), created=False)


def _subscriber(call: Call) -> Device:
    device = own_device(call)
    if not device.settings.notify_hosts:
        raise Absent(call.path)
    return device


def _checked(call: Call, device: Device, body: r.Resource) -> r.Subscription:
    if not isinstance(body, r.Subscription):
        raise Absent(call.path)
    if body.condition is not None:
        raise Refused(400, NO_CONDITION, "conditional subscriptions are not served")
    if body.encoding != _XML:
        raise Refused(400, INVALID_VALUE, f"encoding {body.encoding} is not served, only XML (0)")
    if not _allowed(body.notificationURI, device.settings.notify_hosts):
        raise Refused(400, INVALID_VALUE, f"notificationURI {body.notificationURI} is not on the list of this device")
    resource = urlsplit(body.subscribedResource).path
    if not call.subscribable(resource):
        raise Refused(400, INVALID_VALUE, f"{resource} is nothing to subscribe to")
    return replace(body, subscribedResource=resource)


def _allowed(uri: str, hosts: frozenset[str]) -> bool:
    """Only where the operator has said so: anything else could make this server knock at doors inside the utility."""
    try:
        target = urlsplit(uri)
        port = target.port
    except ValueError:
        return False
    return target.scheme in ("https", "http") and target.hostname in hosts and port != 0


def keep(utility: Utility, params: Params, document: r.Resource, owner: str, at_s: int) -> None:  # noqa: ARG001
    """Fold a subscription."""
    device = utility.devices.get(params["e"])
    if device is not None and isinstance(document, r.Subscription) and document.href is not None:
        utility.put_subscription(device, document)


def drop(utility: Utility, params: Params, at_s: int) -> None:  # noqa: ARG001
    """Fold the end of a subscription."""
    device = utility.devices.get(params["e"])
    if device is not None:
        utility.drop_subscription(device, f"{device.href}/sub/{params['s']}")


def notice(device: Device, subscription: r.Subscription, resource: Written, content_digest: str) -> Notice:
    """Tell what a resource is now."""
    href = subscription.href or ""
    told = r.Notification(
        subscribedResource=subscription.subscribedResource,
        resource=None if subscription.limit == 0 else resource,
        status=CHANGED,
        subscriptionURI=href,
    )
    return Notice(href, subscription.notificationURI, told, extension_of(device), content_digest)


def farewell(ended: Farewell) -> Notice:
    """Tell that a subscription has ended."""
    told = r.Notification(subscribedResource=ended.resource, status=ended.status, subscriptionURI=ended.href)
    return Notice(ended.href, ended.to, told)


def why_ended(utility: Utility, params: Params) -> int:
    """Status of the notification that a client may see a resource no more: is it still there for others?"""
    device = utility.devices.get(params.get("e", ""))
    if device is None or device.registered_s is None:
        return ENDED if params.get("p") in utility.programs else DELETED
    named = params.get("f")
    there = named is None or any(item.name == named for item in assignments_of(utility, device))
    return ENDED if there else DELETED
