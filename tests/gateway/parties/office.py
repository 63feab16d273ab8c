"""A gateway's parties' side without its field: exchange, ledger and journal are real, and so are the sockets."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import aiohttp

from config.settings import ZoneFile
from gateway import record
from gateway.coordination import wire
from gateway.coordination.messages import Body, Header, Message
from gateway.exchange import Exchange
from gateway.ground import Ground
from gateway.journal.store import Journal
from gateway.ledger import Ledger
from gateway.narrate import Narrator
from gateway.parties.office import Office
from gateway.parties.settings import settings
from gateway.snapshot import Image
from gateway.translate import facts as translate
from tests.background import elsewhere
from tests.scenarios.live import free_ports
from tests.scenarios.stage import zone_file

NOW_S = 1_800_000_000.0
SECRETS = {"OURS": "our own token", "SIGNING": "a secret"}
"""Environment of the gateway."""


def token(party: str) -> str:
    return f"the token of {party}"


def zone_of(directory: Path, model: str, webhooks: dict[str, Any] | None = None, **parties: dict[str, Any]) -> ZoneFile:
    """R1 with a host, a platform and proofs for everybody; nobody has a URL unless it is given."""
    names = {"IESO": "system_operator", "HOST": "host", "MSP": "platform"}
    names |= dict.fromkeys(("AGENT_A", "AGENT_B", "AGENT_C", "AGENT_D", "AGENT_E"), "dera")
    everybody: dict[str, Any] = {
        name: {
            "role": role,
            "url": "",
            "simulated": False,
            "auth": {"token_sha256": sha256(token(name).encode()).hexdigest()},
            **parties.get(name, {}),
        }
        for name, role in names.items()
    }
    zone = zone_file(
        zone={"dso_model": model},
        parties=everybody,
        market={"nodes": ["TD1"], "wholesale_gate_s": 0, "local_gate_s": 0},
        storage={"directory": str(directory)},
        listen={"parties_port": free_ports(1)[0]},
        webhooks=webhooks or {},
    )
    return zone.model_copy(update={"platform": "MSP"})


@dataclass
class Running:
    """An office at work."""

    zone: ZoneFile
    exchange: Exchange
    office: Office
    clock: list[float]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.zone.listen.parties_port}"

    async def tell(self, *messages: Message) -> None:
        """The DSO says something."""
        assert await self.exchange.tell(self.exchange.ground.situation(), messages)

    def from_dso(self, recipient: str, body: Body, corr_id: str = "c") -> Message:
        return self.exchange.ground.situation().message(recipient, corr_id, body)

    async def ask(
        self, party: str, path: str, method: str = "GET", body: object = None, **headers: str
    ) -> tuple[int, Any]:
        shown = {"Authorization": f"Bearer {token(party)}", **headers}
        data = wire.encode(body) if isinstance(body, Message) else body
        async with (
            aiohttp.ClientSession(self.url) as session,
            session.request(method, path, data=data, headers=shown) as response,
        ):
            return response.status, await response.json()

    async def say(self, sender: str, body: Body, msg_id: str, **headers: str) -> tuple[int, Any]:
        """A party posts a message of its own."""
        zone = self.exchange.ground.zone
        message = Message(Header(msg_id, msg_id, sender, "DSO", self.clock[0], zone.id, zone.model.value), body)
        return await self.ask(sender, "/v1/messages", "POST", message, **headers)


@asynccontextmanager
async def running(zone: ZoneFile, clock: list[float] | None = None) -> AsyncIterator[Running]:
    """The office of a zone, from the journal in its storage directory."""
    time = [NOW_S] if clock is None else clock
    directory = Path(zone.storage.directory)
    facts = translate.zone_facts(zone, time[0])
    say = Narrator(facts)
    journal = Journal.open(directory / "journal.sqlite")
    try:
        ground = Ground(facts, Image({}), Ledger(journal, record.restore(journal), say), lambda: time[0], say)
        office = Office(settings(zone, SECRETS), facts, say, lambda: time[0])
        exchange = Exchange(ground, office.send)
        async with office.open(exchange), ground.tasks:
            bringing = ground.tasks.create_task(office.run())
            try:
                yield Running(zone, exchange, office, time)
            finally:
                bringing.cancel()
    finally:
        journal.close()


@contextmanager
def in_background(zone: ZoneFile) -> Iterator[str]:
    """The URL of an office in a thread of its own, for callers that block."""
    with elsewhere(lambda: running(zone), within_s=60):
        yield f"http://127.0.0.1:{zone.listen.parties_port}"
