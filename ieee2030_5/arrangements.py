"""What an operator arranges, as values that a journal can keep, and what each does to the state."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from ieee2030_5 import enrolment, tariffs, topology
from ieee2030_5.access import Access, Admission
from ieee2030_5.groups import BASE, GroupKind
from ieee2030_5.records import Arranged
from ieee2030_5.settings import DeviceSettings, Edition, Profile
from ieee2030_5.utility import Utility, slug_of
from protocols.signals import Bounds


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device or an aggregator is registered, or what is known about it changes."""

    what: ClassVar[str] = "device"
    settings: DeviceSettings

    @property
    def name(self) -> str:
        """Its resource."""
        return self.settings.resource


@dataclass(frozen=True, slots=True)
class Held:
    """An aggregator speaks for a device."""

    what: ClassVar[str] = "member"
    aggregator: str
    device: str
    held: bool = True

    @property
    def name(self) -> str:
        """Both; ids of resources hold no space."""
        return f"{self.aggregator} {self.device}"


@dataclass(frozen=True, slots=True)
class Grouped:
    """A group, and the one above it."""

    what: ClassVar[str] = "group"
    name: str
    kind: GroupKind
    parent: str | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """The groups that a device is in."""

    what: ClassVar[str] = "membership"
    name: str
    """The device."""
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Programmed:
    """A DERProgram of a group, or what is said about the own program of a device."""

    what: ClassVar[str] = "program"
    name: str
    group: str
    primacy: int
    description: str = "Operating envelope"
    assignment: str = BASE


@dataclass(frozen=True, slots=True)
class Priced:
    """A tariff of a group."""

    what: ClassVar[str] = "tariff"
    name: str
    group: str
    primacy: int
    currency: int
    power_of_ten: int = 0
    description: str = "Energy"


@dataclass(frozen=True, slots=True)
class Assigned:
    """A FunctionSetAssignments that everybody in a group has."""

    what: ClassVar[str] = "assignment"
    group: str
    assignment: str
    description: str | None = None
    """`None`: no more."""

    @property
    def name(self) -> str:
        """Group and assignment; neither holds a space."""
        return f"{self.group} {self.assignment}"


@dataclass(frozen=True, slots=True)
class Polled:
    """How often clients are asked to fetch a kind of resource."""

    what: ClassVar[str] = "poll_rate"
    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Posted:
    """How often clients are asked to post."""

    what: ClassVar[str] = "post_rate"
    name: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """Whether a client may use the server, by LFDI."""

    what: ClassVar[str] = "access"
    name: str
    state: Admission
    until_s: int | None = None


_TOGETHER = "together"
Arrangement = Enrolled | Held | Grouped | Placed | Programmed | Priced | Assigned | Polled | Posted | Admitted


def arranged(item: Arrangement, at_s: int) -> Arranged:
    """The record of an arrangement."""
    value = asdict(item.settings if isinstance(item, Enrolled) else item)
    for key, held in value.items():
        if isinstance(held, frozenset):
            value[key] = sorted(held)
    return Arranged(item.what, item.name, value, at_s)


def ended(kind: type[Arrangement], name: str, at_s: int) -> Arranged:
    """The record that an arrangement is no more."""
    return Arranged(kind.what, name, None, at_s)


def together(records: Sequence[Arranged], at_s: int) -> Arranged:
    """Several arrangements as one record: all of them are kept, or none."""
    items = [{"what": item.what, "name": item.name, "value": item.value} for item in records]
    return Arranged(_TOGETHER, f"{len(items)} arrangements", {"items": items}, at_s)


def fold(utility: Utility, record: Arranged) -> None:
    """Carry out what a record says; a thing that has gone meanwhile is passed over."""
    if record.value is None:
        _ENDS[record.what](utility, record.name, record.at_s)
    else:
        _FOLDS[record.what](utility, dict(record.value), record.at_s)


def _each(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:
    for item in value["items"]:
        fold(utility, Arranged(item["what"], item["name"], item["value"], at_s))


def _enrol(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:
    settings = {
        **value,
        "profile": Profile(value["profile"]),
        "edition": Edition(value["edition"]),
        "members": frozenset(value["members"]),
        "notify_hosts": frozenset(value["notify_hosts"]),
        "default_limit": Bounds(**value["default_limit"]),
    }
    enrolment.enrol(utility, DeviceSettings(**settings), at_s)


def _hold(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:  # noqa: ARG001
    enrolment.hold(utility, slug_of(value["aggregator"]), slug_of(value["device"]), held=value["held"])


def _group(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:  # noqa: ARG001
    topology.put_group(utility, value["name"], GroupKind(value["kind"]), value["parent"], value["description"])


def _place(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:  # noqa: ARG001
    device = utility.by_resource(value["name"])
    if device is not None:
        topology.place(utility, device, tuple(value["groups"]))


def _program(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:
    program = topology.new_program(utility, value["name"], value["primacy"], value["group"], at_s)
    program.description, program.assignment = value["description"], value["assignment"]
    topology.put_program(utility, program)


def _price(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:
    tariffs.put(utility, value["name"], tariffs.new(utility, value, at_s))


def _unprice(utility: Utility, name: str, at_s: int) -> None:  # noqa: ARG001
    tariffs.put(utility, name, None)


def _assign(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:  # noqa: ARG001
    topology.put_assignment(utility, value["group"], value["assignment"], value["description"])


def _poll(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:  # noqa: ARG001
    utility.poll_rates[value["name"]] = value["seconds"]
    utility.layout += 1


def _post(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:  # noqa: ARG001
    utility.post_rates[value["name"]] = value["seconds"]
    utility.layout += 1


def _admit(utility: Utility, value: Mapping[str, Any], at_s: int) -> None:  # noqa: ARG001
    utility.access[value["name"]] = Access(Admission(value["state"]), value["until_s"])


def _dismiss(utility: Utility, name: str, at_s: int) -> None:  # noqa: ARG001
    enrolment.dismiss(utility, slug_of(name))


def _ungroup(utility: Utility, name: str, at_s: int) -> None:  # noqa: ARG001
    topology.drop_group(utility, name)


def _cancel_program(utility: Utility, name: str, at_s: int) -> None:  # noqa: ARG001
    topology.drop_program(utility, name)


def _unpoll(utility: Utility, name: str, at_s: int) -> None:  # noqa: ARG001
    utility.poll_rates.pop(name, None)
    utility.layout += 1


def _unpost(utility: Utility, name: str, at_s: int) -> None:  # noqa: ARG001
    utility.post_rates.pop(name, None)
    utility.layout += 1


def _readmit(utility: Utility, name: str, at_s: int) -> None:  # noqa: ARG001
    utility.access.pop(name, None)


_FOLDS: Mapping[str, Callable[[Utility, Mapping[str, Any], int], None]] = {
    Enrolled.what: _enrol,
    Held.what: _hold,
    Grouped.what: _group,
    Placed.what: _place,
    Programmed.what: _program,
    Priced.what: _price,
    Assigned.what: _assign,
    Polled.what: _poll,
    Posted.what: _post,
    Admitted.what: _admit,
    _TOGETHER: _each,
}
_ENDS: Mapping[str, Callable[[Utility, str, int], None]] = {
    Enrolled.what: _dismiss,
    Grouped.what: _ungroup,
    Programmed.what: _cancel_program,
    Priced.what: _unprice,
    Polled.what: _unpoll,
    Posted.what: _unpost,
    Admitted.what: _readmit,
}
