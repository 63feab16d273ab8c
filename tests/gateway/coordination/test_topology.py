"""What is known of the network now and ahead: what the field reports, and what is planned."""

from gateway.coordination.study import impact, look_ahead
from gateway.coordination.topology import (
    Cancelled,
    Reported,
    Scheduled,
    Topology,
    Work,
    WorkKind,
    changed_between,
    exceptional,
    expected,
)
from grid_engine.results import NetworkState
from protocols.points import Quantity
from tests.gateway.coordination.build import T, folded, measured, situation

TIE = NetworkState(switches_closed={"SW12": False, "SWT": True})
NORMAL = Reported(NetworkState(switches_closed={"SW12": True, "SWT": False}), frozenset({"SW12", "SWT"}))
SWITCHED = Reported(TIE, frozenset({"SW12", "SWT"}))


def work(start_s: float = T, end_s: float = T + 7200, kind: WorkKind = WorkKind.PLANNED, name: str = "W") -> Work:
    return Work(name, kind, start_s, end_s, TIE)


def planned(*works: Work) -> Topology:
    found = Topology()
    for one in works:
        found.fold(Scheduled(one, T - 600))
    return found


def closed(topology: Topology, said: Reported, now_s: float, time_s: float) -> dict[str, bool]:
    return dict(expected(topology, said, now_s, time_s).switches_closed)


def test_oms_work_holds_for_its_own_intervals_whatever_the_field_reports_before_it():
    topology = planned(work())
    assert closed(topology, NORMAL, T - 600, T - 300) == NORMAL.state.switches_closed
    assert closed(topology, NORMAL, T - 600, T) == TIE.switches_closed
    assert closed(topology, NORMAL, T - 600, T + 6900) == TIE.switches_closed
    assert closed(topology, NORMAL, T - 600, T + 7200) == NORMAL.state.switches_closed


def test_after_work_the_network_is_as_its_model_has_it_though_the_field_still_reports_the_work():
    assert closed(planned(work()), SWITCHED, T + 3600, T + 7200) == {}
    assert closed(planned(work()), SWITCHED, T + 7201, T + 7500) == {}
    assert closed(planned(work()), SWITCHED, T + 7501, T + 7800) == TIE.switches_closed  # it was left so


def test_now_is_what_the_field_reports_and_the_plan_only_where_it_reports_nothing_new():
    topology = planned(work())
    assert closed(topology, NORMAL, T + 5, T + 5) == NORMAL.state.switches_closed
    assert closed(topology, Reported(NORMAL.state), T + 5, T + 5) == TIE.switches_closed
    assert closed(topology, Reported(NetworkState()), T + 5, T + 5) == TIE.switches_closed


def test_n6_an_override_goes_before_the_field_and_expires_to_what_was_before():
    topology = planned(work(T, T + 1800, WorkKind.OVERRIDE))
    assert closed(topology, NORMAL, T + 5, T + 5) == TIE.switches_closed
    assert closed(topology, NORMAL, T + 1800, T + 1800) == NORMAL.state.switches_closed


def test_a_change_counts_once_the_field_shows_it():
    topology = planned(work())
    assert not changed_between(topology, NORMAL, T - 300, T + 1)
    assert changed_between(topology, SWITCHED, T - 300, T + 1)
    assert changed_between(topology, Reported(NetworkState()), T - 300, T + 1)
    assert not changed_between(topology, SWITCHED, T, T + 60)
    assert not changed_between(topology, SWITCHED, T + 6900, T + 7201)
    assert changed_between(topology, NORMAL, T + 6900, T + 7201)


def test_a_study_names_a_state_per_interval_only_where_they_differ():
    signals = [
        measured("SW12", 1.0, T - 600, Quantity.SWITCH_CLOSED),
        measured("SWT", 0.0, T - 600, Quantity.SWITCH_CLOSED),
    ]
    plain = impact(situation(folded(), T - 600, *signals))
    assert plain.states == ()
    at = situation(folded(Scheduled(work(T, T + 300), T - 600)), T - 600, *signals)
    assert [dict(s.switches_closed)["SWT"] for s in impact(at).states] == [False, False, True]
    assert [dict(s.switches_closed).get("SWT", False) for s in look_ahead(at).states] == [False, True, False]
    ended = folded(Scheduled(work(), T - 600), Cancelled("W", T - 590, "test"))
    assert impact(situation(ended, T - 580, *signals)).states == ()


def test_ended_works_are_forgotten_after_a_week():
    topology = planned(work())
    topology.fold(Scheduled(work(name="X", start_s=T + 9 * 86_400, end_s=T + 10 * 86_400), T + 8 * 86_400))
    assert list(topology.works) == ["X"]
    assert topology.next_change_s(T) == T + 9 * 86_400


def test_what_is_done_while_the_network_is_an_exception_is_not_settled():
    topology = planned(work())
    assert not exceptional(topology, NORMAL, T - 1)
    assert exceptional(topology, SWITCHED, T)
    assert exceptional(topology, SWITCHED, T + 7201)  # the field has not shown the end yet
    assert not exceptional(topology, NORMAL, T + 7201)
    assert not exceptional(planned(work(end_s=T + 3 * 86_400)), SWITCHED, T)


def test_a_work_that_is_cancelled_while_it_goes_on_has_ended_then():
    topology = planned(work())
    topology.fold(Cancelled("W", T + 60, "test"))
    assert (topology.works["W"].end_s, topology.at(T + 60)) == (T + 60, ())
    assert exceptional(topology, SWITCHED, T + 61)
