"""The bearer token of the admin API: from the environment, or in a file that only its owner may read."""

import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

VARIABLE: Final = "AMPACITY_ADMIN_TOKEN"
TOKEN_FILE: Final = "admin.token"  # noqa: S105  (its name, not its content)
URL_FILE: Final = "admin.url"
_SHORTEST: Final = 16


class TokenError(Exception):
    """There is no token, or none that may be used; says what to do."""


def make(directory: Path, environ: Mapping[str, str]) -> str:
    """The token of a server: that of the environment, else that of the file, which is made where there is none.

    Raises:
        TokenError: the token is too short, or others may read its file.
        OSError: the file cannot be written.
    """
    if VARIABLE not in environ and not (directory / TOKEN_FILE).exists():
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / TOKEN_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"{secrets.token_urlsafe(32)}\n")
    return read(directory, environ)


def read(directory: Path, environ: Mapping[str, str]) -> str:
    """The token of a client.

    Raises:
        TokenError: there is none, it is too short, or others may read its file.
    """
    given, where = environ.get(VARIABLE), VARIABLE
    if given is None:
        path = directory / TOKEN_FILE
        where = str(path)
        try:
            mode = path.stat().st_mode
            given = path.read_text().strip()
        except OSError as error:
            raise TokenError(
                f"no token in {path} ({error.strerror}); is the gateway running? or set {VARIABLE}"
            ) from error
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise TokenError(f"others may read {path}; take it away from them: chmod 600 {path}")
    if len(given) < _SHORTEST:
        raise TokenError(f"the token in {where} is shorter than {_SHORTEST} characters; take a longer one")
    return given
