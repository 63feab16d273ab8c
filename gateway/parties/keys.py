"""Answers by idempotency key: the same request again gets the same answer, another one with that key gets none."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

KEPT: Final = 10_000
"""Answers that are remembered; the oldest are forgotten first. `msg_id` guards against repeats beyond that."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered to a request."""

    status: int
    body: dict[str, str]


class KeyReused(Exception):  # noqa: N818 - the caller's mistake
    """The key belongs to another request."""


class Keys:
    """Remembers answers by party and key."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, str], tuple[bytes, Answer]] = OrderedDict()

    def recall(self, party: str, key: str, digest: bytes) -> Answer | None:
        """The answer to the same request; None where the key is new.

        Raises:
            KeyReused: the request was another.
        """
        held = self._answers.get((party, key))
        if held is None:
            return None
        if held[0] != digest:
            raise KeyReused(key)
        return held[1]

    def keep(self, party: str, key: str, digest: bytes, answer: Answer) -> None:
        """Remember an answer that will not change."""
        self._answers[party, key] = (digest, answer)
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)
