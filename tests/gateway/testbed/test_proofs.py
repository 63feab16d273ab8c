"""Simulated parties prove who they are to a gateway that believes nobody, and let nobody but it write to them."""

import asyncio
import contextlib
import socket
import ssl
import threading
from argparse import Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from config.settings import ZoneFile
from gateway.clock import wall
from gateway.commands import testbed as command
from gateway.testbed import proofs
from gateway.testbed.run import Alone, run_parties
from tests.gateway.parties.office import running, token, zone_of
from tests.gateway.parties.test_tls import fingerprint
from tests.protocols.dnp3.certificates import self_signed
from tests.scenarios.live import ZONES, free_ports, until

pytestmark = pytest.mark.sockets

WITH_CERTIFICATE = ("AGENT_A", "HOST", "MSP")
WITH_TOKEN = ("IESO", "AGENT_B", "MSP")
PARTIES = ("IESO", "AGENT_A", "AGENT_B", "HOST", "MSP")
"""System operator, DER/A, aggregator, host and platform."""
TOKENS = {"OURS": "our own token", **{name: token(name) for name in WITH_TOKEN}}
"""Environment of the testbed: every variable is called as its party."""


@dataclass
class Bench:
    """A gateway's zone file and a tester's, with certificates for everybody."""

    folder: Path
    gateway: ZoneFile
    tester: dict[str, Any]
    said: list[str] = field(default_factory=list)

    def pair(self, name: str) -> dict[str, str]:
        return {"certificate_file": f"{self.folder / name}.crt", "key_file": f"{self.folder / name}.key"}

    @asynccontextmanager
    async def playing(self, *parties: str, **environment: str) -> AsyncIterator[str]:
        """Some parties by themselves; the base of their control."""
        zone = ZoneFile.model_validate(self.tester)
        shown = proofs.of_zone(zone, parties, {**TOKENS, **environment})
        alone = Alone(frozenset(parties), "http://127.0.0.1:1/v1", 0)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(run_parties(zone, alone, wall, self.said.append, shown))
            await until(self._listening, 20)
            try:
                yield next(line for line in self.said if "control http" in line).removeprefix("listening: control ")
            finally:
                task.cancel()

    async def _listening(self) -> bool:
        return any("control http" in line for line in self.said)

    async def complains(self, *words: str) -> None:
        """Somebody's operator is told something with these words in it."""

        async def told() -> bool:
            return any(all(word in line for word in words) for line in self.said)

        await until(told, 10)
        assert not any("Traceback" in line or token("") in line for line in self.said)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    found = Bench(tmp_path, zone_of(tmp_path, "DP"), {})
    for name in (*PARTIES, "GATEWAY", "NOBODY"):
        self_signed(tmp_path, name, "localhost")
    everybody = tmp_path / "everybody.pem"
    known = (*PARTIES, "GATEWAY")
    everybody.write_bytes(b"".join((tmp_path / f"{name}.crt").read_bytes() for name in known))
    gateway = found.gateway.model_dump(mode="json")
    gateway["listen"] |= {"ca_file": str(everybody), **found.pair("GATEWAY")}
    for name, port in zip(PARTIES, free_ports(len(PARTIES)), strict=True):
        auth: dict[str, object] = {"by_platform": True}
        if name in WITH_CERTIFICATE:
            auth["certificate_sha256"] = [fingerprint(found.pair(name)["certificate_file"])]
        if name in WITH_TOKEN:
            auth["token_sha256"] = sha256(token(name).encode()).hexdigest()
        ours = {"ca_file": str(everybody), "token_variable": "OURS", **found.pair("GATEWAY")}
        gateway["parties"][name] |= {"url": f"https://localhost:{port}", "auth": auth, **ours}
    found.gateway = ZoneFile.model_validate(gateway)
    found.tester = {**gateway, "listen": {}}
    found.tester["parties"] = {name: {**party, "simulated": True} for name, party in gateway["parties"].items()}
    found.tester["testbed"] |= {
        "gateway_url": f"https://localhost:{found.gateway.listen.parties_port}",
        "parties": {
            name: {
                "ca_file": str(everybody),
                **found.pair(name),
                **({"token_variable": name} if name in WITH_TOKEN else {}),
            }
            for name in PARTIES
        },
    }
    return found


async def tell(control: str, what: str, **asked: object) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{control}/{what}", json=asked) as response:
        assert response.status == 200, await response.text()


async def heard(control: str) -> set[tuple[str, str, str]]:
    async with aiohttp.ClientSession() as session, session.get(f"{control}/messages") as response:
        messages = (await response.json())["messages"]
    return {(m["type"], m["sender"], m["recipient"]) for m in messages}


async def test_every_kind_of_party_speaks_with_a_gateway_that_believes_nobody(bench: Bench) -> None:
    async with running(bench.gateway, [wall()]), bench.playing(*PARTIES) as control:
        await tell(control, "outage", resource="A")
        await tell(control, "outage", resource="B")
        await tell(control, "dispatch", resource="A", power_mw=1.0)
        await tell(control, "host_limit", interface="HE1", export_mw=0.6)

        async def answered() -> bool:
            """By the gateway, over TLS with its certificate and token; and among themselves."""
            told = {("OUTAGE.Ack", "DSO", "AGENT_A"), ("OUTAGE.Ack", "DSO", "AGENT_B")}
            return told | {("DISPATCH.RT", "IESO", "AGENT_A"), ("ACK.Receipt", "AGENT_A", "IESO")} <= await heard(
                control
            )

        await until(answered, 20)
        assert [line for line in bench.said if "refused" in line or "dropped" in line] == []


async def test_a_certificate_that_is_not_its_own_opens_nothing(bench: Bench) -> None:
    keys = bench.tester["testbed"]["parties"]
    keys["AGENT_A"] |= bench.pair("NOBODY")
    keys["HOST"] |= bench.pair("AGENT_A")
    async with running(bench.gateway, [wall()]), bench.playing("AGENT_A", "HOST") as control:
        url = bench.tester["testbed"]["gateway_url"]
        await tell(control, "host_limit", interface="HE1", export_mw=0.6)
        await bench.complains("HOST.Limit of HOST", url, "refused: 403", "correct what testbed.parties.HOST shows")
        await tell(control, "outage", resource="A")
        await bench.complains("OUTAGE.Notice of AGENT_A", url, "may not believe", "testbed.parties.AGENT_A")


async def test_who_says_why_it_ends_tls_is_understood(bench: Bench) -> None:
    strict = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    strict.load_cert_chain(*bench.pair("GATEWAY").values())
    strict.load_verify_locations(bench.pair("NOBODY")["certificate_file"])
    strict.verify_mode = ssl.CERT_REQUIRED
    strict.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server(("127.0.0.1", bench.gateway.listen.parties_port)) as server:

        def refuse() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                strict.wrap_socket(connection, server_side=True)

        refusing = threading.Thread(target=refuse)
        refusing.start()
        async with bench.playing("AGENT_A") as control:
            await tell(control, "outage", resource="A")
            await bench.complains("of AGENT_A", "UNKNOWN_CA", "name in testbed.parties.AGENT_A one that it believes")
        refusing.join()


async def test_a_wrong_token_opens_nothing_and_is_not_told(bench: Bench) -> None:
    async with running(bench.gateway, [wall()]), bench.playing("AGENT_B", AGENT_B=token("")) as control:
        await tell(control, "outage", resource="B")
        await bench.complains("of AGENT_B", "refused: 401", "nobody's here", "testbed.parties.AGENT_B")


async def test_who_the_gateway_claims_to_be_is_looked_at(bench: Bench) -> None:
    bench.tester["testbed"]["parties"]["AGENT_A"]["ca_file"] = bench.pair("NOBODY")["certificate_file"]
    async with running(bench.gateway, [wall()]), bench.playing("AGENT_A") as control:
        await tell(control, "outage", resource="A")
        await bench.complains("of AGENT_A", "refused: it shows a certificate", "testbed.parties.AGENT_A.ca_file")


async def test_nobody_but_who_is_vouched_for_writes_to_a_party(bench: Bench) -> None:
    async with bench.playing("AGENT_A"), aiohttp.ClientSession() as session:
        url = f"{bench.gateway.parties['AGENT_A'].url}/v1/messages"
        tls = ssl.create_default_context(cafile=bench.tester["testbed"]["parties"]["AGENT_A"]["ca_file"])
        with pytest.raises(aiohttp.ClientError):
            await session.post(url, data=b"{}", ssl=tls)
        tls.load_cert_chain(*bench.pair("GATEWAY").values())
        for shown, status in (("Bearer another", 401), ("Bearer our own token", 400)):
            async with session.post(url, data=b"{}", ssl=tls, headers={"Authorization": shown}) as response:
                assert response.status == status
                assert set(await response.json()) == {"error", "field", "what_to_do"}


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            {"token_variable": "NO_SUCH"},
            "the environment variable NO_SUCH with the token of AGENT_A is not set; make one",
        ),
        (
            {"certificate_file": "{zone}", "key_file": "{zone}"},
            "testbed.parties.AGENT_A: {zone}, {zone} cannot be used",
        ),
    ],
)
def test_a_key_that_is_not_there_ends_the_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], keys: dict[str, str], problem: str
) -> None:
    zone = tmp_path / "zone.yaml"
    named = {key: value.format(zone=zone) for key, value in keys.items()}
    content = {"extends": str(ZONES / "r1.yaml"), "testbed": {"parties": {"AGENT_A": named}}}
    zone.write_text(yaml.safe_dump(content))
    asked = Namespace(zone=zone, only="AGENT_A", without="", world=None, control_port=0)
    assert command.run(asked) == 1
    assert capsys.readouterr().err.startswith(f"ampacity testbed: {problem.format(zone=zone)}")
