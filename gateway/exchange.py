"""What parties say and are told: taken once and journalled, answered at once, and posted without waiting.

The operator's own actions come in by the same door: approvals, emergencies, orders taken back.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from gateway.coordination import (
    admission,
    answers,
    approval,
    conduct,
    contesting,
    emergency,
    host,
    masking,
    orders,
    ownership,
    routing,
    sense,
    settling,
)
from gateway.coordination.events import Received, Ruled, Sent
from gateway.coordination.market_messages import OfferSubmit, Register
from gateway.coordination.messages import Message
from gateway.coordination.situation import Situation
from gateway.coordination.zone import DsoModel
from gateway.ground import Ground, Send
from gateway.record import Acted

Decide = Callable[[Situation], tuple[Message, ...]]
"""What follows from an operator's action; raises `ValueError` where it cannot be."""


class RefusedMessage(Exception):  # noqa: N818 - a decision, not a defect
    """A party's message, or an operator's action, is not taken; says why."""


class CannotRecord(Exception):  # noqa: N818 - a state of the disk, not a defect
    """The journal cannot be written, so nothing may be promised; worth trying again later."""


class _SeenBefore(Exception):  # noqa: N818 - no defect either
    """The same message came again."""


@dataclass(slots=True)
class Exchange:
    """The party side of one zone."""

    ground: Ground
    send: Send
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One operator's action after the other, so that each stands on what the one before has changed."""

    def reached(self, party: str, since_s: float) -> None:
        """A party takes messages again since a moment, or none any more where that is infinite."""
        self.ground.reached_s[party] = since_s
        self.ground.wake.set()

    async def receive(self, message: Message) -> None:
        """Take a party's message; returns once it is on the disk.

        Raises:
            RefusedMessage: It may not travel, or speaks of something that is not here.
            CannotRecord: The journal cannot be written now.
        """
        ground, at_s = self.ground, self.ground.now()
        stale = False

        def check() -> None:
            nonlocal stale
            if message.key in ground.book.seen:
                raise _SeenBefore
            problem = routing.refusal(ground.zone, message) or self._unknown(message) or self._untimely(message, at_s)
            if problem is not None:
                raise RefusedMessage(problem)
            stale = ground.book.is_stale(message, at_s)

        try:
            if not await ground.ledger.commit([Received(self._kept(message), at_s)], check=check):
                raise CannotRecord("the journal cannot be written; nothing was taken")
        except RefusedMessage as refused:
            ground.say.refused(message, str(refused))
            raise
        except _SeenBefore:
            ground.say.duplicate(message)
            return
        ground.say.received(message, stale=stale)
        at = ground.situation()
        owed = () if stale else answers.answers(at, message)
        after = contesting.followed(at, message)
        await ground.ledger.commit(after.events)
        ground.say.settled(after.events)
        await self.tell(at, (*owed, *after.messages, *host.copied(at, message)))
        ground.wake.set()

    async def tell(self, at: Situation, messages: Sequence[Message], *before: Acted) -> bool:
        """Journal what may travel, after whose act it is, and post it; False where the journal cannot be written."""
        sent = self.outgoing(at, messages)
        if not await self.ground.ledger.commit([*before, *sent]):
            return False
        self.ground.say.sent(at, [one.message for one in sent])
        self.post(sent)
        self.ground.touched.set()
        return True

    def outgoing(self, at: Situation, messages: Sequence[Message]) -> list[Sent]:
        """Those messages that the matrix lets travel, ready for the journal."""
        return [Sent(message, at.now_s, at.cycle_id) for message in messages if self._may_travel(message)]

    def post(self, sent: Sequence[Sent]) -> None:
        """Hand over what was journalled, each message in a task of its own."""
        for one in sent:
            self.ground.tasks.create_task(self.send(one.message), name=f"send {one.message.header.msg_id}")

    # --- the operator

    async def rule(self, action_id: str, *, approved: bool, by: str) -> None:
        """Let a proposed action out, or drop it.

        Raises:
            RefusedMessage: nothing of that id waits.
            CannotRecord: the journal cannot be written now.
        """
        ground = self.ground
        proposal = ground.book.approvals.waiting.get(action_id)
        if proposal is None:
            waiting = ", ".join(ground.book.approvals.waiting) or "nothing"
            raise RefusedMessage(f"{action_id} does not wait for an operator; waiting: {waiting}")
        at = ground.situation()
        sent = self.outgoing(at, conduct.accompanied(at, approval.let_out(at, proposal))) if approved else []
        plan = [replace(proposal.plan, at_s=at.now_s)] if approved and proposal.plan is not None else []
        ruled = Ruled(action_id, at.now_s, approved, by)

        def check() -> None:
            if action_id not in ground.book.approvals.waiting:
                raise RefusedMessage(f"somebody else has just decided about {action_id}")

        if not await ground.ledger.commit([ruled, *plan, *sent], check=check):
            raise CannotRecord("the journal cannot be written; nothing was decided")
        ground.say.ruled(proposal, ruled)
        self.post(sent)
        ground.touched.set()
        ground.wake.set()

    async def declare(self, level: int, scope: str, detail: str, by: str = "") -> str:
        """Declare an emergency; its id. As with all that an operator does, `by` is in the journal before any effect.

        Raises:
            RefusedMessage: there is no such scope or level.
            CannotRecord: the journal cannot be written now.
        """
        what = f"declares an emergency of level {level} in {scope}"
        return await self._act(lambda at: emergency.declared(at, level, scope, detail), by, what, detail)

    async def clear(self, emergency_id: str, by: str = "") -> str:
        """End an emergency; its id.

        Raises:
            RefusedMessage: it does not last.
            CannotRecord: the journal cannot be written now.
        """
        return await self._act(lambda at: emergency.cleared(at, emergency_id), by, "clears an emergency")

    async def revoke(self, order_id: str, detail: str, by: str = "") -> str:
        """Take an order back; its id.

        Raises:
            RefusedMessage: there is no such order, or it has begun.
            CannotRecord: the journal cannot be written now.
        """
        return await self._act(lambda at: (orders.revoked(at, order_id, detail),), by, "revokes an order", detail)

    async def order(self, offer_id: str, power_w: float, by: str = "") -> str:
        """Order what was offered, by hand; the order's id.

        Raises:
            RefusedMessage: the offer does not stand, or is of less.
            CannotRecord: the journal cannot be written now.
        """
        what = f"orders {power_w / 1e6:.3f} MW of offer {offer_id}"
        return await self._act(lambda at: (orders.ordered(at, offer_id, power_w),), by, what)

    async def _act(self, decide: Decide, by: str, what: str, because: str = "") -> str:
        async with self._turn:
            at = self.ground.situation()
            try:
                messages = decide(at)
            except ValueError as error:
                raise RefusedMessage(str(error)) from error
            acted = [Acted(at.now_s, by, what, messages[0].header.corr_id, because)] if by else []
            copies = [copy for one in messages for copy in host.copied(at, one)]
            if not await self.tell(at, [*messages, *copies], *acted):
                raise CannotRecord("the journal cannot be written; nothing was done")
        self.ground.wake.set()
        return messages[0].header.corr_id

    # --- what may come

    def _unknown(self, message: Message) -> str | None:
        """Why a message is about nothing here; offers and registrations are answered instead."""
        resource, zone = message.resource, self.ground.zone
        known = resource in zone.resources or resource in zone.market.nodes
        if not resource or known or isinstance(message.body, OfferSubmit | Register):
            return None
        return f"UNKNOWN_RESOURCE: {resource} is not a resource of zone {zone.id}"

    def _untimely(self, message: Message, at_s: float) -> str | None:
        """Why a message about something here cannot be taken: it is another's, or not as it is now."""
        trade = self.ground.book.trade
        problem = ownership.refusal(self.ground.zone, trade, message) or sense.refusal(message)
        return problem or admission.refusal(trade, message, at_s) or self._unsettled(message)

    def _unsettled(self, message: Message) -> str | None:
        """Why a dispute or a statement cannot be taken."""
        return contesting.refusal(self.ground.situation(), message) or settling.refusal(message)

    def _kept(self, message: Message) -> Message:
        """Without its own text, unless that has to be passed on unchanged."""
        relayed = self.ground.zone.model is DsoModel.MARKET_FACILITATOR
        return message if relayed else replace(message, raw="")

    def _may_travel(self, message: Message) -> bool:
        problem = routing.refusal(self.ground.zone, message) or masking.refusal(self.ground.zone, message)
        if problem is not None:
            self.ground.say.refused(message, problem)
        return problem is None
