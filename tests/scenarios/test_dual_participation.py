"""Dual participation on reference zone R1, in virtual time; numbers are those of the zone's specification."""

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.coordination.messages import (
    AckCommit,
    AckStatus,
    CapabilityNotice,
    DispatchCopy,
    Header,
    LimitAck,
    LimitIssue,
    Message,
)
from gateway.engine import timed
from gateway.journal.entries import Entry
from grid_engine.model import Network
from grid_engine.results import Answer, Reason, Status, Study
from protocols.points import Point, Quantity
from protocols.signals import Control
from tests.scenarios.stage import EPOCH_S, MW, Stage, play, zone_file

LIMIT_MW = 0.01
LOADING_PCT = 0.5
VOLTAGE_PU = 0.002


def assert_dual_participation(stage: Stage) -> None:
    """Under dual participation the DSO tells the system operator nothing."""
    told = [
        e.message.code
        for e in stage.parties.log
        if e.message.header.sender == "DSO" and e.message.header.recipient == "IESO"
    ]
    assert told == []


def never_converges(network: Network, study: Study) -> Answer:
    """An engine that fails."""
    return Answer(study.study_id, Status.NOT_CONVERGED, network.version, detail="forced by the test")


def dispatch_copy(dispatch_id: str, version: int, power_mw: float, start_s: float) -> Message:
    """What the system operator copies to the DSO."""
    header = Header(f"{dispatch_id}-{version}", dispatch_id, "IESO", "DSO", start_s, "R1", "DP")
    return Message(header, DispatchCopy(dispatch_id, version, "A", power_mw * MW, start_s, start_s + 300))


def entries_since(stage: Stage, since_s: float) -> list[Entry]:
    """What the gateway did since then, as it stands in the journal."""
    wanted = ("issued", "released", "party_out", "decided")
    return [e for e in stage.journal.replay() if e.at_s >= since_s and e.kind in wanted]


def test_s01_a_dispatch_beyond_the_line_is_limited(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            t0 = start_s - EPOCH_S
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(35)
            (issued,) = stage.messages("LIMIT.Issue")
            limit = issued.body
            assert isinstance(limit, LimitIssue)
            assert limit.ceiling_w / MW == pytest.approx(1.20, abs=LIMIT_MW)
            assert (limit.reason, limit.constraint_id) == (Reason.THERMAL, "L12")
            assert (limit.start_s, limit.end_s, limit.expires_s) == (
                start_s,
                start_s + 300,
                pytest.approx(start_s + 900, abs=36),
            )
            assert limit.supporting.loading_before_pct == pytest.approx(120.8, abs=LOADING_PCT)
            assert limit.supporting.model_version == "r1-1"
            assert stage.at(issued) - t0 <= 35

            await stage.pass_time(25)
            (ack,) = stage.messages("LIMIT.Ack", "AGENT_A", "DSO")
            assert isinstance(ack.body, LimitAck)
            assert ack.body.power_w / MW == pytest.approx(1.20, abs=LIMIT_MW)
            (notice,) = stage.messages("CAP.Notice", "AGENT_A", "IESO")
            assert isinstance(notice.body, CapabilityNotice)
            assert notice.body.power_w / MW == pytest.approx(1.20, abs=LIMIT_MW)
            assert notice.body.ref == limit.limit_id
            assert stage.at(notice) - t0 <= 60
            assert len(stage.messages("CAP.Notice", "AGENT_A", "DSO")) == 1
            (commit,) = stage.messages("ACK.Commit", "AGENT_A", "IESO")
            assert isinstance(commit.body, AckCommit)
            assert (commit.body.status, commit.body.power_w / MW) == (
                AckStatus.PARTIAL,
                pytest.approx(1.20, abs=LIMIT_MW),
            )

            await stage.pass_time(240)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
            assert stage.power_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
            assert stage.loading_pct("L12") == pytest.approx(100.0, abs=LOADING_PCT)
            assert stage.power_mw("B") == pytest.approx(4.0, abs=LIMIT_MW)
            assert stage.ceiling_mw("B") is None
            assert stage.loop.book.controls["A"].outcome == "verified"
            assert_dual_participation(stage)

    play(scene)


def test_s02_a_dispatch_that_fits_changes_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 1.0, start_s)
            await stage.pass_time(300)
            assert stage.power_mw("A") == pytest.approx(1.0, abs=LIMIT_MW)
            assert stage.loading_pct("L12") == pytest.approx(94.8, abs=LOADING_PCT)
            assert stage.messages("LIMIT.Issue") == []
            assert stage.loop.book.controls == {}
            assert stage.ceiling_mw("A") is None
            assert_dual_participation(stage)

    play(scene)


def test_s03_limits_are_published_ahead_of_a_forecast(tmp_path: Path) -> None:
    zone = zone_file(
        limits={"look_ahead": True},
        devices={"B": {"forecast_mw": [4.0, 4.2, 4.4, 4.6, 4.8, 5.0]}},
    )

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            await stage.open_gateway()
            start_s = EPOCH_S + 300  # the look-ahead runs in the interval before
            await stage.pass_time(30)
            limits = [m.body for m in stage.messages("LIMIT.Issue") if isinstance(m.body, LimitIssue)]
            ours = sorted((limit for limit in limits if limit.resource == "A"), key=lambda limit: limit.start_s)
            ceilings = [limit.ceiling_w / MW for limit in ours[:6]]
            assert ceilings == pytest.approx([1.20, 1.00, 0.80, 0.60, 0.40, 0.20], abs=LIMIT_MW)
            assert [limit.start_s for limit in ours[:6]] == [start_s + 300 * k for k in range(6)]
            assert stage.ceiling_mw("A") is None, "the first of them begins with the next interval"

            stage.world.devices["B"].set_available(4.2 * MW, stage.now())
            await stage.pass_time(275)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
            await stage.pass_time(300)
            assert stage.ceiling_mw("A") == pytest.approx(1.00, abs=LIMIT_MW)
            assert_dual_participation(stage)

    play(scene)


def test_s04_a_voltage_limit_needs_no_tap_command(tmp_path: Path) -> None:
    zone = zone_file(devices={"B": {"forecast_mw": [5.0]}})

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            for transformer in ("T1", "T2"):
                stage.world.plant.set_tap(transformer, -3)
            stage.world.devices["B"].set_available(5.0 * MW, stage.now())
            assert stage.voltage_pu("B4") == pytest.approx(1.057, abs=VOLTAGE_PU)
            await stage.open_gateway()
            await stage.pass_time(60)
            (issued,) = stage.messages("LIMIT.Issue")
            limit = issued.body
            assert isinstance(limit, LimitIssue)
            assert limit.resource == "B"
            assert limit.ceiling_w / MW == pytest.approx(4.16, abs=LIMIT_MW)
            assert (limit.reason, limit.constraint_id) == (Reason.VOLT_HI, "B4")
            assert stage.power_mw("B") == pytest.approx(4.16, abs=LIMIT_MW)
            assert stage.voltage_pu("B4") == pytest.approx(1.05, abs=VOLTAGE_PU)
            assert_dual_participation(stage)

    play(scene)


def test_s05_an_outage_gives_its_room_to_the_others(tmp_path: Path) -> None:
    zone = zone_file(limits={"policy": "pro_rata"}, devices={"B": {"forecast_mw": [4.0]}})

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
            took_s = await stage.until(lambda: stage.ceiling_mw("B") is None, within_s=30)
            assert took_s <= 30
            assert any(m.header.recipient == "AGENT_B" for m in stage.messages("LIMIT.Clear"))
            assert_dual_participation(stage)

    play(scene)


def test_s22_a_lost_device_counts_at_its_worst_until_the_flows_show_its_fallback(tmp_path: Path) -> None:
    zone = zone_file(devices={"A": {"lease_s": 60}})

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(300)
            assert stage.power_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

            held = stage.loop.book.controls["A"]
            stage.world.devices["A"].faults.drop_link = True
            await stage.until(lambda: stage.loop.ground.image.freeze(stage.now()).link("A") == "lost", within_s=6)
            await stage.until(lambda: stage.assumed_mw("A") == pytest.approx(1.20, abs=LIMIT_MW), within_s=2)

            lease_left_s = held.instruction.expiry_s - stage.now()
            await stage.pass_time(lease_left_s - 2)
            assert stage.assumed_mw("A") == pytest.approx(1.20, abs=LIMIT_MW), "its timer has not run out"
            await stage.until(lambda: stage.assumed_mw("A") < 0.6, within_s=30)
            assert stage.power_mw("A") == pytest.approx(0.50, abs=LIMIT_MW)
            assert stage.ceiling_mw("B") is None

            stage.world.devices["A"].faults.drop_link = False
            await stage.until(lambda: stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW), within_s=10)
            assert stage.loop.book.controls["A"].instruction.version == held.instruction.version

    play(scene)


def test_s22_without_evidence_from_the_flows_the_worst_case_stays(tmp_path: Path) -> None:
    zone = zone_file(devices={"A": {"lease_s": 60}})

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(300)
            stage.world.stations["SCADA"].faults.freeze_value = True  # the feeder shows no drop
            stage.world.devices["A"].faults.drop_link = True
            await stage.pass_time(180)
            assert stage.power_mw("A") == pytest.approx(0.50, abs=LIMIT_MW), "the device did fall back"
            assert stage.assumed_mw("A") == pytest.approx(1.20, abs=LIMIT_MW), "but nothing has shown it"

    play(scene)


def test_s23_a_silent_poller_counts_at_its_last_event_until_its_default_is_proven(tmp_path: Path) -> None:
    zone = zone_file(devices={"B": {"forecast_mw": [5.0], "lease_s": 600, "endpoint": {"poll_s": 60}}})

    async def scene() -> None:
        async with Stage(zone, tmp_path) as stage:
            for transformer in ("T1", "T2"):
                stage.world.plant.set_tap(transformer, -3)
            stage.world.devices["B"].set_available(5.0 * MW, stage.now())
            await stage.open_gateway()
            await stage.pass_time(130)
            assert stage.power_mw("B") == pytest.approx(4.16, abs=LIMIT_MW)
            held = stage.loop.book.controls["B"].instruction

            stage.world.devices["B"].faults.drop_link = True
            seen: list[str] = []

            def link() -> str:
                state = stage.loop.ground.image.freeze(stage.now()).link("B").value
                if state not in seen:
                    seen.append(state)
                return state

            await stage.until(lambda: link() == "lost", within_s=3 * 60 + 10)
            assert "degraded" in seen
            await stage.until(lambda: stage.assumed_mw("B") == pytest.approx(4.16, abs=LIMIT_MW), within_s=15)
            assert isinstance(held, Control)
            await stage.pass_time(stage.loop.book.controls["B"].instruction.expiry_s - stage.now() - 5)
            assert stage.power_mw("B") == pytest.approx(4.16, abs=LIMIT_MW), "its events have not ended"
            assert stage.assumed_mw("B") == pytest.approx(4.16, abs=LIMIT_MW)
            await stage.pass_time(30)
            assert stage.power_mw("B") == pytest.approx(1.50, abs=LIMIT_MW), "DefaultDERControl"
            await stage.until(lambda: stage.assumed_mw("B") == pytest.approx(1.50, abs=LIMIT_MW), within_s=60)
            assert_dual_participation(stage)

    play(scene)


def test_s25_without_an_engine_limits_shrink_once_and_then_become_static(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(120)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

            stage.solve = never_converges
            await stage.pass_time(30)
            assert stage.ceiling_mw("A") == pytest.approx(1.08, abs=LIMIT_MW)
            assert stage.ceiling_mw("B") is None
            await stage.pass_time(300)
            assert stage.ceiling_mw("A") == pytest.approx(1.08, abs=LIMIT_MW), "it shrinks once, not every cycle"
            await stage.pass_time(900)
            assert stage.ceiling_mw("A") == pytest.approx(0.50, abs=LIMIT_MW)
            assert stage.ceiling_mw("B") == pytest.approx(1.50, abs=LIMIT_MW)

            stage.solve = timed
            await stage.pass_time(120)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)
            assert stage.ceiling_mw("B") is None

    play(scene)


def test_s30_repeats_and_older_versions_change_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            first, second = dispatch_copy("d1", 1, 2.0, start_s), dispatch_copy("d1", 2, 1.0, start_s)
            for message in (first, second, first, replace(first, header=replace(first.header, msg_id="again"))):
                await stage.loop.exchange.receive(message)
            for _ in range(3):
                await stage.loop.exchange.receive(second)
            await stage.pass_time(30)
            assert stage.loop.book.dispatches["A"] == (second.body,)
            assert stage.messages("LIMIT.Issue") == []
            journalled = [e for e in stage.journal.replay() if e.kind == "party_in"]
            assert len(journalled) == 3, "v1, v2, and v1 under another id: repeats of an id leave no trace"

    play(scene)


@pytest.mark.parametrize(
    ("asset", "ceiling_mw"),
    [({"derate_pct": 15}, 0.62), ({"ampacity_a": 120}, 0.34)],
)
def test_s40_ratings_move_the_limit(tmp_path: Path, asset: dict[str, float], ceiling_mw: float) -> None:
    async def scene() -> None:
        async with Stage(zone_file(assets={"L12": asset}), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(35)
            assert stage.ceiling_mw("A") == pytest.approx(ceiling_mw, abs=LIMIT_MW)

    play(scene)


def test_s40_a_reverse_power_limit_binds(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(assets={"L12": {"reverse_power_mw": 3.0}}), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(60)
            (issued,) = stage.messages("LIMIT.Issue")
            assert isinstance(issued.body, LimitIssue)
            assert issued.body.reason is Reason.REVERSE_POWER
            await stage.pass_time(240)
            towards_source_w = abs(stage.world.truth(Point("L12", Quantity.ACTIVE_POWER_W)))
            assert towards_source_w / MW <= 3.0 + LIMIT_MW
            assert stage.power_mw("A") > 0.1, "it binds, but does not shut A off"

    play(scene)


def test_after_kill_9_the_limit_is_asserted_again_before_anything_else(tmp_path: Path) -> None:
    async def scene() -> None:
        async with Stage(zone_file(), tmp_path) as stage:
            await stage.open_gateway()
            start_s = await stage.next_interval()
            await stage.dispatch("A", 2.0, start_s)
            await stage.pass_time(100)
            before = stage.loop.book.controls["A"].instruction
            await stage.kill_gateway()
            await stage.pass_time(20)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW), "the device holds it by itself"

            begun_s = stage.now()
            await stage.open_gateway()
            await stage.until(lambda: bool(entries_since(stage, begun_s)), within_s=10)
            first = entries_since(stage, begun_s)[0]
            assert (first.kind, first.key) == ("issued", before.control_id)
            again = stage.loop.book.controls["A"].instruction
            assert (again.version, again.limit) == (before.version, before.limit)
            assert stage.ceiling_mw("A") == pytest.approx(1.20, abs=LIMIT_MW)

    play(scene)
