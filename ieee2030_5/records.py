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


@dataclass(frozen=True, slots=True)
class Issued:
    """A DERControl carries a control of the gateway; Responses to its mRID are about that control."""

    kind: ClassVar[str] = "issued"
    mrid: str
    program: str
    resource: str
    control_id: str
    version: int
    end_s: int
    """End of the event as published."""
    at_s: int


Record = Stored | Removed | Issued
Keep = Callable[[Record], None]
"""Takes a record before its effect can be seen by anyone; raises `KeepError` where it cannot be kept."""

_KINDS: Mapping[str, type[Stored] | type[Removed] | type[Issued]] = {cls.kind: cls for cls in (Stored, Removed, Issued)}


def to_json(record: Record) -> dict[str, object]:
    """A flat mapping of strings and numbers."""
    return {"kind": record.kind, **asdict(record)}


def from_json(data: Mapping[str, object]) -> Record:
    """The record of a mapping; raises KeyError or TypeError where it is none."""
    fields = {name: value for name, value in data.items() if name != "kind"}
    return _KINDS[str(data["kind"])](**fields)  # type: ignore[arg-type]  # checked by the constructor's names
