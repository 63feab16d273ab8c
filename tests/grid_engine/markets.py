"""Short ways to write markets on R1 in MW, and an oracle for their cheapest dispatch: order of merit and bisection."""

from collections.abc import Mapping, Sequence
from typing import Any

from grid_engine.dispatch.schedule import dispatch
from grid_engine.dispatch.words import Block, LocalNeed, Market, Offer, Schedule
from grid_engine.results import Envelope, NetworkState, Participant, Purpose, Study
from tests.grid_engine.r1 import Oracle, bisect
from tests.grid_engine.studies import NETWORK, ask, der


def blocks(*pairs: tuple[float, float]) -> tuple[Block, ...]:
    """Sizes in MW and prices."""
    return tuple(Block(size_mw * 1e6, price) for size_mw, price in pairs)


def offer(name: str, *pairs: tuple[float, float], **more: Any) -> Offer:
    return Offer(name, blocks(*pairs), **more)


A, E, D = offer("A", (2.5, 30)), offer("E", (1, 45)), offer("D", (1.5, 120))
C = offer("C", (1, 55), (1, 65))
SLOW_C = offer("C", (1, 55), (1, 65), initial_w=0.0, ramp_up_w_per_min=0.2e6)
EVERYONE = (A, E, C, D)
"""The offers of scenarios S08 to S13."""


def standing(intervals: int = 1) -> tuple[Participant, ...]:
    """B injects 4 MW, the others nothing."""
    return tuple(der(name, [4.0 if name == "B" else 0.0] * intervals) for name in "ABCDE")


def study(*members: Participant, taps: int = 0, **more: Any) -> Study:
    """Margin 0 unless given."""
    more.setdefault("margin_pct", 0.0)
    more.setdefault("state", NetworkState(taps={"T1": taps, "T2": taps}))
    members = members or standing()
    return Study("study", Purpose.IMPACT, len(members[0].held_w), members, **more)


def residual_limits() -> tuple[Envelope, ...]:
    """What the utility told every resource before the dispatch, each with the others where they stand."""
    return ask(*standing(), purpose=Purpose.ENVELOPE).envelopes


LIMITS = residual_limits()
"""Among them that of A, 1.20 MW because of L12."""


def need(required_mw: float, effect: Mapping[str, float], intervals: int = 1) -> LocalNeed:
    return LocalNeed("need", (required_mw * 1e6,) * intervals, effect)


def clear(delivery_mw: float | Sequence[float] | None, offers: Sequence[Offer] = EVERYONE, **more: Any) -> Schedule:
    """The schedule on R1; keywords that a study knows go to the study, the others to the market."""
    known = {key: more.pop(key) for key in list(more) if key not in Market.__dataclass_fields__}
    members = known.pop("members", ())
    wanted = delivery_mw if isinstance(delivery_mw, Sequence) else [] if delivery_mw is None else [delivery_mw]
    market = Market(study(*members, **known), tuple(offers), tuple(p * 1e6 for p in wanted), **more)
    return dispatch(NETWORK, market)


def megawatts(schedule: Schedule, interval: int = 0) -> dict[str, float]:
    """Instructed powers of one interval."""
    return {i.resource: round(i.power_w / 1e6, 6) for i in schedule.instructions if i.interval == interval}


def room_of_a(oracle: Oracle, others_mw: Mapping[str, float], **state: Any) -> float:
    """How far A may go in pandapower with the others where they are."""
    return bisect(lambda p: oracle.solve({**others_mw, "A": p}, **state).holds(), 0.0, 2.5)
