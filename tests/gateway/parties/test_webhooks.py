"""Webhooks get signed copies at least once, in order, also across a restart; a dead one holds up nothing."""

import hmac
from hashlib import sha256
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.coordination.messages import OutageNotice
from gateway.parties.settings import PartiesError, settings
from gateway.parties.webhooks import matches
from tests.gateway.parties.office import NOW_S, SECRETS, Running, running, zone_of
from tests.gateway.parties.peers import Peer, until
from tests.scenarios.live import free_ports

pytestmark = pytest.mark.sockets


def hook(peer: Peer, *codes: str) -> dict[str, object]:
    return {"url": peer.url, "secret_variable": "SIGNING", "codes": list(codes)}


async def said(office: Running, *numbers: int) -> None:
    for n in numbers:
        status, _ = await office.say(
            "AGENT_A", OutageNotice(f"o{n}", "A", 0.0, NOW_S, NOW_S + 60, planned=False), f"m{n}"
        )
        assert status == 202


def told(peer: Peer) -> list[str]:
    return [f"{body['message']['type']} {body['message']['body']['outage_id']}" for body in peer.bodies]


async def test_copies_are_signed_and_numbered(tmp_path: Path) -> None:
    peer = Peer(free_ports(1)[0])
    async with peer.there(), running(zone_of(tmp_path, "DP", {"ERP": hook(peer)})) as office:
        await said(office, 1)
        await until(lambda: len(peer.bodies) == 2)
    assert told(peer) == ["OUTAGE.Notice o1", "OUTAGE.Ack o1"]
    assert [body["told"] for body in peer.bodies] == [False, True]
    for raw, headers, body in zip(peer.raw, peer.headers, peer.bodies, strict=True):
        stamp, signature = (part.partition("=")[2] for part in headers["Ampacity-Signature"].split(","))
        assert float(stamp) == NOW_S
        assert signature == hmac.new(b"a secret", f"{stamp}.".encode() + raw, sha256).hexdigest()
        assert headers["Idempotency-Key"] == body["key"]
    assert len({body["key"] for body in peer.bodies}) == 2


async def test_a_webhook_gets_the_codes_that_it_wants(tmp_path: Path) -> None:
    peer = Peer(free_ports(1)[0])
    async with peer.there(), running(zone_of(tmp_path, "DP", {"ERP": hook(peer, "OUTAGE.Ack", "LIMIT.*")})) as office:
        await said(office, 1, 2)
        await until(lambda: len(peer.bodies) == 2)
    assert told(peer) == ["OUTAGE.Ack o1", "OUTAGE.Ack o2"]


async def test_a_dead_webhook_misses_nothing_and_holds_up_nothing(tmp_path: Path) -> None:
    ports = free_ports(2)
    dead, hanging = Peer(ports[0]), Peer(ports[1], hanging=True)
    zone = zone_of(tmp_path, "DP", {"ERP": hook(dead), "SLOW": hook(hanging)})
    with capture_logs() as lines:
        async with hanging.there(), running(zone) as office:
            async with dead.there():
                await said(office, 1)
                await until(lambda: len(dead.bodies) == 2)
            await said(office, 2, 3)
            await until(lambda: any(line["event"] == "webhook.failed" and line["subject"] == "ERP" for line in lines))
        dead.answers = [410, 500]
        async with dead.there(), running(zone) as office:
            await said(office, 4)
            await until(lambda: "OUTAGE.Ack o4" in told(dead))
    everything = [one for n in (1, 2, 3, 4) for one in (f"OUTAGE.Notice o{n}", f"OUTAGE.Ack o{n}")]
    assert list(dict.fromkeys(told(dead))) == everything
    assert len({(one, body["key"]) for one, body in zip(told(dead), dead.bodies, strict=True)}) == 8, "one key each"
    assert sum(line["event"] == "webhook.recovered" for line in lines) == 1
    assert "a secret" not in str(lines)


def test_codes_that_no_message_has_are_refused_at_the_start(tmp_path: Path) -> None:
    zone = zone_of(tmp_path, "DP", {"ERP": hook(Peer(1), "LIMITS.*")})
    with pytest.raises(PartiesError, match=r"ERP wants LIMITS\.\*, which no message is"):
        settings(zone, SECRETS)
    with pytest.raises(PartiesError, match="SIGNING with the secret of ERP is not set"):
        settings(zone, {})


def test_a_code_with_a_star_means_all_that_begin_so() -> None:
    assert matches("ORDER.*", "ORDER.Issue")
    assert not matches("ORDER.*", "OFFER.Accept")
    assert matches("LIMIT.Issue", "LIMIT.Issue")
