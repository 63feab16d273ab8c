"""One scene of the demonstration: what happens, what must come true, and what was measured meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gateway.demo.eventlog import EventLog, Line


@dataclass(frozen=True, slots=True)
class Sample:
    """The true state of the simulated world at one moment."""

    at_s: float
    """Seconds since the scene began."""
    power_mw: Mapping[str, float]
    """Per device, positive for injection."""
    ceiling_mw: Mapping[str, float | None]
    """Upper limit in force at each device."""
    points: Mapping[str, float]
    """Values of the grid by point, for example `L12.current_a`."""


@dataclass(slots=True)
class Record:
    """Everything that was seen in a scene."""

    samples: list[Sample]
    messages: list[Mapping[str, object]]
    """Wire form of what the simulated parties sent and received, in order, each once."""
    log: EventLog
    """The gateway's."""
    begun: int = 0
    """Lines of the log that were there before anything happened."""

    def logged(self, event: str, **fields: object) -> Line | None:
        """The first line of an event with these fields since something happened."""
        return self.log.first(event, self.begun, **fields)

    def sent(self, code: str, sender: str, recipient: str | None = None) -> list[Mapping[str, object]]:
        """Messages of one code from one party."""
        return [
            m
            for m in self.messages
            if m["type"] == code and m["sender"] == sender and recipient in (None, m["recipient"])
        ]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One expectation and what became of it."""

    expectation: str
    expected: str
    found: str
    passed: bool


@dataclass(frozen=True, slots=True)
class Scene:
    """A story on one zone file."""

    title: str
    zone: Path
    story: str
    """One sentence for the audience."""
    resource: str
    """The one that is told to do too much."""
    lasts_s: float
    judge: Callable[[Record], list[Verdict]]
    dispatch_mw: float | None = None
    """What the system operator dispatches at the start, if it does."""
    node: str = ""
    """Where the dispatch is of a node and not of `resource`."""
    offers: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)
    """What each resource is offered for: cumulative MW and price."""
    available_mw: Mapping[str, float] = field(default_factory=dict)
    """What becomes available to devices at the start."""
    tap: int | None = None
    """Where the transformers' taps stand, if not where the network source has them."""


def near(expectation: str, expected: float, found: float | None, tolerance: float, unit: str) -> Verdict:
    """A number that must come within a tolerance."""
    passed = found is not None and abs(found - expected) <= tolerance
    digits = 2 if unit in ("MW", "pu") else 1
    shown = "nothing" if found is None else f"{found:.{digits + 1}f} {unit}"
    return Verdict(expectation, f"{expected:.{digits}f} ± {tolerance:g} {unit}", shown, passed)


def holds(expectation: str, passed: bool, found: str) -> Verdict:  # noqa: FBT001 - the verdict itself
    """Something that must simply be so."""
    return Verdict(expectation, "yes", found, passed)
