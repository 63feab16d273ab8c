"""The client over loopback, with interfaces that answer, refuse or are not there."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.coordination.messages import Dispatch, Message
from gateway.parties.client import ANSWER_BYTES, PATH, Client, Outcome, Reach
from tests.gateway.parties.conftest import DISPATCH, Inbox

pytestmark = pytest.mark.sockets


@pytest.fixture
async def client(inbox: Inbox) -> AsyncIterator[Client]:
    app = inbox.application({"IESO": None, "AGENT_A": None})
    async with TestServer(app) as server, Client({"DSO": Reach(str(server.make_url("/")))}) as client:
        yield client


async def test_a_sent_message_arrives_as_it_was(client: Client, inbox: Inbox) -> None:
    assert (await client.send(DISPATCH)).outcome is Outcome.DELIVERED
    assert inbox.messages == [DISPATCH]


async def test_a_refusal_says_why(client: Client) -> None:
    attempt = await client.send(Message(DISPATCH.header, Dispatch("d1", 1, "X", 2e6, 0, 300)))
    assert attempt.outcome is Outcome.REFUSED
    assert "409" in attempt.detail
    assert "X is not a resource" in attempt.detail


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(200, "delivered"), (204, "delivered"), (302, "refused"), (404, "refused"), (429, "failed"), (500, "failed")],
)
async def test_what_came_back_says_whether_to_try_again(status: int, outcome: str) -> None:
    shown: list[str | None] = []

    async def answer(request: web.Request) -> web.Response:
        shown.append(request.headers.get("Authorization"))
        return web.Response(status=status, body=b"" if status == 204 else b"x" * 100_000)

    app = web.Application()
    app.router.add_post(PATH, answer)
    async with TestServer(app) as server:
        reach = Reach(str(server.make_url("/")), "ours")
        async with Client({"DSO": reach}) as client:
            attempt = await client.send(DISPATCH)
    assert attempt.outcome == outcome
    assert len(attempt.detail) < ANSWER_BYTES + 200
    assert shown == ["Bearer ours"]
    assert "ours" not in repr(reach) + attempt.detail


async def test_nobody_there_is_worth_another_attempt(unused_tcp_port: int) -> None:
    async with Client({"DSO": Reach(f"http://127.0.0.1:{unused_tcp_port}")}) as client:
        attempt = await client.send(DISPATCH)
    assert attempt.outcome is Outcome.FAILED
    assert f"POST http://127.0.0.1:{unused_tcp_port}/v1/messages: " in attempt.detail
