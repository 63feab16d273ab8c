"""Physics of one simulated DER without I/O: set point, limit, reversion timer, ramp, energy and faults by name."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import inf
from typing import Final

from protocols.signals import Bounds

FOLLOWS_AVAILABILITY: Final = frozenset({"pv", "wind"})
"""Kinds that inject all they can while their owner sets no target."""
IDLES: Final = frozenset({"bess", "ev", "load"})
"""Kinds that do nothing while their owner sets no target."""
STEP_S: Final = 1.0
"""Longest step while power moves; a device that stands still is advanced in one step."""

SHORTEST_S: Final = 1e-3
"""Shortest step, so that rounding at the end of the energy cannot stop time."""


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """What one simulated DER can do; power is positive for injection at the point of interconnection."""

    resource: str
    p_max_w: float
    p_min_w: float = 0.0
    kind: str = "bess"
    """A `kind` of the zone file."""
    s_max_va: float | None = None
    energy_wh: float | None = None
    """`None`: not limited by energy."""
    charge_efficiency: float = 1.0
    discharge_efficiency: float = 1.0
    soc_min_pu: float = 0.0
    soc_initial_pu: float = 0.5
    """Share of `energy_wh` stored at the start."""
    ramp_w_per_s: float | None = None
    """Fastest change of power; `None`: at once."""
    initial_w: float = 0.0
    """Power at the start; for a kind that follows availability, what is available at the start."""
    physics: str = "plain"
    """`opender` for the model of IEEE 1547-2018; see `gateway.testbed.devices`."""

    def __post_init__(self) -> None:
        if self.p_min_w > self.p_max_w:
            raise ValueError(f"{self.resource}: p_min_w {self.p_min_w} is above p_max_w {self.p_max_w}")
        if self.ramp_w_per_s is not None and self.ramp_w_per_s <= 0:
            raise ValueError(f"{self.resource}: ramp_w_per_s {self.ramp_w_per_s} must be above 0")


@dataclass(slots=True)
class Faults:
    """What is wrong with a device or station; set by name, and obeyed by whatever face it has."""

    drop_link: bool = False
    """Connections are cut and refused; timers run on."""
    freeze_value: bool = False
    """Measurements stand still at their last value; controls still work."""
    lie: bool = False
    """Controls are accepted and read back equal, but the power ignores them; the meter is honest."""
    delay: bool = False
    """Answers come `delay_s` late."""
    refuse: bool = False
    """Writes are rejected."""
    not_a_number: bool = False
    """Measurements are NaN, or what the protocol has in its place."""
    delay_s: float = 5.0
    clock_ahead_s: float = 0.0
    """By which what it measures is timed wrong, where nothing is between it and us."""

    def switch(self, fault: str, *, on: bool) -> None:
        """Set one fault by name.

        Raises:
            ValueError: `fault` is not one of `FAULTS`.
        """
        if fault not in FAULTS:
            raise ValueError(f"fault {fault!r} is unknown; known are {', '.join(FAULTS)}")
        setattr(self, fault, on)


FAULTS: Final = tuple(field.name for field in fields(Faults) if field.default is False)
"""Names of all faults."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the device would tell its reader, faults included; NaN where `not_a_number` is on."""

    power_w: float
    available_w: float
    state_of_charge_pu: float | None


@dataclass(frozen=True, slots=True)
class _Profile:
    """The owner's set point: a straight line up to `by_s`, then constant."""

    from_w: float
    from_s: float
    to_w: float
    by_s: float

    def at(self, now_s: float) -> float:
        if now_s >= self.by_s:
            return self.to_w
        share = (now_s - self.from_s) / (self.by_s - self.from_s)
        return self.from_w + share * (self.to_w - self.from_w)


class SimulatedDevice:
    """One DER: `power_w` ramps toward min(set point, available) clamped to the limit in force.

    The set point is the order where there is one, else the owner's target. A limit or an order with
    a reversion time is replaced by its fallback when that time runs out, whatever happens to the
    link; an empty fallback leaves the device unlimited, or the set point to its owner. Time only
    moves through arguments and never back: an earlier `now_s` is taken as the present.
    """

    reactive_var: float = 0.0
    """Injected; the plain physics has none."""

    def __init__(self, spec: DeviceSpec, now_s: float) -> None:
        self.spec = spec
        self.faults = Faults()
        self.limit = Bounds()
        """The limit in force, as the device reports it."""
        self.fallback = Bounds()
        """What the limit becomes when the reversion time runs out."""
        self.reverted = False
        """True from the end of a reversion time until the next limit."""
        self.now_s = now_s
        self.energy_wh = (spec.energy_wh or 0.0) * spec.soc_initial_pu
        follows = spec.kind in FOLLOWS_AVAILABILITY
        self.available_w = spec.initial_w if follows else spec.p_max_w
        """What it could inject now if nothing limited it and its energy lasted."""
        self._target: _Profile | None = None if follows else _Profile(0.0, now_s, spec.initial_w, now_s)
        self._reverts_at_s: float | None = None
        self.order_w: float | None = None
        """The set point of whoever controls the device in the owner's place; `None` leaves it to the owner."""
        self._order_fallback_w: float | None = None
        self._order_ends_at_s: float | None = None
        self.is_connected = True
        """False while its switch to the grid is open: no power, whatever is wanted."""
        self._reconnects_at_s: float | None = None
        self.power_w = self._desired(now_s)
        self._frozen = self._true_reading()

    @property
    def reversion_remaining_s(self) -> float:
        """Seconds until the fallback comes into force; 0 where no timer runs."""
        return 0.0 if self._reverts_at_s is None else self._reverts_at_s - self.now_s

    @property
    def order_remaining_s(self) -> float:
        """Seconds until the order gives way to its fallback; 0 where no timer runs."""
        return 0.0 if self._order_ends_at_s is None else self._order_ends_at_s - self.now_s

    @property
    def target_w(self) -> float | None:
        """The owner's set point now; `None` where the owner leaves the device to itself."""
        return None if self._target is None else self._target.at(self.now_s)

    @property
    def state_of_charge_pu(self) -> float | None:
        """Stored share of the energy capacity; `None` where energy does not limit it."""
        return None if self.spec.energy_wh is None else self.energy_wh / self.spec.energy_wh

    @property
    def usable_wh(self) -> float | None:
        """What it can still inject out of its store; `None` where energy does not limit it."""
        spec = self.spec
        if spec.energy_wh is None:
            return None
        return max(self.energy_wh - spec.soc_min_pu * spec.energy_wh, 0.0) * spec.discharge_efficiency

    @property
    def reading(self) -> Reading:
        """The measurements as the device tells them, faults included."""
        if self.faults.not_a_number:
            nan = float("nan")
            return Reading(nan, nan, None if self.spec.energy_wh is None else nan)
        return self._frozen if self.faults.freeze_value else self._true_reading()

    def set_target(self, power_w: float | None, now_s: float, by_s: float | None = None) -> None:
        """Take the owner's set point: at once, or along a straight line from the present power until `by_s`."""
        self.advance(now_s)
        if power_w is None:
            self._target = None
        else:
            by_s = self.now_s if by_s is None else max(by_s, self.now_s)
            self._target = _Profile(self.power_w, self.now_s, power_w, by_s)
        self._follow()

    def set_limit(self, limit: Bounds, now_s: float, reversion_s: float | None, fallback: Bounds) -> None:
        """Put a limit in force; after `reversion_s` (`None`: never) it becomes `fallback`."""
        self.advance(now_s)
        self.limit, self.fallback, self.reverted = limit, fallback, False
        self._reverts_at_s = None if reversion_s is None else self.now_s + max(reversion_s, 0.0)
        self._follow()

    def set_order(
        self, power_w: float | None, now_s: float, reversion_s: float | None = None, fallback_w: float | None = None
    ) -> None:
        """Take a set point that beats the owner's; after `reversion_s` (`None`: never) it becomes `fallback_w`."""
        self.advance(now_s)
        self.order_w, self._order_fallback_w = power_w, fallback_w
        timed = power_w is not None and reversion_s is not None
        self._order_ends_at_s = self.now_s + max(reversion_s or 0.0, 0.0) if timed else None
        self._follow()

    def connect(self, now_s: float, *, closed: bool, reversion_s: float | None = None) -> None:
        """Move the switch to the grid; opened, it closes by itself after `reversion_s` (`None`: never)."""
        self.advance(now_s)
        self.is_connected = closed or self.faults.lie
        self._reconnects_at_s = None if closed or reversion_s is None else self.now_s + max(reversion_s, 0.0)
        if not self.is_connected:
            self.power_w = 0.0
        self._follow()

    def set_available(self, available_w: float, now_s: float) -> None:
        """Change what the sun or the wind gives."""
        self.advance(now_s)
        self.available_w = available_w
        self._follow()

    def feel(self, voltage_pu: Sequence[float]) -> None:
        """Take the voltage at the terminals, phase by phase; the plain physics does not mind."""

    def advance(self, now_s: float) -> None:
        """Let time pass up to `now_s`."""
        while self.now_s < now_s:
            ends = (self._reverts_at_s, self._order_ends_at_s, self._reconnects_at_s)
            timers = [at_s for at_s in ends if at_s is not None]
            end_s = min([now_s, self.now_s + self._lasts_s(), *timers])
            if self._moves():
                end_s = min(end_s, self.now_s + STEP_S)
            self._step(end_s)
            self._revert()
        if not self.faults.freeze_value:
            self._frozen = self._true_reading()

    def _revert(self) -> None:
        """Take up the fallback of every timer that has run out."""
        if self._reverts_at_s is not None and self.now_s >= self._reverts_at_s:
            self.limit, self.reverted, self._reverts_at_s = self.fallback, True, None
            self._follow()
        if self._order_ends_at_s is not None and self.now_s >= self._order_ends_at_s:
            self.order_w, self._order_ends_at_s = self._order_fallback_w, None
            self._follow()
        if self._reconnects_at_s is not None and self.now_s >= self._reconnects_at_s:
            self.is_connected, self._reconnects_at_s = True, None
            self._follow()

    def _true_reading(self) -> Reading:
        return Reading(self.power_w, self.available_w, self.state_of_charge_pu)

    def _moves(self) -> bool:
        in_profile = self.order_w is None and self._target is not None and self.now_s < self._target.by_s
        return in_profile or self.power_w != self._desired(self.now_s)

    def _desired(self, now_s: float) -> float:
        """Where the power would be without a ramp."""
        if not self.is_connected:
            return 0.0
        wanted = self._wanted(now_s)
        if not self.faults.lie:
            wanted = self.limit.clamp(wanted)
        wanted = min(max(wanted, self.spec.p_min_w), self.spec.p_max_w, max(self.available_w, self.spec.p_min_w))
        return 0.0 if self._exhausted(wanted) else wanted

    def _wanted(self, now_s: float) -> float:
        if self.order_w is not None:
            return self.order_w
        if self._target is not None:
            return self._target.at(now_s)
        return 0.0 if self.spec.kind in IDLES else self.available_w

    def _follow(self) -> None:
        """Take up what needs no time: without a ramp, power is where it should be at once."""
        if self.spec.ramp_w_per_s is None:
            self.power_w = self._desired(self.now_s)

    def _step(self, end_s: float) -> None:
        duration_s = end_s - self.now_s
        desired_w = self._desired(end_s)
        if self.spec.ramp_w_per_s is None:
            after_w = desired_w
        else:
            reach_w = self.spec.ramp_w_per_s * duration_s
            after_w = self.power_w + min(max(desired_w - self.power_w, -reach_w), reach_w)
        self._take_energy((self.power_w + after_w) / 2, duration_s)
        self.now_s, self.power_w = end_s, after_w
        if self._exhausted(after_w):
            self.power_w = 0.0

    def _exhausted(self, power_w: float) -> bool:
        """True where the store cannot carry this power any longer, ramp or not."""
        if self.spec.energy_wh is None:
            return False
        empty = self.energy_wh <= self.spec.soc_min_pu * self.spec.energy_wh
        return (power_w > 0 and empty) or (power_w < 0 and self.energy_wh >= self.spec.energy_wh)

    def _lasts_s(self) -> float:
        """How long the store carries the present power."""
        if self.spec.energy_wh is None or self.power_w == 0:
            return inf
        if self.power_w > 0:
            left_wh = (self.energy_wh - self.spec.soc_min_pu * self.spec.energy_wh) * self.spec.discharge_efficiency
        else:
            left_wh = (self.spec.energy_wh - self.energy_wh) / self.spec.charge_efficiency
        return max(left_wh / abs(self.power_w) * 3600, SHORTEST_S)

    def _take_energy(self, mean_w: float, duration_s: float) -> None:
        if self.spec.energy_wh is None:
            return
        through_wh = mean_w * duration_s / 3600
        stored = through_wh / self.spec.discharge_efficiency if mean_w > 0 else through_wh * self.spec.charge_efficiency
        lowest = min(self.energy_wh, self.spec.soc_min_pu * self.spec.energy_wh)
        self.energy_wh = min(max(self.energy_wh - stored, lowest), self.spec.energy_wh)
