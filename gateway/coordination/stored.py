"""What a store can keep up: powers ahead, cut to the energy that is left and to the room that is free."""

from collections.abc import Sequence
from math import inf

from gateway.coordination.zone import Storage

HOUR_S = 3_600.0


def sustained(
    storage: Storage, charge_pu: float, wishes_w: Sequence[float], starts_s: Sequence[float], interval_s: float
) -> tuple[float, ...]:
    """The mean power per interval that the energy allows, W; what stands first is now and stays as it is.

    Args:
        charge_pu: state of charge now, 0 to 1.
        wishes_w: from each of `starts_s` on, the first of which is now; positive discharges.
        interval_s: length of the last interval.
    """
    least_wh, most_wh = storage.least_pu * storage.energy_wh, storage.energy_wh
    held_wh = min(max(charge_pu, 0.0), 1.0) * storage.energy_wh
    ends_s = (*starts_s[1:], starts_s[-1] + interval_s)
    found: list[float] = []
    for wish_w, start_s, end_s in zip(wishes_w, starts_s, ends_s, strict=True):
        hours = (end_s - start_s) / HOUR_S
        out_w = max(held_wh - least_wh, 0.0) * storage.efficiency_out / hours if hours > 0 else inf
        in_w = max(most_wh - held_wh, 0.0) / storage.efficiency_in / hours if hours > 0 else inf
        power_w = min(max(wish_w, -in_w), out_w)
        held_wh -= power_w * hours / storage.efficiency_out if power_w > 0 else power_w * hours * storage.efficiency_in
        found.append(power_w)
    return (wishes_w[0], *found[1:])
