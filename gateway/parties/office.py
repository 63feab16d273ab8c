"""The parties' side of a running gateway: the interface that listens to them, and the client that writes to them."""

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Final

import structlog
from aiohttp import web

from gateway.clock import Now
from gateway.coordination.messages import Message
from gateway.coordination.zone import ZoneFacts
from gateway.exchange import CannotRecord, Exchange, RefusedMessage
from gateway.narrate import Narrator
from gateway.parties import interface
from gateway.parties.client import Client, Delivery
from gateway.parties.identity import Gate
from gateway.parties.settings import PartiesError, PartySettings
from gateway.parties.tls import server_context
from gateway.parties.tokens import StoredTokens

DENIED_EVERY_S: Final = 60.0
"""Whoever is turned away again and again from one address is told of this often."""
DENIED_KEPT: Final = 1_000


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
            PartiesError: a certificate cannot be read, or the port is taken.
        """

        async def take(message: Message) -> None:
            try:
                await exchange.receive(message)
            except RefusedMessage as error:
                raise interface.Refused(str(error), "see the addressing matrix of the zone's DSO model") from error
            except CannotRecord as error:
                raise interface.Unavailable(str(error)) from error

        settings = self._settings
        gate = Gate(settings.proofs, StoredTokens(settings.storage))
        app = interface.create_app(take, gate, here={self._facts.dso}, denied=self._turned_away)
        try:
            tls = server_context(settings.tls)
        except OSError as error:
            raise PartiesError(f"the parties' interface has no usable certificate: {error}") from error
        async with self._client:
            runner = web.AppRunner(app, access_log=None)
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

    def _turned_away(self, address: str, detail: str) -> None:
        now_s = self._now()
        if now_s - self._denied.get(address, -DENIED_EVERY_S) < DENIED_EVERY_S:
            return
        self._denied[address] = now_s
        while len(self._denied) > DENIED_KEPT:
            self._denied.popitem(last=False)
        structlog.get_logger().warning("party.denied", source=address, detail=detail)
