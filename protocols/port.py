"""The one port: what the gateway asks of every adapter, whatever its protocol."""

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from protocols.points import Point
from protocols.signals import Ack, Command, Instruction, Signal

Emit = Callable[[Sequence[Signal]], None]
"""Takes a batch of signals and returns at once; it never waits and never raises."""

Now = Callable[[], float]
"""Unix seconds UTC; passed in, so that pure code and tests own the time."""


class Adapter(Protocol):
    """One connection to the field, speaking for one or more resources."""

    @property
    def resources(self) -> frozenset[str]:
        """Ids of the DERs and assets that this adapter reads or controls."""
        ...

    async def run(self, emit: Emit) -> None:
        """Connect, read and reconnect until cancelled, handing each batch of signals to `emit`.

        A broken link is reported as `LinkChanged` and retried with capped, jittered backoff; it is
        never raised. What does escape is a defect, and ends in the crash barrier.
        """
        ...

    async def apply(self, instruction: Instruction) -> Ack:
        """Bring one instruction to its device and tell what became of it.

        Never raises for what a device or a link does: a refusal is `REJECTED`, silence that reading
        back could not resolve is `UNKNOWN`, what was not sent or what the device shows not to hold after
        silence is `UNDELIVERED`, an older version is `SUPERSEDED`. Later answers of the same instruction
        (Received, Started, Completed) arrive through `emit`. Nothing is sent twice: whoever asked decides
        whether it is told again.
        """
        ...


@runtime_checkable
class Operator(Protocol):
    """Whoever carries out operations of the network: the utility's ADMS."""

    @property
    def operates(self) -> frozenset[Point]:
        """Points that can be told where to go."""
        ...

    async def operate(self, command: Command) -> Ack:
        """Hand one command over and tell whether it was taken; that it was carried out is shown by the field.

        Never raises for what the ADMS or the link does: a refusal is `REJECTED`, silence is `UNKNOWN`.
        """
        ...
