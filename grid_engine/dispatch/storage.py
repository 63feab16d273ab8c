"""What the energy in a store allows: powers held through intervals, as early and as much as was wanted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grid_engine.dispatch.words import Store


@dataclass(frozen=True, slots=True)
class Held:
    """One interval of a store."""

    power_w: float
    """At the point of interconnection, positive for injection."""
    charge_wh: float
    """In the store at the end."""


def schedule(store: Store, wanted_w: Sequence[float], interval_s: float) -> tuple[Held, ...]:
    """Per interval what the store gives or takes of the power wanted; less only where its energy ends."""
    return tuple(_held(store, wanted_w, interval_s / 3600))


def reach_w(store: Store, hours: float) -> tuple[float, float]:
    """The powers that the store can hold for so long, most intake (negative) and most injection."""
    give_wh = max(store.charge_wh - store.charge_min_wh, 0.0) * store.efficiency_out
    take_wh = max(_full_wh(store) - store.charge_wh, 0.0) / store.efficiency_in
    return -take_wh / hours, give_wh / hours


def _held(store: Store, wanted_w: Sequence[float], hours: float) -> Iterator[Held]:
    charge_wh = store.charge_wh
    for wanted in wanted_w:
        if wanted >= 0:
            power_w = min(wanted, max(charge_wh - store.charge_min_wh, 0.0) * store.efficiency_out / hours)
            charge_wh -= power_w * hours / store.efficiency_out
        else:
            power_w = -min(-wanted, max(_full_wh(store) - charge_wh, 0.0) / store.efficiency_in / hours)
            charge_wh -= power_w * hours * store.efficiency_in
        yield Held(power_w, charge_wh)


def _full_wh(store: Store) -> float:
    return min(store.charge_max_wh, store.capacity_wh)
