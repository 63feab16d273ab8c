"""Messages reach parties at least once and in order, also after a restart; who is dead or slow holds up nobody."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.coordination.messages import Header, LimitClear, LimitIssue, Message, OutageAck, OutageNotice, Supporting
from gateway.coordination.settlement_messages import SettlementReport
from gateway.parties.outbox import KEPT_S, useful_until_s
from grid_engine.results import Reason
from tests.gateway.parties.office import NOW_S, Running, running, zone_of
from tests.gateway.parties.peers import Peer, until
from tests.scenarios.live import free_ports

pytestmark = pytest.mark.sockets


async def told(office: Running, party: str, *numbers: int) -> None:
    for n in numbers:
        await office.tell(office.from_dso(party, OutageAck(f"o{n}", party[-1]), f"o{n}"))


def ids(*numbers: int) -> list[str]:
    return [f"OUTAGE.Ack:o{n}" for n in numbers]


async def test_messages_arrive_in_order_with_our_token(tmp_path: Path) -> None:
    peer = Peer(free_ports(1)[0], answers=[500, 429])
    zone = zone_of(tmp_path, "DP", AGENT_A={"url": peer.url, "token_variable": "OURS"})
    async with peer.there(), running(zone) as office:
        await told(office, "AGENT_A", 1, 2, 3)
        await until(lambda: len(peer.bodies) == 3)
    assert peer.ids == ids(1, 2, 3)
    assert {headers["Authorization"] for headers in peer.headers} == {"Bearer our own token"}


async def test_what_was_not_delivered_before_a_restart_is_delivered_after_it(tmp_path: Path) -> None:
    peer = Peer(free_ports(1)[0])
    zone = zone_of(tmp_path, "DP", AGENT_A={"url": peer.url})
    async with running(zone) as office:
        async with peer.there():
            await told(office, "AGENT_A", 1)
            await until(lambda: len(peer.bodies) == 1)
        await told(office, "AGENT_A", 2, 3)
    async with peer.there(), running(zone) as office:
        await told(office, "AGENT_A", 4)
        await until(lambda: len(peer.bodies) >= 4)
    assert peer.ids[-3:] == ids(2, 3, 4)
    assert set(peer.ids) == {*ids(1, 2, 3, 4)}


async def test_a_hanging_party_holds_up_neither_others_nor_the_gateway(tmp_path: Path) -> None:
    ports = free_ports(2)
    hanging, well = Peer(ports[0], hanging=True), Peer(ports[1])
    zone = zone_of(tmp_path, "DP", AGENT_A={"url": hanging.url}, AGENT_B={"url": well.url})
    async with hanging.there(), well.there(), running(zone) as office:
        await told(office, "AGENT_A", *range(100))
        await until(lambda: hanging.tried == 1)
        await told(office, "AGENT_B", 7)
        await until(lambda: well.ids == ids(7))
        status, _ = await office.say("AGENT_B", OutageNotice("o", "B", 0.0, NOW_S, NOW_S + 60, planned=False), "m")
        assert status == 202
        assert hanging.tried == 1, "one at a time"


async def test_a_refusal_is_told_and_the_next_message_follows(tmp_path: Path) -> None:
    peer = Peer(free_ports(1)[0], answers=[400])
    zone = zone_of(tmp_path, "DP", AGENT_A={"url": peer.url})
    with capture_logs() as lines:
        async with peer.there(), running(zone) as office:
            await told(office, "AGENT_A", 1, 2)
            await until(lambda: peer.ids == ids(2))
    (line,) = [line for line in lines if line["event"] == "party.undelivered"]
    assert (line["recipient"], line["corr_id"], peer.tried) == ("AGENT_A", "o1", 2)
    assert "400" in line["detail"]


async def test_who_comes_late_is_told_of_twice(tmp_path: Path) -> None:
    peer, clock = Peer(free_ports(1)[0]), [NOW_S]
    zone = zone_of(tmp_path, "DP", AGENT_A={"url": peer.url})
    with capture_logs() as lines:
        async with running(zone, clock) as office:
            await told(office, "AGENT_A", 1)
            clock[0] += 61
            await until(lambda: any(line["event"] == "party.undelivered" for line in lines))
            async with peer.there():
                await until(lambda: any(line["event"] == "party.delivered" for line in lines))
    assert peer.ids == ids(1)
    assert sum(line["event"] == "party.undelivered" for line in lines) == 1


async def test_what_means_nothing_any_more_is_not_sent(tmp_path: Path) -> None:
    peer, clock = Peer(free_ports(1)[0]), [NOW_S]
    zone = zone_of(tmp_path, "DP", AGENT_A={"url": peer.url})
    async with running(zone, clock) as office:
        await office.tell(office.from_dso("AGENT_A", LIMIT, "l"))
        await told(office, "AGENT_A", 1)
    clock[0] += 901
    with capture_logs() as lines:
        async with peer.there(), running(zone, clock):
            await until(lambda: peer.ids == ids(1))
    assert [line["code"] for line in lines if line["event"] == "party.undelivered"] == ["LIMIT.Issue"]


LIMIT = LimitIssue(
    "l", 1, "A", NOW_S, NOW_S + 300, 1e6, 0, Reason.THERMAL, "L", NOW_S + 900, Supporting(1, 1, "v", "c")
)


@pytest.mark.parametrize(
    ("body", "until_s"),
    [
        (LIMIT, NOW_S + 900),
        (LimitClear("l", 1, "A"), NOW_S + KEPT_S),
        (SettlementReport("s", 1, NOW_S - 900, NOW_S - 600, 1.0, ""), NOW_S + KEPT_S),
    ],
)
def test_a_message_is_tried_for_as_long_as_it_means_something(body: LimitIssue, until_s: float) -> None:
    message = Message(Header("m", "c", "DSO", "AGENT_A", NOW_S, "R1", "DP"), body)
    assert useful_until_s(message, NOW_S) == until_s
