"""What parties say after the fact: meter data, baselines, performance, statements and disputes."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class MeterReport:
    """Energy through a meter, interval by interval."""

    code: ClassVar[str] = "METER.Report"
    meter: str
    resource: str
    source: str
    """`LDC` or `MP`."""
    start_s: float
    length_min: float
    energies_mwh: tuple[float | None, ...]
    """Positive for injection; nothing where the meter said nothing."""


@dataclass(frozen=True, slots=True)
class BaselineNominate:
    """What a resource would do without an order, told beforehand."""

    code: ClassVar[str] = "BASELINE.Nominate"
    resource: str
    start_s: float
    length_min: float
    powers_w: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class PerformanceReport:
    """What was expected and what came, per order or dispatch."""

    code: ClassVar[str] = "MV.Report"
    ref: str
    version: int
    resource: str
    """Resource, or node towards the system operator under a total DSO."""
    start_s: float
    end_s: float
    expected_mwh: float
    delivered_mwh: float
    shortfall_mwh: float
    excused_mwh: float
    estimated_intervals: int


@dataclass(frozen=True, slots=True)
class SettlementReport:
    """A statement."""

    code: ClassVar[str] = "SETTLE.Report"
    statement_id: str
    version: int
    start_s: float
    end_s: float
    net: float
    """Dollars that the recipient receives; negative where it owes."""
    lines_raw: str
    """All lines as CSV."""


@dataclass(frozen=True, slots=True)
class DisputeOpen:
    """A party contests a statement."""

    code: ClassVar[str] = "DISPUTE.Open"
    dispute_id: str
    statement_id: str
    version: int
    claim: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class DisputeRespond:
    """The other side's answer."""

    code: ClassVar[str] = "DISPUTE.Respond"
    dispute_id: str
    answer: str


@dataclass(frozen=True, slots=True)
class DisputeResolve:
    """How it ended."""

    code: ClassVar[str] = "DISPUTE.Resolve"
    dispute_id: str
    resolution: str
    statement_version: int
    """That holds now."""


SettlementBody = (
    MeterReport
    | BaselineNominate
    | PerformanceReport
    | SettlementReport
    | DisputeOpen
    | DisputeRespond
    | DisputeResolve
)
