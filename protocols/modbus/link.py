"""The life of the link to one unit, and how often a lost one is asked again."""

from dataclasses import dataclass
from typing import Final

from protocols.signals import LinkState

LOST_AFTER: Final = 3
"""Missed polls."""


@dataclass(slots=True)
class Link:
    """Counts missed polls; each method returns the new state where it changed, else `None`."""

    state: LinkState = LinkState.INIT
    missed_polls: int = 0
    detail: str = "never answered"
    """Why the state is what it is."""

    @property
    def is_down(self) -> bool:
        """True while the unit has to be found anew before it can be read."""
        return self.state in {LinkState.INIT, LinkState.LOST}

    def answered(self, detail: str) -> LinkState | None:
        """A poll succeeded."""
        self.missed_polls = 0
        return self._become(LinkState.ONLINE, detail)

    def missed(self, detail: str) -> LinkState | None:
        """A poll got no answer."""
        self.missed_polls += 1
        if self.missed_polls >= LOST_AFTER:
            return self._become(LinkState.LOST, f"{self.missed_polls} polls missed, the last: {detail}")
        if self.is_down:
            self.detail = detail
            return None
        return self._become(LinkState.DEGRADED, detail)

    def lost(self, detail: str) -> LinkState | None:
        """The connection is gone; the next one starts with a clean count."""
        self.missed_polls = 0
        return self._become(LinkState.LOST, detail)

    def interval_s(self, poll_s: float, longest_s: float) -> float:
        """Until the next poll: doubled for each poll missed beyond those that made it lost."""
        doublings = max(0, self.missed_polls - LOST_AFTER + 1)
        return max(poll_s, min(poll_s * 2.0 ** min(doublings, 32), longest_s))

    def _become(self, state: LinkState, detail: str) -> LinkState | None:
        if state is self.state:
            return None
        self.state, self.detail = state, detail
        return state
