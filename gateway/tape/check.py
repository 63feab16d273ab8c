"""A recording as a regression test: the recorded input through today's adapter, and what comes out compared."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose

from gateway.tape import adapters, virtual_time
from gateway.tape.deck import Deck
from gateway.tape.words import Kind, Recording
from protocols.port import Adapter
from protocols.signals import Ack, Baseline, Instruction, LinkChanged, Measurement, Signal

AT_THE_END = 2
"""Values by which a series may be longer or shorter: a recording ends in the middle of things."""
COUNT = 1.0
"""How far a value that was requested or read back may be off: whole seconds of a timer."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a replay compares with its recording."""

    differences: tuple[str, ...]
    played: Mapping[Kind, int] = field(default_factory=dict)
    signals: int = 0
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether the adapter does today what it did then."""
        return not self.differences


def check(recording: Recording) -> Verdict:
    """Play a recording through its adapter, in virtual time.

    Raises:
        TapeError: it cannot be played.
    """
    return virtual_time.run(_check(recording))


async def _check(recording: Recording) -> Verdict:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    adapter, deck = adapters.played(recording, lambda: recording.header.start_s + loop.time() - began_s)
    signals: list[Signal] = []
    acks = await _live(adapter, recording, signals)
    then = [adapters.SIGNAL.from_json(line.what.get("signal")) for line in recording.of(Kind.SIGNAL)]
    then_acks = [adapters.ACK.from_json(line.what.get("ack")) for line in recording.of(Kind.ACK)]
    return Verdict(
        (*deck.differences, *_unmade(deck), *differences(then, signals), *_of_acks(then_acks, acks)),
        dict(deck.played),
        len(signals),
        recording.ends_s,
    )


async def _live(adapter: Adapter, recording: Recording, signals: list[Signal]) -> list[Ack]:
    """Run the adapter through the recorded time, with the recorded instructions; gives what became of those."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    acks: list[Ack] = []

    async def apply(instruction: Instruction) -> None:
        acks.append(await adapter.apply(instruction))

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(adapter.run(signals.extend))
        applying = []
        for line in recording.of(Kind.APPLY):
            await asyncio.sleep(began_s + line.at_s - loop.time())
            instruction = adapters.INSTRUCTION.from_json(line.what.get("instruction"))
            applying.append(tasks.create_task(apply(instruction)))
        await asyncio.sleep(began_s + recording.ends_s - loop.time())
        for task in (running, *applying):
            task.cancel()
    return acks


def differences(then: Sequence[Signal], now: Sequence[Signal]) -> Iterator[str]:
    """How two sequences of signals differ, series by series; times are those of their own run and are not compared."""
    before, after = _series(then), _series(now)
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, []), after.get(name, [])
        first = next((i for i, (one, two) in enumerate(zip(old, new, strict=False)) if not _alike(one, two)), None)
        if first is not None:
            yield f"{name}, number {first + 1}: {_shown(new[first])}, where the recording has {_shown(old[first])}"
        elif abs(len(old) - len(new)) > AT_THE_END:
            yield f"{name}: {len(new)} values, where the recording has {len(old)}"


def _series(signals: Sequence[Signal]) -> dict[str, list[Signal]]:
    found: dict[str, list[Signal]] = defaultdict(list)
    for signal in signals:
        match signal:
            case Measurement():
                found[str(signal.point)].append(signal)
            case LinkChanged() | Baseline() | Ack():
                found[f"{type(signal).__name__} of {signal.resource}"].append(signal)
    return found


def _alike(one: Signal, two: Signal) -> bool:
    match one, two:
        case Measurement(), Measurement():
            return one.quality is two.quality and isclose(one.value, two.value, rel_tol=1e-9, abs_tol=1e-9)
        case LinkChanged(), LinkChanged():
            return one.state is two.state
        case Baseline(), Baseline():
            return _close(one.values, two.values)
        case Ack(), Ack():
            return (
                one.outcome is two.outcome
                and _close(one.requested, two.requested)
                and _close(one.read_back, two.read_back)
            )
    return False


def _close(one: Mapping[str, float], two: Mapping[str, float]) -> bool:
    return one.keys() == two.keys() and all(abs(one[name] - two[name]) <= COUNT for name in one)


def _of_acks(then: Sequence[Ack], now: Sequence[Ack]) -> Iterator[str]:
    """By control; a refresh is the same control once more, and compared in its turn."""
    before, after = (_by_control(acks) for acks in (then, now))
    for control, old in before.items():
        new = after.get(control, [])
        if len(new) != len(old):
            yield f"{control} was answered {len(new)} times, where the recording has {len(old)}"
        for one, two in zip(old, new, strict=False):
            if not _alike(one, two):
                yield f"{control}: {_shown(two)}, where the recording has {_shown(one)}"


def _by_control(acks: Sequence[Ack]) -> dict[str, list[Ack]]:
    found: dict[str, list[Ack]] = defaultdict(list)
    for ack in acks:
        found[f"control {ack.control_id}, version {ack.version}"].append(ack)
    return found


def _unmade(deck: Deck) -> Iterator[str]:
    count = deck.unplayed()
    if count:
        yield f"{count} writes of the recording were not made again"


def _shown(signal: Signal) -> str:
    match signal:
        case Measurement():
            return f"{signal.value:.10g} ({signal.quality.value})"
        case LinkChanged():
            return signal.state.value
        case Baseline():
            return str(dict(signal.values))
        case Ack():
            return f"{signal.outcome.value} with {dict(signal.read_back)}: {signal.detail}"
