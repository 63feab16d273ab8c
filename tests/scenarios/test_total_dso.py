"""Total DSO on reference zone R1, in virtual time; numbers are those of the zone's specification."""

from math import inf
from pathlib import Path
from typing import Any

import pytest

from config.settings import ZoneFile
from gateway.coordination.market_messages import BidAggregate, Block, MarketSide, NeedPost, OrderIssue
from gateway.coordination.messages import AckCommit, AckStatus
from gateway.coordination.operation_messages import Instruction, ShortfallNotice
from tests.scenarios.stage import EPOCH_S, MW, Stage, play, zone_file

LIMIT_MW = 0.01
OFFERS = {
    "A": ((2.5, 30.0),),
    "E": ((1.0, 45.0),),
    "C": ((1.0, 55.0), (2.0, 65.0)),
    "D": ((1.5, 120.0),),
}
"""Cumulative MW and price of scenarios S08 to S13."""


def total(**sections: Any) -> ZoneFile:
    """R1 under a total DSO with one node."""
    market = {"nodes": ["TD1"], "wholesale_gate_s": 0, "local_gate_s": 0} | sections.pop("market", {})
    devices = {"C": {"nameplate": {"ramp_mw_per_min": None}}} | sections.pop("devices", {})
    return zone_file(zone={"dso_model": "T"}, market=market, devices=devices, **sections)


def blocks(*pairs: tuple[float, float]) -> tuple[Block, ...]:
    return tuple(Block(power_mw * MW, price) for power_mw, price in pairs)


async def offered(stage: Stage, start_s: float, end_s: float, **offers: tuple[tuple[float, float], ...]) -> None:
    """Let the agents offer for an interval."""
    for resource, pairs in (offers or OFFERS).items():
        agent = stage.parties.agent(f"AGENT_{resource}")
        offer = agent.offer(resource, blocks(*pairs), start_s, end_s, now_s=stage.now(), market=MarketSide.BOTH)
        await stage.deliver([offer])


def instructed(stage: Stage) -> dict[str, float]:
    """Newest instruction of each resource, MW."""
    return {
        m.body.resource: m.body.power_w / MW for m in stage.messages("INSTR.Issue") if isinstance(m.body, Instruction)
    }


def assert_masked(stage: Stage) -> None:
    """The system operator sees the node and nothing below it."""
    for one in stage.parties.log:
        if one.message.header.recipient == "IESO":
            assert getattr(one.message.body, "resource", "TD1") == "TD1"
            assert not any(
                f'"{name}"' in repr(one.message.body) or f"'{name}'" in repr(one.message.body) for name in "ABCDE"
            )


def test_s08_the_node_offers_what_the_network_carries(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(total(), tmp_path) as stage:
            await stage.open_gateway()
            await stage.pass_time(5)
            await offered(stage, EPOCH_S + 3600, EPOCH_S + 7200)
            await stage.pass_time(30)
            bids = [m.body for m in stage.messages("BID.Aggregate") if isinstance(m.body, BidAggregate)]
            curve = [(b.power_w / MW, b.price_per_mwh) for b in bids[-1].blocks]
            assert [price for _, price in curve] == [30, 45, 55, 65, 120]
            assert [p for p, _ in curve] == pytest.approx([1.20, 2.20, 3.20, 4.20, 5.70], abs=LIMIT_MW)
            assert_masked(stage)

    play(scene)


def test_nothing_is_offered_to_a_system_operator_that_is_lost_until_it_is_back(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(total(), tmp_path) as stage:
            await stage.open_gateway()
            await stage.pass_time(5)
            stage.loop.exchange.reached("IESO", inf)
            await offered(stage, EPOCH_S + 3600, EPOCH_S + 7200)
            await stage.pass_time(60)
            assert stage.messages("BID.Aggregate") == []
            stage.loop.exchange.reached("IESO", stage.now())
            await stage.pass_time(30)
            (bid,) = stage.messages("BID.Aggregate")
            assert isinstance(bid.body, BidAggregate)
            assert bid.body.blocks[-1].power_w / MW == pytest.approx(5.70, abs=LIMIT_MW)

    play(scene)


def test_s09_to_s11_a_dispatch_is_shared_out_replaced_and_what_is_missing_reported(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(total(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await offered(stage, start_s, start_s + 3600)
            start_s = await stage.next_interval()
            t0 = start_s - EPOCH_S
            await stage.dispatch("TD1", 3.0, start_s)
            await stage.pass_time(60)
            assert instructed(stage) == pytest.approx({"A": 1.20, "E": 1.00, "C": 0.80}, abs=LIMIT_MW)
            (commit,) = stage.messages("ACK.Commit", "DSO", "IESO")
            assert isinstance(commit.body, AckCommit)
            assert (commit.body.status, commit.body.power_w / MW) == (AckStatus.ACCEPT, pytest.approx(3.0))
            assert stage.at(commit) - t0 <= 60
            assert len(stage.messages("ACK.Receipt", "DSO", "IESO")) == 1
            await stage.pass_time(40)
            assert stage.loading_pct("L12") == pytest.approx(99.6, abs=0.5)
            assert stage.power_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

            notices = stage.parties.agent("AGENT_E").outage("E", 0.0, stage.now(), start_s + 3600, stage.now())
            await stage.deliver(notices)
            await stage.pass_time(30)
            assert instructed(stage)["C"] == pytest.approx(1.80, abs=LIMIT_MW)
            assert instructed(stage)["A"] == pytest.approx(1.20, abs=LIMIT_MW)
            assert stage.messages("SHORTFALL.Notice") == []
            assert len(stage.messages("ACK.Commit", "DSO", "IESO")) == 1, "the node still does what it promised"

            start_s = await stage.next_interval()
            await stage.dispatch("TD1", 5.0, start_s)
            await stage.pass_time(20)
            needs = [m.body for m in stage.messages("NEED.Post") if isinstance(m.body, NeedPost)]
            assert needs[0].required_w / MW == pytest.approx(0.30, abs=LIMIT_MW)
            await stage.pass_time(100)
            (notice,) = [m.body for m in stage.messages("SHORTFALL.Notice") if isinstance(m.body, ShortfallNotice)]
            assert notice.capability_w / MW == pytest.approx(4.70, abs=LIMIT_MW)
            assert notice.cause == "DER_OUTAGE"
            last = stage.messages("ACK.Commit", "DSO", "IESO")[-1].body
            assert isinstance(last, AckCommit)
            assert (last.status, last.power_w / MW) == (AckStatus.PARTIAL, pytest.approx(4.70, abs=LIMIT_MW))
            assert_masked(stage)

    play(scene)


def test_s11_a_standby_offer_covers_what_is_missing(tmp_path: Path) -> None:
    standby = {
        "kind": "chp",
        "connection": {"bus": "B6", "export_mw": 0.5, "date": "2023-01-01"},
        "nameplate": {"p_max_mw": 0.5},
        "controllable": "setpoint",
        "owner": "AGENT_H",
        "endpoint": {"protocol": "modbus", "host": "127.0.0.1", "port": 15029, "unit": 1},
        "simulated": True,
    }
    party = {"role": "dera", "url": "http://127.0.0.1:18089", "simulated": True}
    zone = total(devices={"H": standby}, parties={"AGENT_H": party})

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            firm = {name: pairs for name, pairs in OFFERS.items() if name != "E"}
            await offered(stage, start_s, start_s + 3600, **firm)
            stage.parties.agent("AGENT_H").habits.offers["H"] = blocks((0.5, 150.0))
            start_s = await stage.next_interval()
            await stage.dispatch("TD1", 5.0, start_s)
            await stage.pass_time(60)
            (order,) = [m.body for m in stage.messages("ORDER.Issue") if isinstance(m.body, OrderIssue)]
            assert (order.resource, order.power_w / MW) == ("H", pytest.approx(0.30, abs=LIMIT_MW))
            (commit,) = stage.messages("ACK.Commit", "DSO", "IESO")
            assert isinstance(commit.body, AckCommit)
            assert commit.body.status is AckStatus.ACCEPT
            await stage.pass_time(60)
            assert stage.messages("SHORTFALL.Notice") == []
            assert stage.power_mw("H") == pytest.approx(0.30, abs=LIMIT_MW)

    play(scene)
