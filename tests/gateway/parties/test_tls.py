"""Mutual TLS over loopback: a certificate opens for its party and for no other."""

from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.coordination import wire
from gateway.coordination.messages import Message
from gateway.parties.client import Attempt, Client, Outcome, Reach
from gateway.parties.identity import Proof
from gateway.parties.tls import TlsFiles, client_context, server_context
from tests.gateway.parties.conftest import DISPATCH, Inbox
from tests.protocols.dnp3.certificates import self_signed
from tests.protocols.modbus.certificates import Pki, make_pki

pytestmark = pytest.mark.sockets

NAMES = ("AGENT_A", "AGENT_B", "AGENT_C", "AGENT_D")


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    pki = make_pki(tmp_path_factory.mktemp("pki"), **dict.fromkeys(NAMES, ""))
    own, _ = self_signed(pki.directory, "AGENT_D")
    trusted = Path(pki.root).read_bytes() + own.read_bytes()
    (pki.directory / "trusted.pem").write_bytes(trusted)
    return pki


def fingerprint(path: str | Path) -> str:
    certificate = x509.load_pem_x509_certificate(Path(path).read_bytes())
    return sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


@pytest.fixture
async def url(pki: Pki, inbox: Inbox) -> AsyncIterator[str]:
    proofs: dict[str, Proof | None] = {
        "AGENT_A": Proof(certificates=frozenset({fingerprint(pki.AGENT_A)})),
        "AGENT_B": Proof(subject="AGENT_B"),
        "AGENT_C": Proof(token_sha256=sha256(b"c").hexdigest(), subject="AGENT_C"),
        "AGENT_D": Proof(certificates=frozenset({fingerprint(pki.directory / "AGENT_D.crt")})),
        "AGENT_E": Proof(token_sha256=sha256(b"e").hexdigest()),
    }
    runner = web.AppRunner(inbox.application(proofs))
    await runner.setup()
    tls = server_context(TlsFiles(pki.trusted, pki.server, pki.server_key))
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def said(url: str, sender: str, pki: Pki, *pair: str | Path, token: str = "") -> Attempt:
    message: Message = wire.from_json({**wire.to_json(DISPATCH), "sender": sender})
    tls = client_context(TlsFiles(pki.root, *map(str, pair)))
    async with Client({"DSO": Reach(url, token, tls)}) as client:
        return await client.send(message)


async def test_a_certificate_is_its_partys_alone(url: str, pki: Pki, inbox: Inbox) -> None:
    for name in ("AGENT_A", "AGENT_B"):
        pair = getattr(pki, name), getattr(pki, f"{name}_key")
        for sender in ("AGENT_A", "AGENT_B", "AGENT_C", "AGENT_E"):
            sent = await said(url, sender, pki, *pair)
            assert sent.outcome is (Outcome.DELIVERED if sender == name else Outcome.REFUSED)
            assert sender == name or ": 403 " in sent.detail
    assert [message.header.sender for message in inbox.messages] == ["AGENT_A", "AGENT_B"]


async def test_a_certificate_of_its_own_that_is_trusted_opens(url: str, pki: Pki) -> None:
    sent = await said(url, "AGENT_D", pki, pki.directory / "AGENT_D.crt", pki.directory / "AGENT_D.key")
    assert sent.outcome is Outcome.DELIVERED


async def test_token_and_certificate_are_both_needed_where_both_are_asked_for(url: str, pki: Pki) -> None:
    pair = pki.AGENT_C, pki.AGENT_C_key
    assert ": 401 " in (await said(url, "AGENT_C", pki, *pair)).detail
    assert ": 401 " in (await said(url, "AGENT_C", pki, token="c")).detail
    assert ": 401 " in (await said(url, "AGENT_C", pki, pki.AGENT_B, pki.AGENT_B_key, token="c")).detail
    assert (await said(url, "AGENT_C", pki, *pair, token="c")).outcome is Outcome.DELIVERED


async def test_a_token_alone_opens_over_tls(url: str, pki: Pki) -> None:
    assert (await said(url, "AGENT_E", pki, token="e")).outcome is Outcome.DELIVERED
    assert ": 401 " in (await said(url, "AGENT_E", pki)).detail


async def test_a_peer_that_nobody_vouches_for_is_never_told_anything(url: str, pki: Pki, inbox: Inbox) -> None:
    async with Client({"DSO": Reach(url, "e", client_context(TlsFiles()))}) as client:
        sent = await client.send(DISPATCH)
    assert sent.outcome is Outcome.FAILED
    assert "certificate verify failed" in sent.detail
    assert inbox.messages == []
