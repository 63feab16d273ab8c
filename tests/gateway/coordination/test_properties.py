"""Whatever parties, links, devices, disk and process do: no illegal state, no double effect, nothing lost."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import async_solipsism
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.coordination.market import Mode
from gateway.coordination.market_messages import (
    Block,
    MarketSide,
    OfferRevoke,
    OfferSubmit,
    OrderCommit,
    OrderDecline,
    ScheduleDayAhead,
    SchedulePoint,
)
from gateway.coordination.messages import (
    AckCommit,
    AckReceipt,
    AckStatus,
    Body,
    Dispatch,
    DispatchCopy,
    LimitAck,
    OutageNotice,
)
from gateway.coordination.operation_messages import HeartbeatOut, HostLimit, HostNoObjection, HostObject
from gateway.coordination.zone import DsoModel
from protocols.signals import Bounds
from tests.gateway.coordination.build import MW
from tests.gateway.coordination.chaos import RESOURCES, Chaos, quietly, zone
from tests.gateway.coordination.watch import Watch

EXAMPLES = int(os.environ.get("AMPACITY_CHAOS_EXAMPLES", "6"))
"""Plays per model, of about a second each; some hundreds search in earnest."""
INTERVAL_S = 300.0
LAST_S = 2_400.0
"""How long a play goes on after its last act: everything that was asked is over by then."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens."""

    name: str
    who: str
    n: int
    """Which, how many, or how long."""
    pct: int
    """How much."""
    after_s: float


class Scene:
    """What acts do to a play."""

    def __init__(self, play: Chaos) -> None:
        self.play = play
        self.emergencies: list[str] = []
        self.versions = 0

    def act(self, one: Act) -> None:
        acts: dict[str, Callable[[Act], None]] = {
            name.removeprefix("_do_"): getattr(self, name) for name in dir(self) if name.startswith("_do_")
        }
        acts[one.name](one)

    def _say(self, one: Act, sender: str, body: Body, corr_id: str) -> None:
        mail = self.play.mail.get(sender)
        message = (
            self.play.agents[sender].say(corr_id, body, self.play.now())
            if mail is None
            else mail.write(self.play.facts.dso, corr_id, body, self.play.now())
        )
        self.play.deliver(message, self.play.delay_s * (one.n % 2))

    def _start_s(self, n: int) -> float:
        now_s = self.play.now()
        return now_s - now_s % INTERVAL_S + INTERVAL_S * (n % 3)

    def _do_dispatch(self, one: Act) -> None:
        """Also older versions, other ids for the same interval, and intervals that have begun."""
        model, start_s = self.play.facts.model, self._start_s(one.n)
        resource = "TD1" if model is DsoModel.TOTAL_DSO else one.who
        what = (f"d{start_s:.0f}-{resource}-{one.n % 2}", 1 + one.n % 4, resource)
        power_w = one.pct / 100 * (5 * MW if resource == "TD1" else RESOURCES[one.who].ceiling_w)
        dual = model is DsoModel.DUAL_PARTICIPATION
        body = (DispatchCopy if dual else Dispatch)(*what, power_w, start_s, start_s + INTERVAL_S)
        self._say(one, "IESO", body, what[0])
        if dual:
            agent = self.play.agents[RESOURCES[one.who].owner]
            order = self.play.mail["IESO"].write(agent.party, what[0], Dispatch(*what, power_w, *_span(body)), start_s)
            for answer in agent.handle(order, self.play.now()):
                if answer.header.recipient == self.play.facts.dso:
                    self.play.deliver(answer)

    def _do_again(self, one: Act) -> None:
        """Something that a party has said before comes again."""
        if self.play.written:
            self.play.deliver(self.play.written[-1 - one.pct % len(self.play.written)], float(one.n))

    def _do_schedule(self, one: Act) -> None:
        """Of a resource, or of the node (total DSO): then of two intervals of which somebody has just offered."""
        start_s, total = self._start_s(1), self.play.facts.model is DsoModel.TOTAL_DSO
        ahead = [SchedulePoint(start_s + k * INTERVAL_S, start_s + (k + 1) * INTERVAL_S, 0.0) for k in range(1 + total)]
        points = tuple(replace(p, power_w=(k + 1) * one.pct / 100 * MW) for k, p in enumerate(ahead))
        what = "TD1" if total else one.who
        if total:
            span, blocks = (start_s, start_s + 4 * INTERVAL_S), (Block(RESOURCES[one.who].ceiling_w, 20.0 + one.n),)
            offer = OfferSubmit(f"s-{one.who}", 1, one.who, MarketSide.WHOLESALE, *span, blocks, span[1])
            self._say(one, RESOURCES[one.who].owner, offer, offer.offer_id)
        self._say(one, "IESO", ScheduleDayAhead(f"s{one.n}", 1 + one.n % 2, what, points), f"s{one.n}")

    def _do_heartbeat(self, one: Act) -> None:
        self._say(one, "IESO", HeartbeatOut(one.n % 3), "hb")

    def _do_offer(self, one: Act) -> None:
        start_s, owner = self._start_s(one.n), RESOURCES[one.who].owner
        needs = list(self.play.life.loop.book.trade.needs) if self.play.life else []
        need_id = needs[-1] if needs and one.pct % 2 else ""
        side = (MarketSide.BOTH, MarketSide.DISTRIBUTION, MarketSide.WHOLESALE)[one.pct % 3]
        blocks = (Block(max(one.pct, 10) / 100 * RESOURCES[one.who].ceiling_w, 10.0 + one.n),)
        body = OfferSubmit(
            f"o-{one.who}-{one.n % 3}",
            1 + one.n % 2,
            one.who,
            side,
            start_s,
            start_s + 4 * INTERVAL_S,
            blocks,
            start_s + 3 * INTERVAL_S,
            need_id,
            standby=one.n == 5,
        )
        self._say(one, owner, body, body.offer_id)

    def _do_revoke_offer(self, one: Act) -> None:
        offer_id = f"o-{one.who}-{one.n % 3}"
        self._say(one, RESOURCES[one.who].owner, OfferRevoke(offer_id, one.who), offer_id)

    def _do_forge(self, one: Act) -> None:
        """Answers that nobody asked for, of those who may not give them, twice, or too late."""
        life = self.play.life
        asked = [] if life is None else list(life.loop.book.trade.instances.values())
        limits = [] if life is None else [r.limit for held in life.loop.book.limits.values() for r in held]
        ref = asked[one.pct % len(asked)].id if asked else "nothing"
        limit_id = limits[one.pct % len(limits)].limit_id if limits else "nothing"
        body = (
            AckReceipt(ref, 1, one.who),
            AckCommit(ref, 1 + one.n % 2, one.who, AckStatus.PARTIAL, one.pct / 100 * MW),
            AckCommit(ref, 1, one.who, AckStatus.DECLINE, 0.0),
            OrderCommit(ref, 1, one.who, one.pct / 100 * MW),
            OrderDecline(ref, 1, one.who),
            LimitAck(limit_id, 1 + one.n % 4, one.who, AckStatus.ACCEPT, one.pct / 100 * MW),
        )[one.n % 6]
        self._say(one, RESOURCES[one.who].owner, body, ref)

    def _do_outage(self, one: Act) -> None:
        agent, now_s = self.play.agents[RESOURCES[one.who].owner], self.play.now()
        left_w = one.pct / 100 * RESOURCES[one.who].ceiling_w
        body = OutageNotice(f"out-{one.who}-{one.n % 3}", one.who, left_w, now_s, now_s + 60.0 * one.n, planned=False)
        self.play.devices[one.who].available_w = left_w
        self._say(one, agent.party, body, body.outage_id)

    def _do_silent(self, one: Act) -> None:
        habits = self.play.agents[RESOURCES[one.who].owner].habits
        habits.silent, habits.commits, habits.declines = one.n == 1, one.n != 2, one.n == 3
        habits.offers = {one.who: (Block(0.5 * MW, 40.0),)} if one.n > 3 else {}

    def _do_host(self, one: Act) -> None:
        includes = list(self.play.life.loop.book.neighbours.includes) if self.play.life else []
        include_id = includes[-1 - one.pct % len(includes)] if includes else "nothing"
        now_s = self.play.now()
        body = (
            HostLimit("h1", 1 + one.n, "IF1", one.pct / 20 * MW, -6 * MW, now_s, now_s + 600.0),
            HostNoObjection(include_id),
            HostObject(include_id, "IF1", one.pct / 20 * MW, -6 * MW),
        )[one.n % 3]
        self._say(one, "HOST", body, include_id)

    def _do_emergency(self, one: Act) -> None:
        if (life := self.play.life) is not None and life.alive:
            scope = "zone" if one.n % 2 else one.who
            self.play.soon(quietly(self._declared(life.loop.exchange.declare(1 + one.n % 3, scope, "test")), life))

    async def _declared(self, work) -> None:
        self.emergencies.append(await work)

    def _do_calm(self, one: Act) -> None:
        life = self.play.life
        if life is not None and life.alive and self.emergencies:
            name = self.emergencies[one.pct % len(self.emergencies)]
            self.play.soon(quietly(life.loop.exchange.clear(name), life))

    def _do_rule(self, one: Act) -> None:
        life = self.play.life
        if life is not None and life.alive and (waiting := list(life.loop.book.approvals.waiting)):
            work = life.loop.exchange.rule(waiting[one.pct % len(waiting)], approved=one.n % 4 > 0, by="test")
            self.play.soon(quietly(work, life))

    def _do_order(self, one: Act) -> None:
        life = self.play.life
        if life is not None and life.alive:
            power_w = one.pct / 100 * RESOURCES[one.who].ceiling_w
            self.play.soon(quietly(life.loop.exchange.order(f"o-{one.who}-{one.n % 3}", power_w), life))

    def _do_revoke_order(self, one: Act) -> None:
        life = self.play.life
        if life is not None and life.alive and (orders := list(life.loop.book.trade.instances)):
            self.play.soon(quietly(life.loop.exchange.revoke(orders[one.pct % len(orders)], "test"), life))

    def _do_operator(self, one: Act) -> None:
        life = self.play.life
        if life is not None and life.alive:
            ceiling_w = one.pct / 100 * RESOURCES[one.who].ceiling_w
            target_w = ceiling_w / 2 if one.n % 2 and one.who != "B" else None
            work = life.desk.instruct(one.who, Bounds(None, ceiling_w), target_w, 30.0 + 60.0 * one.n, "test")
            self.play.soon(quietly(_tried(work), life))

    def _do_fault(self, one: Act) -> None:
        self.play.devices[one.who].fault = ("", "refuse", "lost", "late", "deaf", "")[one.n % 6]

    def _do_sun(self, one: Act) -> None:
        self.play.devices[one.who].available_w = one.pct / 100 * RESOURCES[one.who].ceiling_w

    def _do_engine(self, one: Act) -> None:
        self.play.engine.failing = one.n == 1
        self.play.thinks_s = (0.1, 0.1, 1.0, 5.0, 0.5, 15.0)[one.n % 6]

    def _do_need(self, one: Act) -> None:
        self.play.engine.wanted_w = one.pct / 100 * 6 * MW if one.n % 2 else 0.0

    def _do_rating(self, one: Act) -> None:
        self.play.engine.carries_w = (1.0 + one.pct / 20) * MW

    def _do_clock(self, one: Act) -> None:
        self.play.set_by_s = (0.0, 1.0, -5.0, 40.0, -200.0, 600.0)[one.n % 6]

    def _do_wires(self, one: Act) -> None:
        self.play.loss_pct, self.play.delay_s = (0, 0, 30, 70)[one.n % 4], (0.0, 2.0, 45.0)[one.n % 3]

    def _do_disk(self, one: Act) -> None:
        self.play.journal.full = one.n == 1

    def _do_crash(self, one: Act) -> None:
        """At one of the next awaits, or now."""
        life = self.play.life
        if life is not None and life.alive:
            self.play.restart_in_s = 1.0 + 10.0 * (one.pct % 7)
            life.fuse = 1 + one.n * 3
            if one.n == 0:
                life.end()


def _span(body: Dispatch | DispatchCopy) -> tuple[float, float]:
    return body.start_s, body.end_s


async def _tried(work) -> None:
    try:
        await work
    except Exception as error:
        if type(error).__name__ not in ("RefusedInstruction", "UnrecordedInstruction"):
            raise


NAMES = sorted(name.removeprefix("_do_") for name in dir(Scene) if name.startswith("_do_"))
ACTS = st.lists(
    st.builds(
        Act,
        st.sampled_from(NAMES),
        st.sampled_from("ABC"),
        st.integers(0, 7),
        st.integers(0, 100),
        st.sampled_from((0.0, 0.05, 1.0, 7.0, 40.0, 150.0)),
    ),
    min_size=5,
    max_size=30,
)


async def _played(facts, acts: list[Act], seed: int) -> None:
    play = Chaos(facts, seed)
    watch, scene = Watch(play), Scene(play)
    play.start()
    try:
        await asyncio.sleep(6.0)
        for one in acts:
            scene.act(one)
            await asyncio.sleep(one.after_s)
            watch.look()
        _calm(play)
        for _ in range(4):
            await asyncio.sleep(LAST_S / 4)
            watch.look()
        watch.at_rest()
    finally:
        await play.end()


def _calm(play: Chaos) -> None:
    """Everything works again."""
    play.loss_pct, play.delay_s, play.thinks_s, play.journal.full = 0, 0.0, 0.1, False
    play.engine.failing, play.engine.wanted_w = False, 0.0
    for device in play.devices.values():
        device.fault = ""


def run(facts, acts: list[Act], seed: int) -> None:
    loop = async_solipsism.EventLoop()
    try:
        loop.run_until_complete(_played(facts, acts, seed))
    finally:
        loop.close()


@pytest.mark.usefixtures("unheard")
@pytest.mark.parametrize("model", list(DsoModel))
@settings(
    max_examples=EXAMPLES,
    derandomize="AMPACITY_CHAOS_EXAMPLES" not in os.environ,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(acts=ACTS, seed=st.integers(0, 1_000), host=st.booleans(), mode=st.sampled_from(Mode))
def test_nothing_that_happens_breaks_what_was_agreed(model, acts, seed, host, mode):
    run(zone(model, host=host, mode=mode), acts, seed)
