"""Programs that nobody here wrote and that tests meet; `.ci/run` installs them."""

import os
import shutil

import pytest


def need(program: str) -> str:
    """Path of a peer's program; where it is missing, the test is skipped here and fails in the gate."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which(program, path=places)
    if found is None:
        pytest.skip(f"{program} is not installed; `.ci/run peers` installs it")
    return found
