"""The HTTP shell of an operator's API: loopback, a bearer token, JSON in and out."""

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from importlib.metadata import version
from inspect import isawaitable
from typing import Final, Generic

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from ieee2030_5.admin.api import MOST, PREFIX, Api, Asked, D, Endpoint, Page
from ieee2030_5.admin.openapi import document
from ieee2030_5.admin.refusal import Refusal
from ieee2030_5.admin.words import Fault, Name, Word
from ieee2030_5.records import KeepError
from ieee2030_5.settings import AdminSettings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

BODY_LIMIT: Final = 1 << 20
_INTEGERS: Final = {"start": (0, 2**31), "limit": (1, MOST)}
_AGAIN_S: Final = 5


class Service(Generic[D]):
    """Takes the operator's requests; each is carried out before the next one of its connection is read."""

    def __init__(
        self,
        api: Api[D],
        desk: Callable[[], D],
        settings: AdminSettings,
        acted: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Answer from `desk`.

        Args:
            api: what can be asked.
            desk: made anew for each request.
            settings: where to listen, and the token.
            acted: hears of every request that could change something, or had no right; not what it held.
        """
        self._api, self._desk, self._settings, self._acted = api, desk, settings, acted
        self._adapters = {name: TypeAdapter[str](kind) for name, kind in api.names.items()}
        self._token = settings.token.encode()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen; `port` tells where from then on. Raises OSError where the address is taken."""
        self._runner = web.AppRunner(self.application(), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._settings.host, self._settings.port).start()
        self.port = int(self._runner.addresses[0][1])
        if self._settings.announce is not None:
            host = f"[{self._settings.host}]" if ":" in self._settings.host else self._settings.host
            self._settings.announce.write_text(f"http://{host}:{self.port}\n")

    async def stop(self) -> None:
        """Close every connection."""
        if self._settings.announce is not None:
            self._settings.announce.unlink(missing_ok=True)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def application(self) -> web.Application:
        """The table of endpoints as routes; without the token nothing of them is answered."""
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._witness, self._guard])
        described = document(version("ampacity"), self._api)

        async def describe(_: web.Request) -> web.Response:
            return web.json_response(described)

        app.router.add_get("/openapi.json", describe)
        for row in self._api.endpoints:
            app.router.add_route(row.method, PREFIX + row.path, self._handler(row))
        for page in self._api.pages:
            app.router.add_get(page.path, self._shower(page))
        return app

    @web.middleware
    async def _witness(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        if request.method not in ("GET", "HEAD") or response.status == HTTPStatus.UNAUTHORIZED:
            self._acted(f"{request.method} {request.rel_url.raw_path[:200]} from {request.remote}: {response.status}")
        return response

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            remedy = "send `Authorization: Bearer TOKEN` with the token in admin.token of the zone's state directory"
            response = _refused(401, "the bearer token is missing or wrong", "Authorization", remedy)
            response.headers["WWW-Authenticate"] = "Bearer"
            return response
        try:
            return await handler(request)
        except Refusal as refusal:
            return _refused(refusal.status, refusal.problem, refusal.where, refusal.remedy)
        except KeepError as error:
            response = _refused(503, f"nothing can be kept: {error}", "journal", "send the same request again later")
            response.headers["Retry-After"] = str(_AGAIN_S)
            return response
        except web.HTTPException as error:
            response = _refused(error.status, error.reason, request.path, "see /openapi.json")
            response.headers.update({key: value for key, value in error.headers.items() if key == "Allow"})
            return response

    def _shower(self, page: Page[D]) -> Handler:
        async def handle(_: web.Request) -> web.Response:
            return web.Response(text=page.show(self._desk()), content_type="text/plain")

        return handle

    def _handler(self, row: Endpoint[D]) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            asked, body = _asked(request, row, self._adapters), _body(await request.read(), row)
            given = row.do(self._desk(), asked, body)
            if isawaitable(given):
                given = await given
            if given is None:
                return web.Response(status=row.status)
            return web.Response(status=row.status, text=given.model_dump_json(), content_type="application/json")

        return handle


def _asked(request: web.Request, row: Endpoint[D], adapters: Mapping[str, TypeAdapter[str]]) -> Asked:
    names = {name: _valid(adapters[name], text, name) for name, text in request.match_info.items()}
    unknown = request.query.keys() - set(row.query)
    if unknown:
        raise Refusal(
            400, f"unknown parameter {sorted(unknown)[0]!r}", "query", f"take {', '.join(row.query) or 'none'}"
        )
    numbers = {name: _integer(request.query, name) for name in _INTEGERS if name in request.query}
    device = request.query.get("device")
    return Asked(names, device=None if device is None else _valid(TypeAdapter(Name), device, "device"), **numbers)


def _integer(query: Mapping[str, str], name: str) -> int:
    low, high = _INTEGERS[name]
    text = query[name]
    if not (text.isascii() and text.isdigit() and len(text) < 12 and low <= int(text) <= high):
        raise Refusal(400, f"{text[:40]!r} is no integer in {low}..{high}", name, "leave it out, or give such a number")
    return int(text)


def _valid(adapter: TypeAdapter[str], text: str, name: str) -> str:
    try:
        return adapter.validate_python(text)
    except ValidationError as error:
        raise _invalid(error, name) from error


def _body(data: bytes, row: Endpoint[D]) -> Word | None:
    if row.takes is None:
        return None
    try:
        return row.takes.model_validate_json(data)
    except ValidationError as error:
        raise _invalid(error, "") from error


def _invalid(error: ValidationError, where: str) -> Refusal:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"])) or where or "body"
    return Refusal(400, str(first["msg"]), place, "see /openapi.json for what is taken here")


def _refused(status: int, problem: str, where: str, remedy: str) -> web.Response:
    fault = Fault(error=problem, where=where, what_to_do=remedy)
    return web.Response(status=status, text=json.dumps(fault.model_dump()), content_type="application/json")
