"""The parties' side of a running gateway: the interface that listens to them, and the client that writes to them."""

import asyncio
import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from random import Random
from typing import Final

import structlog
from aiohttp import web

from gateway.clock import Now
from gateway.coordination.messages import Message
from gateway.coordination.zone import ZoneFacts
from gateway.exchange import CannotRecord, Exchange, RefusedMessage
from gateway.narrate import Narrator
from gateway.parties import doorman
from gateway.parties.client import Client
from gateway.parties.desk import Desk
from gateway.parties.doorman import HANDSHAKE_S, IDLE_S
from gateway.parties.identity import Gate
from gateway.parties.intake import Intake, Refused, Unavailable
from gateway.parties.interface import Interface, OnDenied
from gateway.parties.mail import MailError
from gateway.parties.mailroom import MailRoom
from gateway.parties.outbox import Outbox, Reached
from gateway.parties.settings import PartiesError, PartySettings
from gateway.parties.tls import server_context
from gateway.parties.tokens import StoredTokens
from gateway.parties.way import Way
from gateway.parties.webhooks import Copier

DENIED_EVERY_S: Final = 60.0
"""Whoever is turned away again and again from one address is told of this often."""
DENIED_KEPT: Final = 1_000
GOODBYE_S: Final = 2.0
"""How long requests that are under way may still take when the gateway ends."""


class Office:
    """Sends and takes the messages of one zone."""

    def __init__(self, settings: PartySettings, facts: ZoneFacts, say: Narrator, now: Now) -> None:
        self._settings, self._facts, self._say, self._now = settings, facts, say, now
        self._client = Client(settings.reaches)
        self._mail = MailRoom(facts, settings.storage, now() - facts.clocks.commit_s)
        way = Way(self._client, facts, now, say)
        self._outbox = Outbox(way, self._mail, now, Random(), facts.clocks.commit_s)
        self._copier = Copier(self._client, self._mail, facts.id, now, Random())
        self._denied: OrderedDict[str, float] = OrderedDict()
        self._reach: Reached | None = None

    async def send(self, message: Message) -> None:
        """A message stands in the journal: it is on its way as soon as this returns."""
        self._outbox.ring(message.header.recipient)
        self._mail.news.ring()

    async def run(self) -> None:
        """Bring messages to parties and webhooks until cancelled; say what becomes of them.

        Raises:
            ExceptionGroup: of `MailError`: what is on its way cannot be looked up or kept.
        """
        log = structlog.get_logger()

        def failed(name: str, detail: str) -> None:
            log.warning("webhook.failed", subject=name, detail=detail)

        def recovered(name: str) -> None:
            log.info("webhook.recovered", subject=name)

        async with asyncio.TaskGroup() as tasks:
            say = self._say
            tasks.create_task(self._outbox.run(say.undelivered, say.delivered_late, self._reached), name="outbox")
            for hook in self._settings.webhooks:
                tasks.create_task(self._copier.serve(hook, failed, recovered), name=hook.place)
            await asyncio.Event().wait()  # where nobody has a URL, nothing is to be done, for ever

    @asynccontextmanager
    async def open(self, exchange: Exchange) -> AsyncIterator[None]:
        """Take the parties' messages while it is entered.

        Raises:
            PartiesError: a certificate or the index of messages cannot be used, or the port is taken.
        """
        settings, mail = self._settings, self._mail
        desk = Desk(self._facts, lambda: exchange.ground.book, mail, self._now, settings.receipt_s)
        gate = Gate(settings.proofs, StoredTokens(settings.storage))
        self._reach = exchange.reached
        intake = Intake(partial(_taken, exchange, mail), desk.earlier)
        app = Interface(self._facts, gate, intake, desk, self._turned_away).application()
        try:
            tls = server_context(settings.tls)
        except OSError as error:
            raise PartiesError(f"the parties' interface has no usable certificate: {error}") from error
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._client)
            try:
                await stack.enter_async_context(mail)
            except MailError as error:
                raise PartiesError(str(error)) from error
            await stack.enter_async_context(_listening(app, settings, tls, self._turned_away))
            yield

    def _reached(self, party: str, since_s: float) -> None:
        if self._reach is not None:
            self._reach(party, since_s)

    def _turned_away(self, address: str, detail: str) -> None:
        now_s = self._now()
        if now_s - self._denied.get(address, -DENIED_EVERY_S) < DENIED_EVERY_S:
            return
        self._denied[address] = now_s
        while len(self._denied) > DENIED_KEPT:
            self._denied.popitem(last=False)
        structlog.get_logger().warning("party.denied", source=address, detail=detail)


async def _taken(exchange: Exchange, mail: MailRoom, message: Message) -> None:
    """Hand a message to the control loop; whoever waits for news hears of it, and of what it answers."""
    try:
        await exchange.receive(message)
    except RefusedMessage as error:
        raise Refused(str(error), "see the addressing matrix of the zone's DSO model") from error
    except CannotRecord as error:
        raise Unavailable(str(error)) from error
    mail.news.ring()


@asynccontextmanager
async def _listening(
    app: web.Application, settings: PartySettings, tls: ssl.SSLContext | None, denied: OnDenied
) -> AsyncIterator[None]:
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=GOODBYE_S,
        keepalive_timeout=IDLE_S,
        auto_decompress=False,  # a few bytes could unpack to very many
        logger=doorman.logger(),
    )
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("the runner has no server after its setup")
    door, loop = doorman.Doorman(runner.server, denied), asyncio.get_running_loop()
    patience_s = None if tls is None else HANDSHAKE_S
    try:
        try:
            server = await loop.create_server(
                door, settings.host, settings.port, ssl=tls, ssl_handshake_timeout=patience_s
            )
        except OSError as error:
            raise PartiesError(
                f"cannot listen for parties on {settings.host}:{settings.port} ({error.strerror}); "
                "end what uses that port, or set listen.parties_port in the zone file"
            ) from error
        try:
            yield
        finally:
            server.close()
    finally:
        await runner.cleanup()
