"""Registers of a simulated DER without a SunSpec map, without I/O: what they hold, and what a write does to it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Final

from gateway.testbed.device import SimulatedDevice
from gateway.testbed.register_face import shown
from protocols.modbus.register import Register
from protocols.modbus.server import RefusedError
from protocols.modbus.sunspec import IllegalAddressError
from protocols.points import Quantity
from protocols.signals import Bounds

WATCHDOG_S: Final = 60.0
"""How long a device that minds our heartbeat does without it."""
_LIMIT: Final = frozenset(
    ("ceiling_w", "floor_w", "limit_enabled", "fallback_ceiling_w", "fallback_floor_w", "connected")
)
_ORDER: Final = frozenset(("target_w", "target_enabled"))


@dataclass(frozen=True, slots=True)
class ServedControl:
    """A register that takes what the device is told, and where it shows it."""

    register: Register
    shown: Register
    on: int = 1
    off: int = 0


class MappedDerFace:
    """Holding registers of one DER, by the words of the zone file; its input registers are the same."""

    def __init__(
        self,
        device: SimulatedDevice,
        registers: Mapping[Quantity, Register],
        controls: Mapping[str, ServedControl],
        voltage_pu: Callable[[], float],
    ) -> None:
        """Begin with nothing limited, connected, and no timer running."""
        self._device = device
        self._registers = registers
        self._controls = controls
        self._voltage_pu = voltage_pu
        self._words: dict[int, int] = {}
        self._shown = Bounds()
        spec = device.spec
        for term, value in {
            "ceiling_w": spec.p_max_w,
            "floor_w": spec.p_min_w,
            "fallback_ceiling_w": spec.p_max_w,
            "fallback_floor_w": spec.p_min_w,
        }.items():
            self._put(term, value)
        for term in ("target_w", "lease_s", "heartbeat"):
            self._put(term, 0.0)
        for term, on in (("limit_enabled", False), ("target_enabled", False), ("connected", True)):
            self._turn(term, on=on)
        self._refresh()
        self.base = min(self._words)
        self.size = max(self._words) + 1 - self.base

    def read(self, address: int, count: int) -> list[int]:
        """What a client gets now; registers of which nothing is known read 0.

        Raises:
            IllegalAddressError: part of it is outside of the map.
        """
        if address < self.base or count < 1 or address + count > self.base + self.size:
            raise IllegalAddressError(f"{count} registers at {address} are not all in the map")
        self._refresh()
        return [self._words.get(at, 0) for at in range(address, address + count)]

    def write(self, address: int, values: Sequence[int]) -> None:
        """Take a client's write and let the device obey.

        Raises:
            IllegalAddressError: it is not all of control registers.
            RefusedError: a value has no meaning; then nothing is written.
        """
        self._refresh()
        written = dict(zip(range(address, address + len(values)), values, strict=True))
        claimed = {at for control in self._controls.values() for at in _addresses(control.register)}
        if not written.keys() <= claimed:
            raise IllegalAddressError(f"{len(values)} registers at {address} are read-only")
        before = dict(self._words)
        self._words |= written
        touched = {term for term, c in self._controls.items() if written.keys() & set(_addresses(c.register))}
        try:
            for term in touched:
                self._mirror(term)
        except RefusedError:
            self._words = before
            raise
        self._obey(touched)

    def _obey(self, touched: set[str]) -> None:
        now_s = self._device.now_s
        renewed = "lease_s" in touched or "heartbeat" in touched
        if touched & _LIMIT or (renewed and not self._device.limit.is_open and not self._device.reverted):
            limit = self._limit()
            self._device.set_limit(limit, now_s, self._reversion_s(), self._fallback())
            self._shown = limit
        if "connected" in touched or (renewed and not self._device.is_connected):
            self._device.connect(now_s, closed=self._is_on("connected"), reversion_s=self._reversion_s())
        if touched & _ORDER or (renewed and self._device.order_w is not None):
            enabled = self._is_on("target_enabled") if "target_enabled" in self._controls else True
            self._device.set_order(self._held("target_w") if enabled else None, now_s, self._reversion_s())

    def _limit(self) -> Bounds:
        if "limit_enabled" in self._controls and not self._is_on("limit_enabled"):
            return Bounds()
        return self._bounds("floor_w", "ceiling_w")

    def _fallback(self) -> Bounds:
        return self._bounds("fallback_floor_w", "fallback_ceiling_w")

    def _bounds(self, floor: str, ceiling: str) -> Bounds:
        spec = self._device.spec
        floor_w, ceiling_w = self._held(floor, spec.p_min_w), self._held(ceiling, spec.p_max_w)
        return Bounds(floor_w if floor_w > spec.p_min_w else None, ceiling_w if ceiling_w < spec.p_max_w else None)

    def _reversion_s(self) -> float | None:
        lease_s = self._held("lease_s")
        if lease_s > 0:
            return lease_s
        return WATCHDOG_S if "heartbeat" in self._controls and "lease_s" not in self._controls else None

    def _refresh(self) -> None:
        """Bring measurements, timers and what a reversion changed into the registers."""
        device, reading = self._device, self._device.reading
        if device.limit != self._shown:
            self._shown = device.limit
            self._put("ceiling_w", device.spec.p_max_w if device.limit.ceiling_w is None else device.limit.ceiling_w)
            self._put("floor_w", device.spec.p_min_w if device.limit.floor_w is None else device.limit.floor_w)
            self._turn("limit_enabled", on=not device.limit.is_open)
        if not device.faults.lie:
            self._turn("connected", on=device.is_connected)
        self._put("lease_s", max(device.reversion_remaining_s, device.order_remaining_s))
        values = {
            Quantity.ACTIVE_POWER_W: reading.power_w,
            Quantity.AVAILABLE_POWER_W: reading.available_w,
            Quantity.STATE_OF_CHARGE_PU: nan if reading.state_of_charge_pu is None else reading.state_of_charge_pu,
            Quantity.VOLTAGE_PU: self._voltage_pu(),
        }
        for quantity, register in self._registers.items():
            self._store(register, shown(register, values.get(quantity, nan)))

    def _held(self, term: str, otherwise: float = 0.0) -> float:
        control = self._controls.get(term)
        if control is None:
            return otherwise
        value = control.register.decode([self._words[at] for at in _addresses(control.register)])
        return otherwise if value is None else value

    def _is_on(self, term: str) -> bool:
        return term not in self._controls or self._held(term) == self._controls[term].on

    def _put(self, term: str, value: float) -> None:
        control = self._controls.get(term)
        if control is not None:
            self._store(control.register, shown(control.register, value))
            self._store(control.shown, shown(control.shown, value))

    def _turn(self, term: str, *, on: bool) -> None:
        control = self._controls.get(term)
        if control is not None:
            self._put(term, control.on if on else control.off)

    def _mirror(self, term: str) -> None:
        """Show what was written where the device shows it.

        Raises:
            RefusedError: it is not a number, or neither on nor off.
        """
        control = self._controls[term]
        words = [self._words[at] for at in _addresses(control.register)]
        value = control.register.decode(words)
        if value is None or not isfinite(value):
            raise RefusedError(f"{term}: {words} is not a number")
        if term in ("limit_enabled", "target_enabled", "connected") and value not in (control.on, control.off):
            raise RefusedError(f"{term}: {value} is neither {control.on} nor {control.off}")
        self._store(control.shown, shown(control.shown, value))

    def _store(self, register: Register, words: Sequence[int]) -> None:
        self._words |= dict(zip(_addresses(register), words, strict=True))


def _addresses(register: Register) -> range:
    return range(register.address, register.end)
