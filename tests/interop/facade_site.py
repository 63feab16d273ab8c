"""A battery behind the gateway's façade: a real device on its own protocol, the control loop, and our Modbus server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from random import Random

from gateway import app
from gateway.actuation import Actuation
from gateway.coordination.book import Book
from gateway.coordination.situation import Situation
from gateway.desk import Desk
from gateway.exchange import Exchange
from gateway.ground import Ground
from gateway.ledger import Ledger
from gateway.loop import Loop
from gateway.narrate import Narrator
from gateway.northbound.sunspec import SunSpecFacade
from gateway.northbound.sunspec_words import FacadeSettings, ShownDer
from gateway.snapshot import Image
from gateway.testbed.device import SimulatedDevice
from protocols.modbus.server_security import ServerSecurity
from protocols.signals import Outcome
from tests.contract.harness import PATIENCE_S, RESOURCE, SPEC, ContractHarness
from tests.gateway.coordination.build import A, zone
from tests.gateway.test_loop import FakeEngine, FakeJournal

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Site:
    """What a test of the façade looks at."""

    device: SimulatedDevice
    loop: Loop
    engine: FakeEngine
    facade: SunSpecFacade
    now: app.Now

    @property
    def port(self) -> int:
        """Of the plain server, or of the secure one where that is the only one."""
        return self.facade.servers[0].port

    async def ends(self, outcome: Outcome) -> None:
        """Wait until the newest control has come to this."""
        async with asyncio.timeout(PATIENCE_S):
            while self._outcome() is not outcome:  # noqa: ASYNC110 - the book is the condition
                await asyncio.sleep(0.02)

    def _outcome(self) -> Outcome | None:
        held = self.loop.book.controls.get(RESOURCE)
        return None if held is None else held.outcome


@asynccontextmanager
async def shown(protocol: str, *, security: ServerSecurity | None = None) -> AsyncIterator[Site]:
    """The battery of the contract suite on `protocol`, under control, as unit 1 of the façade."""
    harness: ContractHarness = import_module(f"tests.contract.harness_{protocol}").Harness()
    await harness.start()
    try:
        battery = replace(A, ramp_w_per_s=None)
        facts = replace(zone(), resources={RESOURCE: battery})
        say, now = Narrator(facts), harness.now
        ledger, adapter, engine = Ledger(FakeJournal(), Book(), say), harness.adapter(), FakeEngine()
        ground = Ground(facts, Image({RESOURCE: 1.0}), ledger, now, say)
        actuation = Actuation(ground, {RESOURCE: adapter})
        loop = Loop(ground, engine, Exchange(ground, _post), actuation, lambda _: None)
        der = ShownDer(1, battery, "bess", protocol, SPEC.p_max_w, SPEC.p_min_w, energy_wh=5e6)
        ports = {"tls_host": HOST, "tls_port": 0, "security": security} if security else {"port": 0}
        desk = Desk(facts, ledger, now, say, ground.touched.set)
        facade = SunSpecFacade(
            FacadeSettings((der,), 900.0, **ports),
            desk,
            lambda: Situation(facts, loop.book, ground.image.freeze(now())),
            now,
        )
        async with asyncio.TaskGroup() as tasks:
            listening = asyncio.Event()
            running = [
                tasks.create_task(app.keep_running(loop, [adapter], Random(1))),
                tasks.create_task(facade.run([listening])),
            ]
            async with asyncio.timeout(PATIENCE_S):
                await listening.wait()
                while ground.image.freeze(now()).power_w(RESOURCE) is None:  # noqa: ASYNC110 - the image is the condition
                    await asyncio.sleep(0.02)
            yield Site(harness.device, loop, engine, facade, now)
            for task in running:
                task.cancel()
    finally:
        await harness.stop()


async def _post(_: object) -> None:
    """Nobody listens to messages here."""
