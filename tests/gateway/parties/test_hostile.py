"""A party that means harm gets an answer that says what is wrong, and everybody else is served as before."""

import gzip
from pathlib import Path

import orjson
import pytest

from gateway.coordination import wire
from gateway.coordination.messages import Dispatch, OutageNotice
from gateway.coordination.operation_messages import HostLimit
from tests.gateway.parties.office import NOW_S, Running, running, zone_of
from tests.gateway.parties.test_desk import outage
from tests.gateway.parties.test_privacy import seen

pytestmark = pytest.mark.sockets


def written(office: Running, sender: str, msg_id: str, **over: object) -> bytes:
    """A notice of A's outage as `sender` writes it, with something changed."""
    message = office.from_dso("DSO", outage(1), msg_id)
    header = {**wire.to_json(message), "sender": sender, "msg_id": msg_id}
    return orjson.dumps({**header, **over})


async def test_a_message_that_nobody_could_read_again_poisons_nothing(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        for n, moment in enumerate(("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00")):
            raw = written(office, "AGENT_A", f"m{n}", created_at=moment)
            status, answer = await office.ask("AGENT_A", "/v1/messages", "POST", raw)
            assert (status, answer["field"]) == (400, "created_at")
        for party in ("AGENT_A", "MSP", "IESO"):
            await seen(office, party)


async def test_two_senders_in_one_message_are_none(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        own = b'"sender":"AGENT_B"'
        raw = written(office, "AGENT_B", "m").replace(own, b'"sender":"AGENT_A",' + own)
        status, answer = await office.ask("AGENT_B", "/v1/messages", "POST", raw)
        assert (status, answer["field"], answer["error"]) == (400, "sender", "is there twice")


async def test_nothing_is_unpacked(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        packed = {"Content-Encoding": "gzip"}
        for raw in (written(office, "AGENT_A", "m"), b" " * 50_000_000):
            status, answer = await office.ask("AGENT_A", "/v1/messages", "POST", gzip.compress(raw), **packed)
            assert (status, answer["field"]) == (400, "Content-Encoding")


async def test_ids_and_keys_of_others_are_neither_taken_nor_blocked(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "DP")) as office:
        said = {
            "AGENT_A": outage(1),
            "AGENT_B": OutageNotice("o1", "B", 0.0, NOW_S, NOW_S + 60, planned=False),
        }
        for party, body in said.items():
            status, answer = await office.say(party, body, "the same id", **{"Idempotency-Key": "the-same-key"})
            assert status == 202, answer
        for party, resource in (("AGENT_A", "A"), ("AGENT_B", "B")):
            _, found = await office.ask(party, "/v1/messages/the same id")
            assert found["message"]["body"]["resource"] == resource


async def test_what_cannot_be_is_refused_before_the_loop_calculates_with_it(tmp_path: Path) -> None:
    async with running(zone_of(tmp_path, "MF")) as office:
        impossible = {
            "HOST": HostLimit("h", 1, "HE1", 0.0, 1e6, NOW_S, NOW_S + 60),
            "IESO": Dispatch("d", 1, "A", 1e6, 0.0, NOW_S + 60),
        }
        for party, body in impossible.items():
            status, answer = await office.say(party, body, f"m {party}")
            assert status == 409
            assert answer["error"].startswith("IMPOSSIBLE: ")
