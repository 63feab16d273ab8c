"""Assets that would not withstand a short circuit, and who may not connect for them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from grid_engine.cycle import answer
from grid_engine.flow.nodal import build
from grid_engine.results import NetworkState, Participant, Policy, Preexisting, Purpose, Rating, Reason, Study
from grid_engine.studies.fault_level import by_kind, currents
from tests.grid_engine.studies import NETWORK, ask, bounds_mw, der

B6 = NETWORK.buses.ids.index("B6")
STANDING = float(by_kind(currents(build(NETWORK, NetworkState())))[B6].max())
"""Amperes at B6 from the system above alone."""
RATED_A = {"C": 2e6 / 3 / (13.8e3 / np.sqrt(3)), "D": 1.5e6 / 3 / (13.8e3 / np.sqrt(3))}


def machine(name: str, held_mw: float, wanted_mw: float, **more: Any) -> Participant:
    """With five times its rated current in a short circuit."""
    return der(name, held_mw, wanted_mw, fault_current_pu=5.0, **more)


def breaker(limit_a: float) -> dict[str, Rating]:
    return {"B6": Rating(short_circuit_a=limit_a)}


def test_asset_that_does_not_withstand_is_told_and_nobody_who_runs_is_limited() -> None:
    result = ask(machine("C", 1, 1), ratings=breaker(0.9 * STANDING))
    (violation,) = result.violations
    assert (violation.asset_id, violation.reason, violation.unit) == ("B6", Reason.FAULT_LEVEL, "A")
    assert violation.value == pytest.approx(STANDING + 5 * RATED_A["C"], rel=1e-3)
    assert violation.limit == pytest.approx(0.9 * STANDING)
    assert result.envelopes == ()


def test_newcomer_that_would_be_too_much_may_not_connect() -> None:
    room = breaker(STANDING + 4 * RATED_A["C"])
    result = ask(machine("C", 0, 1), der("A", 0, 1), ratings=room)
    assert bounds_mw(result) == {"C": (0, 0)}
    why = result.envelopes[0].binding
    assert why is not None
    assert (why.asset_id, why.reason, why.unit) == ("B6", Reason.FAULT_LEVEL, "A")
    assert why.value_before > why.limit >= why.value_after
    assert why.value_after == pytest.approx(STANDING, rel=1e-6)
    assert ask(machine("C", 0, 1), ratings=breaker(STANDING + 6 * RATED_A["C"])).envelopes == ()
    assert ask(machine("C", 0, 1), ratings=room, preexisting=Preexisting.IGNORE).envelopes == ()


def test_later_connection_stays_out_first() -> None:
    members = (machine("C", 0, 1, connected_on="2018-01-01"), machine("D", 0, 1, connected_on="2022-01-01"))
    room = breaker(STANDING + 5.2 * RATED_A["C"])
    assert bounds_mw(ask(*members, ratings=room, policy=Policy.LIFO)) == {"D": (0, 0)}


def test_envelope_of_who_stands_still_is_nothing() -> None:
    room = breaker(STANDING + 4 * RATED_A["C"])
    found = bounds_mw(ask(machine("C", 0, 0), machine("A", 0, 0), purpose=Purpose.ENVELOPE, ratings=room))
    assert found["C"] == (0, 0)
    running = bounds_mw(ask(machine("C", 1, 1), purpose=Purpose.ENVELOPE, ratings=room))
    assert running["C"][1] == 2


def test_withstand_current_of_a_branch_is_that_of_its_ends() -> None:
    n = NETWORK.lines.ids.index("L22")
    withstand = NETWORK.lines.ratings.withstand_a.copy()
    withstand[n] = 0.9 * STANDING
    ratings = replace(NETWORK.lines.ratings, withstand_a=withstand)
    network = replace(NETWORK, lines=replace(NETWORK.lines, ratings=ratings))

    found = answer(network, Study("s", Purpose.IMPACT, 1, (der("A", 0),), margin_pct=0.0)).violations
    assert [(v.asset_id, v.reason) for v in found] == [("L22", Reason.FAULT_LEVEL)]
    b5 = float(by_kind(currents(build(network, NetworkState())))[NETWORK.buses.ids.index("B5")].max())
    assert found[0].value == pytest.approx(max(b5, STANDING))


def test_closed_tie_raises_the_fault_level() -> None:
    room = breaker(1.02 * STANDING)
    assert ask(der("A", 0), ratings=room).violations == ()
    (found,) = (v for v in ask(der("A", 0), ratings=room, contingencies=("SWT",)).violations if v.asset_id == "B6")
    assert (found.reason, found.case) == (Reason.N1, "SWT")
