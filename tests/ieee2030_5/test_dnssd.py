"""Service discovery: records against the standard's rules, and a browser that nobody here wrote."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zeroconf import DNSIncoming, DNSOutgoing, DNSPointer, DNSQuestion, DNSService, DNSText, ServiceBrowser, Zeroconf
from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

from ieee2030_5.discovery import Discovery
from ieee2030_5.dnssd import LEGACY_TTL_S, MDNS_PORT, TTL_S, Advertised, Responder

OURS = 167_261_211_391
ADVERTISED = Advertised("Utility", "gateway", ("127.0.0.1", "::1"), 8443)
PTR, SRV, TXT, ANY = 12, 33, 16, 255
NOW_MS = 1.8e12


def responder() -> Responder:
    return Responder(ADVERTISED, lambda sfdi: sfdi == OURS)


def query(name: str, kind: int = PTR, known: list[DNSPointer] | None = None) -> bytes:
    out = DNSOutgoing(0, multicast=False, id_=77)
    out.add_question(DNSQuestion(name, kind, 1))
    for record in known or []:
        out.add_answer_at_time(record, 0)
    return out.packets()[0]


def asked(name: str, kind: int = PTR, port: int = MDNS_PORT) -> DNSIncoming | None:
    found = responder().answer(query(name, kind), port, NOW_MS)
    return None if found is None else DNSIncoming(found)


def texts(answer: DNSIncoming) -> list[str]:
    (text,) = [r.text for r in answer.answers() if isinstance(r, DNSText)]
    found = []
    while text:
        found.append(text[1 : 1 + text[0]].decode())
        text = text[1 + text[0] :]
    return found


@pytest.mark.parametrize("domain", ["local", "site"])
def test_the_service_is_found_with_port_and_text(domain: str) -> None:
    answer = asked(f"_smartenergy._tcp.{domain}.")
    assert answer is not None
    pointer = answer.answers()[0]
    assert isinstance(pointer, DNSPointer)
    assert pointer.alias == f"Utility._smartenergy._tcp.{domain}."
    (service,) = [r for r in answer.answers() if isinstance(r, DNSService)]
    assert (service.port, service.server) == (8443, f"gateway.{domain}.")
    assert texts(answer) == ["txtvers=1", "dcap=/dcap", "https=8443", "level=+S1"]


@pytest.mark.parametrize(("subtype", "path"), [("derp", "/derp"), ("edev", "/edev"), ("_mup", "/mup"), ("tm", "/tm")])
def test_a_function_set_is_found_with_its_path(subtype: str, path: str) -> None:
    answer = asked(f"{subtype}._sub._smartenergy._tcp.site.")
    assert answer is not None
    assert texts(answer)[2] == f"path={path}"


def test_a_device_finds_its_server_by_its_own_identifier_and_no_other(  # the client asks this first
) -> None:
    answer = asked(f"edev-{OURS:012d}._sub._smartenergy._tcp.site.")
    assert answer is not None
    assert texts(answer)[2] == "path=/edev"
    for other in ("edev-000000000001", "edev-16726121139", "edev-x", "edev-", "bill", "ppy", ""):
        assert asked(f"{other}._sub._smartenergy._tcp.site.") is None


def test_a_plain_resolver_gets_its_question_back_with_short_lives() -> None:
    answer = asked("_smartenergy._tcp.local.", port=40_000)
    assert answer is not None
    assert answer.id == 77
    assert [q.name for q in answer.questions] == ["_smartenergy._tcp.local."]
    assert {r.ttl for r in answer.answers()} == {LEGACY_TTL_S}


def test_what_the_asker_knows_is_not_told_again() -> None:
    pointer = DNSPointer("_smartenergy._tcp.local.", PTR, 1, TTL_S, "Utility._smartenergy._tcp.local.", created=NOW_MS)
    old = DNSPointer("_smartenergy._tcp.local.", PTR, 1, 30, "Utility._smartenergy._tcp.local.", created=NOW_MS)
    assert responder().answer(query("_smartenergy._tcp.local.", known=[pointer]), MDNS_PORT, NOW_MS) is None
    assert responder().answer(query("_smartenergy._tcp.local.", known=[old]), MDNS_PORT, NOW_MS) is not None


def test_instance_and_host_are_answered_by_name() -> None:
    service = asked("Utility._smartenergy._tcp.local.", SRV)
    assert service is not None
    assert [type(r) for r in service.answers()] == [DNSService]
    assert asked("gateway.site.", ANY) is not None
    assert asked("printer.local.", ANY) is None


@given(st.binary(max_size=600))
def test_no_packet_whatever_does_harm(packet: bytes) -> None:
    found = responder().answer(packet, MDNS_PORT, NOW_MS)
    assert found is None or DNSIncoming(found).valid


def loopback_multicasts() -> bool:
    """Whether this machine carries multicast on its loopback interface."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            probe.sendto(b"", ("224.0.0.251", MDNS_PORT))
        except OSError:
            return False
    return True


@pytest.mark.sockets
async def test_a_browser_finds_the_server_and_sees_it_go() -> None:
    assert loopback_multicasts(), "the loopback interface carries no multicast"
    discovery = Discovery(responder(), "lo", lambda: NOW_MS / 1e3)
    browsing = AsyncZeroconf(interfaces=["127.0.0.1"])
    seen: list[str] = []
    gone: list[str] = []

    class Listener:
        def add_service(self, _: Zeroconf, __: str, name: str) -> None:
            seen.append(name)

        def update_service(self, _: Zeroconf, __: str, name: str) -> None:
            seen.append(name)

        def remove_service(self, _: Zeroconf, __: str, name: str) -> None:
            gone.append(name)

    try:
        browser = ServiceBrowser(browsing.zeroconf, "_smartenergy._tcp.local.", listener=Listener())
        async with asyncio.TaskGroup() as tasks:
            serving = tasks.create_task(discovery.run())
            async with asyncio.timeout(20):
                while not seen:  # noqa: ASYNC110 - another thread sees it
                    await asyncio.sleep(0.1)
            info = AsyncServiceInfo("_smartenergy._tcp.local.", "Utility._smartenergy._tcp.local.")
            assert await info.async_request(browsing.zeroconf, 10_000)
            assert info.port == 8443
            assert info.properties[b"dcap"] == b"/dcap"
            assert "127.0.0.1" in info.parsed_addresses()
            serving.cancel()
        async with asyncio.timeout(20):
            while not gone:  # noqa: ASYNC110 - another thread sees it
                await asyncio.sleep(0.1)
        browser.cancel()
    finally:
        await browsing.async_close()


async def test_an_interface_that_is_not_there_is_named() -> None:
    with pytest.raises(OSError, match=r"."):
        await Discovery(responder(), "nosuch0", lambda: 0.0).run()
