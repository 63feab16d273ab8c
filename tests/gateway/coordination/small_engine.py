"""An engine small enough to be right at a glance: one line that carries so much, and one voltage that may be low."""

from dataclasses import dataclass

from grid_engine.dispatch.operation_words import Act, Objective, Operation, Option, Plan, Verdict, Verification
from grid_engine.dispatch.questions import Clear, Cleared, Equivalents, Needed, Question, Reconfigure, Reply, Trace
from grid_engine.dispatch.words import CurvePoint, Instruction, Market, OfferCurve, Outcome, Schedule
from grid_engine.results import (
    Answer,
    Binding,
    Envelope,
    Equivalent,
    Need,
    NetworkState,
    Participant,
    Purpose,
    Reason,
    Status,
    Study,
    Violation,
)

VERSION = "r1-1"


@dataclass(slots=True)
class SmallEngine:
    """Answers like `gateway.engine.Engine`, at once and without a power flow."""

    carries_w: float
    """What the line bears of all powers together."""
    wanted_w: float = 0.0
    """Below so much of all powers together a voltage is too low; nothing is needed at 0."""
    failing: bool = False

    def answer(self, study: Study) -> Answer:
        """Envelopes by increment, the largest first; looking ahead, everybody within what the others leave."""
        if self.failing:
            return Answer(study.study_id, Status.NOT_CONVERGED, VERSION, detail="told by the test")
        broken: list[Violation] = []
        boxes: list[Envelope] = []
        for k in range(study.intervals):
            total_w = sum(p.requested_w[k] for p in study.participants)
            excess_w = total_w - self._bears_w(study)
            if excess_w > 1.0:
                broken.append(Violation("L12", Reason.THERMAL, k, total_w, self._bears_w(study), "W"))
            if self.wanted_w > 0 and total_w < self.wanted_w:
                broken.append(Violation("LT", Reason.VOLT_LO, k, 0.94, 0.95, "pu"))
            if study.purpose is Purpose.IMPACT:
                boxes += self._cut(study, k, excess_w)
            else:
                boxes += self._room(study, k)
        return Answer(study.study_id, Status.SOLVED, VERSION, tuple(broken), tuple(boxes))

    def reply(self, question: Question) -> Reply:
        """Merit order; a plan that closes the tie; whoever can increase helps."""
        match question:
            case Clear(market):
                return Cleared(self._merit(market))
            case Trace(market):
                return self._curve(market)
            case Reconfigure(study):
                return self._plan(study)
            case Equivalents(study):
                return self._needed(study)

    def _bears_w(self, study: Study) -> float:
        host_w = [r.reverse_power_w for r in study.ratings.values() if r.reverse_power_w is not None]
        return min([self.carries_w, *host_w])

    def _cut(self, study: Study, k: int, excess_w: float) -> list[Envelope]:
        found = []
        movable = [p for p in study.participants if p.adjustable and p.requested_w[k] > max(p.floor_w, 0.0)]
        for member in sorted(movable, key=lambda p: p.requested_w[k] - p.held_w[k], reverse=True):
            if excess_w <= 1.0:
                break
            cut_w = min(excess_w, member.requested_w[k] - max(member.floor_w, 0.0))
            excess_w -= cut_w
            found.append(self._box(study, member, k, member.requested_w[k] - cut_w))
        return found

    def _room(self, study: Study, k: int) -> list[Envelope]:
        total_w = sum(p.held_w[k] for p in study.participants)
        bears_w = self._bears_w(study)
        return [
            self._box(study, p, k, min(p.ceiling_w, bears_w - total_w + p.held_w[k]))
            for p in study.participants
            if p.adjustable
        ]

    def _box(self, study: Study, member: Participant, k: int, ceiling_w: float) -> Envelope:
        step_w = study.limit_step_w
        ceiling_w = max(ceiling_w // step_w * step_w, min(member.floor_w, 0.0))
        binding = Binding("L12", Reason.THERMAL, "a", "N-0", 1.0, 1.0, self._bears_w(study), "W")
        bound = binding if ceiling_w < member.ceiling_w else None
        return Envelope(member.resource, k, min(member.floor_w, ceiling_w), ceiling_w, bound)

    def _merit(self, market: Market) -> Schedule:
        study_id = market.study.study_id
        if self.failing:
            return Schedule(study_id, Outcome.NOT_CONVERGED, VERSION, detail="told by the test")
        wanted_w, told, short_w, cost = market.delivery_w or (0.0,), [], [], []
        for k, power_w in enumerate(wanted_w):
            left_w = power_w
            cost.append(0.0)
            for offer in sorted(market.offers, key=lambda o: o.blocks[0].price_per_mwh):
                boxes = [e for e in market.limits if (e.resource, e.interval) == (offer.resource, k)]
                most_w = min(
                    [
                        sum(b.power_w for b in offer.blocks),
                        *offer.available_w[k : k + 1],
                        *(e.ceiling_w for e in boxes),
                    ]
                )
                part_w = max(min(left_w, most_w), 0.0)
                left_w -= part_w
                cost[k] += part_w / 1e6 * offer.blocks[0].price_per_mwh
                told.append(Instruction(offer.resource, k, part_w))
            short_w.append(max(left_w, 0.0))
        outcome = Outcome.SHORTFALL if max(short_w) > 1.0 else Outcome.DELIVERED
        done_w = tuple(w - s for w, s in zip(wanted_w, short_w, strict=True))
        return Schedule(study_id, outcome, VERSION, tuple(told), done_w, tuple(short_w), {}, tuple(cost))

    def _curve(self, market: Market) -> OfferCurve:
        points, total_w, price = [], 0.0, 0.0
        for offer in sorted(market.offers, key=lambda o: o.blocks[0].price_per_mwh):
            total_w += sum(b.power_w for b in offer.blocks)
            price = max(price + 0.01, offer.blocks[0].price_per_mwh)
            points.append(CurvePoint(min(total_w, self.carries_w), price))
            if total_w >= self.carries_w:
                break
        outcome = Outcome.NOT_CONVERGED if self.failing else Outcome.DELIVERED
        return OfferCurve(market.study.study_id, outcome, VERSION, tuple(points))

    def _plan(self, study: Study) -> Plan:
        if self.failing:
            return Plan(study.study_id, Objective.CURTAILMENT_MIN, Verdict.NOT_CONVERGED, VERSION)
        closed = study.state.switches_closed.get("SWT", False)
        steps = () if closed else (Operation(Act.CLOSE, "SWT"), Operation(Act.OPEN, "SW12"))
        verified = Verification(study.study_id, Verdict.HOLDS, VERSION)
        option = Option(steps, NetworkState(), verified, 20.0, 20.0)
        return Plan(study.study_id, Objective.CURTAILMENT_MIN, Verdict.HOLDS, VERSION, (option,))

    def _needed(self, study: Study) -> Needed:
        if self.failing:
            return Needed(study.study_id, Status.NOT_CONVERGED, VERSION)
        total_w = sum(p.held_w[0] for p in study.participants)
        short_w = self.wanted_w - total_w
        if short_w <= 0:
            return Needed(study.study_id, Status.SOLVED, VERSION)
        helpers = tuple(Equivalent(p.resource, short_w, short_w <= p.ceiling_w) for p in study.participants)
        violation = Violation("LT", Reason.VOLT_LO, 0, 0.94, 0.95, "pu")
        return Needed(study.study_id, Status.SOLVED, VERSION, (Need(violation, helpers),))
