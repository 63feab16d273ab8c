"""One thing that was asked, measured and priced: from schedule, baseline and meter to performance and lines."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.settlement.performance import performances, remeasured
from gateway.settlement.schedule import Asked, AskedBy, Circumstances, obligations
from gateway.settlement.settle import Deal, settled
from gateway.settlement.words import MeterInterval, MeterQuality, Performance, SettlementLine, Terms

WS_PER_MWH = 3.6e9


@dataclass(frozen=True, slots=True)
class Contract:
    """Under which terms, and between whom."""

    buyer: str
    seller: str
    terms: Terms
    held_w: float = 0.0
    """Power held available for the whole time, for the availability payment."""
    availability: float = 1.0
    """Part of the time in which it was."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """What one order, instruction or dispatch came to."""

    ref: str
    version: int
    resource: str
    by: AskedBy
    start_s: float
    end_s: float
    buyer: str
    seller: str
    terms: Terms
    performances: tuple[Performance, ...]
    lines: tuple[SettlementLine, ...]
    baseline: str
    """Method, and by what factor the day moved it."""
    meter: str
    """Whose meters it was measured by."""
    inputs: str
    """Digest of all that it was calculated from."""
    part_of: str = ""
    held_w: float = 0.0
    availability: float = 1.0
    notes: tuple[str, ...] = ()
    at_s: float = 0.0
    """When it was made."""

    @property
    def key(self) -> str:
        """Names it among all versions of what was asked."""
        return f"{self.ref}:{self.version}"

    @property
    def expected_mwh(self) -> float:
        """What was due after limits, in the direction of the order."""
        return _mwh((abs(p.expected_w), p) for p in self.performances)

    @property
    def delivered_mwh(self) -> float:
        """What of it came."""
        return _mwh((p.delivered_w, p) for p in self.performances)

    @property
    def shortfall_mwh(self) -> float:
        """What of it did not, and is not excused."""
        return _mwh((p.shortfall_w, p) for p in self.performances)

    @property
    def curtailed_mwh(self) -> float:
        """What limits took."""
        return _mwh((p.curtailed_w, p) for p in self.performances)

    @property
    def excused_mwh(self) -> float:
        """What did not come and need not: taken by a limit, or missing in an emergency."""
        missing = ((abs(p.expected_w) - p.delivered_w, p) for p in self.performances if p.emergency)
        return self.curtailed_mwh + _mwh(missing)

    @property
    def estimated(self) -> int:
        """Intervals whose metered value was filled in."""
        return sum(p.estimated for p in self.performances)


def assessed(
    asked: Asked,
    around: Circumstances,
    contract: Contract,
    baseline_w: Sequence[float],
    metered: Sequence[MeterInterval],
) -> Assessment:
    """What was due against what came.

    Args:
        baseline_w: power without it, W per interval.
        metered: as many intervals; where a meter said nothing, nothing is taken to have been delivered.
    """
    due = obligations(asked, around, baseline_w, contract.terms)
    unknown = [m.quality is MeterQuality.BAD for m in metered]
    metered_w = [base_w if bad else m.power_w for m, bad, base_w in zip(metered, unknown, baseline_w, strict=True)]
    filled = [m.quality is not MeterQuality.GOOD for m in metered]
    found = performances(due, baseline_w, metered_w, contract.terms, filled)
    meters = sorted({m.source.value for m in metered})
    notes = (f"{sum(unknown)} intervals without any meter data count as not delivered",) if any(unknown) else ()
    result = Assessment(
        asked.ref,
        asked.version,
        asked.resource,
        asked.by,
        asked.start_s,
        asked.end_s,
        contract.buyer,
        contract.seller,
        contract.terms,
        found,
        (),
        baseline="",
        meter=" ".join(meters),
        inputs=_digest(asked, due, tuple(baseline_w), tuple(metered), contract),
        part_of=asked.part_of,
        held_w=contract.held_w,
        availability=contract.availability,
        notes=notes,
    )
    return replace(result, lines=_lines(result))


def measured_again(found: Assessment, meter: Mapping[float, MeterInterval]) -> Assessment:
    """The same by another meter, where that has a value for the interval; `meter` is by start."""
    again = tuple(
        remeasured(p, meter[p.start_s].power_w, found.terms.grace_pct) if p.start_s in meter else p
        for p in found.performances
    )
    used = [meter[p.start_s] for p in found.performances if p.start_s in meter]
    if not used:
        return found
    changed = replace(found, performances=again, meter=used[0].source.value, inputs=_digest(found.inputs, tuple(used)))
    return replace(changed, lines=_lines(changed))


def _lines(found: Assessment) -> tuple[SettlementLine, ...]:
    deal = Deal(found.ref, found.resource, found.buyer, found.seller)
    return settled(deal, found.performances, found.terms, found.held_w / 1e6, found.availability)


def _mwh(powers: Iterable[tuple[float, Performance]]) -> float:
    return sum(power_w * p.length_s for power_w, p in powers) / WS_PER_MWH


def _digest(*inputs: object) -> str:
    return hashlib.sha256(repr(inputs).encode()).hexdigest()[:16]
