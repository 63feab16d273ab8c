"""What the DNP3 adapter has to be told: one outstation, the values read from it and the DERs controlled through it."""

from dataclasses import dataclass, field
from re import fullmatch

from protocols.dnp3.commands import AnalogForm
from protocols.dnp3.layouts import Kind
from protocols.dnp3.master_words import MasterSettings
from protocols.points import Point
from protocols.signals import Bounds

LETTERS = {
    "AI": Kind.ANALOG_INPUT,
    "BI": Kind.BINARY_INPUT,
    "DBI": Kind.DOUBLE_BIT_INPUT,
    "CTR": Kind.COUNTER,
    "AO": Kind.ANALOG_OUTPUT,
    "BO": Kind.BINARY_OUTPUT,
}
"""Kinds of points as people write them."""


def place_at(text: str) -> tuple[Kind, int]:
    """Kind and index of `AI7`.

    Raises:
        ValueError: It is no such address.
    """
    found = fullmatch(r"([A-Z]+)([0-9]{1,5})", text)
    if found is None or found[1] not in LETTERS or int(found[2]) > 0xFFFF:
        raise ValueError(f"{text!r} is no DNP3 point; write {', '.join(LETTERS)} with an index, as AI7")
    return LETTERS[found[1]], int(found[2])


@dataclass(frozen=True, slots=True)
class Tls:
    """Mutual TLS; all three are PEM files."""

    certificate: str
    key: str
    authority: str
    server_name: str | None = None
    """Name that the outstation's certificate must bear; None takes the host."""


@dataclass(frozen=True, slots=True)
class MappedInput:
    """Where one measured value lives in the outstation."""

    point: Point
    kind: Kind
    index: int
    scale: float = 1.0
    """Multiplies the raw value to give the point's unit."""
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Setpoint:
    """An analog output and the point that says what it holds."""

    output: int
    readback: int
    unit: float = 1.0
    """One count in the unit of what is set: W, or s."""
    form: AnalogForm = AnalogForm.INT32
    readback_kind: Kind = Kind.ANALOG_INPUT


@dataclass(frozen=True, slots=True)
class Switch:
    """A binary output that is latched on and off, and the point that says how it stands."""

    output: int
    readback: int
    readback_kind: Kind = Kind.BINARY_INPUT


@dataclass(frozen=True, slots=True)
class DerPoints:
    """How one DER is controlled."""

    resource: str
    ceiling_w: float
    """Nameplate: greatest injection; what an open upper limit is written as."""
    floor_w: float
    """Nameplate: greatest absorption as a negative number, or 0."""
    ceiling: Setpoint
    limit_enable: Switch
    floor: Setpoint | None = None
    """None: the device takes no lower limit."""
    limit_reversion: Setpoint | None = None
    """Seconds after which the limit gives way by itself; None: the device keeps it for ever."""
    fallback_ceiling: Setpoint | None = None
    """What the limit gives way to; None: it is switched off."""
    target: Setpoint | None = None
    """None: the device takes no set point."""
    target_enable: Switch | None = None
    connect: Switch | None = None
    """Its switch to the grid, moved in emergencies alone; it counts only where the device shows it."""
    target_reversion: Setpoint | None = None


@dataclass(frozen=True, slots=True)
class Dnp3Settings:
    """One outstation."""

    host: str
    inputs: tuple[MappedInput, ...]
    ders: tuple[DerPoints, ...] = ()
    port: int = 20_000
    """19 999 is registered for DNP3 over TLS."""
    master: MasterSettings = field(default_factory=MasterSettings)
    tls: Tls | None = None
    select: bool = True
    """Select before operate; False operates directly."""
    settle_s: float = 2.0
    """How long after a control the outstation may take until it reads back equal."""
    connect_s: float = 5.0
    retry_first_s: float = 1.0
    retry_max_s: float = 30.0
    """Longest pause before a lost connection is tried again."""
    fallback: Bounds = field(default_factory=Bounds)
    """What a device falls back to where a control names no fallback of its own."""

    def __post_init__(self) -> None:
        if min(self.settle_s, self.connect_s, self.retry_first_s, self.retry_max_s) <= 0:
            raise ValueError(f"dnp3 {self.host}:{self.port}: settle, connect and retry times must be above 0")
        resources = [der.resource for der in self.ders]
        if len(set(resources)) != len(resources):
            raise ValueError(f"dnp3 {self.host}:{self.port}: a DER is given twice")

    @property
    def resources(self) -> frozenset[str]:
        """Ids of all that is read or controlled here."""
        return frozenset(i.point.resource for i in self.inputs) | frozenset(d.resource for d in self.ders)
