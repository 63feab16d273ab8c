"""The control loop: signals in, one cycle at a time, controls out; everything journalled before it leaves.

Four tasks share one book. `_cycles` asks the engine and decides under the zone's model; `Actuation` turns
what was decided into leased instructions and operations, and is the only one that sends any; `Exchange`
takes and tells the parties' messages; `Accounting` measures and settles what is over. Each of them commits
what it is about to do to the journal first and folds it into the book after.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.accounting import Accounting
from gateway.actuation import CONTROL_TICK_S, Actuation, finite
from gateway.coordination import (
    conduct,
    deadlines,
    decide,
    evidence,
    failure,
    forecasts,
    intervals,
    nameplates,
    study,
    unexplained,
)
from gateway.coordination.book import Book
from gateway.coordination.conduct import Conclusion
from gateway.coordination.events import Alarmed, Decided, Event, Kept
from gateway.coordination.inquiry import Asked, Told
from gateway.coordination.situation import Situation
from gateway.coordination.timekeeping import CLOCK_SKEW, Skewed
from gateway.coordination.topology import Work, exceptional
from gateway.engine import Engine
from gateway.exchange import Exchange
from gateway.ground import Ground, woken
from gateway.ledger import Overtaken
from gateway.record import Checkpoint
from grid_engine.results import Answer, Status, Study
from protocols.points import Quantity
from protocols.signals import Ack, Baseline, LinkChanged, LinkState, Measurement, Outcome, Quality, Signal

FIRST_LOOK_S = 30.0
"""Longest that the first study waits for devices that have not been heard yet."""
MIN_GAP_S = 0.2
"""Cycles that are woken early keep at least this distance."""
SWITCHED = (Quantity.SWITCH_CLOSED, Quantity.TAP_POSITION)
"""A change of these changes the network: nobody waits for the next cycle."""
SHOWN = (Quantity.CEILING_W, Quantity.FLOOR_W)
"""What a device shows of these settles an unknown outcome at once."""
CHECKPOINT_S = 3_600.0
"""Between two checkpoints in the journal."""


@dataclass(slots=True)
class Loop:
    """One zone under control."""

    ground: Ground
    engine: Engine
    exchange: Exchange
    actuation: Actuation
    history: Callable[[Sequence[Measurement]], None]
    """Takes telemetry for the historian; never waits."""
    accounting: Accounting | None = None
    """Keeps the books; nothing where a zone settles elsewhere."""
    _expected_w: dict[str, float] = field(default_factory=dict)
    _tally: intervals.Tally = field(default_factory=intervals.Tally)
    _unexplained: unexplained.Unexplained = field(default_factory=unexplained.Unexplained)
    _cycles_run: int = 0
    _published_s: float = -1.0
    _published_with: Mapping[str, Work] = field(default_factory=dict)
    _failing: bool = False

    @property
    def book(self) -> Book:
        """What has been agreed so far."""
        return self.ground.book

    def __post_init__(self) -> None:
        self.ground.skewed = self._skewed

    async def run(self) -> None:
        """Control the zone until cancelled."""
        async with self.ground.tasks as tasks:
            tasks.create_task(self.actuation.run(), name="controls")
            tasks.create_task(self._cycles(), name="cycles")
            tasks.create_task(self._checkpoints(), name="checkpoints")
            if self.accounting is not None:
                tasks.create_task(self.accounting.run(), name="accounting")

    # --- inputs -----------------------------------------------------------------------------------

    def emit(self, signals: Sequence[Signal]) -> None:
        """Fold a batch of signals from an adapter; never waits."""
        ground, measurements = self.ground, list[Measurement]()
        for signal in signals:
            match signal:
                case Measurement():
                    first = signal.point not in ground.image
                    moved = signal.point.quantity in SWITCHED and not ground.image.holds(signal.point, signal.value)
                    self._timed(signal)
                    ground.image.fold(signal)
                    measurements.append(signal)
                    if signal.point.quantity in SHOWN and self._is_unknown(signal.point.resource):
                        ground.touched.set()
                    if first or moved or self._alarming(signal):
                        ground.wake.set()
                case LinkChanged():
                    self._link(signal)
                case Ack():
                    self.actuation.answered(signal)
                case Baseline():
                    if signal.resource not in self.book.baselines:
                        self.actuation.later(Kept(replace(signal, values=finite(signal.values))))
        if measurements:
            self.history(measurements)

    def _is_unknown(self, resource: str) -> bool:
        held = self.book.controls.get(resource)
        return held is not None and held.outcome is Outcome.UNKNOWN

    def _timed(self, signal: Measurement) -> None:
        """Hold the time that a device reports against ours."""
        ground, point = self.ground, signal.point
        if point.quantity is Quantity.ACTIVE_POWER_W and point.resource in ground.zone.resources:
            found = ground.their_clocks.look(ground.image.held(point), signal)
            if found is not None:
                self._skewed(found, signal.received_time_s)

    def _skewed(self, found: Skewed, at_s: float) -> None:
        self.ground.say.skewed(found)
        if found.skew_s:
            side = "ahead" if found.skew_s > 0 else "behind"
            detail = f"its clock is {abs(found.skew_s):.1f} s {side} {found.detail}".rstrip()
            self.actuation.later(Alarmed(CLOCK_SKEW, found.subject, at_s, detail))
        self.ground.touched.set()

    def _link(self, change: LinkChanged) -> None:
        ground = self.ground
        before = ground.image.link(change.resource)
        ground.image.fold(change)
        ground.say.link(change)
        self.actuation.later(change)
        if change.state is LinkState.ONLINE and before not in (LinkState.ONLINE, LinkState.DEGRADED):
            self.actuation.reassert(change.resource)
            if change.resource in ground.confirmed:
                ground.confirmed.discard(change.resource)
                ground.say.returned(change.resource)
        ground.wake.set()

    def _alarming(self, signal: Measurement) -> bool:
        """True for a measurement that the last study did not expect or that breaks a rating."""
        zone = self.ground.zone
        if signal.quality is not Quality.GOOD:
            return False
        name, quantity = signal.point.resource, signal.point.quantity
        if quantity is Quantity.CURRENT_A:
            rating = zone.ratings.get(name)
            return rating is not None and rating.ampacity_a is not None and signal.value > 1.001 * rating.ampacity_a
        if quantity is Quantity.ACTIVE_POWER_W and name in zone.resources:
            expected = self._expected_w.get(name)
            return expected is not None and signal.value > expected + zone.resources[name].verify_band_w
        return False

    # --- the cycle --------------------------------------------------------------------------------

    async def _cycles(self) -> None:
        ground = self.ground
        await self._heard_from_all()
        while True:
            change_s = self.book.topology.next_change_s(ground.now()) - ground.now()
            await woken(ground.wake, min(ground.zone.clocks.tick_s, change_s))
            began_s = ground.now()
            await self._cycle()
            ground.pace.cycled(took_s := ground.now() - began_s)
            if took_s < MIN_GAP_S:
                await asyncio.sleep(MIN_GAP_S - took_s)

    async def _heard_from_all(self) -> None:
        """Let every resource be heard once, or be found lost, before the first study assumes the worst of it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOK_S):
                while self._silent():
                    await woken(self.ground.wake, CONTROL_TICK_S)

    def _silent(self) -> bool:
        """True while a resource has neither been heard nor been found lost."""
        snapshot, resources = self.ground.image.freeze(self.ground.now()), self.ground.zone.resources
        return any(snapshot.power_w(r) is None and snapshot.link(r) is not LinkState.LOST for r in resources)

    async def _cycle(self) -> None:
        """Freeze, compute, decide, record; the controls follow from what was recorded."""
        ground = self.ground
        self._cycles_run += 1
        at = ground.situation(f"{ground.zone.id}-{int(ground.now())}-{self._cycles_run}")
        ground.say.begun(at)
        at, unknown = await self._observed(at)
        question = study.impact(at)
        answer = await self.engine.answer(question)
        ground.pace.studied(answer)
        if (took_s := ground.now() - at.now_s) >= ground.zone.clocks.impact_check_s:
            ground.say.late(at, took_s)
        at = at.citing(answer.model_version)
        concluded = await self._ask(conduct.conclude(at, question, answer))
        owed = deadlines.overdue(at, frozenset(m.resource for m in concluded.messages))
        sent = self.exchange.outgoing(at, (*concluded.messages, *owed.reminders))
        silent = [Alarmed(forecasts.FORECAST_STALE, of, at.now_s, what) for of, what in forecasts.silent(at)]
        alarms = (*concluded.alarms, *owed.alarms, *nameplates.differing(at), *silent, *unknown)
        acts: list[Event] = [*concluded.selected, *concluded.proposed, *concluded.ruled, *sent, *alarms]
        acts += [] if concluded.plan is None else [concluded.plan]
        over, solved = self._tally.closed(at), answer.status is Status.SOLVED
        decided = self._decided(at, question, answer, concluded)
        changed = bool(acts or over) or solved is self._failing or self._is_edge(decided)
        try:
            if not await ground.ledger.commit([decided, *acts, *over], keep=changed, check=ground.ledger.unchanged()):
                return
        except Overtaken:
            ground.wake.set()  # what has just come may change what follows
            return
        self._tally.saw(at, over, solved=solved)
        self._unexplained.suspect(at, question, decided.answer)
        self._failing = not solved
        ground.say.cycle(at, question, answer, [s.message for s in sent], alarms)
        ground.say.acted(at, [*acts, *over])
        self.exchange.post(sent)
        ground.touched.set()
        if acts:
            ground.wake.set()  # what was recorded may let something else follow
        if solved:  # what holds now has left; the rest may take its time
            await self._publish_ahead(at)
            await self._gather_evidence(at, question)

    async def _observed(self, at: Situation) -> tuple[Situation, tuple[Alarmed, ...]]:
        """The situation with ratings as far as the flows leave them that the model does not explain."""
        alarms: tuple[Alarmed, ...] = ()
        if self._unexplained.asks:
            question = unexplained.as_measured(at)
            alarms = self._unexplained.compare(at, question, await self.engine.answer(question))
        return replace(at, lowered=self._unexplained.ratings(at.zone.ratings)), alarms

    def _is_edge(self, decided: Decided) -> bool:
        """True for the first cycle of all, and where headroom has come or gone."""
        return self.book.began_s is None or frozenset(decided.headroom) != self.book.headroom_since_s.keys()

    async def _ask(self, steps: conduct.Steps) -> Conclusion:
        """Carry the questions of a decision to the engine, and its answers back."""
        told: Told | None = None
        while True:
            try:
                asked = next(steps) if told is None else steps.send(told)
            except StopIteration as end:
                conclusion: Conclusion = end.value
                return conclusion
            told = await self._told(asked)

    async def _told(self, asked: Asked) -> Told:
        return await self.engine.answer(asked) if isinstance(asked, Study) else await self.engine.reply(asked)

    def _decided(self, at: Situation, question: Study, answer: Answer, concluded: Conclusion) -> Decided:
        measured = {r: w for r in at.zone.resources if (w := at.snapshot.power_w(r)) is not None}
        clean = answer.status is Status.SOLVED and not any(v.interval == 0 for v in answer.violations)
        clean = clean and not exceptional(self.book.topology, study.reported(at), at.now_s)
        self._expected_w = {p.resource: p.requested_w[0] for p in question.participants}
        # What was first seen amid a violation stands too: only what comes on top of it is an increment.
        blind = failure.unanswered(at, answer)
        settled = {r: w for r, w in measured.items() if (clean and r not in blind) or r not in self.book.settled_w}
        kept = evidence.kept(at, answer)
        return Decided(at.cycle_id, at.now_s, question, kept, measured, settled, concluded.headroom)

    async def _publish_ahead(self, at: Situation) -> None:
        """Envelopes for the intervals ahead, once per interval and where the zone asks for them."""
        zone, ground = self.ground.zone, self.ground
        begun_s = zone.clocks.interval_start(at.now_s)
        works = self.book.topology.works
        if not zone.limits.look_ahead or (begun_s == self._published_s and works == self._published_with):
            return
        answer = await self.engine.answer(question := study.look_ahead(at))
        at = at.citing(answer.model_version)
        messages = conduct.limits_ahead(at, decide.limits_ahead(at, answer, study.intervals_ahead(at)))
        sent = self.exchange.outgoing(at, messages)
        decided = Decided(at.cycle_id, at.now_s, question, evidence.kept(at, answer))
        if await ground.ledger.commit([decided, *sent]):
            if answer.status is Status.SOLVED:
                self._published_s, self._published_with = begun_s, works
            ground.say.sent(at, [s.message for s in sent])
            self.exchange.post(sent)
            ground.touched.set()

    async def _gather_evidence(self, at: Situation, question: Study) -> None:
        """Compare measured flows with those that a lost device's fallback would make."""
        ground = self.ground
        for resource in evidence.awaiting(at):
            worst_w, fallback_w = evidence.powers(at, resource)
            worst = await self.engine.answer(study.as_if(question, {resource: worst_w}, f"{at.cycle_id}-worst"))
            low = await self.engine.answer(study.as_if(question, {resource: fallback_w}, f"{at.cycle_id}-fallback"))
            if evidence.agrees(at, worst, low, worst_w - fallback_w):
                ground.confirmed.add(resource)
                ground.say.fallback(resource, fallback_w)
                ground.wake.set()

    async def _checkpoints(self) -> None:
        """Let a restart begin at a recent state of the book and not at the first entry of the journal."""
        ground = self.ground
        while True:
            await ground.ledger.commit([Checkpoint(ground.zone.id, self.book, ground.now())])
            await asyncio.sleep(CHECKPOINT_S)
