"""Total DSO: an hour of the node's schedule that has not begun, with the offers that stand for it."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.coordination import forecasts, standby, study
from gateway.coordination.market_messages import MarketSide, SchedulePoint
from gateway.coordination.offering import OUT
from gateway.coordination.portions import BALANCE
from gateway.coordination.schedules import BACKED
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Instance, OfferRecord, Source

MISSING = f"{BALANCE}{BACKED}"
"""Ends the need of an order of what firm offers leave of an hour."""


@dataclass(frozen=True, slots=True)
class Hour:
    """One point of a schedule that has not begun."""

    id: str
    point: SchedulePoint
    records: dict[str, OfferRecord]
    """Firm offers, the cheapest of each resource."""
    called: dict[str, OfferRecord]
    """Of other resources: offers that may be called, or answer what is asked for."""
    key: str
    """Names everything that its shares stand on."""
    out: frozenset[str] = frozenset()
    """Resources that have declined, or not answered."""

    @property
    def length_s(self) -> float:
        """How long it lasts."""
        return self.point.end_s - self.point.start_s

    @property
    def ref(self) -> str:
        """Of how it was shared out, and of what is ordered of firm offers."""
        return f"{self.id}{BACKED}"

    @property
    def need_id(self) -> str:
        """Of what firm offers leave."""
        return f"{self.id}{MISSING}"

    @property
    def sells(self) -> tuple[object, ...]:
        """What is offered for it: hours of the same offers are shared out together."""
        offers = ((name, record.offer) for name, record in self.records.items())
        return tuple((n, o.blocks, o.divisible, o.minimum_w, o.ramp_mw_per_min) for n, o in offers)


Run = list[Hour]
"""Hours that follow each other, equally long and with the same offers."""


def hour_of(at: Situation, node: str, point: SchedulePoint) -> Hour:
    """An hour as things stand."""
    hour_id = f"{node}-{point.start_s:.0f}"
    orders = [at.book.trade.instances.get(f"{hour_id}:{resource}") for resource in at.zone.resources]
    out = frozenset(order.resource for order in orders if order is not None and order.state in OUT)
    firm, called = _offered(at, hour_id, point, out)
    state = study.states(at, (point.start_s,))[0]
    network = (sorted(state.taps.items()), sorted(state.switches_closed.items()), sorted(state.in_service.items()))
    outages = [(o.resource, o.available_w) for o in at.book.outages.values() if meets(o.start_s, o.end_s, point)]
    offers = [(r.offer.offer_id, r.offer.version) for r in (*firm.values(), *called.values())]
    local = [(need_id, power_w) for need_id, _, power_w in local_at(at, point.start_s)]
    asking = standby.is_open(at, f"{hour_id}{MISSING}")
    what = (point, offers, sorted(out), sorted(outages), local, network, at.zone.model_version, asking)
    return Hour(hour_id, point, firm, called, hashlib.sha256(repr(what).encode()).hexdigest()[:16], out)


def meets(start_s: float, end_s: float, point: SchedulePoint) -> bool:
    """Whether a time has a part of an hour in it."""
    return start_s < point.end_s and point.start_s < end_s


def runs(hours: Sequence[Hour]) -> list[Run]:
    """Hours that are shared out together."""
    found: list[Run] = []
    for hour in hours:
        last = found[-1][-1] if found else None
        same = last is not None and (last.point.end_s, last.length_s) == (hour.point.start_s, hour.length_s)
        if last is not None and same and last.sells == hour.sells:
            found[-1].append(hour)
        else:
            found.append([hour])
    return found


def ordered(at: Situation, hour: Hour) -> list[Instance]:
    """What was ordered for it, the newest of each resource."""
    found = (at.book.trade.instances.get(f"{hour.id}:{resource}") for resource in at.zone.resources)
    return [order for order in found if order is not None]


def local_at(at: Situation, time_s: float) -> Iterator[tuple[str, str, float]]:
    """Distribution orders at a time: id, resource and power."""
    for resource in at.zone.resources:
        for order in at.book.trade.live(resource, time_s):
            if order.source is Source.ORDER and not order.need_id.endswith(BALANCE):
                yield order.id, resource, order.effective_w


def unsold_w(at: Situation, resource: str, time_s: float) -> float:
    """Where a resource stands that is sold to nobody: where it is forecast, else at nothing."""
    told_w, usual = forecasts.expected(at, resource, time_s), at.zone.resources[resource].forecast
    return told_w if told_w is not None else 0.0 if usual is None else usual.at(time_s)


def _offered(
    at: Situation, hour_id: str, point: SchedulePoint, out: frozenset[str]
) -> tuple[dict[str, OfferRecord], dict[str, OfferRecord]]:
    """Firm offers, and those of other resources that may be called: by resource, the cheapest first block of each."""
    firm: dict[str, OfferRecord] = {}
    called: dict[str, OfferRecord] = {}
    for side in (MarketSide.WHOLESALE, MarketSide.DISTRIBUTION):
        for record in at.book.trade.open_offers(side, point.start_s, point.end_s):
            offer = record.offer
            if offer.resource in out or offer.resource not in at.zone.resources:
                continue
            if offer.need_id == f"{hour_id}{MISSING}" or (offer.standby and not offer.need_id):
                _cheaper(called, record)
            elif side is MarketSide.WHOLESALE and not offer.standby and not offer.need_id:
                _cheaper(firm, record)
    return _sorted(firm), _sorted({name: record for name, record in called.items() if name not in firm})


def _cheaper(found: dict[str, OfferRecord], record: OfferRecord) -> None:
    held = found.get(record.offer.resource)
    if held is None or record.offer.blocks[0].price_per_mwh < held.offer.blocks[0].price_per_mwh:
        found[record.offer.resource] = record


def _sorted(found: dict[str, OfferRecord]) -> dict[str, OfferRecord]:
    return {name: found[name] for name in sorted(found)}
