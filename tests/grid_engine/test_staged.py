"""A study whose network changes between its intervals is answered as one study per state would be."""

from dataclasses import replace

import pytest

from grid_engine.joint import answer as joint
from grid_engine.results import NetworkState, Purpose, Status, Study
from tests.grid_engine.studies import NETWORK, ask, der

TIE = NetworkState(switches_closed={"SW12": False, "SWT": True})


def ceilings_mw(found) -> list[float]:
    return [round(e.ceiling_w / 1e6, 6) for e in found.envelopes if e.resource == "A"]


def test_s42_envelopes_change_for_exactly_the_intervals_of_planned_work():
    normal = NetworkState()
    found = ask(
        der("A", [0] * 4),
        der("B", [4] * 4, adjustable=False),
        purpose=Purpose.ENVELOPE,
        states=(normal, TIE, TIE, normal),
    )
    assert ceilings_mw(found) == [1.20, 2.50, 2.50, 1.20]


def test_an_impact_is_told_in_the_interval_in_which_the_network_is_worse():
    found = ask(der("A", [0] * 3, 2), der("B", [4] * 3), states=(TIE, NetworkState(), TIE))
    assert [(v.asset_id, v.interval) for v in found.violations] == [("L12", 1)]


def test_joint_envelopes_follow_the_state_of_each_interval():
    study = Study(
        "s",
        Purpose.JOINT,
        2,
        (der("A", [0, 0]), der("B", [4, 4], adjustable=False)),
        margin_pct=0.0,
        states=(NetworkState(), TIE),
        proof_runs=5,
    )
    outside, inside = ceilings_mw(joint(NETWORK, study))
    assert outside == pytest.approx(1.20, abs=0.01)
    assert inside == 2.50


def test_states_that_do_not_fit_are_bad_input():
    found = ask(der("A", [0, 0]), states=(TIE,))
    assert (found.status, found.detail) == (Status.BAD_INPUT, "states has 1 entries for 2 intervals")
    found = ask(der("A", [0, 0]), states=(TIE, NetworkState(switches_closed={"SW99": True})))
    assert (found.status, found.detail) == (Status.BAD_INPUT, "switch SW99: not in the network")
    study = Study("s", Purpose.JOINT, 1, (der("A", 0),))
    assert joint(NETWORK, replace(study, states=(TIE, TIE))).status is Status.BAD_INPUT
