"""What an engineer does by hand, at a server of the library's own."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.server.server import Server

from gateway.clock import wall
from protocols.opcua import channel, tools
from protocols.opcua.errors import LinkDownError, UnfitError
from protocols.opcua.settings import Connection
from protocols.opcua.values import Reading

pytestmark = [pytest.mark.sockets, pytest.mark.asyncio(loop_scope="module")]

PATIENCE_S = 15.0
PLANT = "nsu=urn:plant;s=Plant"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    made = Server()
    await made.init()
    made.set_endpoint("opc.tcp://127.0.0.1:0")
    made.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    index = await made.register_namespace("urn:plant")
    plant = await made.nodes.objects.add_folder(ua.NodeId("Plant", index), ua.QualifiedName("Plant", index))
    for name, value, kind in (("Power", 7, ua.VariantType.Int16), ("Maker", "ACME", ua.VariantType.String)):
        node = await plant.add_variable(ua.NodeId(name, index), ua.QualifiedName(name, index), value, kind)
        await node.set_writable()
    unit = await plant.add_folder(ua.NodeId("Unit", index), ua.QualifiedName("Unit", index))
    await unit.add_reference(node, ua.ObjectIds.Organizes)  # a second way to the same
    await made.start()
    yield made
    await made.stop()


def url(server: Server) -> str:
    return f"opc.tcp://127.0.0.1:{server.bserver.port}"


async def test_the_tree_shows_what_the_server_has_of_its_own_once_with_values(server):
    async with tools.connected(Connection(url(server)), wall) as client:
        found = await tools.tree(client, depth=9)
    shown = [(f.depth, f.entry.name, f.entry.node, f.entry.kind) for f in found]
    assert shown == [
        (0, "Plant", PLANT, "Object"),
        (1, "Power", "nsu=urn:plant;s=Power", "Variable"),
        (1, "Maker", "nsu=urn:plant;s=Maker", "Variable"),
        (1, "Unit", "nsu=urn:plant;s=Unit", "Object"),
    ]
    assert [f.reading and (f.reading.value, f.reading.text) for f in found] == [None, (7.0, ""), (None, "ACME"), None]


async def test_the_tree_ends_where_it_is_told_to(server):
    async with tools.connected(Connection(url(server)), wall) as client:
        assert len(await tools.tree(client, depth=1)) == 1
        assert len(await tools.tree(client, most=2)) == 2


async def test_a_write_goes_out_in_the_variables_type_and_tells_before_and_after(server):
    async with tools.connected(Connection(url(server)), wall) as client:
        done = await tools.write(client, "nsu=urn:plant;s=Power", 9.0)
        assert (done.status, done.before.value, done.after.value) == ("Good", 7.0, 9.0)
        assert (await tools.write(client, "nsu=urn:plant;s=Power", 7.0)).status == "Good"


@pytest.mark.parametrize(("node", "value"), [("Power", 1e6), ("Maker", 1.0), ("Nothing", 1.0)])
async def test_what_does_not_fit_is_not_sent(server, node, value):
    async with tools.connected(Connection(url(server)), wall) as client:
        with pytest.raises(UnfitError, match="nothing was sent"):
            await tools.write(client, f"nsu=urn:plant;s={node}", value)


async def test_a_watch_hears_every_change_until_the_server_goes(server):
    seen: list[float | None] = []
    got = asyncio.Event()

    def changed(batch: list[tuple[str, Reading]]) -> None:
        seen.extend(reading.value for _, reading in batch)
        got.set()

    async with tools.connected(Connection(url(server)), wall) as client, asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(tools.watch(client, ["nsu=urn:plant;s=Power"], 0.05, changed))
        async with asyncio.timeout(PATIENCE_S):
            for value in (7, 8, 9, 7):
                await server.get_node("ns=2;s=Power").write_value(value, ua.VariantType.Int16)
                while not seen or seen[-1] != value:
                    got.clear()
                    await got.wait()
        watching.cancel()
    assert [value for i, value in enumerate(seen) if i == 0 or value != seen[i - 1]] == [7.0, 8.0, 9.0, 7.0]


async def test_offers_name_policy_mode_and_users(server):
    (offer,) = await channel.offers(url(server), 5.0)
    assert (offer.policy, offer.mode) == ("None", "None")
    assert "UserName" in offer.tokens


async def test_nobody_there_is_said_with_the_address():
    with pytest.raises(LinkDownError, match=r"opc\.tcp://127\.0\.0\.1:1"):
        await channel.offers("opc.tcp://127.0.0.1:1", 1.0)
