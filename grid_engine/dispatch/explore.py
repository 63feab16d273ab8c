"""Looking at combinations of moves in the order of what their operations cost."""

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from math import inf
from typing import Protocol, TypeVar

from grid_engine.dispatch.moves import Move


class Costed(Protocol):
    """What a look at one combination finds."""

    @property
    def cost(self) -> float:
        """All that it costs, its operations included."""
        ...

    @property
    def held(self) -> bool:
        """Whether it may be done at all."""
        ...


Look = TypeVar("Look", bound=Costed)


def explored(
    choices: Sequence[Sequence[Move]], look: Callable[[tuple[Move, ...]], Look], most: int, least_rest: float | None
) -> list[Look]:
    """What `look` finds for one move of each choice, at `most` so many times, nothing moved first.

    Where everything but operations costs at least `least_rest`, combinations that cannot be the cheapest are left out.
    """
    found: list[Look] = []
    best = inf
    for chosen in _cheapest_first(choices):
        cost = sum(move.cost for move in chosen)
        if len(found) == most or (least_rest is not None and cost + least_rest >= best):
            break
        found.append(look(chosen))
        if found[-1].held:
            best = min(best, found[-1].cost)
    return found


def _cheapest_first(choices: Sequence[Sequence[Move]]) -> Iterator[tuple[Move, ...]]:
    """Every combination once; each choice's moves rise in cost.

    A combination follows from the one in which its last device that moved moves one step less (best-first
    enumeration of sums).
    """
    heap = [(0.0, (0,) * len(choices))]
    while heap:
        cost, at = heappop(heap)
        yield tuple(choice[n] for choice, n in zip(choices, at, strict=True))
        last = max((k for k, n in enumerate(at) if n), default=0)
        for k in range(last, len(at)):
            if at[k] + 1 < len(choices[k]):
                dearer = choices[k][at[k] + 1].cost - choices[k][at[k]].cost
                heappush(heap, (cost + dearer, (*at[:k], at[k] + 1, *at[k + 1 :])))
