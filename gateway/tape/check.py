"""A recording as a regression test: the recorded input through today's adapter, and what comes out compared."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import zip_longest
from math import isclose

from gateway.tape import adapters, virtual_time
from gateway.tape.adapters import Played
from gateway.tape.deck import LOST, Deck
from gateway.tape.words import Kind, Recording
from protocols.signals import Ack, Baseline, Instruction, LinkChanged, Measurement, Signal

AT_AN_EDGE = 2
"""Values of a series, and writes, that may be more, fewer or others at each edge: where the recording ends, where the
link was lost, and where an instruction came. A poll then falls on the one side or on the other."""
LEAD_S = 0.01
"""What the clock is put forward: the recording began a moment after the time in its header, and an instruction that was
given for a whole minute must not find a little more than that before it."""
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
    lead_s = recording.header.start_s + LEAD_S - began_s
    played = adapters.played(recording, lambda: lead_s + loop.time())
    deck = played.deck
    signals: list[Signal] = []
    acks = await _live(played, signals)
    then = [adapters.SIGNAL.from_json(line.what.get("signal")) for line in recording.of(Kind.SIGNAL)]
    then_acks = [adapters.ACK.from_json(line.what.get("ack")) for line in recording.of(Kind.ACK)]
    edges = 1 + len(recording.of(Kind.APPLY)) + sum(line.what.get("what") == LOST for line in recording.of(Kind.FAULT))
    slack = AT_AN_EDGE * edges
    return Verdict(
        (*deck.differences, *_writes(deck, slack), *differences(then, signals, slack), *_of_acks(then_acks, acks)),
        dict(deck.played),
        len(signals),
        recording.ends_s,
    )


async def _live(played: Played, signals: list[Signal]) -> list[Ack]:
    """Run the adapter through the recorded time, with the recorded instructions; gives what became of those."""
    loop = asyncio.get_running_loop()
    adapter, deck = played.adapter, played.deck
    began_s, recording = loop.time(), deck.recording
    acks: list[Ack] = []

    async def apply(instruction: Instruction) -> None:
        acks.append(await adapter.apply(instruction))

    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(adapter.run(signals.extend))
        driving = tasks.create_task(played.drive())
        applying = []
        async for line in deck.instructions():
            instruction = adapters.INSTRUCTION.from_json(line.what.get("instruction"))
            applying.append(tasks.create_task(apply(instruction)))
        await asyncio.sleep(max(began_s + recording.ends_s - loop.time(), 0.0))
        for task in (running, driving, *applying):
            task.cancel()
    return acks


def differences(then: Sequence[Signal], now: Sequence[Signal], slack: int) -> Iterator[str]:
    """How two sequences of signals differ, series by series, beyond `slack` values.

    Times are those of their own run and are not compared. Links, baselines and answers have no slack.
    """
    before, after = _series(then), _series(now)
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, []), after.get(name, [])
        allowed = slack if isinstance((old or new)[0], Measurement) else 0
        places = _unlike(old, new)
        if len(places) > allowed:
            one, two = places[0]
            told = _shown(new[two]) if two < len(new) else "nothing"
            was = _shown(old[one]) if one < len(old) else "nothing"
            yield f"{name}, number {one + 1}: {told}, where the recording has {was}; {len(places)} of {len(old)} differ"


def _unlike(old: Sequence[Signal], new: Sequence[Signal]) -> list[tuple[int, int]]:
    """Places in both where they differ once they are laid side by side as well as they fit."""
    found: list[tuple[int, int]] = []
    was, told = ([_shown(signal) for signal in signals] for signals in (old, new))
    for tag, low, high, first, last in SequenceMatcher(None, was, told, autojunk=False).get_opcodes():
        if tag != "equal":
            pairs = zip_longest(range(low, high), range(first, last))
            found += [
                (low if one is None else one, first if two is None else two)
                for one, two in pairs
                if one is None or two is None or not _alike(old[one], new[two])
            ]
    return found


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


def _writes(deck: Deck, slack: int) -> Iterator[str]:
    if deck.unmade() > slack:
        yield f"{deck.unmade()} things that were written or sent in the recording were not again"
    if deck.extra > slack:
        yield f"{deck.extra} things were written or sent that are not in the recording"


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
