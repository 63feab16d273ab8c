"""Runs procedures of cactus-client against several gateways at once: most of the time, a procedure waits."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.cactus.site import Site, free_ports, site

GATEWAYS = 4
SHORT_S, LONG_S = 120, 600
"""Longest time of a run; most take five seconds, and the longest procedure waits seven minutes."""
SHED = "Received status 503"
_WARNING = re.compile(r"WARNING.*?: (?=\S)(.*)")


@dataclass(frozen=True)
class Procedure:
    """One run."""

    name: str
    clients: tuple[str, ...]
    strict: bool = True
    """Warnings fail it."""
    environment: tuple[tuple[str, str], ...] = ()
    long: bool = False
    """Waits for minutes, and therefore begins first."""


@dataclass(frozen=True)
class Verdict:
    """What came of it."""

    status: int
    """0 where it has passed."""
    warnings: tuple[str, ...]
    report: str
    """The end of what cactus-client said."""


async def run_all(programs: Path, directory: Path, procedures: Sequence[Procedure]) -> dict[str, Verdict]:
    """Every procedure once, each on whichever gateway is free next; verdicts by name of the procedure."""
    waiting = sorted(procedures, key=lambda procedure: not procedure.long)[::-1]
    verdicts: dict[str, Verdict] = {}

    async def work(number: int, notifications: str) -> None:
        place = directory / f"gateway{number}"
        place.mkdir()
        async with site(place, notifications) as here:
            while waiting:
                procedure = waiting.pop()
                verdict = await _run(programs, here, procedure)
                if verdict.status and SHED in verdict.report:
                    # A machine that stands still for two seconds makes a gateway shed load, as it should.
                    verdict = await _run(programs, here, procedure)
                verdicts[procedure.name] = verdict

    async with _notifications(programs, directory) as url, asyncio.TaskGroup() as tasks:
        for number in range(min(GATEWAYS, len(procedures))):
            tasks.create_task(work(number, url))
    return verdicts


async def _run(programs: Path, here: Site, procedure: Procedure) -> Verdict:
    strict = ["--strict"] if procedure.strict else []
    process = await asyncio.create_subprocess_exec(
        *(str(programs / "cactus"), "run", "-c", str(here.configuration), "--headless"),
        *("--timeout", str(LONG_S if procedure.long else SHORT_S)),
        *strict,
        procedure.name,
        *procedure.clients,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=here.directory,
        env={**here.environment, **dict(procedure.environment)},
    )
    output, _ = await process.communicate()
    said = output.decode(errors="replace")
    (here.directory / f"{procedure.name}.log").write_text(said, encoding="utf-8")
    return Verdict(process.returncode or 0, tuple(_WARNING.findall(said)), said[-8_000:])


@asynccontextmanager
async def _notifications(programs: Path, directory: Path) -> AsyncIterator[str]:
    """cactus-client's service that takes notifications for it; one for all gateways."""
    (port,) = free_ports(1)
    url = f"http://localhost:{port}/"
    with (directory / "notifications.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(str(programs / "python"), "-m", "cactus_client_notifications.server.main"),
            stdout=log,
            stderr=log,
            env={**os.environ, "APP_PORT": str(port), "SERVER_URL": url},
        )
        try:
            yield url
        finally:
            process.terminate()
            await process.wait()
