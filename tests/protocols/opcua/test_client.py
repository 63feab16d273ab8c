"""The connection itself: security, and peers that are silent or talk nonsense."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.common.callback import CallbackType
from asyncua.server.server import Server

from gateway.clock import wall
from protocols.opcua.adapter import OpcUaAdapter
from protocols.opcua.client import OpcUaClient
from protocols.opcua.errors import LinkDownError, NoAnswerError, UnfitError
from protocols.opcua.settings import Connection, MappedNode, OpcUaSettings
from protocols.points import Point, Quantity
from protocols.signals import LinkChanged, LinkState, Quality, Signal
from tests.protocols.opcua.pki import issue

pytestmark = [pytest.mark.sockets, pytest.mark.asyncio(loop_scope="module")]

POINT = Point("L12", Quantity.CURRENT_A)
PATIENCE_S = 15.0


class Site:
    """A server that lets nobody in without security, and where its files are."""

    def __init__(self, directory: Path) -> None:
        self.server_identity = issue("server", "urn:test:server")
        self.server_files = self.server_identity.write(directory, "server")
        self.client_files = issue("client", "urn:test:client").write(directory, "client")
        self.server = Server()
        self.url = ""

    async def start(self) -> None:
        await self.server.init()
        await self.server.set_application_uri("urn:test:server")
        self.server.set_endpoint("opc.tcp://127.0.0.1:0")
        self.server.set_security_policy(
            [
                ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,
                ua.SecurityPolicyType.Aes256Sha256RsaPss_SignAndEncrypt,
            ]
        )
        await self.server.load_certificate(self.server_files[0])
        await self.server.load_private_key(self.server_files[1])
        folder = self.server.nodes.objects
        for name, value, kind in (
            ("Double", 42.0, ua.VariantType.Double),
            ("Small", 7, ua.VariantType.Int16),
            ("Text", "forty-two", ua.VariantType.String),
            ("Array", [1.0, 2.0], ua.VariantType.Double),
            ("Flag", True, ua.VariantType.Boolean),
        ):
            node = await folder.add_variable(ua.NodeId(name, 1), ua.QualifiedName(name, 1), value, kind)
            await node.set_writable()
        await self.server.start()
        self.url = f"opc.tcp://127.0.0.1:{self.server.bserver.port}"

    def settings(self, policy: str, **changes: object) -> OpcUaSettings:
        files = ",".join(str(path) for path in self.client_files)
        security = f"{policy},SignAndEncrypt,{files},{self.server_files[0]}" if policy else ""
        words = {"points": (MappedNode(POINT, "ns=1;s=Double"),), "timeout_s": 3.0, "security": security} | changes
        return OpcUaSettings(self.url, **words)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    made = Site(tmp_path_factory.mktemp("pki"))
    await made.start()
    yield made
    await made.server.stop()


@asynccontextmanager
async def opened(settings: OpcUaSettings) -> AsyncIterator[OpcUaClient]:
    client = OpcUaClient(settings.connection, wall)
    try:
        await client.open()
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes256Sha256RsaPss"])
async def test_reads_through_a_signed_and_encrypted_channel(site, policy):
    async with opened(site.settings(policy)) as client:
        (reading,) = await client.read(["ns=1;s=Double"])
        assert reading.value == 42.0


async def test_a_server_that_asks_for_security_lets_nobody_in_without(site):
    with pytest.raises(LinkDownError, match="connecting to"):
        async with opened(site.settings("")):
            pass


async def test_a_missing_certificate_file_is_a_link_that_is_down(site, tmp_path):
    files = f"{tmp_path / 'none.der'},{site.client_files[1]},{site.server_files[0]}"
    with pytest.raises(LinkDownError, match=r"none\.der"):
        async with opened(site.settings("", security=f"Basic256Sha256,Sign,{files}")):
            pass


@pytest.mark.parametrize(
    "security",
    ["Basic256,Sign,c,k", "Basic256Sha256,Whisper,c,k", "Basic256Sha256,Sign,c", "Basic256Sha256,Sign,c,k", "x"],
)
async def test_security_that_cannot_be_is_refused_in_the_settings(security):
    with pytest.raises(ValueError, match="security"):
        OpcUaSettings("opc.tcp://h", points=(MappedNode(POINT, "i=1"),), security=security)


async def test_only_numbers_have_a_value(site):
    async with opened(site.settings("Basic256Sha256")) as client:
        names = ["Double", "Small", "Flag", "Text", "Array", "Nothing"]
        readings = await client.read([f"ns=1;s={name}" for name in names] + ["gibberish", "nsu=urn:nobody;s=x"])
        assert [r.value for r in readings] == [42.0, 7.0, 1.0, None, None, None, None, None]
        assert [r.quality is Quality.BAD for r in readings] == [False] * 3 + [True] * 5


async def test_a_value_out_of_its_types_range_is_not_sent(site):
    async with opened(site.settings("Basic256Sha256")) as client:
        await client.read(["ns=1;s=Small", "ns=1;s=Double"])
        with pytest.raises(UnfitError, match="Int16"):
            await client.write({"ns=1;s=Double": 1.0, "ns=1;s=Small": 40_000.0})
        (double,) = await client.read(["ns=1;s=Double"])
        assert double.value == 42.0
        assert await client.write({"ns=1;s=Small": -9.0}) == {"ns=1;s=Small": "Good"}


@asynccontextmanager
async def peer(answer: bytes | None) -> AsyncIterator[str]:
    """Somebody who takes connections and answers whatever he hears with the same bytes, or not at all."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            if answer is not None:
                writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield f"opc.tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"


ACKNOWLEDGE = b"ACKF" + (28).to_bytes(4, "little") + bytes(4) + (65535).to_bytes(4, "little") * 2 + bytes(8)


@pytest.mark.parametrize(
    "answer",
    [None, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 64, b"ACKF\x08\x00\x00\x00", ACKNOWLEDGE, ACKNOWLEDGE[:20]],
    ids=["silent", "http", "noise", "short", "deaf after hello", "cut"],
)
async def test_a_peer_that_is_no_server_is_lost_and_left_promptly(answer):
    async with peer(answer) as url:
        settings = OpcUaSettings(
            url, points=(MappedNode(POINT, "i=1"),), timeout_s=0.2, reconnect_max_s=0.2, watchdog_s=1.0
        )
        heard: list[Signal] = []
        adapter = OpcUaAdapter(settings, wall)
        task = asyncio.get_running_loop().create_task(adapter.run(heard.extend))
        async with asyncio.timeout(PATIENCE_S):
            while not heard:  # noqa: ASYNC110 - it waits for the other side of a socket
                await asyncio.sleep(0.02)
        assert [s.state for s in heard if isinstance(s, LinkChanged)] == [LinkState.LOST]
        assert url in heard[0].detail
        task.cancel()
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.wait([task])
        assert task.cancelled()


async def test_no_answer_is_told_from_a_lost_link(site):
    async with opened(site.settings("Basic256Sha256", timeout_s=0.5, watchdog_s=1.0)) as client:
        processor = site.server.iserver.callback_service

        async def hesitate(*_: object) -> None:
            await asyncio.sleep(1.0)

        processor.addListener(CallbackType.PreRead, hesitate)
        with pytest.raises(NoAnswerError):
            await client.read(["ns=1;s=Double"])
        processor.removeListener(CallbackType.PreRead, hesitate)


async def test_an_answer_in_the_moment_of_the_deadline_is_no_cancellation():
    class CancelledWithResultError(asyncio.CancelledError):
        """What the library's waiting raises then."""

    async def late() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise CancelledWithResultError from error

    client = OpcUaClient(Connection("opc.tcp://h", timeout_s=0.01), wall)
    with pytest.raises(NoAnswerError):
        await client._ask("asking", late())


@pytest.mark.parametrize("is_kept", [True, False])
async def test_a_notification_that_was_missed_is_fetched_again_or_counted_as_lost(site, is_kept):
    seen: list[float | None] = []
    node = site.server.get_node("ns=1;s=Double")
    async with opened(site.settings("Basic256Sha256")) as client:

        async def until(value: float) -> None:
            async with asyncio.timeout(PATIENCE_S):
                while not seen or seen[-1] != value:  # noqa: ASYNC110 - it waits for the other side of a socket
                    await asyncio.sleep(0.02)

        await client.subscribe(["ns=1;s=Double"], 0.05, lambda batch: seen.extend(r.value for _, r in batch))
        await until(42.0)
        (subscription,) = site.server.iserver.subscription_service.subscriptions.values()
        missed = ua.PublishResult(SubscriptionId=subscription.data.SubscriptionId)
        item = ua.MonitoredItemNotification(ClientHandle=0, Value=ua.DataValue(ua.Variant(43.0)))
        missed.NotificationMessage.NotificationData.append(ua.DataChangeNotification(MonitoredItems=[item]))
        if is_kept:
            subscription._not_acknowledged_results[subscription._notification_seq] = missed
        subscription._notification_seq += 1
        await node.write_value(44.0)
        await until(44.0)
        numbers = client.sequence
        assert (numbers.recovered, numbers.lost) == ((1, 0) if is_kept else (0, 1))
        assert (43.0 in seen) is is_kept
        await node.write_value(42.0)


async def test_every_change_comes_where_the_queue_is_long_enough_else_the_newest(site):
    node = site.server.get_node("ns=1;s=Double")
    for queue, expected in ((100, [42.0, *map(float, range(20))]), (3, [42.0, 17.0, 18.0, 19.0])):
        seen: list[float | None] = []
        async with opened(site.settings("Basic256Sha256")) as client:
            await client.subscribe(
                ["ns=1;s=Double"], 0.5, lambda batch, seen=seen: seen.extend(r.value for _, r in batch), queue=queue
            )
            async with asyncio.timeout(PATIENCE_S):
                while not seen:  # noqa: ASYNC110 - it waits for the other side of a socket
                    await asyncio.sleep(0.02)
                for value in range(20):
                    await node.write_value(float(value))
                while seen[-1] != 19.0:  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0.02)
            assert seen == expected
            await node.write_value(42.0)
