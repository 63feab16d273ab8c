"""Delivery of notifications, in virtual time: order, patience, and who waits for whom."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import async_solipsism
import pytest

from ieee2030_5 import resources as r
from ieee2030_5.notifier import Notifier, Verdict, verdict_of
from ieee2030_5.subscriptions import Notice


def notice(number: int, subscription: str = "/edev/B/sub/1", to: str = "https://b/1") -> Notice:
    told = r.Notification(subscribedResource=f"/{number}", status=0, subscriptionURI=subscription)
    return Notice(subscription, to, told, aus=False)


@dataclass
class Wire:
    """A destination that answers what the test says, and when."""

    answer: Callable[[Notice], Awaitable[int]]
    sent: list[tuple[float, str, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    async def post(self, what: Notice) -> int:
        self.sent.append((asyncio.get_running_loop().time(), what.to, what.notification.subscribedResource))
        return await self.answer(what)

    def wants(self, what: Notice) -> bool:
        return what.subscription not in self.gone

    @property
    def times(self) -> list[float]:
        return [at for at, _, _ in self.sent]

    @property
    def numbers(self) -> list[str]:
        return [resource for _, _, resource in self.sent]


def play(wire: Wire, script: Callable[[Notifier], Awaitable[None]]) -> None:
    """Run a script beside the notifier in virtual time."""

    async def scene() -> None:
        notifier = Notifier(wire.post, wire.wants, wire.ended.append)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(notifier.run())
            await asyncio.sleep(0)
            await script(notifier)
            task.cancel()

    loop = async_solipsism.EventLoop()
    try:
        loop.run_until_complete(scene())
    finally:
        loop.close()


async def _ok(_: Notice) -> int:
    return 201


async def _away(_: Notice) -> int:
    return 0


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.ARRIVED),
        (201, Verdict.ARRIVED),
        (204, Verdict.ARRIVED),
        (301, Verdict.REFUSED),
        (400, Verdict.REFUSED),
        (410, Verdict.REFUSED),
        (0, Verdict.FAILED),
        (429, Verdict.FAILED),
        (500, Verdict.FAILED),
        (503, Verdict.FAILED),
    ],
)
def test_what_an_answer_means(status: int, verdict: Verdict) -> None:
    assert verdict_of(status) is verdict


def test_the_pauses_grow_and_only_the_newest_state_arrives() -> None:
    async def answer(_: Notice) -> int:
        return 503 if asyncio.get_running_loop().time() < 300 else 201

    async def script(notifier: Notifier) -> None:
        for number in range(10):
            notifier.tell(notice(number))
            await asyncio.sleep(20)
        await asyncio.sleep(200)
        assert not notifier.waiting

    wire = Wire(answer)
    play(wire, script)
    assert wire.times == [0, 5, 20, 50, 110, 170, 230, 290, 350]
    assert wire.numbers[-1] == "/9"


def test_a_destination_that_is_away_is_knocked_at_once_for_all_its_subscriptions() -> None:
    async def script(notifier: Notifier) -> None:
        for number in range(40):
            notifier.tell(notice(number, f"/edev/B/sub/{number}"))
        await asyncio.sleep(4)
        assert len(wire.sent) == 4
        await asyncio.sleep(5)
        assert len(wire.sent) == 5
        assert len(notifier.waiting) == 40

    wire = Wire(_away)
    play(wire, script)


def test_a_slow_destination_delays_nobody_else_and_has_four_deliveries_at_most() -> None:
    under_way = most = 0

    async def answer(what: Notice) -> int:
        nonlocal under_way, most
        if what.to.startswith("https://slow"):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(29)
            under_way -= 1
        return 201

    async def script(notifier: Notifier) -> None:
        for number in range(12):
            notifier.tell(notice(number, f"/edev/A/sub/{number}", "https://slow/"))
            notifier.tell(notice(number, f"/edev/B/sub/{number}", "https://quick/"))
        await asyncio.sleep(1)
        assert [to for _, to, _ in wire.sent].count("https://quick/") == 12
        await asyncio.sleep(100)
        assert not notifier.waiting

    wire = Wire(answer)
    play(wire, script)
    assert most == 4
    assert len(wire.sent) == 24


def test_a_newer_state_never_arrives_before_an_older_one() -> None:
    async def answer(what: Notice) -> int:
        await asyncio.sleep(10 if what.notification.subscribedResource == "/0" else 1)
        return 201

    async def script(notifier: Notifier) -> None:
        for number in range(5):
            notifier.tell(notice(number))
            await asyncio.sleep(1)
        await asyncio.sleep(60)
        assert not notifier.waiting

    wire = Wire(answer)
    play(wire, script)
    assert wire.numbers == ["/0", "/4"]


def test_who_refuses_five_times_in_a_row_is_told_nothing_until_the_client_renews() -> None:
    async def refuse(_: Notice) -> int:
        return 410

    async def script(notifier: Notifier) -> None:
        for number in range(8):
            notifier.tell(notice(number))
            await asyncio.sleep(1)
        assert notifier.suspended == {"/edev/B/sub/1"}
        notifier.renewed("/edev/B/sub/1")
        notifier.tell(notice(8))
        await asyncio.sleep(1)

    wire = Wire(refuse)
    play(wire, script)
    assert wire.numbers == ["/0", "/1", "/2", "/3", "/4", "/8"]


def test_a_subscription_in_vain_for_36_hours_ends_unless_it_is_renewed() -> None:
    async def script(notifier: Notifier) -> None:
        notifier.tell(notice(1, "/edev/B/sub/1", "https://b/1"))
        notifier.tell(notice(1, "/edev/C/sub/1", "https://c/1"))
        await asyncio.sleep(20 * 3_600)
        notifier.renewed("/edev/C/sub/1")
        await asyncio.sleep(17 * 3_600)
        assert wire.ended == ["/edev/B/sub/1"]
        assert notifier.waiting.keys() == {"/edev/C/sub/1"}

    wire = Wire(_away)
    play(wire, script)


def test_what_has_ended_or_moved_is_not_sent_to_its_old_place() -> None:
    async def answer(what: Notice) -> int:
        return 0 if what.to == "https://old/" else 201

    async def script(notifier: Notifier) -> None:
        for name in ("/edev/B/sub/1", "/edev/B/sub/2"):
            notifier.tell(notice(1, name, "https://old/"))
        await asyncio.sleep(1)
        wire.gone.add("/edev/B/sub/1")
        notifier.tell(notice(2, "/edev/B/sub/2", "https://new/"))
        await asyncio.sleep(100)
        assert not notifier.waiting

    wire = Wire(answer)
    play(wire, script)
    assert [(at, to) for at, to, _ in wire.sent] == [(0, "https://old/"), (0, "https://old/"), (1, "https://new/")]
