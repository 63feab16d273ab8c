"""The client over loopback, with interfaces that answer, stumble or are not there."""

from random import Random

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.coordination.messages import Dispatch, Message
from gateway.parties.client import PATH, Client, Delivery, Reach
from tests.gateway.parties.conftest import DISPATCH, Inbox

pytestmark = pytest.mark.sockets


def serving(inbox: Inbox) -> TestServer:
    return TestServer(inbox.application({"IESO": None, "AGENT_A": None}))


def client_of(server: TestServer) -> Client:
    return Client({"DSO": Reach(str(server.make_url("/")))}, Random(1))


async def test_a_sent_message_arrives_as_it_was(inbox: Inbox) -> None:
    async with serving(inbox) as server, client_of(server) as client:
        sent = await client.send(DISPATCH, deadline_s=60)
    assert (sent.delivery, sent.attempts) == (Delivery.DELIVERED, 1)
    assert inbox.messages == [DISPATCH]


async def test_a_refusal_is_not_retried(inbox: Inbox) -> None:
    message = Message(DISPATCH.header, Dispatch("d1", 1, "X", 2e6, 0, 300))
    async with serving(inbox) as server, client_of(server) as client:
        sent = await client.send(message, deadline_s=60)
    assert (sent.delivery, sent.attempts) == (Delivery.REFUSED, 1)
    assert "X is not a resource" in sent.detail


async def test_a_silent_server_is_tried_again_until_it_answers() -> None:
    answers = [503, 429, 202]

    async def stumble(_: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0))

    app = web.Application()
    app.router.add_post(PATH, stumble)
    async with TestServer(app) as server, client_of(server) as client:
        sent = await client.send(DISPATCH, deadline_s=60)
    assert (sent.delivery, sent.attempts) == (Delivery.DELIVERED, 3)


async def test_our_token_is_shown_to_the_party_that_it_is_for() -> None:
    shown: list[str | None] = []

    async def look(request: web.Request) -> web.Response:
        shown.append(request.headers.get("Authorization"))
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post(PATH, look)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        async with Client({"DSO": Reach(url, "ours"), "IESO": Reach(url)}, Random(1)) as client:
            await client.send(DISPATCH, deadline_s=60)
        assert shown == ["Bearer ours"]
        assert "ours" not in repr(Reach(url, "ours"))


async def test_nobody_there_is_undelivered_at_the_deadline(unused_tcp_port: int) -> None:
    async with Client({"DSO": Reach(f"http://127.0.0.1:{unused_tcp_port}")}, Random(1)) as client:
        sent = await client.send(DISPATCH, deadline_s=0.5)
    assert sent.delivery is Delivery.UNDELIVERED
    assert "no acceptance within 0.5 s" in sent.detail


async def test_a_party_without_url_is_refused_at_once() -> None:
    async with Client({}, Random(1)) as client:
        assert (await client.send(DISPATCH, deadline_s=1)).delivery is Delivery.REFUSED
