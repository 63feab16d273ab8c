"""The frozen values that cross the port: measurements, link changes, baselines, controls and acknowledgements."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import isfinite

from protocols.points import Point


class Quality(StrEnum):
    """How far a value may be trusted."""

    GOOD = "good"
    STALE = "stale"
    """Older than three polls; never used silently."""
    ESTIMATED = "estimated"
    SUBSTITUTED = "substituted"
    BAD = "bad"
    """The device said so, or the value was not a number; `value` is then 0 and means nothing."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One reading of one point."""

    point: Point
    value: float
    """In the unit that the point's quantity names; always finite."""
    quality: Quality
    source_time_s: float
    """When the device took it, Unix seconds UTC; the time of reception where the protocol has none."""
    received_time_s: float
    """When the adapter received it, Unix seconds UTC."""

    def __post_init__(self) -> None:
        if not isfinite(self.value):
            raise ValueError(
                f"{self.point}: {self.value} is not a finite number; report it as Quality.BAD with value 0"
            )


class LinkState(StrEnum):
    """Life of the link to one resource."""

    INIT = "init"
    ONLINE = "online"
    DEGRADED = "degraded"
    """At least one poll missed, not yet three."""
    LOST = "lost"
    """Three polls missed or the peer closed; the resource is on its own timers from here on."""


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The link to one resource changed state; sent once per change, never repeated."""

    resource: str
    state: LinkState
    at_s: float
    detail: str
    """What was asked, of whom, and what came back."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What the device's control registers held before this gateway ever wrote them.

    An adapter emits it once per connection, before it accepts the first control. The gateway keeps
    the first one it journals and hands it back in `Release`, so that a limit set by somebody else
    is restored and not wiped.
    """

    resource: str
    values: Mapping[str, float]
    """Adapter's own names and raw values; opaque to everyone else."""
    at_s: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """A box on active power at the point of interconnection; `None` leaves that side open."""

    floor_w: float | None = None
    ceiling_w: float | None = None

    def __post_init__(self) -> None:
        if self.floor_w is not None and self.ceiling_w is not None and self.floor_w > self.ceiling_w:
            raise ValueError(f"floor {self.floor_w} W is above ceiling {self.ceiling_w} W")

    def clamp(self, power_w: float) -> float:
        """The nearest power inside the box."""
        if self.ceiling_w is not None:
            power_w = min(power_w, self.ceiling_w)
        if self.floor_w is not None:
            power_w = max(power_w, self.floor_w)
        return power_w

    @property
    def is_open(self) -> bool:
        """True where neither side is bounded."""
        return self.floor_w is None and self.ceiling_w is None


class GridSwitch(StrEnum):
    """What an instruction says of the device's switch to the grid, where it has one that we may move."""

    LEAVE = "leave"
    OPEN = "open"
    """Off the grid: an emergency leaves it no power. The limit says the same to a device without such a switch."""
    CLOSE = "close"
    """On the grid again: an instruction of ours had taken it off."""


@dataclass(frozen=True, slots=True)
class Control:
    """A leased instruction to one resource.

    A refresh is the same control (same id and version) with a later `expiry_s`. An adapter drops a
    control whose version is older than one it has already applied.
    """

    control_id: str
    resource: str
    version: int
    """Monotone per resource, also across restarts of the gateway."""
    start_s: float
    """Start of validity, Unix seconds UTC."""
    expiry_s: float
    """End of the lease: from here on the device falls back by itself."""
    limit: Bounds
    """The operating envelope; beats the target."""
    target_w: float | None = None
    """Set point, positive for injection; `None` leaves the set point to whoever owns it."""
    fallback: Bounds = field(default_factory=Bounds)
    """What the device falls back to when the lease runs out."""
    urgent: bool = False
    """An emergency: where the protocol knows precedence, it goes before everything else."""
    grid_switch: GridSwitch = GridSwitch.LEAVE

    def __post_init__(self) -> None:
        if self.expiry_s <= self.start_s:
            raise ValueError(f"control {self.control_id} for {self.resource} expires before it starts")


@dataclass(frozen=True, slots=True)
class Release:
    """Give the resource back: restore what was there before the first control."""

    control_id: str
    resource: str
    version: int
    baseline: Mapping[str, float]
    """Values of the `Baseline` that the adapter reported; empty where it has none to restore."""
    grid_switch: GridSwitch = GridSwitch.LEAVE


Instruction = Control | Release
"""What `Adapter.apply` takes."""


@dataclass(frozen=True, slots=True)
class Command:
    """One operation of the network itself: a tap position, a switch, a capacitor."""

    command_id: str
    point: Point
    """Where the field shows what it is told: `T1.tap_position`, `SW12.switch_closed`."""
    value: float
    """Tap position, or 1 for closed and in service, 0 for open and out of it."""
    start_s: float
    expiry_s: float
    """It must not be carried out later."""


class Outcome(StrEnum):
    """How far an instruction has come, or how it ended.

    Polling protocols pass through `PUBLISHED`, `RECEIVED`, `STARTED`; writing protocols answer
    `WRITTEN` at once. `VERIFIED` and `UNVERIFIED` are found by the gateway from measured power.
    """

    PUBLISHED = "published"
    """Offered to a device that fetches its controls; it has not yet answered."""
    RECEIVED = "received"
    STARTED = "started"
    COMPLETED = "completed"
    WRITTEN = "written"
    """Written and read back equal."""
    VERIFIED = "verified"
    """The watts moved as the device's ramp says."""
    UNVERIFIED = "unverified"
    """Accepted by the device, but the watts did not follow within its ramp time."""
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """No answer, and reading back could not settle it; to be resolved by reading, never by writing again."""
    UNDELIVERED = "undelivered"
    """It has not reached the device: nothing was sent, or the device shows what it held before; to be told again."""
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    """A newer version exists; this one was not sent, or no longer holds."""


MAY_HOLD = frozenset({Outcome.WRITTEN, Outcome.UNKNOWN, Outcome.UNDELIVERED})
"""Outcomes of what was sent after which a device may hold it, now or a little later."""


@dataclass(frozen=True, slots=True)
class Ack:
    """What became of one instruction at its device."""

    control_id: str
    resource: str
    version: int
    outcome: Outcome
    at_s: float
    detail: str = ""
    """Asked what, of whom, and what came back; for people."""
    requested: Mapping[str, float] = field(default_factory=dict)
    """Adapter's names of what was written, with raw values."""
    read_back: Mapping[str, float] = field(default_factory=dict)
    """The same names as read back from the device."""
    disconnects: bool = False
    """It moved the device's switch and took it off the grid; what was off already is left to whoever did that."""

    @classmethod
    def of(
        cls,
        instruction: Instruction,
        outcome: Outcome,
        at_s: float,
        detail: str,
        *,
        requested: Mapping[str, float] | None = None,
        read_back: Mapping[str, float] | None = None,
    ) -> "Ack":
        """The answer to an instruction."""
        return cls(
            control_id=instruction.control_id,
            resource=instruction.resource,
            version=instruction.version,
            outcome=outcome,
            at_s=at_s,
            detail=detail,
            requested=requested or {},
            read_back=read_back or {},
        )

    def and_switch(
        self,
        outcome: Outcome,
        detail: str,
        *,
        closes: bool,
        was_closed: bool,
        requested: Mapping[str, float] | None = None,
        read_back: Mapping[str, float] | None = None,
    ) -> "Ack":
        """The same for an instruction that moves the device's switch to the grid beside its limit.

        Off the grid is no power whatever became of the limit, and a device whose switch could not be opened is held
        by its limit; to be on the grid again is part of what was asked.
        """
        off = not closes and outcome is Outcome.WRITTEN
        whole = outcome if (closes and self.outcome is Outcome.WRITTEN) else self.outcome
        if off and whole is Outcome.REJECTED:
            whole = Outcome.WRITTEN
        said = f"{'on the grid again' if closes else 'off the grid'}: {outcome.value} {detail}".rstrip()
        return replace(
            self,
            outcome=whole,
            detail="; ".join(filter(None, (self.detail, said))),
            requested={**self.requested, **(requested or {})},
            read_back={**self.read_back, **(read_back or {})},
            disconnects=not closes and was_closed and outcome in MAY_HOLD,
        )


Signal = Measurement | LinkChanged | Baseline | Ack
"""What an adapter emits."""
