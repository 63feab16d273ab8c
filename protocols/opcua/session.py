"""What the adapter asks of a session, so that one may be recorded or played."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from protocols.opcua.client import Changed
from protocols.opcua.sequence import Numbers
from protocols.opcua.values import Reading


class Session(Protocol):
    """One session as the adapter sees it: `OpcUaClient`, or what records or plays one."""

    @property
    def sequence(self) -> Numbers:
        """Of the newest subscription."""
        ...

    async def open(self) -> None:
        """Connect and open a session."""

    async def close(self) -> None:
        """Leave."""

    async def idle(self, for_s: float) -> None:
        """Wait that long; raise as soon as the link is lost."""

    def review(self) -> None:
        """Judge the server anew where the trust list has changed."""

    async def variables(self, folder: str) -> dict[str, str]:
        """As `OpcUaClient.variables`."""
        ...

    async def read(self, nodes: Sequence[str]) -> list[Reading]:
        """As `OpcUaClient.read`."""
        ...

    async def write(self, values: Mapping[str, float]) -> dict[str, str]:
        """As `OpcUaClient.write`."""
        ...

    async def subscribe(self, nodes: Sequence[str], publishing_s: float, changed: Changed) -> dict[str, str]:
        """As `OpcUaClient.subscribe`."""
        ...
