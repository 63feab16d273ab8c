"""A simulated market platform: it carries messages between parties, keeps the book of them, and changes nothing."""

from gateway.coordination.messages import Message


class Platform:
    """Carries what the route says, in the order in which it came."""

    def __init__(self, party: str) -> None:
        self.party = party
        self.carried: list[Message] = []
        self.down = False
        """It takes nothing: everybody goes point to point."""

    def handle(self, message: Message, now_s: float) -> list[Message]:  # noqa: ARG002 - every party is told the time
        """Pass a message on to whom it is for; one for the platform itself ends here."""
        self.carried.append(message)
        return [] if message.header.recipient == self.party else [message]

    def due(self, now_s: float) -> list[Message]:  # noqa: ARG002 - every party is told the time
        """Nothing: it has nothing to say of its own."""
        return []
