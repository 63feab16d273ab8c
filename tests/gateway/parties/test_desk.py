"""What a party reads: pages with a cursor, the state of a message, its deadlines; and repeats that change nothing."""

from pathlib import Path

import pytest

from gateway.coordination.messages import AckStatus, LimitAck, OutageNotice
from tests.gateway.parties.office import NOW_S, running, zone_of
from tests.gateway.parties.test_privacy import busy, limit, offer

pytestmark = pytest.mark.sockets


def outage(n: int, available_w: float = 0.0) -> OutageNotice:
    return OutageNotice(f"o{n}", "A", available_w, NOW_S, NOW_S + 60, planned=False)


async def test_pages_follow_each_other_without_gap_or_repeat(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        for n in range(5):
            assert (await office.say("AGENT_A", outage(n), f"m{n}"))[0] == 202
        found, after = [], 0
        while True:
            _, page = await office.ask("AGENT_A", f"/v1/messages?after={after}&limit=3")
            if not page["messages"]:
                break
            found += [item["message"]["msg_id"] for item in page["messages"]]
            assert page["next"] == page["messages"][-1]["seq"] > after
            after = page["next"]
        said = [msg_id for msg_id in found if msg_id.startswith("m")]
        assert said == [f"m{n}" for n in range(5)]
        assert len(found) == len(set(found)) == 10, "each outage was acknowledged"


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=101", "wait_s=6", "limit=a", "x=1", "limit=1&limit=2"])
async def test_a_parameter_out_of_range_is_refused(tmp_path: Path, query: str) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        status, answer = await office.ask("AGENT_A", f"/v1/messages?{query}")
        assert (status, set(answer)) == (400, {"error", "field", "what_to_do"})


async def test_who_waits_hears_of_a_message_when_it_comes(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:

        async def said_meanwhile() -> None:
            await office.tell(office.from_dso("AGENT_A", limit("A"), "limit-A"))

        tell = office.exchange.ground.tasks.create_task(said_meanwhile())
        _, page = await office.ask("AGENT_A", "/v1/messages?wait_s=5")
        await tell
        assert [item["message"]["type"] for item in page["messages"]] == ["LIMIT.Issue"]


async def test_a_limit_says_what_is_owed_and_until_when(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        await busy(office)
        _, known = await office.ask("AGENT_A", "/v1/messages/LIMIT.Issue:limit-A")
        owed = {
            "by": "AGENT_A",
            "due": "2027-01-15T08:01:00Z",
            "done": False,
            "at": None,
            "status": "",
            "power_mw": None,
        }
        assert (known["state"], known["commitment"], known["receipt"]) == ("ISSUED", owed, owed)
        office.clock[0] += 61
        _, known = await office.ask("AGENT_A", "/v1/messages/LIMIT.Issue:limit-A")
        assert known["state"] == "UNCONFIRMED"
        assert (await office.say("AGENT_A", LimitAck("limit-A", 1, "A", AckStatus.PARTIAL, 8e5), "ack"))[0] == 202
        _, known = await office.ask("AGENT_A", "/v1/messages/LIMIT.Issue:limit-A")
        assert known["state"] == "ACTIVE"
        assert known["commitment"] == {**owed, "done": True, "status": "PARTIAL", "power_mw": 0.8}
        _, listed = await office.ask("AGENT_A", "/v1/limits?resource=A")
        assert [(one["limit_id"], one["ceiling_mw"], one["state"]) for one in listed["limits"]] == [
            ("limit-A", 1.0, "ACTIVE")
        ]
        _, own = await office.ask("AGENT_A", "/v1/resources")
        (resource,) = own["resources"]
        assert (resource["resource"], resource["limit_ceiling_mw"], resource["owed_mw"]) == ("A", 1.0, 0.5)


async def test_an_order_says_what_is_owed_and_until_when(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        await busy(office)
        _, known = await office.ask("AGENT_A", "/v1/messages/ORDER.Issue:order-A")
        assert (known["state"], known["receipt"]["due"], known["commitment"]["due"]) == (
            "DISPATCHED",
            "2027-01-15T08:00:02Z",
            "2027-01-15T08:01:00Z",
        )
        _, listed = await office.ask("AGENT_A", "/v1/orders")
        assert [(one["order_id"], one["state"]) for one in listed["orders"]] == [("order-A", "DISPATCHED")]
        _, listed = await office.ask("AGENT_A", "/v1/offers")
        assert [one["offer_id"] for one in listed["offers"]] == ["offer-A"]


@pytest.mark.parametrize("key", [{}, {"Idempotency-Key": "k1"}])
async def test_a_repeat_gets_the_same_answer_and_another_message_none(tmp_path: Path, key: dict[str, str]) -> None:
    zone = zone_of(tmp_path, "DP")
    async with running(zone) as office:
        first = await office.say("AGENT_A", outage(1), "m1", **key)
        assert first == (202, {"msg_id": "m1", "status": "RECEIVED"})
        assert await office.say("AGENT_A", outage(1), "m1", **key) == first
        status, answer = await office.say("AGENT_A", outage(1, 5e5), "m1", **key)
        assert (status, answer["field"]) == (409, "Idempotency-Key" if key else "msg_id")
    async with running(zone) as office:
        assert await office.say("AGENT_A", outage(1), "m1", **key) == first
        assert (await office.say("AGENT_A", outage(1, 5e5), "m1", **key))[0] == 409
        status, _ = await office.say(
            "AGENT_B", OutageNotice("o", "B", 0.0, NOW_S, NOW_S + 9, planned=True), "m1", **key
        )
        assert status == 202, "keys and ids are each party's own"
        _, page = await office.ask("AGENT_A", "/v1/messages")
        assert [item["message"]["type"] for item in page["messages"]] == ["OUTAGE.Notice", "OUTAGE.Ack"]


async def test_a_refusal_is_remembered_under_its_key(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        answers = [await office.say("AGENT_A", offer("B"), "m1", **{"Idempotency-Key": "k"}) for _ in range(2)]
        assert answers[0] == answers[1]
        assert answers[0][0] == 409


async def test_a_key_that_is_none_is_refused(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        status, answer = await office.say("AGENT_A", outage(1), "m1", **{"Idempotency-Key": "a b"})
        assert (status, answer["field"]) == (400, "Idempotency-Key")
