"""The interface over loopback: who is let in, and what is answered to bad input."""

from collections.abc import AsyncIterator
from hashlib import sha256

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from gateway.coordination import wire
from gateway.parties.callers import PARTY_HEADER
from gateway.parties.client import PATH
from gateway.parties.identity import Proof
from gateway.parties.pace import Pace
from tests.gateway.parties.conftest import DISPATCH, Inbox

pytestmark = pytest.mark.sockets

PROOFS = {
    "IESO": None,
    "AGENT_A": Proof(token_sha256=sha256(b"token of a").hexdigest()),
    "AGENT_B": Proof(token_sha256=sha256(b"token of b").hexdigest()),
}


def serving(inbox: Inbox, proofs: dict[str, Proof | None]) -> TestServer:
    return TestServer(inbox.application(proofs), host="127.0.0.1")


@pytest.fixture
async def server(inbox: Inbox) -> AsyncIterator[TestServer]:
    async with serving(inbox, PROOFS) as running:
        yield running


async def _post(server: TestServer, raw: bytes, **headers: str) -> tuple[int, dict]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(server.make_url(PATH), data=raw, headers=headers) as response,
    ):
        return response.status, await response.json()


def said_by(sender: str, **changed: object) -> bytes:
    return wire.encode(wire.from_json({**wire.to_json(DISPATCH), "sender": sender, **changed}))


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
    assert (await _post(server, b"no gzip", **{"Content-Encoding": "gzip"}))[0] == 400


async def test_an_unknown_recipient_is_answered_with_409(server: TestServer) -> None:
    status, answer = await _post(server, said_by("IESO", recipient="AGENT_A"))
    assert (status, answer["field"]) == (409, "recipient")


async def test_who_says_too_much_waits_and_nobody_else_does(inbox: Inbox) -> None:
    now_s = 0.0
    inbox.pace = Pace(per_s=0.5, at_once=2, now=lambda: now_s)
    async with serving(inbox, {"IESO": None, "HOST": None}) as server:

        async def statuses(sender: str, *msg_ids: str) -> list[int]:
            return [(await _post(server, said_by(sender, msg_id=msg_id)))[0] for msg_id in msg_ids]

        assert await statuses("IESO", "m1", "m2", "m3") == [202, 202, 429]
        assert await statuses("HOST", "m1") == [202]
        async with (
            aiohttp.ClientSession() as session,
            session.post(server.make_url(PATH), data=said_by("IESO", msg_id="m3")) as refused,
        ):
            assert (refused.status, refused.headers["Retry-After"]) == (429, "2")
        now_s = 2.0
        assert await statuses("IESO", "m3", "m4") == [202, 429]
        assert [one.header.msg_id for one in inbox.messages] == ["m1", "m2", "m1", "m3"]


async def test_what_is_not_there_is_answered_in_the_same_words(server: TestServer) -> None:
    async with aiohttp.ClientSession(server.make_url("/")) as session:
        async with session.get("/nowhere") as response:
            assert (response.status, set(await response.json())) == (404, {"error", "field", "what_to_do"})
        async with session.delete(PATH) as response:
            assert response.status == 405
            assert "POST" in response.headers["Allow"]


async def test_a_message_split_over_packets_is_read_whole(server: TestServer, inbox: Inbox) -> None:
    async def halves() -> AsyncIterator[bytes]:
        raw = wire.encode(DISPATCH)
        yield raw[:40]
        yield raw[40:]

    async with aiohttp.ClientSession() as session, session.post(server.make_url(PATH), data=halves()) as response:
        assert response.status == 202
    assert inbox.messages == [DISPATCH]


@pytest.mark.parametrize(
    ("sender", "headers", "status"),
    [
        ("IESO", {}, 202),
        ("IESO", {PARTY_HEADER: "IESO"}, 202),
        ("AGENT_A", {}, 401),
        ("AGENT_A", {PARTY_HEADER: "AGENT_A"}, 401),
        ("MALLORY", {}, 401),
        ("AGENT_A", {"Authorization": "Bearer token of a"}, 202),
        ("AGENT_A", {"Authorization": "bearer  token of a "}, 202),
        ("AGENT_A", {"Authorization": "Bearer token of b"}, 403),
        ("IESO", {"Authorization": "Bearer token of a"}, 403),
        ("MALLORY", {"Authorization": "Bearer token of a"}, 403),
        ("AGENT_A", {"Authorization": "Bearer wrong"}, 401),
        ("IESO", {"Authorization": "Bearer wrong"}, 401),
        ("AGENT_A", {"Authorization": "Basic dG9rZW4gb2YgYQ=="}, 401),
        ("AGENT_A", {"Authorization": "Bearer"}, 401),
    ],
)
async def test_a_party_speaks_for_itself_alone(
    server: TestServer, inbox: Inbox, sender: str, headers: dict[str, str], status: int
) -> None:
    got, answer = await _post(server, said_by(sender), **headers)
    assert got == status, answer
    assert len(inbox.messages) == (status == 202)
    assert len(inbox.denied) == (status in (401, 403))
    assert not any("token of" in line for line in inbox.denied)


async def test_who_is_not_known_is_told_how_to_become_it(server: TestServer) -> None:
    async with aiohttp.ClientSession() as session:
        request = session.post(server.make_url(PATH), data=said_by("AGENT_A"))
        async with request as response:
            assert response.headers["WWW-Authenticate"] == 'Bearer realm="ampacity"'
