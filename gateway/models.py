"""The network in force while the gateway runs: a new one is read and judged beside it, and takes its place if valid.

What is in force keeps answering meanwhile, and stays where the candidate is not valid.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from gateway.engine import LOAD_DEADLINE_S, Engine
from gateway.workers import WorkersError
from grid_engine.dispatch.questions import Question, Reply
from grid_engine.importers.any import load
from grid_engine.model import Network, NetworkError
from grid_engine.modelling.checks import faults
from grid_engine.partition import SEPARATOR, split
from grid_engine.results import Answer, Study
from grid_engine.revisions.boundaries import Boundaries
from grid_engine.revisions.boundaries import faults as boundary_faults
from grid_engine.revisions.differences import differences
from grid_engine.studies.study_faults import faults as study_faults


@dataclass(frozen=True, slots=True)
class Model:
    """Which networks make up one version of a zone's model."""

    version: str
    sources: Mapping[str, Path]
    """Network file of each feeder; the name of a zone's only feeder is empty."""


@dataclass(frozen=True, slots=True)
class Fits:
    """What a network has to be good for beside being valid."""

    trial: Study
    """Whatever this names must be there."""
    boundaries: Boundaries = field(default_factory=Boundaries)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate may take over."""

    version: str
    faults: tuple[str, ...] = ()
    """Why not; empty where it did."""
    changes: tuple[str, ...] = ()
    """What it differs in from what was in force."""


class Adopts(Protocol):
    """Whoever judges a new network model and takes it over."""

    async def adopt(self, candidate: Model, /) -> Verdict:
        """What became of it."""
        ...


class Resident(Engine, Protocol):
    """An engine that holds its networks."""

    async def settle(self) -> str:
        """Have every network loaded; what stands in the way, or nothing."""
        ...

    async def network(self, feeder: str) -> Network:
        """The network of one feeder as it was loaded.

        Raises:
            OSError: its worker was lost.
        """
        ...

    def close(self) -> None:
        """End it."""
        ...


@dataclass(slots=True)
class _Serving:
    """An engine, and how many studies it is answering."""

    engine: Resident
    asked: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class LiveEngine:
    """Answers from the model in force, which may be replaced between two studies."""

    build: Callable[[Model], Resident]
    model: Model
    """In force."""
    _serving: _Serving = field(init=False)

    def __post_init__(self) -> None:
        self._serving = _Serving(self.build(self.model))

    async def answer(self, study: Study) -> Answer:
        """The engine's answer; a study that has begun ends on the model that it began on."""
        async with self._asking() as engine:
            return await engine.answer(study)

    async def reply(self, question: Question) -> Reply:
        """The engine's reply; likewise."""
        async with self._asking() as engine:
            return await engine.reply(question)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Resident]:
        serving = self._serving
        serving.asked += 1
        serving.idle.clear()
        try:
            yield serving.engine
        finally:
            serving.asked -= 1
            if not serving.asked:
                serving.idle.set()

    async def places(self) -> frozenset[str]:
        """Buses, branches and switches of the networks in force, as studies name them.

        Raises:
            OSError: the worker of a feeder was lost, or takes too long.
        """
        async with self._asking() as engine:
            found: set[str] = set()
            for feeder in self.model.sources:
                try:
                    network = await engine.network(feeder)
                except (NetworkError, BrokenExecutor) as error:
                    raise OSError(f"the network cannot be read: {error}") from error
                names = (*network.buses.ids, *network.branch_ids, *network.switches.ids)
                found.update(f"{feeder}{SEPARATOR}{name}" if feeder else name for name in names)
            return frozenset(found)

    async def consider(self, candidate: Model, fits: Fits | None = None) -> Verdict:
        """What speaks against `candidate`, and what it differs in; what is in force stays."""
        return await self._judge(candidate, fits)

    async def adopt(self, candidate: Model, fits: Fits | None = None) -> Verdict:
        """Judge `candidate` and, if nothing speaks against it, answer from it from now on; one at a time."""
        verdict = await self._judge(candidate, fits)
        if verdict.faults or (not verdict.changes and candidate.version == self.model.version):
            return verdict
        try:
            successor = await asyncio.to_thread(self.build, candidate)
        except (WorkersError, NetworkError, OSError) as error:
            return Verdict(candidate.version, (f"no workers for it: {error}",))
        problem = await successor.settle()
        if problem:
            successor.close()
            return Verdict(candidate.version, (problem,))
        before, self._serving, self.model = self._serving, _Serving(successor), candidate
        if before.asked:
            await before.idle.wait()  # each of its studies has a deadline
        before.engine.close()
        return verdict

    def close(self) -> None:
        """End the engine in force."""
        self._serving.engine.close()

    async def _judge(self, candidate: Model, fits: Fits | None) -> Verdict:
        found: list[str] = []
        changes = [f"feeder {feeder}: removed" for feeder in self.model.sources.keys() - candidate.sources.keys()]
        parts = _parts(fits, tuple(candidate.sources))
        pool = ProcessPoolExecutor(1, get_context("spawn"))
        try:
            for feeder, source in candidate.sources.items():
                held = await self._held(feeder)
                async with asyncio.timeout(LOAD_DEADLINE_S):
                    part = await asyncio.get_running_loop().run_in_executor(
                        pool, judge, held, source, candidate.version, parts.get(feeder)
                    )
                found += part.faults
                changes += [f"{feeder}:{change}" if feeder else change for change in part.changes]
        except (TimeoutError, BrokenExecutor, OSError) as error:
            found.append(f"it could not be compared with what is in force: {type(error).__name__} {error}")
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        if changes and candidate.version == self.model.version:
            found.append(f"version {candidate.version} is in force with another network: give the new one its own")
        return Verdict(candidate.version, tuple(found), tuple(changes))

    async def _held(self, feeder: str) -> Network | None:
        """What is in force; nothing where the feeder is new, or its network could never be read."""
        try:
            return await self._serving.engine.network(feeder) if feeder in self.model.sources else None
        except NetworkError:
            return None


def _parts(fits: Fits | None, feeders: tuple[str, ...]) -> dict[str, Fits]:
    """What the network of each feeder has to be good for, in its own ids."""
    if fits is None or feeders == ("",):
        return {} if fits is None else {"": fits}
    return {feeder: Fits(part) for feeder, part in split(fits.trial, feeders).items()}


def judge(held: Network | None, source: Path, version: str, fits: Fits | None = None) -> Verdict:
    """What speaks against the network in `source`, and what it differs in from the one held."""
    try:
        network = load(source, version)
        found = tuple(str(fault) for fault in faults(network))
        if fits is not None and not found:
            found = (*boundary_faults(network, fits.boundaries), *study_faults(network, fits.trial))
        if found or held is None:
            return Verdict(version, found, () if found else ("feeder: added",))
        return Verdict(version, changes=tuple(str(change) for change in differences(held, network)))
    except NetworkError as error:
        return Verdict(version, error.faults)
