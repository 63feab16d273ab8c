"""The parties' side of a running gateway: the interface that listens to them, and the client that writes to them."""

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
from gateway.parties.client import Client, Delivery
from gateway.parties.desk import Desk
from gateway.parties.identity import Gate
from gateway.parties.intake import Intake, Refused, Unavailable
from gateway.parties.interface import Interface
from gateway.parties.mail import MailError
from gateway.parties.mailroom import MailRoom
from gateway.parties.settings import PartiesError, PartySettings
from gateway.parties.tls import server_context
from gateway.parties.tokens import StoredTokens

DENIED_EVERY_S: Final = 60.0
"""Whoever is turned away again and again from one address is told of this often."""
DENIED_KEPT: Final = 1_000
GOODBYE_S: Final = 2.0
"""How long requests that are under way may still take when the gateway ends."""


class Office:
    """Sends and takes the messages of one zone."""

    def __init__(self, settings: PartySettings, facts: ZoneFacts, say: Narrator, now: Now) -> None:
        self._settings, self._facts, self._say, self._now = settings, facts, say, now
        self._client = Client(settings.reaches, Random())
        self._denied: OrderedDict[str, float] = OrderedDict()

    async def send(self, message: Message) -> None:
        """Deliver one message; says itself what became of it."""
        result = await self._client.send(message, self._facts.clocks.commit_s)
        if result.delivery is not Delivery.DELIVERED:
            self._say.undelivered(message, result.detail)

    @asynccontextmanager
    async def open(self, exchange: Exchange) -> AsyncIterator[None]:
        """Take the parties' messages while it is entered.

        Raises:
            PartiesError: a certificate or the index of messages cannot be used, or the port is taken.
        """
        settings = self._settings
        mail = MailRoom(self._facts, settings.storage, self._now() - self._facts.clocks.commit_s)
        desk = Desk(self._facts, lambda: exchange.ground.book, mail, self._now, settings.receipt_s)
        gate = Gate(settings.proofs, StoredTokens(settings.storage))
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
            await stack.enter_async_context(_listening(app, settings, tls))
            yield

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
async def _listening(app: web.Application, settings: PartySettings, tls: ssl.SSLContext | None) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=GOODBYE_S)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, settings.host, settings.port, ssl_context=tls).start()
        except OSError as error:
            raise PartiesError(
                f"cannot listen for parties on {settings.host}:{settings.port} ({error.strerror}); "
                "end what uses that port, or set listen.parties_port in the zone file"
            ) from error
        yield
    finally:
        await runner.cleanup()
