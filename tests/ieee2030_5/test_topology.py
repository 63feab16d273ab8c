"""What an operator arranges at run time: who connects, what belongs together, who sees which program."""

import json
from dataclasses import replace

import pytest

from ieee2030_5 import resources as r
from ieee2030_5.access import Admission
from ieee2030_5.arrangements import (
    Admitted,
    Arrangement,
    Assigned,
    Enrolled,
    Grouped,
    Held,
    Placed,
    Polled,
    Posted,
    Programmed,
    arranged,
    ended,
)
from ieee2030_5.codec import parse
from ieee2030_5.enrolment import build
from ieee2030_5.groups import GroupKind
from ieee2030_5.identity import sfdi_of
from ieee2030_5.records import Record, from_json, to_json
from ieee2030_5.settings import DeviceSettings, Profile, ServerSettings
from ieee2030_5.tree import Tree
from protocols.signals import Bounds
from tests.ieee2030_5.conftest import NOW, Laboratory
from tests.ieee2030_5.test_tree import Client, control, issue

T0 = int(NOW)
NEW = DeviceSettings("N", "0123456789" * 4, 10_000, -5_000, pin=111115, profile=Profile.CSIP_AUS)


class Utility:
    """A tree with what an operator does to it, and the records of that."""

    def __init__(self, settings: ServerSettings, server: str) -> None:
        self.settings, self.server, self.records = settings, server, list[Record]()
        self.tree = Tree(build(settings, server, T0), self.records.append)

    def arrange(self, *items: Arrangement, now: int = T0) -> None:
        for item in items:
            self.tree.arrange(arranged(item, now))

    def end(self, kind: type[Arrangement], name: str, now: int = T0) -> None:
        self.tree.arrange(ended(kind, name, now))

    def client(self, lfdi: str, now: int = T0) -> Client:
        return Client(self.tree, lfdi, now)

    def restarted(self) -> Tree:
        """A server that has only the journal."""
        tree = Tree(build(self.settings, self.server, T0), lambda _: None)
        tree.restore([from_json(json.loads(json.dumps(to_json(record)))) for record in self.records])
        return tree


@pytest.fixture
def utility(laboratory: Laboratory) -> Utility:
    return Utility(laboratory.settings(), laboratory.lfdi("server"))


@pytest.fixture
def a(utility: Utility, laboratory: Laboratory) -> Client:
    return utility.client(laboratory.lfdi("A"))


@pytest.fixture
def b(utility: Utility, laboratory: Laboratory) -> Client:
    return utility.client(laboratory.lfdi("B"))


FEEDERS = (
    Grouped("station", GroupKind.SUBSTATION),
    Grouped("north", GroupKind.FEEDER, "station"),
    Grouped("south", GroupKind.FEEDER, "station"),
    Placed("A", ("north",)),
    Placed("B", ("south",)),
    Programmed("station1", "station", 80, "Station limit"),
    Programmed("north1", "north", 70, "Feeder limit"),
)


def programs(client: Client, path: str = "/derp") -> list[tuple[str, int]]:
    found = client.get(f"{path}?l=255", r.DERProgramList)
    assert found.all == found.results == len(found.items)
    return [(item.href or "", item.primacy) for item in found.items]


def assignments(client: Client, resource: str) -> r.FunctionSetAssignmentsList:
    return client.get(f"/edev/{resource}/fsa?l=255", r.FunctionSetAssignmentsList)  # type: ignore[return-value]


def test_a_device_sees_the_programs_of_its_groups_and_those_above_them(utility: Utility, a: Client, b: Client) -> None:
    utility.arrange(*FEEDERS)
    assert programs(a) == [("/derp/A", 65), ("/derp/north1", 70), ("/derp/station1", 80)]
    assert programs(b) == [("/derp/B", 65), ("/derp/station1", 80)]
    assert programs(a, "/edev/A/fsa/1/derp") == programs(a, "/edev/A/der/1/derp") == programs(a)
    assert b.ask("GET", "/derp/north1").status == b.ask("GET", "/derp/nothing").status == 404
    assert a.get("/derp/north1", r.DERProgram).description == "Feeder limit"  # type: ignore[attr-defined]


def test_switching_moves_a_device_between_feeders_at_once(utility: Utility, a: Client) -> None:
    utility.arrange(*FEEDERS)
    before = assignments(a, "A").items[0]
    utility.arrange(Placed("A", ("south",)))
    after = assignments(a, "A").items[0]
    assert programs(a) == [("/derp/A", 65), ("/derp/station1", 80)]
    assert (after.mRID, after.version) == (before.mRID, (before.version or 0) + 1)
    assert a.ask("GET", "/derp/north1/derc").status == 404


def test_the_version_of_an_assignment_never_comes_back(utility: Utility, a: Client) -> None:
    utility.arrange(*FEEDERS)
    seen = []
    for groups in (("south",), ("north",), (), ("north", "south"), ("north",)):
        utility.arrange(Placed("A", groups))
        seen.append(assignments(a, "A").items[0].version or 0)
    utility.arrange(Programmed("north2", "north", 90))
    seen.append(assignments(a, "A").items[0].version or 0)
    utility.end(Programmed, "north2")
    seen.append(assignments(a, "A").items[0].version or 0)
    utility.arrange(Grouped("north", GroupKind.FEEDER, None))
    seen.append(assignments(a, "A").items[0].version or 0)
    assert seen == sorted(set(seen))


def test_each_assignment_lists_its_own_programs(utility: Utility, a: Client) -> None:
    utility.arrange(*FEEDERS, Assigned("@A", "flex", "Flexibility"), Programmed("flex1", "@A", 90, assignment="flex"))
    found = {item.description: item for item in assignments(a, "A").items}
    assert found["Flexibility"].href == "/edev/A/fsa/flex"
    assert [item.DERProgramListLink.all for item in found.values() if item.DERProgramListLink] in ([1, 3], [3, 1])
    assert programs(a, "/edev/A/fsa/flex/derp") == [("/derp/flex1", 90)]
    assert len(programs(a, "/edev/A/fsa/1/derp")) == 3
    assert len({item.mRID for item in found.values()}) == 2
    utility.arrange(Assigned("@A", "flex"), now=T0 + 1)
    utility.end(Programmed, "flex1")
    assert a.ask("GET", "/edev/A/fsa/flex").status == 404
    assert a.get("/edev/A", r.EndDevice).FunctionSetAssignmentsListLink.all == 1  # type: ignore[attr-defined]


def test_the_only_assignment_can_be_given_another_description(utility: Utility, a: Client) -> None:
    utility.arrange(Assigned("@A", "1", "Operating envelopes"))
    assert [item.description for item in assignments(a, "A").items] == ["Operating envelopes"]


def test_a_changed_program_keeps_its_mrid_and_takes_the_next_version(utility: Utility, a: Client) -> None:
    utility.arrange(*FEEDERS)
    before = a.get("/derp/north1", r.DERProgram)
    utility.arrange(Programmed("north1", "north", 66, "Feeder limit"))
    after = a.get("/derp/north1", r.DERProgram)
    assert after == replace(before, primacy=66, version=1)  # type: ignore[type-var]


def test_a_group_that_goes_takes_its_programs_and_leaves_its_devices(utility: Utility, a: Client) -> None:
    utility.arrange(*FEEDERS)
    utility.end(Grouped, "north")
    assert programs(a) == [("/derp/A", 65)]
    utility.arrange(Grouped("north", GroupKind.FEEDER, "station"), Placed("A", ("north",)))
    utility.end(Grouped, "station")
    assert programs(a) == [("/derp/A", 65)]
    assert utility.tree.utility.groups["north"].parent is None


def test_a_device_registered_at_run_time_has_everything_a_configured_one_has(utility: Utility, a: Client) -> None:
    utility.arrange(Enrolled(NEW))
    new = utility.client(NEW.lfdi)
    assert set(a.walk()) >= {path.replace("N", "A") for path in new.walk()}
    assert new.get("/edev/N/rg", r.Registration).pIN == 111115  # type: ignore[attr-defined]
    assert a.ask("GET", "/edev/N").status == 404


def test_a_removed_device_leaves_nothing_behind(utility: Utility, a: Client) -> None:
    utility.arrange(*FEEDERS)
    state = utility.tree.utility
    before = {path: a.ask("GET", path).body for path in a.walk()}
    sizes = (len(state.devices), len(state.programs), len(state.groups), len(state.lfdis))
    utility.arrange(Enrolled(NEW), Placed("N", ("north",)), Programmed("own2", "@N", 90))
    first = state.programs["N"].mrid
    utility.end(Enrolled, "N")
    assert (len(state.devices), len(state.programs), len(state.groups), len(state.lfdis)) == sizes
    assert utility.client(NEW.lfdi).ask("GET", "/edev/N").status == 404
    assert {path: a.ask("GET", path).body for path in before} == before
    utility.arrange(Enrolled(NEW), now=T0 + 9)
    assert state.programs["N"].mrid != first


def test_the_zone_file_has_the_last_word_about_certificates_and_ratings(utility: Utility, a: Client) -> None:
    stands = utility.tree.utility.devices["A"].settings
    utility.arrange(Enrolled(replace(stands, pin=7)), Enrolled(NEW))
    renewed = replace(stands, lfdi="CD" * 20, max_w=9.0)
    taken = DeviceSettings("P", NEW.lfdi, 1.0)
    others = tuple(item for item in utility.settings.devices if item.resource != "A")
    tree = Tree(build(replace(utility.settings, devices=(renewed, taken, *others)), utility.server, T0), lambda _: None)
    tree.restore(utility.records)
    now = tree.utility.devices["A"].settings
    assert (now.lfdi, now.max_w, now.pin) == ("CD" * 20, 9.0, 7)
    assert Client(tree, a.lfdi).ask("GET", "/edev/A").status == 404
    assert Client(tree, NEW.lfdi).ask("GET", "/edev/P").status == 200
    for name in ("N", "P", "A"):
        tree.arrange(ended(Enrolled, name, T0))
    assert Client(tree, NEW.lfdi).ask("GET", "/edev/P").status == 404


def test_a_program_gives_way_to_a_device_of_its_name_that_the_zone_file_has_by_now(utility: Utility) -> None:
    utility.arrange(*FEEDERS)
    utility.end(Programmed, "north1")
    devices = (*utility.settings.devices, DeviceSettings("north1", NEW.lfdi, 1.0))
    tree = Tree(build(replace(utility.settings, devices=devices), utility.server, T0), lambda _: None)
    tree.restore(utility.records)
    own = tree.utility.programs["north1"]
    assert (own.group, own.primacy, tree.utility.groups["north"].programs) == ("", 65, [])


def test_what_was_made_for_a_device_goes_with_it_when_the_zone_file_loses_it(utility: Utility) -> None:
    utility.arrange(*FEEDERS, Programmed("own2", "@A", 90), Assigned("@A", "fsa2", "Second"), Programmed("A", "", 60))
    utility.arrange(Held("AGG", "A"), Polled("derp", 60))
    others = tuple(item for item in utility.settings.devices if item.resource != "A")
    tree = Tree(build(replace(utility.settings, devices=others), utility.server, T0), lambda _: None)
    tree.restore(utility.records)
    assert tree.utility.programs.keys() == {"B", "C", "station1", "north1"}
    assert tree.utility.groups.keys() == {"station", "north", "south"}


def test_an_aggregator_gains_and_loses_members_at_run_time(utility: Utility, a: Client) -> None:
    aggregator = DeviceSettings("AGG", "89ABCDEF01" * 4, 0, aggregator=True)
    utility.arrange(*FEEDERS, Enrolled(aggregator))
    client = utility.client(aggregator.lfdi)
    assert "/edev/AGG" in client.walk()
    assert client.ask("GET", "/edev/A").status == 404
    utility.arrange(Held("AGG", "A"))
    assert client.get("/edev", r.EndDeviceList).all == 2  # type: ignore[attr-defined]
    assert programs(client) == programs(a)
    utility.arrange(Held("AGG", "A", held=False))
    assert client.get("/edev", r.EndDeviceList).all == 1  # type: ignore[attr-defined]
    assert client.ask("GET", "/derp/A").status == 404
    assert a.ask("GET", "/edev/A").status == 200


def test_rates_show_at_once_in_each_kind_of_resource(utility: Utility, b: Client) -> None:
    shown = (
        ("dcap", "/dcap", r.DeviceCapability),
        ("edev", "/edev", r.EndDeviceList),
        ("fsa", "/edev/B/fsa", r.FunctionSetAssignmentsList),
        ("derp", "/edev/B/fsa/1/derp", r.DERProgramList),
        ("der", "/edev/B/der", r.DERList),
        ("mup", "/mup", r.MirrorUsagePointList),
    )
    for number, (kind, path, cls) in enumerate(shown, start=41):
        assert b.get(path, cls).pollRate == 300  # type: ignore[attr-defined]
        utility.arrange(Polled(kind, number))
        assert b.get(path, cls).pollRate == number, kind  # type: ignore[attr-defined]
    utility.arrange(Posted("edev", 17))
    assert b.get("/edev/B", r.EndDevice).postRate == 17  # type: ignore[attr-defined]
    utility.end(Posted, "edev")
    assert b.get("/edev/B", r.EndDevice).postRate == 300  # type: ignore[attr-defined]


def test_access_is_taken_at_once_and_ends_by_itself(utility: Utility, b: Client) -> None:
    utility.arrange(Admitted(b.lfdi, Admission.DENIED))
    assert (b.ask("GET", "/edev/B").status, b.ask("GET", "/dcap").status) == (403, 200)
    utility.arrange(Admitted(b.lfdi, Admission.ENABLED, T0 + 60))
    assert b.ask("GET", "/edev/B").status == 200
    b.now = T0 + 60
    assert b.ask("GET", "/edev/B").status == 403
    utility.end(Admitted, b.lfdi)
    assert b.ask("GET", "/edev/B").status == 200


def test_a_restart_keeps_every_arrangement(utility: Utility, a: Client, b: Client) -> None:
    limited = replace(NEW, default_limit=Bounds(ceiling_w=1_500.0), notify_hosts=frozenset({"gw.example"}))
    aggregator = DeviceSettings("AGG", "89ABCDEF01" * 4, 0, aggregator=True)
    utility.arrange(
        *FEEDERS,
        Enrolled(limited),
        Enrolled(aggregator),
        Held("AGG", "N"),
        Placed("N", ("south", "north")),
        Assigned("south", "flex", "Flexibility"),
        Polled("derp", 60),
        Posted("mup", 60),
        Admitted(a.lfdi, Admission.DENIED),
    )
    utility.end(Programmed, "station1")
    utility.end(Enrolled, "C")
    again = utility.restarted()
    for lfdi in (a.lfdi, b.lfdi, NEW.lfdi, aggregator.lfdi):
        old = utility.client(lfdi)
        paths = ["/dcap"] if lfdi == a.lfdi else [*old.walk()]
        for path in paths:
            assert Client(again, lfdi).ask("GET", f"{path}?l=255") == old.ask("GET", f"{path}?l=255"), path
    assert Client(again, a.lfdi).ask("GET", "/edev/A").status == 403


def test_a_subscriber_learns_of_programs_and_rates(laboratory: Laboratory) -> None:
    settings = laboratory.settings()
    devices = tuple(
        replace(item, notify_hosts=frozenset({"127.0.0.1"})) if item.resource == "B" else item
        for item in settings.devices
    )
    utility = Utility(replace(settings, devices=devices), laboratory.lfdi("server"))
    b = utility.client(laboratory.lfdi("B"))
    for path in ("/edev", "/edev/B/fsa", "/edev/B/fsa/1/derp"):
        wanted = r.Subscription(
            subscribedResource=path, encoding=0, level="+S1", limit=10, notificationURI="http://127.0.0.1:9/n"
        )
        assert b.ask("POST", "/edev/B/sub", wanted).status == 201
    assert utility.tree.notices(T0) == []

    def told() -> list[str]:
        return sorted(notice.notification.subscribedResource for notice in utility.tree.notices(T0))

    utility.arrange(Grouped("south", GroupKind.FEEDER), Placed("B", ("south",)))
    assert told() == ["/edev/B/fsa"]
    utility.arrange(Programmed("south1", "south", 70))
    assert told() == ["/edev/B/fsa", "/edev/B/fsa/1/derp"]
    utility.arrange(Polled("edev", 30))
    assert told() == ["/edev"]
    assert told() == []


def brought(lfdi: str) -> r.EndDevice:
    return r.EndDevice(lFDI=lfdi, sFDI=sfdi_of(lfdi), changedTime=T0)


def test_an_aggregator_that_may_brings_devices_nobody_has_registered(utility: Utility, a: Client, b: Client) -> None:
    agent = DeviceSettings("AGG", "89ABCDEF01" * 4, 10_000, aggregator=True, may_enrol=True, profile=Profile.CSIP_AUS)
    utility.arrange(Enrolled(agent))
    client = utility.client(agent.lfdi)
    answer = client.ask("POST", "/edev", brought(NEW.lfdi))
    assert answer.status == 201
    href = answer.headers["Location"]
    assert client.get(href, r.EndDevice).lFDI == NEW.lfdi  # type: ignore[attr-defined]
    assert client.get(f"{href}/fsa/1/derp", r.DERProgramList).all == 1  # type: ignore[attr-defined]
    assert client.ask("POST", "/edev", brought(NEW.lfdi)).status == 409
    assert a.ask("GET", href).status == 404
    assert Client(utility.restarted(), agent.lfdi).ask("GET", href).body == client.ask("GET", href).body
    assert client.ask("POST", "/edev", brought(b.lfdi)).status == 400, "somebody else's device"
    wrong = replace(brought("EF" * 20), sFDI=1)
    kept = len(utility.records)
    assert client.ask("POST", "/edev", wrong).status == 400
    assert len(utility.records) == kept


def test_an_aggregator_brings_no_more_devices_than_allowed(laboratory: Laboratory) -> None:
    utility = Utility(laboratory.settings(members=1), laboratory.lfdi("server"))
    agent = DeviceSettings("AGG", "89ABCDEF01" * 4, 10_000, aggregator=True, may_enrol=True)
    utility.arrange(Enrolled(agent))
    client = utility.client(agent.lfdi)
    assert client.ask("POST", "/edev", brought(NEW.lfdi)).status == 201
    refused = client.ask("POST", "/edev", brought("EF" * 20))
    assert (refused.status, parse(refused.body, (r.Error,)).reasonCode) == (400, 2)


def test_an_aggregator_that_may_not_is_refused(utility: Utility) -> None:
    utility.arrange(Enrolled(DeviceSettings("AGG", "89ABCDEF01" * 4, 10_000, aggregator=True)))
    assert utility.client("89ABCDEF01" * 4).ask("POST", "/edev", brought(NEW.lfdi)).status == 400


def test_a_device_that_comes_back_is_shown_its_new_controls_and_not_a_page_of_the_old_ones(utility: Utility) -> None:
    client = utility.client(NEW.lfdi)
    seen = []
    for number in (1, 2):
        utility.arrange(Enrolled(NEW), now=T0 + number)
        plain = control("N", number, limit=Bounds(ceiling_w=1_000.0 * number))
        issue(utility.tree, plain)
        listed = client.get("/derp/N/derc", r.DERControlList)
        assert isinstance(listed, r.DERControlList)
        seen.append([item.base.opModExpLimW for item in listed.items])
        utility.end(Enrolled, "N", now=T0 + number)
    assert seen == [[r.ActivePower(multiplier=0, value=1_000)], [r.ActivePower(multiplier=0, value=2_000)]]
