"""Needs of the network that no limit meets: found, posted to those who can help, bought, or withdrawn.

A need is told at the place of the resource that helps most; what a watt of anybody else is worth there is
its factor. Offers are taken until the need closes, and the cheapest that are sure enough are ordered.
"""

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from gateway.coordination import study
from gateway.coordination.book import NEED_UNCOVERED
from gateway.coordination.events import Alarmed, Dispatched
from gateway.coordination.inquiry import Asked, Told, cleared, needed
from gateway.coordination.lifecycle import NeedState, OrderState
from gateway.coordination.market_messages import Effect, NeedKind, NeedPost, NeedWithdraw, OrderIssue
from gateway.coordination.messages import Message
from gateway.coordination.situation import Situation
from gateway.coordination.trade_records import NeedRecord, OfferRecord
from gateway.coordination.zone import Controllable
from grid_engine.dispatch.questions import Clear, Equivalents
from grid_engine.dispatch.risk import Cover, Unit, cover
from grid_engine.dispatch.selection import Award, Payment, Tender, select
from grid_engine.dispatch.words import Block, LocalNeed, Market, Offer
from grid_engine.results import Answer, Envelope, Need, Purpose, Reason, Status, Study, Violation

SAME_W = 1_000.0

_KINDS = {
    Reason.THERMAL: NeedKind.THERMAL,
    Reason.VOLT_HI: NeedKind.VOLTAGE_HIGH,
    Reason.VOLT_LO: NeedKind.VOLTAGE_LOW,
    Reason.N1: NeedKind.N1,
}
_OPEN = (NeedState.POSTED, NeedState.OFFERED)
_MET = (NeedState.COVERED, NeedState.PARTIAL)


@dataclass(frozen=True, slots=True)
class Bought:
    """What follows for the needs of the network."""

    messages: tuple[Message, ...] = ()
    alarms: tuple[Alarmed, ...] = ()
    selections: tuple[Dispatched, ...] = ()


def procured(at: Situation, question: Study, answer: Answer) -> Generator[Asked, Told, Bought]:
    """Post what is newly needed, order for what closes, withdraw what is gone."""
    if not at.zone.market.procure or answer.status is not Status.SOLVED:
        return Bought()
    messages: list[Message] = []
    violations = [v for v in answer.violations if v.interval == 0]
    if any(not _known(at, v) for v in violations):
        told = yield from needed(Equivalents(_limited(question, answer.envelopes)))
        for need in told.needs:
            if not _known(at, need.violation):
                messages += _posts(at, need)
    messages += (gone := list(_withdrawn(at, violations)))
    over = {one.body.need_id for one in gone if isinstance(one.body, NeedWithdraw)}
    alarms: list[Alarmed] = []
    selections: list[Dispatched] = []
    for record in (one for one in _closing(at) if one.need.need_id not in over):
        awards, selection = yield from _chosen(at, question, record)
        messages += _orders(at, record, awards)
        selections.append(selection)
        if selection.delivered_w <= 0.0:
            alarms.append(_uncovered(at, record, selection))
    return Bought(tuple(messages), tuple(alarms), tuple(selections))


# --- finding and posting


def _limited(question: Study, envelopes: Sequence[Envelope]) -> Study:
    """The first interval with everybody where their limit leaves them: what is violated then needs more than limits."""
    now = study.only_now(question)
    box = {e.resource: e for e in envelopes if e.interval == 0}
    members = []
    for member in now.participants:
        allowed = box.get(member.resource)
        here = member.requested_w[0]
        if allowed is not None:
            here = min(max(here, allowed.floor_w), allowed.ceiling_w)
        members.append(replace(member, held_w=(here,), requested_w=(here,)))
    return replace(now, study_id=f"{question.study_id}-needs", participants=tuple(members))


def _need_id(at: Situation, violation: Violation) -> str:
    started_s = at.zone.clocks.interval_start(at.now_s)
    return f"{at.zone.id}-{violation.asset_id}-{violation.reason.value}-{violation.case}-{started_s:.0f}"


def _known(at: Situation, violation: Violation) -> bool:
    """Whether a need for it is posted or met, in this interval or one that still runs."""
    prefix = f"{at.zone.id}-{violation.asset_id}-{violation.reason.value}-{violation.case}-"
    return (
        any(
            need_id.startswith(prefix) and record.state in (*_OPEN, *_MET) and at.now_s < record.need.end_s
            for need_id, record in at.book.trade.needs.items()
        )
        or _need_id(at, violation) in at.book.trade.needs
    )


def _posts(at: Situation, need: Need) -> Iterator[Message]:
    """The need to every owner of something that helps, each with its own resources' factors."""
    helpers = [e for e in need.equivalents if at.zone.resources[e.resource].controllable is Controllable.SETPOINT]
    if not helpers:
        return
    reference_w = helpers[0].increase_w
    owners: dict[str, list[Effect]] = {}
    for helper in helpers:
        factor = reference_w / helper.increase_w if helper.increase_w > 0 else 0.0
        if factor >= at.zone.market.least_effect:
            owners.setdefault(at.zone.resources[helper.resource].owner, []).append(Effect(helper.resource, factor))
    violation, rules, clocks = need.violation, at.zone.market, at.zone.clocks
    need_id = _need_id(at, violation)
    end_s = clocks.interval_start(at.now_s) + clocks.look_ahead_intervals * clocks.interval_s
    for owner, effects in owners.items():
        post = NeedPost(
            need_id,
            1,
            _KINDS.get(violation.reason, NeedKind.THERMAL),
            violation.asset_id,
            reference_w,
            at.now_s,
            end_s,
            at.now_s + rules.standby_s,
            tuple(effects),
        )
        yield at.message(owner, need_id, post, suffix=f":{owner}")


def _withdrawn(at: Situation, violations: Sequence[Violation]) -> Iterator[Message]:
    """Needs that are still open and gone."""
    there = {(v.asset_id, v.reason.value, v.case) for v in violations}
    for record in at.book.trade.needs.values():
        if record.state not in _OPEN or record.need.kind is NeedKind.BALANCE:
            continue
        stands = any(record.need.need_id.startswith(f"{at.zone.id}-{a}-{r}-{c}-") for a, r, c in there)
        if not stands:
            body = NeedWithdraw(record.need.need_id, record.need.version)
            for recipient in record.recipients:
                yield at.message(recipient, record.need.need_id, body, suffix=f":{recipient}")


# --- choosing and ordering


def _closing(at: Situation) -> list[NeedRecord]:
    """Needs whose offers are all in: their time is up, or what is offered suffices."""
    return [
        record
        for record in at.book.trade.needs.values()
        if record.state in _OPEN
        and record.need.kind is not NeedKind.BALANCE
        and (at.now_s >= record.need.closes_s or _offered_w(at, record) >= record.need.required_w)
    ]


def _offers(at: Situation, record: NeedRecord) -> list[OfferRecord]:
    return [
        r
        for r in at.book.trade.offers.values()
        if r.offer.need_id == record.need.need_id and r.state is OrderState.OFFERED and r.offer.blocks
    ]


def _factors(at: Situation, record: NeedRecord) -> Mapping[str, float]:
    """Of everybody who was asked, from what was posted to each."""
    return at.book.trade.effects.get(record.need.need_id, {})


def _offered_w(at: Situation, record: NeedRecord) -> float:
    factors = _factors(at, record)
    return sum(factors.get(r.offer.resource, 0.0) * r.offer.blocks[-1].power_w for r in _offers(at, record))


def _chosen(
    at: Situation, question: Study, record: NeedRecord
) -> Generator[Asked, Told, tuple[Sequence[Award], Dispatched]]:
    """By merit where everybody is sure to deliver; by certainty where not; in the network where the zone says so."""
    offers, factors, rules = _offers(at, record), _factors(at, record), at.zone.market
    tenders = [
        Tender(
            r.offer.offer_id,
            r.offer.resource,
            _blocks(r),
            factors[r.offer.resource],
            r.offer.divisible,
            r.offer.minimum_w,
        )
        for r in offers
        if factors.get(r.offer.resource, 0.0) > 0
    ]
    sure = _sure(at, record, tenders)
    tenders = tenders if sure is None else [t for t in tenders if t.offer_id in {u.unit_id for u in sure.units}]
    if rules.network_selection and tenders:
        tenders = yield from _within_network(at, question, record, tenders)
    payment = Payment.UNIFORM if _uniform(at) else Payment.AS_BID
    # Where sellers may fail, all that makes the need sure enough is bought, not only as much as is needed.
    wanted_w = record.need.required_w if sure is None else sum(unit.power_w for unit in sure.units)
    found = select(wanted_w, tenders, payment)
    short_w = found.short_w if sure is None else max(record.need.required_w - found.relief_w, 0.0)
    detail = "; ".join(_criteria(award) for award in found.awards)
    selection = Dispatched(
        at.cycle_id,
        at.now_s,
        record.need.need_id,
        record.need.need_id,
        "selected",
        found.relief_w,
        short_w,
        found.cost_per_h,
        detail=detail or "nothing was offered",
        certainty=None if sure is None else sure.chance.probability,
    )
    return found.awards, selection


def _criteria(award: Award) -> str:
    """What an offer was chosen by."""
    price = f"{award.effective_price_per_mwh:.2f} $/MWh"
    return f"{award.offer_id} {award.power_w / 1e6:.2f} MW, worth {award.relief_w / 1e6:.2f} MW at {price}"


def _blocks(record: OfferRecord) -> tuple[Block, ...]:
    steps = record.offer.blocks
    sums = (0.0, *(step.power_w for step in steps))
    return tuple(
        Block(after - before, step.price_per_mwh) for (before, after), step in zip(pairwise(sums), steps, strict=True)
    )


def _sure(at: Situation, record: NeedRecord, tenders: list[Tender]) -> Cover | None:
    """Those that deliver the need with the certainty asked for, at least cost; `None` where everybody is sure to."""
    doubtful = any(at.zone.resources[t.resource].availability < 1.0 for t in tenders)
    if not doubtful:
        return None
    units = [
        Unit(
            t.offer_id,
            sum(b.power_w for b in t.blocks) * t.effectiveness,
            at.zone.resources[t.resource].availability,
            sum(b.power_w * b.price_per_mwh for b in t.blocks),
        )
        for t in tenders
    ]
    return cover(units, record.need.required_w, at.zone.market.certainty)


def _within_network(
    at: Situation, question: Study, record: NeedRecord, tenders: list[Tender]
) -> Generator[Asked, Told, list[Tender]]:
    """Each tender cut to what may flow: relief that is bought must not break another limit."""
    now = study.only_now(replace(question, purpose=Purpose.IMPACT))
    need = LocalNeed(record.need.need_id, (record.need.required_w,), {t.resource: t.effectiveness for t in tenders})
    offers = tuple(Offer(t.resource, t.blocks, divisible=t.divisible, min_block_w=t.min_block_w) for t in tenders)
    found = yield from cleared(Clear(Market(now, offers, interval_s=at.zone.clocks.interval_s, needs=(need,))))
    taken = {i.resource: i.power_w for i in found.schedule.instructions if i.interval == 0}
    return [
        replace(t, blocks=_cut(t.blocks, taken.get(t.resource, 0.0))) for t in tenders if taken.get(t.resource, 0.0) > 0
    ]


def _cut(blocks: Sequence[Block], power_w: float) -> tuple[Block, ...]:
    found: list[Block] = []
    for block in blocks:
        size_w = min(block.power_w, power_w - sum(b.power_w for b in found))
        if size_w > 0:
            found.append(Block(size_w, block.price_per_mwh))
    return tuple(found)


def _uniform(at: Situation) -> bool:
    program = at.zone.market.programs.get(at.zone.market.program)
    return program is not None and program.uniform_price


def _orders(at: Situation, record: NeedRecord, awards: Sequence[Award]) -> Iterator[Message]:
    for award in awards:
        offer = at.book.trade.offers[award.offer_id]
        order = OrderIssue(
            f"{record.need.need_id}:{award.offer_id}",
            1,
            award.resource,
            award.offer_id,
            at.zone.market.program,
            award.power_w,
            max(record.need.start_s, offer.offer.start_s),
            min(record.need.end_s, offer.offer.end_s),
            1e6 * award.cost_per_h / award.power_w,
            record.need.need_id,
        )
        yield at.message(offer.owner, order.order_id, order)


def _uncovered(at: Situation, record: NeedRecord, selection: Dispatched) -> Alarmed:
    short_mw, need_id = selection.shortfall_w / 1e6, record.need.need_id
    return Alarmed(NEED_UNCOVERED, need_id, at.now_s, f"{short_mw:.2f} MW of need {need_id} were not offered")
