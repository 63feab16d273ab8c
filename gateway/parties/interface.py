"""The parties' interface: an application that knows who asks, and takes messages at POST /v1/messages."""

from collections.abc import Awaitable, Callable, Collection
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.coordination import wire
from gateway.coordination.messages import Message
from gateway.parties.callers import caller, unnamed
from gateway.parties.client import PATH
from gateway.parties.identity import Gate
from gateway.parties.refusals import Refusal

RETRY_AFTER_S: Final = 5
_CREDENTIALS = frozenset({401, 403})

OnMessage = Callable[[Message], Awaitable[None]]
"""Takes a valid message; may raise `Refused` or `Unavailable`.

The same `msg_id` may arrive again and must do nothing then.
"""
OnDenied = Callable[[str, str], None]
"""Hears from which address somebody was turned away, and why."""


class Refused(Exception):  # noqa: N818 - a decision, not a defect
    """The receiver will not take this message; the sender gets 409 with the reason and what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class Unavailable(Exception):  # noqa: N818 - a state of ours, not the sender's mistake
    """The receiver cannot take any message now; the sender gets 503 and tries again."""


def create_app(on_message: OnMessage, gate: Gate, *, here: Collection[str], denied: OnDenied) -> web.Application:
    """An application that validates messages of the parties at the gate to a party in `here` and hands them on.

    It answers 202 once `on_message` has returned, 400 to what is no message, 401 to whom it does not know, 403 to
    a sender other than the caller, 409 to a recipient that it does not know and to what `on_message` refuses;
    every refusal is JSON with `error`, `field` and `what_to_do`.
    """

    async def receive(request: web.Request) -> web.Response:
        unnamed(request, gate)  # who shows something that is nobody's is not read at all
        try:
            message = wire.decode(await _read(request))
        except wire.WireError as error:
            raise Refusal(400, error.problem, error.field, error.remedy) from error
        header = message.header
        caller(request, gate, header.sender)
        if header.recipient not in here:
            problem = f"{header.recipient!r} is not here"
            raise Refusal(409, problem, "recipient", f"send to {', '.join(sorted(here))}")
        try:
            await on_message(message)
        except Refused as error:
            raise Refusal(409, error.problem, ".", error.remedy) from error
        except Unavailable as error:
            later = {"Retry-After": str(RETRY_AFTER_S)}
            raise Refusal(503, str(error), ".", "send the same message again later", later) from error
        return web.json_response({"msg_id": header.msg_id, "status": "RECEIVED"}, status=202)

    @web.middleware
    async def refusing(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refusal as refusal:
            if refusal.status in _CREDENTIALS:
                denied(request.remote or "", f"{request.method} {request.path}: {refusal.problem}")
            return refusal.response()
        except web.HTTPException as error:  # of the router: no such path or method
            remedy = "see /v1/openapi.json"
            return Refusal(error.status, error.reason, request.path[:256], remedy, _allowed(error)).response()

    app = web.Application(client_max_size=wire.MAX_BYTES, middlewares=[refusing])
    app.router.add_post(PATH, receive)
    return app


def _allowed(error: web.HTTPException) -> dict[str, str]:
    return {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}


async def _read(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise wire.WireError(".", "is too large", f"send at most {wire.MAX_BYTES} bytes") from error
    except web.RequestPayloadError as error:
        raise wire.WireError(".", f"cannot be read: {error}", "send one JSON object in UTF-8") from error
