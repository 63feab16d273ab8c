"""What the tasks of the control loop stand on together: facts, image, ledger, clock, and the group they run in."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

from gateway.clock import Now
from gateway.coordination.book import Book
from gateway.coordination.messages import Message
from gateway.coordination.situation import Situation
from gateway.coordination.timekeeping import OURS, OwnClock, Skewed, SourceClocks
from gateway.coordination.zone import ZoneFacts
from gateway.ledger import Ledger
from gateway.narrate import Narrator
from gateway.snapshot import Image
from grid_engine.results import Answer, Status

Send = Callable[[Message], Coroutine[None, None, None]]
"""Sees to it that one message, which stands in the journal, reaches its recipient; says itself what becomes of it."""


@dataclass(slots=True)
class Pace:
    """How fast the zone is controlled since the start; for people and their instruments."""

    cycles: int = 0
    cycles_s: float = 0.0
    """Time spent in all of them."""
    cycle_s: float = 0.0
    """Of the last one."""
    study_s: float = 0.0
    """Of the last study, as the engine took it."""
    failed: int = 0
    """Studies without an answer."""

    def cycled(self, took_s: float) -> None:
        """Take a cycle in."""
        self.cycles, self.cycles_s, self.cycle_s = self.cycles + 1, self.cycles_s + took_s, took_s

    def studied(self, answer: Answer) -> None:
        """Take a study in."""
        self.study_s, self.failed = answer.duration_s, self.failed + (answer.status is not Status.SOLVED)


@dataclass(slots=True)
class Ground:
    """One zone, shared by everything that controls it."""

    zone: ZoneFacts
    image: Image
    ledger: Ledger
    now: Now
    say: Narrator
    confirmed: set[str] = field(default_factory=set)
    """Lost resources whose fallback the measured flows have confirmed."""
    reached_s: dict[str, float] = field(default_factory=dict)
    """By party that was lost: since when it takes messages again, infinite while it does not."""
    tasks: asyncio.TaskGroup = field(default_factory=asyncio.TaskGroup)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where the next cycle should not wait."""
    touched: asyncio.Event = field(default_factory=asyncio.Event)
    """Set where devices may have to be told something."""
    pace: Pace = field(default_factory=Pace)
    own_clock: OwnClock = field(default_factory=OwnClock)
    their_clocks: SourceClocks = field(default_factory=SourceClocks)
    skewed: Callable[[Skewed, float], None] = lambda _found, _at_s: None
    """Hears of clocks that are off, or agree again, with the time."""

    @property
    def book(self) -> Book:
        """What has been agreed so far."""
        return self.ledger.book

    def situation(self, cycle_id: str = "") -> Situation:
        """Everything that a decision may look at, now."""
        now_s = self.now()
        if (found := self.own_clock.look(now_s, asyncio.get_running_loop().time())) is not None:
            self.skewed(found, now_s)
        ours = {OURS} if self.own_clock.quarantined else set()
        return Situation(
            self.zone,
            self.book,
            self.image.freeze(now_s),
            cycle_id,
            confirmed=frozenset(self.confirmed),
            doubtful=frozenset(ours | self.their_clocks.off),
            reached_s=dict(self.reached_s),
        )


async def woken(event: asyncio.Event, within_s: float) -> None:
    """Return when the event is set, or after a while, with the event cleared."""
    try:
        async with asyncio.timeout(within_s):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()
