"""Calls to the field on tape: written with their answers, and answered from there again in their order."""

import asyncio
from bisect import bisect_right
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

import orjson

from gateway.tape.words import Kind, Line, Recording, Tape

T = TypeVar("T")

LOST: Final = "lost"
"""What a line of kind `fault` says when the link is lost."""
MOST_DIFFERENCES: Final = 200
"""Differences that are told one by one."""
_CALL_PATIENCE_S, _PATIENCE_S = 0.005, 0.25
"""How long an answer, and anything else, waits for what was earlier in the recording and does not come now: two tasks
of an adapter that ask the same may have changed places."""
_MOMENT_S: Final = 1e-6
"""Long enough in virtual time for what follows at once."""
_CALLS: Final = (Kind.READ, Kind.WRITE)
_OF_ITSELF: Final = (Kind.FAULT, Kind.EVENT)

Faults = Mapping[str, type[Exception]]
"""What a call may raise, by the name under which it is recorded; the first is raised where the link was lost."""


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
    """Answers calls from a recording, and says when it is the turn of what came of itself.

    Everything happens in the order of the recording, as far as the adapter lets it, and never before its time. The
    same question gets its recorded answers one after the other; what is written is compared with what was written then.
    What is asked more often than it was gets its last answer again; what was only asked on a later connection fails
    with this one.
    """

    def __init__(self, recording: Recording, faults: Faults, same: Callable[[object, object], bool]) -> None:
        """`same` tells whether two values that were written mean the same."""
        self.recording = recording
        self.differences: list[str] = []
        self.played: Counter[Kind] = Counter()
        self.extra = 0
        """Writes that were made more often than then."""
        self._faults = faults
        self._same = same
        self._began_s = asyncio.get_running_loop().time()
        self._order = recording.of(*_CALLS, *_OF_ITSELF, Kind.SENT, Kind.APPLY)
        self._places = {id(line): place for place, line in enumerate(self._order)}
        self._done = [False] * len(self._order)
        self._head = 0
        """Place of the first line that has not happened yet."""
        self._lost = 0
        self._epochs: list[int] = []
        """How often the link had been lost when it began, by place."""
        self._news = asyncio.Event()
        self._waiting: dict[bytes, deque[Line]] = defaultdict(deque)
        self._last: dict[bytes, Line] = {}
        self._sent = deque(recording.of(Kind.SENT))
        losses = [line.at_s for line in self._order if _is_loss(line)]
        for line in self._order:
            self._epochs.append(bisect_right(losses, line.at_s - _took_s(line)))
            if line.kind in _CALLS:
                self._waiting[_key(line.kind, line.what.get("asked"))].append(line)

    async def answer(self, kind: Kind, asked: Mapping[str, object]) -> object:
        """The recorded answer, or the recorded fault raised."""
        key = _key(kind, asked)
        line = self._next(key)
        if line is None and key in self._last:
            self.extra += kind is Kind.WRITE
            return self._answered(self._last[key])
        if line is None:
            self.differ(f"{kind.value} of {_shown(asked)} is not in the recording")
            raise self._failure(f"{kind.value} of {_shown(asked)}: not in the recording")
        if self._epochs[self._places[id(line)]] > self._lost:
            await self._loss()
            raise self._failure(f"{kind.value} of {_shown(asked)}: the connection was lost")
        self._waiting[key].popleft()
        self._last[key] = line
        self._compare(kind, asked, line)
        await self._turn(line)
        self.played[kind] += 1
        self._end(line)
        return self._answered(line)

    def sent(self, values: object) -> None:
        """Something left for the field that has no answer of its own: compared with what left in its place then."""
        while self._sent and self._epochs[self._places[id(self._sent[0])]] < self._lost:
            self._sent.popleft()
        if not self._sent or self._epochs[self._places[id(self._sent[0])]] > self._lost:
            self.extra += 1
            return
        line = self._sent.popleft()
        self.played[Kind.SENT] += 1
        if not self._same(values, line.what.get("values")):
            self.differ(f"sent {values}, where the recording has {line.what.get('values')}")
        self._end(line)

    async def of_itself(self) -> AsyncIterator[Line]:
        """What the field did of itself, each in its turn; ends with the recording."""
        for line in self.recording.of(*_OF_ITSELF):
            await self._turn(line)
            yield line
            self._end(line)
            if _is_loss(line):
                self._lost += 1
                self._bury()

    async def instructions(self) -> AsyncIterator[Line]:
        """What the gateway was told to do, each in its turn."""
        for line in self.recording.of(Kind.APPLY):
            await self._turn(line)
            yield line
            self._end(line)

    def differ(self, detail: str) -> None:
        """Note how the replay differs from the recording."""
        if len(self.differences) < MOST_DIFFERENCES:
            self.differences.append(detail)

    def unmade(self) -> int:
        """What was written or sent in the recording, and was not again."""
        return sum(len(self.recording.of(kind)) - self.played[kind] for kind in (Kind.WRITE, Kind.SENT))

    def _next(self, key: bytes) -> Line | None:
        """The next recorded answer to a question; those of earlier connections are over."""
        waiting = self._waiting[key]
        while waiting and self._epochs[self._places[id(waiting[0])]] < self._lost:
            self._end(waiting.popleft())
        return waiting[0] if waiting else None

    async def _turn(self, line: Line) -> None:
        """Wait until it is time, and until all that came earlier has happened or is clearly not going to."""
        loop = asyncio.get_running_loop()
        place = self._places[id(line)]
        await asyncio.sleep(max(self._began_s + line.at_s - loop.time(), 0.0))
        patience_s = _CALL_PATIENCE_S if line.kind in _CALLS else _PATIENCE_S
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while self._head < place:
                    await self._something()
        await asyncio.sleep(_MOMENT_S)

    def _end(self, line: Line) -> None:
        self._done[self._places[id(line)]] = True
        while self._head < len(self._done) and self._done[self._head]:
            self._head += 1
        self._news.set()

    def _bury(self) -> None:
        """What was asked on an earlier connection only is waited for no longer."""
        for place, line in enumerate(self._order):
            is_ours = line.kind in _CALLS or line.kind is Kind.SENT
            if is_ours and self._epochs[place] < self._lost and not self._done[place]:
                self._end(line)

    async def _loss(self) -> None:
        before = self._lost
        while self._lost == before:
            await self._something()

    async def _something(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _answered(self, line: Line) -> object:
        fault = line.what.get("fault")
        if isinstance(fault, str) and fault in self._faults:
            raise self._faults[fault](str(line.what.get("detail", "")))
        return line.what.get("answer")

    def _failure(self, detail: str) -> Exception:
        return next(iter(self._faults.values()))(detail)

    def _compare(self, kind: Kind, asked: Mapping[str, object], line: Line) -> None:
        then = line.what.get("asked")
        if kind is Kind.WRITE and isinstance(then, Mapping) and not self._same(asked.get("values"), then.get("values")):
            where = {name: value for name, value in asked.items() if name != "values"}
            self.differ(f"wrote {asked.get('values')} to {_shown(where)}, where the recording has {then.get('values')}")


def _took_s(line: Line) -> float:
    took = line.what.get("took", 0.0)
    return took if line.kind in _CALLS and isinstance(took, float) else 0.0


def _is_loss(line: Line) -> bool:
    return line.kind is Kind.FAULT and line.what.get("what") == LOST


def _key(kind: Kind, asked: object) -> bytes:
    """What makes two calls the same question; not what is written, which is compared."""
    where = {name: value for name, value in asked.items() if name != "values"} if isinstance(asked, Mapping) else asked
    return orjson.dumps([kind.value, where], option=orjson.OPT_SORT_KEYS)


def _shown(asked: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in asked.items())
