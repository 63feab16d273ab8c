"""Bearer tokens of parties: made once, shown once, and kept as digests only."""

import json
import os
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

FILE: Final = "party_tokens.json"
"""In the storage directory: SHA-256 in hex by party."""


class TokenFileError(Exception):
    """The file of digests cannot be used; says what to do."""


def make() -> tuple[str, str]:
    """A new token of 256 random bits, and its digest."""
    token = secrets.token_urlsafe(32)
    return token, sha256(token.encode()).hexdigest()


def keep(directory: Path, party: str, digest: str) -> Path:
    """Let a party come with the token of that digest, and with no other any more; the file that says so.

    Raises:
        TokenFileError: the file there is none of ours, or cannot be written.
    """
    path = directory / FILE
    kept = {**_read(path), party: digest}
    fresh = path.with_suffix(".new")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(json.dumps(kept, indent=1, sort_keys=True) + "\n")
        fresh.replace(path)
    except OSError as error:
        raise TokenFileError(f"cannot write {path}: {error.strerror}") from error
    return path


class StoredTokens:
    """The digests in the storage directory, read anew whenever their file changes."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE
        self._stamp: tuple[int, int, int] | None = None
        self._digests: Mapping[str, str] = {}

    def __call__(self) -> Mapping[str, str]:
        """Digest by party; none while the file is missing or unreadable, so that nobody gets in by it."""
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if stamp != self._stamp:
                self._digests, self._stamp = _read(self._path), stamp
        except (OSError, TokenFileError):
            self._digests, self._stamp = {}, None
        return self._digests


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise TokenFileError(f"cannot read {path}: {error}; move it away and make new tokens") from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise TokenFileError(f"{path} holds no digests by party; move it away and make new tokens")
    return found
