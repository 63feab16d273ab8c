"""How much time is left: the engine has no clock, so whoever asks brings one."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf


def _always() -> float:
    return inf


@dataclass(frozen=True, slots=True)
class Budget:
    """Time for one study."""

    left_s: Callable[[], float] = _always
    """Seconds left by the caller's clock; negative when late."""

    @property
    def over(self) -> bool:
        """Whether no time is left."""
        return self.left_s() <= 0


UNLIMITED = Budget()
