"""The engine off the event loop: every feeder's study in a worker, under one deadline."""

import asyncio
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Protocol, TypeVar

from gateway.supervise import contained
from gateway.workers import Workers
from grid_engine.cycle import answer as solve
from grid_engine.dispatch.questions import Question, Reply, failed
from grid_engine.dispatch.replies import reply
from grid_engine.envelopes.budget import Budget
from grid_engine.envelopes.equal_share import equal_shares
from grid_engine.joint import answer as solve_jointly
from grid_engine.model import Network, NetworkError
from grid_engine.partition import merge, split, strangers
from grid_engine.results import Answer, Envelope, Purpose, Status, Study

_Asked = TypeVar("_Asked")
_Result = TypeVar("_Result")

Replies = Callable[[Network, Question], Reply]


class Engine(Protocol):
    """Answers studies and questions of dispatch."""

    async def answer(self, study: Study) -> Answer:
        """The engine's answer; a failure of the engine is an `Answer`, never an exception."""
        ...

    async def reply(self, question: Question) -> Reply:
        """The engine's reply; a failure of the engine is a `Reply`, never an exception."""
        ...


LOAD_DEADLINE_S = 120.0
"""Longest that a worker may take to load its network."""


SPARE_TIME = 0.2
"""Of a deadline: joint envelopes stop improving that much before it, for what is proven by then is worth having."""


def timed(network: Network, study: Study, deadline_s: float = inf) -> Answer:
    """The answer with the time that it took; a defect of the engine is a failed study, not the end of control."""
    began = time.perf_counter()
    end = began + (1 - SPARE_TIME) * deadline_s
    if study.purpose is Purpose.JOINT:
        answer = contained(partial(solve_jointly, network, study, Budget(lambda: end - time.perf_counter())))
    else:
        answer = contained(partial(solve, network, study))
    if isinstance(answer, Exception):
        answer = Answer(study.study_id, Status.NOT_CONVERGED, network.version, detail=_defect(answer))
    return replace(answer, duration_s=time.perf_counter() - began)


def replied(network: Network, question: Question) -> Reply:
    """The reply; a defect of the engine is a failed question, not the end of control."""
    found = contained(partial(reply, network, question))
    return failed(question, network.version, _defect(found)) if isinstance(found, Exception) else found


def _defect(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1]
    return f"defect in the engine: {type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"


def spared(network: Network, study: Study) -> tuple[Envelope, ...]:
    """Equal shares for when `study` failed, or nothing where even these cannot be had."""
    shares = contained(partial(equal_shares, network, study))
    return () if isinstance(shares, Exception) else shares


class ZoneEngine:
    """All feeders of a zone at once. A feeder that fails or is late costs the others nothing."""

    def __init__(self, workers: Workers, feeders: Sequence[str], version: str, deadline_s: float) -> None:
        """An engine on `workers`.

        Args:
            feeders: their names; one empty name where the zone has one network, whose ids then have no prefix.
            deadline_s: longest that one study may take once its network is loaded.
        """
        self._workers, self._feeders, self._version, self._deadline_s = workers, tuple(feeders), version, deadline_s
        self._loaded: set[str] = set()
        self._abandoned = 0
        self._spares: dict[str, Future[tuple[Envelope, ...]]] = {}

    async def answer(self, study: Study) -> Answer:
        """The engine's answer; a feeder that missed the deadline or lost its worker is `NOT_CONVERGED`."""
        if self._feeders == ("",):
            return await self._ask("", study)
        unknown = strangers(study, self._feeders)
        if unknown:
            detail = f"in no feeder of the zone: {', '.join(unknown)}"
            return Answer(study.study_id, Status.BAD_INPUT, self._version, detail=detail)
        answers: dict[str, Answer] = {}

        async def fill(feeder: str, part: Study) -> None:
            answers[feeder] = await self._ask(feeder, part)

        async with asyncio.TaskGroup() as tasks:
            for feeder, part in split(study, self._feeders).items():
                tasks.create_task(fill(feeder, part))
        return merge(study, {feeder: answers[feeder] for feeder in self._feeders}, self._version)

    async def reply(self, question: Question) -> Reply:
        """The engine's reply, within the deadline of a study; of a zone with one network."""
        if self._feeders != ("",):
            detail = "a zone of several feeders has no dispatch of its own: one zone per node"
            return failed(question, self._version, detail)
        try:
            async with asyncio.timeout(self._deadline_s if "" in self._loaded else LOAD_DEADLINE_S):
                return await self._result("", replied, question)
        except NetworkError as error:
            return failed(question, self._version, str(error))
        except TimeoutError:
            detail = f"no reply within {self._deadline_s:g} s; the worker was replaced"
        except (BrokenExecutor, OSError) as error:
            detail = f"the worker died ({error}) and was replaced"
        self._abandon("")
        return failed(question, self._version, detail)

    async def settle(self) -> str:
        """Have every network loaded; what stands in the way, or nothing."""
        try:
            async with asyncio.timeout(LOAD_DEADLINE_S):
                for feeder in self._feeders:
                    await self._result(feeder, _version_of, _NOTHING)
                    self._loaded.add(feeder)
        except NetworkError as error:
            return str(error)
        except (TimeoutError, BrokenExecutor, OSError) as error:
            return f"its workers were lost: {type(error).__name__} {error}"
        return ""

    async def network(self, feeder: str) -> Network:
        """The network of one feeder as its worker holds it.

        Raises:
            NetworkError: it could not be read.
            TimeoutError: it takes too long.
            OSError: its worker was lost.
            BrokenExecutor: likewise.
        """
        async with asyncio.timeout(LOAD_DEADLINE_S):
            return await self._result(feeder, _itself, _NOTHING)

    def close(self) -> None:
        """End the workers, whatever they are doing."""
        self._workers.close()

    async def _ask(self, feeder: str, study: Study) -> Answer:
        deadline_s = LOAD_DEADLINE_S
        try:
            if feeder not in self._loaded:
                async with asyncio.timeout(deadline_s):
                    await self._result(feeder, _version_of, study)
                self._loaded.add(feeder)
            deadline_s = self._deadline_s
            async with asyncio.timeout(deadline_s):
                answer = await self._result(feeder, partial(timed, deadline_s=deadline_s), study)
        except NetworkError as error:
            return Answer(study.study_id, Status.NOT_CONVERGED, self._version, detail=str(error))
        except TimeoutError:
            return self._lost(feeder, study, f"no answer within {deadline_s:g} s; the worker was replaced")
        except (BrokenExecutor, OSError) as error:
            return self._lost(feeder, study, f"the worker died ({error}) and was replaced")
        return answer if answer.status is not Status.NOT_CONVERGED else self._with_spare(feeder, study, answer)

    async def _result(self, feeder: str, work: Callable[[Network, _Asked], _Result], asked: _Asked) -> _Result:
        """What `work` gives; asked again where its process was ended for the sake of another of its feeders."""
        while True:
            ended, future = self._abandoned, self._workers.submit(feeder, work, asked)
            try:
                return await asyncio.wrap_future(future)
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            except BrokenExecutor:
                if ended == self._abandoned:
                    raise

    def _abandon(self, feeder: str) -> None:
        self._workers.abandon(feeder)
        self._abandoned += 1
        self._loaded.clear()  # its process may have held others too

    def _lost(self, feeder: str, study: Study, detail: str) -> Answer:
        self._abandon(feeder)
        answer = Answer(study.study_id, Status.NOT_CONVERGED, self._version, detail=detail)
        return self._with_spare(feeder, study, answer)

    def _with_spare(self, feeder: str, study: Study, answer: Answer) -> Answer:
        """The failed answer with equal shares if some are ready; others are begun, and nobody waits for them."""
        before = self._spares.get(feeder)
        if before is not None and not before.done():
            return answer
        self._spares[feeder] = self._workers.submit(feeder, spared, study)
        if before is None or before.cancelled() or before.exception() is not None:
            return answer
        return replace(answer, spare=before.result())


class ExecutorEngine:
    """The network in this process, solved on an executor: for tests and for virtual time."""

    def __init__(
        self,
        network: Network,
        executor: Executor,
        solve: Callable[[Network, Study], Answer] = timed,
        replies: Replies = replied,
    ) -> None:
        self._network, self._executor, self._solve, self._replies = network, executor, solve, replies

    async def answer(self, study: Study) -> Answer:
        """The engine's answer."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._solve, self._network, study)

    async def reply(self, question: Question) -> Reply:
        """The engine's reply."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._replies, self._network, question)


_NOTHING = Study("", Purpose.IMPACT, 0, ())
"""What is asked where the network itself is the answer."""


def _itself(network: Network, _: Study) -> Network:
    return network


def _version_of(network: Network, _: Study) -> str:
    """What a worker says once it has its network."""
    return network.version
