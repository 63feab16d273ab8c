"""Nameplates: what devices say of themselves, held against what the zone file says of them."""

from collections.abc import Iterator
from typing import Final

from gateway.coordination.events import Alarmed
from gateway.coordination.situation import Situation
from protocols.points import Quantity

MISMATCH: Final = "NAMEPLATE_MISMATCH"
SAME: Final = 0.01
"""Share of the nameplate by which both may differ."""


def differing(at: Situation) -> Iterator[Alarmed]:
    """An alarm for each device that is not what the zone file says; once."""
    for resource in at.zone.resources.values():
        said = at.snapshot.reading(resource.id, Quantity.RATED_POWER_W, stale=True)
        if said is None or resource.nameplate_w is None or (MISMATCH, resource.id) in at.book.alarms:
            continue
        if abs(said.value - resource.nameplate_w) > SAME * abs(resource.nameplate_w):
            told, written = said.value / 1e6, resource.nameplate_w / 1e6
            detail = (
                f"the device says that it is made for {told:.3f} MW, the zone file {written:.3f} MW; correct either"
            )
            yield Alarmed(MISMATCH, resource.id, at.now_s, detail)
