"""What happened to the resource tree, as values that a journal can keep: folding them again gives the same tree."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar


class KeepError(Exception):
    """A record could not be kept, so nothing may be acknowledged."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A document was created or replaced at a URI."""

    kind: ClassVar[str] = "stored"
    href: str
    document: str
    """XML, with CSIP-AUS elements where it has them."""
    owner: str
    """LFDI of the client that sent it; empty for our own."""
    at_s: int


@dataclass(frozen=True, slots=True)
class Removed:
    """A URI is gone."""

    kind: ClassVar[str] = "removed"
    href: str
    at_s: int
    status: int = 0
    """Notification.status that its client has to be told where it is a subscription that we have ended."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A DERControl carries a control of the gateway or of the operator; Responses to its mRID are about that."""

    kind: ClassVar[str] = "issued"
    mrid: str
    program: str
    resource: str
    """Empty where the operator has issued it, not the gateway."""
    control_id: str
    version: int
    end_s: int
    """End of the event as published."""
    at_s: int


@dataclass(frozen=True, slots=True)
class Arranged:
    """The operator has arranged something: who may connect, what belongs together, how often to poll."""

    kind: ClassVar[str] = "arranged"
    what: str
    """Which kind of arrangement; see `arrangements`."""
    name: str
    """Of the thing arranged; one of a kind has one value at a time."""
    value: Mapping[str, object] | None
    """What it is from now on; `None`: no more."""
    at_s: int


@dataclass(frozen=True, slots=True)
class Told:
    """What subscribers have been told, so that a restart tells them what is new, and that alone."""

    kind: ClassVar[str] = "told"
    digests: Mapping[str, str]
    """Of the content that arrived last, by subscription; empty where it is that the subscription has ended."""
    at_s: int


Record = Stored | Removed | Issued | Arranged | Told
Keep = Callable[[Record], None]
"""Takes a record before its effect can be seen by anyone; raises `KeepError` where it cannot be kept."""

_KINDS: Mapping[str, type[Stored] | type[Removed] | type[Issued] | type[Arranged] | type[Told]] = {
    cls.kind: cls for cls in (Stored, Removed, Issued, Arranged, Told)
}


def to_json(record: Record) -> dict[str, object]:
    """A mapping of strings, numbers, and mappings and lists of them."""
    return {"kind": record.kind, **asdict(record)}


def from_json(data: Mapping[str, object]) -> Record:
    """The record of a mapping; raises KeyError or TypeError where it is none."""
    fields = {name: value for name, value in data.items() if name != "kind"}
    return _KINDS[str(data["kind"])](**fields)  # type: ignore[arg-type]  # checked by the constructor's names
