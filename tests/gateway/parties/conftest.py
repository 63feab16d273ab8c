"""What the tests of the parties' interface share: one dispatch, and somebody who takes messages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from gateway.coordination.book import Book
from gateway.coordination.messages import Dispatch, Header, Message
from gateway.coordination.zone import DsoModel, Role, ZoneFacts
from gateway.parties.desk import Desk
from gateway.parties.identity import Gate, Proof
from gateway.parties.intake import Intake, Refused
from gateway.parties.interface import Interface
from gateway.parties.mailroom import MailRoom
from gateway.parties.pace import Pace

DISPATCH = Message(Header("m1", "d1", "IESO", "DSO", 0, "R1", "DP"), Dispatch("d1", 1, "A", 2e6, 0, 300))


@dataclass
class Inbox:
    """Keeps what arrived; refuses everything about resource `X`."""

    messages: list[Message] = field(default_factory=list)
    denied: list[str] = field(default_factory=list)
    pace: Pace = field(default_factory=Pace)

    async def on_message(self, message: Message) -> None:
        if isinstance(message.body, Dispatch) and message.body.resource == "X":
            raise Refused("X is not a resource of this zone", "see the zone file")
        self.messages.append(message)

    async def earlier(self, party: str, msg_id: str) -> Message | None:
        return next((m for m in self.messages if (m.header.sender, m.header.msg_id) == (party, msg_id)), None)

    def on_denied(self, address: str, detail: str) -> None:
        self.denied.append(f"{address} {detail}")

    def application(self, proofs: Mapping[str, Proof | None]) -> web.Application:
        """The interface to these parties, with nothing behind it but this inbox."""
        facts = ZoneFacts("R1", DsoModel.DUAL_PARTICIPATION, "v1", {}, dict.fromkeys(proofs, Role.DERA))
        desk = Desk(facts, Book, MailRoom(facts, Path(), 0.0), lambda: 0.0, 2.0)
        intake = Intake(self.on_message, self.earlier)
        return Interface(facts, Gate(proofs), intake, desk, self.on_denied, self.pace).application()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()
