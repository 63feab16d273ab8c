"""What the Modbus adapter has to be told: one connection and the units behind it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from protocols.modbus.medium import PLAIN_TCP, Medium, SerialLine
from protocols.modbus.register import Register
from protocols.modbus.sunspec import BASES, READ_MAX
from protocols.points import Point
from protocols.signals import Bounds


@dataclass(frozen=True, slots=True)
class MappedRegister:
    """Where one measured value lives."""

    point: Point
    register: Register


class PercentOf(StrEnum):
    """What a device takes 100 % of a power limit for."""

    SETTING = "setting"
    """WMax as it is set at the device, else its rating: what the model says."""
    RATING = "rating"
    """The rating of the device, whatever WMax is set to."""
    NAMEPLATE = "nameplate"
    """The nameplate in our own settings."""


@dataclass(frozen=True, slots=True)
class Quirks:
    """How one device differs from what its models say."""

    read_max: int = READ_MAX
    """Registers that it gives in one transaction."""
    write_single: bool = False
    """It takes one register by function code 6 alone; as a rule everything goes out by function code 16."""
    percent_of: PercentOf = PercentOf.SETTING
    min_percent: float = 0.0
    """Smallest power limit that it takes; a lower one is written as this, and the measured power shows it."""
    writes_per_day: float | None = None
    """How often each of its control registers may be written, for memory that wears; `None`: as often as needed."""
    heartbeat: bool = True
    """Whether we beat where it has a register for it."""


AS_THE_MODELS_SAY: Final = Quirks()


@dataclass(frozen=True, slots=True)
class MappedStation:
    """A unit with a register map: it is read, never controlled."""

    name: str
    """For people, in the details of link changes."""
    registers: tuple[MappedRegister, ...]
    unit_id: int = 1
    read_max: int = READ_MAX
    """Registers that it gives in one transaction."""

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the assets whose values the station gives."""
        return frozenset(mapped.point.resource for mapped in self.registers)


@dataclass(frozen=True, slots=True)
class ModelPoint:
    """A measured value that is a point of a SunSpec model."""

    point: Point
    model_id: int
    name: str
    """Inside the model: `W`, or `module[0].DCW`."""
    instance: int = 1
    """Which one, of a device that has several models of this id."""
    scale: float = 1.0
    """Multiplies the model's value to give the point's unit; -1 where it counts power the other way."""


@dataclass(frozen=True, slots=True)
class SunSpecStation:
    """A unit with a SunSpec map that is read by points of its models, never controlled: a meter, or strings."""

    name: str
    """For people, in the details of link changes."""
    points: tuple[ModelPoint, ...]
    unit_id: int = 1
    bases: tuple[int, ...] = BASES
    """Where the SunSpec map may begin."""
    read_max: int = READ_MAX
    """Registers that it gives in one transaction."""

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the assets whose values the station gives."""
        return frozenset(mapped.point.resource for mapped in self.points)


class Term(StrEnum):
    """What a register of a DER without a SunSpec map may be for; powers in W, times in s."""

    CEILING = "ceiling_w"
    FLOOR = "floor_w"
    TARGET = "target_w"
    FALLBACK_CEILING = "fallback_ceiling_w"
    """The upper limit that the device takes up when its timer runs out, or our heartbeat stops."""
    FALLBACK_FLOOR = "fallback_floor_w"
    LEASE = "lease_s"
    """The device's own timer: how long what it was told holds."""
    LIMIT_ENABLED = "limit_enabled"
    TARGET_ENABLED = "target_enabled"
    CONNECTED = "connected"
    """Off where a limit lets the device neither inject nor absorb."""
    HEARTBEAT = "heartbeat"
    """A number that we keep changing for as long as a lease lives."""


SWITCHES: Final = frozenset((Term.LIMIT_ENABLED, Term.TARGET_ENABLED, Term.CONNECTED))


@dataclass(frozen=True, slots=True)
class ControlRegister:
    """A register by which a DER is told something."""

    register: Register
    read_back: Register | None = None
    """Where the device shows what it obeys; `None`: in the same place."""
    on: int = 1
    """Value of a switch whose register has no scale; so is `off`."""
    off: int = 0

    @property
    def shown(self) -> Register:
        """What is read to see what it holds."""
        return self.register if self.read_back is None else self.read_back


@dataclass(frozen=True, slots=True)
class MappedDer:
    """A unit that is one DER with registers of its own."""

    resource: str
    ceiling_w: float
    """Nameplate: greatest injection."""
    registers: tuple[MappedRegister, ...]
    """What is measured."""
    controls: Mapping[Term, ControlRegister] = field(default_factory=dict)
    """What it can be told; without any it is read, never controlled."""
    floor_w: float = 0.0
    """Nameplate: greatest absorption as a negative number. A lower limit that is not above it asks for nothing."""
    fallback: Bounds = field(default_factory=Bounds)
    """What the device falls back to where a control names no fallback of its own."""
    unit_id: int = 1
    quirks: Quirks = AS_THE_MODELS_SAY
    lease_max_s: float | None = None
    """Longest time that its own timer is ever given, however our clock jumps."""

    @property
    def resources(self) -> frozenset[str]:
        """The DER's own id, alone."""
        return frozenset((self.resource,))

    @property
    def name(self) -> str:
        """For people, in the details of link changes."""
        return self.resource


@dataclass(frozen=True, slots=True)
class SunSpecDer:
    """A unit that is one DER with a SunSpec map."""

    resource: str
    ceiling_w: float
    """Nameplate: greatest injection. The base of percent limits where the device does not tell its WMax."""
    floor_w: float = 0.0
    """Nameplate: greatest absorption as a negative number. A lower limit that is not above it asks for nothing."""
    fallback: Bounds = field(default_factory=Bounds)
    """What the device falls back to where a control names no fallback of its own."""
    unit_id: int = 1
    bases: tuple[int, ...] = BASES
    """Where the SunSpec map may begin."""
    quirks: Quirks = AS_THE_MODELS_SAY
    lease_max_s: float | None = None
    """Longest time that its own timer is ever given, however our clock jumps."""
    still_s: float = 10.0
    """How long its heartbeat may stand still."""

    @property
    def resources(self) -> frozenset[str]:
        """The DER's own id, alone."""
        return frozenset((self.resource,))

    @property
    def name(self) -> str:
        """For people, in the details of link changes."""
        return self.resource


Unit = SunSpecDer | MappedDer | MappedStation | SunSpecStation


@dataclass(frozen=True, slots=True)
class ModbusSettings:
    """One connection or serial line, and the units that answer on it."""

    host: str
    """Name or address; of a serial line its device file."""
    units: tuple[Unit, ...]
    port: int = 502
    medium: Medium = PLAIN_TCP
    poll_s: float = 1.0
    timeout_s: float = 1.0
    """Deadline of one transaction where the connection has one unit."""
    shared_timeout_s: float | None = None
    """The same where several units share the connection, so that a dead one costs its neighbours
    little; `None`: a quarter of `poll_s`, at most `timeout_s`."""
    retry_min_s: float = 0.1
    """Shortest pause before a lost connection is tried again; long for a device that has one session and has to
    notice first that it is over."""
    retry_max_s: float = 10.0
    """Longest pause before a lost unit is asked again, and before a lost connection is tried again."""
    settle_s: float = 2.0
    """How long after a write the device may take until it reads back equal."""
    gap_s: float = 0.0
    """Pause before each request, for devices that drop requests that follow too closely."""

    def __post_init__(self) -> None:
        if min(self.poll_s, self.timeout_s, self.retry_min_s, self.retry_max_s, self.settle_s) <= 0:
            raise ValueError(f"modbus {self.address}: poll, timeout, retry and settle times must be above 0")
        ders = [unit.unit_id for unit in self.units if isinstance(unit, SunSpecDer | MappedDer)]
        if len(set(ders)) != len(ders):
            raise ValueError(f"modbus {self.address}: two DERs have the same unit id")

    @property
    def address(self) -> str:
        """For people: where the connection goes."""
        return self.host if isinstance(self.medium, SerialLine) else f"{self.host}:{self.port}"

    @property
    def transaction_s(self) -> float:
        """Deadline of one transaction on this connection."""
        if len(self.units) == 1:
            return self.timeout_s
        return min(self.timeout_s, self.poll_s / 4) if self.shared_timeout_s is None else self.shared_timeout_s
