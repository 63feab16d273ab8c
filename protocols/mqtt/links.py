"""Which resources are heard through a broker, and since when the others are silent."""

import asyncio
from collections.abc import Callable, Iterable

from protocols.port import Now
from protocols.signals import LinkChanged, LinkState

DEGRADED_AFTER = 1.5
"""Silent for so many times the regular pause between two messages."""
LOST_AFTER = 3.0


class Links:
    """Tells each change of state once."""

    def __init__(
        self, resources: Iterable[str], telemetry_s: float, broker: str, now: Now, tell: Callable[[LinkChanged], None]
    ) -> None:
        """`telemetry_s`: regular pause between two messages; `broker` is for people."""
        self._states = dict.fromkeys(sorted(resources), LinkState.INIT)
        self._heard_at: dict[str, float] = {}
        self._telemetry_s = telemetry_s
        self._broker = broker
        self._now = now
        self._tell = tell

    def heard(self, resource: str) -> None:
        """A sign of life."""
        self._heard_at[resource] = asyncio.get_running_loop().time()
        self._become(resource, LinkState.ONLINE, f"{resource} is heard at {self._broker}")

    def doubtful(self, resource: str, detail: str) -> None:
        """It is heard, but not understood."""
        if self._states[resource] is LinkState.ONLINE:
            self._become(resource, LinkState.DEGRADED, detail)

    def gone(self, resource: str, detail: str) -> None:
        """It is known to be away; silence means nothing more until it is heard again."""
        self._heard_at.pop(resource, None)
        self._become(resource, LinkState.LOST, detail)

    def all_gone(self, detail: str) -> None:
        """The same of everything."""
        for resource in self._states:
            self.gone(resource, detail)

    def forget(self) -> None:
        """The connection has ended: silence on the next one counts from its first message."""
        self._heard_at.clear()

    def mind_silence(self) -> None:
        """Degrade and lose what has not been heard for too long."""
        now = asyncio.get_running_loop().time()
        for resource, heard_at in self._heard_at.items():
            silent_s = now - heard_at
            detail = f"{resource} has said nothing for {silent_s:.1f} s at {self._broker}"
            if silent_s >= LOST_AFTER * self._telemetry_s:
                self._become(resource, LinkState.LOST, detail)
            elif silent_s >= DEGRADED_AFTER * self._telemetry_s:
                self._become(resource, LinkState.DEGRADED, detail)

    def _become(self, resource: str, state: LinkState, detail: str) -> None:
        if self._states[resource] is not state:
            self._states[resource] = state
            self._tell(LinkChanged(resource, state, self._now(), detail))
