"""TLS, HTTP and the port over real sockets."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp
import pytest
from aiohttp import web

from gateway.clock import wall
from ieee2030_5 import resources as r
from ieee2030_5.adapter import UtilityServer
from ieee2030_5.codec import parse, render
from ieee2030_5.pki import make_pki
from ieee2030_5.records import KeepError, Record, from_json, to_json
from ieee2030_5.tree import MEDIA_TYPE
from protocols.signals import (
    Ack,
    Baseline,
    Bounds,
    Control,
    LinkChanged,
    LinkState,
    Measurement,
    Outcome,
    Release,
    Signal,
)
from tests.ieee2030_5.conftest import Laboratory

pytestmark = pytest.mark.sockets


MANDATORY = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0"


def client_context(laboratory: Laboratory, name: str | None, ciphers: str = MANDATORY) -> ssl.SSLContext:
    """TLS as a client with the certificate of this name, or without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.load_verify_locations(laboratory.directory / "root.pem")
    if name is not None:
        issued = laboratory.issued[name]
        context.load_cert_chain(issued.certificate, issued.key)
    return context


@dataclass
class Site:
    laboratory: Laboratory
    server: UtilityServer
    signals: list[Signal] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://localhost:{self.server.port}"

    def context(self, name: str | None, ciphers: str = MANDATORY) -> ssl.SSLContext:
        return client_context(self.laboratory, name, ciphers)

    @asynccontextmanager
    async def client(self, name: str) -> AsyncIterator[aiohttp.ClientSession]:
        connector = aiohttp.TCPConnector(ssl=self.context(name), family=socket.AF_INET)
        async with aiohttp.ClientSession(self.url, connector=connector) as session:
            yield session

    def said(self, cls: type) -> list[Signal]:
        return [signal for signal in self.signals if isinstance(signal, cls)]


@asynccontextmanager
async def running(laboratory: Laboratory, **changes: object) -> AsyncIterator[Site]:
    record = changes.pop("record", lambda _: None)
    server = UtilityServer(laboratory.settings(**changes), wall, record)  # type: ignore[arg-type]
    site = Site(laboratory, server)
    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(server.run(site.signals.extend))
        await server.listening.wait()
        yield site
        task.cancel()


async def _first_byte(site: Site, context: ssl.SSLContext) -> bytes:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", site.server.port, ssl=context, server_hostname="localhost"
    )
    writer.write(b"GET /dcap HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return await reader.read(1)


def control(resource: str = "B", version: int = 1, ceiling_w: float = 1_200_000, lease_s: float = 900) -> Control:
    now = wall()
    limit = Bounds(ceiling_w=ceiling_w)
    return Control(f"K{version}", resource, version, now, now + lease_s, limit, fallback=Bounds(ceiling_w=1_000_000))


async def test_the_mandatory_suite_alone_is_enough(laboratory: Laboratory) -> None:
    async with running(laboratory) as site:
        context = site.context("B")
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.server.port, ssl=context, server_hostname="localhost"
        )
        assert writer.get_extra_info("cipher")[:2] == ("ECDHE-ECDSA-AES128-CCM8", "TLSv1.2")
        writer.write(b"GET /dcap HTTP/1.1\r\nHost: localhost\r\nAccept: application/sep+xml\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert b"Content-Length:" in head
        assert b"chunked" not in head
        assert len(head) < 2_048
        writer.close()


async def test_a_session_is_resumed_and_the_client_is_still_known(laboratory: Laboratory) -> None:
    def twice(port: int) -> list[tuple[bool, bytes]]:
        context, session, found = client_context(laboratory, "B"), None, []
        for _ in range(2):
            with (
                socket.create_connection(("127.0.0.1", port), timeout=20) as line,
                context.wrap_socket(line, server_hostname="localhost", session=session) as tls,
            ):
                tls.sendall(b"GET /edev HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b"".join(iter(lambda tls=tls: tls.recv(65_536), b""))  # type: ignore[misc]
                found.append((bool(tls.session_reused), answer.split(b"\r\n\r\n")[1]))
                session = tls.session
        return found

    async with running(laboratory) as site:
        (first, one), (second, two) = await asyncio.to_thread(twice, site.server.port)
    assert (first, second) == (False, True)
    assert laboratory.lfdi("B").encode() in one
    assert one == two


@pytest.mark.parametrize("name", [None, "foreign"])
async def test_no_certificate_or_a_foreign_one_ends_in_an_alert(
    laboratory: Laboratory, tmp_path, name: str | None
) -> None:
    foreign = {item.name: item for item in make_pki(tmp_path, ["foreign"], ["localhost"], wall())}
    async with running(laboratory) as site:
        context = site.context(None)
        if name is not None:
            context.load_cert_chain(foreign[name].certificate, foreign[name].key)
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            await _first_byte(site, context)
        async with site.client("B") as session, session.get("/dcap") as response:
            assert response.status == 200


async def test_an_rsa_or_weak_suite_is_not_offered(laboratory: Laboratory) -> None:
    async with running(laboratory) as site:
        context = site.context("B", "AES128-SHA:DHE-RSA-AES128-SHA:@SECLEVEL=0")
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", site.server.port, ssl=context, server_hostname="localhost")


async def test_requests_of_every_kind_of_nonsense_get_4xx_with_an_error(laboratory: Laboratory, validate) -> None:
    bodies = [b"", b"<a", b"<x xmlns='urn:who'/>", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<a>" * 20_000]
    async with running(laboratory) as site, site.client("B") as session:
        headers = {"Content-Type": MEDIA_TYPE}
        for body in bodies:
            async with session.put("/edev/B/der/1/ders", data=body, headers=headers) as response:
                assert response.status == 400
                validate(await response.read())
        for size in (65_537, 3_000_000):
            async with session.put("/edev/B/der/1/ders", data=b"x" * size, headers=headers) as response:
                assert response.status == 413
                validate(await response.read())

        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 1_000

        async with session.put("/edev/B/der/1/ders", data=chunks(), headers=headers) as response:
            assert response.status == 413
        for method, target, status in (
            ("PUT", "/edev/B/der/1/ders", 415),
            ("PATCH", "/tm", 405),
            ("GET", "/derp?l=-1", 400),
            ("GET", "/%00/..%2f..%2fetc", 404),
            ("GET", "/edev/A", 404),
            ("OPTIONS", "/dcap", 405),
        ):
            async with session.request(method, target, data=b"<a/>" if method == "PUT" else None) as response:
                assert response.status == status, target
                validate(await response.read())


async def test_head_tells_what_get_would(laboratory: Laboratory) -> None:
    async with (
        running(laboratory) as site,
        site.client("B") as session,
        session.get("/edev/B/fsa") as one,
        session.head("/edev/B/fsa") as two,
    ):
        assert await two.read() == b""
        assert one.headers["Content-Length"] == two.headers["Content-Length"]
        assert len(await one.read()) == int(one.headers["Content-Length"])


async def test_a_control_is_published_fetched_answered_and_released(laboratory: Laboratory) -> None:
    async with running(laboratory) as site, site.client("B") as session:
        ack = await site.server.apply(control())
        assert (ack.outcome, ack.requested) == (Outcome.PUBLISHED, {"opModMaxLimW": 2_000.0})
        async with session.get("/derp/B/derc?l=255") as response:
            listed = parse(await response.read(), (r.DERControlList,))
        event = listed.items[0]
        assert event.status.currentStatus == 1
        for status in (1, 2):
            body = render(r.DERControlResponse(endDeviceLFDI=laboratory.lfdi("B"), status=status, subject=event.mRID))
            async with session.post(event.replyTo, data=body, headers={"Content-Type": MEDIA_TYPE}) as response:
                assert response.status == 201
        assert [item.outcome for item in site.said(Ack)] == [Outcome.RECEIVED, Outcome.STARTED]
        assert (await site.server.apply(Release("K2", "B", 2, {}))).outcome is Outcome.PUBLISHED
        async with session.get("/derp/B/derc?l=255") as response:
            assert parse(await response.read(), (r.DERControlList,)).items[0].status.currentStatus == 2
        assert (await site.server.apply(control(version=1))).outcome is Outcome.SUPERSEDED
        baselines = {item.resource: item.values for item in site.said(Baseline)}
        assert baselines["B"] == {"opModMaxLimW": 2_500.0}


async def test_what_cannot_be_said_or_kept_is_rejected(laboratory: Laboratory) -> None:
    refuse = False

    def record(_: Record) -> None:
        if refuse:
            raise KeepError("disk full")

    async with running(laboratory, record=record) as site, site.client("B") as session:
        unsayable = Control("K1", "C", 1, wall(), wall() + 9, Bounds(floor_w=-5.0), fallback=Bounds())
        assert (await site.server.apply(unsayable)).outcome is Outcome.PUBLISHED  # C cannot consume: nothing to limit
        unknown = Control("K1", "Z", 1, wall(), wall() + 9, Bounds())
        assert (await site.server.apply(unknown)).outcome is Outcome.REJECTED
        past = Control("K1", "B", 1, wall() - 9, wall() - 1, Bounds())
        assert (await site.server.apply(past)).outcome is Outcome.EXPIRED
        refuse = True
        ack = await site.server.apply(control())
        assert (ack.outcome, ack.detail) == (Outcome.REJECTED, "disk full")
        body = render(r.DERStatus(readingTime=int(wall())))
        async with session.put("/edev/B/der/1/ders", data=body, headers={"Content-Type": MEDIA_TYPE}) as response:
            assert response.status == 503
            assert response.headers["Retry-After"]


async def test_readings_and_the_link_arrive_as_signals(laboratory: Laboratory) -> None:
    async with running(laboratory) as site, site.client("B") as session:
        point = r.MirrorUsagePoint(
            mRID="AB",
            roleFlags="49",
            serviceCategoryKind=0,
            status=1,
            deviceLFDI=laboratory.lfdi("B"),
            meter_readings=(
                r.MirrorMeterReading(
                    mRID="CD", reading=r.Reading(value=42), reading_type=r.ReadingType(flowDirection=19, uom=38)
                ),
            ),
        )
        async with session.post("/mup", data=render(point), headers={"Content-Type": MEDIA_TYPE}) as response:
            assert response.status == 201
        assert [item.value for item in site.said(Measurement)] == [42.0]  # type: ignore[attr-defined]
        assert [(item.resource, item.state) for item in site.said(LinkChanged)] == [("B", LinkState.ONLINE)]  # type: ignore[attr-defined]


async def test_notifications_go_to_the_subscriber_over_mutual_tls(laboratory: Laboratory, validate) -> None:
    heard: list[bytes] = []
    refusals = iter([503, 201])

    async def hear(request: web.BaseRequest) -> web.Response:
        heard.append(await request.read())
        return web.Response(status=next(refusals, 201))

    sink = web.ServerRunner(web.Server(hear))
    await sink.setup()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    own = laboratory.issued["B"]
    context.load_cert_chain(own.certificate, own.key)
    context.load_verify_locations(laboratory.directory / "root.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    await web.TCPSite(sink, "127.0.0.1", 0, ssl_context=context).start()
    uri = f"https://127.0.0.1:{sink.addresses[0][1]}/ntfy"
    plain = laboratory.settings().devices[1]
    devices = (replace(plain, notify_hosts=frozenset({"127.0.0.1"})),)
    try:
        async with running(laboratory, devices=devices) as site, site.client("B") as session:
            body = render(
                r.Subscription(subscribedResource="/derp/B/derc", encoding=0, level="+S1", limit=5, notificationURI=uri)
            )
            async with session.post("/edev/B/sub", data=body, headers={"Content-Type": MEDIA_TYPE}) as response:
                assert response.status == 201
            await site.server.apply(control())
            async with asyncio.timeout(20):
                while len(heard) < 2:  # noqa: ASYNC110 - the sink appends to a plain list
                    await asyncio.sleep(0.05)
    finally:
        await sink.cleanup()
    validate(heard[0])
    assert b'xsi:type="DERControlList"' in heard[0]
    assert heard[0] == heard[1], "the same state is sent again after a refusal for the moment"


async def test_a_device_that_changes_its_rating_gets_its_limit_anew_at_once(laboratory: Laboratory) -> None:
    async with running(laboratory) as site, site.client("B") as session:
        await site.server.apply(control(ceiling_w=1_200_000))
        bigger = r.DERSettings(setGradW=0, setMaxW=r.ActivePower(multiplier=3, value=12_000), updatedTime=int(wall()))
        async with session.put(
            "/edev/B/der/1/derg", data=render(bigger), headers={"Content-Type": MEDIA_TYPE}
        ) as response:
            assert response.status == 204
        async with session.get("/derp/B/derc?l=255") as response:
            events = parse(await response.read(), (r.DERControlList,)).items
        assert {(event.base.opModMaxLimW, event.status.currentStatus) for event in events} == {(2_000, 4), (1_000, 1)}
        async with session.get("/derp/B/dderc") as response:
            assert parse(await response.read(), (r.DefaultDERControl,)).base.opModMaxLimW == 833


async def test_a_body_that_never_comes_ends_in_408_and_costs_nobody_else(laboratory: Laboratory) -> None:
    async with running(laboratory, body_timeout_s=0.2) as site, site.client("A") as other:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.server.port, ssl=site.context("B"), server_hostname="localhost"
        )
        writer.write(b"PUT /edev/B/der/1/ders HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n<DERStatus")
        async with other.get("/tm") as response:
            assert response.status == 200
        assert (await reader.readline()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_pipelined_requests_are_answered_in_order(laboratory: Laboratory) -> None:
    async with running(laboratory) as site:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", site.server.port, ssl=site.context("B"), server_hostname="localhost"
        )
        targets = ["/dcap", "/tm", "/edev/A", "/edev/B", "/sdev"]
        writer.write(b"".join(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for target in targets))
        found = []
        for _ in targets:
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            found.append((await reader.readexactly(size))[:12])
        assert found == [b"<DeviceCapab", b"<Time xmlns=", b"<Error xmlns", b"<EndDevice x", b"<SelfDevice "]
        writer.close()


async def test_after_a_restart_the_same_control_stands_where_it_stood(laboratory: Laboratory) -> None:
    kept: list[Record] = []
    first = control()
    async with running(laboratory, record=kept.append) as site:
        await site.server.apply(first)
    server = UtilityServer(laboratory.settings(), wall, kept.append)
    server.restore([from_json(to_json(record)) for record in list(kept)])
    before = len(kept)
    ack = await server.apply(first)
    assert (ack.outcome, ack.detail[:20]) == (Outcome.PUBLISHED, "0 event(s) published")
    assert len(kept) == before
    older = control(version=0)
    assert (await server.apply(older)).outcome is Outcome.SUPERSEDED
