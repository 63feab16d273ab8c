"""What the contract suite asks of each protocol: one simulated battery on a real server, and an adapter for it.

A protocol joins by adding a module `harness_<protocol>.py` here with a class `Harness` that implements
`ContractHarness`. The suite does the rest. The battery is resource `A`, 2.5 MW either way; it has to be
the testbed's `SimulatedDevice`, so that the suite can set faults and see the truth.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from gateway.clock import wall
from gateway.testbed.device import FAULTS, DeviceSpec, SimulatedDevice
from protocols.points import Point, Quantity
from protocols.port import Adapter
from protocols.signals import Ack, Baseline, Bounds, Control, LinkChanged, LinkState, Measurement, Outcome, Signal

RESOURCE = "A"
POWER = Point(RESOURCE, Quantity.ACTIVE_POWER_W)
SPEC = DeviceSpec(RESOURCE, p_max_w=2.5e6, p_min_w=-2.5e6, kind="bess", initial_w=1e6)
PATIENCE_S = 20.0
"""A bound for broken adapters, not a pace: everything here takes well below a second on an idle machine."""
LEASE_S = 900.0

_VERSIONS = itertools.count(1)


class Clock:
    """Unix seconds that a test may put forward; adapter and device share it, network deadlines do not follow it."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return wall() + self.ahead_s


class ContractHarness(Protocol):
    """One protocol's end of the suite. Poll every 0.05 to 0.1 s, with timeouts of 0.2 to 0.5 s."""

    answers_at_once: bool
    """True where `apply` ends in `WRITTEN`; false where the device fetches its controls later."""
    keeps_baseline: bool
    """True where the device can have had a limit of somebody else's, to be restored by `Release`."""
    takes_floor: bool
    """True where the device can be given a lower limit as such."""
    has_switch: bool
    """True where the device can be taken off the grid in an emergency."""
    step_w: float
    """Coarsest step in which the protocol carries a limit."""
    now: Clock
    device: SimulatedDevice
    """The truth; its `faults` have to work."""

    async def start(self) -> None:
        """Start the server on a free port of the loopback interface."""

    async def stop(self) -> None:
        """Stop the server and whatever belongs to it."""

    async def reset(self) -> None:
        """Bring device and server to a fresh state between two tests: no limit, no faults, 1 MW of power.

        `settle(device, now)` does the device's part.
        """

    def adapter(self) -> Adapter:
        """A new adapter for the device, not yet running."""


def settle(device: SimulatedDevice, now: Clock) -> None:
    """Take faults, limits, orders and timers off the device and let it inject 1 MW."""
    for fault in FAULTS:
        device.faults.switch(fault, on=False)
    device.set_limit(Bounds(), now(), None, Bounds())
    device.set_order(None, now())
    device.connect(now(), closed=True)
    device.set_target(SPEC.initial_w, now())


@dataclass(slots=True)
class Site:
    """A running adapter and all it has said."""

    harness: ContractHarness
    adapter: Adapter
    signals: list[Signal] = field(default_factory=list)

    @property
    def device(self) -> SimulatedDevice:
        """The truth, brought up to now."""
        self.harness.device.advance(self.harness.now())
        return self.harness.device

    @property
    def states(self) -> list[LinkState]:
        return [s.state for s in self.signals if isinstance(s, LinkChanged) and s.resource == RESOURCE]

    @property
    def baselines(self) -> list[Baseline]:
        return [s for s in self.signals if isinstance(s, Baseline)]

    def latest(self, point: Point = POWER) -> Measurement | None:
        found = (s for s in reversed(self.signals) if isinstance(s, Measurement) and s.point == point)
        return next(found, None)

    def forget(self) -> None:
        """Drop what was said so far."""
        self.signals.clear()

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for something to come true.

        Raises:
            AssertionError: it did not in `PATIENCE_S`.
        """
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not holds():  # noqa: ASYNC110 - the device's truth sends no events
                    await asyncio.sleep(0.01)
        except TimeoutError as error:
            said = [s for s in self.signals if not isinstance(s, Measurement)]
            raise AssertionError(f"waited {PATIENCE_S} s in vain: {what}; link {self.states}, said {said}") from error

    async def until_state(self, state: LinkState) -> None:
        await self.until(lambda: self.states[-1:] == [state], f"link becomes {state.value}")

    async def until_read(self) -> None:
        """Wait until the link is up and power has been read."""
        await self.until(lambda: self.latest() is not None, "power is read")
        await self.until_state(LinkState.ONLINE)

    async def until_ceiling(self, ceiling_w: float | None) -> None:
        """Wait until the device itself has this upper limit in force, at most one step below."""
        step_w = self.harness.step_w

        def holds() -> bool:
            found = self.device.limit.ceiling_w
            if ceiling_w is None or found is None:
                return found is ceiling_w or (found or 0.0) >= SPEC.p_max_w
            return ceiling_w - step_w - 1e-3 <= found <= ceiling_w + 1e-3

        await self.until(holds, f"the device's ceiling becomes {ceiling_w}")

    async def give(self, control: Control) -> Ack:
        """Apply a control that the device has no reason to refuse, and wait until it took it."""
        ack = await self.adapter.apply(control)
        if self.harness.answers_at_once:
            assert ack.outcome is Outcome.WRITTEN, ack
        else:
            assert ack.outcome in {Outcome.PUBLISHED, Outcome.RECEIVED, Outcome.STARTED, Outcome.WRITTEN}, ack
        await self.until_ceiling(control.limit.ceiling_w)
        return ack


def control(
    harness: ContractHarness,
    ceiling_w: float | None = 1.2e6,
    *,
    floor_w: float | None = None,
    target_w: float | None = None,
    fallback_w: float | None = 0.5e6,
    lease_s: float = LEASE_S,
    version: int | None = None,
) -> Control:
    """A control for the battery, from now on, under a version that was never used before."""
    number = next(_VERSIONS) if version is None else version
    now_s = harness.now()
    return Control(
        control_id=f"contract-{number}",
        resource=RESOURCE,
        version=number,
        start_s=now_s,
        expiry_s=now_s + lease_s,
        limit=Bounds(floor_w, ceiling_w),
        target_w=target_w,
        fallback=Bounds(None, fallback_w),
    )


def next_version() -> int:
    """A version that was never used before."""
    return next(_VERSIONS)


@asynccontextmanager
async def running(
    harness: ContractHarness, prepare: Callable[[SimulatedDevice], None] | None = None
) -> AsyncIterator[Site]:
    """Reset the device, `prepare` it, and run a new adapter for as long as the block lasts."""
    await harness.reset()
    if prepare is not None:
        prepare(harness.device)
    site = Site(harness, harness.adapter())

    def emit(batch: Sequence[Signal]) -> None:
        site.signals.extend(batch)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(site.adapter.run(emit))
        try:
            yield site
        finally:
            task.cancel()
