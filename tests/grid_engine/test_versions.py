"""A valid candidate holds from its time on; an invalid one changes nothing; overlays come and go without an import."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from grid_engine import feeders
from grid_engine.cycle import answer
from grid_engine.importers.pandapower import convert
from grid_engine.model import Network
from grid_engine.results import NetworkState, Purpose, Rating, Study
from grid_engine.revisions.differences import ChangeKind, differences
from grid_engine.revisions.versions import (
    History,
    InForce,
    Overlay,
    Rejection,
    Revision,
    begin,
    changes,
    lay_over,
    lift,
    propose,
    roll_back,
)
from tests.grid_engine.r1 import build
from tests.grid_engine.small import small
from tests.grid_engine.studies import der

V1 = convert(build(), "v1")


def version(name: str, **ratings_a: float) -> Network:
    """R1 with other ratings of lines."""
    normal = V1.lines.ratings.normal.copy()
    for line, amperes in ratings_a.items():
        normal[V1.lines.ids.index(line)] = amperes
    ratings = replace(V1.lines.ratings, normal=normal, emergency=normal)
    return replace(V1, version=name, lines=replace(V1.lines, ratings=ratings))


def history(*revisions: Revision) -> History:
    found: History | Rejection = begin(V1)
    for revision in revisions:
        assert isinstance(found, History)
        found = propose(found, revision)
    assert isinstance(found, History), found
    return found


def test_valid_candidate_holds_from_its_time_on() -> None:
    both = history(Revision(version("v2", L12=170.0), from_s=1000.0))
    assert both.at(999.0).version == "v1"
    assert both.at(1000.0).version == "v2"


def test_invalid_candidate_is_rejected_with_its_faults_and_the_current_one_stays() -> None:
    both = history(Revision(version("v2", L12=170.0), from_s=1000.0))
    rejected = propose(both, Revision(version("v3", L12=-1.0, L13=0.4), from_s=2000.0))
    assert isinstance(rejected, Rejection)
    assert rejected.version == "v3"
    assert [fault.split(";")[0] for fault in rejected.faults] == [
        "line L12: rating normal is -1",
        "line L13: rating normal: 0.4 A looks like kiloamperes",
    ]
    assert both.at(3000.0).version == "v2"


def test_invalid_network_begins_no_history() -> None:
    assert isinstance(begin(version("v0", L12=np.nan)), Rejection)


def test_network_that_ends_gives_way_to_the_one_before() -> None:
    fleeting = history(Revision(version("v2"), from_s=1000.0, until_s=1600.0))
    assert [fleeting.at(s).version for s in (900.0, 1599.0, 1600.0)] == ["v1", "v2", "v1"]


def test_candidate_must_keep_what_is_in_use_and_bring_a_version_of_its_own() -> None:
    rejected = propose(history(), Revision(version("v1"), from_s=5.0, until_s=5.0), needed=["B3", "B9"])
    assert isinstance(rejected, Rejection)
    assert [fault.split(",")[0].split(";")[0] for fault in rejected.faults] == [
        "bus B9: is gone",
        "network v1: holds from 5 to 5 s",
        "network v1: the version is taken by another network",
    ]


def test_rolling_back_brings_the_one_before_and_rolling_back_again_none() -> None:
    back = roll_back(history(Revision(version("v2"), from_s=1000.0)), 2000.0)
    assert isinstance(back, History)
    assert [back.at(s).version for s in (1500.0, 2000.0)] == ["v2", "v1"]
    assert isinstance(roll_back(history(), 2000.0), Rejection)


def test_overlay_holds_for_its_time_and_goes_before_what_is_measured() -> None:
    closed = Overlay("storm", NetworkState(switches_closed={"SWT": True}), from_s=100.0, until_s=400.0)
    laid = lay_over(history(), closed, 100.0)
    assert isinstance(laid, History)
    measured = Study("s", Purpose.IMPACT, 1, (), state=NetworkState(taps={"T1": 2}, switches_closed={"SWT": False}))
    assert [laid.at(s).version for s in (99.0, 100.0, 400.0)] == ["v1", "v1+storm", "v1"]
    assert laid.at(200.0).study(measured).state == NetworkState(taps={"T1": 2}, switches_closed={"SWT": True})
    assert laid.at(400.0).study(measured).state == measured.state
    assert lift(laid, "storm").at(200.0).version == "v1"


def test_overlay_replaces_an_earlier_one_of_its_id() -> None:
    first = lay_over(history(), Overlay("dlr", ratings={"L12": Rating(ampacity_a=100.0)}), 0.0)
    assert isinstance(first, History)
    second = lay_over(first, Overlay("dlr", ratings={"L12": Rating(ampacity_a=200.0)}), 0.0)
    assert isinstance(second, History)
    assert second.at(0.0).study(Study("s", Purpose.IMPACT, 1, ())).ratings == {"L12": Rating(ampacity_a=200.0)}


@pytest.mark.parametrize(
    ("overlay", "fault"),
    [
        (Overlay("o", NetworkState(taps={"T9": 1})), "overlay o: the network has no transformer T9"),
        (Overlay("o", NetworkState(taps={"T1": 9})), "overlay o: transformer T1 has no position 9, only -8 to 8"),
        (Overlay("o", NetworkState(switches_closed={"L12": True})), "overlay o: the network has no switch L12"),
        (
            Overlay("o", NetworkState(in_service={"LD_B2": False})),
            "overlay o: the network has no element LD_B2 to take",
        ),
        (Overlay("o", ratings={"SWT": Rating()}), "overlay o: the network has no asset SWT"),
        (Overlay("o", from_s=2.0, until_s=1.0), "overlay o: holds from 2 to 1 s, never"),
    ],
)
def test_overlay_of_what_is_not_there_is_rejected(overlay: Overlay, fault: str) -> None:
    rejected = lay_over(history(), overlay, 0.0)
    assert isinstance(rejected, Rejection)
    assert rejected.faults[0].startswith(fault)


def asset_of(holding: InForce, **more: Any) -> str:
    """The asset that limits DER B at 6 MW, or nothing."""
    study = Study("s", Purpose.IMPACT, 1, (der("B", 0.0, 6.0),), margin_pct=0.0, **more)
    return next((v.asset_id for v in answer(holding.network, holding.study(study)).violations), "")


def test_ratings_switching_and_networks_change_what_the_engine_finds() -> None:
    assert asset_of(history().at(0.0)) == "L12"
    assert asset_of(history(Revision(version("v2", L12=400.0))).at(0.0)) != "L12"
    rated = lay_over(history(), Overlay("dlr", ratings={"L12": Rating(ampacity_a=400.0)}), 0.0)
    opened = lay_over(history(), Overlay("cut", NetworkState(switches_closed={"SW12": False, "SWT": True})), 0.0)
    for laid in (rated, opened):
        assert isinstance(laid, History)
        assert asset_of(laid.at(0.0)) != "L12"


def test_differences_are_told_by_element_and_field() -> None:
    loads = small().loads
    power = loads.power_va.copy()
    power[1, 0] = 4e5
    changed = replace(
        small(),
        version="small-2",
        frequency_hz=50.0,
        loads=replace(loads, ids=("home", "mill", "kiosk"), power_va=power),
        transformers=replace(small().transformers, tap=np.array([5, 2, -1, 0, 0])),
        curves=(),
    )
    assert [str(change) for change in differences(small(), changed)] == [
        "network: frequency_hz 60.0 -> 50.0",
        "transformer ra: tap 4 -> 5",
        "load till: removed",
        "load mill: power_va[0] [300000.0, 100000.0] -> [400000.0, 0.0]",
        "load kiosk: added",
        "curves 0: removed",
    ]


def test_a_rating_given_anew_is_told() -> None:
    (change,) = changes(history(), version("v2", L12=170.0), 0.0)
    assert (change.kind, change.id, change.field) == (ChangeKind.CHANGED, "L12", "ratings.normal")
    assert str(change) == "line L12: ratings.normal 154.2 -> 170.0"


def test_networks_that_differ_in_the_order_of_nodes_alone_do_not_differ() -> None:
    assert differences(feeders.load("ieee13"), replace(feeders.load("ieee13"), version="other")) == ()
