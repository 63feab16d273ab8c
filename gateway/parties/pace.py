"""How much a party may say: everybody gets a share of the disk that nobody can take from them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from gateway.parties.refusals import Refusal

PER_S: Final = 100.0
"""Messages a second that a party may go on sending for ever."""
AT_ONCE: Final = 5_000
"""Messages that it may send in one go after a rest, as a platform does for all whom it carries."""


@dataclass(slots=True)
class _Allowance:
    left: float
    at_s: float


@dataclass(slots=True)
class Pace:
    """An allowance of messages for each party, which grows with time up to `at_once`."""

    per_s: float = PER_S
    at_once: int = AT_ONCE
    now: Callable[[], float] = time.monotonic
    _allowances: dict[str, _Allowance] = field(default_factory=dict)

    def spend(self, party: str) -> None:
        """Take one message off the allowance of a party that has proved who it is.

        Raises:
            Refusal: 429 where nothing is left; says in how many seconds there will be.
        """
        now_s = self.now()
        held = self._allowances.setdefault(party, _Allowance(self.at_once, now_s))
        held.left = min(held.left + (now_s - held.at_s) * self.per_s, self.at_once)
        held.at_s = now_s
        if held.left < 1.0:
            after = {"Retry-After": str(ceil((1.0 - held.left) / self.per_s))}
            problem = f"more than {self.at_once} messages at once and {self.per_s:g} a second after that"
            raise Refusal(429, problem, ".", "send the same message again later", after)
        held.left -= 1.0
