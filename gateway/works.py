"""Where planned work, forced outages and overrides of the network come in: judged by the engine, then journalled."""

from dataclasses import dataclass, replace

from gateway.coordination import study
from gateway.coordination.events import Alarmed
from gateway.coordination.topology import Cancelled, Scheduled, Work, WorkKind
from gateway.engine import Engine
from gateway.exchange import CannotRecord
from gateway.ground import Ground
from grid_engine.results import Answer, NetworkState, Purpose, Status

LONGEST_S = 366 * 86_400.0


class RefusedWork(Exception):  # noqa: N818 - a decision, not a defect
    """A work is not taken; says why."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a work means for the zone."""

    work: Work
    cut_off: tuple[str, ...]
    """Resources without supply while it lasts."""


@dataclass(frozen=True, slots=True)
class Works:
    """The schedule of one zone's network."""

    ground: Ground
    engine: Engine

    async def schedule(self, work: Work) -> Accepted:
        """Take a work, in place of an earlier one of its id; returns once it is on the disk.

        Raises:
            RefusedWork: its times or its elements cannot be.
            CannotRecord: the journal cannot be written now.
        """
        problem = self._untimely(work)
        answer = None if problem else await self._tried(work.state)
        if answer is not None and answer.status is Status.BAD_INPUT:
            problem = answer.detail
        if problem or answer is None:
            self.ground.say.work_refused(work, problem)
            raise RefusedWork(f"{work.id}: {problem}")
        resources = self.ground.zone.resources
        cut_off = tuple(name for name in answer.unsupplied if name in resources)
        at_s = self.ground.now()
        reports = [
            Alarmed("DER_CUT_OFF", name, at_s, f"{work.id} leaves it without supply from {work.start_s:.0f} s on")
            for name in cut_off
        ]
        if not await self.ground.ledger.commit([Scheduled(work, at_s), *reports]):
            raise CannotRecord("the journal cannot be written; nothing was taken")
        self.ground.say.work(work, cut_off)
        self.ground.wake.set()
        return Accepted(work, cut_off)

    async def cancel(self, work_id: str, by: str) -> None:
        """Take a work back, or end it before its time.

        Raises:
            RefusedWork: there is none of that id.
            CannotRecord: the journal cannot be written now.
        """
        topology = self.ground.book.topology
        work = topology.works.get(work_id)
        if work is None or work.end_s <= self.ground.now():
            known = ", ".join(topology.works) or "none"
            raise RefusedWork(f"{work_id} is no work of the network; there are: {known}")
        if not await self.ground.ledger.commit([Cancelled(work_id, self.ground.now(), by)]):
            raise CannotRecord("the journal cannot be written; nothing was taken")
        self.ground.say.work_cancelled(work_id, by)
        self.ground.wake.set()

    async def review(self) -> None:
        """Cancel what no longer fits the network, as after the model was changed while the gateway was down."""
        for work in list(self.ground.book.topology.works.values()):
            if work.end_s <= self.ground.now():
                continue
            answer = await self._tried(work.state)
            if answer.status is Status.BAD_INPUT:
                await self.cancel(work.id, f"the gateway: {answer.detail}")

    def _untimely(self, work: Work) -> str:
        now_s, interval_s = self.ground.now(), self.ground.zone.clocks.interval_s
        if not work.described:
            return "it changes nothing; name a switch, a branch or a tap"
        if not work.start_s < work.end_s:
            return "it ends before it begins"
        if work.end_s <= now_s:
            return "it is over already"
        if work.end_s - work.start_s > LONGEST_S:
            return f"it lasts longer than {LONGEST_S / 86_400:.0f} days; change the network model instead"
        if work.kind is WorkKind.PLANNED and (work.start_s % interval_s or work.end_s % interval_s):
            return f"planned work begins and ends with a market interval of {interval_s:g} s; name such times"
        return ""

    async def _tried(self, state: NetworkState) -> Answer:
        """The engine's answer on the changed network, everybody where they are."""
        question = study.only_now(study.impact(self.ground.situation("work")))
        return await self.engine.answer(replace(question, state=state, purpose=Purpose.IMPACT))
