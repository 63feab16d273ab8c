"""What every simulated party does with messages, whatever its role: give them ids, and take each only once."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.coordination.messages import Body, Header, Message

REMEMBERED: Final = 10_000
"""Messages whose answers are kept for a repeat."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the party is and where it plays."""

    party: str
    zone: str
    model: str
    """`DP`, `T` or `MF`."""
    dso: str = "DSO"

    @property
    def dual(self) -> bool:
        """True where DER/As and the system operator speak to each other without the DSO between them."""
        return self.model == "DP"


class Mailbox:
    """Ids of outgoing messages, and the answers that were given to incoming ones."""

    def __init__(self, identity: Identity) -> None:
        self.identity = identity
        self._sent = 0
        self._answers: OrderedDict[str, tuple[Message, ...]] = OrderedDict()

    def write(self, recipient: str, corr_id: str, body: Body, now_s: float) -> Message:
        """A new message; its id differs from those of earlier runs because it holds the time."""
        self._sent += 1
        me = self.identity
        msg_id = f"{me.party}-{round(now_s * 1000)}-{self._sent}"
        return Message(Header(msg_id, corr_id, me.party, recipient, now_s, me.zone, me.model), body)

    def answered(self, message: Message) -> list[Message] | None:
        """The answers given when this message came first; `None` where it is new."""
        answers = self._answers.get(message.header.msg_id)
        return None if answers is None else list(answers)

    def remember(self, message: Message, answers: Sequence[Message]) -> None:
        """Keep the answers, so that a repeat of the message gets the same and has no further effect."""
        self._answers[message.header.msg_id] = tuple(answers)
        while len(self._answers) > REMEMBERED:
            self._answers.popitem(last=False)
