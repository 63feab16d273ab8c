"""The control loop between a fake adapter, a fake engine and a journal in memory, on virtual time."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import nan

import async_solipsism
import pytest
from structlog.testing import capture_logs

from gateway import actuation, clock, record
from gateway.actuation import APPLY_DEADLINE_S, Actuation
from gateway.coordination.book import Book
from gateway.coordination.messages import LimitIssue, Message, OutageAck
from gateway.coordination.zone import ZoneFacts
from gateway.exchange import CannotRecord, Exchange, RefusedMessage
from gateway.ground import Ground
from gateway.journal.entries import Entry, JournalWriteError
from gateway.ledger import Ledger
from gateway.loop import Loop
from gateway.narrate import Narrator
from gateway.snapshot import Image
from grid_engine.dispatch.questions import Question, Reply, failed
from grid_engine.results import Answer, Purpose, Status, Study
from protocols.points import Quantity
from protocols.signals import Ack, Baseline, Bounds, Control, Instruction, LinkState, Outcome, Release
from tests.gateway.coordination.build import (
    MW,
    T,
    dispatched,
    envelope,
    folded,
    limit,
    linked,
    measured,
    message,
    outage,
    sent,
    solved,
    zone,
)

FAILED = Answer("s", Status.NOT_CONVERGED, "r1-1", detail="told by the test")


class FakeAdapter:
    """Answers as it is told to, and remembers what it was asked."""

    resources = frozenset({"A"})

    def __init__(self, now: clock.Now) -> None:
        self.now = now
        self.asked: list[tuple[float, Instruction]] = []
        self.values: dict[str, float] = {}
        self.raises: Exception | None = None
        self.takes_s = 0.0

    async def apply(self, instruction: Instruction) -> Ack:
        self.asked.append((self.now() - T, instruction))
        await asyncio.sleep(self.takes_s)
        if self.raises is not None:
            raise self.raises
        return Ack.of(instruction, Outcome.WRITTEN, self.now(), "", requested=self.values, read_back=self.values)


class FakeEngine:
    """Gives the answer that the scene wants, after a while."""

    def __init__(self) -> None:
        self.answers: Callable[[Study], Answer] = lambda _: solved()
        self.takes_s = 0.1
        self.studies: list[Study] = []

    async def answer(self, study: Study) -> Answer:
        self.studies.append(study)
        await asyncio.sleep(self.takes_s)
        return self.answers(study)

    async def reply(self, question: Question) -> Reply:
        return failed(question, "v1", "not asked here")


class FakeJournal:
    """Keeps entries in memory, unless it is full."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.full = False
        self.takes_s = 0.0

    async def append(self, entries: Sequence[Entry]) -> None:
        if self.full:
            raise JournalWriteError("full")
        if self.takes_s:
            await asyncio.sleep(self.takes_s)
        self.entries += entries

    def kinds(self) -> list[str]:
        return [entry.kind.value for entry in self.entries]


class Scene:
    """A loop with its surroundings; A is polled every second."""

    def __init__(self, facts: ZoneFacts, book: Book) -> None:
        steady = clock.of_loop(T)
        self.set_by_s = 0.0
        self.now = lambda: steady() + self.set_by_s
        self.adapter, self.engine, self.journal = FakeAdapter(self.now), FakeEngine(), FakeJournal()
        self.posted: list[Message] = []
        self.power_w = 0.3 * MW
        say = Narrator(facts)
        ground = Ground(facts, Image({"A": 1.0, "B": 1.0}), Ledger(self.journal, book, say), self.now, say)
        actuation = Actuation(ground, {"A": self.adapter})
        self.loop = Loop(ground, self.engine, Exchange(ground, self.send), actuation, lambda _: None)

    async def send(self, told: Message) -> None:
        self.posted.append(told)

    async def poll(self) -> None:
        self.loop.emit([linked(r, LinkState.ONLINE, self.now()) for r in ("A", "B")])
        while True:
            now_s = self.now()
            self.loop.emit([measured("A", self.power_w, now_s), measured("B", 4 * MW, now_s)])
            await asyncio.sleep(1)

    def instructions(self) -> list[Instruction]:
        return [one for _, one in self.adapter.asked]

    def outcomes(self) -> list[tuple[str, Outcome]]:
        facts = [record.fact(entry) for entry in self.journal.entries]
        return [(f.ack.control_id, f.ack.outcome) for f in facts if isinstance(f, record.Answered)]


def play(act, facts: ZoneFacts | None = None, book: Book | None = None) -> None:
    """Run the loop while a scene is acted."""

    async def scene() -> None:
        made = Scene(facts or zone(), book or Book())
        async with asyncio.TaskGroup() as tasks:
            background = [tasks.create_task(made.loop.run()), tasks.create_task(made.poll())]
            await act(made)
            assert not any(task.done() for task in background), "the loop is still in control"
            for task in background:
                task.cancel()

    virtual = async_solipsism.EventLoop()
    try:
        virtual.run_until_complete(scene())
    finally:
        virtual.close()


def limited(ceiling_w: float) -> Callable[[Study], Answer]:
    return lambda study: solved(envelope(ceiling_w)) if study.purpose is Purpose.IMPACT else solved()


def test_a_limit_is_journalled_told_and_brought_to_the_device():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(5)
        (told,) = scene.posted
        assert isinstance(told.body, LimitIssue)
        (control,) = scene.instructions()
        assert isinstance(control, Control)
        assert control.limit.ceiling_w == 1.2 * MW
        kinds = scene.journal.kinds()
        assert kinds.index("decided") < kinds.index("party_out") < kinds.index("issued") < kinds.index("acked")
        assert scene.loop.book.controls["A"].outcome is Outcome.VERIFIED

    play(act)


def test_limits_cite_the_network_model_that_they_were_computed_on():
    async def act(scene):
        for version, ceiling_w in (("r1-1", 1.2 * MW), ("r1-2", 0.9 * MW)):
            scene.engine.answers = lambda study, v=version, c=ceiling_w: replace(limited(c)(study), model_version=v)
            scene.loop.ground.wake.set()
            await asyncio.sleep(15)
        cited = [told.body.supporting.model_version for told in scene.posted if isinstance(told.body, LimitIssue)]
        assert (cited[0], cited[-1]) == ("r1-1", "r1-2")

    play(act)


@pytest.mark.parametrize("error", [KeyError("x"), asyncio.CancelledError(), ExceptionGroup("g", [ValueError()])])
def test_an_adapter_that_raises_costs_its_resource_an_unknown_and_nobody_else_anything(error):
    async def act(scene):
        scene.adapter.raises = error
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(30)
        assert scene.outcomes() == [("A-c1", Outcome.UNKNOWN)], "and it is not written again"

    play(act)


def test_an_adapter_that_hangs_is_given_up_and_only_the_newest_instruction_follows():
    async def act(scene):
        scene.adapter.takes_s = 60
        for k in range(4):
            scene.engine.answers = limited((1.2 - 0.1 * k) * MW)
            scene.loop.ground.wake.set()
            await asyncio.sleep(3)
        await asyncio.sleep(60)
        assert [one.version for one in scene.instructions()] == [1, 4]
        assert scene.adapter.asked[1][0] - scene.adapter.asked[0][0] == pytest.approx(APPLY_DEADLINE_S)
        assert scene.outcomes() == [
            ("A-c1", Outcome.UNKNOWN),
            ("A-c2", Outcome.SUPERSEDED),
            ("A-c3", Outcome.SUPERSEDED),
            ("A-c4", Outcome.UNKNOWN),
        ]

    play(act)


def test_what_is_not_a_number_in_an_answer_does_not_reach_the_journal():
    async def act(scene):
        scene.loop.emit([Baseline("A", {"x": nan, "y": 1.0}, T)])
        scene.adapter.values = {"x": nan, "y": 2.0}
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(5)
        assert scene.loop.book.baselines["A"].values == {"y": 1.0}
        written = scene.loop.book.controls["A"].written
        assert written is not None
        assert written.read_back == {"y": 2.0}

    play(act)


def test_limits_of_now_and_ahead_have_versions_of_their_own():
    def answers(study):
        if study.purpose is Purpose.IMPACT:
            return solved(envelope(1.2 * MW))
        return solved(*(envelope((1.0 - 0.1 * k) * MW, interval=k) for k in range(3)))

    async def act(scene):
        scene.engine.answers = answers
        await asyncio.sleep(5)
        limits = [m.body for m in scene.posted]
        assert [(one.version, one.ceiling_w) for one in limits] == [
            (1, 1.2 * MW),
            (2, 1.0 * MW),
            (3, 0.9 * MW),
            (4, 0.8 * MW),
        ]
        assert len(scene.loop.book.limits["A"]) == 4
        (control,) = scene.instructions()
        assert control.limit.ceiling_w == 1.2 * MW

    play(act, zone(look_ahead=True))


def test_what_holds_now_does_not_wait_for_what_looks_ahead():
    async def act(scene):
        scene.engine.takes_s = 20
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(25)
        assert len(scene.engine.studies) == 2, "the look-ahead is still being computed"
        assert len(scene.instructions()) == 1

    play(act, zone(look_ahead=True))


def test_a_message_that_comes_while_the_engine_computes_is_seen_by_the_next_cycle_at_once():
    async def act(scene):
        await asyncio.sleep(15)
        scene.engine.takes_s = 3
        scene.loop.ground.wake.set()
        await asyncio.sleep(1)
        before = len(scene.engine.studies)
        await scene.loop.exchange.receive(dispatched(2 * MW, T, scene.now()).message)
        await asyncio.sleep(3)
        assert len(scene.engine.studies) == before + 1
        assert scene.engine.studies[-1].participants[0].requested_w[0] == 2 * MW

    play(act)


def test_a_limit_that_runs_out_while_the_engine_fails_sets_nobody_free():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(300)
        scene.engine.answers = lambda _: FAILED
        await asyncio.sleep(3000)
        ceilings = []
        for _, one in scene.adapter.asked:
            assert isinstance(one, Control), "nothing is released"
            if not ceilings or one.limit.ceiling_w != ceilings[-1]:
                ceilings.append(one.limit.ceiling_w)
        assert ceilings == pytest.approx([1.2 * MW, 1.08 * MW, 0.5 * MW])
        held = scene.loop.book.controls["A"]
        assert held.instruction.expiry_s > scene.now()
        expired = [control_id for control_id, outcome in scene.outcomes() if outcome is Outcome.EXPIRED]
        assert expired == ["A-c2"], "what was shrunk runs out, the static limit is renewed in time"

    play(act)


def test_after_a_restart_a_limit_that_ran_out_meanwhile_is_cleared_like_any_other():
    book = folded(sent(limit(1.2 * MW, start_s=T - 2000), T - 2000))
    book.fold(record.Issued(Control("A-c7", "A", 7, T - 2000, T - 1100, Bounds(None, 1.2 * MW)), T - 2000))

    async def act(scene):
        await asyncio.sleep(50)
        (again,) = scene.instructions()
        assert (again.version, again.limit) == (8, Bounds(None, 1.2 * MW)), "until the headroom has lasted"
        await asyncio.sleep(50)
        (_, one) = scene.instructions()
        assert isinstance(one, Release)
        assert one.version == 9
        await asyncio.sleep(500)
        assert len(scene.instructions()) == 2
        assert [m.code for m in scene.posted if m.code == "LIMIT.Clear"] == ["LIMIT.Clear"]

    play(act, book=book)


def test_with_a_full_journal_nothing_leaves_and_it_is_told_once():
    async def act(scene):
        await asyncio.sleep(5)
        scene.engine.answers = limited(1.2 * MW)
        scene.power_w = 2 * MW
        scene.journal.full = True
        with capture_logs() as logs:
            await asyncio.sleep(30)
            with pytest.raises(CannotRecord):
                await scene.loop.exchange.receive(dispatched(2 * MW, T, T).message)
        assert (scene.posted, scene.instructions()) == ([], [])
        assert [line["event"] for line in logs].count("journal.failed") == 1
        scene.journal.full = False
        await asyncio.sleep(15)
        assert len(scene.posted) == len(scene.instructions()) == 1

    play(act)


def test_a_verdict_that_cannot_be_journalled_is_not_told():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        scene.power_w = 2 * MW
        await asyncio.sleep(5)
        scene.journal.full = True
        scene.power_w = 1.2 * MW
        with capture_logs() as logs:
            await asyncio.sleep(10)
        assert not [line for line in logs if line["event"] == "command.completed"]
        scene.journal.full = False
        await asyncio.sleep(5)
        assert scene.outcomes()[-1] == ("A-c1", Outcome.VERIFIED)

    play(act)


def test_answers_that_wait_for_the_journal_keep_their_order_and_lose_the_oldest(monkeypatch):
    monkeypatch.setattr(actuation, "PENDING", 3)

    async def act(scene):
        scene.loop.actuation._pending = type(scene.loop.actuation._pending)(maxlen=3)
        await asyncio.sleep(3)
        scene.journal.full = True
        for k in range(5):
            scene.loop.emit([Ack("A-c9", "A", 9, Outcome.RECEIVED, T + k)])
            await asyncio.sleep(3)
        scene.journal.full = False
        await asyncio.sleep(3)
        facts = [record.fact(e) for e in scene.journal.entries if e.kind == "acked"]
        assert [f.ack.at_s - T for f in facts] == [2, 3, 4]

    play(act)


def test_a_release_of_unknown_outcome_is_settled_by_reading_and_then_made_again():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(5)
        scene.adapter.raises = TimeoutError("no answer")
        scene.engine.answers = lambda _: solved()
        await asyncio.sleep(80)
        assert [type(one) for one in scene.instructions()] == [Control, Release]
        scene.adapter.raises = None
        scene.loop.emit([measured("A", 1.2 * MW, scene.now(), Quantity.CEILING_W)])
        await asyncio.sleep(40)
        assert [type(one) for one in scene.instructions()] == [Control, Release, Release]
        assert scene.loop.book.controls["A"].outcome is Outcome.WRITTEN

    play(act)


def test_a_link_that_flaps_costs_one_write_each_time_it_comes_up():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(5)
        for state in (LinkState.DEGRADED, LinkState.ONLINE, LinkState.LOST, LinkState.ONLINE):
            scene.loop.emit([linked("A", state, scene.now())])
            await asyncio.sleep(3)
        assert [one.version for one in scene.instructions()] == [1, 1]

    play(act)


def test_an_outage_notice_is_acknowledged_and_a_repeat_has_no_effect():
    async def act(scene):
        await asyncio.sleep(5)
        notice = outage("B", T).message
        for _ in range(2):
            await scene.loop.exchange.receive(notice)
        await asyncio.sleep(1)
        assert [m.body for m in scene.posted] == [OutageAck("o1", "B")]
        assert scene.journal.kinds().count("party_in") == 1

    play(act)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (message("AGENT_A", "DSO", outage("B", T).message.body), "does not speak for B"),
        (message("AGENT_A", "DSO", outage("Z", T).message.body), "UNKNOWN_RESOURCE"),
    ],
)
def test_what_may_not_be_said_leaves_no_trace(told, why):
    async def act(scene):
        before = len(scene.journal.entries)
        with pytest.raises(RefusedMessage, match=why):
            await scene.loop.exchange.receive(told)
        assert len(scene.journal.entries) == before

    play(act)


def test_a_message_that_comes_twice_at_once_has_one_effect():
    async def act(scene):
        await asyncio.sleep(1)
        scene.journal.takes_s = 0.5
        told = outage("B", T).message
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(scene.loop.exchange.receive(told))
        assert scene.journal.kinds().count("party_in") == 1
        assert len([one for one in scene.posted if isinstance(one.body, OutageAck)]) == 1

    play(act)


def test_nobody_uses_up_the_id_of_another_party():
    async def act(scene):
        await asyncio.sleep(1)
        first = dispatched(MW, T, T).message
        second = outage("B", T).message
        for told in (first, replace(second, header=replace(second.header, msg_id=first.header.msg_id))):
            await scene.loop.exchange.receive(told)
        assert scene.journal.kinds().count("party_in") == 2

    play(act)


def test_a_headroom_that_has_gone_again_is_gone_after_a_restart_too():
    async def act(scene):
        scene.engine.answers = limited(1.0 * MW)
        await asyncio.sleep(15)
        for ceiling_w in (1.5 * MW, 1.0 * MW):
            scene.engine.answers = limited(ceiling_w)
            await asyncio.sleep(15)
        assert scene.loop.book.headroom_since_s == {}
        assert folded(*record.events(scene.journal.entries)).headroom_since_s == {}

    play(act)


def test_a_clock_that_is_set_back_sets_nobody_free_and_is_told():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(15)
        (control,) = scene.instructions()
        with capture_logs() as logs:
            scene.engine.answers = lambda _: solved()
            scene.set_by_s = -3600.0  # the limit has not even begun by this clock
            await asyncio.sleep(30)
        assert scene.instructions() == [control]
        assert [line["subject"] for line in logs if line["event"] == "clock.skewed"] == ["gateway"]
        assert ("CLOCK_SKEW", "gateway") in scene.loop.book.alarms
        with capture_logs() as logs:
            await asyncio.sleep(60)
        assert [line["event"] for line in logs if line["event"].startswith("clock.")] == ["clock.agrees"]
        assert isinstance(scene.instructions()[-1], Release)

    play(act)


def test_a_device_whose_clock_is_off_gets_nothing_looser():
    async def act(scene):
        scene.engine.answers = limited(1.2 * MW)
        await asyncio.sleep(5)
        for k in range(4):
            told = measured("A", 0.3 * MW + k, scene.now() + k / 10)
            scene.loop.emit([replace(told, source_time_s=told.received_time_s + 60.0)])
        assert scene.loop.ground.situation().doubtful == {"A"}
        assert ("CLOCK_SKEW", "A") not in scene.loop.book.alarms
        await asyncio.sleep(1.5)
        assert ("CLOCK_SKEW", "A") in scene.loop.book.alarms, "once it is on the disk"

    play(act)


def test_n1_a_switch_that_moves_is_in_the_next_study_at_once():
    async def act(scene):
        def report(closed: float) -> None:
            scene.loop.emit([measured("SW12", closed, scene.now(), Quantity.SWITCH_CLOSED)])

        report(1.0)
        await asyncio.sleep(5)
        count = len(scene.engine.studies)
        report(1.0)
        await asyncio.sleep(1)
        assert len(scene.engine.studies) == count
        report(0.0)
        await asyncio.sleep(1)
        assert len(scene.engine.studies) == count + 1
        assert dict(scene.engine.studies[-1].state.switches_closed) == {"SW12": False}

    play(act)
