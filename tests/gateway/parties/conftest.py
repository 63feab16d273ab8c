"""What the tests of the parties' interface share: one dispatch, and somebody who takes messages."""

from dataclasses import dataclass, field

import pytest

from gateway.coordination.messages import Dispatch, Header, Message
from gateway.parties.interface import Refused

DISPATCH = Message(Header("m1", "d1", "IESO", "DSO", 0, "R1", "DP"), Dispatch("d1", 1, "A", 2e6, 0, 300))


@dataclass
class Inbox:
    """Keeps what arrived; refuses everything about resource `X`."""

    messages: list[Message] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)

    async def on_message(self, message: Message) -> None:
        if isinstance(message.body, Dispatch) and message.body.resource == "X":
            raise Refused("X is not a resource of this zone", "see the zone file")
        self.messages.append(message)

    def on_denied(self, address: str, detail: str) -> None:
        self.denied.append(f"{address} {detail}")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()
