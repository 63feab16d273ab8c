"""Who is let in: chains of one to three certificates, and nobody else; certificates change while the server runs."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ieee2030_5.pki import CHAINS, make_pki
from ieee2030_5.tls import CIPHERS, ServerTls

NOW_S = 1_790_000_000.0


@asynccontextmanager
async def listening(tls: ServerTls) -> AsyncIterator[int]:
    """A server that says which certificate it was shown."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(b"%d\n" % len(peer))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=tls.context(0.0))
    async with server:
        yield server.sockets[0].getsockname()[1]


def server_tls(folder: Path) -> ServerTls:
    files = (folder / "server.pem", folder / "server.key.pem", folder / "root.pem")
    return ServerTls(*files, faulty=pytest.fail)


def client(folder: Path, certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.load_verify_locations(folder / "root.pem")
    context.load_cert_chain(certificate, key)
    return context


async def greeted(port: int, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    try:
        return await reader.readline()
    finally:
        writer.close()


@pytest.mark.sockets
@pytest.mark.parametrize("chain", CHAINS)
async def test_a_chain_of_any_length_is_accepted_with_its_own_certificate(tmp_path: Path, chain: int) -> None:
    issued = {one.name: one for one in make_pki(tmp_path, ["B"], ["localhost"], NOW_S, chain)}
    device = issued["B"]
    assert device.certificate.read_text().count("BEGIN CERTIFICATE") == chain
    async with listening(server_tls(tmp_path)) as port:
        size = await greeted(port, client(tmp_path, device.certificate, device.key))
    own = ssl.PEM_cert_to_DER_cert(
        device.certificate.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    )
    assert int(size) == len(own)


@pytest.mark.sockets
async def test_a_chain_with_a_gap_or_of_itself_alone_is_refused(tmp_path: Path) -> None:
    issued = {one.name: one for one in make_pki(tmp_path, ["B"], ["localhost"], NOW_S, 3)}
    alone = tmp_path / "alone.pem"
    parts = issued["B"].certificate.read_text().split("-----BEGIN CERTIFICATE-----")
    alone.write_text("-----BEGIN CERTIFICATE-----" + parts[1])
    (tmp_path / "other").mkdir()
    other = {one.name: one for one in make_pki(tmp_path / "other", ["X"], ["localhost"], NOW_S)}
    async with listening(server_tls(tmp_path)) as port:
        for certificate, key in (
            (alone, issued["B"].key),
            (other["X"].certificate, other["X"].key),
            (other["root"].certificate, other["root"].key),
        ):
            with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
                assert await greeted(port, client(tmp_path, certificate, key)) != b""


@pytest.mark.sockets
async def test_openssl_gets_through_with_the_mandatory_suite_and_a_whole_chain(tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    assert openssl is not None
    device = {one.name: one for one in make_pki(tmp_path, ["B"], ["localhost"], NOW_S, 3)}["B"]
    async with listening(server_tls(tmp_path)) as port:
        command = [openssl, "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-ign_eof"]
        command += ["-cipher", "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", "-CAfile", str(tmp_path / "root.pem")]
        command += ["-cert", str(device.certificate), "-cert_chain", str(device.certificate), "-key", str(device.key)]
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(20):
            told, _ = await process.communicate()
    assert b"ECDHE-ECDSA-AES128-CCM8" in told
    assert b"Verify return code: 0 (ok)" in told


def test_new_certificates_are_taken_up_and_faulty_ones_are_not(tmp_path: Path) -> None:
    make_pki(tmp_path, ["B"], ["localhost"], NOW_S)
    said: list[str] = []
    files = (tmp_path / "server.pem", tmp_path / "server.key.pem", tmp_path / "root.pem")
    tls = ServerTls(*files, faulty=said.append)
    first = tls.context(0.0)
    assert tls.context(10.0) is first, "nothing has changed"

    make_pki(tmp_path, ["B"], ["localhost"], NOW_S + 1)
    for file in files:
        os.utime(file, ns=(1, 1))
    second = tls.context(20.0)
    assert second is not first

    files[0].write_text("no certificate")
    assert tls.context(30.0) is second
    assert "the old ones stay" in said[0]
    assert tls.context(40.0) is second
    assert len(said) == 1, "a fault is told once"

    files[0].unlink()
    assert tls.context(50.0) is second
    assert tls.context(60.0) is second
    assert len(said) == 2
