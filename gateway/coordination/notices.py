"""What the engine noticed and no limit answers: unbalance, and what was broken before anybody asked for anything."""

from collections.abc import Iterator

from gateway.coordination.events import Alarmed
from gateway.coordination.situation import Situation
from grid_engine.results import Answer, Reason, Violation


def noticed(at: Situation, answer: Answer) -> Iterator[Alarmed]:
    """Alarms of now, of every reason the worst; each asset once."""
    worst: dict[Reason, Violation] = {}
    for found in answer.alarms:
        held = worst.get(found.reason)
        if found.interval == 0 and (held is None or _excess(found) > _excess(held)):
            worst[found.reason] = found
    for reason, found in worst.items():
        if (reason.value, found.asset_id) not in at.book.alarms:
            told = f"{found.value:.4g} {found.unit} of {found.limit:.4g} at {found.asset_id}, case {found.case}"
            yield Alarmed(reason.value, found.asset_id, at.now_s, told)


def _excess(found: Violation) -> float:
    return abs(found.value - found.limit) / abs(found.limit or 1.0)
