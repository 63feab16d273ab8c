"""Whether a client still polls us: the only sign of life that a 2030.5 device gives."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from protocols.signals import LinkChanged, LinkState

_MISSED_ONE, _MISSED_THREE = 1.5, 3.0
"""In poll intervals: half an interval of grace before the first poll counts as missed."""


@dataclass(slots=True)
class Links:
    """Last sign of life and link state by resource."""

    poll_rate_s: float
    seen_s: dict[str, float] = field(default_factory=dict)
    """The longest silent one first."""
    states: dict[str, LinkState] = field(default_factory=dict)

    def seen(self, resource: str, what: str, now: float) -> LinkChanged | None:
        """Note a request; returns the change where the link was not online."""
        self.seen_s.pop(resource, None)
        self.seen_s[resource] = now
        return self._change(resource, LinkState.ONLINE, now, f"{what} arrived over mutual TLS")

    def check(self, now: float) -> Iterator[LinkChanged]:
        """The links that have gone quiet."""
        for resource, seen in self.seen_s.items():
            silence = now - seen
            if silence > _MISSED_THREE * self.poll_rate_s:
                state = LinkState.LOST
            elif silence > _MISSED_ONE * self.poll_rate_s:
                state = LinkState.DEGRADED
            else:
                break
            detail = f"no request for {silence:.0f} s, asked to poll every {self.poll_rate_s:.0f} s"
            if (change := self._change(resource, state, now, detail)) is not None:
                yield change

    def _change(self, resource: str, state: LinkState, now: float, detail: str) -> LinkChanged | None:
        if self.states.get(resource) is state:
            return None
        self.states[resource] = state
        return LinkChanged(resource, state, now, detail)
