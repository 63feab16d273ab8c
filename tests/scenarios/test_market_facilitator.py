"""Market facilitator on reference zone R1, in virtual time; numbers are those of the zone's specification."""

from pathlib import Path
from typing import Any

import pytest

from config.settings import ZoneFile
from gateway.coordination.market_messages import BidForward, Block, MarketSide
from gateway.coordination.messages import AckCommit, AckStatus, Dispatch, LimitInfo, LimitIssue
from gateway.coordination.operation_messages import DispatchRelay
from gateway.coordination.payload import sha256_of, written
from protocols.points import Point, Quantity
from tests.scenarios.stage import EPOCH_S, MW, Stage, play, zone_file

LIMIT_MW = 0.01
CONTROLS: dict[str, Any] = {
    "tap_changers": {"LTC": {"transformers": ["T1", "T2"]}},
    "capacitors": {"C1": {}},
    "switches": {"SW12": {}, "SWT": {}},
}
CAPACITOR = {"point": "C1.switch_closed", "address": "ns=2;s=C1.switch_closed"}


def facilitated(controls: dict[str, Any] | None = None, **sections: Any) -> ZoneFile:
    """R1 under a market facilitator with everything in remote control."""
    points = [p.model_dump() for p in zone_file().stations["SCADA"].points]
    stations = {"SCADA": {"points": [*points, CAPACITOR]}}
    market = {"wholesale_gate_s": 0, "local_gate_s": 0}
    return zone_file(zone={"dso_model": "MF"}, adms=controls or CONTROLS, stations=stations, market=market, **sections)


def locked(*names: str) -> dict[str, Any]:
    """The same with some devices in local control."""
    return {
        kind: {name: {**one, "locked": name in names} for name, one in devices.items()}
        for kind, devices in CONTROLS.items()
    }


def closed(stage: Stage, switch: str) -> bool:
    return stage.world.truth(Point(switch, Quantity.SWITCH_CLOSED)) >= 0.5


def taps(stage: Stage) -> set[float]:
    return {stage.world.truth(Point(name, Quantity.TAP_POSITION)) for name in ("T1", "T2")}


def operations(stage: Stage) -> list[str]:
    """Devices in the order in which they were operated."""
    found = []
    for entry in stage.journal.replay():
        if entry.kind == "operation" and entry.body.get("is") == "Planned":
            found += [o["device"] for o in entry.body["operations"]]  # type: ignore[index,attr-defined]
    return found


def assert_relayed_unchanged(stage: Stage) -> None:
    """What the DER/As got is what the system operator wrote."""
    sent = {
        m.body.dispatch_id: written(m) for m in stage.messages("DISPATCH.RT", "IESO") if isinstance(m.body, Dispatch)
    }
    for message in stage.messages("DISPATCH.Relay"):
        assert isinstance(message.body, DispatchRelay)
        assert message.body.payload_raw == sent[message.body.dispatch_id]
        assert message.body.payload_sha256 == sha256_of(sent[message.body.dispatch_id])


def test_s14_the_network_is_switched_and_nobody_is_limited(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(facilitated(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(35)
            (relay,) = stage.messages("DISPATCH.Relay", "DSO", "AGENT_A")
            assert stage.at(relay) - (start_s - EPOCH_S) <= 35
            assert len(stage.messages("ACK.Receipt", "DSO", "IESO")) == 1
            await stage.pass_time(265)
            assert operations(stage) == ["SWT", "SW12"], "make before break"
            assert closed(stage, "SWT")
            assert not closed(stage, "SW12")
            assert stage.power_mw("A") == pytest.approx(2.0, abs=LIMIT_MW)
            assert stage.messages("LIMIT.Issue") == []
            assert stage.loading_pct("L12") < 1
            assert stage.loading_pct("LT") == pytest.approx(47.8, abs=0.5)
            (commit,) = stage.messages("ACK.Commit", "DSO", "IESO")
            assert isinstance(commit.body, AckCommit)
            assert (commit.body.status, commit.body.power_w) == (AckStatus.ACCEPT, 2.0 * MW)
            assert_relayed_unchanged(stage)

    play(scene)


def test_s15_one_step_of_the_tap_spares_a_voltage_limit(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(facilitated(devices={"B": {"forecast_mw": [5.0]}}), tmp_path) as stage:
            for transformer in ("T1", "T2"):
                stage.world.plant.set_tap(transformer, -3)
            stage.world.devices["B"].set_available(5.0 * MW, stage.now())
            await stage.open_gateway()
            await stage.pass_time(90)
            assert operations(stage) == ["LTC"]
            assert taps(stage) == {-2.0}
            assert stage.power_mw("B") == pytest.approx(5.0, abs=LIMIT_MW)
            assert stage.voltage_pu("B4") == pytest.approx(1.043, abs=0.002)
            assert stage.messages("LIMIT.Issue") == []

    play(scene)


def test_s16_what_the_network_cannot_give_is_limited_and_told_to_both(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(facilitated(locked("SWT", "LTC", "C1", "SW12")), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(60)
            (limit,) = [m.body for m in stage.messages("LIMIT.Issue") if isinstance(m.body, LimitIssue)]
            assert limit.ceiling_w / MW == pytest.approx(1.20, abs=LIMIT_MW)
            for recipient in ("IESO", "AGENT_A"):
                (info,) = [m.body for m in stage.messages("LIMIT.Info", "DSO", recipient)]
                assert isinstance(info, LimitInfo)
                assert (info.constraint_id, info.ceiling_w, info.supporting.model_version) == (
                    "L12",
                    limit.ceiling_w,
                    "r1-1",
                )
            last = stage.messages("ACK.Commit", "DSO", "IESO")[-1].body
            assert isinstance(last, AckCommit)
            assert (last.status, last.power_w / MW) == (AckStatus.PARTIAL, pytest.approx(1.20, abs=LIMIT_MW))
            assert operations(stage) == []
            assert_relayed_unchanged(stage)

    play(scene)


def test_s16_with_only_the_tie_locked_the_tap_helps_a_little(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(facilitated(locked("SWT")), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(120)
            assert operations(stage) == ["LTC"]
            assert taps(stage) == {-2.0}
            limit = [m.body for m in stage.messages("LIMIT.Issue") if isinstance(m.body, LimitIssue)][-1]
            assert limit.ceiling_w / MW == pytest.approx(1.30, abs=LIMIT_MW)
            await stage.pass_time(200)
            assert operations(stage) == ["LTC"], "nothing is moved to and fro"
            assert stage.loading_pct("L12") == pytest.approx(100.0, abs=0.5)
            assert_relayed_unchanged(stage)

    play(scene)


def test_an_operation_that_the_field_does_not_show_is_taken_back_and_a_limit_takes_over(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(facilitated(), tmp_path) as stage:
            stage.world.stations["SCADA"].faults.lie = True
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(60)
            assert operations(stage) == ["SWT", "SW12", "SWT"], "the way back undoes what may come late"
            (limit,) = [m.body for m in stage.messages("LIMIT.Issue") if isinstance(m.body, LimitIssue)]
            assert limit.ceiling_w / MW == pytest.approx(1.20, abs=LIMIT_MW)
            await stage.pass_time(240)
            assert stage.power_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

    play(scene)


def test_s17_a_bid_passes_through_and_what_the_network_allows_is_told_beside_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(facilitated(locked("SWT", "LTC", "C1", "SW12")), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval() + 600
            bid = stage.parties.agent("AGENT_A").offer(
                "A", (Block(2.5 * MW, 30.0),), start_s, start_s + 3600, now_s=stage.now(), market=MarketSide.WHOLESALE
            )
            await stage.deliver([bid])
            await stage.pass_time(30)
            (forward,) = [
                m.body for m in stage.messages("BID.Forward", "DSO", "IESO") if isinstance(m.body, BidForward)
            ]
            assert forward.payload_raw == written(bid)
            assert forward.payload_sha256 == sha256_of(written(bid))
            (info,) = [m.body for m in stage.messages("LIMIT.Info", "DSO", "IESO") if isinstance(m.body, LimitInfo)]
            assert info.ceiling_w / MW == pytest.approx(1.20, abs=LIMIT_MW)
            assert stage.messages("LIMIT.Issue") == []

    play(scene)


def test_s18_an_outage_is_passed_on_and_releases_the_others(tmp_path: Path) -> None:
    zone = facilitated(
        locked("SWT", "LTC", "C1", "SW12"), limits={"policy": "pro_rata"}, devices={"B": {"forecast_mw": [4.0]}}
    )

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(60)
            assert stage.ceiling_mw("A") == pytest.approx(1.73, abs=LIMIT_MW)
            assert stage.ceiling_mw("B") == pytest.approx(3.46, abs=LIMIT_MW)
            notices = stage.parties.agent("AGENT_A").outage("A", 0.0, stage.now(), stage.now() + 3600, stage.now())
            await stage.deliver(notices)
            await stage.until(lambda: stage.ceiling_mw("B") is None, within_s=30)
            assert len(stage.messages("OUTAGE.Notice", "DSO", "IESO")) == 1
            assert stage.messages("INSTR.Issue") == []

    play(scene)


def test_a_limit_that_the_host_still_looks_at_is_told_to_nobody_else_yet(tmp_path: Path) -> None:
    zone = facilitated(
        locked("SWT", "LTC", "C1", "SW12"),
        parties={"HOST": {"role": "host", "url": "http://127.0.0.1:1"}},
        interfaces={"IF1": {"party": "HOST", "branch": "LT", "devices": ["A", "B"], "export_mw": 9, "notify_mw": 0.1}},
    )

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            stage.deaf.add("HOST")
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(20)
            assert stage.messages("LIMIT.Issue") == stage.messages("LIMIT.Info") == []
            await stage.pass_time(40)
            assert len(stage.messages("LIMIT.Issue")) == 1
            assert len(stage.messages("LIMIT.Info")) == 2

    play(scene)
