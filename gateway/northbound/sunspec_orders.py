"""What SunSpec masters have asked of one DER, without I/O: registers and timers on one side, instructions on the other.

Model 704 asks for an upper limit and a set point, model 703 for service. Each has a time at which it ends: its own
reversion time, or else `hold_s` after the last write or heartbeat. A reversion value lasts `hold_s` in its turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.coordination.operator import OperatorInstruction
from gateway.northbound.sunspec_words import ShownDer
from protocols.modbus.server import RefusedError
from protocols.modbus.sunspec import ModelImage
from protocols.signals import Bounds

LIMIT, TARGET, SERVICE = "limit", "target", "service"
HEARTBEAT: Final = "715.ControllerHb"
WATTS: Final = 1
"""704.WSetMod: the set point is in watts, else in percent of WMax."""
GRACE_S: Final = 5.0
"""An instruction outlives its end so long: the façade ends it in time, and this ends it where there is none."""
POINTS: Final = {
    LIMIT: tuple(f"704.WMaxLimPct{name}" for name in ("Ena", "", "Rvrt", "EnaRvrt", "RvrtTms")),
    TARGET: tuple(f"704.WSet{name}" for name in ("Ena", "Mod", "", "Rvrt", "Pct", "PctRvrt", "EnaRvrt", "RvrtTms")),
    SERVICE: ("703.ES",),
}
"""What may be written, by what it asks for."""
_SWITCHES: Final = ("704.WMaxLimPctEna", "704.WMaxLimPctEnaRvrt", "703.ES")
_TARGET_SWITCHES: Final = ("704.WSetEna", "704.WSetMod", "704.WSetEnaRvrt")


@dataclass(frozen=True, slots=True)
class Wish:
    """All that is asked of the DER, to be put to the operator's desk as one instruction."""

    limit: Bounds = field(default_factory=Bounds)
    target_w: float | None = None
    lasts_s: float = 0.0

    @property
    def is_empty(self) -> bool:
        """True where nothing is asked any more."""
        return self.limit.is_open and self.target_w is None


@dataclass(frozen=True, slots=True)
class Orders:
    """The registers that masters write, and when what they ask for ends."""

    registers: tuple[int, ...]
    ends_s: dict[str, float] = field(default_factory=dict)
    """Of what is asked now; nothing else has an entry."""
    are_ours: bool = True
    """False where another door has asked: then they end there, and no heartbeat of ours prolongs them."""


class Asked:
    """The written side of one unit; every change is made on a draft and kept only once the desk has taken it."""

    def __init__(self, der: ShownDer, image: ModelImage, hold_s: float) -> None:
        """`image` is the unit's map with its scale factors; its registers are this object's from here on."""
        self._der, self._image, self._hold_s = der, image, hold_s
        self._factory = tuple(image.registers)
        self.orders = Orders(self._factory)

    @property
    def writable(self) -> frozenset[str]:
        """Names of the points that this DER takes."""
        takes = [SERVICE] if self._der.takes_limit else []
        takes += [LIMIT] if self._der.takes_limit and self._der.percent_of_w > 0 else []
        takes += [TARGET] if self._der.takes_target else []
        return frozenset((HEARTBEAT, *(name for what in takes for name in POINTS[what])))

    def get(self, name: str) -> float | None:
        """A point as it was last written."""
        self._image.registers[:] = self.orders.registers
        return self._image.get(name)

    def written(self, address: int, values: list[int], now_s: float) -> tuple[Orders, bool]:
        """What there would be after a write, and whether it asks for anything new.

        Raises:
            IllegalAddressError: part of it is outside of the map or read-only.
            RefusedError: this DER does not take it.
        """
        image = self._image
        image.registers[:] = self.orders.registers
        touched = frozenset(image.write(address, values))
        if not touched <= self.writable:
            raise RefusedError(f"{self._der.resource.id} takes no {', '.join(sorted(touched - self.writable))}")
        self._check(image)
        is_new = touched != {HEARTBEAT}
        if not is_new and not self.orders.are_ours:
            return Orders(tuple(image.registers), self.orders.ends_s, are_ours=False), False
        ends_s = {what: end_s for what, end_s in self.orders.ends_s.items() if self._is_active(what)}
        for what, names in POINTS.items():
            if self._is_active(what) and (touched & set(names) or self._reversion_s(what) is None):
                ends_s[what] = now_s + (self._reversion_s(what) or self._hold_s)
        return Orders(tuple(image.registers), ends_s), is_new

    def due(self, now_s: float) -> Orders | None:
        """What there would be after everything that has ended by now; `None` where nothing has."""
        ended = [what for what, end_s in self.orders.ends_s.items() if now_s >= end_s]
        if not ended:
            return None
        self._image.registers[:] = self.orders.registers
        ends_s = dict(self.orders.ends_s)
        for what in ended:
            del ends_s[what]
            if self._revert(what) and self.orders.are_ours:
                ends_s[what] = now_s + self._hold_s
        return Orders(tuple(self._image.registers), ends_s, self.orders.are_ours)

    def wish(self, orders: Orders, now_s: float) -> Wish:
        """What some orders ask for, all together."""
        if not orders.ends_s:
            return Wish()
        image = self._image
        image.registers[:] = orders.registers
        floor_w, ceiling_w, target_w = None, None, None
        if LIMIT in orders.ends_s:
            ceiling_w = self._watts("704.WMaxLimPct")
        if TARGET in orders.ends_s:
            watts = image.get("704.WSetMod") == WATTS
            target_w = image.get("704.WSet") or 0.0 if watts else self._watts("704.WSetPct")
        if SERVICE in orders.ends_s:
            floor_w, ceiling_w, target_w = self._out_of_service.floor_w, 0.0, None
        lasts_s = max(min(orders.ends_s.values()) - now_s, 0.0) + GRACE_S
        return Wish(Bounds(floor_w, ceiling_w), target_w, lasts_s)

    def adopt(self, asked: OperatorInstruction | None, *, are_ours: bool) -> None:
        """Take up what holds by another door, or held before a restart; nothing of it keeps its reversion value."""
        self._image.registers[:] = self._factory
        ends_s: dict[str, float] = {}
        if asked is not None:
            ends_s = dict.fromkeys(self._shown_as(asked), asked.expires_s)
        self.orders = Orders(tuple(self._image.registers), ends_s, are_ours)

    def _shown_as(self, asked: OperatorInstruction) -> Iterator[str]:
        image, of_w = self._image, self._der.percent_of_w
        if asked.limit == self._out_of_service:
            image.set("703.ES", 0)
            yield SERVICE
            return
        if asked.limit.ceiling_w is not None and of_w > 0:
            image.set("704.WMaxLimPctEna", 1)
            image.set("704.WMaxLimPct", min(max(100 * asked.limit.ceiling_w / of_w, 0.0), 100.0))
            yield LIMIT
        if asked.target_w is not None and self._der.takes_target:
            image.set("704.WSetEna", 1)
            image.set("704.WSetMod", WATTS)
            image.set("704.WSet", asked.target_w)
            yield TARGET

    @property
    def _out_of_service(self) -> Bounds:
        """No active power either way: the gateway has no contactor that every DER would have."""
        return Bounds(0.0 if self._der.p_min_w < 0 else None, 0.0)

    def _is_active(self, what: str) -> bool:
        if what == SERVICE:
            return self._image.get("703.ES") == 0
        return self._image.get(POINTS[what][0]) == 1

    def _reversion_s(self, what: str) -> float | None:
        """The reversion time that a master gave; `None` where it gave none."""
        return None if what == SERVICE else self._image.get(POINTS[what][-1]) or None

    def _revert(self, what: str) -> bool:
        """Let the reversion value take over; False where there is none, and then nothing is asked any more."""
        image = self._image
        if what == SERVICE:
            image.set("703.ES", 1)
            return False
        enable, values = (
            ("704.WMaxLimPctEnaRvrt", {"704.WMaxLimPct": "704.WMaxLimPctRvrt"})
            if what == LIMIT
            else ("704.WSetEnaRvrt", {"704.WSet": "704.WSetRvrt", "704.WSetPct": "704.WSetPctRvrt"})
        )
        timed = self._reversion_s(what) is not None
        image.set(POINTS[what][-1], 0)
        if not timed or image.get(enable) != 1:
            image.set(POINTS[what][0], 0)
            return False
        for name, source in values.items():
            image.set(name, image.get(source))
        return True

    def _watts(self, percent_point: str) -> float:
        return (self._image.get(percent_point) or 0.0) / 100 * self._der.percent_of_w

    def _check(self, image: ModelImage) -> None:
        for name in (*_SWITCHES, *(_TARGET_SWITCHES if self._der.takes_target else ())):
            if image.get(name) not in (0.0, 1.0):
                raise RefusedError(f"{name}: {image.get(name)} is neither 0 nor 1")
        for name in ("704.WMaxLimPct", "704.WMaxLimPctRvrt"):
            percent = image.get(name)
            if percent is None or percent > 100:
                raise RefusedError(f"{name}: {percent} is not a percentage")


def leave_factory(image: ModelImage, der: ShownDer) -> None:
    """Set everything that may be written to what asks for nothing."""
    for name in (*POINTS[LIMIT], *(POINTS[TARGET] if der.takes_target else ())):
        image.set(name, 0)
    image.set("703.ES", 1)
    image.set("704.WMaxLimPct", 100)
    image.set("704.WMaxLimPctRvrt", 100)
    image.set(HEARTBEAT, 0)
    if der.takes_target:
        image.set("704.WSetMod", WATTS)
