"""Dual participation on reference zone R1, in virtual time; numbers are those of the zone's specification."""

from pathlib import Path

import pytest

from gateway.coordination.messages import AckCommit, AckStatus, CapabilityNotice, LimitAck, LimitIssue
from grid_engine.results import Reason
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
