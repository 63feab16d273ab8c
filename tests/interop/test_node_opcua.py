"""node-opcua on the other end, both ways: its server under our adapter, its client on our simulated device."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate

from config.endpoints import OpcUaEndpoint
from config.loader import load
from config.settings import ZoneFile
from gateway.clock import wall
from gateway.tape.adapters import recorded
from gateway.tape.opcua_device import PlayedServer
from gateway.tape.stage import Stage
from gateway.tape.words import Kind, Tape
from gateway.tape.words import read as read_tape
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.opcua import SimulatedOpcUaServer
from protocols.opcua.adapter import OpcUaAdapter
from protocols.opcua.channel import offers
from protocols.opcua.errors import LinkDownError, UntrustedError
from protocols.opcua.served import ServedUser, ServerSettings, Shown, Type, Value, Variable
from protocols.opcua.server import OpcUaServer
from protocols.opcua.settings import Connection, DerFolder, OpcUaSettings, User, UserName
from protocols.opcua.tools import connected
from protocols.opcua.values import Reading
from protocols.points import Point, Quantity
from protocols.signals import (
    Baseline,
    Bounds,
    Control,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Quality,
    Release,
    Signal,
)
from tests.gateway.coordination.build import measured
from tests.gateway.northbound.test_opcua import Site
from tests.interop import by_hand
from tests.interop.node_opcua_peer import NODE, NPM, PATIENCE_S, installed, node, said
from tests.protocols.opcua.pki import issue

pytestmark = [
    pytest.mark.interop,
    pytest.mark.sockets,
    pytest.mark.skipif(NODE is None or NPM is None, reason="node and npm are not installed"),
]

FOLDER = "nsu=urn:foreign:plant;s=A"


@pytest.fixture(scope="module")
def peer() -> Path:
    """Where node-opcua and our scripts for it lie."""
    return installed()


class Heard(list[Signal]):
    """Everything an adapter emitted."""

    async def until(self, wanted: Callable[[Signal], bool]) -> Signal:
        async with asyncio.timeout(PATIENCE_S):
            while not any(wanted(signal) for signal in self):  # noqa: ASYNC110 - it waits for another process
                await asyncio.sleep(0.02)
        return next(signal for signal in self if wanted(signal))


def is_value(quantity: Quantity, value: float, quality: Quality = Quality.GOOD) -> Callable[[Signal], bool]:
    point = Point("A", quantity)
    return lambda s: isinstance(s, Measurement) and (s.point, s.value, s.quality) == (point, value, quality)


def control(version: int, limit: Bounds, target_w: float | None = None) -> Control:
    now_s = wall()
    return Control(f"c{version}", "A", version, now_s, now_s + 60, limit, target_w, Bounds(None, 1e5))


def zone_with(device: str, url: str, folder: str) -> ZoneFile:
    """A zone of one device."""
    zone = load(Path("config/zones/r1_short.yaml"))
    endpoint = OpcUaEndpoint(protocol="opcua", url=url, node=folder, publishing_s=0.1)
    found = zone.devices[device].model_copy(update={"endpoint": endpoint})
    return zone.model_copy(update={"devices": {device: found}, "stations": {}})


async def test_our_adapter_reads_and_controls_their_server(peer, tmp_path):
    async with node(peer, "server.js", str(tmp_path)) as process:
        port = await said(process, str.isdecimal)
        settings = OpcUaSettings(f"opc.tcp://127.0.0.1:{port}", (DerFolder("A", FOLDER),), publishing_s=0.1)
        adapter, heard = OpcUaAdapter(settings, wall), Heard()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(adapter.run(heard.extend))
            await heard.until(lambda s: isinstance(s, LinkChanged) and s.state is LinkState.ONLINE)
            await heard.until(is_value(Quantity.ACTIVE_POWER_W, 1e6))
            await heard.until(is_value(Quantity.REACTIVE_POWER_VAR, 0.0, Quality.BAD))

            ack = await adapter.apply(control(3, Bounds(-0.1, 5e5), 1234.6))
            assert ack.outcome is Outcome.WRITTEN, ack
            assert ack.read_back["Target"] == 1235.0
            assert -0.1 <= ack.read_back["LimitMin"] < -0.0999999
            await heard.until(is_value(Quantity.ACTIVE_POWER_W, 5e5))
            await heard.until(is_value(Quantity.CEILING_W, 5e5))

            ack = await adapter.apply(control(4, Bounds(None, -1.0)))
            assert ack.outcome is Outcome.REJECTED
            assert "LimitMax BadOutOfRange" in ack.detail

            baseline = next(s for s in heard if isinstance(s, Baseline))
            ack = await adapter.apply(Release("r", "A", 5, baseline.values))
            assert ack.outcome is Outcome.WRITTEN, ack
            heard.clear()
            await heard.until(is_value(Quantity.ACTIVE_POWER_W, 1e6))

            process.kill()
            lost = await heard.until(lambda s: isinstance(s, LinkChanged) and s.state is LinkState.LOST)
            assert port in lost.detail
            running.cancel()


async def test_their_client_reads_and_controls_our_simulated_device(peer, tmp_path):
    device = SimulatedDevice(DeviceSpec("A", 1e6, initial_w=8e5), wall())
    server = SimulatedOpcUaServer("127.0.0.1", 0, wall, devices={"ns=2;s=A": device}, step_s=0.05)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run())
        async with asyncio.timeout(60):
            await server.started.wait()
        async with node(peer, "client.js", server.url, "ns=2;s=A", str(tmp_path)) as process:
            report = json.loads(await said(process, lambda line: line.startswith("{")))
        assert {"ActivePower", "LimitMax", "Version", "Result"} <= set(report["names"])
        assert report["seen"][0] == 8e5
        assert report["seen"][-1] == 3e5
        assert report["codes"] == ["Good"] * 4
        assert report["refused"] == ["BadUserAccessDenied"]
        assert device.limit == Bounds(None, 3e5)
        assert 50 < device.reversion_remaining_s <= 60
        serving.cancel()


async def test_our_tools_scan_read_and_write_their_server(peer, tmp_path):
    async with node(peer, "server.js", str(tmp_path)) as process:
        port = await said(process, str.isdecimal)
        ders = [found for found in await by_hand.scan(f"opc.tcp://127.0.0.1:{port}") if found.is_der]
        assert [str(found.endpoint["node"]).endswith(FOLDER.partition(";")[2]) for found in ders] == [True]
        target = f"opc.tcp://127.0.0.1:{port}?node={FOLDER}"
        assert (await by_hand.read(target, "ActivePower"))["ActivePower"].value == 1e6
        written = await by_hand.write(target, 60, LimitMax="400000")
        assert written.obeyed, written
        assert (await by_hand.read(target, "LimitMaxEnabled"))["LimitMaxEnabled"].value == 1


async def test_their_client_sees_their_server_in_a_recording_that_is_played(peer, tmp_path):
    async with node(peer, "server.js", str(tmp_path / "server")) as process:
        zone = zone_with("A", f"opc.tcp://127.0.0.1:{await said(process, str.isdecimal)}", FOLDER)
        (adapter,) = recorded(zone, wall, {}, lambda head: Tape.create(tmp_path / "tape", head, wall))
        heard = Heard()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(adapter.run(heard.extend))
            await heard.until(lambda s: isinstance(s, LinkChanged) and s.state is LinkState.ONLINE)
            for version, ceiling_w in enumerate((9e5, 8e5, 7e5, 6e5), start=1):
                assert (await adapter.apply(control(version, Bounds(None, ceiling_w)))).outcome is Outcome.WRITTEN
                await heard.until(is_value(Quantity.ACTIVE_POWER_W, ceiling_w))
            assert (await adapter.apply(control(5, Bounds(None, -1.0)))).outcome is Outcome.REJECTED
            running.cancel()
    recording, listening, hand = read_tape(tmp_path / "tape"), asyncio.Event(), [0.0]
    server = PlayedServer(Stage(recording, lambda: hand[0], speed=1.0, once=True), "127.0.0.1", 0, wall)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.run(listening))
        await listening.wait()
        nodes = server.folders[FOLDER]
        order = {
            "url": server.url.partition("?")[0],
            "directory": str(tmp_path / "pki"),
            "node": nodes["ActivePower"],
            "until": 6e5,
            "reads": [nodes[name] for name in ("ReactivePower", "LimitMax", "LimitMin", "Target", "Version")],
            "write": {"nodeId": nodes["LimitMax"], "dataType": "Double", "value": -1.0},
        }
        async with node(peer, "watch.js", json.dumps(order)) as process:
            await said(process, lambda line: line == "watching")
            for line in recording.of(Kind.READ, Kind.EVENT):
                hand[0] = line.at_s
                await asyncio.sleep(0.05)
            report = json.loads(await said(process, lambda line: line.startswith("{")))
        serving.cancel()
    values, statuses, times = zip(*report["seen"], strict=True)
    assert list(dict.fromkeys(values)) == sorted(set(values), reverse=True) == [1e6, 9e5, 8e5, 7e5, 6e5]
    assert set(statuses) == {"Good"}
    assert list(times) == sorted(times)
    assert [kind for _, kind in report["reads"]] == ["Float", "Double", "Float", "Int32", "UInt32"]
    assert (report["reads"][0][0], report["code"]) == (None, "BadOutOfRange")


ITEMS, ROUNDS, PAUSE_MS = 1000, 20, 50
COUNTERS = [f"nsu=urn:foreign:counters;s=N{i}" for i in range(ITEMS)]
USER = UserName("gateway", "correct horse")


@dataclass
class Ours:
    """Who we are at their server, and whom we trust."""

    certificate: Path
    key: Path
    trust: Path

    def connection(self, port: str, user: User | None, *, policy: str = "Aes256Sha256RsaPss") -> Connection:
        security = f"{policy},SignAndEncrypt,{self.certificate},{self.key}" if policy else ""
        return Connection(f"opc.tcp://127.0.0.1:{port}", 10.0, security, str(self.trust) if policy else "", user)


@pytest.fixture
def ours(tmp_path: Path) -> Ours:
    certificate, key = issue("ampacity", "urn:ampacity:test", usage=True).write(tmp_path, "ampacity")
    (tmp_path / "trust").mkdir()
    return Ours(certificate, key, tmp_path / "trust")


async def trusted(ours: Ours, port: str) -> None:
    """Put the certificate that the server shows into the trust list, as an engineer does who has compared it."""
    offer = next(o for o in await offers(f"opc.tcp://127.0.0.1:{port}", PATIENCE_S) if o.policy == "Aes256Sha256RsaPss")
    (ours.trust / "server.der").write_bytes(offer.server.chain[0].public_bytes(Encoding.DER))


@pytest.mark.parametrize("policy", ["", "Aes256Sha256RsaPss"], ids=["None", "Aes256_Sha256_RsaPss"])
async def test_our_client_hears_every_change_of_a_thousand_variables_of_their_server(peer, tmp_path, ours, policy):
    seen: dict[str, list[float | None]] = {name: [] for name in COUNTERS}

    def changed(batch: Sequence[tuple[str, Reading]]) -> None:
        for name, reading in batch:
            seen[name].append(reading.value)

    async def all_at(value: float) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not all(values and values[-1] == value for values in seen.values()):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    options = [str(tmp_path / "pki"), str(ours.certificate), *([] if policy else ["anonymous"])]
    async with node(peer, "counters.js", *options) as process:
        port = await said(process, str.isdecimal)
        if policy:
            await trusted(ours, port)
        async with connected(ours.connection(port, USER if policy else None, policy=policy), wall) as client:
            assert await client.subscribe(COUNTERS, 0.1, changed, queue=1000) == {}
            await all_at(0.0)
            process.stdin.write(f"{ROUNDS} {PAUSE_MS}\n".encode())
            await said(process, lambda line: line == f"counted {ROUNDS}")
            await all_at(float(ROUNDS))
            assert (client.sequence.lost, client.sequence.recovered, client.sequence.overflows) == (0, 0, 0)
            assert client.sequence.received > 1
    assert sum(len(values) for values in seen.values()) == ITEMS * (ROUNDS + 1)
    assert all(values == [float(v) for v in range(ROUNDS + 1)] for values in seen.values())


async def test_their_server_is_refused_until_it_is_trusted_and_refuses_strangers_and_wrong_passwords(
    peer, tmp_path, ours
):
    async with node(peer, "counters.js", str(tmp_path / "pki"), str(ours.certificate)) as process:
        port = await said(process, str.isdecimal)

        async def refusal(connection: Connection) -> LinkDownError:
            with pytest.raises(LinkDownError) as caught:
                async with connected(connection, wall):
                    pass
            return caught.value

        unknown = await refusal(ours.connection(port, USER))
        assert isinstance(unknown, UntrustedError)
        assert "neither its certificate nor its authority is in the trust list" in str(unknown)
        await trusted(ours, port)
        assert "BadUserAccessDenied" in str(await refusal(ours.connection(port, UserName("gateway", "wrong"))))
        assert "BadIdentityToken" in str(await refusal(ours.connection(port, None)))
        stranger, key = issue("stranger", "urn:stranger", usage=True).write(tmp_path, "stranger")
        refused = await refusal(Ours(stranger, key, ours.trust).connection(port, USER))
        assert "it opens no channel for us; see whether it trusts our certificate" in str(refused)
        async with connected(ours.connection(port, USER), wall) as client:
            assert (await client.read(COUNTERS[:1]))[0].value == 0.0


class ControlRoom:
    """Their client with a certificate, and the server of ours that it comes to."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.theirs = issue("control room", "urn:control:room", usage=True)
        self.files = self.theirs.write(directory, "room")
        (directory / "room.crt").write_bytes(self.theirs.certificate.public_bytes(Encoding.PEM))
        self.own = issue("zone", "urn:ampacity:R1", usage=True).write(directory, "zone")
        (directory / "clients").mkdir()
        (directory / "clients" / "room.der").write_bytes(self.theirs.der)

    def settings(self, *, secured: bool) -> ServerSettings:
        address = ("127.0.0.1", 0, "urn:ampacity:R1:zone", "urn:ampacity:R1", "Ampacity R1")
        if not secured:
            return ServerSettings(*address)
        certificate, key = map(str, self.own)
        return ServerSettings(
            *address,
            policies=("Aes256Sha256RsaPss",),
            certificate=certificate,
            key=key,
            trust=str(self.directory / "clients"),
            users=(ServedUser("ops", is_operator=True, password="do"),),
            anonymous=False,
        )

    def order(self, url: str, *, secured: bool, **words: object) -> str:
        """What their client is to do, as its one argument."""
        security = {
            "certificate": str(self.directory / "room.crt"),
            "key": str(self.files[1]),
            "server": str(self.own[0]),
            "uri": "urn:control:room",
            "user": "ops",
            "password": "do",
        }
        common = {"url": url, "directory": str(self.directory / "pki"), "watch": [], "writes": [], "reads": []}
        return json.dumps({**common, **(security if secured else {}), **words})


@pytest.mark.parametrize("secured", [False, True], ids=["None", "Aes256_Sha256_RsaPss"])
async def test_their_client_hears_every_change_of_a_thousand_variables_of_our_server(peer, tmp_path, secured):
    room = ControlRoom(tmp_path)
    variables = [Variable((f"F{i // 100}", f"N{i}"), f"N{i}", Type.NUMBER, "counts") for i in range(ITEMS)]

    async def nobody(_who: str, _values: Mapping[str, Value]) -> Mapping[str, str]:
        raise AssertionError("nothing here is writable")

    alarms: list[str] = []
    server = OpcUaServer(room.settings(secured=secured), variables, wall, nobody, alarms.append)
    await server.prepare()
    await server.show({variable.node: Shown(0) for variable in variables})
    await server.start()
    try:
        watch = [f"ns=2;s=N{i}" for i in range(ITEMS)]
        order = room.order(server.url, secured=secured, watch=watch, last=ROUNDS)
        async with node(peer, "control_room.js", order) as process:
            await said(process, lambda line: line == "watching")
            for value in range(1, ROUNDS + 1):
                await server.show({variable.node: Shown(value, at_s=wall()) for variable in variables})
                await asyncio.sleep(PAUSE_MS / 1000)
            report = json.loads(await said(process, lambda line: line.startswith("{")))
    finally:
        await server.stop()
    assert alarms == []
    assert (report["values"], report["disordered"]) == (ITEMS * ROUNDS, 0)


async def test_their_control_room_reads_our_zone_and_instructs_a_device(peer, tmp_path):
    site = Site(tmp_path)
    site.image.fold(measured("A", 0.7e6, wall()))
    certificate = tmp_path / "client.crt"
    certificate.write_bytes(load_der_x509_certificate(site.files[0].read_bytes()).public_bytes(Encoding.PEM))
    await site.server.prepare()
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(site.server.run())
        while site.server.url.endswith(":0"):  # noqa: ASYNC110 - until the port is bound
            await asyncio.sleep(0.02)
        until_s = round(wall() + 60)
        asked = [("LimitMax", "Double", 1e6), ("LimitMaxEnabled", "Boolean", True), ("ValidUntil", "DateTime", until_s)]
        writes = [
            {"nodeId": f"ns=2;s=Devices/A/Operator/{name}", "dataType": kind, "value": value}
            for name, kind, value in (*asked, ("Version", "Int64", 1))
        ]
        reads = [f"ns=2;s={name}" for name in ("Devices/A/ActivePower", "Devices/A/Limit/Max", "Health/Zone")]
        reports = {}
        for user, password in (("see", "see"), ("ops", "do")):
            order = {
                "url": site.server.url,
                "directory": str(tmp_path / "pki"),
                "certificate": str(certificate),
                "key": str(site.files[1]),
                "server": str(site.trust / "trusted.der"),
                "uri": "urn:scada",
                "user": user,
                "password": password,
                "watch": [],
                "writes": writes,
                "reads": reads,
            }
            async with node(peer, "control_room.js", json.dumps(order)) as process:
                reports[user] = json.loads(await said(process, lambda line: line.startswith("{")))
        serving.cancel()
    assert reports["see"]["codes"] == ["BadUserAccessDenied"] * 4
    assert reports["see"]["reads"] == [[0.7e6, "Good"], [2.5e6, "Good"], ["R1", "Good"]]
    assert reports["ops"]["codes"] == ["Good"] * 4
    instruction = site.ledger.book.operator["A"]
    assert (instruction.limit, instruction.source) == (Bounds(None, 1e6), "ops over OPC UA")
    assert instruction.expires_s == pytest.approx(until_s, abs=1.0)
