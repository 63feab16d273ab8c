"""An OPC UA session on tape: its calls with their answers, what its subscription published, and how it ended."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from gateway.tape.deck import LOST, Deck, Recorder
from gateway.tape.words import Kind, Recording, Tape
from protocols.opcua.client import Changed, OpcUaClient
from protocols.opcua.errors import LinkDownError, NoAnswerError, OpcUaError, UnfitError, UntrustedError
from protocols.opcua.model import Kind as NodeKind
from protocols.opcua.sequence import Numbers
from protocols.opcua.session import Session
from protocols.opcua.settings import Connection
from protocols.opcua.values import Reading
from protocols.port import Now
from protocols.signals import Quality

T = TypeVar("T")

UP: Final = "connected"
FAULTS: Final = {"down": LinkDownError, "no_answer": NoAnswerError, "unfit": UnfitError, "untrusted": UntrustedError}
_COUNT: Final = 1.0
"""How far a written value may be off: a watchdog counts, and a power is not known to the watt."""


class RecordedSession:
    """Passes everything on, and writes it down."""

    def __init__(self, tape: Tape, connection: Connection, now: Now) -> None:
        self._session = OpcUaClient(connection, now)
        self._tape = tape
        self._recorder = Recorder(tape, FAULTS)
        self._is_up, self._why_down = False, ""

    @property
    def sequence(self) -> Numbers:
        """Of the session."""
        return self._session.sequence

    async def open(self) -> None:
        """As the session does; a failure is a fault of its own."""
        try:
            await self._session.open()
        except OpcUaError as error:
            self._tape.note(Kind.FAULT, what=LOST, detail=str(error))
            raise
        self._is_up = True
        self._tape.note(Kind.FAULT, what=UP)

    async def close(self) -> None:
        """As the session does; it is written down as a loss only where something had gone wrong."""
        if self._is_up and self._why_down:
            self._tape.note(Kind.FAULT, what=LOST, detail=self._why_down)
        self._is_up = False
        await self._session.close()

    async def idle(self, for_s: float) -> None:
        """As the session does."""
        try:
            await self._session.idle(for_s)
        except LinkDownError as error:
            self._why_down = str(error)
            raise

    def review(self) -> None:
        """As the session does."""
        self._session.review()

    async def variables(self, folder: str) -> dict[str, str]:
        """Written down with its answer."""
        asked = {"variables": folder}
        return await self._call(Kind.READ, asked, self._session.variables(folder), dict)

    async def read(self, nodes: Sequence[str]) -> list[Reading]:
        """Written down with its answer."""
        return await self._call(
            Kind.READ, {"nodes": list(nodes)}, self._session.read(nodes), lambda readings: [*map(_written, readings)]
        )

    async def write(self, values: Mapping[str, float]) -> dict[str, str]:
        """Written down with its answer."""
        asked = {"nodes": list(values), "values": list(values.values())}
        return await self._call(Kind.WRITE, asked, self._session.write(values), dict)

    async def subscribe(self, nodes: Sequence[str], publishing_s: float, changed: Changed) -> dict[str, str]:
        """Written down with its answer, and with everything that it publishes."""

        def noted(batch: Sequence[tuple[str, Reading]]) -> None:
            told = [[node, _written(reading)] for node, reading in batch]
            self._tape.note(Kind.EVENT, batch=told, missed=self._session.sequence.lost)
            changed(batch)

        work = self._session.subscribe(nodes, publishing_s, noted)
        return await self._call(Kind.READ, {"subscribe": list(nodes)}, work, dict)

    async def _call(
        self, kind: Kind, asked: Mapping[str, object], work: Awaitable[T], form: Callable[[T], object]
    ) -> T:
        try:
            return await self._recorder.call(kind, asked, work, form)
        except (LinkDownError, NoAnswerError) as error:
            self._why_down = str(error)
            raise


class PlayedServer:
    """Sessions as they were opened and lost, with their answers and publications."""

    def __init__(self, recording: Recording) -> None:
        self.deck = Deck(recording, FAULTS, _same)
        self.attempts: asyncio.Queue[str | None] = asyncio.Queue()
        """How each attempt to connect ended: `None` well, else why not."""
        self.session: PlayedSession | None = None

    def make(self, _connection: Connection, _now: Now) -> Session:
        """A session that is not open yet."""
        return PlayedSession(self)

    async def drive(self) -> None:
        """Let what came of itself come again."""
        async for line in self.deck.of_itself():
            session = self.session
            if line.kind is Kind.EVENT:
                if session is not None:
                    session.publish(line.what.get("batch"), line.what.get("missed"))
            elif line.what.get("what") == UP:
                self.attempts.put_nowait(None)
            elif session is not None:
                session.lose(str(line.what.get("detail", "")))
                self.session = None
            else:
                self.attempts.put_nowait(str(line.what.get("detail", "")))


class PlayedSession:
    """One session of the recording."""

    def __init__(self, server: PlayedServer) -> None:
        self._server, self._deck = server, server.deck
        self.sequence = Numbers()
        self._lost = asyncio.Event()
        self._why_lost = ""
        self._changed: Changed | None = None

    def publish(self, batch: object, missed: object) -> None:
        """Hand on what was published, and how much before it never came."""
        self.sequence.lost = missed if isinstance(missed, int) else 0
        if self._changed is not None and isinstance(batch, list):
            self._changed([(str(node), reading_of(reading)) for node, reading in batch])

    def lose(self, why: str) -> None:
        """The connection is gone."""
        self._why_lost = why
        self._lost.set()

    async def open(self) -> None:
        """Open when the recording did, or fail as it did."""
        refused = await self._server.attempts.get()
        if refused is not None:
            raise LinkDownError(refused)
        self._server.session = self

    async def close(self) -> None:
        """Nothing is left to close."""

    async def idle(self, for_s: float) -> None:
        """Wait that long, or until the connection is lost."""
        try:
            async with asyncio.timeout(max(for_s, 0.0)):
                await self._lost.wait()
        except TimeoutError:
            return
        raise LinkDownError(self._why_lost)

    def review(self) -> None:
        """Trust is not part of the recording."""

    async def variables(self, folder: str) -> dict[str, str]:
        """As they were."""
        return _texts(await self._deck.answer(Kind.READ, {"variables": folder}))

    async def read(self, nodes: Sequence[str]) -> list[Reading]:
        """As they were read then."""
        answer = await self._deck.answer(Kind.READ, {"nodes": list(nodes)})
        return [reading_of(reading) for reading in answer] if isinstance(answer, list) else []

    async def write(self, values: Mapping[str, float]) -> dict[str, str]:
        """Compared with what was written then."""
        asked = {"nodes": list(values), "values": list(values.values())}
        return _texts(await self._deck.answer(Kind.WRITE, asked))

    async def subscribe(
        self,
        nodes: Sequence[str],
        publishing_s: float,  # noqa: ARG002 - it publishes when it did
        changed: Changed,
    ) -> dict[str, str]:
        """What was refused then; publications follow as they came."""
        self._changed = changed
        return _texts(await self._deck.answer(Kind.READ, {"subscribe": list(nodes)}))


def _written(reading: Reading) -> list[object]:
    kind = None if reading.kind is None else reading.kind.value
    told: list[object] = [
        reading.value,
        reading.quality.value,
        reading.status,
        reading.source_time_s,
        kind,
        reading.text,
    ]
    return [*told, reading.type] if reading.type else told


def reading_of(written: object) -> Reading:
    """A reading as it stands in the file.

    Raises:
        LinkDownError: it is none.
    """
    match written:
        case [
            float() | int() | None as value,
            str(quality),
            str(status),
            float() | int() | None as time_s,
            str() | None as kind,
            str(text),
            *types,
        ]:
            kept = None if kind is None else NodeKind(kind)
            return Reading(value, Quality(quality), status, time_s, kept, text, str(types[0]) if types else "")
    raise LinkDownError(f"the recording holds {written!r} in the place of a reading")


def _texts(answer: object) -> dict[str, str]:
    return {str(key): str(value) for key, value in answer.items()} if isinstance(answer, dict) else {}


def _same(asked: object, then: object) -> bool:
    if not isinstance(asked, list) or not isinstance(then, list) or len(asked) != len(then):
        return asked == then
    return all(abs(one - other) <= _COUNT for one, other in zip(asked, then, strict=True))
