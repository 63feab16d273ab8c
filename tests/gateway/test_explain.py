from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console

from gateway.commands._explanation import show
from gateway.coordination.events import Answered, Decided, IntervalClosed, Issued, Received, Sent
from gateway.coordination.operation_messages import EmergencyControl, EmergencyDeclare
from gateway.explain import AS_JSON, UnknownControlError, explain
from gateway.historian import Historian, TelemetryReader
from gateway.record import Acted
from gateway.settlement.curtailment import Curtailment, Source
from protocols.points import Point, Quantity
from protocols.signals import Ack, Measurement, Outcome, Quality
from tests.gateway import story


@pytest.fixture
async def journal(tmp_path):
    journal = await story.told_to(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


async def test_a_control_is_explained_from_its_dispatch_to_its_effect(journal):
    found = explain(journal, "A-c1")
    assert found.instruction == story.CONTROL
    assert found.limit == story.LIMIT
    assert found.decided == story.DECIDED
    assert found.dispatches == (story.DISPATCH.body,)
    assert (found.outcome, found.replaced_by) == (Outcome.VERIFIED, "A-c2")
    assert found.lease_end_s == story.T + 1386


async def test_its_timeline_holds_all_that_concerns_it_in_order(journal):
    kept = [one for one in story.FACTS if not isinstance(one, Decided)][:-2]
    assert list(explain(journal, "A-c1").timeline) == kept


async def test_what_concerns_others_is_left_out(journal):
    other = story.message("IESO", "DSO", "d7", story.DISPATCH.body.__class__("d7", 1, "B", 1e6, story.T, story.T + 300))
    await journal.append([story.record.entry(Received(other, story.T + 1))])
    found = explain(journal, "A-c1")
    assert Received(other, story.T + 1) not in found.timeline
    assert other.body in found.dispatches, "but it is an input of the decision"


async def test_shares_say_who_was_left_what(journal):
    a, b = explain(journal, "A-c1").shares
    assert (a.resource, a.measured_w, a.requested_w, a.ceiling_w, a.binding) == ("A", 0.0, 2e6, 1.2e6, story.BINDING)
    assert (b.resource, b.measured_w, b.ceiling_w, b.adjustable) == ("B", 3.98e6, None, False)


async def test_a_release_is_explained_by_the_limit_that_ended(journal):
    found = explain(journal, "A-c2")
    assert found.limit == story.LIMIT
    assert (found.outcome, found.lease_end_s, found.replaced_by) == (Outcome.WRITTEN, None, "")
    assert any(isinstance(one, Sent) and one.message.code == "LIMIT.Clear" for one in found.timeline)


async def test_a_control_that_nobody_answered_has_no_outcome(tmp_path):
    bare = [one for one in story.FACTS if isinstance(one, Issued)][:1]
    journal = await story.told_to(tmp_path / "bare.sqlite", bare)
    found = explain(journal, "A-c1")
    assert (found.outcome, found.decided, found.limit, found.shares) == (None, None, None, ())
    journal.close()


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([Outcome.WRITTEN, Outcome.VERIFIED, Outcome.WRITTEN], Outcome.VERIFIED),
        ([Outcome.VERIFIED, Outcome.UNVERIFIED], Outcome.UNVERIFIED),
        ([Outcome.VERIFIED, Outcome.UNKNOWN], Outcome.UNKNOWN),
        ([Outcome.VERIFIED, Outcome.EXPIRED], Outcome.EXPIRED),
    ],
)
async def test_a_refresh_does_not_undo_a_verdict(tmp_path, outcomes, expected):
    acks = [Answered(Ack("A-c1", "A", 1, one, story.T + 40 + k)) for k, one in enumerate(outcomes)]
    issued = [one for one in story.FACTS if isinstance(one, Issued)][:1]
    journal = await story.told_to(tmp_path / "acks.sqlite", [*issued, *acks])
    assert explain(journal, "A-c1").outcome is expected
    journal.close()


async def test_an_unknown_control_is_met_with_the_nearest(journal):
    with pytest.raises(UnknownControlError, match=r"no control 'A-c12' in .*; nearest: A-c1, A-c2"):
        explain(journal, "A-c12")
    with pytest.raises(UnknownControlError, match="the latest are A-c1"):
        explain(journal, "qqqqqqqqq")


async def test_the_limit_behind_a_control_leads_to_it(journal):
    assert explain(journal, story.LIMIT.limit_id) == explain(journal, "A-c1")


async def test_an_emergency_names_its_controls_and_each_tells_what_its_owner_was_told(tmp_path):
    bodies = {
        "A": EmergencyControl("e1", "A", 0.0, -2.5e6, story.T),
        "B": EmergencyControl("e1", "B", 0.0, 0.0, story.T),
    }
    facts = [Acted(story.T, "ada", "declares an emergency of level 2 in zone", "e1", "line down")]
    for name, body in bodies.items():
        for said in (EmergencyDeclare("e1", 2, "zone", story.T), body):
            told = story.message("DSO", f"AGENT_{name}", "e1", said)
            facts.append(Sent(told, story.T))
        control = replace(story.CONTROL, control_id=f"{name}-c9", resource=name, urgent=True)
        facts.append(Issued(control, story.T, "", "e1"))
    journal = await story.told_to(tmp_path / "emergency.sqlite", facts)
    with pytest.raises(UnknownControlError, match="e1 is behind A-c9, B-c9; ask for one of them"):
        explain(journal, "e1")
    found = explain(journal, "B-c9").timeline
    assert [type(one).__name__ for one in found] == ["Acted", "Sent", "Sent", "Issued"]
    assert {one.message.header.recipient for one in found if isinstance(one, Sent)} == {"AGENT_B"}
    journal.close()


async def test_what_its_limits_took_comes_from_the_records_of_the_intervals(journal):
    def taken(resource, limit_id):
        span = (story.T, story.T + 300)
        return Curtailment(resource, limit_id, "L12", *span, 2e6, 1.2e6, 66_667.0, Source.DISPATCH)

    mine = taken("A", story.LIMIT.limit_id)
    took = (mine, taken("A", "another"), taken("B", story.LIMIT.limit_id))
    closed = IntervalClosed(story.T, story.T + 300, 5, 5, {"A": 1.2e6}, took)
    await journal.append([story.record.entry(closed)])
    found = explain(journal, "A-c1")
    assert found.curtailed == (mine,)
    page = Console(width=150, file=StringIO())
    show(found, page)
    assert "What its limits took  0.0667 MWh in all" in page.file.getvalue()


async def test_an_empty_journal_says_so(tmp_path):
    journal = await story.told_to(tmp_path / "empty.sqlite", [])
    with pytest.raises(UnknownControlError, match="it holds no control at all"):
        explain(journal, "A-c1")
    journal.close()


async def test_an_explanation_survives_json(journal):
    found = explain(journal, "A-c1")
    assert AS_JSON.from_json(AS_JSON.to_json(found)) == found


def measured(point: Point, pairs) -> list[Measurement]:
    return [Measurement(point, value, Quality.GOOD, at_s, at_s) for at_s, value in pairs]


@pytest.fixture
async def telemetry(tmp_path):
    power, current = Point("A", Quantity.ACTIVE_POWER_W), Point("L12", Quantity.CURRENT_A)
    async with Historian.open(tmp_path / "telemetry.sqlite") as historian:
        historian.offer(measured(power, ((story.T + k, min(8e3 * k, 1.2e6)) for k in range(0, 900, 2))))
        historian.offer(measured(current, [(story.T + 30, 110.0), (story.T + 60, 154.2), (story.T + 61, 120.0)]))
        historian.offer([Measurement(current, 0.0, Quality.BAD, story.T + 62, story.T + 62)])
    reader = TelemetryReader.open(tmp_path / "telemetry.sqlite")
    yield reader
    reader.close()


async def test_what_was_measured_belongs_to_it_until_the_next_control(journal, telemetry):
    power, current = explain(journal, "A-c1", telemetry).tracks
    assert (power.point, power.unit, power.ceiling) == ("A.active_power_w", "W", 1.2e6)
    assert power.samples[0] == (story.T + 26, 208_000.0)
    assert power.samples[-1] == (story.T + 700, 1.2e6)
    assert len(power.samples) <= 200
    assert (current.point, current.unit, current.ceiling) == ("L12.current_a", "A", 154.2)
    assert [value for _, value in current.samples] == [110.0, 154.2, 120.0]


async def test_thinning_never_hides_the_highest(tmp_path, journal):
    point = Point("A", Quantity.ACTIVE_POWER_W)
    pairs = [(story.T + 36 + k / 10, 1.9e6 if k == 3333 else 1e6) for k in range(6000)]
    async with Historian.open(tmp_path / "telemetry.sqlite") as historian:
        historian.offer(measured(point, pairs))
    reader = TelemetryReader.open(tmp_path / "telemetry.sqlite")
    (power,) = explain(journal, "A-c1", reader).tracks
    reader.close()
    assert max(value for _, value in power.samples) == 1.9e6
    assert len(power.samples) <= 200
