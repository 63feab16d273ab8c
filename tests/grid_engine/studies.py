"""Short ways to write studies on R1 in MW."""

from collections.abc import Sequence
from typing import Any

from grid_engine.cycle import answer
from grid_engine.importers.pandapower import convert
from grid_engine.model import Network
from grid_engine.results import Answer, NetworkState, Participant, Purpose, Study
from tests.grid_engine.r1 import POI, build

CAPABILITY_MW = {"A": (-2.5, 2.5), "B": (0, 6), "C": (0, 2), "D": (0, 1.5), "E": (0, 1), "G": (0, 3)}
NETWORK: Network = convert(build(), "r1-test")


def der(
    name: str, held_mw: float | Sequence[float], requested_mw: float | Sequence[float] | None = None, **more: Any
) -> Participant:
    """A DER of R1; numbers stand for one interval."""
    held = held_mw if isinstance(held_mw, Sequence) else [held_mw]
    wanted = held if requested_mw is None else requested_mw
    wanted = wanted if isinstance(wanted, Sequence) else [wanted] * len(held)
    low, high = CAPABILITY_MW[name]
    return Participant(
        resource=name,
        bus=POI[name],
        held_w=tuple(p * 1e6 for p in held),
        requested_w=tuple(p * 1e6 for p in wanted),
        floor_w=low * 1e6,
        ceiling_w=high * 1e6,
        **more,
    )


def ask(*members: Participant, purpose: Purpose = Purpose.IMPACT, taps: int = 0, **more: Any) -> Answer:
    """The engine's answer on R1, margin 0 unless given."""
    more.setdefault("margin_pct", 0.0)
    more.setdefault("state", NetworkState(taps={"T1": taps, "T2": taps}))
    return answer(NETWORK, Study("study", purpose, len(members[0].held_w), members, **more))


def bounds_mw(result: Answer) -> dict[str, tuple[float, float]]:
    """Floor and ceiling by resource, first interval."""
    return {
        e.resource: (round(e.floor_w / 1e6, 6), round(e.ceiling_w / 1e6, 6)) for e in result.envelopes if not e.interval
    }
