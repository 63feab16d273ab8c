"""Calls to the field on tape: written with their answers, and answered from there again in their order."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import orjson

from gateway.tape.words import Kind, Line, Recording, Tape

T = TypeVar("T")

MOST_DIFFERENCES: Final = 200
"""Differences that are told one by one."""

Faults = Mapping[str, type[Exception]]
"""What a call may raise, by the name under which it is recorded."""


class Recorder:
    """Writes calls and their answers down while they are made."""

    def __init__(self, tape: Tape, faults: Faults) -> None:
        self.tape = tape
        self._names = {error: name for name, error in faults.items()}

    async def call(
        self, kind: Kind, asked: Mapping[str, object], work: Awaitable[T], written: Callable[[T], object]
    ) -> T:
        """What `work` gives or raises; an answer is written as `written` makes it JSON."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        try:
            answer = await work
        except tuple(self._names) as error:
            name = self._names[type(error)]
            self.tape.note(kind, asked=asked, took=round(loop.time() - began_s, 6), fault=name, detail=str(error))
            raise
        self.tape.note(kind, asked=asked, took=round(loop.time() - began_s, 6), answer=written(answer))
        return answer


class Deck:
    """Answers calls from a recording.

    The same question gets its recorded answers in their order, after as long as each took. What is written is compared
    with what was written then. A question that was asked more often than then gets the last answer again.
    """

    def __init__(self, recording: Recording, faults: Faults, same: Callable[[object, object], bool]) -> None:
        """`same` tells whether two values that were written mean the same."""
        self.recording = recording
        self.differences: list[str] = []
        self.played: dict[Kind, int] = defaultdict(int)
        self._faults = faults
        self._same = same
        self._waiting: dict[bytes, deque[Line]] = defaultdict(deque)
        self._last: dict[bytes, Line] = {}
        for line in recording.of(Kind.READ, Kind.WRITE):
            self._waiting[_key(line.kind, line.what.get("asked"))].append(line)

    async def answer(self, kind: Kind, asked: Mapping[str, object]) -> object:
        """The recorded answer, or the recorded fault raised."""
        key = _key(kind, asked)
        waiting = self._waiting[key]
        if waiting:
            line = self._last[key] = waiting.popleft()
            self.played[kind] += 1
        elif key in self._last and kind is Kind.READ:
            line = self._last[key]
        else:
            self.differ(f"{kind.value} of {_shown(asked)} is not in the recording")
            raise next(iter(self._faults.values()))(f"{kind.value} of {_shown(asked)}: not in the recording")
        self._compare(kind, asked, line)
        took = line.what.get("took", 0.0)
        await asyncio.sleep(took if isinstance(took, int | float) else 0.0)
        fault = line.what.get("fault")
        if isinstance(fault, str) and fault in self._faults:
            raise self._faults[fault](str(line.what.get("detail", "")))
        return line.what.get("answer")

    def differ(self, detail: str) -> None:
        """Note how the replay differs from the recording."""
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(detail)

    def unplayed(self) -> int:
        """Writes of the recording that were not made again."""
        return sum(len(lines) for key, lines in self._waiting.items() if key.startswith(b'["write"'))

    def _compare(self, kind: Kind, asked: Mapping[str, object], line: Line) -> None:
        then = line.what.get("asked")
        if kind is Kind.WRITE and isinstance(then, Mapping) and not self._same(asked.get("values"), then.get("values")):
            where = {name: value for name, value in asked.items() if name != "values"}
            self.differ(f"wrote {asked.get('values')} to {_shown(where)}, where the recording has {then.get('values')}")


def _key(kind: Kind, asked: object) -> bytes:
    """What makes two calls the same question; not what is written, which is compared."""
    where = {name: value for name, value in asked.items() if name != "values"} if isinstance(asked, Mapping) else asked
    return orjson.dumps([kind.value, where], option=orjson.OPT_SORT_KEYS)


def _shown(asked: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in asked.items())
