"""Total DSO, market facilitator and host utility over real sockets: devices on four protocols, parties on HTTP.

Testbed and gateway are processes, the market is ten times as fast. Numbers are those of the zone's specification;
deadlines of the parties are generous, for what they bound here is a hang and not the machine's speed.
"""

import hashlib
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.scenarios.live import PATIENT, Gateway, Live, free_ports, in_s, live, until

pytestmark = pytest.mark.sockets

LIMIT_MW = 0.01
OFFERS = {"A": [[2.5, 30]], "E": [[1.0, 45]], "C": [[1.0, 55], [2.0, 65]], "D": [[1.5, 120]]}
"""Cumulative MW and price of scenarios S08 to S13."""


def with_standby() -> dict[str, Any]:
    """A plant of 0.5 MW on the second feeder, on Modbus, whose owner says nothing until it is asked."""
    port, party_port = free_ports(2)
    plant = {
        "kind": "chp",
        "connection": {"bus": "B6", "export_mw": 0.5, "date": "2023-01-01"},
        "nameplate": {"p_max_mw": 0.5},
        "controllable": "setpoint",
        "owner": "AGENT_H",
        "endpoint": {"protocol": "modbus", "host": "127.0.0.1", "port": port, "unit": 1},
        "simulated": True,
    }
    party = {"role": "dera", "url": f"http://127.0.0.1:{party_port}", "simulated": True}
    return {"devices": {"H": plant}, "parties": {"AGENT_H": party}}


async def ready(gateway: Gateway) -> None:
    await gateway.says("snapshot.complete", 60)
    await gateway.says("psa.ready", 60)


async def instructed(field: Live) -> dict[str, float]:
    """Newest instruction that each DER/A got, MW."""
    told = [m for m in await field.everything_said() if m["type"] == "INSTR.Issue"]
    return {m["body"]["resource"]: m["body"]["power_mw"] for m in told}


async def stand_at(field: Live, within_s: float, **powers_mw: float) -> None:
    """Wait until devices have come to their powers."""

    async def there() -> bool:
        devices = (await field.truth())["devices"]
        return {name: devices[name]["power_mw"] for name in powers_mw} == pytest.approx(powers_mw, abs=LIMIT_MW)

    await until(there, within_s)


async def answers(field: Live) -> list[tuple[str, float]]:
    """What the DSO has promised to the system operator so far."""
    return [(one["status"], one["power_mw"]) for one in await field.messages("ACK.Commit", "DSO", "IESO")]


async def test_s09_to_s11_a_node_is_shared_out_over_four_protocols_and_through_a_kill_9(tmp_path: Path) -> None:
    async with live(tmp_path, "r1_short_total.yaml", clocks=PATIENT, **with_standby()) as field:
        async with field.gateway() as gateway:
            await ready(gateway)
            start = in_s(12)
            for resource, blocks in OFFERS.items():
                await field.tell("offer", resource=resource, blocks=blocks, start=start)
                await gateway.says("offer.accepted", resource=resource)
            await field.tell("dispatch", resource="TD1", power_mw=3.0, start=start, end=in_s(600))

            async def answered() -> bool:
                return await answers(field) == [("ACCEPT", 3.0)]

            await until(answered, 30)
            assert await instructed(field) == pytest.approx({"A": 1.20, "E": 1.00, "C": 0.80}, abs=LIMIT_MW)
            assert (await gateway.says("selection.done"))["cost_per_h"] == pytest.approx(125, abs=0.5)
            await gateway.says("command.completed", resource="A", outcome="verified")
            issued = {r: await gateway.says("control.tx", resource=r) for r in ("A", "C", "E")}
            await gateway.kill()

        async with field.gateway() as gateway:
            for resource in ("A", "C"):
                again = await gateway.says("control.tx", 10, resource=resource)
                assert again["reasserted"] is True
                assert (again["control_id"], again["version"]) == (
                    issued[resource]["control_id"],
                    issued[resource]["version"],
                )
            await ready(gateway)
            await stand_at(field, 60, A=1.20, E=1.00, C=0.80, B=4.0)
            assert await field.loading_pct("L12") == pytest.approx(99.6, abs=0.5)
            assert gateway.said("instr.tx") == [], "everybody has been told already"
            assert await answers(field) == [("ACCEPT", 3.0)]

            await field.tell("outage", resource="E", end=in_s(3_600))
            await gateway.says("instr.tx", resource="C")

            async def shared_out() -> bool:
                return await instructed(field) == pytest.approx({"A": 1.20, "E": 0.00, "C": 1.80}, abs=LIMIT_MW)

            await until(shared_out, 20)
            assert {line["resource"] for line in gateway.said("instr.tx")} == {"C", "E"}
            assert gateway.said("selection.done")[-1]["cost_per_h"] == pytest.approx(143, abs=0.5)
            assert gateway.said("shortfall.notice") == []
            assert await answers(field) == [("ACCEPT", 3.0)], "the node still does what it promised"

            await field.tell("dispatch", resource="TD1", power_mw=5.0, end=in_s(600))
            need = await gateway.says("need.posted")
            assert need["mw"] == pytest.approx(0.30, abs=LIMIT_MW)
            notice = await gateway.says("shortfall.notice", 30)
            assert (notice["mw"], notice["cause"]) == (pytest.approx(4.70, abs=LIMIT_MW), "DER_OUTAGE")

            async def reported() -> bool:
                return len(await field.messages("SHORTFALL.Notice", "DSO", "IESO")) == 1

            await until(reported, 20)
            assert (await answers(field))[1:] == [("PARTIAL", pytest.approx(4.70, abs=LIMIT_MW))]
            await stand_at(field, 40, A=1.20, C=2.00, D=1.50, E=0.0, H=0.0, B=4.0)
            await assert_standby_fills_the_gap(field, gateway)
        assert_masked(await field.everything_said())


async def assert_standby_fills_the_gap(field: Live, gateway: Gateway) -> None:
    """S11 a: asked for what is missing, H offers it and is ordered to; the node does all that it is dispatched to."""
    before = await field.everything_said()
    await field.tell("habits", party="AGENT_H", offers={"H": [[0.5, 150]]})
    await field.tell("dispatch", resource="TD1", power_mw=5.0, end=in_s(600))

    async def accepted() -> bool:
        return (await answers(field))[2:] == [("ACCEPT", pytest.approx(5.00, abs=LIMIT_MW))]

    await until(accepted, 40)
    said = (await field.everything_said())[len(before) :]
    chain = [m["type"] for m in said if "H" in (m["body"].get("resource"), m["sender"][-1:], m["recipient"][-1:])]
    wanted = ("NEED.Post", "OFFER.Submit", "ORDER.Issue", "ORDER.Receipt", "ORDER.Commit")
    assert [code for code in chain if code in wanted] == list(wanted)
    (order,) = [m["body"] for m in said if m["type"] == "ORDER.Issue"]
    assert (order["resource"], order["power_mw"]) == ("H", pytest.approx(0.30, abs=LIMIT_MW))
    assert order["price_per_mwh"] == 150
    await stand_at(field, 40, A=1.20, C=2.00, D=1.50, E=0.0, H=0.30, B=4.0)
    assert len(gateway.said("shortfall.notice")) == 1, "none but that of before"


def assert_masked(said: list[dict[str, Any]]) -> None:
    """The system operator sees the node and nothing below it."""
    for message in said:
        if message["recipient"] == "IESO":
            assert message["sender"] == "DSO"
            assert message["body"].get("resource", "TD1") == "TD1"
            assert not set("ABCDE") & {value for value in message["body"].values() if isinstance(value, str)}


async def test_s14_the_adms_switches_over_opc_ua_and_nobody_is_limited(tmp_path: Path) -> None:
    zone = {"clocks": PATIENT, "adms": {"confirm_s": 30}}
    async with live(tmp_path, "r1_short_facilitator.yaml", **zone) as field, field.gateway() as gateway:
        await ready(gateway)
        await field.tell("dispatch", resource="A", power_mw=2.0, end=in_s(45))
        for device in ("SWT", "SW12"):
            await gateway.says("netop.request", device=device)

        async def switched() -> bool:
            return (await field.point("SWT.switch_closed"), await field.point("SW12.switch_closed")) == (1, 0)

        await until(switched, 30)
        await stand_at(field, 45, A=2.0, B=4.0)
        assert await field.loading_pct("L12") < 1
        assert await field.loading_pct("LT") == pytest.approx(47.8, abs=0.5)
        assert [line["device"] for line in gateway.said("netop.request")] == ["SWT", "SW12"], "make before break"
        assert len(gateway.said("netop.confirm")) == 2
        assert await answers(field) == [("ACCEPT", 2.0)]
        said = await field.everything_said()
        assert [m for m in said if m["type"] == "LIMIT.Issue"] == []
        assert_relayed_unchanged(said)


def assert_relayed_unchanged(said: list[dict[str, Any]]) -> None:
    """What the DER/As got is what the system operator wrote, to the byte."""
    (relay,) = [m["body"] for m in said if m["type"] == "DISPATCH.Relay"]
    (sent,) = [m for m in said if m["type"] == "DISPATCH.RT"]
    written = orjson.dumps({name: value for name, value in sent.items() if name not in ("at", "carried")})
    assert relay["payload_raw"].encode() == written
    assert relay["payload_sha256"] == hashlib.sha256(written).hexdigest()


@pytest.mark.parametrize("platform", [None, "MSP"], ids=["p2p", "platform"])
async def test_s19_the_host_agrees_before_its_limit_is_passed_on(tmp_path: Path, platform: str | None) -> None:
    zone: dict[str, Any] = {"clocks": PATIENT, "interfaces": {"HE1": {"patience_s": 200}}, "platform": platform}
    async with live(tmp_path, "r1_short_host.yaml", **zone) as field, field.gateway() as gateway:
        await ready(gateway)
        await field.tell("dispatch", resource="G", power_mw=3.0)
        await field.tell("dispatch", resource="A", power_mw=2.0)
        limit = await gateway.says("limit.issue", 30, resource="G")
        assert (limit["reason"], limit["constraint_id"]) == ("HOST", "HOST:HE1")
        assert limit["mw"] == pytest.approx(2.60, abs=LIMIT_MW)
        for resource in ("G", "A"):
            await gateway.says("command.completed", 30, resource=resource, outcome="verified")
        await stand_at(field, 40, G=2.60, A=1.20, B=4.0)
        assert await field.ceiling_mw("G") == pytest.approx(2.60, abs=LIMIT_MW)

        async def noticed() -> bool:
            told = await field.messages("CAP.Notice", "AGENT_G", "IESO")
            return [one["power_mw"] for one in told] == [pytest.approx(2.60, abs=LIMIT_MW)]

        await until(noticed, 20)
        said = await field.everything_said()
        assert_host_was_asked_first(said)
        assert [m for m in said if (m["sender"], m["recipient"]) == ("DSO", "IESO")] == []
        assert gateway.said("netop.request") == []
        carried = {m["type"] for m in said if m["carried"]}
        assert carried == ({"DISPATCH.Copy", "LIMIT.Issue", "LIMIT.Ack", "CAP.Notice"} if platform else set())


def assert_host_was_asked_first(said: list[dict[str, Any]]) -> None:
    """Its answer came before the limit went out, and it has a copy of everything that followed."""
    codes = [m["type"] for m in said if m["body"].get("resource") == "G" or m["type"].startswith("HOST.")]
    assert codes.index("HOST.NoObjection") < codes.index("LIMIT.Issue")
    copied = {m["body"]["about"] for m in said if m["type"] == "HOST.Include"}
    assert {"DISPATCH.Copy", "LIMIT.Issue", "CAP.Notice"} <= copied
