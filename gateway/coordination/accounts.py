"""What settlement has to remember: everything asked and every limit with its times, assessments, statements, disputes.

The rest of the book forgets a limit once it is cleared and a dispatch once the next one holds; here they stay
until what they bear on has been measured.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gateway.coordination.events import Assessed, Contested, Stated
from gateway.coordination.lifecycle import ORDER, OrderEvent
from gateway.coordination.market_messages import OrderIssue, OrderRevoke
from gateway.coordination.messages import DispatchCopy, LimitClear, LimitIssue, Message
from gateway.coordination.operation_messages import DispatchRelay, Instruction
from gateway.coordination.schedules import BACKED
from gateway.coordination.settlement_messages import BaselineNominate, MeterReport, SettlementReport
from gateway.coordination.trade import Trade
from gateway.settlement.assessment import Assessment
from gateway.settlement.curtailment import GivenUp
from gateway.settlement.disputes import Dispute
from gateway.settlement.schedule import Asked, AskedBy, Held
from gateway.settlement.words import MeterInterval, MeterSource, SettlementLine, Statement

KEPT_S = 3_600.0
"""How long limits and dispatches are remembered at least after they ended, and until what they bear on is measured."""
KEPT_DAYS_S = 40 * 86_400.0
"""How long it is remembered on which days a resource had orders."""
KEPT_READINGS = 9_000
"""Intervals of each participant's meter that are remembered: a month of five minutes."""
KEPT = 20_000
"""Assessments that are on a statement, and statements, that are remembered; the oldest go first."""
SAME_W = 1.0


@dataclass(slots=True)
class Accounts:
    """The state of settlement; `received`, `sent`, `fold` and `given_up.add` are its only mutations."""

    asked: dict[str, Asked] = field(default_factory=dict)
    """By reference and version; what has been assessed is gone once it no longer stands beside anything."""
    limits: dict[str, list[Held]] = field(default_factory=dict)
    """By resource, by start."""
    assessed: dict[str, Assessment] = field(default_factory=dict)
    """By reference and version."""
    charges: dict[str, SettlementLine] = field(default_factory=dict)
    """What the system operator charged, passed on to those who caused it: by reference and resource."""
    stated_s: dict[str, float] = field(default_factory=dict)
    """By key of an assessment or charge: when its statement was made."""
    statements: dict[str, list[Statement]] = field(default_factory=dict)
    """By id, every version."""
    disputes: dict[str, Dispute] = field(default_factory=dict)
    readings: dict[str, dict[float, MeterInterval]] = field(default_factory=dict)
    """What participants' meters say, by resource and start."""
    nominations: dict[str, BaselineNominate] = field(default_factory=dict)
    """Newest of each resource."""
    event_days: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """By resource: hours in which orders of it began lately, for baselines to leave those days out."""
    operator_statement: str = ""
    """The system operator's newest statement to us."""
    since_s: float | None = None
    """Start of the oldest period that has no statements yet."""
    given_up: GivenUp = field(default_factory=GivenUp)

    def received(self, message: Message, at_s: float) -> None:
        """Take in what a party said."""
        match message.body:
            case DispatchCopy() as body:
                self._ask(
                    Asked(
                        body.dispatch_id,
                        body.version,
                        body.resource,
                        AskedBy.DISPATCH,
                        body.power_w,
                        body.start_s,
                        body.end_s,
                        at_s,
                        agreed_end_s=body.end_s,
                    )
                )
            case BaselineNominate() as body:
                self.nominations[body.resource] = body
            case MeterReport() as body:
                self._metered(body)
            case SettlementReport() as body:
                self.operator_statement = body.statement_id
            case _:
                pass  # disputes are opened by their own event

    def sent(self, message: Message, at_s: float, trade: Trade) -> None:
        """Take in what we said; `trade` has taken it in before."""
        match message.body:
            case LimitIssue() as body:
                self._limited(body, at_s)
            case LimitClear() as body:
                held = self.limits.get(body.resource, [])
                self.limits[body.resource] = _cut(held, at_s)
            case OrderIssue() as body:
                self._ordered(body, at_s)
            case OrderRevoke() as body:
                for key, one in list(self.asked.items()):
                    if one.ref == body.order_id and one.revoked_s is None:
                        self.asked[key] = replace(one, revoked_s=at_s)
            case Instruction() as body:
                self._ask(
                    Asked(
                        body.instruction_id,
                        body.version,
                        body.resource,
                        AskedBy.INSTRUCTION,
                        body.power_w,
                        body.start_s,
                        body.end_s,
                        at_s,
                        part_of=body.ref,
                        agreed_end_s=body.end_s,
                    )
                )
            case DispatchRelay() as body:
                self._relayed(body, at_s, trade)
            case _:
                pass

    def fold(self, event: Assessed | Stated | Contested, trade: Trade) -> None:
        """Take one event in, and let what was asked go on in its life."""
        match event:
            case Assessed():
                for found in event.found:
                    self._assessed(found)
                    _step(trade, found.ref, OrderEvent.VERIFY)
                self.charges.update({_charge_key(line): line for line in event.charges})
                self._forget(event.at_s)
            case Stated():
                self._stated(event, trade)
            case Contested():
                self._contested(event, trade)

    def limit(self, limit_id: str) -> Held | None:
        """A limit that is still remembered, by its id."""
        return next((held for limits in self.limits.values() for held in limits if held.limit_id == limit_id), None)

    def newest(self, statement_id: str) -> Statement | None:
        """The version of a statement that holds."""
        versions = self.statements.get(statement_id)
        return versions[-1] if versions else None

    def unstated(self, before_s: float) -> tuple[tuple[Assessment, ...], tuple[SettlementLine, ...]]:
        """What ended before a moment and is on no statement yet: assessments and charges."""
        found = tuple(a for key, a in self.assessed.items() if key not in self.stated_s and a.end_s <= before_s)
        lines = tuple(line for key, line in self.charges.items() if key not in self.stated_s)
        return found, lines

    # --- what was asked

    def _ordered(self, body: OrderIssue, at_s: float) -> None:
        self._ask(
            Asked(
                body.order_id,
                body.version,
                body.resource,
                AskedBy.SCHEDULE if body.need_id.endswith(BACKED) else AskedBy.ORDER,
                body.power_w,
                body.start_s,
                body.end_s,
                at_s,
                price_per_mwh=body.price_per_mwh,
                program=body.program,
            )
        )

    def _relayed(self, body: DispatchRelay, at_s: float, trade: Trade) -> None:
        instance = trade.instances.get(body.dispatch_id)
        if instance is None or instance.version != body.version:
            return
        window = (instance.start_s, instance.end_s)
        self._ask(
            Asked(
                body.dispatch_id,
                body.version,
                body.resource,
                AskedBy.RELAY,
                instance.asked_w,
                *window,
                at_s,
                agreed_end_s=window[1],
            )
        )

    def _ask(self, new: Asked) -> None:
        """Something new is asked; what it takes over from ends there."""
        if new.key in self.asked or new.key in self.assessed:
            return
        from_s = max(new.start_s, new.sent_s)
        for key, one in list(self.asked.items()):
            same = one.resource == new.resource and one.by is new.by and (one.wholesale or one.ref == new.ref)
            if same and one.start_s < new.end_s and from_s < one.end_s:
                if from_s <= one.start_s:
                    del self.asked[key]
                else:
                    self.asked[key] = replace(one, end_s=from_s)
        start_s = min(max(new.start_s, from_s if self._continues(new) else new.start_s), new.end_s)
        self.asked[new.key] = replace(new, start_s=start_s)
        if not new.wholesale:
            hour_s = new.start_s // 3_600 * 3_600
            known = self.event_days.get(new.resource, ())
            self.event_days[new.resource] = tuple(sorted({*(d for d in known if d > hour_s - KEPT_DAYS_S), hour_s}))

    def _continues(self, new: Asked) -> bool:
        """Whether it took over in the middle from something asked of the same resource."""
        return any(
            one.resource == new.resource
            and one.by is new.by
            and one.wholesale
            and new.start_s < one.end_s <= new.sent_s
            for one in self.asked.values()
        )

    # --- limits

    def _limited(self, limit: LimitIssue, at_s: float) -> None:
        held = self.limits.get(limit.resource, [])
        if any(one.limit_id == limit.limit_id for one in held):
            return  # a reminder
        start_s = max(limit.start_s, at_s)
        before = [replace(one, end_s=min(one.end_s, start_s)) for one in held if one.start_s < start_s]
        after = [one for one in held if one.start_s >= max(limit.end_s, start_s)]
        end_s = min([limit.expires_s, *(one.start_s for one in after)])
        new = Held(limit.limit_id, start_s, end_s, limit.floor_w, limit.ceiling_w, limit.constraint_id)
        if before and _goes_on(before[-1], new):
            before[-1] = replace(before[-1], end_s=end_s)
        else:
            before.append(new)
        self.limits[limit.resource] = [*before, *after]

    # --- what was measured and stated

    def _assessed(self, found: Assessment) -> None:
        self.assessed[found.key] = found
        if len(self.assessed) > KEPT:
            stated = [key for key in self.assessed if key in self.stated_s]
            for key in stated[: KEPT // 2]:
                del self.assessed[key]

    def _stated(self, event: Stated, trade: Trade) -> None:
        for statement in event.statements:
            self.statements.setdefault(statement.statement_id, []).append(statement)
        if len(self.statements) > KEPT:
            self.statements = dict(list(self.statements.items())[-KEPT // 2 :])
        for key in event.covers:
            self.stated_s[key] = event.at_s
            found = self.assessed.get(key)
            if found is not None:
                _step(trade, found.ref, OrderEvent.STATEMENT)
        for ref in event.closes:
            _step(trade, ref, OrderEvent.CLOSE)
        if event.period_end_s is not None:
            self.since_s = event.period_end_s

    def _contested(self, event: Contested, trade: Trade) -> None:
        dispute, before = event.dispute, self.disputes.get(event.dispute.dispute_id)
        self.disputes[dispute.dispute_id] = dispute
        for found in event.remeasured:
            self.assessed[found.key] = found
        statement = self.newest(dispute.statement_id)
        refs = {line.reference for line in statement.lines} if statement is not None else set()
        happened = OrderEvent.DISPUTE if before is None else OrderEvent.RESOLVE
        if before is None or event.ended:
            for ref in refs:
                _step(trade, ref, happened)

    def _metered(self, body: MeterReport) -> None:
        # Whatever it calls itself: what a party sends is never the distributor's own meter.
        source = MeterSource.MARKET_PARTICIPANT
        length_s, held = 60 * body.length_min, self.readings.setdefault(body.resource, {})
        for n, energy_mwh in enumerate(body.energies_mwh):
            if energy_mwh is not None:
                start_s = body.start_s + n * length_s
                held[start_s] = MeterInterval(body.meter, start_s, length_s, 1e6 * energy_mwh, source=source)
        for start_s in sorted(held)[:-KEPT_READINGS]:
            del held[start_s]

    def _forget(self, now_s: float) -> None:
        """What ended so long ago that nothing is measured beside it any more."""
        waiting: dict[str, float] = {}
        for key, one in self.asked.items():
            if key not in self.assessed:
                waiting[one.resource] = min(one.start_s, waiting.get(one.resource, one.start_s))
        needed_s = {resource: min(start_s, now_s - KEPT_S) for resource, start_s in waiting.items()}
        self.asked = {
            key: one
            for key, one in self.asked.items()
            if key not in self.assessed or one.end_s > needed_s.get(one.resource, now_s - KEPT_S)
        }
        for resource, held in self.limits.items():
            from_s = needed_s.get(resource, now_s - KEPT_S)
            if held and held[0].end_s <= from_s:
                self.limits[resource] = [one for one in held if one.end_s > from_s]
        self.stated_s = {
            key: at_s for key, at_s in self.stated_s.items() if key in self.assessed or key in self.charges
        }


def _charge_key(line: SettlementLine) -> str:
    return f"{line.reference}:{line.resource}:charge"


def _cut(held: Iterable[Held], at_s: float) -> list[Held]:
    """Limits that a clearance ends, those ahead of it with them."""
    return [replace(one, end_s=min(one.end_s, at_s)) for one in held if one.start_s < at_s]


def _goes_on(before: Held, new: Held) -> bool:
    same = abs(before.floor_w - new.floor_w) < SAME_W and abs(before.ceiling_w - new.ceiling_w) < SAME_W
    return same and before.end_s == new.start_s and before.constraint_id == new.constraint_id


def _step(trade: Trade, ref: str, event: OrderEvent) -> None:
    """Let an event happen to what was asked, where its life knows it now."""
    instance = trade.instances.get(ref)
    if instance is not None and ORDER.allows(instance.state, event):
        trade.step(ref, event)
