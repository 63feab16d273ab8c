"""What an import for years to come is held against."""

from dataclasses import replace

from gateway.coordination.long_term import (
    Direction,
    LongTermNeed,
    NeedFault,
    NeedsImported,
    ServiceDefinition,
    faults,
)
from gateway.coordination.market import Service
from gateway.coordination.topology import Topology

YEAR_S = 365 * 86_400.0
UP = ServiceDefinition(
    "peak", Service.CAPACITY_REDUCTION, Direction.UP, 300, 900, 0, False, 5, 100, 0, 10, False, "zero"
)
NEED = LongTermNeed("N1", "peak", "L12", 1.5e6, 2e9, 2e9 + YEAR_S, 120, 240)


def wrong(need: LongTermNeed) -> list[NeedFault]:
    return list(faults(NeedsImported("i", (UP,), (need,), 1e9, "planner"), {"DSO"}, {"L12"}))


def test_pr_1_a_need_names_a_service_and_a_place_that_exist() -> None:
    assert wrong(NEED) == []
    assert wrong(replace(NEED, service="DSO")) == []
    (service, place) = wrong(replace(NEED, service="other", place="L99"))
    assert service == NeedFault("need", "N1", "there is no service 'other'; there are: peak, DSO")
    assert place.problem == "place 'L99' is not in the network"


def test_a_need_fits_into_its_time_and_its_service() -> None:
    assert wrong(replace(NEED, hours=YEAR_S / 3_600)) == []
    assert len(wrong(replace(NEED, hours=YEAR_S / 3_600 + 1))) == 1
    assert len(wrong(replace(NEED, end_s=NEED.start_s))) == 1
    assert [fault.problem for fault in wrong(replace(NEED, power_w=-1.0))] == [
        "it needs power down, and service peak moves it up"
    ]
    assert [fault.problem for fault in wrong(replace(NEED, power_w=0.0))] == ["it needs no power"]


def test_a_newer_import_takes_the_place_of_the_older() -> None:
    topology = Topology()
    for at_s, needs in ((1.0, (NEED,)), (2.0, ())):
        topology.fold(NeedsImported(f"i{at_s}", (UP,), needs, at_s, "planner"))
    assert topology.long_term is not None
    assert topology.long_term.needs == ()
