"""The whole server without sockets: every document, every refusal, and who may see what."""

import re
from dataclasses import replace

import pytest

from ieee2030_5 import resources as r
from ieee2030_5.codec import parse, render
from ieee2030_5.enrolment import build
from ieee2030_5.identity import sfdi_of
from ieee2030_5.leases import offer, release
from ieee2030_5.modes import control_base
from ieee2030_5.records import Record, from_json, to_json
from ieee2030_5.settings import DeviceSettings, Edition, Profile
from ieee2030_5.tree import MEDIA_TYPE, Answer, Asked, Tree
from protocols.signals import Bounds, Control, Measurement, Outcome, Quality
from tests.ieee2030_5.conftest import NOW, Laboratory, Validate

T0 = int(NOW)
UNSENT = ("dercap", "derg", "ders", "dera", "cfg", "di", "dstat", "ps")


class Client:
    """One certificate against a tree in memory."""

    def __init__(self, tree: Tree, lfdi: str, now: int = T0) -> None:
        self.tree, self.lfdi, self.now = tree, lfdi, now

    def ask(self, method: str, target: str, body: bytes | object = b"", **extra: str) -> Answer:
        data = body if isinstance(body, bytes) else render(body, aus=True)
        asked = Asked(method, target, extra.get("accept", MEDIA_TYPE), extra.get("content_type", MEDIA_TYPE), data)
        return self.tree.answer(self.lfdi, asked, self.now)

    def get(self, target: str, cls: type) -> object:
        answer = self.ask("GET", target)
        assert answer.status == 200, (target, answer)
        return parse(answer.body, (cls,))

    def walk(self) -> dict[str, bytes]:
        """Everything that can be reached by links from /dcap, lists as a whole."""
        found: dict[str, bytes] = {}
        waiting = ["/dcap"]
        while waiting:
            href = waiting.pop()
            if href in found:
                continue
            answer = self.ask("GET", f"{href}?l=255")
            if answer.status == 404 and href.rsplit("/", 1)[1] in UNSENT:
                continue  # nothing sent yet: the only links that may lead nowhere
            assert answer.status == 200, (href, answer)
            found[href] = answer.body
            waiting += [link.decode() for link in re.findall(rb'(?:href|replyTo)="([^"]+)"', answer.body)]
        return found


@pytest.fixture
def records() -> list[Record]:
    return []


@pytest.fixture
def tree(laboratory: Laboratory, records: list[Record]) -> Tree:
    return Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), records.append)


def control(resource: str = "B", version: int = 1, **changes: object) -> Control:
    plain = Control(
        f"K{version}",
        resource,
        version,
        NOW,
        NOW + 900,
        Bounds(ceiling_w=1_200_000.0),
        fallback=Bounds(ceiling_w=1_000_000.0),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def issue(tree: Tree, what: Control, now: float = NOW) -> None:
    device = tree.utility.by_resource(what.resource)
    assert device is not None
    offer(tree, device, what, now)


@pytest.fixture
def b(tree: Tree, laboratory: Laboratory) -> Client:
    return Client(tree, laboratory.lfdi("B"))


@pytest.fixture
def a(tree: Tree, laboratory: Laboratory) -> Client:
    return Client(tree, laboratory.lfdi("A"))


def meter(lfdi: str, mrid: str = "AB", readings: tuple[r.MirrorMeterReading, ...] = ()) -> r.MirrorUsagePoint:
    return r.MirrorUsagePoint(
        mRID=mrid, roleFlags="49", serviceCategoryKind=0, status=1, deviceLFDI=lfdi, meter_readings=readings
    )


def power(value: int, flow: int = 19, mrid: str = "CD") -> r.MirrorMeterReading:
    return r.MirrorMeterReading(
        mRID=mrid,
        reading=r.Reading(value=value, timePeriod=r.DateTimeInterval(duration=60, start=T0 - 60)),
        reading_type=r.ReadingType(flowDirection=flow, powerOfTenMultiplier=3, uom=38, dataQualifier=2),
    )


def without_readings(found: dict[str, bytes]) -> dict[str, bytes]:
    """All but what only the telemetry store keeps over a restart."""
    return {href: body for href, body in found.items() if not re.match("/upt/.*/mr", href)}


def fill(client: Client, resource: str) -> None:
    """Put something everywhere a client can put something."""
    issue(client.tree, control(resource, 1))
    issue(client.tree, control(resource, 2, limit=Bounds(ceiling_w=800_000.0), start_s=NOW + 60), NOW + 1)
    issue(client.tree, control(resource, 3, limit=Bounds(ceiling_w=700_000.0), target_w=500_000.0), NOW + 2)
    mrid = next(iter(client.tree.utility.programs[resource].events)).mRID
    response = r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=client.lfdi, status=1, subject=mrid)
    log = r.LogEvent(createdDateTime=T0, functionSet=11, logEventCode=2, logEventID=1, logEventPEN=37250, profileID=2)
    watt = r.ActivePower(multiplier=2, value=1)
    for method, target, body in (
        (
            "PUT",
            f"/edev/{resource}/der/1/dercap",
            r.DERCapability(modesSupported="00100000", rtgMaxW=watt, type=4, doeModesSupported="0F"),
        ),
        (
            "PUT",
            f"/edev/{resource}/der/1/ders",
            r.DERStatus(readingTime=T0, genConnectStatus=r.StatusBits(dateTime=T0, value="07")),
        ),
        ("PUT", f"/edev/{resource}/der/1/dera", r.DERAvailability(readingTime=T0, statWAvail=watt)),
        ("POST", f"/rsps/{resource}/rsp", response),
        ("POST", f"/edev/{resource}/lel", log),
        ("POST", "/mup", meter(client.lfdi, readings=(power(5, mrid=client.lfdi[:32]),))),
    ):
        assert client.ask(method, target, body).status in (201, 204), (method, target)


@pytest.mark.parametrize("name", ["A", "B"])
def test_every_document_reachable_by_links_validates(
    tree: Tree, laboratory: Laboratory, validate: Validate, name: str
) -> None:
    client = Client(tree, laboratory.lfdi(name))
    fill(client, name)
    found = client.walk()
    assert len(found) >= 20
    for body in found.values():
        validate(body)


def test_documents_for_a_plain_client_hold_nothing_australian(b: Client) -> None:
    fill(b, "B")
    assert not any(b"csipaus" in body for body in b.walk().values())


def test_hrefs_stay_below_fifty_characters_and_hold_no_query(a: Client, b: Client) -> None:
    fill(a, "A")
    fill(b, "B")
    for href in {**a.walk(), **b.walk()}:
        assert len(href) < 50
        assert "?" not in href


def test_two_clients_find_nothing_of_each_other(a: Client, b: Client) -> None:
    fill(a, "A")
    fill(b, "B")
    shared = {"/dcap", "/tm", "/sdev", "/edev", "/derp", "/rsps", "/mup", "/upt", "/tp", "/sdev/di"}
    of_a, of_b = a.walk(), b.walk()
    assert not (set(of_a) & set(of_b)) - shared
    for mine, other, name in ((of_a, b, b"A"), (of_b, a, b"B")):
        for href in set(mine) - shared:
            for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
                hidden = other.ask(method, href, b"<x/>")
                absent = other.ask(method, "/edev/nobody/never", b"<x/>")
                assert (hidden.status, hidden.body, hidden.headers) == (absent.status, absent.body, absent.headers)
        lfdi = (a if name == b"A" else b).lfdi.encode()
        assert not any(lfdi in body for body in (of_b if name == b"A" else of_a).values())


def test_the_same_meter_mrid_from_two_clients_does_not_clash(a: Client, b: Client) -> None:
    one, two = a.ask("POST", "/mup", meter(a.lfdi)), b.ask("POST", "/mup", meter(b.lfdi))
    assert (one.status, two.status) == (201, 201)
    assert one.headers["Location"] != two.headers["Location"]


def test_a_series_stays_with_the_client_that_reported_it_first(a: Client, b: Client) -> None:
    reading = power(5)
    place = b.ask("POST", "/mup", meter(b.lfdi, readings=(reading,))).headers["Location"]
    assert a.ask("POST", "/mup", meter(a.lfdi, readings=(reading,))).status == 400
    own = a.ask("POST", "/mup", meter(a.lfdi)).headers["Location"]
    assert a.ask("POST", own, reading).status == 400
    assert b.ask("POST", place, reading).status == 201
    assert b.ask("DELETE", place).status == 204
    assert a.ask("POST", own, reading).status == 201


def test_a_client_that_has_yet_to_register_finds_the_time_and_no_meters(
    tree: Tree, laboratory: Laboratory, validate: Validate
) -> None:
    client = Client(tree, laboratory.lfdi("C"))
    found = client.walk()
    assert set(found) == {"/dcap", "/tm", "/edev", "/mup"}
    assert [b'all="0"' in found[path] for path in ("/edev", "/mup")] == [True, True]
    for body in found.values():
        validate(body)
    assert client.ask("POST", "/mup", meter(client.lfdi)).status == 400


def test_a_stranger_sees_the_entry_and_an_empty_list(tree: Tree, laboratory: Laboratory, validate: Validate) -> None:
    client = Client(tree, laboratory.lfdi("stranger"))
    found = client.walk()
    assert set(found) == {"/dcap", "/edev"}
    assert b'all="0"' in found["/edev"]
    for target in ("/tm", "/derp", "/mup", "/rsps", "/sdev", "/edev/B", "/derp/B"):
        assert client.ask("GET", target).status == 404
    me = r.EndDevice(sFDI=laboratory.issued["stranger"].sfdi, changedTime=T0)
    assert client.ask("POST", "/edev", me).status == 403


def test_a_device_registers_itself_once(tree: Tree, laboratory: Laboratory) -> None:
    client = Client(tree, laboratory.lfdi("C"))
    assert client.ask("GET", "/edev/C").status == 404
    me = r.EndDevice(sFDI=laboratory.issued["C"].sfdi, changedTime=T0)
    assert client.ask("POST", "/edev", replace(me, sFDI=12)).status == 400
    assert client.ask("POST", "/edev", replace(me, lFDI="AB" * 20)).status == 400
    answer = client.ask("POST", "/edev", me)
    assert (answer.status, answer.headers["Location"]) == (201, "/edev/C")
    assert client.ask("POST", "/edev", me).status == 409
    assert b'all="1"' in client.ask("GET", "/edev").body
    assert client.ask("DELETE", "/edev/C").status == 204
    assert client.ask("GET", "/edev/C").status == 404
    assert client.ask("POST", "/edev", me).status == 201


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    b'<DERStatus xmlns="urn:ieee:std:2030.5:ns">&b;</DERStatus>'
)
NS = b'xmlns="urn:ieee:std:2030.5:ns"'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<",
        b"\x00\x01\x02",
        b"\xff\xfe<\x00a\x00",
        b"<DERStatus/>",
        b'<DERStatus xmlns="http://ieee.org/2030.5"><readingTime>1</readingTime></DERStatus>',
        b"<DERStatus " + NS + b"/>",
        b"<DERStatus " + NS + b"><readingTime>noon</readingTime></DERStatus>",
        b"<DERStatus " + NS + b"><readingTime>99999999999999999999</readingTime></DERStatus>",
        b"<DERStatus " + NS + b"><readingTime>1</readingTime><alarmStatus>00</alarmStatus></DERStatus>",
        b"<DERStatus " + NS + b"><readingTime>1</readingTime><readingTime>1</readingTime></DERStatus>",
        b"<DERStatus " + NS + b"><alarmStatus>xy</alarmStatus><readingTime>1</readingTime></DERStatus>",
        b"<DERStatus " + NS + b"><readingTime>1</readingTime><more/></DERStatus>",
        b"<DERStatus " + NS + b">text<readingTime>1</readingTime></DERStatus>",
        b"<DERStatus " + NS + b' odd="1"><readingTime>1</readingTime></DERStatus>',
        b"<DERStatus " + NS + b"><readingTime>1900009999</readingTime></DERStatus>",
        b"<DERSettings " + NS + b"/>",
        BOMB,
        b"<a>" * 400,
        b"<DERStatus " + NS + b">" + b"<genConnectStatus>" * 200 + b"</genConnectStatus>" * 200 + b"</DERStatus>",
    ],
)
def test_a_bad_body_is_refused_with_an_error_and_changes_nothing(
    b: Client, records: list[Record], validate: Validate, body: bytes
) -> None:
    answer = b.ask("PUT", "/edev/B/der/1/ders", body)
    assert answer.status == 400
    validate(answer.body)
    assert parse(answer.body, (r.Error,)).reasonCode in (0, 1)
    assert not records
    assert b.ask("GET", "/edev/B/der/1/ders").status == 404


def test_wrong_media_types_are_told_apart(b: Client) -> None:
    assert b.ask("PUT", "/edev/B/der/1/ders", b"", content_type="text/xml").status == 415
    assert b.ask("GET", "/dcap", accept="application/json").status == 406
    assert b.ask("GET", "/dcap", accept="application/sep+xml; level=-S1").status == 200
    assert b.ask("GET", "/dcap", accept="").status == 200
    assert b.ask("GET", "/dcap", accept="text/html, */*;q=0.1").status == 200


def test_a_wrong_method_names_the_allowed_ones(b: Client, validate: Validate) -> None:
    answer = b.ask("DELETE", "/dcap")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    validate(answer.body)
    assert b.ask("PUT", "/mup", b"").headers["Allow"] == "GET, HEAD, POST"
    assert b.ask("BREW", "/tm").status == 405


@pytest.mark.parametrize("query", ["s=-1", "l=-1", "s=a", "l=1.5", "a=x", "s=", "l=99999999999999999999"])
def test_bad_paging_is_refused(b: Client, query: str) -> None:
    assert b.ask("GET", f"/derp/B/derc?{query}").status == 400


def test_pages_are_stable_and_ordered(b: Client) -> None:
    for version in range(1, 6):
        start = NOW + 1_000 - 100 * version
        issue(b.tree, control("B", version, start_s=start, expiry_s=start + 50, control_id=f"K{version}"))
    pages = [b.get(f"/derp/B/derc?s={start}&l=2", r.DERControlList) for start in (0, 2, 4, 6)]
    assert [page.results for page in pages] == [2, 2, 1, 0]  # type: ignore[attr-defined]
    assert {page.all for page in pages} == {5}  # type: ignore[attr-defined]
    starts = [event.interval.start for page in pages for event in page.items]  # type: ignore[attr-defined]
    assert starts == sorted(starts)
    assert b.get("/derp/B/derc", r.DERControlList).results == 1  # type: ignore[attr-defined]
    assert b.get("/derp/B/derc?l=0", r.DERControlList).results == 0  # type: ignore[attr-defined]
    later = b.get(f"/derp/B/derc?l=9&a={T0 + 700}", r.DERControlList)
    assert [event.interval.start for event in later.items] == [T0 + 800, T0 + 900]  # type: ignore[attr-defined]


def test_counts_in_links_equal_what_the_client_finds(a: Client, b: Client) -> None:
    for client, name in ((a, "A"), (b, "B")):
        fill(client, name)
        found = client.walk()
        for body in found.values():
            for href, count in re.findall(rb'ListLink href="([^"]+)" all="(\d+)"', body):
                whole = re.search(rb'all="(\d+)"', found[href.decode()])
                assert whole is not None
                assert whole[1] == count, href


def test_no_two_objects_share_an_mrid(a: Client, b: Client) -> None:
    fill(a, "A")
    fill(b, "B")
    tree = a.tree
    names = [item.mrid for item in tree.utility.programs.values()]
    names += [item.default.mRID for item in tree.utility.programs.values()]
    names += [event.mRID for item in tree.utility.programs.values() for event in item.events]
    assert len(set(names)) == len(names)


def test_what_a_client_put_comes_back_unchanged(b: Client) -> None:
    sent = r.DERSettings(
        modesEnabled="00100000", setGradW=2777, setMaxW=r.ActivePower(multiplier=3, value=5800), updatedTime=T0 - 5
    )
    first = b.ask("PUT", "/edev/B/der/1/derg", sent)
    assert (first.status, first.headers["Location"]) == (204, "/edev/B/der/1/derg")
    assert b.ask("PUT", "/edev/B/der/1/derg", sent).status == 204
    assert replace(b.get("/edev/B/der/1/derg", r.DERSettings), href=None) == sent  # type: ignore[type-var]


def test_percentages_count_from_the_settings_of_the_device(b: Client) -> None:
    sent = r.DERSettings(setGradW=2777, setMaxW=r.ActivePower(multiplier=3, value=4000), updatedTime=T0)
    b.ask("PUT", "/edev/B/der/1/derg", sent)
    issue(b.tree, control())
    assert b.tree.utility.programs["B"].events[-1].base.opModMaxLimW == 3_000


def test_readings_leave_as_measurements_and_are_not_kept(b: Client, records: list[Record]) -> None:
    place = b.ask("POST", "/mup", meter(b.lfdi)).headers["Location"]
    assert b.ask("POST", place, power(7)).status == 201
    assert len(records) == 2
    again = replace(power(8), reading_type=None)
    assert b.ask("POST", place, r.MirrorMeterReadingList(all=1, results=1, items=(again,))).status == 201
    assert len(records) == 2
    values = [(item.value, item.source_time_s, item.quality) for item in b.tree.utility.signals]  # type: ignore[union-attr]
    assert values == [(7_000.0, NOW, Quality.GOOD), (8_000.0, NOW, Quality.GOOD)]
    assert b"<Reading>" not in b.ask("GET", place).body
    assert b.ask("POST", place, replace(again, mRID="EF")).status == 400
    assert b.ask("POST", "/mup", meter("AB" * 20)).status == 400
    assert b.ask("POST", "/mup", meter(b.lfdi)).status == 204


def test_n2_a_nameplate_leaves_as_a_measurement(b: Client) -> None:
    nameplate = r.DERCapability(modesSupported="00100000", rtgMaxW=r.ActivePower(multiplier=2, value=450), type=4)
    assert b.ask("PUT", "/edev/B/der/1/dercap", nameplate).status == 204
    (said,) = b.tree.utility.signals
    assert isinstance(said, Measurement)
    assert (str(said.point), said.value) == ("B.rated_power_w", 45_000.0)


def test_import_is_negative_and_questionable_readings_are_bad(b: Client) -> None:
    reading = replace(power(7, flow=1), reading=r.Reading(value=7))
    b.ask("POST", "/mup", meter(b.lfdi, readings=(reading,)))
    doubtful = replace(power(7), reading=r.Reading(value=7, qualityFlags="10"))
    b.ask("POST", "/mup", meter(b.lfdi, readings=(doubtful,)))
    assert [(item.value, item.quality) for item in b.tree.utility.signals] == [  # type: ignore[union-attr]
        (-7_000.0, Quality.GOOD),
        (0.0, Quality.BAD),
    ]


def test_responses_become_acknowledgements(b: Client) -> None:
    issue(b.tree, control())
    mrid = b.tree.utility.programs["B"].events[0].mRID
    answer = r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=b.lfdi, status=1, subject=mrid)
    posted = [b.ask("POST", "/rsps/B/rsp", replace(answer, status=status)) for status in (1, 1, 2, 3, 11)]
    assert {item.status for item in posted} == {201}
    assert posted[0].headers == posted[1].headers
    outcomes = [item.outcome for item in b.tree.utility.signals]  # type: ignore[union-attr]
    assert outcomes == [Outcome.RECEIVED, Outcome.STARTED, Outcome.COMPLETED]
    assert all(item.control_id == "K1" for item in b.tree.utility.signals)  # type: ignore[union-attr]
    for wrong in (replace(answer, subject="AB"), replace(answer, endDeviceLFDI="CD" * 20), replace(answer, status=15)):
        assert b.ask("POST", "/rsps/B/rsp", wrong).status == 400


def test_a_late_response_is_accepted_and_one_about_a_foreign_event_is_not(a: Client, b: Client) -> None:
    issue(b.tree, control())
    mrid = b.tree.utility.programs["B"].events[0].mRID
    answer = r.DERControlResponse(createdDateTime=T0 + 901, endDeviceLFDI=b.lfdi, status=3, subject=mrid)
    b.now = T0 + 5_000
    assert b.ask("GET", "/derp/B/derc").body.count(b"<DERControl ") == 0
    assert b.ask("POST", "/rsps/B/rsp", answer).status == 201
    foreign = replace(answer, endDeviceLFDI=a.lfdi)
    assert a.ask("POST", "/rsps/A/rsp", foreign).status == 400
    b.now = T0 + 40 * 86_400
    issue(b.tree, control(version=2, start_s=b.now, expiry_s=b.now + 60), b.now)
    b.now += 61
    assert b.ask("POST", "/rsps/B/rsp", replace(answer, status=2)).status == 400


def test_denied_clients_get_403_except_for_the_entry(laboratory: Laboratory) -> None:
    settings = laboratory.settings(denied=frozenset({laboratory.lfdi("B")}))
    client = Client(Tree(build(settings, laboratory.lfdi("server"), T0), lambda _: None), laboratory.lfdi("B"))
    assert client.ask("GET", "/dcap").status == 200
    assert client.ask("GET", "/edev").status == 403


def test_a_restart_forgets_nothing(
    tree: Tree, a: Client, b: Client, laboratory: Laboratory, records: list[Record]
) -> None:
    fill(a, "A")
    fill(b, "B")
    device = tree.utility.by_resource("A")
    assert device is not None
    release(tree, device, control_base(Bounds(), None, device.ratings, device.settings.profile), NOW + 10)
    after = Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), records.append)
    kept = [from_json(to_json(record)) for record in records]
    after.restore(kept)
    for client in (a, b):
        client.now = T0 + 100
        again = Client(after, client.lfdi, client.now)
        assert without_readings(again.walk()) == without_readings(client.walk())
    assert len(records) == len(kept)
    assert not after.utility.signals


def test_rendered_pages_are_reused_until_something_changes(b: Client) -> None:
    issue(b.tree, control())
    one, two = b.ask("GET", "/derp/B/derc?l=9"), b.ask("GET", "/derp/B/derc?l=9")
    assert one.body is two.body
    b.now += 900
    assert b'all="0"' in b.ask("GET", "/derp/B/derc?l=9").body


def test_time_tells_the_seasons_of_the_territory(b: Client) -> None:
    clock = b.get("/tm", r.Time)
    assert isinstance(clock, r.Time)
    assert (clock.currentTime, clock.tzOffset, clock.dstOffset) == (T0, -18_000, 3_600)
    assert clock.dstStartTime < clock.dstEndTime
    assert clock.localTime is None


TARGETS = [
    "/dcap",
    "/edev",
    "/edev/B",
    "/edev/B/rg",
    "/edev/B/cp",
    "/edev/B/der/1/dercap",
    "/edev/B/der/1/derg",
    "/edev/B/der/1/ders",
    "/edev/B/der/1/dera",
    "/edev/B/lel",
    "/edev/B/lel/x",
    "/derp/B/derc",
    "/rsps/B/rsp",
    "/mup",
    "/mup/x",
    "/",
    "",
    "//",
    "/edev//der",
    "/%2e%2e",
    "/dcap?%zz=&l=%31",
]
BODIES = [
    b"",
    BOMB,
    b"<a/>",
    render(r.DERStatus(readingTime=T0)),
    render(r.DERControlResponse(endDeviceLFDI="AB" * 20, status=1, subject="AB")),
    render(r.EndDevice(sFDI=1, changedTime=0)),
    render(r.Registration(dateTimeRegistered=0, pIN=1)),
    render(r.MirrorMeterReading(mRID="AB")),
    render(r.MirrorMeterReadingList()),
    render(r.MirrorUsagePoint(mRID="AB", roleFlags="03", serviceCategoryKind=0, status=1, deviceLFDI="AB" * 20)),
    render(r.DERSettings(setGradW=0, setMaxW=r.ActivePower(multiplier=127, value=-1), updatedTime=0)),
    render(r.DERSettings(setGradW=0, setMaxW=r.ActivePower(multiplier=127, value=1), updatedTime=0)),
    render(r.DERAvailability(readingTime=0, statWAvail=r.ActivePower(multiplier=127, value=32_767))),
]


def test_no_request_whatever_ends_in_a_server_error(tree: Tree, a: Client, b: Client, validate: Validate) -> None:
    fill(b, "B")
    targets = TARGETS + sorted(b.walk())
    for client in (b, a, Client(tree, "EF" * 20), Client(tree, "00" * 20)):
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "BREW", ""):
            for target in targets:
                for body in BODIES if method in ("PUT", "POST") else (b"",):
                    answer = client.ask(method, target, body)
                    assert answer.status < 500, (method, target, body)
                    if answer.status >= 400:
                        validate(answer.body)
    issue(tree, control("B", 9), NOW)
    issue(tree, control("A", 9), NOW)


@pytest.fixture
def subscriber(laboratory: Laboratory, records: list[Record]) -> Client:
    settings = laboratory.settings()
    devices = tuple(replace(device, notify_hosts=frozenset({"b.example"})) for device in settings.devices)
    tree = Tree(build(replace(settings, devices=devices), laboratory.lfdi("server"), T0), records.append)
    return Client(tree, laboratory.lfdi("B"))


def subscription(resource: str = "/derp/B/derc", **changes: object) -> r.Subscription:
    plain = r.Subscription(
        subscribedResource=resource, encoding=0, level="+S1", limit=10, notificationURI="https://b.example:8443/ntfy"
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_subscription_is_one_however_often_it_is_posted(subscriber: Client) -> None:
    first = subscriber.ask("POST", "/edev/B/sub", subscription())
    again = subscriber.ask("POST", "/edev/B/sub", subscription("/derp/B/derc?s=0&l=10"))
    assert (first.status, again.status) == (201, 204)
    assert first.headers["Location"] == again.headers["Location"]
    href = first.headers["Location"]
    kept = subscriber.get(href, r.Subscription)
    assert replace(kept, href=None) == subscription()  # type: ignore[type-var]
    assert b'SubscriptionListLink href="/edev/B/sub" all="1"' in subscriber.ask("GET", "/edev/B").body
    assert subscriber.ask("DELETE", href).status == 204
    assert subscriber.ask("GET", href).status == 404


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"notificationURI": "https://elsewhere.example/ntfy"}, 1),
        ({"notificationURI": "https://169.254.169.254/latest"}, 1),
        ({"notificationURI": "file:///etc/passwd"}, 1),
        ({"notificationURI": "https://b.example:99999/"}, 1),
        ({"notificationURI": "/relative"}, 1),
        ({"encoding": 1}, 1),
        ({"condition": r.Condition(attributeIdentifier=0, lowerThreshold=0, upperThreshold=1)}, 3),
        ({"subscribedResource": "/derp/A/derc"}, 1),
        ({"subscribedResource": "/tm"}, 1),
        ({"subscribedResource": "/nothing"}, 1),
    ],
)
def test_a_subscription_that_cannot_be_served_is_refused(subscriber: Client, changes: dict, reason: int) -> None:
    answer = subscriber.ask("POST", "/edev/B/sub", subscription(**changes))
    assert answer.status == 400
    assert parse(answer.body, (r.Error,)).reasonCode == reason


def test_a_client_without_a_destination_has_no_subscriptions(b: Client) -> None:
    assert b.ask("GET", "/edev/B/sub").status == 404
    assert b.ask("POST", "/edev/B/sub", subscription()).status == 404
    assert b"SubscriptionListLink" not in b.ask("GET", "/edev/B").body


def test_subscribers_are_told_of_every_change_and_of_nothing_else(subscriber: Client, validate: Validate) -> None:
    tree = subscriber.tree
    subscriber.ask("POST", "/edev/B/sub", subscription())
    assert tree.notices(T0) == []
    issue(tree, control(start_s=NOW + 60))
    (told,) = tree.notices(T0 + 1)
    assert (told.to, told.notification.status) == ("https://b.example:8443/ntfy", 0)
    validate(render(told.notification))
    assert b'xsi:type="DERControlList"' in render(told.notification)
    assert tree.notices(T0 + 2) == []
    tree.utility.advance(T0 + 60)
    (active,) = tree.notices(T0 + 60)
    assert b"<currentStatus>1</currentStatus>" in render(active.notification)
    tree.remove(tree.utility.programs["B"].events[0].href or "", T0 + 70)
    (cancelled,) = tree.notices(T0 + 70)
    assert cancelled.notification.status == 0
    assert b"<currentStatus>2</currentStatus>" in render(cancelled.notification)
    body = subscriber.ask("GET", "/derp/B/derc?l=10").body
    items, told_items = (text[text.index(b"<DERControl ") :] for text in (body, render(cancelled.notification)))
    assert told_items.startswith(items.removesuffix(b"</DERControlList>")), "just what a GET brings"


def test_a_subscriber_may_ask_to_be_told_only_that_something_changed(subscriber: Client, validate: Validate) -> None:
    subscriber.ask("POST", "/edev/B/sub", subscription("/derp/B/dderc", limit=0))
    issue(subscriber.tree, control())
    (told,) = subscriber.tree.notices(T0)
    assert told.notification.resource is None
    validate(render(told.notification))


def test_a_change_behind_the_limit_of_a_subscription_is_told_too(subscriber: Client) -> None:
    subscriber.ask("POST", "/edev/B/sub", subscription("/derp/B/derc", limit=0))
    issue(subscriber.tree, control(start_s=NOW + 60))
    assert len(subscriber.tree.notices(T0)) == 1
    subscriber.tree.utility.advance(T0 + 60)
    assert len(subscriber.tree.notices(T0 + 60)) == 1, "the event has begun, and all counts are the same"


def test_a_subscriber_is_not_told_of_counts_in_links(subscriber: Client) -> None:
    for resource in ("/edev", "/edev/B", "/edev/B/fsa", "/edev/B/fsa/1/derp", "/derp/B"):
        subscriber.ask("POST", "/edev/B/sub", subscription(resource))
    issue(subscriber.tree, control())
    assert subscriber.tree.notices(T0 + 1) == []
    change = r.EndDevice(sFDI=sfdi_of(subscriber.lfdi), changedTime=0, postRate=60)
    assert subscriber.ask("PUT", "/edev/B", change).status == 204
    told = {item.notification.subscribedResource for item in subscriber.tree.notices(T0 + 2)}
    assert told == {"/edev", "/edev/B"}
    assert subscriber.ask("PUT", "/edev/B", change).status == 204
    assert subscriber.tree.notices(T0 + 3) == []


@pytest.fixture
def aggregator(laboratory: Laboratory, records: list[Record]) -> Client:
    """A client with two members, of which one has to be registered by it."""
    settings = laboratory.settings()
    own = DeviceSettings("agg", laboratory.lfdi("stranger"), 0, members=frozenset({"B", "C"}), profile=Profile.CSIP_AUS)
    tree = Tree(
        build(replace(settings, devices=(*settings.devices, own)), laboratory.lfdi("server"), T0), records.append
    )
    return Client(tree, laboratory.lfdi("stranger"))


def test_an_aggregator_sees_itself_and_its_members_and_nobody_else(
    aggregator: Client, laboratory: Laboratory, validate: Validate
) -> None:
    found = aggregator.walk()
    for body in found.values():
        validate(body)
    assert {href for href in found if href.count("/") == 2 and href.startswith("/edev/")} == {"/edev/agg", "/edev/B"}
    assert not any("/A" in href for href in found)
    assert "/edev/agg/fsa" not in found
    assert aggregator.ask("GET", "/edev/agg/der").status == 404
    assert aggregator.ask("GET", "/derp/agg").status == 404
    member = r.EndDevice(lFDI=laboratory.lfdi("C"), sFDI=sfdi_of(laboratory.lfdi("C")), changedTime=0)
    assert aggregator.ask("POST", "/edev", member).status == 201
    assert aggregator.ask("POST", "/edev", member).status == 409
    assert b'all="3"' in aggregator.ask("GET", "/edev").body
    foreign = r.EndDevice(lFDI=laboratory.lfdi("A"), sFDI=sfdi_of(laboratory.lfdi("A")), changedTime=0)
    assert aggregator.ask("POST", "/edev", foreign).status == 400


def test_an_aggregator_answers_and_reports_for_its_members(aggregator: Client, laboratory: Laboratory) -> None:
    issue(aggregator.tree, control())
    mrid = aggregator.tree.utility.programs["B"].events[0].mRID
    answer = r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=laboratory.lfdi("B"), status=1, subject=mrid)
    assert aggregator.ask("POST", "/rsps/B/rsp", answer).status == 201
    assert aggregator.ask("POST", "/rsps/B/rsp", replace(answer, endDeviceLFDI=laboratory.lfdi("A"))).status == 400
    assert aggregator.ask("POST", "/mup", meter(laboratory.lfdi("B"), readings=(power(3),))).status == 201
    outcome, reading = aggregator.tree.utility.signals
    assert (outcome.resource, reading.point.resource) == ("B", "B")  # type: ignore[union-attr]


def test_what_a_device_says_of_itself_comes_back(b: Client) -> None:
    info = r.DeviceInformation(
        lFDI=b.lfdi,
        mfDate=0,
        mfHwVer="1",
        mfID=37250,
        mfModel="M",
        mfSerNum="7",
        primaryPower=1,
        secondaryPower=0,
        swActTime=0,
        swVer="2",
    )
    assert b.ask("GET", "/edev/B/di").status == 404
    assert b.ask("PUT", "/edev/B/di", replace(info, lFDI="AB" * 20)).status == 400
    assert b.ask("PUT", "/edev/B/di", info).status == 204
    assert replace(b.get("/edev/B/di", r.DeviceInformation), href=None) == info  # type: ignore[type-var]
    assert b.ask("PUT", "/edev/B/dstat", r.DeviceStatus(changedTime=T0, opState=2)).status == 204
    assert b.ask("PUT", "/edev/B/dstat", r.DeviceStatus(changedTime=T0 + 1_000)).status == 400


def test_what_a_client_may_leave_behind_is_bounded(laboratory: Laboratory) -> None:
    settings = laboratory.settings(meters=2, series=2, responses=3, log_events=2)
    client = Client(Tree(build(settings, laboratory.lfdi("server"), T0), lambda _: None), laboratory.lfdi("B"))
    issue(client.tree, control())
    mrid = client.tree.utility.programs["B"].events[0].mRID
    for n in range(5):
        response = r.DERControlResponse(createdDateTime=T0 + n, endDeviceLFDI=client.lfdi, status=1, subject=mrid)
        assert client.ask("POST", "/rsps/B/rsp", response).status == 201
        log = r.LogEvent(
            createdDateTime=T0 + n, functionSet=11, logEventCode=0, logEventID=n, logEventPEN=0, profileID=2
        )
        assert client.ask("POST", "/edev/B/lel", log).status == 201
    statuses = [client.ask("POST", "/mup", meter(client.lfdi, f"{n:X}")).status for n in range(3)]
    assert statuses == [201, 201, 400]
    crowd = tuple(power(1, mrid=f"{n:X}") for n in range(3))
    assert client.ask("POST", "/mup", meter(client.lfdi, "1", crowd)).status == 400
    assert b'all="3"' in client.ask("GET", "/rsps/B/rsp").body
    logs = client.get("/edev/B/lel?l=9", r.LogEventList)
    assert [item.createdDateTime for item in logs.items] == [T0 + 4, T0 + 3]  # type: ignore[attr-defined]


def edition_of_2023(laboratory: Laboratory, resource: str) -> Tree:
    """A server one of whose clients was made for the 2023 edition."""
    devices = tuple(
        replace(item, edition=Edition.S2) if item.resource == resource else item
        for item in laboratory.settings().devices
    )
    return Tree(build(laboratory.settings(devices=devices), laboratory.lfdi("server"), T0), lambda _: None)


def test_each_client_gets_statuses_level_and_responses_of_its_edition(laboratory: Laboratory) -> None:
    tree = edition_of_2023(laboratory, "B")
    old, new = Client(tree, laboratory.lfdi("A")), Client(tree, laboratory.lfdi("B"))
    for client, name in ((old, "A"), (new, "B")):
        issue(tree, control(name, 1))
        issue(tree, control(name, 2, limit=Bounds(ceiling_w=800_000.0), start_s=NOW + 60), NOW + 1)
        client.now = T0 + 61
    assert old.ask("GET", "/dcap").headers["Content-Type"] == "application/sep+xml; level=+S1"
    assert new.ask("GET", "/dcap").headers["Content-Type"] == "application/sep+xml; level=+S2"
    seen = [client.get("/derp/{}/derc?l=9".format("AB"[i]), r.DERControlList) for i, client in enumerate((old, new))]
    assert [item.status.currentStatus for item in seen[0].items] == [4, 1]  # type: ignore[attr-defined]
    assert [item.status.currentStatus for item in seen[1].items] == [1, 1]  # type: ignore[attr-defined]
    assert all(item.status.potentiallySuperseded for item in seen[1].items)  # type: ignore[attr-defined]
    for status in (15, 251):
        for client, mrid in ((old, seen[0].items[0].mRID), (new, seen[1].items[0].mRID)):  # type: ignore[attr-defined]
            body = r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=client.lfdi, status=status, subject=mrid)
            answer = client.ask("POST", "/rsps/{}/rsp".format("A" if client is old else "B"), body)
            assert answer.status == (400 if client is old else 201)
    old.now = new.now = T0 + 900
    assert old.get("/derp/A/derc?l=9", r.DERControlList).all == 0  # type: ignore[attr-defined]
    ended = new.get("/derp/B/derc?l=9", r.DERControlList)
    assert [item.status.currentStatus for item in ended.items] == [5, 5]  # type: ignore[attr-defined]
    assert b'DERControlListLink href="/derp/B/derc" all="2"' in new.ask("GET", "/derp/B").body
    assert new.get("/derp/B/actderc?l=9", r.DERControlList).all == 0  # type: ignore[attr-defined]


def test_a_device_keeps_its_configuration(a: Client, b: Client, validate: Validate) -> None:
    mine = r.Configuration(
        currentLocale="en-CA",
        clock=r.TimeConfiguration(dstEndRule="B40E1000", dstOffset=3600, dstStartRule="B8020000", tzOffset=-18_000),
        userDeviceName="Battery",
    )
    assert a.ask("PUT", "/edev/A/cfg", mine).status == 204
    assert a.get("/edev/A/cfg", r.Configuration) == replace(mine, href="/edev/A/cfg")
    validate(a.ask("GET", "/edev/A/cfg").body)
    assert b.ask("GET", "/edev/A/cfg").status == 404


def test_a_client_of_csip_aus_1_3_gets_and_gives_elements_in_its_namespace(
    laboratory: Laboratory, validate: Validate
) -> None:
    devices = tuple(replace(item, profile=Profile.CSIP_AUS_STORAGE) for item in laboratory.settings().devices[:1])
    tree = Tree(build(laboratory.settings(devices=devices), laboratory.lfdi("server"), T0), lambda _: None)
    a = Client(tree, laboratory.lfdi("A"))
    nameplate = r.DERCapability(
        modesSupported="03", rtgMaxW=r.ActivePower(multiplier=2, value=250), type=80, doeModesSupported="0F"
    )
    first = a.ask("PUT", "/edev/A/der/1/dercap", render(replace(nameplate, vppModesSupported="01"), aus=2))
    assert first.status == 204
    assert b"<csipaus:vppModesSupported>01<" in a.ask("GET", "/edev/A/der/1/dercap").body
    issue(tree, control("A", target_w=-500_000.0))
    for path in ("/edev/A", "/edev/A/der/1/dercap", "/derp/A/derc", "/derp/A/dderc", "/edev/A/cp"):
        body = a.ask("GET", path).body
        assert b'xmlns:csipaus="https://csipaus.org/ns/v1.3-beta/storage"' in body
        validate(body)
    event = a.get("/derp/A/derc", r.DERControlList).items[0]  # type: ignore[attr-defined]
    assert event.base.opModStorageTargetW == r.ActivePower(multiplier=2, value=-5_000)
    assert event.base.opModFixedW is None
