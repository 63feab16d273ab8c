"""What a 2030.5 server answers to DNS service discovery: records and rules, without sockets.

One instance of `_smartenergy._tcp` with SRV and TXT, a subtype per function set served, and one per EndDevice
that this server hosts, which a client asks for first. The same words are spoken in `local` (mDNS, 2023 edition)
and in `site` (xmDNS, 2018 edition); the codec is that of the zeroconf library.
"""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from zeroconf import DNSAddress, DNSIncoming, DNSOutgoing, DNSPointer, DNSQuestion, DNSRecord, DNSService, DNSText

MDNS_PORT: Final = 5353
SERVICE: Final = "_smartenergy._tcp"
LOCAL, SITE = "local", "site"
DOMAINS: Final = (LOCAL, SITE)
TTL_S: Final = 120
LEGACY_TTL_S: Final = 10
"""Of answers to a resolver that does not speak mDNS itself: it asks again, it does not listen."""
SUBTYPES: Final = {
    "derp": "/derp",
    "edev": "/edev",
    "mup": "/mup",
    "rsps": "/rsps",
    "sdev": "/sdev",
    "tm": "/tm",
    "upt": "/upt",
}
"""Function sets that can be asked for, with where each begins."""
MOST_QUESTIONS: Final = 32
MOST_BYTES: Final = 9_000
_RESPONSE, _AUTHORITATIVE = 0x8000, 0x0400
_IN, _UNIQUE = 1, 0x8000
_A, _PTR, _TXT, _AAAA, _SRV, _ANY = 1, 12, 16, 28, 33, 255


@dataclass(frozen=True, slots=True)
class Advertised:
    """What there is to be found."""

    instance: str
    """Name of the server among others of its kind."""
    host: str
    """Name of this machine, without a domain."""
    addresses: tuple[str, ...]
    """Where it can be reached, IPv4 and IPv6."""
    https_port: int
    level: str = "+S1"
    dcap: str = "/dcap"


class Responder:
    """Answers questions about one server."""

    def __init__(self, advertised: Advertised, hosts: Callable[[int], bool]) -> None:
        """`hosts` says whether an EndDevice with this SFDI is one of ours."""
        self._advertised, self._hosts = advertised, hosts

    def answer(self, packet: bytes, source_port: int, now_ms: float) -> bytes | None:
        """The response to a packet; nothing where it asks for nothing of ours, is no query, or is malformed.

        A resolver whose port is not that of mDNS gets its question and id back, with short lives of the records.
        """
        if not 12 <= len(packet) <= MOST_BYTES:
            return None
        query = DNSIncoming(packet)
        if not query.valid or query.is_response() or query.num_questions > MOST_QUESTIONS:
            return None
        legacy = source_port != MDNS_PORT
        ttl_s = LEGACY_TTL_S if legacy else TTL_S
        out = DNSOutgoing(_RESPONSE | _AUTHORITATIVE, multicast=not legacy, id_=query.id if legacy else 0)
        answered = False
        for question in query.questions:
            found = list(self._records(question, ttl_s, now_ms))
            if not found or self._known(found[0], query, legacy=legacy):
                continue
            answered = True
            if legacy:
                out.add_question(question)
            out.add_answer_at_time(found[0], 0)
            for record in found[1:]:
                out.add_additional_answer(record)
        return out.packets()[0] if answered else None

    def announcement(self, now_ms: float, *, goodbye: bool = False) -> list[bytes]:
        """Everything at once, for whoever listens; as a goodbye with no life left in it."""
        found = []
        for domain in DOMAINS:
            out = DNSOutgoing(_RESPONSE | _AUTHORITATIVE)
            ttl_s = 0 if goodbye else TTL_S
            out.add_answer_at_time(self._pointer(f"{SERVICE}.{domain}.", domain, ttl_s, now_ms), 0)
            for record in self._instance_records(domain, ttl_s, now_ms, ""):
                out.add_answer_at_time(record, 0)
            found.append(out.packets()[0])
        return found

    def _known(self, first: DNSRecord, query: DNSIncoming, *, legacy: bool) -> bool:
        """Whether the asker knows it already, for at least half of its life."""
        if legacy:
            return False
        return any(record == first and record.ttl * 2 >= first.ttl for record in query.answers())

    def _records(self, question: DNSQuestion, ttl_s: int, now_ms: float) -> Iterator[DNSRecord]:
        """The answer to one question first, then what the asker will want to know next."""
        name, kind = question.name.lower().rstrip("."), question.type
        for domain in DOMAINS:
            if not name.endswith(f".{domain}"):
                continue
            stem = name.removesuffix(f".{domain}")
            if kind in (_PTR, _ANY) and (path := self._path(stem)) is not None:
                yield self._pointer(question.name, domain, ttl_s, now_ms)
                yield from self._instance_records(domain, ttl_s, now_ms, path)
            elif stem == f"{self._advertised.instance}.{SERVICE}".lower():
                yield from (r for r in self._instance_records(domain, ttl_s, now_ms, "") if kind in (_ANY, r.type))
            elif stem == self._advertised.host.lower():
                yield from (r for r in self._addresses(domain, ttl_s, now_ms) if kind in (_ANY, r.type))

    def _path(self, stem: str) -> str | None:
        """Where what a type stands for begins; empty for the service as a whole, nothing for what is not served."""
        if stem == SERVICE:
            return ""
        subtype, _, rest = stem.partition("._sub.")
        if rest != SERVICE:
            return None
        subtype = subtype.lstrip("_")
        if subtype in SUBTYPES:
            return SUBTYPES[subtype]
        kind, _, sfdi = subtype.partition("-")
        ours = kind == "edev" and sfdi.isascii() and sfdi.isdigit() and len(sfdi) == 12 and self._hosts(int(sfdi))
        return SUBTYPES["edev"] if ours else None

    def _pointer(self, name: str, domain: str, ttl_s: int, now_ms: float) -> DNSRecord:
        return DNSPointer(name, _PTR, _IN, ttl_s, self._name(domain), created=now_ms)

    def _instance_records(self, domain: str, ttl_s: int, now_ms: float, path: str) -> Iterator[DNSRecord]:
        name, host = self._name(domain), f"{self._advertised.host}.{domain}."
        port = self._advertised.https_port
        yield DNSService(name, _SRV, _IN | _UNIQUE, ttl_s, 0, 0, port, host, created=now_ms)
        yield DNSText(name, _TXT, _IN | _UNIQUE, ttl_s, self._text(path), created=now_ms)
        yield from self._addresses(domain, ttl_s, now_ms)

    def _addresses(self, domain: str, ttl_s: int, now_ms: float) -> Iterator[DNSRecord]:
        host = f"{self._advertised.host}.{domain}."
        for text in self._advertised.addresses:
            address = ipaddress.ip_address(text)
            kind = _A if address.version == 4 else _AAAA
            yield DNSAddress(host, kind, _IN | _UNIQUE, ttl_s, address.packed, created=now_ms)

    def _text(self, path: str) -> bytes:
        """In the order that the standard gives: version first; `path` in answers about a subtype alone."""
        told = self._advertised
        keys: Sequence[str] = (
            "txtvers=1",
            f"dcap={told.dcap}",
            *((f"path={path}",) if path else ()),
            f"https={told.https_port}" if told.https_port != 443 else "https",
            f"level={told.level}",
        )
        return b"".join(bytes([len(key)]) + key.encode() for key in keys)

    def _name(self, domain: str) -> str:
        return f"{self._advertised.instance}.{SERVICE}.{domain}."
