"""The real server and client over loopback."""

from collections.abc import AsyncIterator
from random import Random

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from gateway.coordination import wire
from gateway.coordination.messages import Dispatch, Header, Message
from gateway.parties import http

pytestmark = pytest.mark.sockets

DISPATCH = Message(Header("m1", "d1", "IESO", "DSO", 0, "R1", "DP"), Dispatch("d1", 1, "A", 2e6, 0, 300))


class Inbox:
    """Keeps what arrived; refuses everything about resource `X`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def on_message(self, message: Message) -> None:
        if isinstance(message.body, Dispatch) and message.body.resource == "X":
            raise http.Refused("X is not a resource of this zone", "see the zone file")
        self.messages.append(message)


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def server(inbox: Inbox) -> AsyncIterator[TestServer]:
    app = http.create_app(inbox.on_message, here={"DSO"}, peers={"IESO", "AGENT_A"})
    async with TestServer(app, host="127.0.0.1") as running:
        yield running


async def _post(server: TestServer, raw: bytes) -> tuple[int, dict]:
    async with aiohttp.ClientSession() as session, session.post(server.make_url(http.PATH), data=raw) as response:
        return response.status, await response.json()


async def test_a_sent_message_arrives_as_it_was(server: TestServer, inbox: Inbox) -> None:
    async with http.Client({"DSO": str(server.make_url("/"))}, Random(1)) as client:
        sent = await client.send(DISPATCH, deadline_s=5)
    assert (sent.delivery, sent.attempts) == (http.Delivery.DELIVERED, 1)
    assert inbox.messages == [DISPATCH]


async def test_bad_input_is_answered_with_field_and_remedy(server: TestServer, inbox: Inbox) -> None:
    document = wire.encode(DISPATCH).replace(b'"power_mw":2.0', b'"power_mw":"two"')
    status, answer = await _post(server, document)
    assert status == 400
    assert answer == {"error": "is a string", "field": "body.power_mw", "what_to_do": "send a number"}
    assert inbox.messages == []


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b"x" * 100_000])
async def test_what_is_no_message_is_answered_with_400(server: TestServer, raw: bytes) -> None:
    status, answer = await _post(server, raw)
    assert (status, set(answer)) == (400, {"error", "field", "what_to_do"})


async def test_a_body_that_is_not_what_its_encoding_says_is_answered_with_400(server: TestServer) -> None:
    async with aiohttp.ClientSession() as session:
        request = session.post(server.make_url(http.PATH), data=b"no gzip", headers={"Content-Encoding": "gzip"})
        async with request as response:
            assert response.status == 400


@pytest.mark.parametrize(("field", "value"), [("sender", "MALLORY"), ("recipient", "AGENT_A")])
async def test_an_unknown_party_is_answered_with_409(server: TestServer, field: str, value: str) -> None:
    document = wire.to_json(DISPATCH) | {field: value}
    status, answer = await _post(server, wire.encode(wire.from_json(document)))
    assert (status, answer["field"]) == (409, field)


async def test_a_refusal_is_not_retried(server: TestServer) -> None:
    message = Message(DISPATCH.header, Dispatch("d1", 1, "X", 2e6, 0, 300))
    async with http.Client({"DSO": str(server.make_url("/"))}, Random(1)) as client:
        sent = await client.send(message, deadline_s=5)
    assert (sent.delivery, sent.attempts) == (http.Delivery.REFUSED, 1)
    assert "X is not a resource" in sent.detail


async def test_a_message_split_over_packets_is_read_whole(server: TestServer, inbox: Inbox) -> None:
    async def halves() -> AsyncIterator[bytes]:
        raw = wire.encode(DISPATCH)
        yield raw[:40]
        yield raw[40:]

    url = server.make_url(http.PATH)
    async with aiohttp.ClientSession() as session, session.post(url, data=halves()) as response:
        assert response.status == 202
    assert inbox.messages == [DISPATCH]


async def test_a_silent_server_is_tried_again_until_it_answers(inbox: Inbox) -> None:
    answers = [503, 429, 202]

    async def stumble(_: web.Request) -> web.Response:
        return web.Response(status=answers.pop(0))

    app = web.Application()
    app.router.add_post(http.PATH, stumble)
    async with (
        TestServer(app, host="127.0.0.1") as server,
        http.Client({"DSO": str(server.make_url(""))}, Random(1)) as client,
    ):
        sent = await client.send(DISPATCH, deadline_s=20)
    assert (sent.delivery, sent.attempts) == (http.Delivery.DELIVERED, 3)


async def test_nobody_there_is_undelivered_at_the_deadline(unused_tcp_port: int) -> None:
    async with http.Client({"DSO": f"http://127.0.0.1:{unused_tcp_port}"}, Random(1)) as client:
        sent = await client.send(DISPATCH, deadline_s=0.5)
    assert sent.delivery is http.Delivery.UNDELIVERED
    assert sent.attempts >= 1
    assert "no acceptance within 0.5 s" in sent.detail


async def test_a_party_without_url_is_refused_at_once() -> None:
    async with http.Client({}, Random(1)) as client:
        assert (await client.send(DISPATCH, deadline_s=1)).delivery is http.Delivery.REFUSED
