"""The zone over OPC UA: read by everybody, instructed by operators through the desk, and never around its rules."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.clock import wall
from gateway.coordination.book import Book
from gateway.desk import Desk
from gateway.ledger import Ledger
from gateway.narrate import Narrator
from gateway.northbound.opcua import Serving, ZoneServer
from gateway.northbound.opcua_space import Picture, device_node
from gateway.snapshot import Image
from protocols.opcua import tools
from protocols.opcua.client import OpcUaClient
from protocols.opcua.served import ServedUser, ServerSettings
from protocols.opcua.settings import Connection, UserName
from protocols.signals import Bounds
from tests.gateway.coordination.build import MW, measured, zone
from tests.gateway.test_loop import FakeJournal
from tests.protocols.opcua.pki import issue

pytestmark = [pytest.mark.sockets, pytest.mark.asyncio(loop_scope="module")]

URI = "urn:ampacity:R1"
PATIENCE_S = 15.0


def node(name: str, folder: str = "Operator", device: str = "A") -> str:
    return f"nsu={URI}:zone;s={device_node(device, name, folder)}"


class Site:
    """A server over a book that a desk writes, and whoever comes to it."""

    def __init__(self, directory: Path) -> None:
        self.image, self.facts = Image({"A": 1e6, "B": 1e6}), zone()
        self.journal, say = FakeJournal(), Narrator(self.facts)
        self.ledger = Ledger(self.journal, Book(), say)
        self.woken = 0
        desk = Desk(self.facts, self.ledger, wall, say, self.wake)
        own = issue("server", URI, usage=True).write(directory, "server")
        self.files = issue("client", "urn:scada", usage=True).write(directory, "client")
        for name, trusted in (("clients", self.files[0]), ("servers", own[0])):
            (directory / name).mkdir()
            (directory / name / "trusted.der").write_bytes(trusted.read_bytes())
        self.trust = directory / "servers"
        users = (ServedUser("ops", is_operator=True, password="do"), ServedUser("see", password="see"))
        settings = ServerSettings(
            "127.0.0.1",
            0,
            f"{URI}:zone",
            URI,
            "Ampacity R1",
            ("Aes256Sha256RsaPss",),
            str(own[0]),
            str(own[1]),
            str(directory / "clients"),
            users,
        )
        self.alarms: list[str] = []
        self.server = ZoneServer(Serving(settings, self.facts, (), 0.05), self.picture, desk, wall, self.alarms.append)

    def wake(self) -> None:
        self.woken += 1

    def picture(self) -> Picture:
        return Picture(self.facts, self.ledger.book, self.image.freeze(wall()))

    @asynccontextmanager
    async def session(self, name: str = "ops", password: str = "do") -> AsyncIterator[OpcUaClient]:
        security = f"Aes256Sha256RsaPss,SignAndEncrypt,{self.files[0]},{self.files[1]}"
        connection = Connection(self.server.url, 3.0, security, str(self.trust), UserName(name, password))
        async with tools.connected(connection, wall) as client:
            yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    made = Site(tmp_path_factory.mktemp("pki"))
    await made.server.prepare()
    serving = asyncio.get_running_loop().create_task(made.server.run())
    while made.server.url.endswith(":0"):  # noqa: ASYNC110 - until the port is bound
        await asyncio.sleep(0.02)
    yield made
    serving.cancel()
    await asyncio.wait([serving])


async def shows(client: OpcUaClient, name: str, value: float | str, folder: str = "Operator") -> None:
    """Return once a variable of device A shows a value."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            (reading,) = await client.read([node(name, folder)])
            if value in (reading.value, reading.text):
                return
            await asyncio.sleep(0.02)


async def ask(client: OpcUaClient, **values: float) -> dict[str, str]:
    """Write variables of the operator's folder in one call, `Version` being the next one unless given."""
    (version,) = await client.read([node("Version")])
    wanted = {"Version": (version.value or 0.0) + 1} | values
    await client.read([node(name) for name in wanted])
    codes = await client.write({node(name): value for name, value in wanted.items()})
    return {name: codes[node(name)] for name in wanted}


async def test_a_control_room_sees_a_measurement_move(site):
    async with site.session("see", "see") as client:
        for power_w in (1.0 * MW, 2.0 * MW):
            site.image.fold(measured("A", power_w, wall()))
            await shows(client, "ActivePower", power_w, "")


async def test_the_tree_is_found_by_browsing_from_the_top(site):
    async with site.session("see", "see") as client:
        found = [f.entry.name for f in await tools.tree(client, depth=3)]
    assert found[0] == "Ampacity"
    assert {"Devices", "Health", "A", "B", "LastSolved"} <= set(found)


async def test_an_operators_instruction_is_on_the_disk_before_it_is_good(site):
    async with site.session() as client:
        until_s = wall() + 60
        codes = await ask(client, LimitMax=1.0 * MW, LimitMaxEnabled=1.0, ValidUntil=until_s)
        assert set(codes.values()) == {"Good"}
        assert site.journal.kinds()[-1] == "operated"
        asked = site.ledger.book.operator["A"]
        assert (asked.limit, asked.target_w, asked.source) == (Bounds(None, 1.0 * MW), None, "ops over OPC UA")
        assert asked.expires_s == pytest.approx(until_s, abs=1.0)
        assert site.woken > 0
        await shows(client, "Result", "taken")
        await shows(client, "InForce", 1.0)
        withdrawn = await ask(client, LimitMaxEnabled=0.0)
        assert withdrawn["Version"] == "Good"
        await shows(client, "InForce", 0.0)
        assert site.ledger.book.operator["A"].is_withdrawal


async def test_values_written_before_count_when_the_version_comes(site):
    async with site.session() as client:
        await client.read([node(name) for name in ("Target", "TargetEnabled", "ValidUntil")])
        await client.write({node("Target"): 0.5 * MW, node("TargetEnabled"): 1.0, node("ValidUntil"): wall() + 60})
        before = site.ledger.book.operator.get("A")
        assert before is None or before.is_withdrawal
        assert (await ask(client))["Version"] == "Good"
        assert site.ledger.book.operator["A"].target_w == 0.5 * MW
        await ask(client, TargetEnabled=0.0)


async def test_who_has_not_seen_the_newest_instruction_overwrites_nothing(site):
    async with site.session() as client:
        before = site.ledger.book.operator.get("A")
        codes = await ask(client, Target=1.0, TargetEnabled=1.0, ValidUntil=wall() + 60, Version=99.0)
        assert codes["Version"] == "BadInvalidState"
        assert site.ledger.book.operator.get("A") == before
        await shows(client, "Result", f"Version 99 is not the next one, which is {before.version + 1 if before else 1}")
        await client.write({node("TargetEnabled"): 0.0})


@pytest.mark.parametrize(
    ("values", "code", "said"),
    [
        ({"TargetEnabled": 1.0, "ValidUntil": 1e9}, "BadOutOfRange", "ValidUntil must lie ahead"),
        ({"TargetEnabled": 0.0}, "BadNothingToDo", "every switch is off"),
    ],
)
async def test_what_cannot_be_asked_is_refused_and_said(site, values, code, said):
    async with site.session() as client:
        assert (await ask(client, **values))["Version"] == code
        async with asyncio.timeout(PATIENCE_S):
            while said not in (await client.read([node("Result")]))[0].text:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await client.read([node("TargetEnabled")])
        await client.write({node("TargetEnabled"): 0.0})


async def test_what_the_desk_refuses_is_refused_here(site):
    async with site.session() as client:
        wanted = {"TargetEnabled": 1.0, "ValidUntil": wall() + 60, "Version": 1.0}
        nodes = {node(name, device="B"): value for name, value in wanted.items()}
        await client.read(list(nodes))
        codes = await client.write(nodes)
        assert codes[node("Version", device="B")] == "BadInvalidArgument"
        assert "B" not in site.ledger.book.operator


async def test_a_journal_that_cannot_be_written_takes_no_instruction(site):
    async with site.session() as client:
        before = site.ledger.book.operator.get("A")
        site.journal.full = True
        codes = await ask(client, LimitMax=1.0, LimitMaxEnabled=1.0, ValidUntil=wall() + 60)
        site.journal.full = False
        assert codes["Version"] == "BadResourceUnavailable"
        assert site.ledger.book.operator.get("A") == before
        await client.write({node("LimitMaxEnabled"): 0.0})


async def test_a_viewer_instructs_nobody(site):
    async with site.session("see", "see") as client:
        codes = await ask(client, LimitMaxEnabled=1.0, ValidUntil=wall() + 60)
    assert set(codes.values()) == {"BadUserAccessDenied"}
