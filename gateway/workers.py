"""Where studies are computed: processes of this machine, each with its feeders resident, or a Dask cluster.

Both take work by feeder and give a future. What runs may be abandoned; what is abandoned is gone, and the
next piece of work for the feeder finds a fresh place.
"""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol, TypeVar

from gateway.supervise import contained
from grid_engine.importers.any import load
from grid_engine.model import Network, NetworkError
from grid_engine.rehearsal import rehearse

_Question = TypeVar("_Question")
_Result = TypeVar("_Result")

Sources = Mapping[str, Path]
"""Network file of each feeder; the name of a zone's only feeder is empty."""


class WorkersError(Exception):
    """The workers cannot be had; says which and what to do."""


class Workers(Protocol):
    """Somewhere to compute."""

    def submit(
        self, feeder: str, work: Callable[[Network, _Question], _Result], question: _Question
    ) -> "Future[_Result]":
        """Start `work` on the network of `feeder`.

        The future raises what the work raises, `NetworkError` where the network cannot be read, or `OSError` or
        `BrokenExecutor` where its place was lost.
        """
        ...

    def abandon(self, feeder: str) -> None:
        """Give up what runs for `feeder`."""
        ...

    def close(self) -> None:
        """Give up everything."""
        ...


_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
"""Small matrices gain nothing from threads, and lose much where processes compete."""

_resident: dict[str, Network | NetworkError] = {}
"""In a worker process: the networks of its feeders, or why there is none."""


def _settle(sources: Sources, version: str) -> None:
    _resident.update({feeder: _loaded(source, version) for feeder, source in sources.items()})
    for network in _resident.values():
        if isinstance(network, Network):
            contained(partial(rehearse, network))  # what fails here will fail as the answer to a study


def _loaded(source: Path, version: str) -> Network | NetworkError:
    try:
        return load(source, version)
    except NetworkError as error:
        return error


def _work(work: Callable[[Network, _Question], _Result], feeder: str, question: _Question) -> _Result:
    network = _resident[feeder]
    if isinstance(network, NetworkError):
        raise network
    return work(network, question)


class LocalWorkers:
    """Processes of this machine; a feeder always meets the same one, which has loaded its network."""

    def __init__(self, sources: Sources, version: str, count: int = 1) -> None:
        """Start `count` processes, or as many as there are feeders; loading happens there."""
        self._version = version
        for library in _ONE_THREAD:  # read when a process starts: one core each is what we count on
            os.environ.setdefault(library, "1")
        largest_first = sorted(sources, key=lambda feeder: -_bytes(sources[feeder]))
        places = max(1, min(count, len(sources)))
        self._shares = [{f: sources[f] for f in largest_first[n::places]} for n in range(places)]
        self._place = {feeder: n for n, share in enumerate(self._shares) for feeder in share}
        self._pools = [self._start(share) for share in self._shares]

    def submit(
        self, feeder: str, work: Callable[[Network, _Question], _Result], question: _Question
    ) -> "Future[_Result]":
        """As `Workers`."""
        return self._pools[self._place[feeder]].submit(_work, work, feeder, question)

    def abandon(self, feeder: str) -> None:
        """As `Workers`; the other feeders of the same process start anew with it."""
        place = self._place[feeder]
        _end(self._pools[place])
        self._pools[place] = self._start(self._shares[place])

    def close(self) -> None:
        """End every process, whatever it is doing."""
        for pool in self._pools:
            _end(pool)

    def _start(self, share: Sources) -> ProcessPoolExecutor:
        # Spawned, not forked: the parent has threads and open sockets.
        return ProcessPoolExecutor(1, get_context("spawn"), initializer=_settle, initargs=(share, self._version))


def _bytes(source: Path) -> int:
    return source.stat().st_size if source.is_file() else 0


def _end(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())  # noqa: SLF001 - a hanging worker has no other end
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


class ClusterWorkers:
    """A Dask cluster (extra `cluster`): networks are sent there once, then only questions and answers."""

    def __init__(self, address: str, sources: Sources, version: str, connect_s: float = 10.0) -> None:
        """Connect to the scheduler at `address`, such as `tcp://10.0.0.5:8786`.

        Raises:
            WorkersError: the extra is not installed, or nobody answers.
        """
        try:
            from distributed import Client  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise WorkersError("a Dask cluster needs the extra: pip install 'ampacity[cluster]'") from error
        try:
            self._client = Client(address, timeout=connect_s, set_as_default=False)
        except OSError as error:
            raise WorkersError(f"no Dask scheduler answers at {address} ({error}); start one or correct it") from error
        self._executor = self._client.get_executor(pure=False, retries=1)
        self._networks = {feeder: self._client.scatter(load(path, version)) for feeder, path in sources.items()}
        self._running: dict[str, Future[object]] = {}

    def submit(
        self, feeder: str, work: Callable[[Network, _Question], _Result], question: _Question
    ) -> "Future[_Result]":
        """As `Workers`."""
        future: Future[_Result] = self._executor.submit(work, self._networks[feeder], question)
        self._running[feeder] = future  # type: ignore[assignment]
        return future

    def abandon(self, feeder: str) -> None:
        """As `Workers`: what has not begun never will; what has begun ends by itself, unheard."""
        running = self._running.pop(feeder, None)
        if running is not None:
            running.cancel()

    def close(self) -> None:
        """Leave the cluster; it goes on for others."""
        self._executor.shutdown(wait=False)
        self._client.close(timeout=1)
