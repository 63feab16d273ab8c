"""What is wrong in a configuration file: where, what, and what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

SECRET_KEYS = frozenset({"pin", "token_sha256"})
"""Keys whose values no message may repeat."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file; lines count from 1."""

    file: Path
    line: int

    def __str__(self) -> str:
        """As editors and compilers write it: `file:line`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing to put right before the file can be used."""

    place: Place
    problem: str
    """What is wrong, naming the value and where in the document it stands."""
    remedy: str
    """What to do, as an imperative sentence without a full stop."""

    def __str__(self) -> str:
        """`file:line: problem; remedy`, one line."""
        return f"{self.place}: {self.problem}; {self.remedy}"


class ConfigError(Exception):
    """The configuration cannot be used; carries every fault that was found, in order of place."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def suggestion(word: str, known: Iterable[str], otherwise: str) -> str:
    """`did you mean …` where `known` holds something like `word`, else `otherwise`."""
    candidates = sorted(known)
    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f"did you mean `{folded[near[0]]}`?" if near else otherwise


def listed(words: Iterable[str], most: int = 12) -> str:
    """The words in order, separated by commas; what exceeds `most` is only counted."""
    ordered = sorted(words)
    rest = len(ordered) - most
    return ", ".join(ordered[:most]) + (f" and {rest} more" if rest > 0 else "") if ordered else "none"
