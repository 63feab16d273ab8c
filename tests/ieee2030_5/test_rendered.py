"""Conditional requests, compression, and the store of rendered documents."""

import gzip
import re

import pytest

from ieee2030_5.enrolment import build
from ieee2030_5.exchange import MEDIA_TYPE, Answer, Asked
from ieee2030_5.rendered import Cache, Rendered
from ieee2030_5.routes import ROUTES
from ieee2030_5.tree import Tree
from protocols.signals import Bounds
from tests.ieee2030_5.conftest import NOW, Laboratory
from tests.ieee2030_5.test_tree import T0, Client, control, issue

SHORT, LONG = b"<Time/>", b"<DERControlList>" + b"<DERControl/>" * 1_000 + b"</DERControlList>"


def test_a_long_document_is_compressed_for_those_who_take_it() -> None:
    document = Rendered(LONG)
    plain, packed = document.answer("", ""), document.answer("gzip, deflate", "")
    assert plain.body == LONG
    assert gzip.decompress(packed.body) == LONG
    assert len(packed.body) < len(LONG) / 20
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] != packed.headers["ETag"]
    assert document.answer("gzip", "") is packed, "it is compressed once"


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("", False),
        ("identity", False),
        ("GZIP", True),
        ("x-gzip", True),
        ("br, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
    ],
)
def test_accept_encoding_means_what_the_rfc_says(accepted: str, packed: bool) -> None:
    assert ("Content-Encoding" in Rendered(LONG).answer(accepted, "").headers) is packed


def test_a_short_document_is_never_compressed() -> None:
    answer = Rendered(SHORT).answer("gzip", "")
    assert (answer.body, "Vary" in answer.headers) == (SHORT, False)


@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', '"x", "{}-gz"', "*"])
def test_who_has_the_document_already_gets_none(form: str) -> None:
    for document in (Rendered(SHORT), Rendered(LONG)):
        answer = document.answer("gzip", form.format(document.etag))
        assert (answer.status, answer.body) == (304, b"")
        assert b"Content-Length" not in answer.head
        assert answer.headers["ETag"] == document.answer("gzip", "").headers["ETag"]


def test_a_tag_of_another_document_gets_the_document() -> None:
    assert Rendered(LONG).answer("", f'"{Rendered(SHORT).etag}"').status == 200


def test_the_store_holds_one_revision_of_each_and_not_more_than_its_limit() -> None:
    documents = [Rendered(bytes(40)) for _ in range(4)]
    cache: Cache[Rendered] = Cache(100)
    for number, document in enumerate(documents[:2]):
        cache.put(number, 0, document, 40)
    assert cache.get(0, 0) is documents[0]
    assert cache.get(0, 1) is None
    cache.put(1, 1, documents[2], 40)
    assert (cache.get(0, 0), cache.get(1, 0), cache.get(1, 1)) == (documents[0], None, documents[2])
    cache.put(2, 0, documents[3], 40)
    assert (cache.get(0, 0), cache.get(1, 1), cache.get(2, 0)) == (None, documents[2], documents[3])
    cache.put(3, 0, documents[0], 101)
    assert cache.get(3, 0) is None


@pytest.fixture
def tree(laboratory: Laboratory) -> Tree:
    return Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), lambda _: None)


def fetch(client: Client, target: str, known: str = "") -> Answer:
    return client.tree.answer(client.lfdi, Asked("GET", target, MEDIA_TYPE, if_none_match=known), client.now)


@pytest.mark.parametrize(
    "target",
    ["/dcap", "/edev?l=9", "/edev/B", "/edev/B/fsa?l=9", "/edev/B/fsa/1/derp?l=9", "/derp?l=9", "/derp/B/derc"],
)
def test_a_document_is_the_same_until_something_in_it_changes(tree: Tree, laboratory: Laboratory, target: str) -> None:
    b = Client(tree, laboratory.lfdi("B"))
    first = fetch(b, target)
    b.now += 1
    assert fetch(b, target) is first
    assert fetch(b, target, first.headers["ETag"]).status == 304


def test_every_change_shows_at_once(tree: Tree, laboratory: Laboratory) -> None:
    b = Client(tree, laboratory.lfdi("B"))

    def counts() -> list[bytes]:
        return re.findall(rb'all="(\d+)"', b"".join(fetch(b, t).body for t in ("/derp/B/derc", "/derp", "/derp/B")))

    before = counts()
    issue(tree, control("B", 1))
    middle = counts()
    issue(tree, control("B", 2, limit=Bounds(ceiling_w=800_000.0), start_s=NOW + 60), NOW + 1)
    assert len({tuple(before), tuple(middle), tuple(counts())}) == 3
    b.now = T0 + 100_000
    assert counts() == before, "events leave their lists by themselves"


def test_clients_share_a_document_only_where_it_is_the_same(tree: Tree, laboratory: Laboratory) -> None:
    a, b = Client(tree, laboratory.lfdi("A")), Client(tree, laboratory.lfdi("B"))
    c = Client(tree, laboratory.lfdi("C"))
    assert fetch(a, "/tm").body != fetch(b, "/tm").body, "A speaks the Australian dialect"
    assert fetch(b, "/edev").body != fetch(a, "/edev").body
    assert b'all="1"' in fetch(b, "/edev").body
    assert b'all="0"' in fetch(c, "/edev").body
    assert fetch(c, "/derp").status == 404


def test_everything_to_subscribe_to_says_when_it_changes() -> None:
    """Otherwise each subscriber would be looked at anew every second."""
    assert [route.template for route in ROUTES if route.tells and route.revision is None] == []
