"""No input whatever gives a 5xx, and what is refused changes nothing: every method and URI, bad bodies, bad queries."""

import re
import tracemalloc
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ieee2030_5.codec import Extension, render
from ieee2030_5.records import Record
from ieee2030_5.routes import ROUTES, match
from ieee2030_5.tree import Answer, Tree
from tests.ieee2030_5.conftest import Validate
from tests.ieee2030_5.world import CLIENTS, HOOK, T0, Caller, power, samples, world

NS = b'xmlns="urn:ieee:std:2030.5:ns"'
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "")
LAUGHS = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 10))
HOSTILE = (
    b"",
    b" ",
    b"<",
    b"\x00",
    b"\xff\xfe<\x00a\x00/\x00>\x00",
    b"\xef\xbb\xbf<a/>",
    b"<a/>" * 2,
    b"<?xml version='1.0' encoding='utf-16'?><a/>",
    b"<?xml version='1.1'?><a/>",
    b'<!DOCTYPE a [<!ENTITY a0 "lol">' + LAUGHS + b"]><a>&a9;</a>",
    b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    b'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd" parse="text"/></a>',
    b"<a>&undefined;</a>",
    b"<a " + b" ".join(b'a%d="1"' % n for n in range(5_000)) + b"/>",
    b"<a>" * 20_000,
    b"<a>" * 2_000 + b"</a>" * 2_000,
    b"<a>" + b"<b/>" * 15_000 + b"</a>",
    b"<a>" + b"x" * 60_000 + b"</a>",
    b"<a>&#0;&#xFFFF;&#x1F4A9;</a>",
    b"<a><![CDATA[" + b"]" * 1_000 + b"]]></a>",
    b'<a xmlns:a="urn:a" xmlns:b="urn:a" a:x="1" b:x="2"/>',
)


@pytest.fixture(scope="module")
def built() -> tuple[Tree, list[Record]]:
    records: list[Record] = []
    return world(records), records


def twists(body: bytes) -> list[bytes]:
    """A valid document made hostile in all the usual ways; some stay valid."""
    text = body.decode()
    first = re.search(r"<([\w:]+)>([^<]+)</\1>", text)
    assert first is not None, text
    name, value = first.groups()
    made = [
        text.replace("urn:ieee:std:2030.5:ns", "http://ieee.org/2030.5"),
        text.replace(' xmlns="urn:ieee:std:2030.5:ns"', ""),
        text.replace("urn:ieee:std:2030.5:ns", "URN:IEEE:STD:2030.5:NS"),
        text.replace(first.group(), ""),
        text.replace(first.group(), first.group() * 2),
        text.replace(first.group(), f"<{name}/>"),
        text.replace(first.group(), f"<{name}><x/></{name}>"),
        text.replace(first.group(), f"<x/>{first.group()}"),
        text.replace(first.group(), f"{first.group()}tail"),
        text[: len(text) // 2],
        text[:-1],
        text + "<!-- -->",
        text.replace(">", ' xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">', 1),
        text.replace(">", ' xmlns:x="urn:x" x:y="1">', 1),
        text.replace(">", ' subscribable="300">', 1),
        text.replace(">", ' href="/dcap">', 1),
        re.sub(r">[0-9A-F]{2,40}<", lambda m: m.group().lower(), text),
        re.sub(r">[0-9A-F]{2,40}<", lambda m: ">" + m.group()[2:], text),
        re.sub(r">[0-9A-F]{2,40}<", "><", text),
        re.sub(r">\d+<", ">-99999999999999999999<", text),
        re.sub(r">\d+<", ">1e9<", text),
        re.sub(r">\d+<", "> 1 <", text),
        re.sub(r">\d+<", ">NaN<", text),
        re.sub(r">\d+<", ">١<", text),
    ]
    for odd in (
        "\t",
        "a\tb",
        "a\nb",
        "a&#9;b",
        "a&#xD;b",
        "a&#x85;b",
        "a&#xFFFF;b",
        "&lt;script&gt;",
        "𝄞" * 40,
        "x" * 300,
        "%00",
        "../../dcap",
    ):
        made.append(text.replace(f">{value}<", f">{odd}<"))
        made.append(
            re.sub(r"(<(?:\w+Ver|mfModel|userDeviceName|description|details|notificationURI)>)[^<]*", rf"\1{odd}", text)
        )
    return [item.encode() for item in made]


def paths() -> list[str]:
    """One of each row that a device can write to, and what else it sees."""
    tree = world()
    chosen: dict[str, str] = {}
    for href in Caller(tree, "A").walk():
        found = match(href)
        assert found is not None
        chosen.setdefault(found[0].template, href)
    assert len(chosen) == len(ROUTES)
    return sorted(chosen.values())


PATHS = paths()


def check(answer: Answer, records: list[Record], before: int, tree: Tree) -> None:
    """A refusal is a 4xx with an Error, and leaves nothing behind; everything else is a success."""
    if 400 <= answer.status < 500:
        assert len(records) == before, "a refusal was kept"
        assert not tree.utility.signals, "a refusal was told"
        assert b"<reasonCode>" in answer.body
    else:
        assert answer.status in (200, 201, 204), answer
        tree.utility.signals.clear()


@pytest.mark.parametrize("path", PATHS)
def test_hostile_bodies_are_refused_everywhere_and_change_nothing(
    built: tuple[Tree, list[Record]], path: str, validate: Validate
) -> None:
    tree, records = built
    tree.utility.signals.clear()
    caller = Caller(tree, "A")
    before, seen = len(records), caller.ask("GET", f"{path}?l=255")
    for method, body in product(("PUT", "POST"), HOSTILE):
        answer = caller.ask(method, path, body)
        assert 400 <= answer.status < 500
        check(answer, records, before, tree)
        validate(answer.body)
    assert caller.ask("GET", f"{path}?l=255").body == seen.body
    for media in ("", "text/xml", "application/json", "application/sep-exi", "x" * 500, "application/sep+xml;" * 99):
        answer = caller.ask("PUT", path, b"<a/>", content_type=media)
        check(answer, records, before, tree)


@pytest.mark.parametrize("path", PATHS)
def test_twisted_documents_are_taken_or_refused_but_never_break_the_server(path: str, validate: Validate) -> None:
    records: list[Record] = []
    tree = world(records)
    caller = Caller(tree, "A")
    found = match(path)
    assert found is not None
    subject = tree.utility.programs["A"].events[-1].mRID
    given = samples("A", subject)
    tree.utility.signals.clear()
    for method, types in (("PUT", found[0].stores), ("POST", found[0].takes)):
        for cls in types:
            document = given.get(cls.__name__)
            if document is None:
                continue
            for body in twists(render(document, aus=Extension.STORAGE)):
                before = len(records)
                check(caller.ask(method, path, body), records, before, tree)
    for body in caller.walk().values():
        validate(body)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_everywhere_is_answered_or_refused(method: str) -> None:
    records: list[Record] = []
    tree = world(records)
    tree.utility.signals.clear()
    for name in (*CLIENTS, "C", "D", "nobody"):
        for path in (
            *PATHS,
            "/",
            "",
            "//",
            "/edev//",
            "*",
            "/edev/A/..",
            "/%2e%2e/dcap",
            "/edev/A\x00",
            "/" + "a/" * 4_000,
        ):
            before = len(records)
            check(Caller(tree, name).ask(method, path, b"<x/>"), records, before, tree)


QUERIES = (
    "s=-1", "l=-1", "s=x", "l=1.5", "a=", "s=", "l=99999999999999999999", "s=%31", "s=1&s=2", "s=%00", "l=%FF", "a=-1",
    "s=9223372036854775807", "x" * 9_000, "&" * 500, "=;?#", "s[]=1", "l=0", "l=256", "l=1&a=9999999999", "S=1",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_bad_queries_are_refused_and_strange_ones_ignored(
    built: tuple[Tree, list[Record]], path: str, validate: Validate
) -> None:
    tree, records = built
    tree.utility.signals.clear()
    for query in QUERIES:
        answer = Caller(tree, "A").ask("GET", f"{path}?{query}")
        check(answer, records, len(records), tree)
        validate(answer.body)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(["A", "B", "S", "M"]),
    st.integers(0, 60),
    st.lists(st.tuples(st.integers(0, 4_000), st.integers(0, 4_000), st.binary(max_size=6)), min_size=1, max_size=4),
    st.data(),
)
def test_documents_with_random_damage_never_break_the_server(
    built: tuple[Tree, list[Record]],
    name: str,
    which: int,
    damage: list[tuple[int, int, bytes]],
    data: st.DataObject,
) -> None:
    tree, records = built
    tree.utility.signals.clear()
    given_documents = list(samples(name, "0" * 32).values())
    document = given_documents[which % len(given_documents)]
    body = render(document, aus=Extension.STORAGE)
    for start, size, octets in damage:
        place = start % len(body)
        body = body[:place] + octets + body[place + size % 8 :]
    rows = [route for route in ROUTES if type(document) in (*route.stores, *route.takes)]
    route = data.draw(st.sampled_from(rows))
    path = re.sub(r"\{[ep]\}", name, route.template)
    caller = Caller(tree, "AGG" if name == "M" else name)
    for method in ("PUT", "POST"):
        before = len(records)
        check(caller.ask(method, path, body), records, before, tree)


def test_a_body_of_ten_megabytes_costs_no_more_memory_than_a_few_of_its_size() -> None:
    """The shell refuses it before (413); this is what stands behind it."""
    tree = world()
    body = b"<DERStatus " + NS + b">" + b"<genConnectStatus/>" * 550_000 + b"</DERStatus>"
    assert len(body) > 10_000_000
    caller = Caller(tree, "A")
    tracemalloc.start()
    try:
        assert caller.ask("PUT", "/edev/A/der/1/ders", body).status == 400
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * len(body)


def test_what_is_sent_often_stays_bounded() -> None:
    tree = world()
    caller, limits = Caller(tree, "A"), tree.utility.settings
    given_documents = samples("A", tree.utility.programs["A"].events[-1].mRID)
    for n in range(limits.log_events + 50):
        assert caller.ask("POST", "/edev/A/lel", replace(given_documents["LogEvent"], logEventID=n)).status == 201
    assert len(tree.utility.devices["A"].logs) == limits.log_events
    for n in range(limits.meters + 10):
        caller.ask("POST", "/mup", replace(given_documents["MirrorUsagePoint"], mRID=f"{n:032X}", meter_readings=()))
    assert sum(meter.owner == caller.lfdi for meter in tree.utility.meters.values()) == limits.meters
    place = next(slug for slug, meter in tree.utility.meters.items() if meter.owner == caller.lfdi)
    for n in range(limits.series + 10):
        caller.ask("POST", f"/mup/{place}", power(1, f"{n:032X}"))
    assert len(tree.utility.meters[place].series) == limits.series
    for n in range(limits.responses + 50):
        caller.ask("POST", "/rsps/A/rsp", replace(given_documents["DERControlResponse"], createdDateTime=T0 - n))
    assert len(tree.utility.programs["A"].responses) == limits.responses
    for n in range(limits.subscriptions + 10):
        caller.ask("POST", "/edev/A/sub", replace(given_documents["Subscription"], notificationURI=f"{HOOK}/{n}"))
    assert len(tree.utility.devices["A"].subscriptions) == limits.subscriptions
