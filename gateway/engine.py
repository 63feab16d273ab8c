"""The engine off the event loop: one worker process that keeps the network resident."""

import asyncio
import multiprocessing
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.supervise import contained
from grid_engine.cycle import answer as solve
from grid_engine.importers import pandapower
from grid_engine.model import Network
from grid_engine.results import Answer, Status, Study


class Engine(Protocol):
    """Answers studies."""

    async def answer(self, study: Study) -> Answer:
        """The engine's answer; a failure of the engine is an `Answer`, never an exception."""
        ...


LOAD_DEADLINE_S = 120.0
"""Longest that a worker may take to load its network."""

_resident: Network | None = None
"""In the worker: the network that every study is put to."""


def _load(source: Path, version: str) -> None:
    global _resident  # noqa: PLW0603 - a worker process exists to hold this one value
    _resident = pandapower.load(source, version)


def _solve(study: Study) -> Answer:
    if _resident is None:
        raise RuntimeError("the worker was started without a network")
    return timed(_resident, study)


def timed(network: Network, study: Study) -> Answer:
    """The answer with the time that it took; a defect of the engine is a failed study, not the end of control."""
    began = time.perf_counter()
    answer = contained(partial(solve, network, study))
    if isinstance(answer, Exception):
        where = traceback.extract_tb(answer.__traceback__)[-1]
        detail = f"defect in the engine: {type(answer).__name__}: {answer} ({Path(where.filename).name}:{where.lineno})"
        answer = Answer(study.study_id, Status.NOT_CONVERGED, network.version, detail=detail)
    return replace(answer, duration_s=time.perf_counter() - began)


class WorkerEngine:
    """A worker process per zone; replaced when it dies or misses a deadline."""

    def __init__(self, source: Path, version: str, deadline_s: float) -> None:
        """Start the worker; loading the network happens there.

        Args:
            deadline_s: longest that one study may take once the network is loaded.
        """
        self._source, self._version, self._deadline_s = source, version, deadline_s
        self._pool = self._start()
        self._loaded = False

    async def answer(self, study: Study) -> Answer:
        """Put a study to the worker; a miss of the deadline or a dead worker is `NOT_CONVERGED`."""
        loop = asyncio.get_running_loop()
        deadline_s = LOAD_DEADLINE_S
        try:
            if not self._loaded:
                async with asyncio.timeout(deadline_s):
                    await loop.run_in_executor(self._pool, _loaded_version)
                self._loaded = True
            deadline_s = self._deadline_s
            async with asyncio.timeout(deadline_s):
                return await loop.run_in_executor(self._pool, _solve, study)
        except TimeoutError:
            self._replace()
            return self._failed(study, f"no answer within {deadline_s:g} s; the worker was replaced")
        except (BrokenProcessPool, OSError) as error:
            self._replace()
            return self._failed(study, f"the worker died ({error}) and was replaced")

    def close(self) -> None:
        """End the worker, whatever it is doing."""
        processes = list((self._pool._processes or {}).values())  # noqa: SLF001 - a hanging worker has no other end
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()

    def _start(self) -> ProcessPoolExecutor:
        # Spawned, not forked: the parent has threads and open sockets.
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, context, initializer=_load, initargs=(self._source, self._version))

    def _replace(self) -> None:
        self.close()
        self._pool, self._loaded = self._start(), False

    def _failed(self, study: Study, detail: str) -> Answer:
        return Answer(study.study_id, Status.NOT_CONVERGED, self._version, detail=detail)


class ExecutorEngine:
    """The network in this process, solved on an executor: for tests and for virtual time."""

    def __init__(self, network: Network, executor: Executor, solve: Callable[[Network, Study], Answer] = timed) -> None:
        self._network, self._executor, self._solve = network, executor, solve

    async def answer(self, study: Study) -> Answer:
        """The engine's answer."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._solve, self._network, study)


def _loaded_version() -> str:
    if _resident is None:
        raise RuntimeError("the worker was started without a network")
    return _resident.version
