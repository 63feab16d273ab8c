"""However many parties are dead, so many attempts are under way at once, and the others wait for none of them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from math import inf
from random import Random
from typing import Any

import pytest

from gateway.coordination.messages import Header, Message, OutageAck
from gateway.parties.client import Attempt, Outcome, Reach
from gateway.parties.mail import Item
from gateway.parties.outbox import ABREAST, ABREAST_AILING, BATCH, Outbox
from tests.scenarios.stage import play

NOW_S = 1_800_000_000.0


class Post:
    """Mail room, index and client in one: every party has messages, and some parties never answer."""

    def __init__(self, dead: set[str], living: set[str], each: int = 3) -> None:
        self.reaches = {name: Reach(f"http://{name}") for name in dead | living}
        self.dead = dead
        self.left = {name: [item(name, n) for n in range(each)] for name in self.reaches}
        self.taken: dict[str, list[str]] = defaultdict(list)
        self.under_way = self.most = 0
        self.asked = 0

    async def ask(self, question: Callable[[Any], Any]) -> Any:
        return question(self)

    def waiting(self, party: str, count: int) -> list[Item]:
        self.asked = max(self.asked, count)
        return self.left[party][:count]

    def settle(self, party: str, seq: int) -> None:
        self.left[party] = [one for one in self.left[party] if one.seq > seq]

    async def send(self, message: Message) -> Attempt:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        dead = message.header.recipient in self.dead
        await asyncio.sleep(5.0 if dead else 0.01)
        self.under_way -= 1
        if dead:
            return Attempt(Outcome.FAILED, "no answer")
        self.taken[message.header.recipient].append(message.header.msg_id)
        return Attempt(Outcome.DELIVERED, "202")


def item(party: str, n: int) -> Item:
    message = Message(Header(f"m{n}", "c", "DSO", party, NOW_S, "Z", "DP"), OutageAck("o", "A"))
    return Item(n + 1, NOW_S, told=True, message=message)


async def served(post: Post, seconds: float) -> None:
    """Let the outbox work for so long."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    outbox = Outbox(post, post, lambda: NOW_S + loop.time() - began_s, Random(1), 60.0)  # type: ignore[arg-type]
    try:
        async with asyncio.timeout(seconds):
            await outbox.run(lambda _, __: None, lambda _: None, lambda _, __: None)
    except TimeoutError:
        pass


def test_the_dead_take_turns_and_the_living_do_not_wait_for_them() -> None:
    dead = {f"D{n}" for n in range(400)}
    living = {f"L{n}" for n in range(400)}
    post = Post(dead, living)
    play(lambda: served(post, 60.0))
    assert post.taken == {name: ["m0", "m1", "m2"] for name in living}
    assert post.most <= ABREAST + ABREAST_AILING
    assert post.asked == BATCH
    assert all(len(post.left[name]) == 3 for name in dead), "nothing is lost"


def test_a_party_is_lost_once_a_message_has_waited_and_is_there_again_when_it_answers() -> None:
    post = Post({"D"}, {"L"}, each=1)
    told: list[tuple[float, str, float]] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        outbox = Outbox(post, post, lambda: NOW_S + loop.time() - began_s, Random(1), 60.0)  # type: ignore[arg-type]

        def reached(party: str, since_s: float) -> None:
            told.append((loop.time() - began_s, party, since_s - NOW_S))

        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(outbox.run(lambda _, __: None, lambda _: None, reached))
            await asyncio.sleep(200.0)
            post.dead.clear()
            await asyncio.sleep(20.0)
            working.cancel()

    play(scene)
    (lost_s, *lost), (back_s, *back) = told
    assert (lost, back) == (["D", inf], ["D", pytest.approx(back_s)])
    assert 60.0 <= lost_s <= 75.0
    assert 200.0 <= back_s <= 215.0


def test_those_known_to_be_dead_take_no_place_of_the_living() -> None:
    dead = {f"D{n}" for n in range(ABREAST)}
    post = Post(dead, {"L"}, each=1)

    async def scene() -> None:
        post.left["L"] = []
        loop = asyncio.get_running_loop()
        outbox = Outbox(post, post, lambda: NOW_S + loop.time(), Random(1), 60.0)  # type: ignore[arg-type]
        async with asyncio.TaskGroup() as tasks:
            working = tasks.create_task(outbox.run(lambda _, __: None, lambda _: None, lambda _, __: None))
            await asyncio.sleep(30.0)
            assert 0 < post.under_way <= ABREAST_AILING
            post.left["L"] = [item("L", 0)]
            outbox.ring("L")
            await asyncio.sleep(0.1)
            assert post.taken == {"L": ["m0"]}
            working.cancel()

    play(scene)
