"""One party can neither see nor act for another: over real sockets, under every model, before and after a restart."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import aiohttp
import pytest

from gateway.coordination.market_messages import (
    Block,
    MarketSide,
    OfferRevoke,
    OfferSubmit,
    OrderCommit,
    OrderDecline,
    OrderIssue,
    OrderReceipt,
)
from gateway.coordination.messages import (
    AckStatus,
    Dispatch,
    DispatchCopy,
    LimitAck,
    LimitIssue,
    Message,
    OutageNotice,
    Supporting,
)
from gateway.coordination.operation_messages import HostLimit
from gateway.coordination.settlement_messages import BaselineNominate
from gateway.parties.view import LISTS
from grid_engine.results import Reason
from tests.gateway.parties.office import NOW_S, Running, running, token, zone_of

pytestmark = pytest.mark.sockets

EVERYBODY = ("IESO", "HOST", "MSP", "AGENT_A", "AGENT_B")
END_S = NOW_S + 3_600


def limit(resource: str) -> LimitIssue:
    box = (NOW_S, END_S, 1e6, 0.0, Reason.THERMAL, "L12", END_S)
    return LimitIssue(f"limit-{resource}", 1, resource, *box, Supporting(120, 100, "v1", "cycle"))


def offer(resource: str) -> OfferSubmit:
    block = (Block(1e6, 40.0),)
    return OfferSubmit(f"offer-{resource}", 1, resource, MarketSide.DISTRIBUTION, NOW_S + 600, END_S, block, END_S)


async def busy(running: Running) -> None:
    """Everybody has something of their own."""
    for party, resource in (("AGENT_A", "A"), ("AGENT_B", "B")):
        await running.tell(running.from_dso(party, limit(resource), f"limit-{resource}"))
        order = OrderIssue(f"order-{resource}", 1, resource, "", "relief", 5e5, NOW_S, END_S, 40.0)
        await running.tell(running.from_dso(party, order, f"order-{resource}"))
        status, answer = await running.say(party, offer(resource), f"offers {resource}")
        assert status == 202, answer
    await running.tell(running.from_dso("HOST", HostLimit("h1", 1, "HE1", 1e6, 0.0, NOW_S, END_S), "h1"))


async def dispatched(running: Running, model: str) -> None:
    body: Dispatch | DispatchCopy = Dispatch("d1", 1, "TD1" if model == "T" else "A", 1e6, NOW_S, END_S)
    if model == "DP":
        body = DispatchCopy("d1", 1, "A", 1e6, NOW_S, END_S)
    status, answer = await running.say("IESO", body, "dispatch 1")
    assert status == 202, answer


async def seen(running: Running, party: str) -> str:
    """All that a party can read, as text."""
    found = []
    for path in ("messages", *LISTS):
        status, answer = await running.ask(party, f"/v1/{path}?limit=100")
        assert status == (200 if path == "messages" or has(party, path) else 403), answer
        found.append(str(answer) if status == 200 else "")
    return " ".join(found)


def has(party: str, name: str) -> bool:
    role = {"IESO": "system_operator", "HOST": "host", "MSP": "platform"}.get(party, "dera")
    return role in LISTS[name][2]


@pytest.mark.parametrize("model", ["DP", "T", "MF"])
async def test_everybody_sees_their_own_alone(tmp_path: Path, model: str) -> None:
    zone = zone_of(tmp_path, model)
    for life in range(2):
        async with running(zone) as office:
            if life == 0:
                await busy(office)
                await dispatched(office, model)
            a, b, ieso, host = [await seen(office, party) for party in ("AGENT_A", "AGENT_B", "IESO", "HOST")]
            for mine, others in ((a, "B"), (b, "A")):
                own = "A" if others == "B" else "B"
                assert all(f"{kind}-{own}" in mine for kind in ("limit", "order", "offer"))
                assert not any(f"{kind}-{others}" in mine for kind in ("limit", "order", "offer"))
                assert f"AGENT_{others}" not in mine
                assert "h1" not in mine
            assert "h1" in host
            assert "d1" in ieso
            assert not any(word in ieso + host for word in ("limit-", "order-", "AGENT_"))


async def test_nobody_reads_a_message_of_somebody_else_by_its_id(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "MF")) as office:
        await busy(office)
        own: dict[str, list[str]] = {}
        for party in EVERYBODY[:2] + EVERYBODY[3:]:
            _, page = await office.ask(party, "/v1/messages")
            own[party] = [item["message"]["msg_id"] for item in page["messages"]]
        for party in own:
            for owner, ids in own.items():
                for msg_id in ids:
                    status, answer = await office.ask(party, f"/v1/messages/{msg_id}")
                    assert status == (200 if owner == party else 404), (party, owner, answer)


async def test_nobody_acts_for_somebody_else(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "MF")) as office:
        await busy(office)
        before = await seen(office, "AGENT_A")
        zone = office.exchange.ground.zone
        ack = LimitAck("limit-A", 1, "A", AckStatus.ACCEPT, 1e6)
        for party in EVERYBODY:
            if party == "AGENT_A":
                continue
            message = office.from_dso("DSO", ack, "limit-A")
            for sender in ("AGENT_A", "DSO"):
                forged = Message(
                    type(message.header)("forged", "limit-A", sender, "DSO", NOW_S, zone.id, "MF"), message.body
                )
                assert (await office.ask(party, "/v1/messages", "POST", forged))[0] == 403
            # in its own name, about what is another's
            for body in (ack, offer("A"), OutageNotice("o", "A", 0.0, NOW_S, END_S, planned=False)):
                status, answer = await office.say(party, body, f"{party} {body.code}")
                assert status == 409, (party, body.code, answer)
                assert "AGENT_A" not in str(answer)
        assert await seen(office, "AGENT_A") == before


async def test_the_id_of_what_is_anothers_is_of_no_use(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "MF")) as office:
        await busy(office)
        before = await seen(office, "AGENT_A")
        stolen = (
            OrderReceipt("order-A", 1, "B"),
            OrderCommit("order-A", 1, "B", 0.0),
            OrderDecline("order-A", 1, "B"),
            OfferRevoke("offer-A", "B"),
            replace(offer("B"), offer_id="offer-A", version=2),
            LimitAck("limit-A", 1, "B", AckStatus.DECLINE, 0.0),
        )
        for n, body in enumerate(stolen):
            status, answer = await office.say("AGENT_B", body, f"theft {n}")
            assert status == 409 or isinstance(body, LimitAck), answer  # limits are looked up by resource
            assert "AGENT_A" not in str(answer)
        assert await seen(office, "AGENT_A") == before


async def test_nothing_is_read_of_whom_nobody_can_be(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office, aiohttp.ClientSession(office.url) as session:
        for body in (b"", b"{", b"x" * 60_000):
            async with session.post("/v1/messages", data=body) as response:
                assert response.status == 401


async def test_who_shows_nothing_learns_nothing(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        for path in ("messages", "messages/m1", "openapi.json", *LISTS):
            for shown in ("", "Bearer ", "Bearer wrong", "Bearer the token of DSO"):
                status, answer = await office.ask("AGENT_A", f"/v1/{path}", Authorization=shown)
                assert (status, answer["field"]) == (401, "Authorization")
        status, _ = await office.ask("AGENT_A", "/v1/messages", **{"Ampacity-Party": "AGENT_B"})
        assert status == 403


async def test_a_platform_hands_over_what_those_say_who_trust_it(tmp_path: Path) -> None:
    trusting = {"auth": {"token_sha256": sha256(token("AGENT_A").encode()).hexdigest(), "by_platform": True}}
    async with running(zone_of(tmp_path, "MF", AGENT_A=trusting)) as office:
        said = {
            "a": ("AGENT_A", OutageNotice("o", "A", 0.0, NOW_S, END_S, planned=False), 202),
            "b": ("AGENT_B", OutageNotice("o", "B", 0.0, NOW_S, END_S, planned=False), 403),
            "c": ("AGENT_A", BaselineNominate("A", NOW_S, 5.0, (1e6,)), 403),
        }
        for msg_id, (sender, body, wanted) in said.items():
            message = office.from_dso("DSO", body)
            header = replace(message.header, msg_id=msg_id, sender=sender)
            status, answer = await office.ask("MSP", "/v1/messages", "POST", replace(message, header=header))
            assert status == wanted, answer
