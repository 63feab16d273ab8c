"""The operator's desk: the one way in for instructions by hand, journalled before they have any effect."""

import asyncio
from collections.abc import Callable

from gateway.clock import Now
from gateway.coordination.events import Instructed
from gateway.coordination.operator import OperatorInstruction, refusal
from gateway.coordination.zone import ZoneFacts
from gateway.ledger import Ledger
from gateway.narrate import Narrator
from protocols.signals import Bounds


class RefusedInstruction(Exception):  # noqa: N818 - a decision, not a defect
    """An instruction is not taken; says why."""


class UnrecordedInstruction(Exception):  # noqa: N818 - a state of the disk, not a defect
    """The journal cannot be written, so nothing may be promised; worth trying again later."""


class Desk:
    """Takes instructions for one zone; the control loop then treats them by its own rules."""

    def __init__(self, zone: ZoneFacts, ledger: Ledger, now: Now, say: Narrator, wake: Callable[[], None]) -> None:
        """`wake` makes the loop look at what is to be told to devices."""
        self._zone, self._ledger, self._now, self._say, self._wake = zone, ledger, now, say, wake
        self._turn = asyncio.Lock()
        """One after the other, so that each has a version of its own."""

    def standing(self, resource: str) -> OperatorInstruction | None:
        """What is asked of a resource now."""
        return self._ledger.book.operator_at(resource, self._now())

    def version(self, resource: str) -> int:
        """Which instruction to a resource is the newest, also where it no longer holds; 0 before the first."""
        held = self._ledger.book.operator.get(resource)
        return 0 if held is None else held.version

    async def instruct(
        self, resource: str, limit: Bounds, target_w: float | None, lasts_s: float, source: str
    ) -> OperatorInstruction:
        """Ask for all of this and nothing else from now on; returns once it is on the disk.

        Raises:
            RefusedInstruction: The resource does not take it.
            UnrecordedInstruction: The journal cannot be written now.
        """
        async with self._turn:
            version, at_s = self.version(resource) + 1, self._now()
            asked = OperatorInstruction(
                f"{resource}-o{version}", resource, version, at_s, at_s + lasts_s, source, limit, target_w
            )
            problem = refusal(self._zone, asked)
            if problem is not None:
                self._say.operator_refused(asked, problem)
                raise RefusedInstruction(problem)
            if not await self._ledger.commit([Instructed(asked)]):
                raise UnrecordedInstruction("the journal cannot be written; nothing was taken")
        self._say.operated(asked)
        self._wake()
        return asked

    async def withdraw(self, resource: str, source: str) -> None:
        """Ask for nothing any more; nothing happens where nothing is asked.

        Raises:
            UnrecordedInstruction: The journal cannot be written now.
        """
        if self.standing(resource) is not None:
            await self.instruct(resource, Bounds(), None, 1.0, source)
