"""Controls of the gateway as events: what to publish, what to cancel, and how a lease is extended.

A lease never edits an event. While a control stays the same, its extension is a further event that
begins in the second in which the last one ends; a changed control is a new event, which supersedes the
ones that drive the same modes, and the rest is cancelled. Which control is in force is read from the
events themselves, so that nothing is forgotten over a restart. An urgent control goes into the device's
emergency program, beside what else is in force there, and is cancelled by the next one that is not.
"""

from dataclasses import dataclass, replace
from math import floor

from ieee2030_5 import emergencies
from ieee2030_5 import events as life
from ieee2030_5 import resources as r
from ieee2030_5.modes import CannotSayError, control_base
from ieee2030_5.records import Issued
from ieee2030_5.tree import Tree
from ieee2030_5.utility import Device, Program, mrid
from protocols.signals import Control

_RESPONSES = "03"
"""responseRequired: Received, and the ones specific to the event (started, completed, ...)."""
_SHARE = 0.75
"""A lease is extended once less than this share of it is left, so that clients see few events.

Well above one half: the gateway refreshes at half-life, and a refresh that is passed over then would be
followed by none before the end.
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """What stands in the tree for a control after `offer`."""

    base: r.DERControlBase
    end_s: int
    """End of its last event; the client falls back to the default from here on."""
    events: int
    """How many were published now: none where the lease still runs long enough."""


def offer(tree: Tree, device: Device, control: Control, now: float) -> Offer:
    """Publish a control, or extend it where it stands there already.

    Raises:
        CannotSayError: the client's dialect has no mode for it; nothing was changed then.
    """
    own = tree.utility.programs[device.slug]
    profile, ratings = device.settings.profile, device.ratings
    base = _base(device, control)
    fallback = control_base(control.fallback, None, ratings, profile)
    tree.utility.advance(int(now))
    program = emergencies.opened(tree, device, int(now)) if control.urgent else own
    _set_defaults(tree, device, fallback, int(now))
    standing = _standing(tree, program, control, base)
    if standing is not None:
        return _extend(tree, program, control, standing, now)
    made = _grant(tree, program, control, base, now)
    _calm(tree, device, own if control.urgent else None, base, int(now))
    return made


def _set_defaults(tree: Tree, device: Device, base: r.DERControlBase, now: int) -> None:
    """In every program of the gateway's: some clients take the default of the one that wins, and no other."""
    for program in (tree.utility.programs[device.slug], emergencies.standing(tree.utility, device)):
        if program is not None:
            set_default(tree, program, base, now)


def _base(device: Device, control: Control) -> r.DERControlBase:
    """The modes of a control; in an emergency, what a dialect cannot say of a floor it says by taking power away."""
    try:
        return control_base(control.limit, control.target_w, device.ratings, device.settings.profile)
    except CannotSayError:
        if not control.urgent:
            raise
        return r.DERControlBase(opModEnergize=False, opModMaxLimW=0)


def _calm(tree: Tree, device: Device, own: Program | None, base: r.DERControlBase, now: int) -> None:
    """Cancel what must not go on beside a control just granted.

    Args:
        tree: the server's.
        device: whose control it is.
        own: its own program where the control is urgent: events of other modes there would add to it, those of
            the same give way by primacy. None where it is not urgent: then the emergency is over.
        base: the modes of the control.
        now: since when.
    """
    emergency = emergencies.standing(tree.utility, device)
    events = own.events if own is not None else () if emergency is None else emergency.events
    for event in events:
        stays = own is not None and life.modes(event.base) <= life.modes(base)
        if life.is_live(event) and not stays and event.href is not None:
            tree.remove(event.href, now)


def _standing(tree: Tree, program: Program, control: Control, base: r.DERControlBase) -> r.DERControl | None:
    """The last event of this very control with these very modes, if it is in force or to come."""
    found = None
    for event in program.events:
        issued = tree.utility.issued.get(event.mRID)
        ours = issued is not None and (issued.control_id, issued.version) == (control.control_id, control.version)
        if ours and life.is_live(event) and event.base == base:
            found = event
    return found


def _grant(tree: Tree, program: Program, control: Control, base: r.DERControlBase, now: float) -> Offer:
    start = floor(max(control.start_s, now))
    end = max(floor(control.expiry_s), start + 1)
    older = {event.mRID for event in program.events}
    _publish(tree, program, control, base, period=(start, end), now=int(now))
    for event in program.events:
        # An event of the same modes is superseded when the new one starts; anything else would go on
        # or come back beside the new control.
        stays = life.modes(event.base) == life.modes(base) and event.interval.start < start
        if event.mRID in older and life.is_live(event) and not stays and event.href is not None:
            tree.remove(event.href, int(now))
    return Offer(base, end, 1)


def _extend(tree: Tree, program: Program, control: Control, last: r.DERControl, now: float) -> Offer:
    end, wanted = last.interval.start + last.interval.duration, floor(control.expiry_s)
    if wanted <= end or end - now >= _SHARE * (control.expiry_s - now):
        return Offer(last.base, end, 0)
    _publish(tree, program, control, last.base, period=(end, wanted), now=int(now))
    return Offer(last.base, wanted, 1)


def say_again(tree: Tree, device: Device, control: Control, now: float) -> None:
    """Publish a control as a new event, for a client that has let go of the one that stands.

    Clients look for new events before they look for cancelled ones: where both come at once, the control after an
    emergency gives way to the emergency, and no client takes up again what it has superseded.

    Raises:
        CannotSayError: the client's dialect has no mode for it.
        KeepError: it cannot be kept; nothing was changed then.
    """
    tree.utility.advance(int(now))
    _grant(tree, tree.utility.programs[device.slug], control, _base(device, control), now)


def release(tree: Tree, device: Device, baseline: r.DERControlBase, now: float) -> int:
    """Cancel everything and put the default back to what it was; returns how many events were cancelled."""
    program, emergency = tree.utility.programs[device.slug], emergencies.standing(tree.utility, device)
    tree.utility.advance(int(now))
    events = program.events if emergency is None else (*program.events, *emergency.events)
    live = [event for event in events if life.is_live(event)]
    _set_defaults(tree, device, baseline, int(now))
    for event in live:
        if event.href is not None:
            tree.remove(event.href, int(now))
    return len(live)


def set_default(tree: Tree, program: Program, base: r.DERControlBase, now: int) -> None:
    """Change the DefaultDERControl: same mRID, next version; nothing where it says the same already."""
    if program.default.base != base:
        version = ((program.default.version or 0) + 1) % 65_536
        tree.store(f"{program.href}/dderc", replace(program.default, base=base, version=version), "", now)


def _publish(
    tree: Tree, program: Program, control: Control, base: r.DERControlBase, *, period: tuple[int, int], now: int
) -> None:
    start, end = period
    created = max(now, program.created_s + 1)
    name = mrid(
        tree.utility.settings, "derc", control.resource, control.control_id, control.version, start, end, created
    )
    tree.issue(Issued(name, program.slug, control.resource, control.control_id, control.version, end, now))
    document = r.DERControl(
        replyTo=program.reply_to,
        responseRequired=_RESPONSES,
        subscribable=tree.utility.notifies,
        mRID=name,
        description=_printable(control.control_id),
        version=0,
        creationTime=created,
        status=r.EventStatus(currentStatus=life.Status.SCHEDULED, dateTime=created, potentiallySuperseded=False),
        interval=r.DateTimeInterval(duration=end - start, start=start),
        base=base,
    )
    tree.store(f"{program.href}/derc/{name[:16].lower()}", document, "", now)


def _printable(text: str) -> str:
    """As much of an id as fits a description; some clients read 31 characters."""
    return "".join(character for character in text if character.isprintable())[:31]
