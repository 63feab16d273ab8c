"""Which programs reach which device, and what changes that: groups, memberships, programs, assignments."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ieee2030_5 import resources as r
from ieee2030_5.groups import BASE, Group, GroupKind, own_group
from ieee2030_5.utility import Device, Program, Utility, mrid


@dataclass(frozen=True, slots=True)
class Assignment:
    """One FunctionSetAssignments of one device."""

    name: str
    description: str
    programs: tuple[Program, ...]


def chain(utility: Utility, device: Device) -> list[Group]:
    """The groups that a device is in and those above them, each once, finer before coarser."""
    found: dict[str, Group] = {}
    level = [own_group(device.slug), *device.groups]
    while level:
        here = [utility.groups[name] for name in level if name in utility.groups and name not in found]
        found.update((group.name, group) for group in here)
        level = [group.parent for group in here if group.parent is not None]
    return list(found.values())


def programs_of(utility: Utility, device: Device) -> list[Program]:
    """The programs that apply to a device: its own, then those of its groups."""
    own = utility.programs.get(device.slug)
    shared = [utility.programs[slug] for group in chain(utility, device) for slug in group.programs]
    return shared if own is None else [own, *shared]


def programs_of_all(utility: Utility, devices: Iterable[Device]) -> dict[str, Program]:
    """The programs that apply to any of these devices, by slug; what groups share is looked up once."""
    found: dict[str, Program] = {}
    known: set[tuple[str, ...]] = set()
    for device in devices:
        if device.groups in known and own_group(device.slug) not in utility.groups:
            if (own := utility.programs.get(device.slug)) is not None:
                found[own.slug] = own
        else:
            known.add(device.groups)
            found.update((program.slug, program) for program in programs_of(utility, device))
    return found


def assignments_of(utility: Utility, device: Device) -> list[Assignment]:
    """The FunctionSetAssignments of a device.

    Those made for its groups, with or without programs, and those that its programs ask for; the base
    assignment where there is no other, so that no client waits for the first one.
    """
    programs = programs_of(utility, device)
    described = {name: text for group in reversed(chain(utility, device)) for name, text in group.assignments.items()}
    names = dict.fromkeys([*described, *(program.assignment for program in programs)]) or {BASE: None}
    return [
        Assignment(name, described.get(name, name), tuple(p for p in programs if p.assignment == name))
        for name in names
    ]


def assignment_version(utility: Utility, device: Device) -> int:
    """Rises with every change of the device's groups and of what they share."""
    return device.moves + sum(group.version for group in chain(utility, device))


def below(utility: Utility, group: Group) -> Iterator[Device]:
    """The devices in a group and in those under it, each once."""
    seen: set[str] = set()
    waiting = [group]
    while waiting:
        here = waiting.pop()
        waiting += [utility.groups[name] for name in here.children if name in utility.groups]
        for slug in here.members - seen:
            seen.add(slug)
            yield utility.devices[slug]


def devices_of(utility: Utility, program: Program) -> Iterator[Device]:
    """The devices that a program applies to."""
    if not program.group:
        yield utility.devices[program.slug]
    elif (group := utility.groups.get(program.group)) is not None:
        yield from below(utility, group)


def put_group(utility: Utility, name: str, kind: GroupKind, parent: str | None, description: str) -> None:
    """Make a group, or change what it is and where it hangs."""
    group = utility.groups.get(name)
    if group is None:
        group = utility.groups[name] = Group(name, kind, None, description)
    group.kind, group.description = kind, description
    if group.parent != parent:
        moved = {device.slug: assignment_version(utility, device) for device in below(utility, group)}
        if group.parent in utility.groups:
            utility.groups[group.parent].children.discard(name)
        group.parent = parent
        if parent in utility.groups:
            utility.groups[parent].children.add(name)
        for slug, version in moved.items():
            _moved(utility, utility.devices[slug], version)
    _changed(utility)


def drop_group(utility: Utility, name: str) -> None:
    """Take a group out: its programs go, what was in it or below it belongs to its parent's level from then on."""
    group = utility.groups.get(name)
    if group is None:
        return
    for slug in tuple(group.programs):
        drop_program(utility, slug)
    for child in tuple(group.children):
        below_it = utility.groups[child]
        put_group(utility, child, below_it.kind, group.parent, below_it.description)
    for slug in tuple(group.members):
        device = utility.devices[slug]
        place(utility, device, tuple(other for other in device.groups if other != name))
    if group.parent in utility.groups:
        utility.groups[group.parent].children.discard(name)
    del utility.groups[name]
    _changed(utility)


def place(utility: Utility, device: Device, names: tuple[str, ...]) -> None:
    """Put a device into these groups and out of all others."""
    version = assignment_version(utility, device)
    for name in device.groups:
        if name in utility.groups:
            utility.groups[name].members.discard(device.slug)
    device.groups = tuple(name for name in dict.fromkeys(names) if name in utility.groups)
    for name in device.groups:
        utility.groups[name].members.add(device.slug)
    _moved(utility, device, version)
    utility.people += 1


def put_program(utility: Utility, program: Program) -> None:
    """Make a program of a group, or replace what is said about one that is there; its group never changes."""
    known = utility.programs.get(program.slug)
    if known is None:
        group = group_of(utility, program.group)
        if group is None:
            return
        utility.programs[program.slug] = program
        group.programs.append(program.slug)
    elif known.group != program.group:
        return  # the zone file has a device of this name by now
    else:
        known.primacy, known.description, known.assignment = program.primacy, program.description, program.assignment
        known.version = (known.version + 1) % 65_536
        utility.touch(known)
    _assigned(utility, program)


def drop_program(utility: Utility, slug: str) -> None:
    """Take a program out; clients drop its events with it. The own program of a device goes with the device."""
    program = utility.programs.get(slug)
    if program is None or not program.group:
        return
    del utility.programs[slug]
    if program.group in utility.groups:
        utility.groups[program.group].programs.remove(slug)
    _assigned(utility, program)


def put_assignment(utility: Utility, group_name: str, name: str, description: str | None) -> None:
    """Give everybody in a group an assignment of this name; `None` takes it away, its programs keep naming it."""
    group = group_of(utility, group_name)
    if group is None:
        return
    if description is None:
        group.assignments.pop(name, None)
    else:
        group.assignments[name] = description
    group.version += 1
    _changed(utility)


def new_program(utility: Utility, slug: str, primacy: int, group: str, at_s: int) -> Program:
    """A program with an empty default; nobody sees it yet."""
    default = r.DefaultDERControl(
        href=f"/derp/{slug}/dderc",
        mRID=mrid(utility.settings, "dderc", slug, at_s),
        description="Default limit",
        version=0,
        base=r.DERControlBase(),
    )
    return Program(slug, mrid(utility.settings, "derp", slug, at_s), primacy, group, default)


def group_of(utility: Utility, name: str) -> Group | None:
    """The group of this name; that of one device alone is made when it is first needed.

    `None` where it has gone: the zone file may have lost a device since.
    """
    slug = name.removeprefix("@")
    if name not in utility.groups and slug != name and slug in utility.devices:
        utility.groups[name] = Group(name, GroupKind.SERVICE_POINT, members={slug})
    return utility.groups.get(name)


def _assigned(utility: Utility, program: Program) -> None:
    """A change of a program changes the assignments of its devices."""
    if program.group in utility.groups:
        utility.groups[program.group].version += 1
    elif (device := utility.devices.get(program.slug)) is not None:
        device.moves += 1
        device.revision += 1
    _changed(utility)


def _moved(utility: Utility, device: Device, version: int) -> None:
    device.moves += version - assignment_version(utility, device) + 1
    device.revision += 1


def _changed(utility: Utility) -> None:
    utility.layout += 1
    utility.people += 1
