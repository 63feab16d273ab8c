"""The words of measurement, verification and settlement.

Powers are in watts at the point of interconnection, positive for injection (generation, discharge, reduced
load); energies in watt-hours with the same sign. Money is in dollars (CAD), prices in dollars per MWh.
"""

from dataclasses import dataclass, field, replace
from enum import StrEnum

MWH = 1e6
"""Watt-hours in the unit of prices."""


class MeterSource(StrEnum):
    """Whose meter it is."""

    LDC = "LDC"
    """The distributor's, the one that settlement goes by unless a dispute decides otherwise."""
    MARKET_PARTICIPANT = "MP"
    TELEMETRY = "SCADA"
    """No meter: power that was sampled, where neither has been read yet."""


class MeterQuality(StrEnum):
    """How far a meter interval can be trusted."""

    GOOD = "GOOD"
    ESTIMATED = "ESTIMATED"
    """Found missing or wrong, and filled in by rule."""
    BAD = "BAD"
    """Found missing or wrong, and nothing to fill it in from."""


@dataclass(frozen=True, slots=True)
class MeterInterval:
    """Energy through one meter in one interval [start, start + length)."""

    meter: str
    start_s: float
    length_s: float
    energy_wh: float
    """Delivered to the grid less received from it."""
    quality: MeterQuality = MeterQuality.GOOD
    source: MeterSource = MeterSource.LDC

    @property
    def power_w(self) -> float:
        """Mean power over the interval."""
        return self.energy_wh * 3600.0 / self.length_s


@dataclass(frozen=True, slots=True)
class Box:
    """A limit in force during an interval: power may be anywhere inside."""

    floor_w: float
    ceiling_w: float
    limit_id: str = ""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a program or contract pays for delivery and takes for its lack."""

    utilisation_per_mwh: float
    penalty_per_mwh: float
    availability_per_mwh: float = 0.0
    """Per MW held available and hour."""
    emergency_per_mwh: float = 0.0
    """Floor of the price in an emergency."""
    curtailment_per_mwh: float = 0.0
    """For energy curtailed by a limit; paid only where the connection is firm."""
    firm: bool = False
    grace_pct: float = 0.0
    """Shortfall up to this part of what was expected counts as none."""
    ramp_profile: bool = False
    """Expect power to follow the ramp from where the resource stood, instead of the order at once."""
    ramp_w_per_s: float | None = None
    stackable: bool = False
    """May be paid beside a wholesale schedule for the same energy."""
    payment_scale: tuple[tuple[float, float], ...] = ((0.0, 1.0),)
    """(delivery ratio reached, share of the payment), rising: below the first ratio nothing is paid."""


@dataclass(frozen=True, slots=True)
class Performance:
    """One interval of an order: what was expected of the resource and what came."""

    start_s: float
    length_s: float
    ordered_w: float
    """Change against the baseline that the order asked for; its sign is the order's direction."""
    expected_w: float
    """The same after limits, ramp and wholesale schedule."""
    baseline_w: float
    metered_w: float
    delivered_w: float
    """In the direction of the order, never negative, never more than expected."""
    shortfall_w: float
    """Never negative; movement against the order adds to it."""
    curtailed_w: float = 0.0
    """What a limit took from the order."""
    excused_by: str = ""
    """Limit or emergency that excuses what was not delivered."""
    emergency: bool = False
    estimated: bool = False
    """The metered value was filled in by rule."""


class LineKind(StrEnum):
    """What a settlement line is for."""

    AVAILABILITY = "availability"
    UTILISATION = "utilisation"
    PENALTY = "penalty"
    EMERGENCY = "emergency"
    CURTAILMENT = "curtail_comp"
    CAUSED_CHARGE = "passthrough"
    ADJUSTMENT = "adjust"


@dataclass(frozen=True, slots=True)
class SettlementLine:
    """One amount between two parties; positive is owed by `payer` to `payee`."""

    kind: LineKind
    reference: str
    """Order, dispatch or contract that it comes from."""
    resource: str
    payer: str
    payee: str
    quantity_mwh: float
    price_per_mwh: float
    amount: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """All lines of a period for one party; a correction is a new version, and the old one stays."""

    statement_id: str
    party: str
    period_start_s: float
    period_end_s: float
    lines: tuple[SettlementLine, ...]
    performances: tuple[Performance, ...] = ()
    version: int = 1
    inputs: str = ""
    """Digest of what it was calculated from."""
    reason: str = ""
    """Why there is a version beyond the first."""
    notes: tuple[str, ...] = field(default_factory=tuple)

    @property
    def net(self) -> float:
        """What the party receives in all, dollars; negative where it owes."""
        return sum(line.amount if line.payee == self.party else -line.amount for line in self.lines)

    def corrected(self, lines: tuple[SettlementLine, ...], reason: str, inputs: str = "") -> "Statement":
        """The next version."""
        return replace(self, lines=lines, version=self.version + 1, reason=reason, inputs=inputs or self.inputs)
