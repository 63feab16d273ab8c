"""The operator's API: what he arranges is what clients see, and every refusal says what to do."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest
from jsonschema import Draft202012Validator

from ieee2030_5 import resources as r
from ieee2030_5.admin.control_words import Modes
from ieee2030_5.admin.curve_words import CurveMode
from ieee2030_5.admin.endpoints import ADMIN, ENDPOINTS
from ieee2030_5.admin.openapi import printed
from ieee2030_5.enrolment import build
from ieee2030_5.records import KeepError, Record, from_json, to_json
from ieee2030_5.tree import Tree
from tests.ieee2030_5.admin.conftest import T0, TOKEN, Office
from tests.ieee2030_5.conftest import Laboratory
from tests.ieee2030_5.test_tree import Client, meter
from tests.ieee2030_5.world import reservation

pytestmark = pytest.mark.sockets

LFDI = "0123456789" * 4
AGENT = "89ABCDEF01" * 4
SITE = {"lfdi": LFDI, "max_w": 10_000, "min_w": -5_000, "profile": "csip_aus", "pin": 111115}
EXPORT = {"modes": {"opModExpLimW": 5_000}, "duration_s": 600}


async def feeder(office: Office) -> None:
    """A run-time device on a feeder with a program, beside the zone's."""
    await office.do("PUT /devices/N", SITE)
    await office.do("PUT /groups/north", {"kind": "feeder", "description": "North"})
    await office.do("PUT /devices/N/groups", {"groups": ["north"]})
    await office.do("PUT /devices/A/groups", {"groups": ["north"]})
    await office.do("PUT /programs/flex", {"group": "north", "primacy": 40, "description": "Flexibility"})


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ü"])
async def test_nothing_is_answered_without_the_token(office: Office, token: str) -> None:
    for path in ("/openapi.json", "/v1/state", "/v1/nothing"):
        status, answer = await office.ask("GET", path, token=token)
        assert (status, answer["where"]) == (401, "Authorization")
    assert (await office.ask("PUT", "/v1/devices/N", SITE, token))[0] == 401
    assert office.records == []


async def test_what_the_operator_does_is_told_without_what_he_said(office: Office) -> None:
    await office.do("PUT /devices/N", SITE)
    await office.do("GET /devices/N")
    await office.do("DELETE /devices/nobody", status=404)
    await office.ask("GET", "/v1/state", token="wrong")
    assert office.acts == [
        "PUT /v1/devices/N from 127.0.0.1: 200",
        "DELETE /v1/devices/nobody from 127.0.0.1: 404",
        "GET /v1/state from 127.0.0.1: 401",
    ]


async def test_a_registered_device_finds_its_program_and_its_pin(office: Office) -> None:
    made = await office.do("PUT /devices/N", SITE)
    assert (made["lfdi"], made["of_zone"], made["has_pin"], made["registered_s"]) == (LFDI, False, True, T0)
    assert "111115" not in json.dumps(made)
    client = office.client(LFDI)
    assert client.get("/edev/N/rg", r.Registration).pIN == 111115  # type: ignore[attr-defined]
    await office.do("PUT /devices/N/pin", {"pin": 7})
    assert client.get("/edev/N/rg", r.Registration).pIN == 7  # type: ignore[attr-defined]
    again = await office.do("PUT /devices/N", {**SITE, "pin": None, "notify_hosts": ["gw.example"]})
    assert (again["has_pin"], again["notify_hosts"]) == (True, ["gw.example"])
    await office.do("DELETE /devices/N", status=204)
    assert client.ask("GET", "/edev/N").status == 404
    await office.do("GET /devices/N", status=404)


async def test_a_registration_can_be_ended_and_taken_up_again(office: Office) -> None:
    await office.do("PUT /devices/N", SITE)
    client = office.client(LFDI)
    await office.do("PUT /devices/N/registration", {"registered": False})
    assert client.get("/edev", r.EndDeviceList).all == 0  # type: ignore[attr-defined]
    await office.do("PUT /devices/N/registration", {"registered": True})
    assert client.get("/edev", r.EndDeviceList).all == 1  # type: ignore[attr-defined]


async def test_an_aggregator_speaks_for_the_members_that_it_is_given(office: Office) -> None:
    await feeder(office)
    await office.do("PUT /aggregators/AGG", {"lfdi": AGENT, "profile": "csip_aus"})
    seen = await office.do("PUT /aggregators/AGG/members/N")
    assert (seen["aggregator"], seen["members"]) == (True, ["N"])
    client = office.client(AGENT)
    assert {"/edev/AGG", "/edev/N", "/derp/flex", "/derp/N"} <= client.walk().keys()
    await office.do("DELETE /aggregators/AGG/members/N", status=204)
    assert "/edev/N" not in client.walk()
    await office.do("DELETE /aggregators/AGG/members/N", status=404)
    await office.do("PUT /aggregators/N/members/A", status=409)
    await office.do("PUT /devices/AGG", SITE, status=409)


async def test_a_control_runs_its_course(office: Office) -> None:
    await feeder(office)
    made = await office.do("POST /programs/flex/controls", {**EXPORT, "start_s": T0 + 60}, 201)
    client = office.client(LFDI)
    event = client.get("/derp/flex/derc?l=9", r.DERControlList).items[0]  # type: ignore[attr-defined]
    assert (event.mRID, event.status.currentStatus, event.interval.start) == (made["mrid"], 0, T0 + 60)
    assert event.base.opModExpLimW == r.ActivePower(multiplier=0, value=5_000)
    assert (event.responseRequired, event.replyTo) == ("03", "/rsps/flex/rsp")
    office.now += 60
    assert (await office.do(f"GET /controls/{made['mrid']}"))["status"] == "active"
    cancelled = await office.do(f"POST /controls/{made['mrid']}/cancel")
    assert cancelled["status"] == "cancelled"
    assert client.get("/derp/flex/derc?l=9", r.DERControlList).items[0].status.currentStatus == 2  # type: ignore[attr-defined]
    office.now += 600
    assert (await office.do("GET /programs/flex/controls"))["controls"] == []


async def test_who_has_not_answered_is_told_by_device(office: Office, laboratory: Laboratory) -> None:
    await feeder(office)
    mrid = (await office.do("POST /programs/flex/controls", EXPORT, 201))["mrid"]
    answers = await office.do(f"GET /controls/{mrid}/answers")
    assert [one["device"] for one in answers["waiting"]] == ["A", "N"]
    for status in (1, 2):
        response = r.DERControlResponse(createdDateTime=T0 + status, endDeviceLFDI=LFDI, status=status, subject=mrid)
        assert office.client(LFDI).ask("POST", "/rsps/flex/rsp", response).status == 201
    office.now += 10_000
    answers = await office.do(f"GET /controls/{mrid}/answers")
    assert ([one["device"] for one in answers["waiting"]], answers["expected"]) == (["A"], 2)
    assert [(one["device"], one["meaning"], one["at_s"]) for one in answers["answered"]] == [("N", "started", T0 + 2)]
    assert all(signal for signal in office.tree.utility.signals) is True
    assert not office.tree.utility.signals, "the gateway knows nothing of the operator's controls"


async def test_a_superseding_control_of_other_modes_cancels_the_old_one(office: Office) -> None:
    await feeder(office)
    first = (await office.do("POST /programs/flex/controls", EXPORT, 201))["mrid"]
    same = {"modes": {"opModExpLimW": 1_000}, "duration_s": 600}
    second = (await office.do(f"POST /controls/{first}/supersede", same, 201))["mrid"]
    assert (await office.do(f"GET /controls/{first}"))["status"] == "superseded"
    other = {"modes": {"opModConnect": False}, "duration_s": 600}
    third = await office.do(f"POST /controls/{second}/supersede", other, 201)
    assert (await office.do(f"GET /controls/{second}"))["status"] == "cancelled"
    assert (third["status"], third["modes"]["opModConnect"]) == ("active", False)
    await office.do(f"POST /controls/{second}/supersede", other, 409)
    assert (await office.do("POST /programs/flex/clear"))["count"] == 1
    assert (await office.do("POST /programs/flex/clear"))["count"] == 0


async def test_every_mode_comes_back_as_it_was_given(office: Office) -> None:
    await feeder(office)
    modes: dict[str, object] = {
        "opModConnect": True,
        "opModEnergize": False,
        "opModFixedPFAbsorbW": {"displacement": 0.95, "excitation": True},
        "opModFixedPFInjectW": {"displacement": 0.9, "excitation": False},
        "opModFixedVar": {"refType": 1, "value": -12.5},
        "opModFixedW": -33.33,
        "opModFreqDroop": {"dBOF": 36, "dBUF": 36, "kOF": 50, "kUF": 50, "openLoopTms": 500},
        "opModMaxLimW": 99.99,
        "opModTargetVar": -40_000,
        "opModTargetW": 1_500_000,
        "rampTms": 200,
        "opModImpLimW": 0,
        "opModExpLimW": 32_768,
        "opModGenLimW": 1_500,
        "opModLoadLimW": 20_000,
        "opModStorageTargetW": -2_000,
    }
    for mode in get_args(CurveMode):
        points = [{"x": 9_200, "y": 3_000}, {"x": 10_800, "y": -3_000}]
        curve = await office.do("POST /programs/flex/curves", {"mode": mode, "points": points, "v_ref": 10_000}, 201)
        assert {**curve, "mode": mode, "points": points, "v_ref": 10_000, "in_use": False} == curve
        modes[mode] = curve["id"]
    made = await office.do("POST /programs/flex/controls", {"modes": modes, "duration_s": 60}, 201)
    assert {name: value for name, value in made["modes"].items() if value is not None} == {
        **modes,
        "opModExpLimW": 32_760,
    }, "a limit is rounded toward zero, never beyond"


async def test_a_curve_goes_when_nothing_refers_to_it(office: Office) -> None:
    await feeder(office)
    shape = {"mode": "opModVoltVar", "points": [{"x": 1, "y": 2}], "description": "flat"}
    curve = (await office.do("POST /programs/flex/curves", shape, 201))["id"]
    assert (await office.do("POST /programs/flex/curves", shape, 201))["id"] == curve
    await office.do("PUT /programs/flex/default", {"modes": {"opModVoltVar": curve}})
    assert [item["in_use"] for item in (await office.do("GET /programs/flex/curves"))["curves"]] == [True]
    answer = await office.do(f"DELETE /programs/flex/curves/{curve}", status=409)
    assert answer["where"] == "curve"
    answer = await office.do("PUT /programs/flex/default", {"modes": {"opModVoltWatt": curve}}, 400)
    assert answer["where"] == "opModVoltWatt"
    await office.do("PUT /programs/flex/default", {"modes": {}})
    await office.do(f"DELETE /programs/flex/curves/{curve}", status=204)
    await office.do(f"DELETE /programs/flex/curves/{curve}", status=404)
    backwards = {**shape, "points": [{"x": 2, "y": 0}, {"x": 1, "y": 0}]}
    assert (await office.do("POST /programs/flex/curves", backwards, 400))["where"] == "points"


async def test_prices_reach_the_group_that_they_are_made_for(office: Office) -> None:
    await feeder(office)
    await office.do("PUT /tariffs/day", {"group": "north", "currency": 124, "power_of_ten": -5})
    hour = {"start_s": T0, "duration_s": 3_600, "blocks": [{"from_wh": 0, "price": 12}], "tier": 2}
    made = (await office.do("POST /tariffs/day/prices", hour, 201))["prices"][0]
    assert {**made, **hour, "status": "active"} == made
    client = office.client(LFDI)
    listed = client.get("/tp/day/rc/1/acttti?l=9", r.TimeTariffIntervalList)
    assert [item.mRID for item in listed.items] == [made["mrid"]]  # type: ignore[attr-defined]
    assert (await office.do("POST /tariffs/day/prices", hour, 409))["where"] == "price"
    await office.do(f"DELETE /tariffs/day/prices/{made['id']}", status=204)
    assert (await office.do("GET /tariffs"))["tariffs"][0]["prices"][0]["status"] == "cancelled"
    await office.do("DELETE /tariffs/day/prices/none", status=404)
    assert (await office.do("PUT /tariffs/night", {"group": "nowhere"}, 404))["where"] == "group"
    await office.do("DELETE /tariffs/day", status=204)
    assert client.ask("GET", "/tp/day").status == 404


async def test_a_flow_reservation_is_granted_and_taken_back(office: Office, laboratory: Laboratory) -> None:
    client = office.client(laboratory.lfdi("A"))
    assert client.ask("POST", "/edev/A/frq", reservation("A")).status == 201
    asked = (await office.do("GET /devices/A/reservations"))["reservations"][0]
    assert (asked["energy_wh"], asked["power_w"], asked["grant"]) == (7_000, 11_000, None)
    offer = {"start_s": T0, "duration_s": 600, "energy_wh": 5_000, "power_w": 10_000}
    seen = await office.do(f"PUT /devices/A/reservations/{asked['id']}", offer)
    assert (seen["grant"], seen["grant_status"]) == (offer, "active")
    answer = await office.do(f"PUT /devices/A/reservations/{asked['id']}", offer, 409)
    assert answer["where"] == "reservation"
    await office.do(f"DELETE /devices/A/reservations/{asked['id']}", status=204)
    assert (await office.do("GET /devices/A/reservations"))["reservations"][0]["grant_status"] == "cancelled"
    await office.do("DELETE /devices/A/reservations/none", status=404)


async def test_a_default_changes_under_the_same_mrid(office: Office, laboratory: Laboratory) -> None:
    await feeder(office)
    before = await office.do("GET /programs/flex/default")
    after = await office.do("PUT /programs/flex/default", {"modes": {"opModExpLimW": 1_500}, "setGradW": 27})
    assert (after["mrid"], after["version"], after["setGradW"]) == (before["mrid"], before["version"] + 1, 27)
    assert await office.do("PUT /programs/flex/default", {"modes": {"opModExpLimW": 1_500}, "setGradW": 27}) == after
    document = office.client(LFDI).get("/derp/flex/dderc", r.DefaultDERControl)
    assert (document.base.opModExpLimW.value, document.setGradW) == (1_500, 27)  # type: ignore[attr-defined]


async def test_the_gateways_own_programs_are_left_to_it(office: Office) -> None:
    await office.do("PUT /devices/N", SITE)
    for path, body in (("/programs/A/controls", EXPORT), ("/programs/A/clear", None)):
        refused = await office.do(f"POST {path}", body, 409)
        assert "primacy decides" in refused["what_to_do"]
    await office.do("POST /programs/N/controls", EXPORT, 201)
    assert (await office.do("GET /programs/A"))["of_gateway"] is True


async def test_rates_access_and_assignments_reach_the_client(office: Office, laboratory: Laboratory) -> None:
    await feeder(office)
    client = office.client(LFDI)
    await office.do("PUT /rates/poll/derp", {"seconds": 60})
    rates = await office.do("PUT /rates/post/mup", {"seconds": 61})
    assert (rates["poll"], rates["post"], rates["default_poll_s"]) == ({"derp": 60}, {"mup": 61}, 300)
    assert client.get("/derp", r.DERProgramList).pollRate == 60  # type: ignore[attr-defined]
    await office.do("DELETE /rates/poll/derp", status=204)
    await office.do("DELETE /rates/post/mup", status=204)
    assert client.get("/derp", r.DERProgramList).pollRate == 300  # type: ignore[attr-defined]
    await office.do("PUT /devices/N/assignments/fsa2", {"description": "Second"})
    await office.do("PUT /groups/north/assignments/fsa3", {})
    assert (await office.do("GET /devices/N"))["assignments"] == ["fsa3", "fsa2", "1"]
    await office.do("DELETE /devices/N/assignments/fsa2", status=204)
    await office.do("DELETE /groups/north/assignments/fsa3", status=204)
    await office.do("DELETE /groups/north/assignments/fsa3", status=404)
    assert client.get("/edev/N/fsa", r.FunctionSetAssignmentsList).all == 1  # type: ignore[attr-defined]
    await office.do(f"PUT /access/{LFDI}", {"state": "denied"})
    assert client.ask("GET", "/edev/N").status == 403
    assert (await office.do("GET /access"))["access"][0]["device"] == "N"
    await office.do(f"DELETE /access/{LFDI}", status=204)
    assert client.ask("GET", "/edev/N").status == 200


async def test_meters_can_be_cleared_for_one_client_or_all(office: Office, laboratory: Laboratory) -> None:
    for name in ("A", "B"):
        lfdi = laboratory.lfdi(name)
        assert office.client(lfdi).ask("POST", "/mup", meter(lfdi)).status == 201
    assert {one["owner"] for one in (await office.do("GET /meters"))["meters"]} == {"A", "B"}
    assert await office.do("POST /meters/clear?device=A") == {"count": 1}
    assert await office.do("POST /meters/clear") == {"count": 1}
    assert office.client(laboratory.lfdi("B")).get("/mup", r.MirrorUsagePointList).all == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("asked", "body", "status", "where"),
    [
        ("PUT /devices/N", {**SITE, "lfdi": "12"}, 400, "lfdi"),
        ("PUT /devices/N", {**SITE, "max_w": "many"}, 400, "max_w"),
        ("PUT /devices/N", {**SITE, "colour": "red"}, 400, "colour"),
        ("PUT /devices/N", "{", 400, "body"),
        ("PUT /devices/A", {**SITE, "lfdi": "A" * 39 + "Z"}, 400, "lfdi"),
        ("PUT /devices/-x", SITE, 400, "device"),
        ("GET /devices/nobody", None, 404, "device"),
        ("GET /devices?limit=0", None, 400, "limit"),
        ("GET /devices?limit=1001", None, 400, "limit"),
        ("GET /devices?colour=red", None, 400, "query"),
        ("PUT /devices/A/groups", {"groups": ["nowhere"]}, 404, "group"),
        ("PUT /groups/g", {"kind": "planet"}, 400, "kind"),
        ("PUT /groups/g", {"parent": "nowhere"}, 404, "group"),
        ("PUT /groups/g", {"parent": "g"}, 409, "parent"),
        ("PUT /programs/p", {"primacy": 70}, 400, "group"),
        ("PUT /programs/p", {"primacy": 70, "group": "g", "device": "A"}, 400, "group"),
        ("PUT /programs/p", {"primacy": 256, "device": "A"}, 400, "primacy"),
        ("PUT /programs/A", {"primacy": 70, "device": "B"}, 409, "group"),
        ("PUT /programs/a.b", {"primacy": 70, "device": "B"}, 400, "name"),
        ("DELETE /programs/A", None, 409, "name"),
        ("POST /programs/none/controls", EXPORT, 404, "program"),
        (f"GET /controls/{'0' * 32}", None, 404, "control"),
        ("GET /controls/x", None, 400, "control"),
        ("PUT /rates/poll/weather", {"seconds": 60}, 404, "rate of"),
        ("PUT /rates/poll/derp", {"seconds": 0}, 400, "seconds"),
        ("DELETE /rates/poll/derp", None, 404, "rate of"),
        (f"DELETE /access/{LFDI}", None, 404, "decision about the certificate"),
        ("PATCH /devices/A", None, 405, "/v1/devices/A"),
        ("GET /weather", None, 404, "/v1/weather"),
    ],
)
async def test_a_refusal_says_what_is_wrong_where_and_what_to_do(
    office: Office, asked: str, body: object, status: int, where: str
) -> None:
    answer = await office.do(asked, body, status)
    assert answer["where"] == where, answer
    assert answer["error"]
    assert answer["what_to_do"]
    assert office.records == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"modes": {}}, "modes"),
        ({"modes": {"rampTms": 5}}, "modes"),
        ({"modes": {"opModMaxLimW": 101}}, "modes.opModMaxLimW"),
        ({"modes": {"opModExpLimW": -1}}, "modes.opModExpLimW"),
        ({"modes": {"opModExpLimW": float("nan")}}, "modes.opModExpLimW"),
        ({"modes": {"opModVoltVar": "unknown"}}, "opModVoltVar"),
        ({"duration_s": 0}, "duration_s"),
        ({"start_s": T0 - 600}, "start_s"),
        ({"randomize_start_s": 3_601}, "randomize_start_s"),
        ({"description": "x" * 32}, "description"),
        ({"description": "a\nb"}, "description"),
    ],
)
async def test_a_control_that_cannot_be_is_refused(office: Office, changes: dict[str, object], where: str) -> None:
    await feeder(office)
    kept = len(office.records)
    status, answer = await office.ask("POST", "/v1/programs/flex/controls", {**EXPORT, **changes})
    assert (status in (400, 404), answer["where"]) == (True, where), answer
    assert len(office.records) == kept
    assert office.tree.utility.programs["flex"].events == ()


async def test_a_group_may_not_hang_below_itself(office: Office) -> None:
    await office.do("PUT /groups/up", {})
    await office.do("PUT /groups/middle", {"parent": "up"})
    await office.do("PUT /groups/down", {"parent": "middle"})
    assert (await office.do("PUT /groups/up", {"parent": "down"}, 409))["where"] == "parent"
    assert [item["parent"] for item in (await office.do("GET /groups"))["groups"]] == [None, "up", "middle"]


async def test_two_devices_never_share_a_certificate(office: Office, laboratory: Laboratory) -> None:
    refused = await office.do("PUT /devices/N", {**SITE, "lfdi": laboratory.lfdi("A").lower()}, 409)
    assert "that of A" in refused["error"]
    refused = await office.do("PUT /devices/A", SITE, 409)
    assert refused["what_to_do"] == "change it there, and start the gateway again"


async def test_what_cannot_be_kept_is_not_done(laboratory: Laboratory, office: Office) -> None:
    def full(_: Record) -> None:
        raise KeepError("the disk is full")

    office.tree = Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), full)
    assert "disk is full" in (await office.do("PUT /devices/N", SITE, 503))["error"]
    await office.do("GET /devices/N", status=404)


async def test_a_restart_keeps_all_that_the_operator_did(office: Office, laboratory: Laboratory) -> None:
    await feeder(office)
    await office.do("PUT /aggregators/AGG", {"lfdi": AGENT, "may_enrol": True})
    await office.do("PUT /aggregators/AGG/members/N")
    await office.do("PUT /programs/flex/default", {"modes": {"opModExpLimW": 1_500}})
    mrids = [(await office.do("POST /programs/flex/controls", EXPORT, 201))["mrid"] for _ in range(2)]
    await office.do(f"POST /controls/{mrids[1]}/cancel")
    response = r.DERControlResponse(createdDateTime=T0, endDeviceLFDI=LFDI, status=1, subject=mrids[0])
    assert office.client(LFDI).ask("POST", "/rsps/flex/rsp", response).status == 201
    paths = ("/devices?limit=9", "/groups", "/programs", "/programs/flex/controls", "/programs/flex/default", "/state")
    paths += (f"/controls/{mrids[0]}/answers",)
    before = [await office.do(f"GET {path}") for path in paths]
    again = Tree(build(laboratory.settings(), laboratory.lfdi("server"), T0), lambda _: None)
    again.restore([from_json(json.loads(json.dumps(to_json(record)))) for record in office.records])
    old = {path: office.client(LFDI).ask("GET", path) for path in office.client(LFDI).walk()}
    assert {path: Client(again, LFDI, office.now).ask("GET", path) for path in old} == old
    office.tree = again
    assert [await office.do(f"GET {path}") for path in paths] == before


async def test_the_openapi_document_holds_every_endpoint_and_valid_schemas(office: Office) -> None:
    status, document = await office.ask("GET", "/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    described = {(method, path) for path, item in document["paths"].items() for method in item}
    assert described == {(row.method.lower(), f"/v1{row.path}") for row in ENDPOINTS}
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": "#/components/schemas/(\w+)"', json.dumps(document)):
        assert reference in document["components"]["schemas"]


def test_the_documentation_holds_the_openapi_document_as_it_is() -> None:
    kept = Path(__file__).parents[3] / "docs" / "ieee2030_5_admin.json"
    assert kept.read_text() == printed(ADMIN), "python -m ieee2030_5.admin.openapi > docs/ieee2030_5_admin.json"


def test_the_api_knows_every_mode_of_the_schema() -> None:
    assert set(Modes.model_fields) == {item.name for item in fields(r.DERControlBase)}
