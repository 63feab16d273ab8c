"""What waits for an operator, and what he has turned down: rebuilt by folding what was proposed and ruled."""

from dataclasses import dataclass, field
from typing import Final

from gateway.coordination.events import Proposed, Ruled

BY_NEWER: Final = "a newer proposal"
"""Who rules where something else is proposed in its place."""


@dataclass(slots=True)
class Approvals:
    """The operator's queue; `fold` is its only mutation."""

    waiting: dict[str, Proposed] = field(default_factory=dict)
    """By action."""
    turned_down: dict[str, float] = field(default_factory=dict)
    """Until when an action is not proposed again: it would have lapsed then."""
    skipped_s: float | None = None
    """When operations of the network were last turned down, or not approved in time."""

    def fold(self, event: Proposed | Ruled) -> None:
        """Take one event in."""
        if isinstance(event, Proposed):
            self.waiting[event.action_id] = event
            return
        dropped = self.waiting.pop(event.action_id, None)
        self.turned_down = {one: until_s for one, until_s in self.turned_down.items() if until_s > event.at_s}
        turned_down = dropped is not None and not event.approved and event.by != BY_NEWER
        if dropped is not None and turned_down and dropped.plan is not None:
            self.skipped_s = event.at_s
        if dropped is not None and turned_down and dropped.expires_s > event.at_s:
            self.turned_down[event.action_id] = dropped.expires_s
