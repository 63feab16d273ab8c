"""Everything a decision may look at, in one value."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateway.coordination.book import Book
from gateway.coordination.messages import Body, Header, Message
from gateway.coordination.zone import ZoneFacts
from gateway.snapshot import Snapshot
from grid_engine.results import Rating

LONGEST_ID = 256
"""Characters of a message id on the wire; ids of parties are parts of ours."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One zone at one moment: its facts, what was agreed, what is measured."""

    zone: ZoneFacts
    book: Book
    """Read only; folding events into it is the loop's business."""
    snapshot: Snapshot
    cycle_id: str = ""
    confirmed: frozenset[str] = frozenset()
    """Lost resources whose fallback the measured flows have confirmed."""
    doubtful: frozenset[str] = frozenset()
    """Resources whose clock cannot be trusted now; `gateway` where it is our own."""
    reached_s: Mapping[str, float] = field(default_factory=dict)
    """By party that was lost: since when it takes messages again, infinite while it does not."""
    lowered: Mapping[str, Rating] = field(default_factory=dict)
    """Ratings of assets that carry more than the model explains, less what is unexplained."""

    @property
    def now_s(self) -> float:
        """The moment of the snapshot, Unix seconds UTC."""
        return self.snapshot.at_s

    def citing(self, model_version: str) -> "Situation":
        """The same on the network model that was answered from, and what is laid over it for a while.

        The model may have been renewed while the zone ran.
        """
        if not model_version:
            return self
        cited = "+".join((model_version, *(work.id for work in self.book.topology.at(self.now_s))))
        return replace(self, zone=replace(self.zone, model_version=cited))

    def message(self, recipient: str, corr_id: str, body: Body, suffix: str = "") -> Message:
        """A message from the DSO; `suffix` tells apart what is said more than once in one conversation."""
        msg_id = f"{body.code}:{corr_id}{suffix}"
        if len(msg_id) > LONGEST_ID:
            msg_id = f"{msg_id[: LONGEST_ID - 33]}~{hashlib.sha256(msg_id.encode()).hexdigest()[:32]}"
        zone = self.zone
        return Message(Header(msg_id, corr_id, zone.dso, recipient, self.now_s, zone.id, zone.model.value), body)
