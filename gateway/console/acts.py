"""What an operator does: each act is in the journal with who did it before anything follows from it."""

from collections.abc import Awaitable
from typing import TypeVar

from gateway.console import markets, views
from gateway.console import queue as waits
from gateway.console import words as w
from gateway.console.seat import Seat
from gateway.coordination.market import Mode
from gateway.coordination.trade_records import ORDERED
from gateway.coordination.zone import Resource
from gateway.desk import RefusedInstruction, UnrecordedInstruction
from gateway.exchange import CannotRecord, RefusedMessage
from ieee2030_5.admin.refusal import Refusal, unknown
from ieee2030_5.records import KeepError
from protocols.signals import Bounds

T = TypeVar("T")


async def rule(seat: Seat, action: str, what: w.RulingIn) -> w.WaitingList:
    """Let an action that waits out, or drop it; what waits then."""
    at = seat.situation()
    if action not in at.book.approvals.waiting:
        auto = "; in mode auto nothing ever waits" if at.zone.approval.mode is Mode.AUTO else ""
        raise unknown("action", action, f"`ampacity approve ZONE` shows what waits{auto}")
    await _done("action", seat.exchange.rule(action, approved=what.approved, by=what.by))
    return waits.waiting(seat.situation())


async def declare(seat: Seat, what: w.EmergencyIn) -> w.EmergencyOut:
    """Declare an emergency."""
    made = await _done("scope", seat.exchange.declare(what.level, what.scope, what.because, what.by))
    return views.emergency_of(seat.situation().book.emergencies.records[made])


async def clear(seat: Seat, emergency: str, what: w.Act) -> w.EmergencyOut:
    """End an emergency: limits hold again as they would without it."""
    records = seat.situation().book.emergencies.records
    if emergency not in records:
        raise unknown("emergency", emergency, "`ampacity emergency list ZONE` shows all")
    await _done("emergency", seat.exchange.clear(emergency, what.by))
    return views.emergency_of(seat.situation().book.emergencies.records[emergency])


async def order(seat: Seat, what: w.OrderIn) -> w.InstanceOut:
    """Order a part of an offer that stands."""
    made = await _done("offer", seat.exchange.order(what.offer, what.power_w, what.by))
    return markets.instance(seat.situation().book.trade.instances[made])


async def revoke(seat: Seat, order_id: str, what: w.RevocationIn) -> w.InstanceOut:
    """Take an order back that has not begun."""
    held = seat.situation().book.trade.instances.get(order_id)
    if held is None or held.source not in ORDERED:
        raise unknown("order", order_id, "`ampacity order list ZONE` shows those that are not over")
    await _done("order", seat.exchange.revoke(order_id, what.because, what.by))
    return markets.instance(held)


async def instruct(seat: Seat, der: Resource, what: w.InstructionIn) -> w.InstructionOut:
    """Ask one resource for a box or a set point; limits stand all the same."""
    if what.floor_w is not None and what.ceiling_w is not None and what.floor_w > what.ceiling_w:
        raise Refusal(400, "the floor is above the ceiling", "floor_w", "give a floor that is not above the ceiling")
    if what.floor_w is what.ceiling_w is what.target_w is None:
        raise Refusal(
            400, "nothing is asked for", "body", "give floor_w, ceiling_w or target_w; DELETE ends what holds"
        )
    box = Bounds(what.floor_w, what.ceiling_w)
    return views.instruction(
        await _done("der", seat.desk.instruct(der.id, box, what.target_w, what.lasts_s, f"{what.by} at the console"))
    )


async def withdraw(seat: Seat, der: Resource, what: w.Act) -> None:
    """Ask nothing of a resource any more."""
    await _done("der", seat.desk.withdraw(der.id, f"{what.by} at the console"))


async def _done(where: str, doing: Awaitable[T]) -> T:
    """What came of it, or the refusal in the words of the API."""
    try:
        return await doing
    except (RefusedMessage, RefusedInstruction) as error:
        remedy = "nothing was done; `ampacity status ZONE` shows what is there"
        raise Refusal(409, str(error), where, remedy) from error
    except (CannotRecord, UnrecordedInstruction) as error:
        raise KeepError(str(error)) from error
