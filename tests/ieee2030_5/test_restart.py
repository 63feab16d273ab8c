"""What a server still knows, and still has to tell, after it was cut off at any moment."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from ieee2030_5 import resources as r
from ieee2030_5.access import Admission
from ieee2030_5.arrangements import Admitted, Assigned, Enrolled, Grouped, Held, Placed, Polled, Programmed
from ieee2030_5.codec import render
from ieee2030_5.enrolment import build
from ieee2030_5.groups import GroupKind
from ieee2030_5.records import Record, from_json, to_json
from ieee2030_5.settings import DeviceSettings
from ieee2030_5.subscriptions import CHANGED, DELETED, ENDED, Notice
from ieee2030_5.tree import Tree
from tests.ieee2030_5.conftest import Laboratory, Validate
from tests.ieee2030_5.test_topology import T0, Utility
from tests.ieee2030_5.test_tree import Client, fill, issue, subscription, without_readings
from tests.ieee2030_5.test_tree import control as lease

AGENT = DeviceSettings("AGG", "89ABCDEF01" * 4, 1, aggregator=True, notify_hosts=frozenset({"b.example"}))


@pytest.fixture
def utility(laboratory: Laboratory) -> Utility:
    settings = laboratory.settings()
    devices = tuple(replace(device, notify_hosts=frozenset({"b.example"})) for device in settings.devices)
    return Utility(replace(settings, devices=devices), laboratory.lfdi("server"))


@pytest.fixture
def b(utility: Utility, laboratory: Laboratory) -> Client:
    return utility.client(laboratory.lfdi("B"))


def subscribe(client: Client, *resources: str, under: str = "B") -> None:
    for resource in resources:
        assert client.ask("POST", f"/edev/{under}/sub", subscription(resource)).status == 201


def told(notices: Sequence[Notice]) -> list[tuple[str, int]]:
    return sorted((item.notification.subscribedResource, item.notification.status) for item in notices)


def arrive(tree: Tree, notices: Sequence[Notice]) -> None:
    tree.told({item.subscription: item.digest for item in notices}, T0)


def test_what_was_not_told_before_a_restart_is_told_after_it_once(utility: Utility, b: Client) -> None:
    subscribe(b, "/derp/B/derc", "/edev/B/fsa")
    issue(utility.tree, lease())
    lost = utility.tree.notices(T0)
    again = utility.restarted()
    found = again.notices(T0 + 5)
    assert told(found) == told(lost) == [("/derp/B/derc", CHANGED)]
    assert again.notices(T0 + 6) == []


def test_what_has_arrived_is_not_told_again(utility: Utility, b: Client) -> None:
    subscribe(b, "/derp/B/derc", "/edev/B/fsa")
    issue(utility.tree, lease())
    arrive(utility.tree, utility.tree.notices(T0))
    again = utility.restarted()
    assert again.notices(T0 + 5) == []
    issue(again, lease(version=2), T0 + 6)
    assert told(again.notices(T0 + 6)) == [("/derp/B/derc", CHANGED)]


def test_an_older_state_that_arrived_does_not_count_as_the_newest(utility: Utility, b: Client) -> None:
    subscribe(b, "/derp/B/derc")
    issue(utility.tree, lease())
    first = utility.tree.notices(T0)
    issue(utility.tree, lease(version=2))
    assert told(utility.tree.notices(T0)) == [("/derp/B/derc", CHANGED)]
    arrive(utility.tree, first)
    assert told(utility.restarted().notices(T0 + 5)) == [("/derp/B/derc", CHANGED)]


def test_a_renewal_is_no_news_after_a_restart_either(utility: Utility, b: Client) -> None:
    subscribe(b, "/derp/B/derc")
    issue(utility.tree, lease())
    assert b.ask("POST", "/edev/B/sub", subscription()).status == 204
    assert told(utility.restarted().notices(T0 + 5)) == [("/derp/B/derc", CHANGED)]


def test_subscriptions_of_a_removed_device_end_with_status_1_also_after_a_restart(
    utility: Utility, b: Client, validate: Validate
) -> None:
    subscribe(b, "/derp/B/derc", "/edev/B/fsa")
    utility.end(Enrolled, "B")
    found = utility.tree.notices(T0)
    assert told(found) == [("/derp/B/derc", ENDED), ("/edev/B/fsa", ENDED)]
    for item in found:
        validate(render(item.notification))
    assert utility.tree.notices(T0) == []
    assert told(utility.restarted().notices(T0)) == told(found)
    arrive(utility.tree, found)
    assert utility.restarted().notices(T0) == []


def test_what_a_client_ends_itself_is_not_told(utility: Utility, b: Client) -> None:
    subscribe(b, "/derp/B/derc")
    assert b.ask("DELETE", next(iter(utility.tree.utility.devices["B"].subscriptions))).status == 204
    assert utility.tree.notices(T0) == utility.restarted().notices(T0) == []


def test_an_aggregator_that_loses_a_member_is_told_no_more_of_it(utility: Utility) -> None:
    utility.arrange(Enrolled(AGENT), Held("AGG", "B"))
    agent = utility.client(AGENT.lfdi)
    subscribe(agent, "/derp/B/derc", "/edev/B/fsa", "/edev", under="AGG")
    utility.arrange(Held("AGG", "B", held=False))
    expected = [("/derp/B/derc", ENDED), ("/edev", CHANGED), ("/edev/B/fsa", ENDED)]
    assert told(utility.tree.notices(T0)) == expected
    assert told(utility.restarted().notices(T0)) == expected
    (left,) = utility.tree.utility.devices["AGG"].subscriptions.values()
    assert left.subscribedResource == "/edev"


def test_what_is_gone_for_everybody_ends_its_subscriptions_with_status_4(utility: Utility, b: Client) -> None:
    utility.arrange(Enrolled(AGENT), Held("AGG", "B"), Grouped("g", GroupKind.FEEDER), Placed("B", ("g",)))
    utility.arrange(Programmed("flex", "g", 40), Assigned("@B", "second", "Second"))
    subscribe(b, "/derp/flex/derc", "/edev/B/fsa/second")
    utility.end(Programmed, "flex")
    utility.arrange(Assigned("@B", "second"))
    assert told(utility.tree.notices(T0)) == [("/derp/flex/derc", DELETED), ("/edev/B/fsa/second", DELETED)]
    agent = utility.client(AGENT.lfdi)
    subscribe(agent, "/edev/B", under="AGG")
    utility.end(Enrolled, "B")
    assert told(utility.tree.notices(T0)) == [("/edev/B", DELETED)]


def test_a_subscription_made_again_is_not_told_of_its_first_end(utility: Utility, b: Client) -> None:
    utility.arrange(Grouped("g", GroupKind.FEEDER), Placed("B", ("g",)), Programmed("flex", "g", 40))
    subscribe(b, "/derp/flex/derc")
    utility.arrange(Placed("B", ()))
    assert told(utility.tree.notices(T0)) == [("/derp/flex/derc", ENDED)]
    utility.arrange(Placed("B", ("g",)))
    subscribe(b, "/derp/flex/derc")
    assert utility.tree.notices(T0) == utility.restarted().notices(T0) == []


def test_a_refused_client_is_told_nothing_until_it_is_admitted_again(utility: Utility, b: Client) -> None:
    subscribe(b, "/derp/B/derc")
    utility.arrange(Admitted(b.lfdi, Admission.DENIED))
    issue(utility.tree, lease())
    assert utility.tree.notices(T0) == []
    utility.end(Admitted, b.lfdi)
    assert told(utility.tree.notices(T0)) == [("/derp/B/derc", CHANGED)]


def test_a_journal_cut_anywhere_holds_all_that_was_acknowledged_by_then(
    utility: Utility, laboratory: Laboratory, b: Client
) -> None:
    seen: list[tuple[int, dict[str, bytes], dict[str, bytes]]] = []

    def note() -> None:
        """What both clients find now, and how long the journal is."""
        seen.append((len(utility.records), without_readings(b.walk()), utility.client(AGENT.lfdi).walk()))

    fill(b, "B")
    note()
    utility.arrange(Enrolled(AGENT), Held("AGG", "B"))
    note()
    utility.arrange(Grouped("g", GroupKind.FEEDER), Placed("B", ("g",)), Programmed("flex", "g", 40))
    note()
    subscribe(b, "/derp/B/derc", "/derp/flex/derc", "/edev")
    note()
    issue(utility.tree, lease())
    note()
    mrid = utility.tree.utility.programs["B"].events[0].mRID
    answer = r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=b.lfdi, status=1, subject=mrid)
    assert b.ask("POST", "/rsps/B/rsp", answer).status == 201
    note()
    utility.arrange(Polled("derp", 60))
    utility.end(Programmed, "flex")
    note()
    arrive(utility.tree, utility.tree.notices(T0))
    note()
    lines = [json.dumps(to_json(record)) for record in utility.records]
    for length, mine, agents in seen:
        tree = Tree(build(utility.settings, utility.server, T0), lambda _: None)
        tree.restore([from_json(json.loads(line)) for line in lines[:length]])
        assert without_readings(Client(tree, b.lfdi).walk()) == mine, length
        assert Client(tree, AGENT.lfdi).walk() == agents, length


@pytest.mark.parametrize("length", range(1, 40))
def test_a_server_starts_from_every_part_of_a_journal(utility: Utility, b: Client, length: int) -> None:
    records: list[Record] = utility.records
    utility.arrange(Enrolled(AGENT), Held("AGG", "B"), Grouped("g", GroupKind.FEEDER), Placed("B", ("g",)))
    utility.arrange(Programmed("flex", "g", 40))
    fill(b, "B")
    subscribe(b, "/derp/B/derc", "/derp/flex/derc")
    issue(utility.tree, lease())
    issue(utility.tree, lease(version=2))
    utility.end(Grouped, "g")
    utility.tree.notices(T0)
    utility.end(Enrolled, "B")
    tree = Tree(build(utility.settings, utility.server, T0), lambda _: None)
    tree.restore(records[:length])
    for path in ("/dcap", "/edev", "/derp", "/mup"):
        assert Client(tree, b.lfdi).ask("GET", path).status in (200, 404)
    tree.notices(T0 + 1)
