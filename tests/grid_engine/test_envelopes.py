"""Envelopes on reference zone R1 and on European LV; expected values from pandapower, IPOPT and the specification."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from grid_engine import cycle
from grid_engine.envelopes.budget import Budget
from grid_engine.envelopes.study import answer
from grid_engine.envelopes.words import Direction, Ended, EnvelopeAnswer, EnvelopeStudy, Mode, Sharing
from grid_engine.exporters.opendss import translate
from grid_engine.results import NetworkState, Participant, Preexisting, Purpose, Rating, Reason, Status, Study
from grid_engine.studies.problem import pose
from tests.grid_engine.der_feeders import DER_W, european_lv, ieee_8500, oracle_grid, oracle_start
from tests.grid_engine.opendss import solved
from tests.grid_engine.oracle_nlp import most_power
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import NETWORK, der

DETERMINISTIC = {"utilisation": 1.0, "mixed": False}


def ask(study: Study, budget: Budget | None = None, **more: object) -> EnvelopeAnswer:
    more.setdefault("proof_runs", 200)
    return answer(NETWORK, EnvelopeStudy(study, **more), np.random.default_rng(1), budget or Budget())


def r1(*members: Participant, **more: object) -> Study:
    """Participants as they are, margin 0, kilowatts."""
    more.setdefault("margin_pct", 0.0)
    more.setdefault("limit_step_w", 1e3)
    return Study("r1", Purpose.ENVELOPE, 1, members, **more)


def able(name: str, floor_mw: float, ceiling_mw: float, **more: object) -> Participant:
    return replace(der(name, 0.0), floor_w=floor_mw * 1e6, ceiling_w=ceiling_mw * 1e6, **more)


def ceilings_mw(found: EnvelopeAnswer) -> dict[str, float]:
    return {envelope.resource: envelope.ceiling_w / 1e6 for envelope in found.envelopes}


A_AND_B = (able("A", 0, 2, connected_on="2021-01-01"), able("B", 0, 4, connected_on="2018-01-01"))
"""The pair of the specification's D.3 on line L12."""


@pytest.mark.parametrize("utilisation", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    ("sharing", "a_mw", "b_mw"),
    [
        (Sharing.PRO_RATA, 1.732, 3.464),
        (Sharing.EQUAL, 1.732, 3.464),
        (Sharing.LIFO, 1.200, 4.000),
        (Sharing.ROTATIONAL, 1.600, 3.600),
    ],
)
def test_line_is_shared_as_the_specification_says(
    sharing: Sharing, a_mw: float, b_mw: float, utilisation: float
) -> None:
    found = ask(r1(*A_AND_B), sharing=sharing, direction=Direction.EXPORT, utilisation=utilisation)
    assert found.status is Status.SOLVED
    assert ceilings_mw(found) == pytest.approx({"A": a_mw, "B": b_mw}, abs=0.01)
    assert all(proof.holds for proof in found.proofs)
    for envelope in found.envelopes:
        assert envelope.floor_w == 0
        assert envelope.ceiling_binding == envelope.binding
        if envelope.binding is not None:
            assert (envelope.binding.asset_id, envelope.binding.reason) == ("L12", Reason.THERMAL)


def test_max_min_gives_an_equal_cap_and_what_is_left_to_who_can_still_use_it() -> None:
    found = ask(r1(*A_AND_B), sharing=Sharing.MAX_MIN, direction=Direction.EXPORT)
    oracle = Oracle()
    b_mw = bisect(lambda p: oracle.solve({"A": 2.0, "B": p}).holds(), 0.0, 4.0, 12)
    assert ceilings_mw(found) == pytest.approx({"A": 2.0, "B": b_mw}, abs=0.01)


def test_maximum_is_not_below_what_pandapower_finds_for_any_split() -> None:
    found = ask(r1(*A_AND_B), sharing=Sharing.MAXIMUM, direction=Direction.EXPORT, **DETERMINISTIC)
    oracle = Oracle()
    splits = [a + bisect(lambda p, a=a: oracle.solve({"A": a, "B": p}).holds(), 0.0, 4.0, 12) for a in (0.0, 1.0, 2.0)]
    assert found.outcomes[0].export_w / 1e6 == pytest.approx(max(splits), abs=0.01)


def test_equal_share_agrees_with_bisection_of_pandapower_in_both_directions() -> None:
    members = [able(name, -1, 2) for name in "ABC"]
    found = ask(
        r1(*members, load_scale=(1.2,), state=NetworkState(taps={"T1": -3, "T2": -3})),
        sharing=Sharing.EQUAL,
        **DETERMINISTIC,
    )
    oracle = Oracle()
    taps = {"T1": -3, "T2": -3}

    def share(full_mw: float) -> float:
        return bisect(
            lambda k: oracle.solve(dict.fromkeys("ABC", full_mw * k), scale=1.2, taps=taps).holds(), 0.0, 1.0, 12
        )

    for envelope in found.envelopes:
        assert envelope.ceiling_w / 2e6 == pytest.approx(share(2.0), abs=2e-3)
        assert envelope.floor_w / -1e6 == pytest.approx(share(-1.0), abs=2e-3)


def test_shadow_price_is_what_a_little_more_rating_gives() -> None:
    study = r1(*A_AND_B, limit_step_w=10.0)
    question = {"sharing": Sharing.MAXIMUM, "direction": Direction.EXPORT, **DETERMINISTIC}
    before = ask(study, **question)
    binding = next(envelope.binding for envelope in before.envelopes if envelope.binding)
    more = ask(replace(study, ratings={"L12": Rating(ampacity_a=155.2)}), **question)
    gained_w = more.outcomes[0].export_w - before.outcomes[0].export_w
    assert binding.limit == pytest.approx(154.2)
    assert binding.value_after == pytest.approx(154.2, rel=1e-3)
    assert binding.shadow_price == pytest.approx(gained_w, rel=0.05)


@pytest.mark.parametrize(
    ("policy", "status", "ceiling_mw"),
    [
        (Preexisting.HARD, Status.INFEASIBLE, None),
        (Preexisting.DO_NOT_WORSEN, Status.SOLVED, 0.0),
        (Preexisting.IGNORE, Status.SOLVED, 2.0),
    ],
)
def test_violation_that_stands_is_named_and_dealt_with_as_asked(
    policy: Preexisting, status: Status, ceiling_mw: float | None
) -> None:
    given = replace(der("B", 4.9), adjustable=False)
    study = r1(able("A", 0, 2), given, ratings={"L12": Rating(ampacity_a=100.0)}, preexisting=policy)
    found = ask(study, direction=Direction.EXPORT)
    assert found.status is status
    assert [violation.asset_id for violation in found.outcomes[0].preexisting] == ["L12"]
    if ceiling_mw is None:
        assert not found.envelopes
        assert "L12" in found.detail
    else:
        assert ceilings_mw(found)["A"] == pytest.approx(ceiling_mw, abs=2e-3)


@pytest.mark.parametrize(("margin_pct", "a_mw"), [(0.0, 1.200), (2.0, 1.123), (10.0, 0.816)])
def test_margin_is_kept(margin_pct: float, a_mw: float) -> None:
    """The specification's D.1, step 5."""
    given = replace(der("B", 4.0), adjustable=False)
    found = ask(r1(able("A", 0, 2.5), given, margin_pct=margin_pct), direction=Direction.EXPORT)
    assert ceilings_mw(found)["A"] == pytest.approx(a_mw, abs=0.01)
    assert found.proofs[0].limit == pytest.approx(154.2)


def test_contingency_limits_where_the_network_as_it_is_does_not() -> None:
    members = [able(name, 0, 6) for name in "CDG"]
    study = r1(*members, load_scale=(0.2,), contingencies=("T2",))
    found = ask(study, sharing=Sharing.EQUAL, direction=Direction.EXPORT, **DETERMINISTIC)
    oracle = Oracle()
    state = {"scale": 0.2, "in_service": {"T2": False}}
    share = bisect(lambda k: oracle.solve(dict.fromkeys("CDG", 6 * k), **state).holds(), 0.0, 1.0, 12)
    assert share < bisect(lambda k: oracle.solve(dict.fromkeys("CDG", 6 * k), scale=0.2).holds(), 0.0, 1.0, 12)
    assert ceilings_mw(found)["C"] / 6 == pytest.approx(share, abs=2e-3)
    binding = found.envelopes[0].binding
    assert binding is not None
    assert (binding.reason, binding.case) == (Reason.N1, "T2")


@pytest.mark.parametrize("sharing", [Sharing.MAXIMUM, Sharing.PROPORTIONAL, Sharing.PRO_RATA])
def test_contingency_enters_the_optimum_as_a_cut(sharing: Sharing) -> None:
    members = [able(name, 0, 6) for name in "CDG"]
    found = ask(r1(*members, load_scale=(0.2,), contingencies=("T2",)), sharing=sharing, direction=Direction.EXPORT)
    assert found.proofs[0].holds
    assert {envelope.binding.case for envelope in found.envelopes if envelope.binding} == {"T2"}


def test_without_time_the_equal_share_is_given_with_its_proof() -> None:
    found = ask(r1(*A_AND_B), Budget(lambda: -1.0), sharing=Sharing.MAXIMUM, direction=Direction.EXPORT)
    assert found.outcomes[0].ended is Ended.DEADLINE
    assert found.proofs[0].holds
    shares = [ceilings_mw(found)["A"] / 2, ceilings_mw(found)["B"] / 4]
    assert shares[0] == pytest.approx(shares[1], abs=1e-3)
    assert 0.7 < shares[0] < 0.87


def test_who_meets_no_limit_has_all_and_no_binding() -> None:
    found = ask(r1(able("E", 0, 1)), direction=Direction.EXPORT)
    assert found.outcomes[0].ended is Ended.UNLIMITED
    assert ceilings_mw(found) == {"E": 1.0}
    assert found.envelopes[0].binding is None


@pytest.mark.parametrize("members", [(), (able("A", 0, 0),), (replace(der("B", 1.0), adjustable=False),)])
def test_who_cannot_move_leaves_nothing_to_find(members: tuple[Participant, ...]) -> None:
    found = ask(r1(*members))
    assert found.status is Status.SOLVED
    assert all(envelope.floor_w == envelope.ceiling_w == 0 for envelope in found.envelopes)
    assert found.outcomes[0].ended is Ended.UNLIMITED
    assert not found.proofs


def test_who_must_run_has_its_least_power_as_the_start() -> None:
    found = ask(r1(able("A", 0.5, 2.5), replace(der("B", 4.0), adjustable=False)))
    (envelope,) = found.envelopes
    assert envelope.floor_w == 0.5e6
    assert envelope.ceiling_w == pytest.approx(1.20e6, abs=0.01e6)


def test_intervals_follow_their_loads() -> None:
    member = replace(der("B", [0.0] * 3), floor_w=0.0, ceiling_w=6e6)
    found = ask(replace(r1(member), intervals=3, load_scale=(1.0, 0.2, 1.0)), direction=Direction.EXPORT)
    by_interval = [envelope.ceiling_w for envelope in found.envelopes]
    assert by_interval[0] == by_interval[2] != by_interval[1]
    assert [proof.interval for proof in found.proofs] == [0, 1, 2]


def test_who_has_no_supply_may_do_nothing() -> None:
    state = NetworkState(switches_closed={"SW12": False})
    found = ask(r1(able("A", -1, 1), able("E", 0, 1), state=state))
    assert [(e.floor_w, e.ceiling_w) for e in found.envelopes] == [(0.0, 0.0), (0.0, 1e6)]
    assert found.envelopes[0].binding is not None
    assert found.envelopes[0].binding.reason is Reason.OUTAGE
    assert "A" in found.unsupplied


def test_residual_mode_is_the_envelope_of_one_by_one() -> None:
    study = r1(replace(der("A", 0.0), floor_w=-2.5e6), der("B", 4.0))
    found = ask(study, mode=Mode.RESIDUAL)
    assert found.envelopes == cycle.answer(NETWORK, study).envelopes
    assert ceilings_mw(found)["A"] == pytest.approx(1.20, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"utilisation": 1.5}, "utilisation"),
        ({"gap": 0.0}, "gap"),
        ({"interval_s": float("nan")}, "interval"),
        ({"rounds": 0}, "rounds"),
        ({"study": r1(able("A", 0, 1, curtailed_wh=-1.0))}, "A: -1.0 Wh"),
        ({"study": r1(able("A", 2, 1))}, "A: floor"),
    ],
)
def test_bad_question_is_told(changes: dict, word: str) -> None:
    question = replace(EnvelopeStudy(r1(*A_AND_B)), **changes)
    found = answer(NETWORK, question, np.random.default_rng(1))
    assert found.status is Status.BAD_INPUT
    assert word in found.detail


def test_without_a_solution_the_bus_is_told() -> None:
    members = [replace(member, held_w=(0.0, 0.0), requested_w=(0.0, 0.0)) for member in A_AND_B]
    found = ask(replace(r1(*members), intervals=2, load_scale=(40.0, 1.0)))
    assert found.status is Status.NOT_CONVERGED
    assert "interval 0" in found.detail
    assert "bus B" in found.detail
    assert [outcome.ended for outcome in found.outcomes] == [Ended.FAILED, Ended.DONE]
    assert {envelope.interval for envelope in found.envelopes} == {1}


@cache
def lv(sharing: Sharing, direction: Direction, utilisation: float) -> EnvelopeAnswer:
    network, study = european_lv()
    question = EnvelopeStudy(study, sharing, direction=direction, utilisation=utilisation)
    return answer(network, question, np.random.default_rng(7))


@cache
def lv_optimum_w(direction: Direction) -> float:
    problem = pose(*european_lv())
    sign = 1.0 if direction is Direction.EXPORT else -1.0
    cap_w = np.full(len(problem.study.participants), DER_W)
    best = most_power(oracle_grid(problem), cap_w, sign, oracle_start(problem))
    assert best.status == "Solve_Succeeded"
    return best.total_w


@pytest.mark.parametrize("direction", [Direction.EXPORT, Direction.IMPORT])
def test_total_on_european_lv_is_within_one_percent_of_the_exact_optimum(direction: Direction) -> None:
    outcome = lv(Sharing.MAXIMUM, direction, 1.0).outcomes[0]
    total_w = outcome.export_w + outcome.import_w
    assert total_w == pytest.approx(lv_optimum_w(direction), rel=0.01)
    assert outcome.ended is Ended.DONE


@pytest.mark.parametrize("direction", [Direction.EXPORT, Direction.IMPORT])
def test_robust_total_is_that_of_ipopt_when_any_phases_may_be_idle(direction: Direction) -> None:
    problem = pose(*european_lv())
    phase = np.array([participant.phases for participant in problem.study.participants])
    subsets = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1) if a or b or c]
    uses = np.array([[float(subset["abc".index(own)]) for own in phase] for subset in subsets])
    sign = 1.0 if direction is Direction.EXPORT else -1.0
    best = most_power(oracle_grid(problem), np.full(len(phase), DER_W), sign, oracle_start(problem), uses)
    outcome = lv(Sharing.MAXIMUM, direction, 0.0).outcomes[0]
    assert outcome.export_w + outcome.import_w == pytest.approx(best.total_w, rel=0.01)


@pytest.mark.parametrize("sharing", [Sharing.MAXIMUM, Sharing.PROPORTIONAL, Sharing.EQUAL])
def test_robust_envelopes_on_european_lv_stand_a_thousand_random_uses(sharing: Sharing) -> None:
    found = lv(sharing, Direction.BOTH, 0.0)
    (proof,) = found.proofs
    assert (proof.runs, proof.violations, proof.corner_violations) == (1000, 0, 0)
    assert proof.corners > 10
    assert proof.asset_id


def test_opendss_finds_nothing_broken_in_corners_and_at_random_use() -> None:
    network, study = european_lv()
    found = lv(Sharing.MAXIMUM, Direction.BOTH, 0.0)
    low_w, high_w = (np.array([getattr(e, end) for e in found.envelopes]) for end in ("floor_w", "ceiling_w"))
    phase = np.array([participant.phases for participant in study.participants])
    up = [np.isin(phase, list(phases)) for phases in ("abc", "ab", "c", "a", "bc", "")]
    rng = np.random.default_rng(11)
    used_w = [np.where(own, high_w, low_w) for own in up] + [rng.uniform(low_w, high_w) for _ in range(6)]
    translation = translate(network)
    circuit, rated = solved(translation), [study.ratings[name].ampacity_a for name in network.lines.ids]
    lines = [translation.elements["lines", name][0] for name in network.lines.ids]
    loads = [translation.elements["loads", name][0] for name in network.loads.ids]
    for power_w in used_w:
        net_va = network.loads.power_va.sum(axis=1) - power_w
        for name, va in zip(loads, net_va, strict=True):
            circuit.engine.Text.Command = f"edit {name} kW={va.real / 1e3:.9f} kvar={va.imag / 1e3:.9f}"
        circuit.engine.Text.Command = "solve"
        assert circuit.engine.ActiveCircuit.Solution.Converged
        voltage_pu = np.abs(circuit.voltage()) / network.buses.phase_v[network.nodes.bus]
        assert voltage_pu.min() > 0.94 - 1e-4
        assert voltage_pu.max() < 1.10 + 1e-4
        for name, limit_a in zip(lines, rated, strict=True):
            circuit.engine.ActiveCircuit.SetActiveElement(name)
            amperes = np.abs(np.asarray(circuit.engine.ActiveCircuit.ActiveCktElement.Currents).view(np.complex128))
            assert amperes.max() < 1.001 * limit_a, name


def test_counting_on_neighbours_breaks_limits_when_they_do_not_use_theirs() -> None:
    """Why envelopes are robust by default: the deterministic ones of the same feeder do not hold."""
    network, study = european_lv()
    largest = lv(Sharing.MAXIMUM, Direction.EXPORT, 1.0)
    rng = np.random.default_rng(3)
    ceiling_w = np.array([envelope.ceiling_w for envelope in largest.envelopes])
    problem = pose(network, study)
    solved = problem.solve(ceiling_w[:, None] * rng.random((len(ceiling_w), 1000)), [0] * 1000)
    broken = (problem.monitor.worst(solved.voltages)[0] > 1).mean()
    assert broken > 0.002


def test_more_certain_use_gives_more() -> None:
    totals = [lv(Sharing.MAXIMUM, Direction.EXPORT, part).outcomes[0].export_w for part in (0.0, 0.5, 1.0)]
    assert totals == sorted(totals)
    assert totals[0] > 0.9 * totals[2]


def test_fairer_rules_give_less_in_all_and_a_better_index() -> None:
    outcomes = [
        lv(rule, Direction.EXPORT, 0.0).outcomes[0] for rule in (Sharing.MAXIMUM, Sharing.PROPORTIONAL, Sharing.EQUAL)
    ]
    assert [o.export_w for o in outcomes] == sorted((o.export_w for o in outcomes), reverse=True)
    assert [o.fairness for o in outcomes] == sorted(o.fairness for o in outcomes)
    assert outcomes[-1].fairness == pytest.approx(1.0)


def test_same_question_has_the_same_answer() -> None:
    first = lv(Sharing.MAXIMUM, Direction.BOTH, 0.0)
    network, study = european_lv()
    again = answer(network, EnvelopeStudy(study), np.random.default_rng(7))
    assert again == first


def test_thousand_ders_on_the_8500_node_feeder_stand_random_use() -> None:
    network, study = ieee_8500()
    found = answer(network, EnvelopeStudy(study), np.random.default_rng(5))
    (proof,) = found.proofs
    assert (proof.runs, proof.violations, proof.corner_violations) == (1000, 0, 0)
    outcome = found.outcomes[0]
    assert outcome.ended is Ended.DONE
    assert outcome.gap < 1e-3
    common = answer(network, EnvelopeStudy(study, Sharing.EQUAL, proof_runs=1), np.random.default_rng(5)).outcomes[0]
    assert outcome.export_w + outcome.import_w > 2 * (common.export_w + common.import_w)


def test_import_of_a_thousand_ders_is_within_one_percent_of_the_exact_optimum() -> None:
    network, study = ieee_8500()
    question = EnvelopeStudy(study, direction=Direction.IMPORT, utilisation=1.0)
    total_w = answer(network, question, np.random.default_rng(5)).outcomes[0].import_w
    problem = pose(network, study)
    best = most_power(oracle_grid(problem), np.full(1000, DER_W), -1.0, oracle_start(problem))
    assert total_w == pytest.approx(best.total_w, rel=0.01)
