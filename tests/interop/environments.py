"""Environments of peers that need Python 3.12 or later: `python -m tests.interop.environments` makes all of them.

A peer's folder here has its pinned `requirements.txt`, and a folder `plugin` where we give it a package of ours.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BUILD = Path("build").resolve()
INSTALL_S = 300
_NEW_ENOUGH = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))"


class MissingError(Exception):
    """There is no Python that could run the peer."""


def need(peer: str) -> Path:
    """Folder of a peer's programs; without Python 3.12 the test is skipped here and fails in the gate."""
    try:
        return environment(peer)
    except MissingError as error:
        pytest.skip(str(error))


def environment(peer: str) -> Path:
    """Folder of a peer's programs; installed anew where its requirements, or our plug-in, have changed.

    Raises:
        MissingError: no Python 3.12 or later is here.
        subprocess.SubprocessError: the packages could not be installed.
    """
    place, requirements, plugin = BUILD / peer, HERE / peer / "requirements.txt", HERE / peer / "plugin"
    programs = place / "bin"
    pip = [str(programs / "python"), "-m", "pip", "install", "--disable-pip-version-check", "-qq", "--retries", "5"]
    if _has_changed(place / "installed.txt", wanted := requirements.read_text(encoding="utf-8")):
        python = _python()
        shutil.rmtree(place, ignore_errors=True)
        subprocess.run([python, "-m", "venv", str(place)], check=True, timeout=INSTALL_S)
        subprocess.run([*pip, "-r", str(requirements)], check=True, timeout=INSTALL_S)
        (place / "installed.txt").write_text(wanted, encoding="utf-8")
    ours = "".join(path.read_text(encoding="utf-8") for path in sorted(plugin.glob("*.*")))
    if ours and _has_changed(place / "plugin.txt", ours):
        copied = place / "plugin"  # setuptools writes beside the sources
        shutil.rmtree(copied, ignore_errors=True)
        shutil.copytree(plugin, copied)
        install = ["--no-deps", "--no-build-isolation", "--force-reinstall", str(copied)]
        subprocess.run([*pip, *install], check=True, timeout=INSTALL_S)
        (place / "plugin.txt").write_text(ours, encoding="utf-8")
    return programs


def _has_changed(stamp: Path, wanted: str) -> bool:
    return not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted


def _python() -> str:
    """The first interpreter that is new enough and can make environments."""
    for candidate in _candidates():
        done = subprocess.run([candidate, "-c", _NEW_ENOUGH], capture_output=True, check=False)
        if done.returncode == 0:
            return candidate
    raise MissingError("it needs Python 3.12 or later with its venv module, and none is here")


def _candidates() -> Iterator[str]:
    yield sys.executable
    for name in ("python3.12", "python3.13", "python3"):
        if (found := shutil.which(name)) is not None:
            yield found
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from (str(path) for path in sorted(versions.glob("3.1[2-9].*/bin/python")))


if __name__ == "__main__":
    for found in sorted(HERE.glob("*/requirements.txt")):
        print(environment(found.parent.name))
