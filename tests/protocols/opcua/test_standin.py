"""A server in place of another: its namespaces, types and refusals, as a client finds them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.clock import wall
from protocols.opcua.errors import UnfitError
from protocols.opcua.model import Kind
from protocols.opcua.settings import Connection
from protocols.opcua.standin import Likeness, StandIn
from protocols.opcua.tools import connected
from protocols.opcua.values import Reading
from protocols.signals import Quality

FOLDERS = {
    "nsu=urn:plant;s=A": {"Power": "ns=4;s=A.Power", "Shared": "ns=4;s=Shared"},
    "ns=1;i=7": {"Shared": "ns=4;s=Shared", "Serial": "ns=1;s=Serial"},
    "i=85": {"Count": "ns=2;i=9"},
}
TYPES = {
    "ns=4;s=A.Power": "Float",
    "ns=4;s=Shared": "Boolean",
    "ns=1;s=Serial": "String",
    "ns=2;i=9": "UInt16",
    "nsu=urn:other;s=alone": "Double",
    "ns=4;s=unknown": "",
}
WRITABLE = frozenset({"ns=2;i=9", "ns=4;s=Shared"})


def good(value: float | None, kind: Kind | None, text: str = "") -> Reading:
    return Reading(value, Quality.GOOD, "Good", 1_000.5, kind, text)


@asynccontextmanager
async def standing(judged: list[tuple[str, float]]) -> AsyncIterator[StandIn]:
    def judge(node: str, value: float) -> str:
        judged.append((node, value))
        return "BadOutOfRange" if value > 100 else "Good"

    server = StandIn("127.0.0.1", 0, Likeness(FOLDERS, TYPES, WRITABLE), wall, judge)
    await server.prepare()
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.mark.sockets
async def test_a_client_finds_the_same_nodes_and_types_and_is_judged():
    judged: list[tuple[str, float]] = []
    async with standing(judged) as server, connected(Connection(server.url, 5.0), wall) as client:
        for folder, names in FOLDERS.items():
            found = await client.variables(folder)
            assert found.items() >= names.items()
        await server.show("ns=4;s=A.Power", good(2.5, Kind.FLOAT))
        await server.show("ns=4;s=Shared", good(1.0, Kind.BOOLEAN))
        await server.show("ns=1;s=Serial", good(None, None, "X-1"))
        await server.show("ns=2;i=9", good(70_000.0, Kind.INTEGER))
        await server.show("nsu=urn:other;s=alone", Reading(8.0, Quality.STALE, "UncertainLastUsableValue", None, None))
        readings = dict(zip(TYPES, await client.read(list(TYPES)), strict=True))
        assert readings["ns=4;s=A.Power"] == good(2.5, Kind.FLOAT)
        assert readings["ns=4;s=A.Power"].type == "Float"
        assert readings["ns=4;s=Shared"] == good(1.0, Kind.BOOLEAN)
        assert readings["ns=1;s=Serial"].text == "X-1"
        assert readings["ns=2;i=9"].status == "BadOutOfRange", "70,000 is no UInt16"
        alone = readings["nsu=urn:other;s=alone"]
        assert (alone.value, alone.quality, alone.source_time_s) == (8.0, Quality.STALE, None)
        assert readings["ns=4;s=unknown"].status == "BadWaitingForInitialData"

        await server.show("ns=2;i=9", good(7.0, Kind.INTEGER))
        await client.read(["ns=2;i=9"])
        codes = await client.write({"ns=2;i=9": 8.0, "ns=4;s=Shared": 0.0, "ns=4;s=A.Power": 1.0})
        assert list(codes.values()) == ["Good", "Good", "BadNotWritable"]
        assert await client.write({"ns=2;i=9": 101.0}) == {"ns=2;i=9": "BadOutOfRange"}
        assert [reading.value for reading in await client.read(["ns=2;i=9", "ns=4;s=Shared"])] == [8.0, 0.0]
        assert judged == [("ns=2;i=9", 8.0), ("ns=4;s=Shared", 0.0), ("ns=2;i=9", 101.0)]


@pytest.mark.parametrize("text", ["no node", "ns=4000;s=A"])
def test_what_no_server_has_is_told(text):
    with pytest.raises(UnfitError):
        StandIn("127.0.0.1", 0, Likeness({}, {text: "Double"}), wall, lambda _node, _value: "Good")
