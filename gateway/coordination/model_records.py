"""Versions of the network model that were uploaded: proposed, approved, in force for their time, taken back."""

from dataclasses import dataclass, field
from enum import StrEnum

KEPT = 200
"""Versions that are remembered."""


class ModelState(StrEnum):
    """How far an uploaded model has come."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class ModelProposed:
    """A model was uploaded and has no fault."""

    version: str
    feeder: str
    """Whose network it is; empty where the zone has one."""
    file: str
    """In the folder of uploaded models."""
    sha256: str
    changes: tuple[str, ...]
    """Against what was in force."""
    at_s: float
    by: str
    from_s: float | None = None
    """Holds from then on; at once where absent."""
    until_s: float | None = None
    """After that the one before holds again."""
    because: str = ""


@dataclass(frozen=True, slots=True)
class ModelRuled:
    """It was approved, rejected, or taken back."""

    version: str
    at_s: float
    approved: bool
    by: str
    detail: str = ""


ModelEvent = ModelProposed | ModelRuled


@dataclass(slots=True)
class ModelRecord:
    """A model and its state."""

    proposed: ModelProposed
    state: ModelState = ModelState.PROPOSED

    def holds(self, time_s: float) -> bool:
        """Whether it may be in force at a time."""
        one = self.proposed
        begun = one.from_s is None or one.from_s <= time_s
        return self.state is ModelState.APPROVED and begun and (one.until_s is None or time_s < one.until_s)


@dataclass(slots=True)
class Models:
    """All of them in their order; `fold` is its only mutation."""

    records: dict[str, ModelRecord] = field(default_factory=dict)

    def fold(self, event: ModelEvent) -> None:
        """Take one event in."""
        match event:
            case ModelProposed(version):
                self.records.pop(version, None)
                self.records = {**dict(list(self.records.items())[-KEPT:]), version: ModelRecord(event)}
            case ModelRuled(version, approved=approved):
                record = self.records.get(version)
                if record is None:
                    return
                withdrawn = ModelState.WITHDRAWN if record.state is ModelState.APPROVED else ModelState.REJECTED
                record.state = ModelState.APPROVED if approved else withdrawn
                if approved:  # what was approved last goes before the others
                    self.records[version] = self.records.pop(version)

    def in_force(self, time_s: float) -> ModelRecord | None:
        """The latest approved one that holds; nothing where the network of the configuration does."""
        return next((record for record in reversed(self.records.values()) if record.holds(time_s)), None)
