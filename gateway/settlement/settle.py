"""From performance and terms to amounts: what an order earns, what its lack costs, and what is passed on."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.settlement.words import MWH, LineKind, Performance, SettlementLine, Terms


@dataclass(frozen=True, slots=True)
class Deal:
    """Who owes whom under which reference."""

    reference: str
    resource: str
    buyer: str
    seller: str


def settled(
    deal: Deal, found: Sequence[Performance], terms: Terms, held_mw: float = 0.0, availability_factor: float = 1.0
) -> tuple[SettlementLine, ...]:
    """The lines of one order; amounts of nothing are left out.

    Args:
        held_mw: power held available over the whole window, for the availability payment.
        availability_factor: part of the window in which it was.
    """
    hours = sum(p.length_s for p in found) / 3600.0
    share, note = _scale(found, terms)
    emergency_price = max(terms.emergency_per_mwh, terms.utilisation_per_mwh)
    normal_mwh = share * _mwh(p.delivered_w * p.length_s for p in found if not p.emergency)
    emergency_mwh = _mwh(p.delivered_w * p.length_s for p in found if p.emergency)
    short_mwh = _mwh(p.shortfall_w * p.length_s for p in found)
    curtailed_mwh = _mwh(p.curtailed_w * p.length_s for p in found) if terms.firm else 0.0
    held_mwh = held_mw * hours * availability_factor
    rows = (
        (LineKind.AVAILABILITY, held_mwh, terms.availability_per_mwh, ""),
        (LineKind.UTILISATION, normal_mwh, terms.utilisation_per_mwh, note),
        (LineKind.EMERGENCY, emergency_mwh, emergency_price, ""),
        (LineKind.CURTAILMENT, curtailed_mwh, terms.curtailment_per_mwh, "firm connection"),
        (LineKind.PENALTY, short_mwh, terms.penalty_per_mwh, ""),
    )
    return tuple(
        _line(deal, kind, quantity, price, detail) for kind, quantity, price, detail in rows if quantity * price
    )


def passed_through(
    charge: float, reference: str, operator: str, short_mwh: Mapping[str, float]
) -> tuple[SettlementLine, ...]:
    """A system operator's charge for under-delivery, shared by those who caused it, in proportion.

    Args:
        charge: dollars.
        operator: the DSO, who paid it.
        short_mwh: shortfall by resource; who has none pays nothing.
    """
    total = sum(short_mwh.values())
    if total <= 0:
        return ()
    return tuple(
        SettlementLine(
            kind=LineKind.CAUSED_CHARGE,
            reference=reference,
            resource=resource,
            payer=resource,
            payee=operator,
            quantity_mwh=mwh,
            price_per_mwh=charge / total,
            amount=charge * mwh / total,
            detail=f"{100 * mwh / total:.1f} % of {total:.3f} MWh short",
        )
        for resource, mwh in short_mwh.items()
        if mwh > 0
    )


def _line(deal: Deal, kind: LineKind, quantity_mwh: float, price: float, detail: str) -> SettlementLine:
    payer, payee = (deal.seller, deal.buyer) if kind is LineKind.PENALTY else (deal.buyer, deal.seller)
    amount = quantity_mwh * price
    return SettlementLine(kind, deal.reference, deal.resource, payer, payee, quantity_mwh, price, amount, detail)


def _scale(found: Sequence[Performance], terms: Terms) -> tuple[float, str]:
    """The part of the payment that the delivery ratio earns."""
    expected = sum(abs(p.expected_w) * p.length_s for p in found)
    ratio = 1.0 if expected == 0 else sum(p.delivered_w * p.length_s for p in found) / expected
    earned = [share for reached, share in terms.payment_scale if ratio >= reached]
    share = earned[-1] if earned else 0.0
    return share, "" if share == 1 else f"{100 * ratio:.1f} % delivered earns {100 * share:g} % of the payment"


def _mwh(watt_seconds: Iterable[float]) -> float:
    return sum(watt_seconds) / 3600.0 / MWH
