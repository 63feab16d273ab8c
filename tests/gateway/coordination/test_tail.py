"""What an operator who tails the log sees of a busy quarter of an hour: each decision, and what it follows from."""

import asyncio
import io
from collections.abc import Callable, Iterator

import async_solipsism
import orjson
import pytest
import structlog

from gateway.coordination.market import Mode
from gateway.coordination.messages import LimitClear
from gateway.coordination.zone import DsoModel
from gateway.logs import setup
from gateway.logs.catalogue import BY_NAME
from gateway.logs.line import human
from tests.gateway.coordination.build import MW
from tests.gateway.coordination.chaos import Chaos, zone
from tests.gateway.coordination.test_properties import Act, Scene

IN_CYCLES = {
    *("violation.detected", "selection.done", "limit.issue", "need.posted", "instr.tx"),
    *("dispatch.relay", "shortfall.notice", "netop.plan", "approval.waiting", "limit.unconfirmed", "host.timeout"),
    *("snapshot.gap", "psa.failed", "psa.deadline", "interval.closed"),
}
"""Decisions of a cycle: each names the cycle, whose study and answer the journal holds."""
IN_CONVERSATIONS = {
    *("dispatch.rx", "dispatch.relay", "limit.issue", "limit.ack", "limit.clear", "limit.unconfirmed", "cap.notice"),
    *("need.posted", "offer.accepted", "offer.rejected", "order.issue", "instr.tx", "selection.done", "control.tx"),
    *("shortfall.notice", "host.include", "host.timeout", "netop.plan", "netop.request", "netop.confirm"),
    *("netop.rollback", "netop.unconfirmed", "emerg.declare", "emerg.control", "emerg.clear", "route.forbidden"),
    *("state.violation", "outage.notice", "party.rx", "party.tx", "command.completed", "approval.waiting"),
    *("approval.ruled", "alarm.raised"),
}
"""What belongs to a dispatch, limit, order, need or plan: each names it."""
EVERYWHERE = {
    *("limit.issue", "limit.ack", "violation.detected", "control.tx", "command.completed", "dispatch.rx"),
    *("emerg.declare", "emerg.control", "emerg.clear", "outage.notice", "route.forbidden", "device.link"),
    *("snapshot.gap", "psa.failed", "psa.recovered", "psa.deadline", "limit.unconfirmed", "need.posted"),
    *("offer.accepted", "offer.rejected", "selection.done", "order.issue", "host.include", "host.timeout"),
    *("state.violation", "interval.closed", "cycle.start", "cycle.end", "limit.clear"),
}
OF_MODEL = {
    DsoModel.DUAL_PARTICIPATION: {"cap.notice"},
    DsoModel.TOTAL_DSO: {"instr.tx", "shortfall.notice"},
    DsoModel.MARKET_FACILITATOR: {"dispatch.relay", "netop.plan", "netop.request", "netop.confirm"},
}


@pytest.fixture
def tail() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """What was logged since, as the JSON lines that it is written in."""
    stream = io.TextIOWrapper(io.BytesIO())
    outlet = setup.configure("debug", stream)

    def lines() -> list[dict[str, object]]:
        outlet.close()
        stream.seek(0)
        return [orjson.loads(line) for line in stream]

    yield lines
    structlog.reset_defaults()


async def busy(play: Chaos) -> None:
    """A quarter of an hour in which everything happens that a tail should tell."""
    scene = Scene(play)

    async def act(name: str, who: str = "A", n: int = 0, pct: int = 0, after_s: float = 5.0) -> None:
        scene.act(Act(name, who, n, pct, after_s))
        await asyncio.sleep(after_s)

    play.devices["A"].available_w, play.devices["B"].available_w = MW, 1.2 * MW
    play.start()
    await asyncio.sleep(10)
    for who in "AC":
        await act("offer", who, n=1, pct=51)
    await act("order", "C", n=1, pct=20)
    await act("offer", "C", n=0, pct=51)  # too late
    await act("dispatch", "A", n=1, pct=40, after_s=301.0)
    for who in "ABC":
        await act("silent", who, n=1)
    await act("rating", pct=0, after_s=150.0)
    for who, n in (("A", 4), ("B", 0), ("C", 4)):
        await act("silent", who, n=n)
    await act("rating", pct=100, after_s=150.0)
    await act("sun", "B", pct=0)
    await act("need", n=1, pct=100, after_s=60.0)
    await act("need", n=0)
    await act("sun", "B", pct=80)
    await act("outage", "C", n=5, pct=0)
    await act("fault", "A", n=4, after_s=30.0)
    await act("fault", "A", n=0)
    await act("emergency", "A", n=1, after_s=20.0)
    await act("calm")
    await act("engine", n=1, after_s=30.0)
    await act("engine", n=0, after_s=30.0)
    play.thinks_s = 31.0
    await asyncio.sleep(40)
    play.thinks_s = 0.1
    await asyncio.sleep(900)
    await act("forge", "C", n=0)  # a receipt for what is over
    ours = LimitClear("R1-A-1", 1, "A")
    play.deliver(play.mail["IESO"].write("DSO", "R1-A-1", ours, play.now()))
    await asyncio.sleep(60)


@pytest.mark.parametrize("model", list(DsoModel))
def test_every_decision_has_a_line_that_says_what_it_follows_from(model, tail):
    async def scene() -> None:
        play = Chaos(zone(model, host=True, mode=Mode.AUTO), seed=1)
        try:
            await busy(play)
        finally:
            await play.end()
        assert play.problems == []

    loop = async_solipsism.EventLoop()
    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()
    lines = tail()
    seen = {str(line["event"]) for line in lines}
    assert EVERYWHERE | OF_MODEL[model] <= seen, f"not told: {(EVERYWHERE | OF_MODEL[model]) - seen}"
    for line in lines:
        event = BY_NAME[str(line["event"])]
        assert (line["zone"], line["model"]) == ("R1", model.value)
        assert set(event.fields) <= line.keys(), line
        if event.name in IN_CYCLES:
            assert line["cycle_id"], line
        if event.name in IN_CONVERSATIONS:
            assert line.get("corr_id"), line
        assert "\n" not in human(line, colour=False)
