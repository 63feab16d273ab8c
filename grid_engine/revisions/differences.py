"""What two versions of a network differ in, element by element and field by field."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from grid_engine.exporters.json import Json, document
from grid_engine.model import Network
from grid_engine.modelling.checking.fault import WORDS

_LONGEST = 60
_UNSET = "as by default"


class ChangeKind(StrEnum):
    """What happened to an element."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference."""

    kind: ChangeKind
    table: str
    """Of the network, such as `lines`."""
    id: str
    field: str = ""
    """As in the project's own format, such as `ratings.normal`; empty where the element as a whole came or went."""
    before: str = ""
    """The value as people read it, shortened."""
    after: str = ""

    def __str__(self) -> str:
        """For people."""
        element = f"{WORDS.get(self.table, self.table)} {self.id}".strip()
        if self.kind is not ChangeKind.CHANGED:
            return f"{element}: {self.kind.value}"
        return f"{element}: {self.field} {self.before} -> {self.after}"


def differences(old: Network, new: Network) -> tuple[Change, ...]:
    """Every difference but that of the version; nodes are compared by name, so their order does not matter.

    Raises:
        NetworkError: one of them holds numbers that no valid network has.
    """
    before, after = document(old), document(new)
    changes: list[Change] = []
    for table in after:
        was, is_now = before[table], after[table]
        if table == "curves":
            was, is_now = _numbered(was), _numbered(is_now)
        if isinstance(is_now, Sequence) and not isinstance(is_now, str) and isinstance(was, Sequence):
            changes += _entries(table, _by_id(was), _by_id(is_now))
        elif was != is_now and table != "version":
            changes.append(Change(ChangeKind.CHANGED, "network", "", table, _told(was), _told(is_now)))
    return tuple(changes)


def _numbered(curves: Json) -> Json:
    entries = curves if isinstance(curves, Sequence) else ()
    return [{"id": str(n), **entry} for n, entry in enumerate(entries) if isinstance(entry, Mapping)]


def _by_id(entries: Sequence[Json]) -> dict[str, Mapping[str, Json]]:
    return {str(entry["id"]): _flat(entry) for entry in entries if isinstance(entry, Mapping)}


def _flat(entry: Mapping[str, Json]) -> Mapping[str, Json]:
    """Ratings as fields of their own."""
    flat = {key: value for key, value in entry.items() if key != "ratings"}
    ratings = entry.get("ratings")
    if isinstance(ratings, Mapping):
        flat |= {f"ratings.{key}": value for key, value in ratings.items()}
    return flat


def _entries(
    table: str, was: Mapping[str, Mapping[str, Json]], now: Mapping[str, Mapping[str, Json]]
) -> Iterator[Change]:
    for name in was.keys() - now.keys():
        yield Change(ChangeKind.REMOVED, table, name)
    for name, entry in now.items():
        if name not in was:
            yield Change(ChangeKind.ADDED, table, name)
            continue
        old = was[name]
        for key in (*entry, *(key for key in old if key not in entry)):
            if old.get(key, _UNSET) != entry.get(key, _UNSET):
                where, before, after = _pinpointed(old.get(key, _UNSET), entry.get(key, _UNSET))
                yield Change(ChangeKind.CHANGED, table, name, key + where, _told(before), _told(after))


def _pinpointed(before: Json, after: Json) -> tuple[str, Json, Json]:
    """The one place in two lists at which they differ, counted from 0, if there is but one."""
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        differ = [n for n, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        if len(differ) == 1:
            deeper, first, second = _pinpointed(before[differ[0]], after[differ[0]])
            return f"[{differ[0]}]{deeper}", first, second
    return "", before, after


def _told(value: Json) -> str:
    text = value if isinstance(value, str) else str(value).replace("None", "null")
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
