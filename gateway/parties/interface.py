"""The parties' interface: an application that knows who asks, takes messages, and shows everybody their own."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.coordination import wire
from gateway.coordination.messages import Message
from gateway.coordination.routing import by_platform
from gateway.coordination.zone import ZoneFacts
from gateway.parties import openapi
from gateway.parties.callers import caller, screen
from gateway.parties.client import PATH
from gateway.parties.desk import Desk
from gateway.parties.identity import Gate
from gateway.parties.intake import RETRY_AFTER_S, Intake, Unavailable
from gateway.parties.pace import Pace
from gateway.parties.parameters import QUERIES, read
from gateway.parties.refusals import Refusal
from gateway.parties.view import LISTS

KEY_HEADER: Final = "Idempotency-Key"
READ_S: Final = 10.0
"""How long a message may take to arrive."""
_KEY = re.compile(r"[\x21-\x7e]{1,128}")
_AS_IT_IS = "identity"
_CREDENTIALS = frozenset({401, 403})

OnDenied = Callable[[str, str], None]
"""Hears from which address somebody was turned away, and why."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The handlers; every refusal is JSON with `error`, `field` and `what_to_do`."""

    facts: ZoneFacts
    gate: Gate
    intake: Intake
    desk: Desk
    denied: OnDenied
    pace: Pace = field(default_factory=Pace)

    def application(self) -> web.Application:
        """Ready to be served."""
        app = web.Application(client_max_size=wire.MAX_BYTES, middlewares=[self._refusing])
        app.router.add_post(PATH, self._take)
        app.router.add_get(PATH, self._messages)
        app.router.add_get(PATH + "/{msg_id}", self._message)
        app.router.add_get("/v1/openapi.json", self._document)
        for name in LISTS:
            app.router.add_get(f"/v1/{name}", self._listed)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        screen(request, self.gate)
        try:
            raw = await _read(request)
            message = wire.decode(raw)
        except wire.WireError as error:
            raise Refusal(400, error.problem, error.field, error.remedy) from error
        self.pace.spend(self._may_say(request, message))
        answer = await self.intake.take(message, raw, _key(request))
        return web.json_response(answer.body, status=answer.status)

    def _may_say(self, request: web.Request, message: Message) -> str:
        """Who hands it over: the sender, or the platform that carries it."""
        facts = self.facts
        sender = message.header.sender
        carried = by_platform(facts.model, message.code) and self.gate.may_be_carried(sender)
        by = caller(request, self.gate, sender, facts.around.platform if carried else "")
        dso = facts.dso
        if message.header.recipient != dso:
            raise Refusal(409, f"{message.header.recipient!r} is not here", "recipient", f"send to {dso}")
        return by

    async def _messages(self, request: web.Request) -> web.Response:
        party = caller(request, self.gate)
        given = read(request.query, QUERIES["messages"])
        found = await self.desk.messages(party, int(given["after"]), int(given["limit"]), float(given["wait_s"]))
        return web.json_response(found)

    async def _message(self, request: web.Request) -> web.Response:
        party = caller(request, self.gate)
        read(request.query, ())
        return web.json_response(await self.desk.message(party, request.match_info["msg_id"]))

    async def _listed(self, request: web.Request) -> web.Response:
        party, name = caller(request, self.gate), request.path.rpartition("/")[2]
        given = read(request.query, QUERIES["lists"])
        return web.json_response(self.desk.listed(party, name, str(given["resource"]), int(given["limit"])))

    async def _document(self, request: web.Request) -> web.Response:
        party = caller(request, self.gate)
        return web.json_response(openapi.document(self.facts.parties[party], (self.facts.model,)))

    @web.middleware
    async def _refusing(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            if refusal.status in _CREDENTIALS:
                self.denied(request.remote or "", f"{request.method} {request.path}: {refusal.problem}")
            return refusal.response()
        except Unavailable as error:
            later = {"Retry-After": str(RETRY_AFTER_S)}
            return Refusal(503, str(error), ".", "ask again later", later).response()
        except web.HTTPException as error:  # of the router: no such path or method
            allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
            return Refusal(error.status, error.reason, request.path[:256], "see /v1/openapi.json", allowed).response()


def _key(request: web.Request) -> str:
    key = request.headers.get(KEY_HEADER, "")
    if key and not _KEY.fullmatch(key):
        raise Refusal(400, "is no key", KEY_HEADER, "send 1 to 128 printable ASCII characters")
    return key


async def _read(request: web.Request) -> bytes:
    if request.headers.get(hdrs.CONTENT_ENCODING, _AS_IT_IS).lower() != _AS_IT_IS:
        raise wire.WireError(hdrs.CONTENT_ENCODING, "is not undone here", "send the JSON as it is")
    try:
        async with asyncio.timeout(READ_S):
            return await request.read()
    except TimeoutError as error:
        raise Refusal(408, f"did not arrive within {READ_S:g} s", ".", "send it again, in one go") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise wire.WireError(".", "is too large", f"send at most {wire.MAX_BYTES} bytes") from error
    except web.RequestPayloadError as error:
        raise wire.WireError(".", f"cannot be read: {error}", "send one JSON object in UTF-8") from error
