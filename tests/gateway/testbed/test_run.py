"""The whole testbed over real sockets: a DSO of a few lines stands where the gateway would."""

import asyncio
import re
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from config.loader import load
from config.settings import ZoneFile
from gateway.clock import wall
from gateway.commands import testbed as command
from gateway.coordination import wire
from gateway.coordination.market_messages import OfferRevoke, OfferSubmit
from gateway.coordination.messages import (
    Body,
    CapabilityNotice,
    Header,
    LimitAck,
    LimitIssue,
    Message,
    OutageNotice,
    Supporting,
)
from gateway.coordination.operation_messages import HostInclude, HostLimit, HostNoObjection, HostObject
from gateway.coordination.settlement_messages import DisputeOpen
from gateway.testbed.run import Alone, run, run_parties
from grid_engine.results import Reason
from tests.scenarios.live import until

pytestmark = pytest.mark.sockets

ZONE = Path(__file__).parents[3] / "config" / "zones" / "r1_short.yaml"


@dataclass
class Testbed:
    """A running testbed with what its parties told the DSO."""

    __test__ = False

    zone: ZoneFile
    session: aiohttp.ClientSession
    told: list[Message] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    async def get(self, path: str) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.zone.testbed.control_port}/v1/{path}".removesuffix("/")
        async with self.session.get(url) as response:
            return await response.json()

    async def post(self, path: str, **body: object) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.zone.testbed.control_port}/v1/{path}"
        async with self.session.post(url, json=body) as response:
            return response.status, await response.json()

    async def tell(self, party: str, body: Body, msg_id: str = "m1") -> tuple[int, dict[str, Any]]:
        message = Message(Header(msg_id, "l1", "DSO", party, wall(), "R1", "DP"), body)
        url = f"{self.zone.parties[party].url}/v1/messages"
        async with self.session.post(url, data=wire.encode(message)) as response:
            return response.status, await response.json()

    async def receive(self, request: web.Request) -> web.Response:
        self.told.append(wire.decode(await request.read()))
        return web.Response(status=202)

    async def until_told(self, kind: type) -> Any:
        async with asyncio.timeout(30):
            while True:
                for message in self.told:
                    if isinstance(message.body, kind):
                        return message.body
                await asyncio.sleep(0.01)


@pytest.fixture
async def testbed(unused_tcp_port_factory: Any) -> AsyncIterator[Testbed]:
    zone = _on_free_ports(load(ZONE), unused_tcp_port_factory)
    async with aiohttp.ClientSession() as session:
        bed = Testbed(zone, session)
        app = web.Application()
        app.router.add_post("/v1/messages", bed.receive)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", zone.listen.parties_port).start()
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(run(zone, ZONE.parent, wall, bed.said.append, ready))
            async with asyncio.timeout(60):
                await ready.wait()
            yield bed
            running.cancel()
        await runner.cleanup()


def _on_free_ports(zone: ZoneFile, free: Any) -> ZoneFile:
    """Battery, solar park and one measured current over Modbus, whatever the example zone has them speak."""
    document = zone.model_dump(mode="json")

    def modbus() -> dict[str, object]:
        return {"protocol": "modbus", "host": "127.0.0.1", "port": free()}

    document["devices"] = {name: document["devices"][name] | {"endpoint": modbus()} for name in ("A", "B")}
    points = [{"point": "L12.current_a", "address": 0}]
    document["stations"] = {"SCADA": {"endpoint": modbus(), "simulated": True, "points": points}}
    document["parties"] = {
        name: document["parties"][name] | {"url": f"http://127.0.0.1:{free()}"}
        for name in ("IESO", "AGENT_A", "AGENT_B")
    }
    document["parties"]["HOST"] = {"role": "host", "url": f"http://127.0.0.1:{free()}", "simulated": True}
    document["testbed"] |= {"control_port": free(), "initial_mw": {"B": 4.0}}
    document["listen"]["parties_port"] = free()
    return ZoneFile.model_validate(document)


async def test_a_dispatch_reaches_the_dso_and_a_limit_is_answered(testbed: Testbed) -> None:
    assert await testbed.post("dispatch", resource="A", power_mw=2.0) == (200, {"status": "done"})
    now = wall()
    limit = LimitIssue(
        "l1", 1, "A", now, now + 30, 1.2e6, -2.5e6, Reason.THERMAL, "L12", now + 90, Supporting(1, 1, "m", "c")
    )
    assert (await testbed.tell("AGENT_A", limit))[0] == 202
    assert (await testbed.until_told(LimitAck)).power_w == 1.2e6
    assert (await testbed.until_told(CapabilityNotice)).ref == "l1"
    codes = [message.code for message in testbed.told]
    assert codes == ["DISPATCH.Copy", "LIMIT.Ack", "CAP.Notice"]
    logged = (await testbed.get("messages"))["messages"]
    assert len({message["msg_id"] for message in logged}) == len(logged)


async def test_stations_measure_what_is_true(testbed: Testbed) -> None:
    await testbed.post("plant", load_scale=0.5, taps={"T1": -1})
    points = (await testbed.get("truth"))["points"]
    some = (await testbed.get("truth?of=T1,B4"))["points"]
    assert {name.partition(".")[0] for name in some} == {"T1", "B4"}
    assert some.items() <= points.items()
    reader, writer = await asyncio.open_connection("127.0.0.1", testbed.zone.stations["SCADA"].endpoint.port)
    writer.write(struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 0, 2))
    answer = await reader.readexactly(13)
    writer.close()
    assert struct.unpack(">f", answer[9:])[0] == pytest.approx(points["L12.current_a"], rel=1e-6)
    assert points["T1.tap_position"] == -1
    assert points["LD_B3.active_power_w"] == pytest.approx(-0.5e6)


async def test_weather_outage_and_faults_show_in_the_truth(testbed: Testbed) -> None:
    await testbed.post("available", resource="B", power_mw=5.0)
    await testbed.post("outage", resource="A")
    await testbed.post("faults", resource="B", fault="lie", on=True)
    await testbed.post("faults", resource="SCADA", fault="freeze_value", on=True)
    truth = await testbed.get("truth")
    assert truth["devices"]["B"]["power_mw"] == 5.0
    assert truth["devices"]["B"]["faults"] == ["lie"]
    assert truth["devices"]["A"]["available_mw"] == 0.0
    assert truth["stations"]["SCADA"]["faults"] == ["freeze_value"]


WRONG_ORDERS = [
    ("faults", {"resource": "A", "fault": "explode", "on": True}, "fault"),
    ("faults", {"resource": "Z", "fault": "lie", "on": True}, "resource"),
    ("faults", {"resource": "A", "fault": "lie"}, "on"),
    ("dispatch", {"resource": "A", "power_mw": "much"}, "power_mw"),
    ("dispatch", {"resource": "A", "power_mw": 1, "start": "2026-01-01T00:00:00"}, "start"),
    ("dispatch", {"resource": "Z", "power_mw": 1}, "."),
    ("available", {"resource": "A", "power_mw": 1, "why": "?"}, "why"),
    ("target", {"resource": "Z", "power_mw": 1}, "resource"),
    ("offer", {"resource": "A", "blocks": []}, "blocks"),
    ("offer", {"resource": "Z", "blocks": [[1, 30]]}, "resource"),
    ("habits", {"party": "IESO", "silent": True}, "party"),
    ("host_limit", {"interface": "HE1", "party": "AGENT_A"}, "party"),
    ("platform", {"down": True}, "."),
    ("say", {"sender": "DSO", "type": "LIMIT.Ack", "body": {}}, "sender"),
    ("say", {"sender": "AGENT_A", "type": "LIMIT.Ack", "body": {}}, "body.limit_id"),
    ("plant", {}, "."),
    ("plant", {"switches": {"SW99": True}}, "."),
]


async def test_wrong_orders_are_answered_with_field_and_remedy(testbed: Testbed) -> None:
    for path, body, wrong in WRONG_ORDERS:
        status, answer = await testbed.post(path, **body)
        assert (status, answer["field"]) == (400, wrong), body
        assert answer["what_to_do"].startswith(("send", "correct", "add"))


async def test_the_parties_say_what_they_are_asked_to(testbed: Testbed) -> None:
    await testbed.post("offer", resource="A", blocks=[[1.0, 30], [2.5, 40]], standby=True, offer_id="o1")
    offer = await testbed.until_told(OfferSubmit)
    assert (offer.offer_id, offer.standby, offer.end_s - offer.start_s) == ("o1", True, 3600)
    assert [(block.power_w, block.price_per_mwh) for block in offer.blocks] == [(1e6, 30), (2.5e6, 40)]
    await testbed.post("revoke_offer", resource="A", offer_id="o1")
    assert (await testbed.until_told(OfferRevoke)).offer_id == "o1"
    await testbed.post("dispute", party="AGENT_A", statement_id="s1", claim="8.0 MWh by our meter")
    assert (await testbed.until_told(DisputeOpen)).dispute_id == "AGENT_A-s1-1"
    body = {"limit_id": "l9", "version": 1, "resource": "A", "status": "ACCEPT", "power_mw": 1.0}
    for _ in range(2):
        assert (await testbed.post("say", sender="AGENT_A", type="LIMIT.Ack", body=body, msg_id="m9"))[0] == 200
    assert (await testbed.until_told(LimitAck)).limit_id == "l9"


async def test_a_host_without_habits_answers_by_hand(testbed: Testbed) -> None:
    await testbed.post("host_limit", interface="HE1", export_mw=0.6)
    limit = await testbed.until_told(HostLimit)
    assert (limit.ceiling_w, limit.version) == (0.6e6, 1)
    await testbed.post("host_habits", silent=True)
    for number in (1, 2):
        draft = HostInclude(f"HE1:{number}", "LIMIT.Issue", "{}", 1e6, draft=True)
        assert (await testbed.tell("HOST", draft, msg_id=f"d{number}"))[0] == 202
    assert (await testbed.post("host_answer", include_id="HE1:9"))[1]["what_to_do"] == "waiting: HE1:1, HE1:2"
    await testbed.post("host_answer", include_id="HE1:1", export_mw=0.3)
    assert (await testbed.until_told(HostObject)).ceiling_w == 0.3e6
    await testbed.post("host_answer")
    assert (await testbed.until_told(HostNoObjection)).include_id == "HE1:2"


async def test_a_set_point_of_an_owner_is_followed(testbed: Testbed) -> None:
    await testbed.post("target", resource="A", power_mw=1.5)
    assert (await testbed.get("truth"))["devices"]["A"]["power_mw"] == 1.5
    await testbed.post("target", resource="A", power_mw=None)
    assert (await testbed.get("truth"))["devices"]["A"]["target_mw"] is None


async def test_the_control_tells_what_it_takes(testbed: Testbed) -> None:
    told = await testbed.get("")
    assert told["POST /v1/dispatch"]["fields"] == {
        "resource": "required",
        "power_mw": "required",
        "start": None,
        "end": None,
    }
    assert {path.removeprefix("POST /v1/") for path in told} == set(re.findall(r"18099/v1/(\w+) -d", command.__doc__))


async def test_a_party_that_runs_alone_drives_devices_played_elsewhere(
    testbed: Testbed, unused_tcp_port_factory: Any
) -> None:
    document = testbed.zone.model_dump(mode="json")
    document["parties"]["AGENT_B"]["url"] = f"http://127.0.0.1:{unused_tcp_port_factory()}"
    zone, said = ZoneFile.model_validate(document), list[str]()
    world = f"http://127.0.0.1:{testbed.zone.testbed.control_port}/v1"
    async with asyncio.TaskGroup() as tasks:
        alone = tasks.create_task(run_parties(zone, Alone(frozenset({"AGENT_B"}), world, 0), wall, said.append))

        async def playing() -> bool:
            return f"devices at {world}: B" in said and any("control http" in line for line in said)

        await until(playing, 20)
        (control,) = [line.removeprefix("listening: control ") for line in said if "control http" in line]
        async with testbed.session.post(f"{control}/outage", json={"resource": "B", "available_mw": 1.0}) as response:
            assert response.status == 200
        assert (await testbed.until_told(OutageNotice)).available_w == 1e6

        async def fallen() -> bool:
            return (await testbed.get("truth"))["devices"]["B"]["power_mw"] == 1.0

        await until(fallen, 20)
        async with testbed.session.get(f"{control}/truth") as response:
            assert response.status == 404
        alone.cancel()


async def test_bad_messages_are_refused(testbed: Testbed) -> None:
    url = testbed.zone.parties["AGENT_A"].url + "/v1/messages"
    async with testbed.session.post(url, data=b"{") as response:
        assert response.status == 400
    elsewhere = Message(
        Header("m", "c", "DSO", "NOBODY", wall(), "R1", "DP"), CapabilityNotice("A", 1, 0, 1, "OUTAGE", "x")
    )
    async with testbed.session.post(url, data=wire.encode(elsewhere)) as response:
        assert (response.status, (await response.json())["field"]) == (409, "recipient")


async def test_a_dispatch_waits_for_its_start(testbed: Testbed) -> None:
    later = datetime.fromtimestamp(wall() + 3600, UTC).isoformat()
    await testbed.post("dispatch", resource="A", power_mw=1.0, start=later)
    assert (await testbed.get("messages"))["messages"] == []


async def test_a_taken_port_ends_the_start_with_its_number(testbed: Testbed) -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await run(testbed.zone, ZONE.parent, wall, testbed.said.append)
    assert caught.group_contains(OSError, match="cannot listen on 127.0.0.1")
