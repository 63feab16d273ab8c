"""Has a lost device really fallen back? Its own timer is a promise; the flows on the feeder are the proof."""

from collections.abc import Sequence
from dataclasses import replace

from gateway.coordination.book import Book
from gateway.coordination.situation import Situation
from gateway.coordination.study import standing
from grid_engine.results import Answer, Flow, Status
from protocols.points import Quantity
from protocols.signals import Control, LinkState

AGREEMENT_W = 100_000.0
"""Flows must agree within what this much power of the device would change."""


def awaiting(at: Situation) -> tuple[str, ...]:
    """Lost resources whose lease has run out, whose reversion was read back, and that are not yet confirmed."""
    return tuple(
        r
        for r in at.zone.resources
        if at.snapshot.link(r) is LinkState.LOST and r not in at.confirmed and _lease_over(at.book, r, at.now_s)
    )


def _lease_over(book: Book, resource: str, now_s: float) -> bool:
    record = book.controls.get(resource)
    if record is None or not record.read_back or not isinstance(record.instruction, Control):
        return False
    return now_s >= record.instruction.expiry_s


def powers(at: Situation, resource_id: str) -> tuple[float, float]:
    """The two powers to tell apart, W: the worst that is assumed, and the fallback."""
    resource = at.zone.resources[resource_id]
    worst_w = standing(at, resource).power_w
    return worst_w, resource.static.clamp(worst_w)


def agrees(at: Situation, worst: Answer, fallback: Answer, difference_w: float) -> bool:
    """True where every flow that can tell the two apart is measured as the fallback predicts.

    Args:
        worst: flows predicted with the device at its worst.
        fallback: flows predicted with the device at its fallback.
        difference_w: power between the two, W.
    """
    if worst.status is not Status.SOLVED or fallback.status is not Status.SOLVED or abs(difference_w) < AGREEMENT_W:
        return False
    telling = 0
    for high, low in _pairs(worst.flows, fallback.flows):
        measured = at.snapshot.reading(high.asset_id, Quantity.CURRENT_A)
        change_per_w = (high.value - low.value) / difference_w
        if measured is None or abs(change_per_w) * AGREEMENT_W <= 0.01 * low.value:
            continue  # not measured, or too little moved by this device to tell
        telling += 1
        if abs(measured.value - low.value) > abs(change_per_w) * AGREEMENT_W:
            return False
    return telling > 0


def kept(at: Situation, answer: Answer) -> Answer:
    """The answer as the journal keeps it: of its flows those of now that a measurement can be held against.

    A network has thousands of assets, and few of them are metered; the study says what it takes to find the rest.
    """
    metered = {point.resource for point in at.snapshot.measurements}
    flows = tuple(flow for flow in answer.flows if flow.interval == 0 and flow.asset_id in metered)
    return replace(answer, flows=flows)


def _pairs(worst: Sequence[Flow], fallback: Sequence[Flow]) -> list[tuple[Flow, Flow]]:
    low = {f.asset_id: f for f in fallback if f.interval == 0 and f.unit == "A"}
    return [(f, low[f.asset_id]) for f in worst if f.interval == 0 and f.unit == "A" and f.asset_id in low]
