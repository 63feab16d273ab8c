"""Network optimisation on R1; the numbers are the specification's, or come from enumeration in pandapower."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from grid_engine.dispatch.operation_words import (
    Act,
    CapacitorSwitch,
    Controls,
    Duty,
    Objective,
    Plan,
    RemoteSwitch,
    TapChanger,
    Verdict,
    Weights,
)
from grid_engine.dispatch.reconfigure import reconfigure
from grid_engine.importers.pandapower import convert
from grid_engine.model import Network
from grid_engine.results import Participant, Purpose, Rating
from tests.grid_engine import r1
from tests.grid_engine.markets import study
from tests.grid_engine.r1 import Oracle
from tests.grid_engine.studies import NETWORK, ask, bounds_mw, der

LTC, C1 = TapChanger("LTC", ("T1", "T2")), CapacitorSwitch("C1")
SWITCHES = (RemoteSwitch("SW12"), RemoteSwitch("SWT"))
LOCKED = Duty(10.0, locked=True)
ALL = Controls((LTC,), (C1,), SWITCHES)


def plan(
    *members: Participant,
    controls: Controls = ALL,
    objective: Objective = Objective.CURTAILMENT_MIN,
    weights: Weights | None = None,
    network: Network = NETWORK,
    **more: Any,
) -> Plan:
    return reconfigure(network, study(*members, **more), controls, weights or Weights(), objective)


def commands(result: Plan) -> list[tuple[Act, str]]:
    return [(operation.act, operation.device) for operation in result.operations]


DISPATCHED = (der("A", 0, 2), der("B", 4))


def test_feeder_is_switched_over_make_before_break() -> None:
    result = plan(*DISPATCHED)
    assert result.verdict is Verdict.HOLDS
    assert commands(result) == [(Act.CLOSE, "SWT"), (Act.OPEN, "SW12")]
    best = result.options[0]
    assert best.operation_cost == 20.0
    assert best.verification.curtailments == ()
    oracle = Oracle().solve({"A": 2.0, "B": 4.0}, closed={"SW12": False, "SWT": True})
    assert oracle.amperes("L12") < 0.01 * 154.2
    assert 100 * oracle.amperes("LT") / 400 == pytest.approx(47.8, abs=0.05)
    assert best.verification.losses_w[0] / 1e6 == pytest.approx(0.141, abs=5e-4)
    assert result.untouched is not None
    assert [c.allowed_w for c in result.untouched.verification.curtailments] == [1.2e6]


def test_one_step_of_the_tap_is_cheaper_than_curtailing_or_switching() -> None:
    result = plan(der("B", 5), taps=-3)
    (operation,) = result.operations
    assert (operation.act, operation.device, operation.position, operation.steps) == (Act.TAP, "LTC", -2, 1)
    assert result.verdict is Verdict.HOLDS
    state = result.options[0].state
    assert state.taps == {"T1": -2, "T2": -2}
    assert Oracle().solve({"B": 5.0}, taps=dict(state.taps)).voltage("B4") == pytest.approx(1.043, abs=5e-4)
    assert bounds_mw(ask(der("B", 5), purpose=Purpose.ENVELOPE, state=state))["B"][1] == 5.31


def test_with_everything_in_local_control_the_rest_is_curtailed() -> None:
    locked = Controls(
        (replace(LTC, duty=LOCKED),), (replace(C1, duty=LOCKED),), tuple(replace(s, duty=LOCKED) for s in SWITCHES)
    )
    result = plan(*DISPATCHED, controls=locked)
    assert (result.operations, result.candidates) == ((), 1)
    assert [(c.resource, c.allowed_w) for c in result.options[0].verification.curtailments] == [("A", 1.2e6)]
    assert result.options[0].verification.limits[0].binding is not None
    assert result.options[0].verification.limits[0].binding.asset_id == "L12"


def test_tap_helps_most_where_the_tie_is_locked() -> None:
    controls = replace(ALL, switches=(SWITCHES[0], RemoteSwitch("SWT", LOCKED)))
    result = plan(*DISPATCHED, controls=controls)
    assert commands(result) == [(Act.TAP, "LTC")]
    assert result.operations[0].position == -2
    found = {
        tuple(o.device for o in option.operations) + tuple(o.position for o in option.operations): [
            c.allowed_w / 1e6 for c in option.verification.curtailments
        ]
        for option in result.options
    }
    assert found == {("LTC", -2): [1.3], ("C1", None): [1.29], ("LTC", -1): [1.25]}


def test_state_that_breaks_a_voltage_is_no_way_out() -> None:
    controls = Controls((), (C1,), ())
    result = plan(*DISPATCHED, controls=controls, taps=-1)
    oracle = Oracle().solve({"A": 1.25, "B": 4.0}, taps={"T1": -1, "T2": -1}, in_service={"C1": True})
    assert oracle.voltage("B4") > 1.05
    assert result.operations == ()


def test_devices_rest_as_long_as_they_must_and_not_too_often() -> None:
    tired = replace(LTC, duty=Duty(1.0, min_dwell_s=300.0, since_last_op_s=120.0))
    assert plan(der("B", 5), taps=-3, controls=Controls((tired,), (), ())).operations == ()
    nearly = replace(LTC, duty=Duty(1.0, max_ops_per_hour=4, ops_last_hour=3))
    result = plan(*DISPATCHED, controls=Controls((nearly,), (), ()))
    assert [operation.steps for operation in result.operations] == [1]
    assert result.candidates == 3
    assert Duty(1.0, max_ops_per_hour=4, ops_last_hour=4).ops_left == 0


def test_what_must_survive_a_loss_limits_the_choice() -> None:
    ratings = {"LT": Rating(emergency_a=100.0)}
    assert (Act.CLOSE, "SWT") in commands(plan(*DISPATCHED, ratings=ratings))
    secure = plan(*DISPATCHED, ratings=ratings, contingencies=("L31",))
    oracle = Oracle().solve({"A": 2.0, "B": 4.0}, closed={"SW12": False, "SWT": True}, in_service={"L31": False})
    assert oracle.amperes("LT") > 100.0
    assert commands(secure) == [(Act.TAP, "LTC")]


@dataclass(frozen=True)
class State:
    """What pandapower says of one state of the network."""

    tap: int
    cap: bool
    switched: bool
    holds: bool
    losses_mw: float
    draw_mw: float

    @property
    def operation_cost(self) -> float:
        return abs(self.tap + 3) * 1.0 + self.cap * 3.0 + self.switched * 20.0


def following() -> Any:
    """R1 with loads that are constant impedances where no DER stands."""
    net = r1.build()
    there = net.load.name.isin(["LD_B2", "LD_B5", "LD_B6", "LD_B7"])
    net.load.loc[there, ["const_z_p_percent", "const_z_q_percent"]] = 100.0
    return net


def states(der_mw: dict[str, float]) -> Iterator[State]:
    oracle = Oracle(following())
    for tap in range(-5, 0):
        for cap in (False, True):
            for switched in (False, True):
                oracle.solve(
                    der_mw,
                    taps={"T1": tap, "T2": tap},
                    in_service={"C1": cap},
                    closed={"SW12": not switched, "SWT": switched},
                )
                net = oracle.net
                losses = float(net.res_line.pl_mw.sum() + net.res_trafo.pl_mw.sum())
                yield State(tap, cap, switched, oracle.holds(), losses, float(net.res_ext_grid.p_mw.sum()))


def test_every_objective_has_its_own_best_state() -> None:
    network = convert(following(), "following")
    members = (der("A", 0), der("B", 4, 5))
    all_states = list(states({"B": 5.0}))
    held = [state for state in all_states if state.holds]
    best = {
        Objective.CONSTRAINT_MIN: min(held, key=lambda s: s.operation_cost),
        Objective.LOSS_MIN: min(held, key=lambda s: s.losses_mw),
        Objective.VOLTAGE_CONSERVATION: min(held, key=lambda s: s.draw_mw),
        # Where curtailing costs next to nothing, nothing is worth an operation.
        Objective.CURTAILMENT_MIN: next(s for s in all_states if s.operation_cost == 0),
    }
    assert len(set(best.values())) == 4
    for objective, expected in best.items():
        weights = Weights(curtailment_per_mwh=1.0) if objective is Objective.CURTAILMENT_MIN else None
        result = plan(*members, taps=-3, objective=objective, weights=weights, network=network)
        state = result.options[0].state
        found = (
            state.taps["T1"],
            state.in_service.get("C1", False),
            state.switches_closed.get("SWT", False),
        )
        assert found == (expected.tap, expected.cap, expected.switched), objective
        if objective is not Objective.CURTAILMENT_MIN:
            assert result.options[0].verification.losses_w[0] / 1e6 == pytest.approx(expected.losses_mw, abs=1e-5)
            assert result.options[0].verification.draw_w[0] / 1e6 == pytest.approx(expected.draw_mw, abs=1e-5)


def test_loads_that_follow_voltage_are_drawn_less_by_a_lower_one() -> None:
    network = convert(following(), "following")
    result = plan(
        der("B", 3), controls=Controls((LTC,), (), ()), objective=Objective.VOLTAGE_CONSERVATION, network=network
    )
    assert result.operations[0].position == 1
    assert result.untouched is not None
    saved = result.untouched.verification.draw_w[0] - result.options[0].verification.draw_w[0]
    oracle = Oracle(following())
    draws = [oracle.solve({"B": 3.0}, taps={"T1": t, "T2": t}).net.res_ext_grid.p_mw.sum() for t in (0, 1)]
    assert saved / 1e6 == pytest.approx(draws[0] - draws[1], abs=1e-5)
    assert saved / 1e6 > 0.15


def test_search_that_may_not_look_at_everything_says_so() -> None:
    result = reconfigure(NETWORK, study(*DISPATCHED), ALL, Weights(), Objective.LOSS_MIN, most=4)
    assert (result.candidates, result.looked_at, result.complete) == (20, 4, False)
    assert plan(*DISPATCHED, objective=Objective.LOSS_MIN).complete


def test_search_for_least_cost_leaves_out_what_cannot_win() -> None:
    result = plan(der("B", 5), taps=-3)
    assert result.complete
    assert result.looked_at <= 3


@pytest.mark.parametrize(
    ("controls", "what"),
    [
        (Controls((TapChanger("LTC", ("T9",)),), (), ()), "transformer T9: not in the network"),
        (Controls((TapChanger("LTC", ()),), (), ()), "control LTC: of no transformer"),
        (Controls((), (CapacitorSwitch("C9"),), ()), "capacitor C9: not in the network"),
        (Controls((), (), (RemoteSwitch("SW12"), RemoteSwitch("SW12"))), "switch SW12: given twice"),
        (Controls((), (CapacitorSwitch("C1", Duty(-1.0)),), ()), "negative cost"),
    ],
)
def test_impossible_controls_are_refused_with_the_reason(controls: Controls, what: str) -> None:
    result = plan(*DISPATCHED, controls=controls)
    assert result.verdict is Verdict.BAD_INPUT
    assert what in result.detail
