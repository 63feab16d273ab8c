"""Equal shares on R1 beside bisection on pandapower."""

import pytest

from grid_engine.envelopes.equal_share import equal_shares
from grid_engine.results import NetworkState, Purpose, Study
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import NETWORK, der

EVERYBODY = (der("A", 0), der("B", 0), der("C", 0), der("E", 0))


def shares_mw(*members, **more):
    study = Study("s", Purpose.IMPACT, len(members[0].held_w), members, margin_pct=0.0, **more)
    return [(e.resource, e.interval, e.floor_w / 1e6, e.ceiling_w / 1e6) for e in equal_shares(NETWORK, study)]


def test_everybody_exports_the_same_part_up_to_the_first_limit():
    oracle = Oracle()
    full = {"A": 2.5, "B": 6.0, "C": 2.0, "E": 1.0}
    part = bisect(lambda k: oracle.solve({n: k * p for n, p in full.items()}).holds(), 0.0, 1.0)
    assert 0 < part < 1
    for name, _, _, ceiling_mw in shares_mw(*EVERYBODY):
        assert ceiling_mw == pytest.approx(part * full[name], abs=0.012 + full[name] / 2048), name


def test_the_shares_hold_all_at_once_and_most_of_them_are_used():
    oracle = Oracle()
    found = {name: ceiling_mw for name, _, _, ceiling_mw in shares_mw(*EVERYBODY)}
    assert oracle.solve(found).holds()
    assert not oracle.solve({n: p + 0.02 for n, p in found.items()}).holds()


def test_where_nothing_binds_everybody_has_all_it_is_capable_of():
    assert shares_mw(der("C", 0), der("E", 0)) == [("C", 0, 0.0, 2.0), ("E", 0, 0.0, 1.0)]


def test_import_is_searched_apart_and_stops_at_its_own_limit():
    oracle = Oracle()
    state = NetworkState(taps={"T1": -3, "T2": -3})
    taps = {"T1": -3, "T2": -3}
    lowest = bisect(lambda p: oracle.solve({"A": p}, scale=1.2, taps=taps).holds(), 0.0, -2.5)
    ((_, _, floor_mw, _),) = shares_mw(der("A", 0), load_scale=(1.2,), state=state)
    assert floor_mw == pytest.approx(lowest, abs=0.012)


def test_every_interval_has_its_own():
    found = shares_mw(der("A", [0, 0]), der("B", [4, 0], adjustable=False))
    assert [ceiling_mw for *_, ceiling_mw in found] == [pytest.approx(1.20, abs=0.011), 2.5]


def test_a_faulty_study_has_none():
    assert equal_shares(NETWORK, Study("s", Purpose.IMPACT, 0, ())) == ()
