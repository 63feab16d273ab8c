"""Our server and our client over real sockets: who gets in, who may write, and who is shown the door."""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from asyncua import ua
from asyncua.client.client import Client
from asyncua.ua.uaerrors import UaError

from gateway.clock import wall
from protocols.opcua import tools
from protocols.opcua.client import OpcUaClient
from protocols.opcua.errors import LinkDownError, UntrustedError
from protocols.opcua.guard import GuardError
from protocols.opcua.served import ServedUser, ServerSettings, Shown, Type, Value, Variable
from protocols.opcua.server import OpcUaServer
from protocols.opcua.settings import Connection, User, UserCertificate, UserName
from protocols.signals import Quality
from tests.protocols.opcua.pki import issue

pytestmark = [pytest.mark.sockets, pytest.mark.asyncio(loop_scope="module")]

PATIENCE_S = 15.0
SPACE = "urn:zone"
SERVER_URI, CLIENT_URI = "urn:server", "urn:client"
VARIABLES = (
    Variable(("Plant", "Power"), "Power", Type.NUMBER, "W"),
    Variable(("Plant", "Limit"), "Limit", Type.NUMBER, "W", is_writable=True),
    Variable(("Plant", "Until"), "Until", Type.TIME, "UTC", is_writable=True),
    Variable(("Plant", "State"), "State", Type.TEXT, "of the link"),
)


def node(name: str) -> str:
    return f"nsu={SPACE};s={name}"


class Site:
    """A server with certificates and users, and the files of those who come to it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.authority = issue("authority", is_authority=True)
        self.identity = issue("server", SERVER_URI, by=self.authority)
        self.server_files = self.identity.write(directory, "server")
        self.client_files = issue("client", CLIENT_URI).write(directory, "client")
        self.person = issue("person", "urn:person")
        self.person_files = self.person.write(directory, "person")
        self.clients, self.servers = directory / "clients", directory / "servers"
        for folder, trusted in ((self.clients, self.client_files[0]), (self.servers, None)):
            folder.mkdir()
            if trusted is not None:
                (folder / trusted.name).write_bytes(trusted.read_bytes())
        (self.servers / "authority.der").write_bytes(self.authority.der)
        self.alarms: list[str] = []
        self.wrote: list[tuple[str, dict[str, Value]]] = []
        self.server = OpcUaServer(self.settings(), VARIABLES, wall, self.written, self.alarms.append)

    def settings(self, **changes: object) -> ServerSettings:
        users = (
            ServedUser("viewer", password="see"),
            ServedUser("operator", is_operator=True, password="do"),
            ServedUser("person", is_operator=True, certificate=str(self.person_files[0])),
        )
        words = {
            "policies": ("Basic256Sha256", "Aes256Sha256RsaPss"),
            "certificate": str(self.server_files[0]),
            "key": str(self.server_files[1]),
            "trust": str(self.clients),
            "users": users,
            "anonymous": False,
        }
        return ServerSettings("127.0.0.1", 0, SPACE, SERVER_URI, "zone", **words | changes)

    async def written(self, who: str, values: Mapping[str, Value]) -> Mapping[str, str]:
        self.wrote.append((who, dict(values)))
        return {name: "BadOutOfRange" for name, value in values.items() if name == "Limit" and float(value) < 0}

    def connection(
        self, user: User | None = None, *, policy: str = "Aes256Sha256RsaPss", files: tuple[Path, Path] | None = None
    ) -> Connection:
        certificate, key = files or self.client_files
        security = f"{policy},SignAndEncrypt,{certificate},{key}"
        return Connection(self.server.url, 3.0, security, str(self.servers), user)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    made = Site(tmp_path_factory.mktemp("pki"))
    await made.server.prepare()
    await made.server.start()
    yield made
    await made.server.stop()


@pytest.fixture(autouse=True)
def _forget(site: Site) -> None:
    site.alarms.clear()
    site.wrote.clear()


VIEWER, OPERATOR = UserName("viewer", "see"), UserName("operator", "do")


@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes256Sha256RsaPss"])
async def test_what_is_shown_is_read_with_quality_and_source_time(site, policy):
    await site.server.show({"Power": Shown(42.0, Quality.ESTIMATED, 1e9), "State": Shown("online", at_s=1e9)})
    async with tools.connected(site.connection(VIEWER, policy=policy), wall) as client:
        power, state, limit = await client.read([node("Power"), node("State"), node("Until")])
    assert (power.value, power.quality, power.source_time_s) == (42.0, Quality.ESTIMATED, 1e9)
    assert (state.text, state.status) == ("online", "Good")
    assert limit.value == 0.0


@pytest.mark.parametrize("quality", list(Quality))
async def test_every_quality_comes_out_as_it_went_in(site, quality):
    await site.server.show({"Power": Shown(1.0, quality)})
    async with tools.connected(site.connection(VIEWER), wall) as client:
        (power,) = await client.read([node("Power")])
    assert power.quality is quality


@pytest.mark.parametrize(
    ("shown", "status"),
    [(Shown(None), "BadWaitingForInitialData"), (Shown(None, Quality.BAD), "BadNoCommunication")],
)
async def test_what_there_is_not_is_bad_and_no_number(site, shown, status):
    await site.server.show({"Power": shown})
    async with tools.connected(site.connection(VIEWER), wall) as client:
        (power,) = await client.read([node("Power")])
    assert (power.value, power.quality, power.status) == (None, Quality.BAD, status)


async def test_an_operator_writes_and_sees_it(site):
    async with tools.connected(site.connection(OPERATOR), wall) as client:
        await client.read([node("Limit"), node("Until")])
        codes = await client.write({node("Limit"): 5.0, node("Until"): 2e9})
        limit, until = await client.read([node("Limit"), node("Until")])
    assert set(codes.values()) == {"Good"}
    assert site.wrote == [("operator", {"Limit": 5.0, "Until": 2e9})]
    assert (limit.value, until.value) == (5.0, 2e9)


async def test_what_the_gateway_refuses_is_refused_by_name_and_not_kept(site):
    async with tools.connected(site.connection(OPERATOR), wall) as client:
        (before,) = await client.read([node("Limit")])
        assert await client.write({node("Limit"): -1.0}) == {node("Limit"): "BadOutOfRange"}
        (after,) = await client.read([node("Limit")])
    assert after.value == before.value


async def test_not_a_number_never_reaches_the_gateway(site):
    async with tools.connected(site.connection(OPERATOR), wall) as client:
        await client.read([node("Limit")])
        assert await client.write({node("Limit"): float("nan")}) == {node("Limit"): "BadOutOfRange"}
    assert site.wrote == []


async def test_a_viewer_and_a_reading_write_nothing(site):
    async with tools.connected(site.connection(VIEWER), wall) as client:
        assert (await tools.write(client, node("Limit"), 7.0)).status == "BadUserAccessDenied"
    await site.server.show({"Power": Shown(1.0)})
    async with tools.connected(site.connection(OPERATOR), wall) as client:
        assert (await tools.write(client, node("Power"), 7.0)).status == "BadNotWritable"
    assert site.wrote == []


async def test_a_person_with_a_certificate_writes(site):
    user = UserCertificate(str(site.person_files[0]), str(site.person_files[1]))
    async with tools.connected(site.connection(user), wall) as client:
        assert (await tools.write(client, node("Limit"), 6.0)).status == "Good"
    assert site.wrote == [("person", {"Limit": 6.0})]


async def turned_away(connection: Connection) -> str:
    with pytest.raises(LinkDownError) as found:
        async with tools.connected(connection, wall):
            pass
    return str(found.value)


@pytest.mark.parametrize("user", [UserName("operator", "wrong"), UserName("operator", ""), UserName("nobody", "do")])
async def test_a_wrong_password_and_an_unknown_name_get_no_session_and_are_told(site, user):
    assert "BadUserAccessDenied" in await turned_away(site.connection(user))
    assert site.alarms == [f"no session for `{user.name}`: unknown, or a wrong password"]


async def test_somebody_without_a_name_gets_no_session(site):
    assert "BadIdentityTokenRejected" in await turned_away(site.connection())


async def test_a_certificate_of_nobody_known_gets_no_session(site, tmp_path):
    stranger = issue("stranger", "urn:stranger").write(tmp_path, "stranger")
    assert "BadUserAccessDenied" in await turned_away(site.connection(UserCertificate(*map(str, stranger))))
    assert site.alarms == ["no session for a certificate of nobody known"]


async def test_the_certificate_of_an_operator_as_application_makes_no_operator(site):
    (site.clients / "person.der").write_bytes(site.person.der)
    try:
        assert "BadIdentityTokenRejected" in await turned_away(site.connection(files=site.person_files))
    finally:
        (site.clients / "person.der").unlink()


async def test_a_client_that_is_not_trusted_opens_no_channel_and_is_told(site, tmp_path):
    files = issue("stranger", "urn:stranger").write(tmp_path, "stranger")
    assert site.server.url in await turned_away(site.connection(VIEWER, files=files))
    assert any("CN=stranger" in alarm and "neither" in alarm for alarm in site.alarms)


async def test_trust_in_a_client_is_taken_up_and_taken_back_while_the_server_runs(site, tmp_path):
    files = issue("newcomer", "urn:newcomer").write(tmp_path, "newcomer")
    listed = site.clients / "newcomer.der"
    await turned_away(site.connection(VIEWER, files=files))
    listed.write_bytes(files[0].read_bytes())
    client = OpcUaClient(site.connection(VIEWER, files=files), wall)
    await client.open()
    site.server.review()
    assert (await client.read([node("State")]))[0].status == "Good"
    listed.unlink()
    site.server.review()
    with pytest.raises(LinkDownError, match="closed the connection"):
        await client.idle(PATIENCE_S)
    assert any("no longer trusted" in alarm and "CN=newcomer" in alarm for alarm in site.alarms)
    await client.close()


async def test_a_client_notices_that_its_server_is_no_longer_trusted(site):
    crl = site.servers / "authority.crl"
    client = OpcUaClient(site.connection(VIEWER), wall)
    await client.open()
    client.review()
    crl.write_bytes(site.authority.revoke([site.identity]))
    try:
        with pytest.raises(UntrustedError, match=r"revoked on .*CN=server"):
            client.review()
        with pytest.raises(UntrustedError, match="revoked on"):
            await OpcUaClient(site.connection(VIEWER), wall).open()
    finally:
        crl.unlink()
        await client.close()


async def test_a_server_that_is_not_trusted_is_told_neither_name_nor_password(site, tmp_path):
    connection = site.connection(OPERATOR)
    strict = Connection(connection.url, 3.0, connection.security, str(tmp_path), OPERATOR)
    with pytest.raises(UntrustedError, match=r"neither its certificate nor its authority .*CN=server"):
        await OpcUaClient(strict, wall).open()
    assert site.alarms == []


async def test_a_channel_without_security_finds_out_how_to_come_and_nothing_else(site):
    server = OpcUaServer(site.settings(anonymous=True), VARIABLES, wall, site.written, site.alarms.append)
    await server.prepare()
    await server.start()
    client = Client(server.url, timeout=3.0)  # one that cares for nobody's policies
    try:
        await client.connect_socket()
        await client.send_hello()
        await client.open_secure_channel()
        offered = {endpoint.SecurityPolicyUri.rpartition("#")[2] for endpoint in await client.get_endpoints()}
        assert offered == {"Basic256Sha256", "Aes256_Sha256_RsaPss"}
        session = ua.CreateSessionParameters(
            EndpointUrl=server.url, SessionName="in", RequestedSessionTimeout=60_000.0, ClientNonce=bytes(32)
        )
        await client.uaclient.create_session(session)
        anonymous = ua.ActivateSessionParameters(UserIdentityToken=ua.AnonymousIdentityToken(PolicyId="anonymous"))
        await client.uaclient.activate_session(anonymous)
        with pytest.raises(UaError, match="BadUserAccessDenied"):
            await client.nodes.namespace_array.read_value()
        with pytest.raises(UaError, match="BadUserAccessDenied"):
            await client.get_node("ns=2;s=Limit").write_value(1.0, ua.VariantType.Double)
    finally:
        client.disconnect_socket()
        await server.stop()
    assert site.wrote == []


async def test_nobody_adds_nodes(site):
    client = Client(site.server.url, timeout=3.0)
    client.set_user("operator")
    client.set_password("do")
    client.application_uri = CLIENT_URI
    certificate, key = site.client_files
    await client.set_security_string(f"Aes256Sha256RsaPss,SignAndEncrypt,{certificate},{key},{site.server_files[0]}")
    async with client:
        with pytest.raises(UaError):
            await client.nodes.objects.add_folder(2, "Mine")


def other_key(site: Site, tmp_path: Path) -> Mapping[str, object]:
    (tmp_path / "k.pem").write_bytes(b"gibberish")
    return {"key": str(tmp_path / "k.pem")}


def other_name(site: Site, tmp_path: Path) -> Mapping[str, object]:
    certificate, key = issue("other", "urn:other").write(tmp_path, "other")
    return {"certificate": str(certificate), "key": str(key)}


def no_person(site: Site, tmp_path: Path) -> Mapping[str, object]:
    return {"users": (ServedUser("p", certificate=str(tmp_path / "none.der")),)}


@pytest.mark.parametrize(
    ("make", "said"),
    [(other_key, "cannot be read"), (other_name, "is for urn:other, not for urn:server"), (no_person, "user p")],
)
async def test_a_server_whose_files_are_wrong_does_not_start(site, tmp_path, make: Callable, said):
    server = OpcUaServer(site.settings(**make(site, tmp_path)), VARIABLES, wall, site.written, site.alarms.append)
    with pytest.raises(GuardError, match=said):
        await server.prepare()


async def test_settings_that_protect_nothing_are_refused():
    common = ("127.0.0.1", 0, SPACE, SERVER_URI, "zone")
    with pytest.raises(ValueError, match="certificate, its key and a trust list"):
        ServerSettings(*common, policies=("Basic256Sha256",))
    with pytest.raises(ValueError, match="users need security"):
        ServerSettings(*common, users=(ServedUser("a", password="b"),))
    with pytest.raises(ValueError, match="nobody may open"):
        ServerSettings(*common, anonymous=False)
    with pytest.raises(ValueError, match="either a password or a certificate"):
        ServedUser("a")
