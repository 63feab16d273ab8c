"""The parties' interface as integrators meet it: curl with a token and with a certificate, OpenSSL on a signature."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from config.parties import Listen
from config.settings import ZoneFile
from gateway.coordination import wire
from gateway.coordination.messages import AckStatus, Header, LimitAck, Message
from tests.gateway.parties.office import NOW_S, running, token, zone_of
from tests.gateway.parties.peers import Peer, until
from tests.gateway.parties.test_privacy import limit
from tests.peers import need
from tests.protocols.modbus.certificates import Pki, make_pki
from tests.scenarios.live import free_ports

pytestmark = [pytest.mark.sockets, pytest.mark.interop]

CERTIFIED: dict[str, Any] = {"auth": {"subject": "AGENT_B"}}


@dataclass
class Curl:
    """One party with its credentials."""

    url: str
    shown: list[str]

    async def ask(self, path: str, *more: str) -> tuple[int, Any]:
        """Exit status 0 and the answer; or curl's own status where there is none."""
        command = [need("curl"), "-sS", "--max-time", "60", *self.shown, *more, self.url + path, "-w", "\n%{http_code}"]
        run = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await run.communicate()
        if run.returncode:
            return -run.returncode, None
        body, _, status = out.decode().rpartition("\n")
        return int(status), json.loads(body)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"), AGENT_B="")


def secured(tmp_path: Path, pki: Pki) -> ZoneFile:
    zone = zone_of(tmp_path, "DP", AGENT_B=CERTIFIED)
    files = {"certificate_file": pki.server, "key_file": pki.server_key, "ca_file": pki.root}
    return zone.model_copy(update={"listen": Listen(parties_port=zone.listen.parties_port, **files)})


async def test_a_der_agent_works_with_curl_and_a_token(tmp_path: Path, pki: Pki) -> None:
    async with running(secured(tmp_path, pki)) as office:
        url = office.url.replace("http:", "https:")
        agent = Curl(url, ["--cacert", pki.root, "-H", f"Authorization: Bearer {token('AGENT_A')}"])
        status, own = await agent.ask("/v1/resources")
        assert (status, [one["resource"] for one in own["resources"]]) == (200, ["A"])
        waiting = office.exchange.ground.tasks.create_task(agent.ask("/v1/messages?wait_s=5"))
        await office.tell(office.from_dso("AGENT_A", limit("A"), "limit-A"))
        status, page = await waiting
        (item,) = page["messages"]
        assert item["message"]["body"]["ceiling_mw"] == 1.0
        ack = LimitAck("limit-A", 1, "A", AckStatus.ACCEPT, 1e6)
        said = wire.encode(Message(Header("a-1", "limit-A", "AGENT_A", "DSO", NOW_S, "R1", "DP"), ack)).decode()
        for _ in range(2):
            assert await agent.ask("/v1/messages", "-d", said) == (202, {"msg_id": "a-1", "status": "RECEIVED"})
        status, known = await agent.ask(f"/v1/messages/{item['message']['msg_id']}")
        assert (status, known["state"], known["commitment"]["status"]) == (200, "ACTIVE", "ACCEPT")
        assert (await agent.ask("/v1/messages", "-d", said.replace("AGENT_A", "AGENT_B")))[0] == 403


async def test_a_certificate_stands_in_place_of_the_token(tmp_path: Path, pki: Pki) -> None:
    async with running(secured(tmp_path, pki)) as office:
        url = office.url.replace("http:", "https:")
        trusted = ["--cacert", pki.root]
        agent = Curl(url, [*trusted, "--cert", pki.AGENT_B, "--key", pki.AGENT_B_key])
        status, own = await agent.ask("/v1/resources")
        assert (status, [one["resource"] for one in own["resources"]]) == (200, ["B"])
        assert (await Curl(url, trusted).ask("/v1/resources"))[0] == 401
        other = Curl(url, [*trusted, "--cert", pki.client, "--key", pki.client_key])
        assert (await other.ask("/v1/resources"))[0] == 401
        assert (await Curl(url, []).ask("/v1/resources"))[0] == -60, "curl does not know who vouches for the gateway"


async def test_openssl_finds_the_signature_of_a_webhook_right(tmp_path: Path) -> None:
    openssl = need("openssl")
    peer = Peer(free_ports(1)[0])
    hook = {"url": peer.url, "secret_variable": "SIGNING"}
    async with peer.there(), running(zone_of(tmp_path, "DP", {"ERP": hook})) as office:
        await office.tell(office.from_dso("AGENT_A", limit("A"), "limit-A"))
        await until(lambda: len(peer.bodies) == 1)
    stamp, signature = (part.partition("=")[2] for part in peer.headers[0]["Ampacity-Signature"].split(","))
    run = await asyncio.create_subprocess_exec(
        *(openssl, "dgst", "-sha256", "-hmac", "a secret"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await run.communicate(f"{stamp}.".encode() + peer.raw[0])
    assert out.decode().split()[-1] == signature
