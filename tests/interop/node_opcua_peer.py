"""node-opcua in processes of its own: installed from its lock file, run with our scripts, and listened to."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

NODE, NPM = shutil.which("node"), shutil.which("npm")
SOURCES = Path(__file__).parent / "node_opcua"
INSTALLED = Path("build/node_opcua").resolve()
INSTALL_S = 300
PATIENCE_S = 30.0


def installed() -> Path:
    """Where node-opcua and our scripts for it lie; installed at the versions of the lock file."""
    stamp = INSTALLED / "installed.json"
    lock = (SOURCES / "package-lock.json").read_text()
    if not stamp.exists() or stamp.read_text() != lock:
        shutil.rmtree(INSTALLED, ignore_errors=True)
        shutil.copytree(SOURCES, INSTALLED)
        command = [str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(command, cwd=INSTALLED, check=True, timeout=INSTALL_S)
        stamp.write_text(lock)
    for script in SOURCES.glob("*.js"):
        shutil.copy(script, INSTALLED)
    return INSTALLED


@asynccontextmanager
async def node(directory: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(NODE), *arguments, cwd=directory, stdin=pipe, stdout=pipe, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def said(process: asyncio.subprocess.Process, is_it: Callable[[str], bool]) -> str:
    """The first line that is what was waited for; the library logs to the same place."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        while line := await process.stdout.readline():
            if is_it(line.decode().strip()):
                return line.decode().strip()
    raise AssertionError("node ended without a word")
