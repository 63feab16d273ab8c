"""All simulated parties of a zone together, with everything they sent and received in order; no I/O."""

from collections import deque
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from config.settings import ZoneFile
from gateway.coordination.messages import Message
from gateway.coordination.routing import by_platform
from gateway.coordination.zone import DsoModel
from gateway.testbed.agent import DerAgent, Owned
from gateway.testbed.host_utility import HostUtility
from gateway.testbed.mailbox import Identity
from gateway.testbed.platform import Platform
from gateway.testbed.system_operator import SystemOperator

KEPT: Final = 10_000
"""Messages that are remembered; the oldest go first."""
COMMIT_SHARE: Final = 5 / 6
"""A DER/A waits this share of the commitment deadline for a limit."""
THINKING_SHARE: Final = 1 / 6
"""A host thinks about a draft for this share of the time that it is given."""


class Party(Protocol):
    """Someone who answers messages and sends some at its own time."""

    @property
    def party(self) -> str:
        """Own party id."""

    def handle(self, message: Message, now_s: float) -> list[Message]:
        """Answer one message."""

    def due(self, now_s: float) -> list[Message]:
        """What it sends of its own accord by now."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One message that a simulated party sent or received."""

    at_s: float
    message: Message
    sent: bool
    """True for sent, false for received."""
    carried: bool = False
    """By the platform."""


class Parties:
    """The simulated parties; `log` holds what each sent and received, in order."""

    def __init__(self, parties: Iterable[Party], model: DsoModel = DsoModel.DUAL_PARTICIPATION) -> None:
        self.members: Mapping[str, Party] = {party.party: party for party in parties}
        self._model = model
        self.log: deque[Exchanged] = deque(maxlen=KEPT)

    @property
    def system_operator(self) -> SystemOperator:
        """The simulated system operator.

        Raises:
            LookupError: none is simulated.
        """
        for party in self.members.values():
            if isinstance(party, SystemOperator):
                return party
        raise LookupError("no system operator is simulated in this zone")

    def agent(self, party: str) -> DerAgent:
        """A simulated DER/A.

        Raises:
            LookupError: none of this id is simulated.
        """
        found = self.members.get(party)
        if isinstance(found, DerAgent):
            return found
        raise LookupError(f"no DER/A {party!r} is simulated in this zone")

    def handle(self, message: Message, now_s: float) -> list[Message]:
        """Give a message to its recipient, by the platform where that carries it; the answers are not yet delivered.

        Raises:
            LookupError: the recipient is not simulated here.
        """
        return self.take(message, now_s, carried=self._carry(message, now_s))

    def take(self, message: Message, now_s: float, *, carried: bool = False) -> list[Message]:
        """Give a message that has come to its recipient and return the answers, not yet delivered.

        Raises:
            LookupError: the recipient is not simulated here.
        """
        recipient = self.members.get(message.header.recipient)
        if recipient is None:
            raise LookupError(f"{message.header.recipient} is not simulated here")
        self.log.append(Exchanged(now_s, message, sent=False, carried=carried))
        return self._sending(recipient.handle(message, now_s), now_s)

    def carry(self, message: Message, now_s: float) -> list[Message]:
        """What the platform, to which a message was handed, passes on.

        Raises:
            LookupError: none is simulated here.
        """
        platform = self.platform
        if platform is None:
            raise LookupError("no platform is simulated here")
        self.log.append(Exchanged(now_s, message, sent=False, carried=True))
        return platform.handle(message, now_s)

    def due(self, now_s: float) -> list[Message]:
        """What the parties send of their own accord by now, not yet delivered."""
        return [message for party in self.members.values() for message in self._sending(party.due(now_s), now_s)]

    def note(self, messages: list[Message], now_s: float) -> list[Message]:
        """Log what a party was made to send from outside, and hand it back for delivery."""
        return self._sending(messages, now_s)

    def deliver(self, messages: Iterable[Message], now_s: float) -> list[Message]:
        """Pass messages on among the simulated parties until silence; return those for everybody else."""
        waiting, outside = deque(messages), []
        while waiting:
            message = waiting.popleft()
            if message.header.recipient in self.members:
                waiting += self.handle(message, now_s)
            else:
                self._carry(message, now_s)
                outside.append(message)
        return outside

    @property
    def platform(self) -> Platform | None:
        """The simulated platform; nothing where the zone has none."""
        return next((party for party in self.members.values() if isinstance(party, Platform)), None)

    def host(self, party: str = "") -> HostUtility:
        """A simulated neighbour utility, the only one where no name is given.

        Raises:
            LookupError: none is simulated.
        """
        for name, member in self.members.items():
            if isinstance(member, HostUtility) and party in ("", name):
                return member
        raise LookupError("no host utility is simulated in this zone")

    def _carry(self, message: Message, now_s: float) -> bool:
        """Let the platform see what goes by it."""
        platform = self.platform
        if platform is None or platform.down or not by_platform(self._model, message.code):
            return False
        platform.handle(message, now_s)
        return True

    def _sending(self, messages: list[Message], now_s: float) -> list[Message]:
        self.log.extend(Exchanged(now_s, message, sent=True) for message in messages)
        return messages


def of_zone(zone: ZoneFile, devices: Mapping[str, Owned], played: Container[str] | None = None) -> Parties:
    """The parties that a zone file marks `simulated`, or of these the `played`; `devices` by resource."""
    operators = [name for name, party in zone.parties.items() if party.role == "system_operator"]
    owners = {name: device.owner for name, device in zone.devices.items()}
    members: list[Party] = []
    for name, party in zone.parties.items():
        if not party.simulated or (played is not None and name not in played):
            continue
        identity = Identity(name, zone.zone.id, zone.zone.dso_model.value)
        if party.role == "system_operator":
            members.append(SystemOperator(identity, {**owners, **dict.fromkeys(zone.market.nodes, identity.dso)}))
        elif party.role == "dera":
            own = {resource: device for resource, device in devices.items() if owners[resource] == name}
            members.append(
                DerAgent(identity, own, operators[0] if operators else "", COMMIT_SHARE * zone.clocks.commit_s)
            )
        elif party.role == "host":
            patience_s = min((i.patience_s for i in zone.interfaces.values() if i.party == name), default=30.0)
            members.append(HostUtility(identity, THINKING_SHARE * patience_s))
        elif name == zone.platform:
            members.append(Platform(name))
    return Parties(members, DsoModel(zone.zone.dso_model.value))
