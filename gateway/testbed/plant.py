"""What the simulated world asks of its network, whoever solves it: never the gateway's own engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from protocols.points import Point

MOVED_W: Final = 200.0
"""Injections that moved less since the last solution are not worth another; far below any meter's class."""
SPLIT: Final = "s1s2"
"""Phases of a split-phase service: both legs."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """Where a resource stands on the network."""

    bus: str
    phases: str = "abc"
    """Some of `abc`, or `SPLIT`; the power is shared equally."""
    delta: bool = False
    """Between one phase and the next, not between each and the neutral."""


class Plant(Protocol):
    """A network with DERs on it; powers in W, positive for injection."""

    converged: bool
    """False while the network has no solution; everything read then is NaN."""
    solutions: int
    """Power flows solved so far."""

    def points(self) -> list[Point]:
        """Everything that `read` can tell."""

    def sources(self) -> frozenset[str]:
        """Names of the systems above, whose power flows into this network."""

    def loads(self) -> frozenset[str]:
        """Names of what draws power."""

    def knows(self, point: Point) -> bool:
        """True where `read` can tell the point."""

    def inject(self, resource: str, power_w: float, reactive_var: float = 0.0) -> None:
        """Let a DER inject these powers from now on."""

    def follow(self, power_w: Mapping[str, float]) -> None:
        """Let loads draw and units of the network inject these powers from now on, by id.

        Raises:
            ValueError: the network has no such load or unit.
        """

    def set_switch(self, name: str, *, closed: bool) -> None:
        """Open or close a switch, or the switch of a capacitor.

        Raises:
            ValueError: the network has no such switch or capacitor.
        """

    def set_tap(self, name: str, position: int) -> None:
        """Move a transformer's tap changer.

        Raises:
            ValueError: the network has no such transformer, or its tap changer does not go that far.
        """

    def scale_loads(self, factor: float) -> None:
        """Multiply every load of the network, as loaded, by `factor`."""

    def read(self, point: Point) -> float:
        """The true value of a point, in its quantity's unit; NaN where there is no solution, 0 where it is dead.

        Raises:
            ValueError: the network cannot tell this point.
        """

    def carried_va(self, transformer: str) -> float:
        """What counts against a transformer's rating: its largest current, at nominal voltage.

        Raises:
            ValueError: the network has no such transformer.
        """
