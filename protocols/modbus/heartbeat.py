"""The two heartbeats between a DER and whoever controls it, without I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

MODULUS: Final[Mapping[int, int]] = {715: 1_000_000, 802: 10_000}
"""Where our count begins anew, well inside of the register."""
LOCAL: Final = 1
"""LocRemCtl: the device is controlled on site and takes nothing from afar."""


@dataclass(frozen=True, slots=True)
class Names:
    """Points of a model with heartbeats."""

    local: str
    theirs: str
    ours: str


NAMES: Final[Mapping[int, Names]] = {
    715: Names("LocRemCtl", "DERHb", "ControllerHb"),
    802: Names("LocRemCtl", "Hb", "CtrlHb"),
}
"""By model; the first that a device has is used."""


@dataclass(slots=True)
class Heartbeat:
    """Whether a device's heart beats, and the next beat of ours."""

    still_s: float
    """A heart that has beaten before counts as stopped after this time without a change."""
    _last: float | None = None
    _changed_s: float = 0.0
    _has_beaten: bool = False
    _ours: int = 0

    def has_stopped(self, value: float | None, at_s: float) -> bool:
        """Take notice of the device's count, `at_s` on a clock that never jumps; one that never moved tells nothing."""
        if value != self._last:
            self._has_beaten = self._has_beaten or self._last is not None
            self._last, self._changed_s = value, at_s
        return self._has_beaten and at_s - self._changed_s > self.still_s

    def next(self, model_id: int) -> int:
        """Our next count, never 0: a register at rest looks like that."""
        self._ours = self._ours % MODULUS[model_id] + 1
        return self._ours
