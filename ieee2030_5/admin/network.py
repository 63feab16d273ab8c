"""Groups, programs, assignments and rates: how the operator lays out what devices see."""

import re
from collections import Counter
from itertools import islice

from ieee2030_5 import events as life
from ieee2030_5.admin import words as w
from ieee2030_5.admin.desk import Desk
from ieee2030_5.admin.people import seen
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.arrangements import Assigned, Grouped, Polled, Posted, Programmed
from ieee2030_5.groups import Group, own_group
from ieee2030_5.topology import below
from ieee2030_5.utility import Program

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,15}")
POLLED = ("dcap", "tm", "sdev", "edev", "rg", "fsa", "derp", "der", "lel", "sub", "rsps", "mup")
"""Kinds of resources with a poll rate, by the last part of their URI."""
POSTED = ("edev", "mup")


def summary(desk: Desk) -> w.Page:
    """Counts of everything that is kept."""
    utility = desk.utility
    devices = utility.devices.values()
    return w.Page(
        devices=len(devices),
        registered=sum(device.registered_s is not None for device in devices),
        aggregators=len(utility.wards),
        groups=sum(not name.startswith("@") for name in utility.groups),
        programs=len(utility.programs),
        live_controls=sum(life.is_live(event) for program in utility.programs.values() for event in program.events),
        subscriptions=sum(len(device.subscriptions) for device in devices),
        meters=len(utility.meters),
        refused=sum(not item.admits(desk.now) for item in utility.access.values()),
    )


def groups(desk: Desk) -> w.GroupList:
    """All groups but those of a single device."""
    return w.GroupList(groups=[_group(desk, item) for name, item in desk.utility.groups.items() if name[0] != "@"])


def group(desk: Desk, name: str) -> w.GroupOut:
    """One group."""
    return _group(desk, desk.group(name))


def _group(desk: Desk, item: Group) -> w.GroupOut:
    return w.GroupOut(
        name=item.name,
        kind=item.kind,
        parent=item.parent,
        description=item.description,
        devices=sum(1 for _ in below(desk.utility, item)),
        programs=[*item.programs],
        assignments=dict(item.assignments),
    )


def put_group(desk: Desk, name: str, what: w.GroupIn) -> w.GroupOut:
    """Make a group, or change what it is and where it hangs."""
    above = what.parent
    while above is not None:
        if above == name:
            raise Refusal(409, f"{what.parent} is below {name}", "parent", "name a group that is not below this one")
        above = desk.group(above).parent
    desk.arrange(Grouped(name, what.kind, what.parent, what.description))
    return group(desk, name)


def remove_group(desk: Desk, name: str) -> None:
    """Take a group out with its programs; groups below it hang on its parent then."""
    desk.end(Grouped, desk.group(name).name)


def put_group_assignment(desk: Desk, name: str, assignment: str, what: w.AssignmentIn) -> w.GroupOut:
    """Give everybody in a group an assignment."""
    item = desk.group(name)
    desk.arrange(Assigned(item.name, assignment, what.description or assignment))
    return _group(desk, item)


def remove_group_assignment(desk: Desk, name: str, assignment: str) -> None:
    """Take an assignment from a group; one that still has programs stays until they go."""
    _unassign(desk, desk.group(name).name, assignment)


def put_device_assignment(desk: Desk, name: str, assignment: str, what: w.AssignmentIn) -> w.DeviceOut:
    """Give one device an assignment, or another description of one."""
    device = desk.device(name)
    desk.arrange(Assigned(own_group(device.slug), assignment, what.description or assignment))
    return seen(desk, device)


def remove_device_assignment(desk: Desk, name: str, assignment: str) -> None:
    """Take an assignment from one device."""
    _unassign(desk, own_group(desk.device(name).slug), assignment)


def _unassign(desk: Desk, group_name: str, assignment: str) -> None:
    held = desk.utility.groups.get(group_name)
    if held is None or assignment not in held.assignments:
        raise unknown("assignment", assignment, "`ampacity der show` lists those of a device")
    desk.arrange(Assigned(group_name, assignment))


def programs(desk: Desk, start: int, limit: int) -> w.ProgramList:
    """A page of all programs."""
    found = desk.utility.programs
    page = islice(found.values(), start, start + limit)
    return w.ProgramList(all=len(found), programs=[_program(desk, item) for item in page])


def program(desk: Desk, name: str) -> w.ProgramOut:
    """One program."""
    return _program(desk, desk.program(name))


def _program(desk: Desk, item: Program) -> w.ProgramOut:
    alone = not item.group or item.group.startswith("@")
    slug = item.group.removeprefix("@") or item.slug
    statuses = Counter(event.status.currentStatus for event in item.events)
    return w.ProgramOut(
        name=item.slug,
        href=item.href,
        mrid=item.mrid,
        group=None if alone else item.group,
        device=desk.utility.devices[slug].settings.resource if alone else None,
        primacy=item.primacy,
        description=item.description,
        assignment=item.assignment,
        version=item.version,
        of_gateway=desk.is_gateways(item),
        controls=len(item.events),
        active=statuses[life.Status.ACTIVE],
    )


def put_program(desk: Desk, name: str, what: w.ProgramIn) -> w.ProgramOut:
    """Make a program, or change primacy, description and assignment of one; its group never changes."""
    if (what.group is None) == (what.device is None):
        problem = "a program is that of one group or of one device"
        raise Refusal(400, problem, "group", "give exactly one of group and device")
    known = desk.utility.programs.get(name)
    if what.group is not None:
        wanted = desk.group(what.group).name
    else:
        device = desk.device(what.device or "")
        if device.settings.is_aggregator:
            remedy = "name a device that it speaks for, or a group of those"
            raise Refusal(409, f"{what.device} is an aggregator and is not controlled itself", "device", remedy)
        wanted = "" if device.slug == name else own_group(device.slug)
    if known is None and name in desk.utility.devices:
        raise Refusal(409, f"a device is called {name}", "name", "choose another name")
    if known is None and not _SLUG.fullmatch(name):
        remedy = "take at most 16 letters, digits, - and _: the name goes into URIs"
        raise Refusal(400, f"{name!r} cannot name a program", "name", remedy)
    if known is not None and known.group != wanted:
        whose = known.group.removeprefix("@") or known.slug
        raise Refusal(409, f"program {name} is that of {whose}", "group", "remove it first, or choose another name")
    desk.arrange(Programmed(name, wanted, what.primacy, what.description, what.assignment))
    return program(desk, name)


def remove_program(desk: Desk, name: str) -> None:
    """Take a program out with its events; a client drops them with it. The own program of a device stays."""
    item = desk.program(name)
    if not item.group:
        raise Refusal(409, f"{name} is the own program of a device", "name", "remove the device")
    desk.operators(item)
    desk.end(Programmed, item.slug)


def rates(desk: Desk) -> w.Rates:
    """All rates that the operator has set."""
    utility = desk.utility
    return w.Rates(
        poll=dict(utility.poll_rates),
        post=dict(utility.post_rates),
        default_poll_s=utility.settings.poll_rate_s,
        default_post_s=utility.settings.post_rate_s,
    )


def set_poll_rate(desk: Desk, kind: str, what: w.RateIn) -> w.Rates:
    """Ask clients to fetch a kind of resource this often; documents show it at once and subscribers are told."""
    _known(kind, POLLED)
    desk.arrange(Polled(kind, what.seconds))
    return rates(desk)


def reset_poll_rate(desk: Desk, kind: str) -> None:
    """Go back to the default."""
    _known(kind, tuple(desk.utility.poll_rates))
    desk.end(Polled, kind)


def set_post_rate(desk: Desk, kind: str, what: w.RateIn) -> w.Rates:
    """Ask clients to post this often, whatever they have proposed themselves."""
    _known(kind, POSTED)
    desk.arrange(Posted(kind, what.seconds))
    return rates(desk)


def reset_post_rate(desk: Desk, kind: str) -> None:
    """Go back to what clients propose, or to the default."""
    _known(kind, tuple(desk.utility.post_rates))
    desk.end(Posted, kind)


def _known(kind: str, kinds: tuple[str, ...]) -> None:
    if kind not in kinds:
        raise unknown("rate of", kind, f"choose from {', '.join(kinds)}" if kinds else "none is set")
