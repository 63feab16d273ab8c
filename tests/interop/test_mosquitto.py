"""Our MQTT adapter and the simulated device through Eclipse Mosquitto: both versions, TLS, wills and message expiry."""

import asyncio
import json
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.clock import wall
from gateway.testbed.broker import free_port
from gateway.testbed.device import DeviceSpec, SimulatedDevice
from gateway.testbed.mqtt import SimulatedMqttDevice
from gateway.testbed.sparkplug import SimulatedSparkplugNode
from protocols.mqtt.adapter import MqttAdapter
from protocols.mqtt.client import LinkDownError, MqttClient
from protocols.mqtt.settings import DerTopics, MqttSettings
from protocols.mqtt.sparkplug.adapter import SparkplugAdapter
from protocols.mqtt.sparkplug.settings import SparkplugDer, SparkplugSettings
from protocols.mqtt.sparkplug.topics import Source
from protocols.signals import Bounds, Control, LinkChanged, LinkState, Measurement, Outcome, Signal
from tests.gateway.tape.sparkplug_follower import following, follows_in_order
from tests.gateway.tape.sparkplug_session import whole
from tests.interop import by_hand

PUB, SUB = shutil.which("mosquitto_pub"), shutil.which("mosquitto_sub")
MOSQUITTO = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")

pytestmark = [
    pytest.mark.interop,
    pytest.mark.sockets,
    pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed"),
]

HOST = "127.0.0.1"
PATIENCE_S = 15.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a self-signed certificate for the loopback address and its key."""
    directory = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")])
    now = datetime.fromtimestamp(wall(), UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (directory / "broker.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (directory / "broker.key").write_bytes(private)
    return directory


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, certificate: Path) -> Iterator[tuple[int, int]]:
    """A plain and a TLS port of a running broker."""
    plain, tls = free_port(), free_port()
    config = tmp_path_factory.mktemp("mosquitto") / "mosquitto.conf"
    config.write_text(
        f"user root\nper_listener_settings false\nallow_anonymous true\npersistence false\n"
        f"listener {plain} {HOST}\n"
        f"listener {tls} {HOST}\ncertfile {certificate / 'broker.pem'}\nkeyfile {certificate / 'broker.key'}\n"
    )
    with subprocess.Popen([str(MOSQUITTO), "-c", str(config)], stderr=subprocess.DEVNULL) as broker:
        try:
            for port in (plain, tls):
                listening(port)
            yield plain, tls
        finally:
            broker.terminate()


def listening(port: int) -> None:
    """Return once the broker lets somebody in."""
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"{MOSQUITTO} does not listen on {port}")


def settings_for(port: int, prefix: str) -> MqttSettings:
    return MqttSettings(
        HOST,
        port,
        (DerTopics("A", prefix),),
        client_id=f"gateway-{prefix}",
        state_topic=f"{prefix}/gateway",
        timeout_s=1.0,
        reconnect_max_s=0.3,
    )


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():  # noqa: ASYNC110 - it waits for the other side of a socket
            await asyncio.sleep(0.01)


class Site:
    """A simulated device, an adapter, and what it said."""

    def __init__(self, settings: MqttSettings, port: int) -> None:
        self.device = SimulatedDevice(DeviceSpec("A", 1e6, initial_w=8e5), wall())
        self.face = SimulatedMqttDevice(
            HOST,
            port,
            settings.ders[0].prefix,
            self.device,
            wall,
            version=settings.version,
            step_s=0.05,
            gateway_topic=settings.state_topic,
        )
        self.adapter = MqttAdapter(settings, wall)
        self.heard: list[Signal] = []

    async def until_link(self, state: LinkState) -> None:
        await eventually(lambda: any(isinstance(s, LinkChanged) and s.state is state for s in self.heard))


@asynccontextmanager
async def running(settings: MqttSettings, port: int) -> AsyncIterator[Site]:
    site = Site(settings, port)
    async with asyncio.TaskGroup() as tasks:
        face = tasks.create_task(site.face.run())
        async with asyncio.timeout(PATIENCE_S):
            await site.face.started.wait()
        adapter = tasks.create_task(site.adapter.run(site.heard.extend))
        try:
            await site.until_link(LinkState.ONLINE)
            yield site
        finally:
            adapter.cancel()
            face.cancel()


def control(lease_s: float = 60.0) -> Control:
    now_s = wall()
    return Control("c", "A", 1, now_s, now_s + lease_s, Bounds(None, 5e5), 4e5, Bounds(None, 1e5))


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_control_goes_there_and_its_answer_comes_back(ports, version):
    settings = replace(settings_for(ports[0], f"plain-{version}"), version=version)
    async with running(settings, ports[0]) as site:
        ack = await site.adapter.apply(control())
        assert ack.outcome is Outcome.WRITTEN, ack
        assert site.device.power_w == 4e5
        site.heard.clear()
        site.device.faults.drop_link = True
        await site.until_link(LinkState.LOST)
        site.device.faults.drop_link = False
        await site.until_link(LinkState.ONLINE)


async def test_tls_with_the_right_authority_works_and_without_it_nothing_is_sent(ports, certificate):
    settings = replace(settings_for(ports[1], "secure"), tls=True)
    stranger = MqttClient(settings, b"", lambda *_: None)
    with pytest.raises(LinkDownError, match="certificate verify failed"):
        await stranger.open()
    stranger.close()
    trusted = replace(settings, ca_file=str(certificate / "broker.pem"))
    async with running(trusted, ports[0]) as site:
        ack = await site.adapter.apply(control())
        assert ack.outcome is Outcome.WRITTEN, ack


async def test_many_messages_in_one_tls_record_are_all_read(ports, certificate):
    settings = replace(settings_for(ports[1], "burst"), tls=True, ca_file=str(certificate / "broker.pem"))
    heard: list[bytes] = []
    listener = MqttClient(settings, b"", lambda _topic, payload, _retained: heard.append(payload))
    speaker = MqttClient(replace(settings, client_id="speaker"), b"", lambda *_: None)
    await listener.open()
    await speaker.open()
    await listener.subscribe(["burst/telemetry"])
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as tasks:
        for number in range(200):
            tasks.create_task(speaker.publish("burst/telemetry", str(number).encode()))
    await eventually(lambda: len(heard) == 200)
    assert heard == [str(number).encode() for number in range(200)]
    listener.close()
    speaker.close()


async def test_the_broker_drops_a_limit_whose_lease_has_run_out(ports):
    settings = settings_for(ports[0], "expiry")
    async with running(settings, ports[0]) as site:
        assert (await site.adapter.apply(control(lease_s=1.5))).outcome is Outcome.WRITTEN
    retained: list[str] = []

    async def look() -> list[str]:
        retained.clear()
        late = MqttClient(replace(settings, client_id="late"), b"", lambda topic, _p, _r: retained.append(topic))
        await late.open()
        await late.subscribe(["expiry/limit", "expiry/setpoint", "expiry/state"])
        await eventually(lambda: "expiry/state" in retained)
        late.close()
        return retained

    assert "expiry/limit" in await look()
    async with asyncio.timeout(PATIENCE_S):
        while await look() != ["expiry/state"]:  # noqa: ASYNC110 - it waits for the other side of a socket
            await asyncio.sleep(0.1)


async def shell(*command: str) -> str:
    """What a command of Mosquitto's says, which has to end well."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(PATIENCE_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, command
    return said.decode()


@pytest.mark.skipif(PUB is None or SUB is None, reason="mosquitto-clients are not installed")
async def test_a_device_made_of_their_command_line_tools(ports):
    settings = replace(settings_for(ports[0], "tools"), timeout_s=5.0)
    where = ("-h", HOST, "-p", str(ports[0]), "-V", "5")

    async def say(leaf: str, message: str) -> None:
        await shell(str(PUB), *where, "-q", "1", "-t", f"tools/{leaf}", "-m", message)

    adapter, heard = MqttAdapter(settings, wall), list[Signal]()
    async with asyncio.TaskGroup() as tasks:
        running_ = tasks.create_task(adapter.run(heard.extend))
        online = await shell(str(SUB), *where, "-t", "tools/gateway", "-C", "1", "-W", "10")
        assert json.loads(online) == {"state": "online"}
        await say("state", '{"state": "online", "in_force": {}}')
        await say("telemetry", '{"time": 1000, "values": {"active_power_w": 8e5}}')
        await eventually(lambda: any(isinstance(s, Measurement) and s.value == 8e5 for s in heard))

        applying = tasks.create_task(adapter.apply(replace(control(), target_w=None)))
        order = json.loads(await shell(str(SUB), *where, "-t", "tools/limit", "-C", "1", "-W", "10"))
        assert order["ceiling_w"] == 5e5
        answer = {"control_id": "c", "version": 1, "status": "started", "in_force": order}
        await say("ack", json.dumps(answer))
        ack = await applying
        assert ack.outcome is Outcome.WRITTEN, ack
        running_.cancel()


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_sparkplug_device_is_controlled_and_its_death_is_the_broker_s_word(
    ports, certificate, version, secured
):
    device = SimulatedDevice(DeviceSpec("A", 1e6, initial_w=8e5), wall())
    group, heard = f"spb{version[0]}{'s' if secured else ''}", list[Signal]()
    node = SimulatedSparkplugNode(
        HOST,
        ports[0],
        group,
        "n",
        wall,
        devices={"d": device},
        version=version,
        step_s=0.05,
        primary_host=f"host-{group}",
    )
    settings = SparkplugSettings(
        HOST,
        ports[secured],
        (SparkplugDer("A", Source(group, "n", "d")),),
        version=version,
        tls=secured,
        ca_file=str(certificate / "broker.pem") if secured else "",
        client_id=f"host-{group}",
        host_id=f"host-{group}",
        timeout_s=2.0,
        reconnect_max_s=0.3,
    )
    adapter = SparkplugAdapter(settings, wall)

    async def until_link(state: LinkState) -> None:
        await eventually(lambda: any(isinstance(s, LinkChanged) and s.state is state for s in heard))

    async with asyncio.TaskGroup() as tasks:
        running_ = [tasks.create_task(node.run()), tasks.create_task(adapter.run(heard.extend))]
        await until_link(LinkState.ONLINE)
        ack = await adapter.apply(control())
        async with asyncio.timeout(PATIENCE_S):
            while "nothing was sent" in ack.detail:  # between the birth and the rebirth that the host asked for
                await asyncio.sleep(0.05)
                ack = await adapter.apply(control())
        assert ack.outcome is Outcome.WRITTEN, ack
        assert device.power_w == 4e5
        heard.clear()
        device.faults.drop_link = True
        await until_link(LinkState.LOST)
        device.faults.drop_link = False
        await until_link(LinkState.ONLINE)
        for task in running_:
            task.cancel()


async def test_a_sparkplug_host_does_not_speak_to_a_broker_that_nobody_vouches_for(ports):
    der, heard = SparkplugDer("A", Source("g", "n", "d")), list[Signal]()
    settings = SparkplugSettings(HOST, ports[1], (der,), client_id="wary", tls=True, reconnect_max_s=0.3)
    async with asyncio.TaskGroup() as tasks:
        running_ = tasks.create_task(SparkplugAdapter(settings, wall).run(heard.extend))
        await eventually(lambda: bool(heard))
        running_.cancel()
    (change,) = heard
    assert isinstance(change, LinkChanged)
    assert change.state is LinkState.LOST
    assert "certificate verify failed" in change.detail


@pytest.mark.skipif(PUB is None or SUB is None, reason="mosquitto-clients are not installed")
async def test_our_tools_hear_what_their_command_line_publishes(ports, certificate):
    plain, tls = ports
    message = '{"values": {"active_power_w": 1234.5}}'
    await shell(str(PUB), "-p", str(plain), "-t", "byhand/a/telemetry", "-m", message, "-r", "-q", "1")
    listening_s = "telemetry_s=0.3&timeout_s=1"
    found = await by_hand.scan(f"mqtt://{HOST}:{plain}?{listening_s}")
    assert "byhand/a" in [one.address for one in found]
    secured = f"mqtts://{HOST}:{tls}/byhand/a?ca_file={certificate / 'broker.pem'}&{listening_s}"
    items = await by_hand.read(secured, "telemetry")
    assert items["telemetry:values.active_power_w"].value == 1234.5
    written = await by_hand.write(f"mqtt://{HOST}:{plain}/byhand/a?{listening_s}", 30, note="hello")
    assert [item.value for item in written.effective] == ["hello"]


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_our_adapter_follows_a_recorded_sparkplug_node_in_order(ports, version, tmp_path):
    await follows_in_order(whole().recording(tmp_path / "node.jsonl"), ports[0], version)


async def test_a_recorded_sparkplug_node_refuses_a_command_as_then(ports, tmp_path):
    async with following(whole().recording(tmp_path / "node.jsonl"), ports[0], speed=5.0) as follower:
        await follower.at_end()
        ack = await follower.adapter.apply(replace(control(), target_w=None))
    assert (ack.outcome, ack.detail) == (Outcome.REJECTED, "not today")
