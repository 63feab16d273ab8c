"""Answers by idempotency key: the same request again gets the same answer, another one with that key gets none."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

KEPT: Final = 2_000
"""Answers to one party that are remembered, the newest; `msg_id` guards against repeats beyond that."""


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
        self._answers: dict[str, OrderedDict[str, tuple[bytes, Answer]]] = {}

    def recall(self, party: str, key: str, digest: bytes) -> Answer | None:
        """The answer to the same request; None where the key is new.

        Raises:
            KeyReused: the request was another.
        """
        held = self._answers.setdefault(party, OrderedDict()).get(key)
        if held is None:
            return None
        if held[0] != digest:
            raise KeyReused(key)
        return held[1]

    def keep(self, party: str, key: str, digest: bytes, answer: Answer) -> None:
        """Remember an answer that will not change."""
        answers = self._answers.setdefault(party, OrderedDict())
        answers[key] = (digest, answer)
        while len(answers) > KEPT:
            answers.popitem(last=False)
