"""Measurement, verification and settlement as the model has them: what is due, who is told, who owes whom.

The engine of settlement is the same under every model; they differ in who submits and who is counterparty. In
dual participation only distribution services are money between the DSO and DER/As; a market facilitator also
calculates wholesale energy for others; a total DSO is party on both sides.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from math import inf

from gateway.coordination import baselining
from gateway.coordination.baselining import Series, Wanted
from gateway.coordination.events import Alarmed, Assessed, Stated
from gateway.coordination.lifecycle import OrderState
from gateway.coordination.market import Program
from gateway.coordination.market_messages import MarketSide
from gateway.coordination.messages import Message
from gateway.coordination.settlement_messages import BaselineNominate, MeterReport, PerformanceReport, SettlementReport
from gateway.coordination.situation import Situation
from gateway.coordination.wire import MAX_RAW
from gateway.coordination.zone import DsoModel, Resource
from gateway.settlement.assessment import Assessment, Contract, assessed
from gateway.settlement.baselines import nothing
from gateway.settlement.metered import filled, resampled
from gateway.settlement.schedule import Asked, AskedBy, Circumstances, Excuse, pieces
from gateway.settlement.settle import passed_through
from gateway.settlement.statements import StatementError, as_csv, charges, statements
from gateway.settlement.vee import mismatches
from gateway.settlement.words import MeterInterval, SettlementLine, Statement, Terms

MISMATCH = "METER_MISMATCH"
"""Code of the alarm for two meters of one connection that disagree."""
LEAST_MIN, MOST_MIN = 1 / 60, 1_440.0
"""Intervals that a party's meter data and nominations may have."""
_SETTLED_BY_NOBODY = frozenset({OrderState.DECLINED, OrderState.REVOKED_BY_DERA, OrderState.REJECTED})


def due(at: Situation) -> tuple[Asked, ...]:
    """What ended long enough ago to be measured."""
    accounts, before_s = at.book.accounts, at.now_s - at.zone.settlement.verify_after_s
    return tuple(
        one
        for key, one in accounts.asked.items()
        if key not in accounts.assessed and one.resource in at.zone.resources and _over(one, before_s)
    )


def _over(asked: Asked, before_s: float) -> bool:
    if asked.taken_back:
        return True
    return asked.end_s <= before_s


def wanted(at: Situation, asked: Asked) -> tuple[Wanted, ...]:
    """All the meter data that measuring it takes: its own intervals first."""
    return (own(at, asked), *baselining.needed(at, asked))


def own(at: Situation, asked: Asked) -> Wanted:
    """The intervals of what was asked itself."""
    return Wanted(asked.resource, tuple(pieces(asked.start_s, asked.end_s, at.zone.clocks.interval_s)))


def measured(at: Situation, asked: Asked, series: Series, from_w: float) -> Assessment:
    """What it came to.

    Args:
        from_w: power of the resource when it began.
    """
    windows, deal = own(at, asked).windows, contract(at, asked)
    base, notes = baselining.baseline(at, asked, series)
    if asked.taken_back:
        base, notes = nothing(len(windows)), ("revoked before it began",)
        asked = replace(asked, power_w=0.0)
        meters = [MeterInterval(asked.resource, start_s, length_s, 0.0) for start_s, length_s in windows]
    else:
        meters = filled(series.get(own(at, asked), ()), windows, asked.resource)
    around = replace(circumstances(at, asked), from_w=from_w)
    found = assessed(asked, around, deal, base.power_w, meters)
    factor = "" if base.factor == 1 else f", factor {base.factor:.3f}"
    return replace(found, baseline=f"{base.method}{factor}", notes=(*found.notes, *notes), at_s=at.now_s)


def circumstances(at: Situation, asked: Asked) -> Circumstances:
    """Limits, wholesale schedules and emergencies beside it."""
    accounts = at.book.accounts
    sold = [
        one
        for one in accounts.asked.values()
        if one.resource == asked.resource and one.wholesale and _beside(one, asked)
    ]
    excuses = [
        Excuse(record.declared.emergency_id, control.start_s, inf if record.cleared_s is None else record.cleared_s)
        for record in at.book.emergencies.records.values()
        if (control := record.controls.get(asked.resource)) is not None
    ]
    if asked.revoked_s is not None and not asked.taken_back:
        excuses.append(Excuse(f"{asked.ref}:revoked", asked.revoked_s, inf))
    return Circumstances(
        tuple(accounts.limits.get(asked.resource, ())),
        tuple(sold),
        tuple(excuses),
        interval_s=at.zone.clocks.interval_s,
    )


def _beside(one: Asked, asked: Asked) -> bool:
    """Whether the wholesale market pays for the one what the other must not be paid for again."""
    return not asked.wholesale or (asked.by is AskedBy.SCHEDULE and one.by is not AskedBy.SCHEDULE)


def contract(at: Situation, asked: Asked) -> Contract:
    """Between whom, under which terms, and what of it was held available."""
    resource, zone = at.zone.resources[asked.resource], at.zone
    program = zone.market.programs.get(asked.program or zone.market.program, Program(zone.market.program))
    terms = replace(program.terms, firm=resource.firm, ramp_w_per_s=program.terms.ramp_w_per_s or resource.ramp_w_per_s)
    if asked.by is AskedBy.ORDER:
        terms = replace(terms, utilisation_per_mwh=asked.price_per_mwh or terms.utilisation_per_mwh)
        held_w, part = _available(at, asked, program)
        return Contract(zone.dso, resource.owner, terms, held_w, part)
    curtailment = Terms(0.0, 0.0, curtailment_per_mwh=terms.curtailment_per_mwh, firm=resource.firm)
    if asked.by is AskedBy.INSTRUCTION:
        # What is missing costs what the system operator charges for it, which is passed on.
        return Contract(zone.dso, resource.owner, replace(curtailment, utilisation_per_mwh=_offered(at, asked)))
    if asked.by is AskedBy.SCHEDULE:
        return Contract(zone.dso, resource.owner, replace(curtailment, utilisation_per_mwh=asked.price_per_mwh))
    if asked.by is AskedBy.RELAY:
        rules = zone.settlement
        terms = Terms(rules.wholesale_per_mwh, rules.imbalance_per_mwh)
        return Contract(zone.system_operator, resource.owner, terms)
    return Contract(zone.dso, resource.owner, curtailment)


def _available(at: Situation, asked: Asked, program: Program) -> tuple[float, float]:
    """Power held available, and the part of the time in which it was."""
    instance = at.book.trade.instances.get(asked.ref)
    if instance is None or instance.state in _SETTLED_BY_NOBODY:
        return 0.0, 0.0
    if asked.revoked_s is not None:
        return abs(asked.power_w), float(asked.revoked_s > asked.start_s - program.notice_s)
    committed_w = instance.committed_w
    outage = at.book.outages.get(asked.resource)
    part = 1.0
    if outage is not None and outage.start_s < asked.end_s and asked.start_s < outage.end_s:
        lost_s = min(outage.end_s, asked.end_s) - max(outage.start_s, asked.start_s)
        part = 1 - lost_s / (asked.end_s - asked.start_s)
    return (0.0, 0.0) if committed_w is None else (abs(committed_w), part)


def _offered(at: Situation, asked: Asked) -> float:
    """Mean price of the blocks that an instruction takes, as bid; nothing where nothing was offered."""
    offers = [
        record.offer
        for record in at.book.trade.offers.values()
        if record.offer.resource == asked.resource
        and record.offer.market is not MarketSide.DISTRIBUTION
        and record.offer.start_s <= asked.start_s < record.offer.end_s
        and record.received_s <= asked.sent_s
    ]
    if not offers or asked.power_w <= 0:
        return 0.0
    cost = taken_w = 0.0
    for block in offers[-1].blocks:
        part_w = min(block.power_w, asked.power_w) - taken_w
        if part_w > 0:
            cost, taken_w = cost + part_w * block.price_per_mwh, taken_w + part_w
    return cost / taken_w if taken_w else 0.0


def reports(at: Situation, found: Sequence[Assessment]) -> tuple[Message, ...]:
    """Who is told what came: owners, and the system operator of wholesale energy where the model has us submit it."""
    told = [_report(at, one.resource, [one], at.zone.resources[one.resource].owner, one.ref) for one in found]
    operator = at.zone.system_operator
    if operator and at.zone.model is DsoModel.MARKET_FACILITATOR:
        told += [_report(at, one.resource, [one], operator, one.ref) for one in found if one.by is AskedBy.RELAY]
    if operator and at.zone.model is DsoModel.TOTAL_DSO:
        by_dispatch: dict[str, list[Assessment]] = defaultdict(list)
        for one in found:
            if one.part_of:
                by_dispatch[one.part_of].append(one)
        told += [_report(at, _node(at, ref), parts, operator, ref) for ref, parts in by_dispatch.items()]
    return tuple(told)


def _node(at: Situation, dispatch_id: str) -> str:
    """The node of a dispatch: nothing below it goes to the system operator."""
    found = (
        node for node, held in at.book.trade.nodes.items() if any(d.dispatch.dispatch_id == dispatch_id for d in held)
    )
    return next(found, next(iter(at.zone.market.nodes), at.zone.id))


def _report(at: Situation, subject: str, parts: Sequence[Assessment], recipient: str, ref: str) -> Message:
    version = max(one.version for one in parts)
    body = PerformanceReport(
        ref,
        version,
        subject,
        min(one.start_s for one in parts),
        max(one.end_s for one in parts),
        round(sum(one.expected_mwh for one in parts), 9),
        round(sum(one.delivered_mwh for one in parts), 9),
        round(sum(one.shortfall_mwh for one in parts), 9),
        round(sum(one.excused_mwh for one in parts), 9),
        sum(one.estimated for one in parts),
    )
    return at.message(recipient, ref, body, suffix=f":{version}:{recipient}")


def period_due(at: Situation) -> tuple[float, float] | None:
    """The oldest period whose statements can be made now; nothing while it is too early."""
    rules, accounts = at.zone.settlement, at.book.accounts
    waiting = [a.end_s for key, a in accounts.assessed.items() if key not in accounts.stated_s]
    if not waiting:
        return None
    start_s, end_s = rules.period_of(min(waiting) - 1e-3)
    running = any(one.start_s < end_s for key, one in accounts.asked.items() if key not in accounts.assessed)
    ripe_s = end_s + max(rules.statement_after_s, rules.verify_after_s)
    return None if at.now_s < ripe_s or (running and at.now_s < ripe_s + rules.period_s) else (start_s, end_s)


def stated(at: Situation, period: tuple[float, float]) -> Stated:
    """The statements of a period: all that ended in it, and the charges that came until now."""
    found, passed = at.book.accounts.unstated(period[1])
    lines = [*(line for one in found for line in one.lines), *passed]
    digest = found[-1].inputs if found else ""
    keys = (*(one.key for one in found), *(f"{line.reference}:{line.resource}:charge" for line in passed))
    made = tuple(_numbered(at, one) for one in statements(at.zone.id, at.zone.dso, lines, period, digest))
    return Stated(made, at.now_s, keys, period[1])


def closing(at: Situation) -> tuple[str, ...]:
    """What is settled and may no longer be contested."""
    accounts, rules, instances = at.book.accounts, at.zone.settlement, at.book.trade.instances
    return tuple(
        one.ref
        for key, one in accounts.assessed.items()
        if key in accounts.stated_s
        and at.now_s > rules.period_of(one.end_s - 1e-3)[1] + rules.dispute_window_s
        and (instance := instances.get(one.ref)) is not None
        and instance.state is OrderState.SETTLED
    )


def _numbered(at: Situation, statement: Statement) -> Statement:
    """A second statement of the same period is the next version: it has what came late, too."""
    before = at.book.accounts.newest(statement.statement_id)
    if before is None:
        return statement
    return before.corrected((*before.lines, *statement.lines), "measured late", statement.inputs)


def settlement_reports(at: Situation, made: Sequence[Statement]) -> tuple[Message, ...]:
    """Statements on their way; under a total DSO the system operator makes its own."""
    tells_operator = at.zone.model is DsoModel.MARKET_FACILITATOR
    told = []
    for one in made:
        if one.party == at.zone.system_operator and not tells_operator:
            continue
        raw = as_csv(one, MAX_RAW)
        body = SettlementReport(one.statement_id, one.version, one.period_start_s, one.period_end_s, one.net, raw)
        told.append(at.message(one.party, one.statement_id, body, suffix=f":{one.version}"))
    return tuple(told)


def refusal(message: Message) -> str | None:
    """Why a statement, a meter's report or a nomination cannot be taken, or `None` where it can."""
    match message.body:
        case SettlementReport(lines_raw=raw):
            try:
                charges(raw)
            except StatementError as error:
                return f"BAD_STATEMENT: {error}"
        case MeterReport(length_min=length_min) | BaselineNominate(length_min=length_min):
            if not LEAST_MIN <= length_min <= MOST_MIN:
                return f"BAD_INTERVAL: intervals of {length_min:g} min; send {LEAST_MIN:g} to {MOST_MIN:g} min"
        case _:
            pass
    return None


def passed_on(at: Situation, report: SettlementReport) -> Assessed:
    """The system operator's penalties shared among those who caused them (total DSO).

    Raises:
        StatementError: its lines cannot be read.
    """
    lines: list[SettlementLine] = []
    for ref, charge in charges(report.lines_raw):
        causers: dict[str, float] = defaultdict(float)
        for one in at.book.accounts.assessed.values():
            if one.part_of == ref:
                causers[at.zone.resources[one.resource].owner] += one.shortfall_mwh
        lines += passed_through(charge, ref, at.zone.dso, causers)
    return Assessed((), at.now_s, tuple(lines))


def disagreements(at: Situation, resource: Resource, ours: Sequence[MeterInterval]) -> tuple[Alarmed, ...]:
    """An alarm where a participant's own meter says something else; once a day and resource."""
    windows = [(one.start_s, one.length_s) for one in ours]
    theirs = resampled(at.book.accounts.readings.get(resource.id, {}).values(), windows)
    apart_pct = mismatches(ours, theirs, at.zone.settlement.tolerance_pct)
    subject = f"{resource.id}:{ours[0].start_s // 86_400:.0f}" if ours else resource.id
    if apart_pct == 0 or (MISMATCH, subject) in at.book.alarms:
        return ()
    detail = f"{resource.owner}'s meter of {resource.id} differs by {apart_pct:+.1f} % from ours; check both meters"
    return (Alarmed(MISMATCH, subject, at.now_s, detail),)
