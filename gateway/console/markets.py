"""Both markets in the words of the operator's API: dispatches, offers, needs and orders of one resource."""

from collections.abc import Iterator

from gateway.console import words as w
from gateway.coordination.market_messages import MarketSide
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import Instance, OfferRecord, Source


def offer(record: OfferRecord) -> w.OfferOut:
    """An offer, and what became of it."""
    body = record.offer
    return w.OfferOut(
        id=body.offer_id,
        resource=body.resource,
        market=body.market.value,
        owner=record.owner,
        state=record.state.value,
        start_s=body.start_s,
        end_s=body.end_s,
        most_w=body.blocks[-1].power_w if body.blocks else 0.0,
        blocks=[[block.power_w, block.price_per_mwh] for block in body.blocks],
        standby=body.standby,
        need=body.need_id,
    )


def instance(found: Instance) -> w.InstanceOut:
    """An order, an instruction or a relayed dispatch."""
    return w.InstanceOut(
        id=found.id,
        kind=found.source.value,
        resource=found.resource,
        state=found.state.value,
        version=found.version,
        power_w=found.asked_w,
        effective_w=found.effective_w,
        committed_w=found.committed_w,
        price_per_mwh=found.price_per_mwh,
        start_s=found.start_s,
        end_s=found.end_s,
        offer=found.offer_id,
        need=found.need_id,
        excused=found.excused,
    )


def wholesale(at: Situation, name: str) -> w.Wholesale:
    """The system operator's market."""
    told = [i for i in at.book.trade.of(name) if i.source is not Source.ORDER]
    return w.Wholesale(
        dispatches=[*_copies(at, name), *_of_node(at, name, told)],
        instructions=[instance(one) for one in told],
        offers=_offers(at, name, MarketSide.WHOLESALE),
    )


def _copies(at: Situation, name: str) -> Iterator[w.DispatchOut]:
    """Of the resource itself, as the system operator has copied it to us (dual participation)."""
    for copy in at.book.dispatches.get(name, ()):
        holds = at.book.dispatch_at(name, at.now_s) is copy
        yield _dispatch(copy.dispatch_id, copy.version, name, copy.power_w, (copy.start_s, copy.end_s), holds=holds)


def _of_node(at: Situation, name: str, told: list[Instance]) -> Iterator[w.DispatchOut]:
    """Those that came to us: of the resource (market facilitator), or of its node (total DSO)."""
    refs = {one.ref for one in told}
    for of, held in at.book.trade.nodes.items():
        for one in held:
            if of == name or one.dispatch.dispatch_id in refs:
                body = one.dispatch
                holds = at.book.trade.node_dispatch(of, at.now_s) is one
                answered = "" if one.answered is None else one.answered.value
                window = (body.start_s, body.end_s)
                yield _dispatch(
                    body.dispatch_id,
                    body.version,
                    of,
                    body.power_w,
                    window,
                    holds=holds,
                    answered=answered,
                    answered_w=one.answered_w,
                )


def _dispatch(
    dispatch_id: str,
    version: int,
    of: str,
    power_w: float,
    window: tuple[float, float],
    *,
    holds: bool,
    answered: str = "",
    answered_w: float | None = None,
) -> w.DispatchOut:
    return w.DispatchOut(
        id=dispatch_id,
        version=version,
        of=of,
        power_w=power_w,
        start_s=window[0],
        end_s=window[1],
        in_force=holds,
        answered=answered,
        answered_w=answered_w,
    )


def local(at: Situation, name: str) -> w.Local:
    """The distribution market."""
    trade = at.book.trade
    return w.Local(
        needs=[*_needs(at, name)],
        offers=_offers(at, name, MarketSide.DISTRIBUTION),
        orders=[instance(one) for one in trade.of(name) if one.source is Source.ORDER],
    )


def _needs(at: Situation, name: str) -> Iterator[w.NeedOut]:
    for record in at.book.trade.needs.values():
        need, effects = record.need, at.book.trade.effects.get(record.need.need_id, {})
        if name in effects and need.end_s > at.now_s:
            yield w.NeedOut(
                id=need.need_id,
                kind=need.kind.value,
                constraint=need.constraint_id,
                required_w=need.required_w,
                effect=effects[name],
                state=record.state.value,
                start_s=need.start_s,
                end_s=need.end_s,
                closes_s=need.closes_s,
            )


def _offers(at: Situation, name: str, market: MarketSide) -> list[w.OfferOut]:
    wanted = (market, MarketSide.BOTH)
    found = (r for r in at.book.trade.offers.values() if r.offer.resource == name and r.offer.end_s > at.now_s)
    return [offer(record) for record in found if record.offer.market in wanted]
