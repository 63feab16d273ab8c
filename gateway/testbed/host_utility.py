"""A simulated neighbour utility: it sets limits at the interface, takes copies, and objects or does not; no I/O."""

from dataclasses import dataclass
from typing import Self

from gateway.coordination.messages import Message
from gateway.coordination.operation_messages import HostInclude, HostLimit, HostNoObjection, HostObject
from gateway.testbed.mailbox import Identity, Mailbox
from protocols.signals import Bounds

OPEN_W = 9e9
"""A side that is not limited, within what a message can say."""


@dataclass(slots=True)
class Objection:
    """What it answers to drafts."""

    ceiling_w: float
    floor_w: float

    @classmethod
    def beyond(cls, ceiling_w: float) -> Self:
        """To whatever exports more than that; imports are not limited."""
        return cls(ceiling_w, -OPEN_W)


class HostUtility:
    """The other side of an interface."""

    def __init__(self, identity: Identity, answers_after_s: float = 5.0) -> None:
        self._mail = Mailbox(identity)
        self._versions: dict[str, int] = {}
        self._owed: list[tuple[float, HostInclude]] = []
        self.silent = False
        """It never says what it thinks of a draft."""
        self.answers_after_s = answers_after_s
        self.objection: Objection | None = None
        """What it objects with, instead of letting things go ahead."""
        self.included: list[HostInclude] = []

    @property
    def party(self) -> str:
        """Own party id."""
        return self._mail.identity.party

    def limit(self, interface: str, bounds: Bounds, start_s: float, end_s: float, now_s: float) -> Message:
        """A new limit at an interface; each is the next version of the one before, an open side is not limited."""
        version = self._versions.get(interface, 0) + 1
        self._versions[interface] = version
        limit_id = f"{self.party}-{interface}"
        floor_w = -OPEN_W if bounds.floor_w is None else bounds.floor_w
        ceiling_w = OPEN_W if bounds.ceiling_w is None else bounds.ceiling_w
        body = HostLimit(limit_id, version, interface, ceiling_w, floor_w, start_s, end_s)
        return self._mail.write(self._mail.identity.dso, limit_id, body, now_s)

    def due(self, now_s: float) -> list[Message]:
        """Answers to drafts that it has thought about long enough."""
        if self.silent:
            return []
        ready = [include for at_s, include in self._owed if at_s <= now_s]
        self._owed = [(at_s, include) for at_s, include in self._owed if at_s > now_s]
        return [self._answered(include, self.objection, now_s) for include in ready]

    @property
    def waiting(self) -> tuple[str, ...]:
        """Drafts that it has not answered yet."""
        return tuple(include.include_id for _, include in self._owed)

    def answer(self, include_id: str, objection: Objection | None, now_s: float) -> Message:
        """Its answer to one draft that waits, now and whatever its habits are.

        Raises:
            LookupError: no such draft waits.
        """
        for at_s, include in self._owed:
            if include.include_id == include_id:
                self._owed.remove((at_s, include))
                return self._answered(include, objection, now_s)
        raise LookupError(f"{include_id} does not wait for an answer")

    def handle(self, message: Message, now_s: float) -> list[Message]:
        """Keep copies, and think about drafts."""
        if self._mail.answered(message) is not None:
            return []
        self._mail.remember(message, ())
        body = message.body
        if isinstance(body, HostInclude):
            self.included.append(body)
            if body.draft:
                self._owed.append((now_s + self.answers_after_s, body))
        return []

    def _answered(self, include: HostInclude, objection: Objection | None, now_s: float) -> Message:
        identity = self._mail.identity
        if objection is None:
            return self._mail.write(identity.dso, include.include_id, HostNoObjection(include.include_id), now_s)
        interface = include.include_id.split(":", 1)[0]
        body = HostObject(include.include_id, interface, objection.ceiling_w, objection.floor_w)
        return self._mail.write(identity.dso, include.include_id, body, now_s)
