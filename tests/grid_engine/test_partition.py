"""A zone of two copies of R1 as feeders: each half is asked in its own words, and the whole answers as one."""

from dataclasses import replace

import pytest

from grid_engine.cycle import answer
from grid_engine.partition import merge, split, strangers
from grid_engine.results import Answer, Contingency, Envelope, NetworkState, Purpose, Rating, Reason, Status, Study
from tests.grid_engine.studies import NETWORK, der

MEMBERS = tuple(
    replace(member, resource=f"{feeder}{member.resource}", bus=f"{feeder}:{member.bus}")
    for feeder, a_mw in (("F1", 2.0), ("F2", 1.0))
    for member in (der("A", 0, a_mw), der("B", 4))
)
ZONE = Study("z", Purpose.IMPACT, 1, MEMBERS, margin_pct=0.0)


def test_each_feeder_gets_its_own_participants_and_ids_and_nothing_else():
    study = replace(
        ZONE,
        ratings={"F1:L12": Rating(ampacity_a=120.0)},
        load_w={"F2:LD_B2": (1e6,)},
        unit_w={"F1:ROOF": (2e3,)},
        contingencies=("F1:T2",),
        state=NetworkState(1.01, {"F1:T1": -3}, {"F2:SWT": True}, {"F1:C1": True}),
    )
    parts = split(study, ("F1", "F2", "F3"))
    assert [p.bus for p in parts["F1"].participants] == ["B3", "B4"]
    assert (parts["F1"].ratings, parts["F2"].ratings) == ({"L12": Rating(ampacity_a=120.0)}, {})
    assert (parts["F1"].contingencies, parts["F2"].contingencies) == (("T2",), ())
    assert parts["F2"].load_w == {"LD_B2": (1e6,)}
    assert (parts["F1"].unit_w, parts["F2"].unit_w) == ({"ROOF": (2e3,)}, {})
    assert parts["F1"].state == NetworkState(1.01, {"T1": -3}, {}, {"C1": True})
    assert parts["F3"].participants == ()


def test_a_contingency_goes_to_the_feeders_that_it_touches():
    cases = (
        Contingency("F1:tie", NetworkState(switches_closed={"F1:SWT": True})),
        Contingency("low voltage", NetworkState(source_voltage_pu=0.97)),
    )
    parts = split(replace(ZONE, contingencies=cases), ("F1", "F2"))
    low = Contingency("low voltage", NetworkState(source_voltage_pu=0.97))
    assert parts["F1"].contingencies == (Contingency("tie", NetworkState(switches_closed={"SWT": True})), low)
    assert parts["F2"].contingencies == (low,)
    stray = Contingency("x", NetworkState(taps={"F9:T1": 3}))
    assert strangers(replace(ZONE, contingencies=(stray,)), ("F1", "F2")) == ("F9:T1",)


def test_ids_of_no_feeder_are_named():
    assert strangers(replace(ZONE, ratings={"L12": Rating()}, contingencies=("F9:T1",)), ("F1", "F2")) == (
        "F9:T1",
        "L12",
    )
    assert strangers(ZONE, ("F1", "F2")) == ()


def test_the_whole_says_what_the_halves_say_in_the_ids_of_the_zone():
    answers = {feeder: answer(NETWORK, part) for feeder, part in split(ZONE, ("F1", "F2")).items()}
    whole = merge(ZONE, answers, "zone-1")
    assert (whole.status, whole.model_version, whole.unanswered) == (Status.SOLVED, "zone-1", ())
    assert {(v.asset_id, v.reason) for v in whole.violations} == {("F1:L12", Reason.THERMAL)}
    (one,) = whole.envelopes
    assert (one.resource, one.binding.asset_id) == ("F1A", "F1:L12")
    assert one.ceiling_w == pytest.approx(1.20e6, abs=1e4)
    assert {f.asset_id for f in whole.flows} >= {"F1:L12", "F2:L12", "F2:B4"}


def test_a_feeder_that_failed_leaves_the_others_their_answer_and_names_its_resources():
    spare = (Envelope("F2A", 0, -1.0, 1.0),)
    answers = {
        "F1": Answer("z", Status.SOLVED, "v"),
        "F2": Answer("z", Status.NOT_CONVERGED, "v", detail="worst at bus B4", spare=spare),
    }
    whole = merge(ZONE, answers, "zone-1")
    assert (whole.status, whole.unanswered, whole.spare) == (Status.SOLVED, ("F2A", "F2B"), spare)
    assert whole.detail == "F2: worst at bus B4"


def test_where_every_feeder_failed_the_zone_failed():
    failed = Answer("z", Status.NOT_CONVERGED, "v")
    whole = merge(ZONE, {"F1": failed, "F2": failed}, "zone-1")
    assert (whole.status, whole.unanswered) == (Status.NOT_CONVERGED, ())
