"""What the journal holds: entries of a few kinds, each chained to the one before by its hash."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite
from typing import NamedTuple

import orjson

GENESIS = bytes(32)
"""What the first entry is chained to."""

START = (0, GENESIS)
"""Number and hash of what stands before the first entry."""


_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
"""Only plain JSON values: everything else goes through a codec first."""


class JournalError(Exception):
    """The journal cannot do what was asked."""


class JournalWriteError(JournalError):
    """Nothing of this append was written; the same append may be tried again."""


class JournalInUseError(JournalError):
    """Another process writes this journal."""


class JournalBrokenError(JournalError):
    """The file is not the journal that was written: altered, damaged, or of another make."""


class Kind(StrEnum):
    """What an entry says; in brackets what its key names."""

    STARTED = "started"
    """The gateway began to work (zone)."""
    PARTY_IN = "party_in"
    """A party told us something (the conversation: correlation id)."""
    PARTY_OUT = "party_out"
    """We are about to tell a party something (the conversation: correlation id)."""
    BASELINE = "baseline"
    """What a device held before we first wrote it (resource)."""
    DECIDED = "decided"
    """What a cycle saw and concluded (cycle)."""
    ISSUED = "issued"
    """A control is about to leave for its device, or its lease is about to be refreshed (control)."""
    RELEASED = "released"
    """A release is about to leave for its device (control)."""
    ACKED = "acked"
    """A device answered (control)."""
    VERIFIED = "verified"
    """The measured watts were compared with the control (control)."""
    LINK = "link"
    """A link changed its state (resource)."""
    CHECKPOINT = "checkpoint"
    """All that was agreed until here, so that a restart need not begin at the beginning (zone)."""
    SERVED = "served"
    """What our IEEE 2030.5 server acknowledged to a client (a record of its own, by kind)."""
    OPERATED = "operated"
    """An operator asked something of a resource (the instruction)."""
    SHARED = "shared"
    """What the system operator wants of a node was shared out (dispatch)."""
    FORECAST = "forecast"
    """Somebody said what they expect (the issue)."""
    NEEDS = "needs"
    """Planners said what can be procured and what will be needed in years to come (the import)."""
    MODEL = "model"
    """A network model was uploaded, approved, rejected or taken back (its version)."""
    TOPOLOGY = "topology"
    """The network is to differ from its model for a while, or no longer (the work)."""
    OPERATION = "operation"
    """The network is about to be operated, or the field shows that it was (plan)."""
    PROPOSED = "proposed"
    """An action waits for an operator (action)."""
    ACTED = "acted"
    """An operator acts at the console (what it is about)."""
    RULED = "ruled"
    """An operator or the clock has decided about it (action)."""
    ASSESSED = "assessed"
    """What came of what was asked was measured (the resource, or `batch`)."""
    STATED = "stated"
    """Statements hold from now on (the statement, or the period)."""
    CONTESTED = "contested"
    """A statement is disputed, or the dispute went on (dispute)."""
    INTERVAL = "interval"
    """What a market interval came to (its start)."""
    ALARM = "alarm"
    """Something needs a person (what it is about)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact, as it is handed to the journal and as it comes back."""

    kind: Kind
    key: str
    """What it is found by: see `Kind`."""
    at_s: float
    """When it became known, Unix seconds UTC."""
    cycle_id: str
    """The cycle that it belongs to; empty outside of any."""
    body: Mapping[str, object]
    """What is said, as JSON: plain values only, made by a `gateway.journal.codec.Codec`."""

    def __post_init__(self) -> None:
        if not isfinite(self.at_s):
            raise ValueError(f"{self.kind} {self.key}: time {self.at_s} is not a finite number")


class Row(NamedTuple):
    """An entry as it lies in the file."""

    seq: int
    """1, 2, 3, … without a gap."""
    at_s: float
    kind: str
    key: str
    cycle_id: str
    body: bytes
    """Canonical JSON: UTF-8, no spaces, keys sorted."""
    hash: bytes

    def chained_to(self, previous: bytes) -> bytes:
        """SHA-256 over the hash of the row before and everything that this row says."""
        return hashlib.sha256(previous + orjson.dumps(self[:5]) + self.body).digest()

    def entry(self) -> Entry:
        """The entry again."""
        return Entry(Kind(self.kind), self.key, self.at_s, self.cycle_id, orjson.loads(self.body))


def chained(entries: Iterable[Entry], seq: int, previous: bytes) -> Iterator[Row]:
    """The entries as the rows that follow row `seq`, whose hash is `previous`.

    Raises:
        JournalWriteError: A body holds something that JSON cannot say.
    """
    for number, entry in enumerate(entries, start=seq + 1):
        at_s = entry.at_s + 0.0  # SQLite keeps no negative zero
        try:
            body = orjson.dumps(entry.body, option=_CANONICAL)
            row = Row(number, at_s, entry.kind.value, entry.key, entry.cycle_id, body, hash=b"")
            previous = row.chained_to(previous)
        except TypeError as error:
            raise JournalWriteError(f"{entry.kind.value} {entry.key!r} cannot be written as JSON: {error}") from error
        yield row._replace(hash=previous)


def check(row: Row, seq: int, previous: bytes) -> None:
    """Raise unless `row` is the untouched successor of the row with hash `previous`.

    Raises:
        JournalBrokenError: It is not.
    """
    if row.seq != seq:
        raise JournalBrokenError(f"entry {seq} is missing: after it stands entry {row.seq}")
    if row.chained_to(previous) != row.hash:
        raise JournalBrokenError(f"entry {seq} ({row.kind} {row.key!r}) or the one before it was altered")
