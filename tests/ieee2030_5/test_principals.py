"""What is another client's cannot be told from what does not exist: URIs, methods, counts, answers, notifications."""

import re
from dataclasses import replace
from itertools import permutations

import pytest
from lxml import etree

from ieee2030_5 import resources as r
from ieee2030_5.codec import NAMESPACE, Extension, render
from ieee2030_5.exchange import Answer
from ieee2030_5.routes import ROUTES, match
from ieee2030_5.tree import Tree
from tests.ieee2030_5.world import CLIENTS, HOOK, LIVE, T0, Caller, issue, lfdi, samples, world

OUTSIDE = ("C", "D", "nobody")
"""One that has yet to register, one that is denied, one that nobody knows."""
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH")
TIMES = (T0, T0 + 45, T0 + 100, T0 + 1_000)
"""Scheduled, active, cancelled and superseded, ended."""


@pytest.fixture(scope="module")
def tree() -> Tree:
    return world()


@pytest.fixture(scope="module")
def seen(tree: Tree) -> dict[str, dict[str, bytes]]:
    """All that each client ever finds; what has ended is found early on."""
    found: dict[str, dict[str, bytes]] = {name: {} for name in (*CLIENTS, *OUTSIDE[:1], "nobody")}
    for now in TIMES:
        for name, mine in found.items():
            for href, body in Caller(tree, name, now).walk().items():
                mine[href] = mine.get(href, b"") + body
    return found


def told(answer: Answer) -> tuple[int, bytes, dict[str, str]]:
    """All of an answer that leaves."""
    return answer.status, answer.body, dict(answer.headers)


def names(bodies: dict[str, bytes]) -> set[bytes]:
    """mRIDs and fingerprints in documents."""
    return {found for body in bodies.values() for found in re.findall(rb">([0-9A-F]{32}|[0-9A-F]{40})<", body)}


@pytest.mark.parametrize(("mine", "other"), [*permutations(CLIENTS, 2)])
def test_a_client_finds_nothing_of_another(
    tree: Tree, seen: dict[str, dict[str, bytes]], mine: str, other: str
) -> None:
    private = set(seen[other]) - set(seen[mine])
    assert len(private) > 40
    secrets = names(seen[other]) - names(seen[mine])
    assert lfdi(other).encode() in secrets
    assert not any(secret in body for secret in secrets for body in seen[mine].values())
    caller = Caller(tree, mine, TIMES[-1])
    documents = samples(other if other != "AGG" else "M", "0" * 32)
    for href in sorted(private):
        found = match(href)
        assert found is not None
        fitting = [documents[cls.__name__] for cls in (*found[0].stores, *found[0].takes) if cls.__name__ in documents]
        for method in METHODS:
            for body in (b"", b"<x/>", *(render(document, aus=Extension.STORAGE) for document in fitting)):
                hidden, absent = caller.ask(method, href, body), caller.ask(method, "/edev/never/was", body)
                assert told(hidden) == told(absent), (method, href)


@pytest.mark.parametrize("name", OUTSIDE)
def test_who_is_not_let_in_finds_nothing_of_anyone(tree: Tree, seen: dict[str, dict[str, bytes]], name: str) -> None:
    caller = Caller(tree, name)
    everything = set().union(*(seen[client] for client in CLIENTS))
    own = set(seen.get(name, {"/dcap": b""}))
    assert own <= {"/dcap", "/edev", "/tm", "/mup"}
    for href in everything - own:
        for method in METHODS:
            assert told(caller.ask(method, href, b"<x/>")) == told(caller.ask(method, "/edev/never/was", b"<x/>"))
    for href in own:
        assert not any(lfdi(client).encode() in caller.ask("GET", f"{href}?l=255").body for client in LIVE)


@pytest.mark.parametrize(("mine", "other"), [*permutations(("A", "B", "M"), 2)])
def test_an_answer_to_an_event_of_another_is_refused_like_one_to_no_event(tree: Tree, mine: str, other: str) -> None:
    """Also to one that was cancelled or has ended, and under whichever replyTo."""
    caller = Caller(tree, "AGG" if mine == "M" else mine, TIMES[-1])
    foreign = [mrid for mrid, issued in tree.utility.issued.items() if issued.program == other]
    assert len(foreign) >= 3
    for path in (f"/rsps/{mine}/rsp", f"/rsps/{other}/rsp"):
        unknown = r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=lfdi(mine), status=1, subject="F" * 32)
        for subject in foreign:
            answers = caller.ask("POST", path, replace(unknown, subject=subject)), caller.ask("POST", path, unknown)
            assert told(answers[0]) == told(answers[1])
            assert answers[0].status in (400, 404)


def test_an_lfdi_of_another_is_refused_like_one_of_nobody(tree: Tree) -> None:
    caller, nobody = Caller(tree, "B"), "E" * 40
    subject = next(mrid for mrid, issued in tree.utility.issued.items() if issued.program == "B")
    for owner in ("A", "M", "D", "AGG"):
        for path, make in (
            ("/rsps/B/rsp", lambda who: r.Response(createdDateTime=T0, endDeviceLFDI=who, status=1, subject=subject)),
            ("/mup", lambda who: replace(meter("B"), deviceLFDI=who)),
            ("/edev/B/di", lambda who: replace(information("B"), lFDI=who)),
        ):
            method = "PUT" if path.endswith("/di") else "POST"
            answers = caller.ask(method, path, make(lfdi(owner))), caller.ask(method, path, make(nobody))
            assert told(answers[0]) == told(answers[1])
            assert answers[0].status == 400


def meter(name: str) -> r.MirrorUsagePoint:
    found = samples(name, "0" * 32)["MirrorUsagePoint"]
    assert isinstance(found, r.MirrorUsagePoint)
    return found


def information(name: str) -> r.DeviceInformation:
    found = samples(name, "0" * 32)["DeviceInformation"]
    assert isinstance(found, r.DeviceInformation)
    return found


def test_subscriptions_to_what_is_anothers_are_refused_like_those_to_nothing(
    tree: Tree, seen: dict[str, dict[str, bytes]]
) -> None:
    caller = Caller(tree, "B")
    wanted = r.Subscription(subscribedResource="/none", encoding=0, level="+S1", limit=1, notificationURI=HOOK)
    absent = told(caller.ask("POST", "/edev/B/sub", wanted))
    assert absent[0] == 400
    for href in sorted(set(seen["A"]) | set(seen["AGG"]) - set(seen["B"])):
        if href not in seen["B"]:
            assert told(caller.ask("POST", "/edev/B/sub", replace(wanted, subscribedResource=href))) == absent


def test_nobody_is_notified_of_what_happens_to_another() -> None:
    tree = world()
    tree.notices(T0)
    issue(tree, "A", 4, T0)
    a = Caller(tree, "A")
    for path, document in (("der/1/ders", "DERStatus"), ("cfg", "Configuration")):
        assert a.ask("PUT", f"/edev/A/{path}", _changed(samples("A", "0" * 32)[document])).status == 204
    assert a.ask("POST", "/edev/A/lel", replace(log("A"), logEventID=9)).status == 201
    assert a.ask("POST", "/mup", replace(meter("A"), mRID="7" * 32, meter_readings=())).status == 201
    notices = tree.notices(T0)
    assert notices
    assert {notice.subscription.split("/")[2] for notice in notices} == {"A"}


def _changed(document: r.Resource) -> r.Resource:
    if isinstance(document, r.DERStatus):
        return replace(document, alarmStatus="0001")
    assert isinstance(document, r.Configuration)
    return replace(document, userDeviceName="Renamed")


def log(name: str) -> r.LogEvent:
    found = samples(name, "0" * 32)["LogEvent"]
    assert isinstance(found, r.LogEvent)
    return found


def test_a_shared_program_shows_each_client_only_its_own_answers() -> None:
    tree = world()
    event = tree.utility.programs["flex"].events[0]
    for name, who in (("A", "A"), ("AGG", "M")):
        answer = r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=lfdi(who), status=1, subject=event.mRID)
        caller = Caller(tree, name)
        assert caller.ask("POST", "/rsps/flex/rsp", answer).status == 201
        listed = caller.get("/rsps/flex/rsp?l=9", r.ResponseList)
        assert (listed.all, {item.endDeviceLFDI for item in listed.items}) == (1, {lfdi(who)})
        assert b'ResponseListLink href="/rsps/flex/rsp" all="1"' in caller.ask("GET", "/rsps/flex").body
    places = [Caller(tree, name).get("/rsps/flex/rsp?l=9", r.ResponseList).items[0].href for name in ("A", "AGG")]
    assert Caller(tree, "A").ask("GET", places[1] or "").status == 404
    assert Caller(tree, "AGG").ask("GET", places[0] or "").status == 404


def test_the_same_mrids_from_two_clients_are_two_meters() -> None:
    tree = world()
    places = []
    for name in ("A", "B"):
        body = replace(meter(name), mRID="7" * 32, meter_readings=())
        answer = Caller(tree, name).ask("POST", "/mup", body)
        assert answer.status == 201
        places.append(answer.headers["Location"])
        assert Caller(tree, name).get(places[-1], r.MirrorUsagePoint).deviceLFDI == lfdi(name)
    assert places[0] != places[1]
    assert Caller(tree, "A").ask("DELETE", places[0]).status == 204
    assert Caller(tree, "B").ask("GET", places[1]).status == 200


def test_every_mrid_names_one_object(tree: Tree) -> None:
    """Across all clients; a meter and its usage point are one object that is shown in two ways."""
    objects: dict[str, set[str]] = {}
    for name in CLIENTS:
        for href, body in Caller(tree, name, TIMES[-1]).walk().items():
            mrid = etree.fromstring(body).findtext(f"{{{NAMESPACE}}}mRID")
            if mrid is not None and not href.endswith("/cdp"):  # the current program, shown once more
                objects.setdefault(mrid, set()).add(href.replace("/mup/", "/upt/"))
    assert len(objects) > 30
    assert {mrid: hrefs for mrid, hrefs in objects.items() if len(hrefs) > 1} == {}


def test_the_table_has_no_row_that_these_tests_never_reach(seen: dict[str, dict[str, bytes]]) -> None:
    reached = {found[0].template for mine in seen.values() for href in mine if (found := match(href)) is not None}
    assert reached == {route.template for route in ROUTES}
