"""Flow reservations: asked for by the client, granted by the operator, never more than asked, and over in time."""

from dataclasses import replace

import pytest

from ieee2030_5 import resources as r
from ieee2030_5.enrolment import build
from ieee2030_5.records import Record, from_json, to_json
from ieee2030_5.reservations import GrantError, Offer, granted
from ieee2030_5.tree import Tree
from tests.ieee2030_5.world import T0, Caller, lfdi, reservation, settings


@pytest.fixture
def records() -> list[Record]:
    return []


@pytest.fixture
def tree(records: list[Record]) -> Tree:
    return Tree(build(settings(), lfdi("server"), T0), records.append)


def ask(tree: Tree, name: str = "A") -> str:
    answer = Caller(tree, name).ask("POST", f"/edev/{name}/frq", reservation(name))
    assert answer.status == 201
    return answer.headers["Location"].rsplit("/", 1)[1]


def give(tree: Tree, request: str, offer: Offer, name: str = "A") -> r.FlowReservationResponse:
    document = granted(tree.utility, tree.utility.devices[name], request, offer, T0)
    tree.store(document.href or "", document, "", T0)
    return document


def statuses(tree: Tree, name: str, now: int) -> list[int]:
    listed = Caller(tree, name, now).get(f"/edev/{name}/frp?l=9", r.FlowReservationResponseList)
    assert listed.all == len(listed.items)
    link = f'FlowReservationResponseListLink href="/edev/{name}/frp" all="{listed.all}"'
    assert link.encode() in Caller(tree, name, now).ask("GET", f"/edev/{name}").body
    return [item.status.currentStatus for item in listed.items]


def test_a_grant_begins_and_ends_in_time(tree: Tree) -> None:
    request = ask(tree)
    made = give(tree, request, Offer(T0 + 60, 600, 7_000, 11_000))
    assert (made.subject, made.energyAvailable.value) == (reservation("A").mRID, 7_000)
    times = (T0, T0 + 59, T0 + 60, T0 + 659, T0 + 660)
    assert [statuses(tree, "A", now) for now in times] == [[0], [0], [1], [1], []]


def test_a_client_of_2023_is_shown_that_it_is_completed(tree: Tree) -> None:
    give(tree, ask(tree, "S"), Offer(T0, 600, 7_000, 11_000), "S")
    assert [statuses(tree, "S", now) for now in (T0, T0 + 600, T0 + 1_499, T0 + 1_500)] == [[1], [5], [5], []]


@pytest.mark.parametrize(
    ("offer", "word"),
    [
        (Offer(T0 - 1, 600, 1, 1), "not within"),
        (Offer(T0 + 3_001, 600, 1, 1), "not within"),
        (Offer(T0, 0, 1, 1), "not within"),
        (Offer(T0, 600, 7_001, 1), "more than"),
        (Offer(T0, 600, 1, 11_001), "more than"),
        (Offer(T0, 600, -1, 1), "more than"),
    ],
)
def test_no_more_is_granted_than_was_asked_for(tree: Tree, offer: Offer, word: str) -> None:
    with pytest.raises(GrantError, match=word):
        give(tree, ask(tree), offer)


def test_a_request_is_granted_once_until_that_is_taken_back(tree: Tree) -> None:
    request = ask(tree)
    first = give(tree, request, Offer(T0, 600, 1_000, 1_000))
    with pytest.raises(GrantError, match="already"):
        give(tree, request, Offer(T0, 600, 1_000, 1_000))
    tree.remove(first.href or "", T0 + 10)
    assert statuses(tree, "A", T0 + 10) == [2]
    assert statuses(tree, "A", T0 + 600) == []
    with pytest.raises(GrantError, match="no open request"):
        give(tree, "none", Offer(T0, 600, 1, 1))


def test_a_client_that_cancels_its_request_loses_the_grant(tree: Tree) -> None:
    request, a = ask(tree), Caller(tree, "A", T0 + 5)
    give(tree, request, Offer(T0, 600, 1_000, 1_000))
    off = replace(reservation("A"), request_status=r.RequestStatus(dateTime=T0 + 5, requestStatus=1))
    assert a.ask("PUT", f"/edev/A/frq/{request}", off).status == 204
    assert statuses(tree, "A", T0 + 5) == [2]
    with pytest.raises(GrantError, match="no open request"):
        give(tree, request, Offer(T0, 600, 1_000, 1_000))


@pytest.mark.parametrize(
    "changes",
    [
        {"creationTime": T0 + 301},
        {"intervalRequested": r.DateTimeInterval(duration=10, start=T0 - 10)},
        {"request_status": r.RequestStatus(dateTime=T0, requestStatus=2)},
        {"request_status": r.RequestStatus(dateTime=T0 + 301, requestStatus=0)},
    ],
)
def test_a_request_that_cannot_be_is_refused(tree: Tree, records: list[Record], changes: dict[str, object]) -> None:
    body = replace(reservation("A"), **changes)  # type: ignore[arg-type]
    assert Caller(tree, "A").ask("POST", "/edev/A/frq", body).status == 400
    assert not records


def test_a_request_keeps_its_mrid_and_its_place(tree: Tree) -> None:
    request, a = ask(tree), Caller(tree, "A")
    more = replace(reservation("A"), energyRequested=r.SignedRealEnergy(multiplier=0, value=1))
    again = a.ask("POST", "/edev/A/frq", more)
    assert (again.status, again.headers["Location"]) == (204, f"/edev/A/frq/{request}")
    assert a.ask("PUT", f"/edev/A/frq/{request}", replace(more, mRID="1" * 32)).status == 400
    assert a.get("/edev/A/frq?l=9", r.FlowReservationRequestList).all == 1
    assert a.get(f"/edev/A/frq/{request}", r.FlowReservationRequest).energyRequested.value == 1


def test_the_list_is_bounded_and_makes_room_when_requests_are_over(tree: Tree) -> None:
    a = Caller(tree, "A")
    answers = [a.ask("POST", "/edev/A/frq", replace(reservation("A"), mRID=f"{n:032X}")).status for n in range(40)]
    assert (answers.count(201), answers.count(400)) == (32, 8)
    later = replace(
        reservation("A"), mRID="F" * 32, intervalRequested=r.DateTimeInterval(duration=60, start=T0 + 9_000)
    )
    assert Caller(tree, "A", T0 + 4_000).ask("POST", "/edev/A/frq", later).status == 201
    assert a.get("/edev/A/frq?l=99", r.FlowReservationRequestList).all == 32


def test_a_restart_forgets_neither_requests_nor_grants(tree: Tree, records: list[Record]) -> None:
    give(tree, ask(tree), Offer(T0 + 60, 600, 7_000, 11_000))
    again = Tree(build(settings(), lfdi("server"), T0), lambda _: None)
    again.restore([from_json(to_json(record)) for record in records])
    assert again.utility.devices["A"].requests == tree.utility.devices["A"].requests
    assert again.utility.devices["A"].grants == tree.utility.devices["A"].grants
    assert statuses(again, "A", T0 + 60) == [1]
